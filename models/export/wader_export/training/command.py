"""The `train` command."""

import torch

from ..paths import cache_dir
from .run import TUNED, Run


def run(arguments) -> None:
    """Trains or goes on training."""
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder or cache_dir("train", "run")
    stages = TUNED if arguments.tune else None
    Run(folder, arguments.minutes, arguments.batch, arguments.seed, stages, arguments.start).train()
