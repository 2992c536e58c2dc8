"""Where each object token was in neighbouring frames: displacements to the token most like it.

A small resampler learns direction far sooner when every token carries the way to its nearest likeness in an
earlier frame. All of it is computed from the frames of the window, so the encoder stays per frame.
"""

import torch
from torch import Tensor

from .. import layout
from .layers import MASKED

PER_NEIGHBOUR = 8
NEIGHBOURS = 3
FEATURES = PER_NEIGHBOUR * NEIGHBOURS
LEAST_AGE = 0.6  # seconds to the second earlier frame


def neighbours(seconds: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """For each frame the previous, an earlier and the next present frame: indices and existence [B, 3, T]."""
    count = seconds.shape[1]
    order = torch.arange(count)
    earlier = (order[None, :] < order[:, None])[None] & present[:, None, :]
    later = (order[None, :] > order[:, None])[None] & present[:, None, :]
    number = order.to(seconds.dtype)
    nothing = torch.full_like(seconds, -1.0)[:, None]
    previous = torch.where(earlier, number, nothing).amax(2)
    age = seconds[:, :, None] - seconds[:, None, :]
    step = torch.where(earlier, age, torch.full_like(nothing, 1e3)).amin(2)
    enough = (1.5 * step).clamp(min=LEAST_AGE)[:, :, None]
    before = torch.where(earlier & (age >= enough), number, nothing).amax(2)
    following = torch.where(later, number, nothing + (count + 1)).amin(2)
    following = torch.where(following > count - 0.5, nothing[:, 0], following)
    picked = torch.stack([previous, before, following], 1)
    return picked.clamp(min=0).long(), (picked > -0.5).to(seconds.dtype)


def motion_features(objects: Tensor, seconds: Tensor, present: Tensor) -> Tensor:
    """Object tokens [B, T, K, DIM] -> [B, T, K, FEATURES]."""
    batch, count, tokens, _ = objects.shape
    box = objects[..., layout.BOX]
    height = (box[..., 3] - box[..., 1]).clamp(min=0.02)
    place = torch.stack([(box[..., 0] + box[..., 2]) / 2, box[..., 3]], -1)
    heats = objects[..., layout.HEATS]
    best = heats.amax(-1, keepdim=True)
    colour = objects[..., layout.UPPER.start : layout.LOWER.stop]
    valid = objects[..., layout.VALID]
    looks = torch.cat(
        [place, height.log()[..., None], best, heats / best.clamp(min=0.05), colour, valid[..., None]], -1
    )
    which, exists = neighbours(seconds, present)
    result = []
    for n in range(NEIGHBOURS):
        index = which[:, n, :, None, None].expand(-1, -1, tokens, looks.shape[-1])
        other = looks.gather(1, index)
        gap = (seconds - seconds.gather(1, which[:, n])).abs()
        shift = (looks[..., :, None, :2] - other[..., None, :, :2]) / height[..., :, None, None]
        distance = (shift * shift).sum(-1).add(1e-6).sqrt()
        grown = (looks[..., :, None, 2] - other[..., None, :, 2]).abs()
        unlike = (looks[..., :, None, 16:22] - other[..., None, :, 16:22]).abs().mean(-1)
        kin = (looks[..., :, None, 4:16] * other[..., None, :, 4:16]).sum(-1)
        cost = distance / (1 + 1.5 * gap)[:, :, None, None] + 1.5 * grown + 3 * unlike - 0.5 * kin.clamp(max=1)
        cost = cost + (1 - other[..., None, :, 22]) * -MASKED
        least, match = cost.min(-1)
        there = (exists[:, n][:, :, None] * valid * (least < 1e3).to(cost.dtype))[..., None]
        found = other.gather(2, match[..., None].expand(-1, -1, -1, other.shape[-1]))
        move = (looks[..., :2] - found[..., :2]) / height[..., None]
        speed = move[..., :1] / gap.clamp(min=0.1)[:, :, None, None]
        wide_gap = gap[:, :, None, None].expand(-1, -1, tokens, 1)
        parts = [
            move.clamp(-4, 4),
            speed.clamp(-3, 3),
            (looks[..., 2:3] - found[..., 2:3]).clamp(-1, 1) * 2,
            torch.exp(-least.clamp(-1, 20))[..., None],
            found[..., 3:4] * 2 - 1,
            (wide_gap / 4).clamp(max=3),
            torch.ones_like(there),
        ]
        result.append(torch.cat(parts, -1) * there)
    return torch.cat(result, -1)
