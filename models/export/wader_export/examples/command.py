"""The `examples` command: encoder, synthetic episodes, training, and both graphs in the model folder."""

import json
import shutil

import torch

from ..graphs import goldens, manifest
from ..paths import EXPORT_DIR, MODEL_DIR, cache_dir
from . import episodes, shipped, train
from .encoder import encoder, encoder_file

LOG = EXPORT_DIR / "logs" / "examples-0.1.0.jsonl"


def run(arguments) -> None:
    """Every step is skipped when its result is in the cache; a stopped one goes on where it stopped."""
    torch.set_num_threads(1)
    folder = cache_dir("examples", "episodes")
    encode = encoder(encoder_file())
    for number in range(arguments.parts):
        if not episodes.part_file(folder, number).exists():
            print(f"episodes, part {number + 1} of {arguments.parts}", flush=True)
            episodes.make_part(folder, number, encode)
    if not shipped.trained().exists():
        train.train(episodes.load(folder, arguments.parts), shipped.run_folder(), arguments.minutes)
    shutil.copyfile(shipped.run_folder() / "log.jsonl", LOG)
    target = arguments.target or MODEL_DIR
    shipped.place(target)
    shipped.renew_goldens(target)
    shipped.note(target)
    path = target / "manifest.json"
    manifest.save(target, shipped.describe(json.loads(path.read_text()), target))
    for graph, difference in goldens.replay(target).items():
        print(f"{graph}: {difference:.2e} from its goldens")
