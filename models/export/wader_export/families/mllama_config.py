"""Sizes of a Llama-3.2-Vision checkpoint, read from its config.json.

What config.json leaves out has the default of transformers `configuration_mllama.py`, as transformers itself reads it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .checkpoint import CheckpointError
from .gated_layers import DecoderShape, speeds

ASPECT_RATIOS = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]  # tiles down, tiles across
EXTRA_ROWS = 8  # rows of the embedding beyond the vocabulary: <|image|> is the first of them


@dataclass(frozen=True)
class VisionShape:
    """Sizes of the vision encoder."""

    width: int
    feed_width: int
    heads: int
    layers: int
    global_layers: int
    taps: tuple[int, ...]
    tile: int
    patch: int
    max_tiles: int
    norm_eps: float
    aspect_ratios: tuple[tuple[int, int], ...]
    out_width: int

    @property
    def tokens(self) -> int:
        """Patches of a tile and its class token."""
        return (self.tile // self.patch) ** 2 + 1

    @property
    def padding(self) -> int:
        """Empty rows that a tile is filled up with, to a multiple of eight."""
        return -self.tokens % 8

    def aspect_id(self, tiles: tuple[int, int]) -> int:
        """The number under which the checkpoint knows a layout of tiles (down, across); 0 is no picture."""
        if tiles not in self.aspect_ratios:
            known = ", ".join(f"{down}x{across}" for down, across in self.aspect_ratios)
            raise CheckpointError(
                f"--canvas: the checkpoint knows no layout {tiles[0]}x{tiles[1]} (down x across); choose one of {known}"
            )
        return 1 + self.aspect_ratios.index(tiles)


@dataclass(frozen=True)
class MllamaShape:
    """Sizes of the whole model."""

    vision: VisionShape
    decoder: DecoderShape
    rope_theta: float
    rope_scaling: dict | None
    max_positions: int
    image_token: int


def read(config: dict) -> MllamaShape:
    """Reads config.json."""
    if config.get("model_type") != "mllama":
        raise CheckpointError(f"config.json: model_type is {config.get('model_type')!r} where 'mllama' is expected")
    vision, text = config.get("vision_config", {}), config.get("text_config", {})
    ratios = vision.get("supported_aspect_ratios") or ASPECT_RATIOS
    heads, width = text.get("num_attention_heads", 32), text.get("hidden_size", 4096)
    for key, value, only in (
        ("vision_config.hidden_act", vision.get("hidden_act", "gelu"), "gelu"),
        ("text_config.hidden_act", text.get("hidden_act", "silu"), "silu"),
        ("text_config.tie_word_embeddings", text.get("tie_word_embeddings", False), False),
    ):
        if value != only:
            raise CheckpointError(f"config.json: {key} is {value!r}, and this exporter knows {only!r} only")
    rope = dict(text.get("rope_parameters") or text.get("rope_scaling") or {})
    if rope.get("rope_type", "default") not in ("default", "llama3"):
        raise CheckpointError(f"config.json: rope_type is {rope['rope_type']!r}, and this exporter knows 'llama3' only")
    return MllamaShape(
        vision=VisionShape(
            width=vision.get("hidden_size", 1280),
            feed_width=vision.get("intermediate_size", 5120),
            heads=vision.get("attention_heads") or vision.get("num_attention_heads", 16),
            layers=vision.get("num_hidden_layers", 32),
            global_layers=vision.get("num_global_layers", 8),
            taps=tuple(vision.get("intermediate_layers_indices") or (3, 7, 15, 23, 30)),
            tile=vision.get("image_size", 448),
            patch=vision.get("patch_size", 14),
            max_tiles=vision.get("max_num_tiles", 4),
            norm_eps=vision.get("norm_eps", 1e-5),
            aspect_ratios=tuple((down, across) for down, across in ratios),
            out_width=vision.get("vision_output_dim", 7680),
        ),
        decoder=DecoderShape(
            width=width,
            feed_width=text.get("intermediate_size", 14336),
            layers=text.get("num_hidden_layers", 40),
            cross_layers=tuple(text.get("cross_attention_layers") or (3, 8, 13, 18, 23, 28, 33, 38)),
            heads=heads,
            kv_heads=text.get("num_key_value_heads", 8),
            head_dim=width // heads,
            norm_eps=text.get("rms_norm_eps", 1e-5),
            vocab=text.get("vocab_size", 128256),
            head_rows=text.get("vocab_size", 128256),
            embed_rows=text.get("vocab_size", 128256) + EXTRA_ROWS,
            qk_norm=False,
        ),
        rope_theta=rope.get("rope_theta") or text.get("rope_theta", 500000.0),
        rope_scaling=rope if rope.get("rope_type", "default") != "default" else None,
        max_positions=text.get("max_position_embeddings", 131072),
        image_token=config.get("image_token_index", 128256),
    )


def inverse_frequency(shape: MllamaShape, device: torch.device) -> Tensor:
    """Speeds of the rotary positions [head_dim / 2], slow ones stretched as Llama 3 does (`rope_type` llama3)."""
    speed = speeds(shape.decoder.head_dim, shape.rope_theta, device)
    scaling = shape.rope_scaling
    if scaling is None:
        return speed
    factor, low, high = (scaling[key] for key in ("factor", "low_freq_factor", "high_freq_factor"))
    trained = scaling["original_max_position_embeddings"]
    # Turns within the trained length: under `low` stretched, above `high` as they are, between them a mixture.
    share = ((speed * (trained / (2 * math.pi)) - low) / (high - low)).clamp(0, 1)
    return (1 - share) * (speed / factor) + share * speed
