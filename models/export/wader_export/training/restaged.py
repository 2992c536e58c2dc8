"""Photographs shown with the false things of others: sixty pictures are soon known by heart, and then teach nothing.

What may be real stays as it is, and with it all that is known of the picture. What surely is nothing gives way to what surely
is nothing on another photograph, all of it moved, larger or smaller, and seen more or less clearly.
"""

import numpy as np

from .. import layout

SHARE = 0.75  # of the photographs that are shown
SHIFT, ZOOM, CLEARNESS = 0.1, 0.2, 0.12  # spread of the place (of the picture), and logarithms of size and of heats


def moved(objects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Objects [c, T, K, DIM] elsewhere, alike in all frames of a clip; what leaves the picture is no object any more."""
    clips = (len(objects), 1, 1)
    result, box = objects.copy(), objects[..., layout.BOX]
    zoom, mirrored = np.exp(rng.normal(0, ZOOM, clips)), rng.random(clips) < 0.5
    across = np.stack([box[..., 0], box[..., 2]], -1)
    across = np.where(mirrored[..., None], 1 - across[..., ::-1], across)
    x, y = (
        (a - 0.5) * zoom[..., None] + 0.5 + rng.normal(0, SHIFT, clips)[..., None]
        for a in (across, np.stack([box[..., 1], box[..., 3]], -1))
    )
    result[..., layout.BOX] = np.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1).clip(-0.02, 1.02)
    result[..., layout.HEATS] = (objects[..., layout.HEATS] * np.exp(rng.normal(0, CLEARNESS, clips))[..., None]).clip(0, 0.95)
    inside = (np.minimum(x.max(-1), 1) > np.maximum(x.min(-1), 0) + 0.01) & (np.minimum(y.max(-1), 1) > np.maximum(y.min(-1), 0) + 0.01)
    seen = inside & (result[..., layout.HEATS].max(-1) > layout.MIN_HEIGHT)
    return np.where(seen[..., None], result, 0)


def restaged(
    tokens: np.ndarray, free: np.ndarray, other: np.ndarray, other_free: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Tokens [c, T, TOKENS, DIM] with the objects of `other` in the place of their own, where these surely are nothing
    (`free` [c, T, OBJECTS])."""
    objects = layout.OBJECTS
    own = np.where(free[..., None], 0, tokens[:, :, :objects])
    false = moved(np.where(other_free[..., None], other[:, :, :objects], 0), rng)
    false = np.where(covered(false, own)[..., None], 0, false)
    both = np.concatenate([own, false], 2)
    return np.concatenate([by_height(both)[:, :, :objects], tokens[:, :, objects:]], 2).astype(np.float32)


def covered(objects: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Which objects [..., K, DIM] share more with one of others than the encoder leaves beside each other."""
    a, b = objects[..., :, None, layout.BOX], by[..., None, :, layout.BOX]
    size = lambda box: (box[..., 2:] - box[..., :2]).clip(1e-4).prod(-1)  # noqa: E731
    common = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)
    return (common > layout.OVERLAP * (size(a) + size(b) - common)).any(-1)


def by_height(objects: np.ndarray) -> np.ndarray:
    """Objects [..., K, DIM], the highest first."""
    order = np.argsort(-objects[..., layout.HEATS].max(-1), -1, kind="stable")
    return np.take_along_axis(objects, order[..., None], -2)
