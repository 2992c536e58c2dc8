"""What a family hands over: everything that a model folder is made of, nothing of it loaded yet."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from tokenizers import Tokenizer
from torch import nn

from . import ports
from .ports import Ports, Shapes
from .sources import Place
from .weights import Weights


@dataclass
class Options:
    """What a person may say beside the checkpoint's name; `None`: the family knows or finds it itself."""

    language: str | None = None  # hub name or folder of the language model
    vision: str | None = None  # … of the vision tower
    tokenizer: str | None = None  # … of the tokenizer
    licence: str | None = None  # SPDX expression of the whole
    fit: str = "stretch"  # how a camera's picture becomes the model's square: `stretch`, `letterbox` or `crop`
    fetch: Callable[[str], Place] | None = None  # a hub name or folder -> its files
    canvas: str | None = None  # size of frames, or tiles of one, where a family leaves that open


@dataclass
class Conversion:
    """One model. `modules` are on the meta device; `weights` names each of their parameters, module name first."""

    name: str
    description: str
    licence: str
    places: list[Place]  # where it was taken from, for the manifest
    modules: dict[str, nn.Module]  # vision_encoder, resampler, decoder
    weights: Weights
    shapes: Shapes
    tokenizer: Tokenizer
    facts: dict  # the manifest's vision, resampler, decoder, tokens, prompt, limits
    int4: frozenset[str] = frozenset()  # decoder matrices that may have 4 bits
    ports: dict[str, Ports] = field(default_factory=dict)
    limits: tuple[str, ...] = ()  # what its licence does not allow and whom it grants nothing, a sentence each
    golden_cases: Callable | None = None  # instead of `goldens.cases`, for another media rule

    def __post_init__(self):
        self.ports = ports.plain(self.shapes) | self.ports


@dataclass(frozen=True)
class Precision:
    """In which numbers a folder computes."""

    name: str
    float_type: str  # the contract's F
    told: str  # the manifest's `precision`
    minimum_runtime: str
    int4: bool = False


PRECISIONS = {
    "fp32": Precision("fp32", "float32", "fp32", "1.20"),
    "fp16": Precision("fp16", "float16", "fp16, residuals and softmax in fp32", "1.20"),
    "int4": Precision("int4", "float16", "int4 decoder (blocks of 32), the rest fp16", "1.28", int4=True),
}


def find(place: Place, families: list[ModuleType]) -> ModuleType | None:
    """The family that knows a checkpoint: a module with `NAME`, `recognise(place)` and `convert(place, options)`."""
    return next((family for family in families if family.recognise(place)), None)


def folder_name(place: Place) -> str:
    """A model's name: the last part of its hub name, or its folder's name."""
    return Path(place.origin).name
