"""The `train` command."""

import torch

from ..paths import cache_dir
from . import bank, device
from .data import Feeding
from .run import TUNED, WORDS, Run


def run(arguments) -> None:
    """Trains or goes on training."""
    torch.set_num_threads(arguments.threads)
    device.choose(arguments.device)
    folder = arguments.folder or cache_dir("train", "run")
    stages = TUNED if arguments.tune else WORDS if arguments.words else None
    bank.load()  # what has to be made is made here, and not by every worker
    feeding = Feeding(arguments.batch, arguments.questions, arguments.workers)
    run = Run(folder, arguments.minutes, feeding, arguments.seed, stages, arguments.start)
    if arguments.compile:
        device.compile_steps(run.model)
    run.train()
