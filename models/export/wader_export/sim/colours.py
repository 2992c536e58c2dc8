"""Colour words, their RGB, and how often people and vehicles wear them."""

import numpy as np

from ..encoder import colour_words
from ..encoder.colour_words import NAMES

RGB = np.array(colour_words.RGB, np.float32)
UPPER_SHARE = np.array([0.22, 0.11, 0.10, 0.12, 0.12, 0.08, 0.07, 0.06, 0.06, 0.06])
LOWER_SHARE = np.array([0.30, 0.07, 0.16, 0.05, 0.27, 0.03, 0.02, 0.08, 0.01, 0.01])
VEHICLE_SHARE = np.array([0.20, 0.22, 0.20, 0.14, 0.14, 0.04, 0.03, 0.01, 0.02, 0.00])
BLACK, BLUE, GRAY = (NAMES.index(name) for name in ("black", "blue", "gray"))
JEANS = np.array([0.33, 0.38, 0.47])  # most blue trousers are a greyish blue,
JEANS_BRIGHTNESS = 0.42  # from faded to dark (log; .5 with the light, on the first half of the footage)
NAVY = -0.7  # and so dark (log) that they may be called black


# how things of one colour word differ, in brightness and in each channel: black cloth in the light is three times as
# bright as in the shade and still black, white can hardly be brighter
BRIGHTNESS = np.array([0.40, 0.12, 0.24, 0.24, 0.26, 0.26, 0.18, 0.24, 0.18, 0.16])
SPREAD = 0.035
ALSO = 100  # added to the number of a rival that can be named beside the own colour, not in its place
VAGUE = 1.5  # log-likelihood by which a colour's own word must beat every other

MEDIAN_SOFTNESS = 0.07  # cloth and background vary, so that their samples overlap


def median_share(part: np.ndarray) -> np.ndarray:
    """Weight of a second colour in the median of samples of which `part` show it: hardly any below a half."""
    return 1 / (1 + np.exp((0.5 - part) / MEDIAN_SOFTNESS))


def rival(number: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """The other colour word that a person could use as well, -1 where there is none."""
    shape = RGB / np.linalg.norm(RGB, axis=1, keepdims=True)
    along = (rgb @ shape.T) / np.linalg.norm(RGB, axis=1)  # brightness as part of the word's own
    rest = ((rgb[..., None, :] - along[..., None] * RGB) ** 2).sum(-1)
    likely = -0.5 * (np.log(along.clip(0.05)) / BRIGHTNESS) ** 2 - 0.5 * rest / (2 * SPREAD) ** 2
    own = np.take_along_axis(likely, number[..., None], -1)
    np.put_along_axis(likely, number[..., None], -np.inf, -1)
    return np.where((own[..., 0] - likely.max(-1)) < VAGUE, likely.argmax(-1), -1)


def pick(rng, share, shape):
    """Colour numbers and their RGB with natural spread."""
    number = rng.choice(len(NAMES), size=shape, p=share / share.sum())
    rgb = RGB[number] * np.exp(rng.normal(0, 1, (*shape, 1)) * BRIGHTNESS[number][..., None]) + rng.normal(0, SPREAD, (*shape, 3))
    return number, rgb.clip(0.02, 0.98)
