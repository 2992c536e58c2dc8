"""What the samples of half a box show: a few parts, each of one colour, and how much of the samples shows each.

The encoder's median is of all of them together; its shares of colour words are those of the parts. What is carried from
drawing to encoding are *looks* [..., LOOKS]: the median's RGB, how deep folds and shade are (log of brightness), then of each
part how much of the samples show it and its RGB. Looks of a real picture (backdrops) carry its own shares instead.
"""

import numpy as np
import torch

from .. import layout
from ..encoder import colour_words

OWN, SECOND, SKIN, BEHIND, SURROUND, FRONT = range(6)
PARTS = 6
FOLD = 3
LOOKS = 4 + 4 * PARTS
REAL = slice(4, 4 + layout.COLOUR_WORDS)  # the shares that a backdrop was seen with
UNSEEN = 0.005  # of the samples, in the light or in the shade: less is none
# a codec keeps colours at half the resolution: in the box of somebody so tall (pixels) parts colour one another
BLEEDS = ((12, 40, 100, 200), (0.55, 0.3, 0.12, 0.05))


def looks(median: np.ndarray, fold: np.ndarray, parts: dict[int, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Looks from medians [..., 3], folds [...] and, by part, weights [...] and colours [..., 3], all to be broadcast."""
    shape = np.broadcast_shapes(median.shape[:-1], fold.shape, *(weight.shape for weight, _ in parts.values()))
    result = np.zeros((*shape, LOOKS), np.float32)
    result[..., :3] = median
    result[..., FOLD] = fold
    for part, (weight, rgb) in parts.items():
        result[..., 4 + 4 * part] = weight
        result[..., 5 + 4 * part : 8 + 4 * part] = rgb
    return result


def seen_before(real: np.ndarray, median: slice, words: slice) -> np.ndarray:
    """Looks of the encoder's own object tokens [..., DIM]."""
    result = np.zeros((*real.shape[:-1], LOOKS), np.float32)
    result[..., :3], result[..., REAL] = real[..., median], real[..., words]
    return result


def drawn_folds(rng, shape) -> np.ndarray:
    """How deep folds and shade are: from plain to a coat in the sun."""
    return np.exp(rng.uniform(np.log(0.06), np.log(0.5), shape))


def uncovered(own: np.ndarray, ground: np.ndarray, median_share: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Looks of a box of which a `share` [...] shows the ground [..., 3] beside the thing, and `median_share` of the median."""
    result = own.astype(np.float32)
    bare = median_share[..., None]
    result[..., :3] = own[..., :3] * (1 - bare) + ground * bare
    result[..., 4::4] *= 1 - share[..., None]
    weight, rgb = result[..., 4 + 4 * BEHIND], result[..., 5 + 4 * BEHIND : 8 + 4 * BEHIND]
    weight += share
    part = (share / np.maximum(weight, 1e-6))[..., None]
    rgb += (ground - rgb) * part
    return result


def words(of: np.ndarray, pixels: np.ndarray, wanted: np.ndarray, light) -> np.ndarray:
    """How much of each half looks like each colour word [..., COLOUR_WORDS], seen `pixels` [...] tall, where `wanted` [...].

    `light` turns the parts' colours [..., 2 * PARTS, 3] into what the camera makes of them.
    """
    parts = of[..., 4:].reshape(*of.shape[:-1], PARTS, 4)
    weight, rgb = parts[..., 0].clip(0), parts[..., 1:]
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-6)
    mean = (weight[..., None] * rgb).sum(-2, keepdims=True)
    rgb = rgb + (mean - rgb) * np.interp(pixels, *BLEEDS)[..., None, None]
    fold = np.exp(of[..., FOLD, None, None])
    shown = light(np.concatenate([rgb / fold, rgb * fold], -2)).astype(np.float32)  # in the shade and in the light
    weight = np.concatenate([weight, weight], -1) / 2
    told = wanted[..., None] & (weight > UNSEEN)
    like = np.zeros((*shown.shape[:-1], layout.COLOUR_WORDS), np.float32)
    like[told] = colour_words.shares(torch.from_numpy(shown[told])).numpy()
    return (weight[..., None] * like).sum(-2)
