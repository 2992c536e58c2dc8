"""EfficientNet-Lite0 in PyTorch, batch norms folded, cut behind the maps that are wanted.

Architecture: Tan and Le, EfficientNet (1905.11946), in the "lite" form without squeeze-and-excitation and with ReLU6.
The weights come from TensorFlow: padding is TensorFlow's "same", and the file's tensors are stored permuted
(`torch.load` honours their strides).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

# repeats, kernel, stride, expansion, channels
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
FINE_STAGE, DEEP_STAGE = 2, 4
EPSILON = 1e-3
MEAN, SCALE = 127.0, 128.0


class Folded(nn.Module):
    """A convolution with its batch norm folded in."""

    def __init__(self, weights: dict[str, Tensor], conv: str, norm: str, stride: int = 1, active: bool = True):
        super().__init__()
        kernel = weights[f"{conv}.weight"]
        gain = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + EPSILON)
        self.kernel = nn.Parameter((kernel * gain[:, None, None, None]).contiguous(), requires_grad=False)
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.groups = len(kernel) if kernel.shape[1] == 1 and kernel.shape[2] > 1 else 1
        self.stride, self.active = stride, active

    def forward(self, x: Tensor) -> Tensor:
        size, before, after = self.kernel.shape[2], [], []
        for length in x.shape[2:]:
            missing = max((-(-length // self.stride) - 1) * self.stride + size - length, 0)
            before.append(missing // 2)
            after.append(missing - missing // 2)
        if before == after:
            padding = tuple(before)
        else:
            x = functional.pad(x, (before[1], after[1], before[0], after[0]))
            padding = (0, 0)
        x = functional.conv2d(x, self.kernel, self.bias, self.stride, padding, groups=self.groups)
        return x.clamp(0.0, 6.0) if self.active else x


class Block(nn.Module):
    """Widen, filter each channel, narrow; added to the input where the shape stays."""

    def __init__(self, weights: dict[str, Tensor], prefix: str, expansion: int, stride: int, same: bool):
        super().__init__()
        parts = []
        if expansion != 1:
            parts.append(Folded(weights, f"{prefix}._expand_conv", f"{prefix}._bn0"))
        parts.append(Folded(weights, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride))
        parts.append(Folded(weights, f"{prefix}._project_conv", f"{prefix}._bn2", active=False))
        self.parts, self.same = nn.Sequential(*parts), same

    def forward(self, x: Tensor) -> Tensor:
        return x + self.parts(x) if self.same else self.parts(x)


class EfficientNetLite0(nn.Module):
    """Normalised pictures [n,3,H,W] -> the map of each stage up to `last`."""

    def __init__(self, weights: dict[str, Tensor], last: int = DEEP_STAGE):
        super().__init__()
        self.stem = Folded(weights, "_conv_stem", "_bn0", 2)
        self.stages, number, channels = nn.ModuleList(), 0, 32
        for repeats, _, stride, expansion, wide in STAGES[: last + 1]:
            blocks = []
            for i in range(repeats):
                step = stride if i == 0 else 1
                same = step == 1 and channels == wide
                blocks.append(Block(weights, f"_blocks.{number}", expansion, step, same))
                channels, number = wide, number + 1
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def load(path, last: int = DEEP_STAGE) -> EfficientNetLite0:
    """The network with the weights of a file."""
    return EfficientNetLite0(torch.load(path, weights_only=True, map_location="cpu"), last).eval()
