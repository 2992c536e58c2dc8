"""The fixed camera's footage, second half: its empty street, its walkers, and the walkers cut out for other rooms."""

from functools import cache

import cv2
import numpy as np

from .. import footage

WIDE, HIGH = 640, 480  # what a camera sends
NATIVE = (768, 576)  # the coordinates in which edits of the street are written down
APART = 28.0  # a pixel that differs by this from the empty street belongs to a walker


@cache
def frames() -> np.ndarray:
    """All frames of the second half [n, HIGH, WIDE, 3]."""
    found = footage.read(footage.FIRST_TEST_FRAME, 10**9)
    return np.stack([cv2.resize(p, (WIDE, HIGH), interpolation=cv2.INTER_AREA) for _, p in found])


@cache
def empty() -> np.ndarray:
    """The street without walkers: the median over time."""
    return np.median(frames()[::6], 0).astype(np.uint8)


def walkers(frame: np.ndarray) -> np.ndarray:
    """Soft mask [HIGH, WIDE] of what is not the empty street."""
    red, green, blue = cv2.split(cv2.absdiff(frame, empty()))
    apart = (cv2.max(cv2.max(red, green), blue) > APART).astype(np.uint8)
    mask = cv2.morphologyEx(apart, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)


@cache
def figures() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Walkers cut out: (picture, mask) of whole, upright ones."""
    found = []
    for frame in frames()[::13]:
        mask = walkers(frame)
        _, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
        for label, (x, y, w, h, area) in enumerate(stats[1:], 1):
            whole = x > 2 and y > 2 and x + w < WIDE - 2 and y + h < HIGH - 2
            if whole and 1.6 < h / w < 4 and h > 45 and area > 0.4 * w * h:
                part = mask[y : y + h, x : x + w] * (labels[y : y + h, x : x + w] == label)
                found.append((frame[y : y + h, x : x + w].copy(), part.astype(np.float32)))
    return tuple(found[:: max(1, len(found) // 24)])
