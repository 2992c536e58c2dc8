"""Sizes of a MOSS-VL checkpoint, read from its config.json, and the places and speeds of its rotary positions.

Sources: OpenMOSS/MOSS-VL `modeling_moss_vl.py` (remote code of the checkpoint, Apache-2.0), technical report
arXiv 2608.15045, equation 1 (XRoPE).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .checkpoint import CheckpointError
from .gated_layers import DecoderShape, speeds


@dataclass(frozen=True)
class VisionShape:
    """Sizes of the vision encoder (Qwen3-VL's, one frame at a time)."""

    width: int
    feed_width: int
    heads: int
    layers: int
    taps: tuple[int, ...]  # features are taken *after* these layers, and after the last
    patch: int
    merge: int
    table_side: int  # the learned table of positions has so many rows and columns
    out_width: int


@dataclass(frozen=True)
class MossShape:
    """Sizes of the whole model for one size of frame, in pixels."""

    vision: VisionShape
    decoder: DecoderShape
    rope_theta: float
    sections: tuple[int, int, int]
    max_positions: int
    image_token: int
    height: int
    width: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of *merged* patches: these are what the tokens stand for and what positions count."""
        step = self.vision.patch * self.vision.merge
        return self.height // step, self.width // step

    @property
    def tokens(self) -> int:
        """Tokens of a frame, its separator included."""
        return self.grid[0] * self.grid[1] + 1

    @property
    def image_advance(self) -> int:
        """How far a picture moves the text's positions: the longer side of the grid, and one for its separator."""
        return max(self.grid) + 1


def read(config: dict, width: int, height: int) -> MossShape:
    """Reads config.json. Every size is in it; a missing one is an error that names it."""
    if config.get("model_type") != "moss_vl":
        raise CheckpointError(f"config.json: model_type is {config.get('model_type')!r} where 'moss_vl' is expected")
    try:
        vision, text = config["vision_config"], config["text_config"]
        step = vision["patch_size"] * vision["spatial_merge_size"]
        if width % step or height % step or not width or not height:
            told = f"--canvas: {width}x{height} is not made of squares of {step}"
            raise CheckpointError(f"{told}; choose multiples of {step}")
        rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
        for key, value, only in (
            ("vision_config.temporal_patch_size", vision["temporal_patch_size"], 1),
            ("vision_config.hidden_act", vision["hidden_act"], "gelu_pytorch_tanh"),
            ("text_config.hidden_act", text.get("hidden_act", "silu"), "silu"),
            ("text_config.attention_bias", text.get("attention_bias", False), False),
            ("text_config.rope_scaling.rope_type", rope.get("rope_type", "default"), "default"),
            ("tie_word_embeddings", config.get("tie_word_embeddings", False), False),
        ):
            if value != only:
                raise CheckpointError(f"config.json: {key} is {value!r}, and this exporter knows {only!r} only")
        side = int(vision["num_position_embeddings"] ** 0.5)
        return MossShape(
            vision=VisionShape(
                width=vision["hidden_size"],
                feed_width=vision["intermediate_size"],
                heads=vision["num_heads"],
                layers=vision["depth"],
                taps=tuple(vision["deepstack_visual_indexes"]),
                patch=vision["patch_size"],
                merge=vision["spatial_merge_size"],
                table_side=side,
                out_width=vision["out_hidden_size"],
            ),
            decoder=DecoderShape(
                width=text["hidden_size"],
                feed_width=text["intermediate_size"],
                layers=text["num_hidden_layers"],
                cross_layers=tuple(text["cross_attention_layers"]),
                heads=text["num_attention_heads"],
                kv_heads=text["num_key_value_heads"],
                head_dim=text["head_dim"],
                norm_eps=text["rms_norm_eps"],
                vocab=text["vocab_size"],
                head_rows=text["vocab_size"],
                embed_rows=text["vocab_size"],
                qk_norm=True,
            ),
            rope_theta=float(text.get("rope_theta") or rope["rope_theta"]),
            sections=tuple(rope["mrope_section"]),
            max_positions=text["max_position_embeddings"],
            image_token=config["image_token_id"],
            height=height,
            width=width,
        )
    except KeyError as error:
        told = f"config.json: {error.args[0]} is missing"
        raise CheckpointError(f"{told}; take the file that lies beside the weights") from None


def inverse_frequency(shape: MossShape, device: torch.device) -> Tensor:
    """Speeds of the rotary positions [head_dim / 2]."""
    return speeds(shape.decoder.head_dim, shape.rope_theta, device)


def in_frame_rotation(shape: MossShape, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines [N, head_dim / 2] of a frame's tokens at time 0: patch (y, x) at (0, y, x), the separator at
    (m, m, m) with m the longer side of the merged grid.

    Pairs of a head turn with time, row and column by turns (t h w t h w ... t t), not in three blocks.
    """
    rows, columns = shape.grid
    order = torch.arange(rows * columns, device=device)
    longer = torch.full_like(order[:1], max(rows, columns))
    row, column = torch.cat([order // columns, longer]), torch.cat([order % columns, longer])
    time = torch.cat([torch.zeros_like(order), longer])
    pair = torch.arange(shape.decoder.head_dim // 2, device=device)
    is_row = (pair % 3 == 1) & (pair < 3 * shape.sections[1])
    is_column = (pair % 3 == 2) & (pair < 3 * shape.sections[2])
    place = torch.where(is_row, row[:, None], torch.where(is_column, column[:, None], time[:, None]))
    angle = place.float() * inverse_frequency(shape, device)
    return angle.cos(), angle.sin()
