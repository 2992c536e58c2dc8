"""Models of random weights in the shapes of real ones: for what they cost, and small ones for tests.

Nothing is downloaded and nothing answered is right; every gate is open, so that pictures have an effect. Weights are
drawn from a seed by name while they are written, so that memory holds one of them at a time, as with real checkpoints.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from . import facts, flamingo, folder
from . import language as languages
from . import tokenizer as tokens
from .family import PRECISIONS, Conversion
from .nn.decoder import every
from .nn.perceiver import CrossConfig, PerceiverConfig
from .nn.vision import VisionConfig
from .open_flamingo import END, IMAGE, PAD, prompt
from .weights import Weights

CLIP_L = VisionConfig(224, 14, 1024, 24, 16, 4096, "quick_gelu", class_token=False)
SMALL_EYES = VisionConfig(28, 14, 32, 2, 4, 64, "quick_gelu", class_token=False)
REDPAJAMA = dict(
    model_type="gpt_neox", hidden_size=2560, num_attention_heads=32, num_hidden_layers=32, intermediate_size=10240,
    rotary_pct=1.0, use_parallel_residual=False, max_position_embeddings=2048, vocab_size=50432,
)  # fmt: skip
MPT_1B = dict(
    model_type="mosaic_gpt", d_model=2048, n_heads=16, n_layers=24, max_seq_len=2048, alibi=True, attn_qk_ln=True,
    vocab_size=50432,
)  # fmt: skip
SMALL = dict(num_attention_heads=4, num_hidden_layers=4, hidden_size=64, max_position_embeddings=256, vocab_size=320)
SMALL_NEOX = SMALL | REDPAJAMA | SMALL | dict(intermediate_size=128)
SMALL_LLAMA = SMALL | dict(model_type="llama", intermediate_size=128, num_key_value_heads=2)
MPT_7B = dict(
    model_type="mpt", d_model=4096, n_heads=32, n_layers=32, max_seq_len=2048, vocab_size=50432,
    attn_config=dict(alibi=True),
)  # fmt: skip
BLOCK = 1 << 20  # numbers that are drawn; a larger weight repeats them


@dataclass(frozen=True)
class Shape:
    """A model to be drawn."""

    language: dict
    vision: VisionConfig
    perceiver: PerceiverConfig
    interval: int
    rows: int
    cross: tuple[int, int] = (8, 64)
    spread: float = 0.02  # of the weights


SHAPES = {
    "3B": Shape(MPT_1B, CLIP_L, PerceiverConfig(1024), 1, 50280),
    "4B": Shape(REDPAJAMA, CLIP_L, PerceiverConfig(1024), 2, 50280),
    "9B": Shape(MPT_7B, CLIP_L, PerceiverConfig(1024), 4, 50280),
    "tiny": Shape(SMALL_NEOX, SMALL_EYES, PerceiverConfig(32, 2, 2, 16, 8), 2, 320, (2, 16), 0.25),
    "tiny-video": Shape(
        SMALL_LLAMA, SMALL_EYES, PerceiverConfig(32, 2, 2, 16, 8, frame_embeddings=8), 2, 320, (2, 16), 0.25
    ),
}


@dataclass(frozen=True)
class Drawn:
    """A weight that is drawn when it is read; stands where `weights.Take` stands for one of a checkpoint."""

    name: str
    shape: tuple[int, ...]
    spread: float

    def size(self) -> tuple[int, ...]:
        return self.shape

    def read(self) -> Tensor:
        count = int(np.prod(self.shape))
        draw = np.random.default_rng(zlib.crc32(self.name.encode()))
        noise = np.resize(draw.standard_normal(min(count, BLOCK), np.float32), self.shape)
        if self.name.endswith("_gate"):
            return torch.from_numpy(0.7 + 0.2 * noise)
        if len(self.shape) == 1:
            return torch.from_numpy((0.0 if self.name.endswith("bias") else 1.0) + 0.1 * noise)
        return torch.from_numpy(noise * self.spread)


def spelling(rows: int) -> Tokenizer:
    """Every byte, a few words, the tokens of a Flamingo, and names for the rest of the rows."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("y", "e"), ("ye", "s"), ("n", "o"), ("\u0120", "yes"), ("\u0120", "no")]
    words = [*letters, *("".join(pair) for pair in merges)]
    special = ["<|endoftext|>", END, IMAGE, PAD]
    words += [f"<unused {i}>" for i in range(rows - len(words) - len(special))]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokens.add(tokenizer, special)
    tokens.same_size(tokenizer, rows)
    return tokenizer


def convert(name: str, shape: Shape) -> Conversion:
    """As from a checkpoint."""
    language = languages.find(shape.language)
    layers = every(language.layers, shape.interval)
    cross = CrossConfig(len(layers), *shape.cross)
    made = flamingo.modules(language, shape.vision, shape.perceiver, layers, shape.rows, cross)
    takes = {
        f"{graph}.{path}": Drawn(f"{graph}.{path}", tuple(parameter.shape), shape.spread)
        for graph, module in made.items()
        for path, parameter in module.named_parameters()
    }
    tokenizer, shapes = spelling(shape.rows), flamingo.shapes(language, made, shape.rows)
    entries = shape.perceiver.frame_embeddings
    time = ("timed", entries, [entries], (0.0, entries - 1.0)) if entries else flamingo.SINGLE
    ids = {text: tokenizer.token_to_id(text) for text in (IMAGE, PAD, END)}
    return Conversion(
        name=name,
        description=f"Random weights in the shape of a Flamingo on {language.arch}: for measurements and tests.",
        licence="Apache-2.0",
        places=[],
        modules=made,
        weights=Weights(takes),
        shapes=shapes,
        tokenizer=tokenizer,
        int4=flamingo.four_bits(made["decoder"]),
        facts={
            "vision": facts.vision(shapes, "stretch"),
            "resampler": facts.resampler(shapes, *time),
            "decoder": facts.decoder(shapes, language, shape.rows),
            "tokens": {"image": ids[IMAGE], "bos": None, "pad": ids[PAD], "unknown": None, "eos": [ids[END]]},
            "prompt": prompt(tokenizer),
            "limits": facts.LIMITS,
        },
    )


def run(arguments) -> None:
    """The `random` command."""
    torch.set_num_threads(arguments.threads)
    target: Path = arguments.target or Path(f"random-{arguments.shape}")
    conversion = convert(target.name, SHAPES[arguments.shape])
    folder.write(conversion, target, PRECISIONS[arguments.precision], arguments.check)
    print(f"{target}: {sum(file.stat().st_size for file in target.rglob('*') if file.is_file()) / 1e9:.3f} GB")
