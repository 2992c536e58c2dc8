"""The language models under the gated layers, one file each; `find` picks by a configuration's `model_type`."""

from ..checkpoint import CheckpointError
from . import gpt_neox, llama, mpt, opt
from .language import Language

KINDS = {
    "gpt_neox": gpt_neox.read,
    "mpt": mpt.read,
    "mosaic_gpt": mpt.read_mosaic_gpt,
    "opt": opt.read,
    "llama": llama.read,
}


def find(config: dict) -> Language:
    """The language model that a `config.json` describes."""
    kind = config.get("model_type")
    if kind not in KINDS:
        raise CheckpointError(f"the language model `{kind}` is not known; known are {', '.join(KINDS)}")
    return KINDS[kind](config)
