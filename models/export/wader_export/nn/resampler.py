"""The Perceiver Resampler with time (Flamingo, arXiv 2204.14198, section 2.1; Perceiver, arXiv 2103.03206).

Object tokens of all frames of a window get their displacements, then their time by scale and shift (FiLM, arXiv
1709.07871), then look at one another, and 24 latents read them. `MediaProjector` turns the latents into the keys and
values of every gated cross-attention layer, once per window.
"""

import torch
from torch import Tensor, nn

from .. import layout
from . import motion
from .layers import MASKED, TIME_FEATURES, Heads, feed_forward, time_features

WIDTH, HEADS, LATENTS = 128, 4, 24
MIX_LAYERS, READ_LAYERS = 3, 2
READ_OBJECTS = 20  # the strongest object tokens of a frame that are read; the rest costs time and says little
READ_TOKENS = READ_OBJECTS + 1
SAME = 1e-6
OBJECT_FEATURES = 8 + 12 + 6 + 16
COLOUR_FEATURES = 8
WORD_FEATURES = 2 * layout.COLOUR_WORDS
PICTURE_STATISTICS = 19
PICTURE_FEATURES = PICTURE_STATISTICS + 2


def object_features(objects: Tensor) -> Tensor:
    """Raw object tokens [..., DIM] -> what the first linear layer reads."""
    box, heats = objects[..., layout.BOX], objects[..., layout.HEATS]
    x, foot = (box[..., 0:1] + box[..., 2:3]) / 2, box[..., 3:4]
    y = (box[..., 1:2] + box[..., 3:4]) / 2
    width = (box[..., 2:3] - box[..., 0:1]).clamp(min=0)
    height = (box[..., 3:4] - box[..., 1:2]).clamp(min=0)
    best = heats.amax(-1, keepdim=True)
    waves = torch.tensor([3.0, 7.0, 16.0, 36.0])
    ax, ay = x * waves, foot * waves
    parts = [
        x * 2 - 1, y * 2 - 1, foot * 2 - 1, width * 4, height * 4,
        torch.log(width + 0.01) + 2, torch.log(height + 0.01) + 2, best * 3 - 1,
        heats * 3, (objects[..., layout.UPPER.start : layout.LOWER.stop] - 0.4) * 3,
        ax.sin(), ax.cos(), ay.sin(), ay.cos(),
    ]  # fmt: skip
    return torch.cat(parts, -1) * objects[..., layout.VALID : layout.VALID + 1]


def colour_features(objects: Tensor, picture: Tensor) -> Tensor:
    """The two colours of each object freed from the light: hue by channel, brightness against the whole picture.

    The hue fades with the brightness: black clothes with a little skin in the box are not brown.
    """
    whole = picture[..., layout.MEAN_RGB].mean(-1)[..., None, None]
    parts = []
    for part in (layout.UPPER, layout.LOWER):
        rgb = objects[..., part]
        mean = rgb.mean(-1, keepdim=True)
        parts += [(rgb - mean) / (mean + 0.15), torch.log((mean + 0.03) / (whole + 0.03))]
    return torch.cat(parts, -1) * objects[..., layout.VALID : layout.VALID + 1]


def word_features(objects: Tensor) -> Tensor:
    """How much of each half looks like each colour word; roots, so that a little of a colour is told from none."""
    shares = torch.cat([objects[..., layout.UPPER_WORDS], objects[..., layout.LOWER_WORDS]], -1)
    return (shares + 0.01).sqrt() * 2 * objects[..., layout.VALID : layout.VALID + 1]


def repeated(frames: Tensor, seconds: Tensor, present: Tensor) -> Tensor:
    """1 where a frame is to the last bit the one before it [B, T, 1]: no lens sees that twice, but a frozen camera."""
    which, exists = motion.neighbours(seconds, present)
    index = which[:, 0, :, None, None].expand(-1, -1, *frames.shape[2:])
    change = (frames - frames.gather(1, index)).abs().amax((2, 3))
    return ((change < SAME).to(frames.dtype) * exists[:, 0])[..., None]


