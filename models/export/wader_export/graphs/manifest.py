"""manifest.json: what the folder holds, where it comes from, and how to use it."""

import json
from pathlib import Path

from .. import __version__, layout, tokens
from ..encoder.package import FILES, PACKAGE, sha256
from ..examples import shipped
from ..nn import decoder as lm
from ..nn import resampler as rs
from ..questions.words import SECONDS
from ..training.data import FRAMES
from .goldens import TOLERANCE

GRAPHS = {name: f"{name}.onnx" for name in ("vision_encoder", "resampler", "decoder")}
CONTENT = [*GRAPHS.values(), "tokenizer.json", "golden/golden.json", "golden/golden.bin"]
MAX_BYTES = 16 * 1000 * 1000
MIN_MASS = 0.5  # it was trained to say `none` or `unclear`: with less on the allowed answers it said so


def manifest(folder: Path, words: list[str]) -> dict:
    """The manifest of the files in `folder`."""
    vocabulary = len(words)
    parts = lambda *middle: [{"token": "<image>"}, *middle]  # noqa: E731
    return {
        "contract": "flamingo-onnx/1",
        "name": "wader-small",
        "version": __version__,
        "provenance": {
            "description": "A small Flamingo for fixed cameras: frozen NanoDet, Perceiver Resampler and a gated "
            "cross-attention decoder, trained on scenes simulated in feature space and on photographs.",
            "licence": "Apache-2.0",
            "sources": [
                {
                    "name": f"NanoDet ({file}), frozen vision encoder trained on COCO, converted to ONNX and int8",
                    "origin": f"npm {PACKAGE.rpartition('@')[0]} {PACKAGE.rpartition('@')[2]}, models/{file}",
                    "licence": "Apache-2.0",
                    "sha256": FILES[file],
                }
                for file in ("nanodet.json", "nanodet.bin")
            ],
        },
        "precision": "int8 encoder, fp16 weights computed in fp32",
        "minimum_runtime": "1.20",
        "files": {f: {"bytes": (folder / f).stat().st_size, "sha256": sha256(folder / f)} for f in CONTENT},
        "graphs": GRAPHS,
        "float": "float32",
        "vision": {
            "width": layout.WIDTH,
            "height": layout.HEIGHT,
            "fit": "stretch",
            "tokens": layout.TOKENS,
            "dim": layout.DIM,
        },
        "resampler": {
            "kind": "perceiver",
            "scope": "window",
            "latents": rs.LATENTS,
            "frame_mode": "timed",
            "max_frames": max(FRAMES),
            "trained_frames": sorted(FRAMES),
            "time": {"origin": "newest", "units_per_second": 1.0, "trained_span_s": [2.0, 60.0]},
        },
        "decoder": {
            "arch": "wader",
            "media_rule": "latest",
            "self_layers": lm.LAYERS,
            "cross_layers": lm.LAYERS,
            "heads": lm.HEADS,
            "kv_heads": lm.HEADS,
            "head_dim": lm.HEAD_WIDTH,
            "cross_kv_heads": lm.HEADS,
            "cross_head_dim": lm.HEAD_WIDTH,
            "vocab": vocabulary,
            "embed_rows": vocabulary,
            "max_positions": 256,
        },
        "tokens": {
            "image": tokens.IMAGE,
            "bos": None,
            "pad": tokens.PAD,
            "unknown": tokens.UNKNOWN,
            "eos": [tokens.END],
        },
        "prompt": {
            "question": parts({"token": "question:"}, {"slot": "question"}, {"token": "answer:"}),
            "caption": parts({"token": "output:"}),
            "yes": ["yes"],
            "no": ["no"],
            "numbers": SECONDS,
            "min_mass": MIN_MASS,
            "words": [w for w in words[len(tokens.SPECIAL) :] if w.isalnum()],
        },
        "limits": {"max_media_per_call": 16, "max_new_tokens": 64},
        "golden": {"file": "golden/golden.json", "tolerance": TOLERANCE},
    }


def write(folder: Path, words: list[str]) -> int:
    """Writes manifest.json, with the examples' graphs where the folder has them; returns the folder's size in bytes."""
    return save(folder, shipped.describe(manifest(folder, words), folder))


def save(folder: Path, document: dict) -> int:
    """Writes a manifest; returns the folder's size in bytes."""
    (folder / "manifest.json").write_text(json.dumps(document, indent=2) + "\n")
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())  # with cards and pictures
    if size > MAX_BYTES:
        raise RuntimeError(f"{folder} holds {size} bytes, more than {MAX_BYTES}")
    return size
