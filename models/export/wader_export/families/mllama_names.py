"""Where each weight of the Llama-3.2-Vision graphs stands in a checkpoint.

Released checkpoints say `language_model.model.layers...`; transformers 5 inside says `model.language_model.layers...`.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from .checkpoint import Checkpoint
from .gated_layers import DecoderShape
from .mllama_config import MllamaShape
from .weights import Plan, Take

RELEASED = {"vision": "vision_model.", "projector": "multi_modal_projector", "text": "language_model.model.",
            "head": "language_model.lm_head"}  # fmt: skip
TRANSFORMERS_5 = {"vision": "model.vision_model.", "projector": "model.multi_modal_projector",
                  "text": "model.language_model.", "head": "lm_head"}  # fmt: skip

BLOCK = ("input_layernorm", "post_attention_layernorm", *(f"mlp.{part}_proj" for part in ("gate", "up", "down")))
SELF = tuple(f"self_attn.{part}_proj" for part in "qkvo")
CROSS = ("cross_attn.q_proj", "cross_attn.q_norm", "cross_attn.o_proj", "cross_attn_attn_gate", "cross_attn_mlp_gate")
MEDIA = ("k_proj", "k_norm", "v_proj")
VISION_LAYER = (*SELF, "mlp.fc1", "mlp.fc2", "input_layernorm", "post_attention_layernorm")
VISION_GATES = ("gate_attn", "gate_ffn")


@dataclass(frozen=True)
class RowTake(Take):
    """One row of a table, seen as a shape."""

    row: int = 0
    seen: tuple[int, ...] = ()

    def read(self) -> Tensor:
        return self.source.read(self.names[0], slice(self.row, self.row + 1)).reshape(self.seen)

    def size(self) -> tuple[int, ...]:
        rows, *rest = self.source.shape(self.names[0])
        return self.seen if self.row < rows and math.prod(rest) == math.prod(self.seen) else (rows, *rest)


def style(source: Checkpoint) -> dict[str, str]:
    """Which of the two ways of naming a checkpoint follows."""
    return TRANSFORMERS_5 if "lm_head.weight" in source.names else RELEASED


def text_layers(prefix: str, parts: tuple[str, ...]) -> dict[str, str]:
    """The decoder's table: names in its layers are the checkpoint's."""
    table = {f"layers.{{i}}.{part}": f"{prefix}layers.{{i}}.{part}" for part in parts}
    return table | {name: prefix + name for name in ("embed_tokens", "norm")}


def put_head(plan: Plan, decoder: nn.Module, source: Checkpoint, name: str, shape: DecoderShape) -> None:
    """The output's matrix: of the rows that the checkpoint has, those that are tokens."""
    plan.head("decoder.lm_head.weight", decoder.lm_head.weight, Take(source, (f"{name}.weight",)), shape.head_rows)


def put(
    plan: Plan, modules: dict[str, nn.Module], source: Checkpoint, shape: MllamaShape, tiles: tuple[int, int]
) -> None:
    """Maps all three graphs. Of the vision encoder's tables with a row per layout of tiles, the one row is taken."""
    at, vision, encoder = style(source), shape.vision, modules["vision_encoder"]
    positions = at["vision"] + "gated_positional_embedding."
    same = ("patch_embedding", "class_embedding", "layernorm_pre", "layernorm_post")
    table = {name: at["vision"] + name for name in same} | {"projector": at["projector"]}
    table |= {"position_gate": positions + "gate", "position_embedding": positions + "embedding"}
    table |= {f"{side}_tile_gate": f"{at['vision']}{side}_tile_positional_embedding.gate" for side in ("pre", "post")}
    for stack, parts in (("transformer", VISION_LAYER), ("global_transformer", (*VISION_LAYER, *VISION_GATES))):
        table |= {f"{stack}.{{i}}.{part}": f"{at['vision']}{stack}.layers.{{i}}.{part}" for part in parts}
    plan.map("vision_encoder", encoder, source, table)
    row = vision.aspect_id(tiles)
    tables = {f"{side}_tile": f"{at['vision']}{side}_tile_positional_embedding.embedding" for side in ("pre", "post")}
    tables["tile"] = positions + "tile_embedding"
    for name, theirs in ((f"{stem}_embedding", f"{table}.weight") for stem, table in tables.items()):
        parameter = encoder.get_parameter(name)
        take = RowTake(source, (theirs,), row=row, seen=tuple(parameter.shape))
        plan.put(f"vision_encoder.{name}", parameter, take)

    cross = shape.decoder.cross_layers
    media = {f"layers.{{i}}.{part}": f"{at['text']}layers.{{i}}.cross_attn.{part}" for part in MEDIA}
    plan.map("resampler", modules["resampler"], source, media, lambda i: cross[i])
    decoder = modules["decoder"]
    plan.map("decoder", decoder, source, text_layers(at["text"], (*BLOCK, *SELF, *CROSS)))
    put_head(plan, decoder, source, at["head"], shape.decoder)
