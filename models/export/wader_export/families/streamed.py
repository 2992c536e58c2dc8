"""Runs a module on the meta device with its weights, one layer in memory at a time, in float32.

Weights are rounded as the folder stores them, so that what PyTorch computes is what the graph has to compute.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from . import int4 as packing
from .nn.layers import Embedding
from .weights import Weights


def stored(weights: Weights, name: str, float_type: str, int4: frozenset[str]) -> Tensor:
    """A weight as the folder holds it, in float32."""
    value = weights.read(name)
    if name in int4:
        return torch.from_numpy(packing.rounded(value.numpy()))
    return value.to(getattr(torch, float_type)).float()


@contextmanager
def streamed(module: nn.Module, weights: Weights, float_type: str, int4: frozenset[str]) -> Iterator[nn.Module]:
    """The module, ready to be called; whatever it loaded is gone afterwards."""
    module.float().eval()
    kept, handles = [], []

    def load(part: nn.Module, prefix: str) -> None:
        for name, empty in list(part.named_parameters(recurse=False)):
            if empty.is_meta:
                kept.append((part, name, empty))
                value = stored(weights, f"{prefix}{name}", float_type, int4)
                part._parameters[name] = nn.Parameter(value, requires_grad=False)

    def drop(part: nn.Module) -> None:
        mine = [one for one in kept if one[0] is part]
        for one in mine:
            part._parameters[one[1]] = one[2]
            kept.remove(one)

    for path, part in module.named_modules():
        prefix = f"{path}." if path else ""
        handles.append(part.register_forward_pre_hook(lambda p, _, prefix=prefix: load(p, prefix)))
        if not isinstance(part, Embedding):  # it may be the output's weights, too
            handles.append(part.register_forward_hook(lambda p, *_: drop(p)))
    try:
        with torch.no_grad():
            yield module
    finally:
        for handle in handles:
            handle.remove()
        for part in {id(one[0]): one[0] for one in kept}.values():
            drop(part)
