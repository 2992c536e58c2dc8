"""The `examples` command: encoder, synthetic episodes, training, and both graphs in the model folder."""

import json
import shutil
from pathlib import Path

import cv2
import torch

from ..graphs import goldens, manifest
from ..paths import EXPORT_DIR
from . import episodes, shipped, train
from .encoder import encoder, encoder_file

LOG = EXPORT_DIR / "logs" / "examples-0.9.0.jsonl"


def run(arguments) -> None:
    """Every step is skipped when its result is in the cache; a stopped one goes on where it stopped."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    encode, folder = encoder(encoder_file()), episodes.cache_for(encoder_file())
    for number in range(arguments.parts):
        if not episodes.part_file(folder, number).exists():
            print(f"episodes, part {number + 1} of {arguments.parts}", flush=True)
            episodes.make_part(folder, number, encode)
    if not shipped.trained().exists():
        train.train(episodes.load(folder, arguments.parts), shipped.run_folder(), arguments.minutes)
    shutil.copyfile(shipped.run_folder() / "log.jsonl", LOG)
    attach(arguments.target)


def attach(target: Path) -> None:
    """Both graphs into a model folder that has the others already."""
    shipped.place(target)
    shipped.renew_goldens(target)
    shipped.note(target)
    document = json.loads((target / "manifest.json").read_text())
    size = manifest.save(target, shipped.describe(document, target))
    for graph, difference in goldens.replay(target).items():
        print(f"{graph}: {difference:.2e} from its goldens")
    print(f"{target}: {size / 1e6:.2f} MB")
