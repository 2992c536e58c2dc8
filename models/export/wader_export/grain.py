"""Sensor noise: pieces of one sheet of it, since drawing it anew for every picture takes longer than all else."""

from functools import cache

import cv2
import numpy as np


@cache
def sheet() -> np.ndarray:
    """Noise of variance one; every picture gets another piece of it."""
    return np.random.default_rng(53).standard_normal((1400, 1800, 3), np.float32)


def noisy(image: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """A picture in RGB with sensor noise: a gray picture's is gray."""
    high, wide = image.shape[:2]
    y, x = rng.integers(0, sheet().shape[0] - high), rng.integers(0, sheet().shape[1] - wide)
    piece = sheet()[y : y + high, x : x + wide]
    if image.ndim == 2:
        piece = np.ascontiguousarray(piece[..., 0])
    seen = cv2.addWeighted(image.astype(np.float32), 1, piece, sigma, 0, dtype=cv2.CV_8U)
    return seen if image.ndim == 3 else cv2.cvtColor(seen, cv2.COLOR_GRAY2RGB)
