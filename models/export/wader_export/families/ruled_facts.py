"""The parts of the manifest that Llama-3.2-Vision and MOSS-VL share: no resampler, one row of K and V a frame."""

from dataclasses import replace

from tokenizers import Tokenizer

from . import facts, tokenizer
from .gated_layers import DecoderShape
from .ports import Shapes


def writing(shape, words: Tokenizer):
    """A family's sizes with as many logits as can be written."""
    decoder = shape.decoder
    vocab = tokenizer.writable(words, decoder.head_rows, decoder.embed_rows)
    return replace(shape, decoder=replace(decoder, vocab=vocab))


def shapes(decoder: DecoderShape, width: int, height: int, tokens: int) -> Shapes:
    """The numbers of the ports."""
    return Shapes(
        height=height,
        width=width,
        tokens=tokens,
        dim=decoder.width,
        latents=tokens,
        cross_layers=len(decoder.cross_layers),
        cross_kv_heads=decoder.kv_heads,
        cross_head_dim=decoder.head_dim,
        self_layers=decoder.self_layers,
        kv_heads=decoder.kv_heads,
        head_dim=decoder.head_dim,
        vocab=decoder.vocab,
    )


def resampler(sizes: Shapes, frame_mode: str, max_frames: int, trained: list[int], span: tuple[float, float]) -> dict:
    """`resampler`."""
    plain = facts.resampler(sizes, frame_mode, max_frames, trained, span)
    return plain | {"kind": "projection", "scope": "frame"}


def decoder(sizes: Shapes, shape: DecoderShape, arch: str, rule: str, max_positions: int) -> dict:
    """`decoder`. Layers with a past and cross layers are counted apart; the input may have more ids than the output."""
    return {
        "arch": arch,
        "media_rule": rule,
        "self_layers": sizes.self_layers,
        "cross_layers": sizes.cross_layers,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "cross_kv_heads": shape.kv_heads,
        "cross_head_dim": shape.head_dim,
        "vocab": shape.vocab,
        "embed_rows": shape.embed_rows,
        "max_positions": max_positions,
    }
