"""Where a run computes: this machine's processor in bfloat16, or a GPU in float32 with TF32 products.

A GPU is so fast at a model of this size that the simulator feeds it from many processes; see `data.Feeder`.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from ..nn.flamingo import Flamingo


def choose(name: str) -> None:
    """Makes `name` (``cpu``, ``cuda``, ``cuda:N``) the place of every new tensor."""
    torch.set_default_device(name)
    torch.set_float32_matmul_precision("high")


def on_gpu() -> bool:
    return torch.get_default_device().type != "cpu"


def placed(array: np.ndarray) -> Tensor:
    """An array as a tensor where the run computes."""
    return torch.from_numpy(array).to(torch.get_default_device())


def quick() -> AbstractContextManager:
    """The precision of a step: bfloat16 on a processor; on a GPU the casts would cost more than they save."""
    return nullcontext() if on_gpu() else torch.autocast("cpu", torch.bfloat16)


def compile_steps(model: Flamingo) -> None:
    """Fuses what a step computes: on a processor a step takes three quarters of the time, after half a minute of compiling."""
    model.resampler.compile()
    model.decoder.compile(dynamic=True)  # rows of text are of many lengths
