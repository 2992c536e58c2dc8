"""Cameras that show nothing: black, covered, blurred or frozen pictures, and what the encoder makes of them.

The figures were measured on the first half of the footage, zoomed, blurred, darkened and covered. Strongest edges
over contrast are 1.4 to 3.9 for plain pictures, bright or dark, also where little is in them, 0.9 to 1.5 for a piece of lawn, 0.4
to 0.6 when blurred by 4 pixels of the encoder's picture, 0.2 by 10; peaks fall to half by 4 pixels and are gone by 8.
"""

import numpy as np

from .. import layout

SEES, BLACK, COVERED, BLURRED, FROZEN = range(5)
NAMES = ("", "black", "covered", "blurred", "frozen")
SHARE = (0.02, 0.025, 0.025, 0.025)


def draw(batch: int, rng) -> np.ndarray:
    """Which clips are blind, and how [B]."""
    return rng.choice(5, size=batch, p=(1 - sum(SHARE), *SHARE))


def contrast_and_sharpness(blind: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the picture at full light: contrast [B], sharpness [B] in multiples of the contrast, strongest edges [B]."""
    contrast = np.exp(rng.uniform(np.log(0.04), np.log(0.27), len(blind)))  # an empty lawn has 0.05
    ratio = np.exp(rng.uniform(np.log(0.35), np.log(3.0), len(blind)))
    ratio = np.where(blind == BLURRED, rng.uniform(0.14, 0.46, len(blind)), ratio)
    edges = np.exp(rng.uniform(np.log(0.85), np.log(5.0), len(blind)))
    edges = np.where(blind == BLURRED, rng.uniform(0.12, 0.72, len(blind)), edges)
    return contrast, ratio, edges * contrast


def dim_peaks(high: np.ndarray, blind: np.ndarray, rng) -> np.ndarray:
    """Heights of peaks [B, M, T] in pictures that show little."""
    blurred = high * rng.uniform(0.0, 0.55, (len(blind), 1, 1))
    kind = blind[:, None, None]
    return np.where(kind == BLURRED, blurred, np.where((kind == BLACK) | (kind == COVERED), 0.0, high))


def spoil(tokens: np.ndarray, blind: np.ndarray, present: np.ndarray, rng) -> None:
    """Writes black and covered picture tokens, and repeats the frame in which a camera froze, in place [B, T, V, D]."""
    frames = tokens.shape[1]
    whole = tokens[:, :, layout.OBJECTS]
    for kind in (BLACK, COVERED):
        which = np.flatnonzero(blind == kind)
        if not len(which):
            continue
        shape = (len(which), 1)
        black = kind == BLACK
        colour = rng.uniform(0, 0.035, (*shape, 1)) if black else rng.uniform(0.02, 0.7, (*shape, 1))
        tint = 1 if black else np.exp(rng.normal(0, 0.25, (*shape, 3)))
        mean = (colour * tint + np.zeros((*shape, 3)) + rng.normal(0, 0.002, (len(which), frames, 3))).clip(0, 1)
        uneven = rng.uniform(0, 0.002 if black else 0.07, (*shape, 1))
        whole[which, :, layout.MEAN_RGB] = mean
        whole[which, :, layout.STD_RGB] = uneven * mean.clip(0.2) / 0.5 + rng.uniform(0, 0.004, (*shape, 1))
        slope = rng.normal(0, 1, (*shape, 12)) * uneven * mean.mean(-1, keepdims=True).clip(0.1) / 0.5
        whole[which, :, layout.LAYOUT] = (mean.mean(-1, keepdims=True) + slope).clip(0, 1)
        for statistic, most in ((layout.SHARPNESS, 0.03), (layout.EDGES, 0.025)):
            level = rng.uniform(0.002, most, shape)
            whole[which, :, statistic] = level + rng.uniform(0, 0.001, (len(which), frames))
    for clip in np.flatnonzero(blind == FROZEN):
        first = present[clip].argmax()
        tokens[clip, first:] = tokens[clip, first]