class Mixer(nn.Module):
    """One layer of self-attention over all tokens of a window."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.heads = Heads(WIDTH, HEADS)
        self.feed = feed_forward(WIDTH, 2)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        normed = self.norm(x)
        x = x + self.heads(normed, normed, bias)
        return x + self.feed(x)


class Reader(nn.Module):
    """One Perceiver layer: latents attend to the tokens and to themselves."""

    def __init__(self):
        super().__init__()
        self.norm_tokens, self.norm_latents = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.heads = Heads(WIDTH, HEADS)
        self.feed = feed_forward(WIDTH, 2)

    def forward(self, latents: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        normed = self.norm_latents(latents)
        latents = latents + self.heads(normed, torch.cat([self.norm_tokens(tokens), normed], 1), bias)
        return latents + self.feed(latents)


class Resampler(nn.Module):
    """Frames of a window -> latents [B, 24, 128] (and the mixed tokens, for the loss on single tokens)."""

    def __init__(self):
        super().__init__()
        self.object_in = nn.Linear(OBJECT_FEATURES + motion.FEATURES + COLOUR_FEATURES + WORD_FEATURES, WIDTH)
        self.is_object = nn.Parameter(torch.randn(2, WIDTH) * 0.1)
        self.picture_in = nn.Sequential(nn.Linear(PICTURE_FEATURES, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.is_picture = nn.Parameter(torch.randn(WIDTH) * 0.3)
        self.time = nn.Sequential(nn.Linear(TIME_FEATURES, WIDTH), nn.GELU(), nn.Linear(WIDTH, 2 * WIDTH))
        self.mixers = nn.ModuleList([Mixer() for _ in range(MIX_LAYERS)])
        self.latents = nn.Parameter(torch.randn(LATENTS, WIDTH) * 0.5)
        self.readers = nn.ModuleList([Reader() for _ in range(READ_LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, frames: Tensor, seconds: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """`frames` [B, T, 25, DIM], `seconds` [B, T] (newest 0), `present` bool [B, T]."""
        batch, count = seconds.shape
        objects, picture = frames[:, :, :READ_OBJECTS], frames[:, :, layout.OBJECTS]
        with torch.autocast("cpu", enabled=False):
            moved = motion.motion_features(objects, seconds, present)
            colours = [colour_features(objects, picture), word_features(objects)]
            features = torch.cat([object_features(objects), moved, *colours], -1)
            statistics = (picture[..., :PICTURE_STATISTICS] - 0.35) * 2
            contrast = picture[..., layout.STD_RGB].mean(-1, keepdim=True)
            edges = torch.log((picture[..., layout.EDGES : layout.EDGES + 1] + 0.004) / (contrast + 0.004))
            whole = torch.cat([statistics, repeated(frames, seconds, present), edges], -1)
            times = time_features(seconds)
        valid = objects[..., layout.VALID : layout.VALID + 1]
        x = self.object_in(features) + valid * self.is_object[0] + (1 - valid) * self.is_object[1]
        whole = self.picture_in(whole) + self.is_picture
        x = torch.cat([x, whole[:, :, None]], 2)
        scale, shift = self.time(times).chunk(2, -1)
        x = x * (1 + scale[:, :, None]) + shift[:, :, None]
        x = x.reshape(batch, count * READ_TOKENS, WIDTH)
        absent = (~present).to(x.dtype)[:, :, None].expand(-1, -1, READ_TOKENS).reshape(batch, 1, 1, -1)
        bias = absent * MASKED
        for mixer in self.mixers:
            x = mixer(x, bias)
        latents = self.latents.expand(batch, -1, -1)
        bias = torch.cat([bias, torch.zeros(batch, 1, 1, LATENTS)], -1)
        for reader in self.readers:
            latents = reader(latents, x, bias)
        return self.norm(latents), x
