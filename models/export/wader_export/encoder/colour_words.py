"""Which colour word each sample of a box looks like, and so which colours are in a part of it, and how much of each.

A median of all samples is one colour: of a striped shirt, of a jacket below a face, of a dress that fills a third of the
box it is none that anybody wears. The shares of words keep them apart. Used by the encoder's graph and by the simulator
alike, so that both mean the same by a word.
"""

import torch
from torch import Tensor

NAMES = ("black", "white", "gray", "red", "blue", "green", "yellow", "brown", "orange", "pink")
SKIN = ((0.80, 0.60, 0.50), (0.62, 0.42, 0.33))  # a word of its own, the last: faces and arms are in most boxes of people

RGB = (
    (0.09, 0.08, 0.09),
    (0.85, 0.85, 0.85),
    (0.50, 0.50, 0.50),
    (0.65, 0.13, 0.14),
    (0.22, 0.30, 0.55),
    (0.20, 0.42, 0.20),
    (0.80, 0.70, 0.15),
    (0.38, 0.26, 0.17),
    (0.85, 0.42, 0.12),
    (0.85, 0.50, 0.60),
)
HUE_SOFTNESS = 0.13  # how far two samples of one word differ in hue ...
LIGHT_SOFTNESS = (0.5, 0.2, 0.3, 0.5, 0.5, 0.5, 0.45, 0.4, 0.4, 0.35, 0.3, 0.3)  # ... and in brightness (log), by word and skin
FAINT = 0.12  # brightness at which half of a hue is left: black cloth has none
DARKEST = 0.03


def hue_and_light(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Hue [..., 3], which fades with the brightness, and the brightness' logarithm [..., 1] of RGB in 0..1."""
    mean = rgb.mean(-1, keepdim=True)
    return (rgb - mean) / (mean + FAINT), torch.log(mean + DARKEST)


def shares(rgb: Tensor) -> Tensor:
    """How much each sample [..., 3] looks like each word: [..., layout.COLOUR_WORDS], which add up to 1."""
    known = torch.tensor(RGB + SKIN, dtype=rgb.dtype)
    own_hue, own_light = hue_and_light(known)
    softness = torch.tensor(LIGHT_SOFTNESS, dtype=rgb.dtype)
    hue, light = hue_and_light(rgb)
    # (hue - own)^2 without a tensor of all pairs and channels
    apart = (hue * hue).sum(-1, keepdim=True) - 2 * hue @ own_hue.T + (own_hue * own_hue).sum(-1)
    darker = (light - own_light[:, 0]) / softness
    like = torch.softmax(-0.5 * (apart / HUE_SOFTNESS**2 + darker * darker), -1)
    words = len(NAMES)
    return torch.cat([like[..., :words], like[..., words:].sum(-1, keepdim=True)], -1)
