"""Every family there is. To add one, write its module and name it here."""

from . import idefics, open_flamingo, otter

FAMILIES = [otter, idefics, open_flamingo]
