"""From a box that a user marked to the cells that the comparer looks at."""

import numpy as np

from . import layout

COVERED = 0.25  # a cell counts when the box covers this part of it


def covered(box: tuple[float, float, float, float]) -> np.ndarray:
    """How much of each cell a box (left, top, right, bottom, as fractions of the picture) covers [cells]."""
    spans = []
    for low, high, count in ((box[1], box[3], layout.ROWS), (box[0], box[2], layout.COLUMNS)):
        edges = np.arange(count + 1) / count
        spans.append((np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)).clip(0) * count)
    return np.outer(*spans).reshape(-1)


def cells_in(box: tuple[float, float, float, float]) -> np.ndarray:
    """``region`` [cells]: 1 where the box covers a quarter of the cell or more; at least the cell it covers most."""
    part = covered(box)
    return (part >= min(COVERED, part.max())).astype(np.float32)
