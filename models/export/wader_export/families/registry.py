"""Every family there is. To add one, write its module and name it here."""

from . import idefics, mllama, moss_vl, open_flamingo, otter

FAMILIES = [otter, idefics, mllama, moss_vl, open_flamingo]
