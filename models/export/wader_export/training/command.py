"""The `train` command."""

import torch

from ..paths import cache_dir
from .run import Run


def run(arguments) -> None:
    """Trains or goes on training."""
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder or cache_dir("train", "run")
    Run(folder, arguments.minutes, arguments.batch, arguments.seed, start=arguments.start).train()
