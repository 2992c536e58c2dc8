"""What a family has to know of the language model it is built on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from ..nn.decoder import Decoder


@dataclass
class Language:
    """Shapes, blocks and names of a language model; `names` and `ignored` speak of its own checkpoint."""

    arch: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    max_positions: int
    rows: int  # of the embedding in its own checkpoint
    embedding: str  # names of the embedding and of the output's weights; None where those are one
    head: str | None
    block: Callable[[], nn.Module]
    norm: Callable[[], nn.Module]
    names: dict[str, str]  # parts of `Decoder` -> parts of the checkpoint
    blocks: str  # where its blocks lie, e.g. `gpt_neox.layers`
    ignored: list[str] = field(default_factory=list)
    decoder: type[Decoder] = Decoder
    options: dict = field(default_factory=dict)  # of that decoder


def refuse(config: dict, wanted: dict[str, tuple]) -> None:
    """Raises where a configuration asks for what the blocks do not do; nothing is ignored silently."""
    from ..checkpoint import CheckpointError

    for key, allowed in wanted.items():
        value = config.get(key, allowed[0])
        if value not in allowed:
            choice = " or ".join(map(repr, allowed))
            raise CheckpointError(
                f"`{key}` of the language model's config.json is {value!r}, and {choice} is what can be converted"
            )


def rope_base(config: dict) -> float:
    """Base of the rotation, under any of its names; scaled rotations are refused."""
    from ..checkpoint import CheckpointError

    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if kind != "default":
        raise CheckpointError(f"rotary positions of type `{kind}` cannot be converted, only `default`")
    for place, key in ((parameters, "rope_theta"), (config, "rope_theta"), (config, "rotary_emb_base")):
        if key in place:
            return float(place[key])
    return 10000.0
