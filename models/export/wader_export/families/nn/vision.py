"""The vision tower of CLIP (arXiv 2103.00020): pixels to patch tokens as the families were trained on them.

Trained on *raw* last hidden states: no final LayerNorm (open_clip from 2.23 on applies one to its tokens), QuickGELU
for the tower by OpenAI (open_clip from 2.30 on builds GELU), with or without the class token as the family says.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import LayerNorm, Linear, activation, attend, merge_heads, split_heads

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class VisionConfig:
    """Shapes of a tower."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    activation: str
    class_token: bool  # whether it is among the features
    eps: float = 1e-5
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD

    @property
    def patches(self) -> int:
        """Patches of a picture."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def tokens(self) -> int:
        """Feature tokens of a frame (V)."""
        return self.patches + int(self.class_token)


class VisionBlock(nn.Module):
    """Attention and feed-forward, each after its norm."""

    def __init__(self, config: VisionConfig):
        super().__init__()
        width, self.heads = config.width, config.heads
        self.norm_1, self.norm_2 = LayerNorm(width, config.eps), LayerNorm(width, config.eps)
        self.query, self.key, self.value, self.out = (Linear(width, width) for _ in range(4))
        self.up, self.down = Linear(width, config.feed_forward), Linear(config.feed_forward, width)
        self.act = activation(config.activation)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm_1(x)
        query, key, value = (split_heads(part(normed), self.heads) for part in (self.query, self.key, self.value))
        x = x + self.out(merge_heads(attend(query, key, value, None))).float()
        return x + self.down(self.act(self.up(self.norm_2(x)))).float()


class VisionEncoder(nn.Module):
    """``pixels`` u8 [frames, H, W, 3] -> ``frame_features`` F [frames, V, D]; normalisation is inside."""

    def __init__(self, config: VisionConfig):
        super().__init__()
        self.config = config
        self.patch = nn.Conv2d(3, config.width, config.patch_size, config.patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(config.width))
        self.positions = nn.Parameter(torch.empty(config.patches + 1, config.width))
        self.norm = LayerNorm(config.width, config.eps)
        self.blocks = nn.ModuleList([VisionBlock(config) for _ in range(config.layers)])

    def forward(self, pixels: Tensor) -> Tensor:
        kind, config = self.patch.weight.dtype, self.config
        channels = [
            (pixels[..., i].float() * (1 / 255) - mean) * (1 / std)
            for i, (mean, std) in enumerate(zip(config.mean, config.std))
        ]
        x = self.patch(torch.stack(channels, 1).to(kind))
        x = x.flatten(2).transpose(1, 2).float()
        first = self.class_embedding.float().expand(x.shape[0], 1, -1)
        x = self.norm(torch.cat([first, x], 1) + self.positions.float())
        for block in self.blocks:
            x = block(x)
        return (x if config.class_token else x[:, 1:]).to(kind)
