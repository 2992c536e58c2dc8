"""Vision encoder of MOSS-VL as one graph for one size of frame.

Qwen3-VL's encoder on one frame at a time, its features after three layers and after the last each with a LayerNorm of
their own, joined patch by patch (the last first), four neighbouring patches merged by an MLP; a learned separator after
each frame. Source: OpenMOSS/MOSS-VL `modeling_moss_vl.py`, `MossVLVisionModel`, `MossVLVisionPatchMerger`,
`convert_packed_to_batch`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .gated_layers import rotate, speeds
from .moss_vl_config import MossShape, VisionShape
from .nn.layers import LayerNorm, Linear, attend


class VisionAttention(nn.Module):
    """Attention inside one frame, rotary positions over rows and columns."""

    def __init__(self, shape: VisionShape):
        super().__init__()
        self.heads = shape.heads
        self.qkv = Linear(shape.width, 3 * shape.width)
        self.proj = Linear(shape.width, shape.width)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        frames, tokens, width = x.shape
        joined = self.qkv(x).reshape(frames, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = rotate(joined[0], *turn), rotate(joined[1], *turn).to(joined.dtype), joined[2]
        read = attend(query, key, value, None)
        return self.proj(read.transpose(1, 2).reshape(frames, tokens, width))


class VisionFeed(nn.Module):
    """Two linear layers with the tanh form of GELU between."""

    def __init__(self, shape: VisionShape):
        super().__init__()
        self.linear_fc1 = Linear(shape.width, shape.feed_width)
        self.linear_fc2 = Linear(shape.feed_width, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_fc2(functional.gelu(self.linear_fc1(x), approximate="tanh"))


class VisionBlock(nn.Module):
    """One layer."""

    def __init__(self, shape: VisionShape):
        super().__init__()
        self.norm1 = LayerNorm(shape.width, eps=1e-6)
        self.norm2 = LayerNorm(shape.width, eps=1e-6)
        self.attn = VisionAttention(shape)
        self.mlp = VisionFeed(shape)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.attn(self.norm1(x), turn)
        return x + self.mlp(self.norm2(x))


class Merger(nn.Module):
    """Features of four depths and four patches to one token; exact GELU, unlike the layers' own."""

    def __init__(self, shape: VisionShape):
        super().__init__()
        depths = 1 + len(shape.taps)
        joined = shape.width * depths * shape.merge**2
        self.norms = nn.ModuleList([LayerNorm(shape.width, eps=1e-6) for _ in range(depths)])
        self.linear_fc1 = Linear(joined, joined)
        self.linear_fc2 = Linear(joined, shape.out_width)
        self.patches = shape.merge**2

    def forward(self, depths: list[Tensor]) -> Tensor:
        x = torch.cat([norm(depth) for norm, depth in zip(self.norms, depths, strict=True)], -1)
        x = x.reshape(x.shape[0], -1, self.patches * x.shape[2])
        return self.linear_fc2(functional.gelu(self.linear_fc1(x)))


class MossVisionEncoder(nn.Module):
    """`pixels` u8 [frames, height, width, 3], stretched -> `frame_features` [frames, N, width], the separator last."""

    def __init__(self, shape: MossShape, mean: list[float], std: list[float]):
        super().__init__()
        self.shape, self.mean, self.std = shape, mean, std
        vision = shape.vision
        self.patch_embed = Linear(3 * vision.patch**2, vision.width)
        self.pos_embed = nn.Parameter(torch.zeros(vision.table_side**2, vision.width))
        self.blocks = nn.ModuleList([VisionBlock(vision) for _ in range(vision.layers)])
        self.merger = Merger(vision)
        self.separator_token = nn.Parameter(torch.zeros(vision.out_width))

    def patches(self, pixels: Tensor) -> Tensor:
        """[frames, patches, 3 * patch * patch]: the four patches of a merged one follow each other."""
        vision, (rows, columns) = self.shape.vision, self.shape.grid
        channels = [(pixels[..., i].float() / 255 - self.mean[i]) / self.std[i] for i in range(3)]
        picture = torch.stack(channels, 1)
        picture = picture.reshape(-1, 3, rows, vision.merge, vision.patch, columns, vision.merge, vision.patch)
        return picture.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(pixels.shape[0], -1, 3 * vision.patch**2)

    def positions(self) -> Tensor:
        """The learned table [side, side, width] over the frame [patches, width]: bilinear, corners on corners.

        A place between two rows takes from each what a tent of height 1 over that row has there.
        """
        vision, (rows, columns) = self.shape.vision, self.shape.grid
        side, merge, device = vision.table_side, vision.merge, self.pos_embed.device
        tents = []
        for count in (rows * merge, columns * merge):
            place = torch.arange(count, device=device).float() * ((side - 1) / max(count - 1, 1))
            tents.append((1 - (place[:, None] - torch.arange(side, device=device).float()).abs()).clamp(min=0))
        table = self.pos_embed.float().reshape(side, side * vision.width)
        down = torch.matmul(tents[0], table).reshape(rows * merge, side, vision.width)
        both = torch.matmul(tents[1], down).reshape(rows, merge, columns, merge, vision.width)
        return both.permute(0, 2, 1, 3, 4).reshape(-1, vision.width)

    def turn(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines [patches, head / 2]: half of the pairs turns with the row, the other with the column."""
        vision, (rows, columns) = self.shape.vision, self.shape.grid
        merge, device = vision.merge, self.pos_embed.device
        order = torch.arange(rows * columns * merge**2, device=device)  # block's row and column, row and column in it
        block, inside = order // merge**2, order % merge**2
        row, column = block // columns * merge + inside // merge, block % columns * merge + inside % merge
        speed = speeds(vision.width // vision.heads // 2, 10000.0, device)
        angle = torch.cat([place[:, None].float() * speed for place in (row, column)], -1)
        return angle.cos(), angle.sin()

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patch_embed(self.patches(pixels)).float() + self.positions()
        taps, turn = [], self.turn()
        for i, block in enumerate(self.blocks):
            x = block(x, turn)
            if i in self.shape.vision.taps:
                taps.append(x)
        merged = self.merger([x, *taps])
        separator = self.separator_token.expand(merged.shape[0], 1, self.shape.vision.out_width)
        return torch.cat([merged, separator], 1)
