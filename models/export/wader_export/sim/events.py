"""When somebody came and left, in seconds before the newest frame."""

import numpy as np

from .world import P, World

NEVER = 99  # nobody did
MOST_SECONDS = 60
LONGEST_GAP = 10.0  # seconds between two frames in which an event hides; longer ones say too little
BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 36)  # upper bounds of the state head's times


def moments(world: World, inside: np.ndarray, which: np.ndarray, backward: bool) -> tuple[np.ndarray, np.ndarray]:
    """Seconds ago and uncertainty [B, people] of the change of each person `which` between outside and inside.

    `backward` finds the last departure (the time runs back from the newest frame), else the first arrival. The
    moment is the middle between the two present frames around it, the uncertainty their distance.
    """
    frames = inside.shape[2]
    order = slice(None, None, -1) if backward else slice(None)
    there = inside[:, P, order]
    present = world.present[:, order]
    ago = -world.times[:, order]
    hit = there.argmax(2)  # the first frame, in this order, that shows the person
    number = np.where(present[:, None, :] & (np.arange(frames) < hit[..., None]), np.arange(frames), -1).max(2)
    rows = np.arange(len(ago))[:, None]
    a, b = ago[rows, hit], ago[rows, number.clip(0)]
    known = which[:, P] & (number >= 0)
    return np.where(known, (a + b) / 2, np.inf), np.where(known, np.abs(a - b), np.inf)


def when(world: World, inside: np.ndarray, which: np.ndarray, backward: bool) -> tuple[np.ndarray, np.ndarray]:
    """Whole seconds since the latest arrival (`backward`: departure) [B], NEVER where there was none; and doubt [B]."""
    ago, gap = moments(world, inside, which, backward)
    latest = ago.argmin(1)[:, None]
    seconds = np.take_along_axis(ago, latest, 1)[:, 0]
    width = np.take_along_axis(gap, latest, 1)[:, 0]
    never = ~np.isfinite(seconds)
    whole = np.where(never, NEVER, np.where(never, 0, seconds).round()).astype(int)
    return whole, ~never & ((width > LONGEST_GAP) | (whole > MOST_SECONDS))


def bucket(seconds: np.ndarray) -> np.ndarray:
    """A class of the state head: 0 never, else how long ago."""
    return np.where(seconds == NEVER, 0, 1 + np.searchsorted(BUCKETS, seconds, side="right"))
