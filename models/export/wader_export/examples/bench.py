"""Features of the real tasks' windows: every task in both states under all six conditions; kept in the cache.

Windows that serve as examples come from the first half of the test footage's time, queries from its second half.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .. import footage, h264
from ..encoder.package import sha256
from ..paths import cache_dir
from . import conditions, layout, street, tasks
from .episodes import Encode

EXAMPLES, QUERIES = 6, 4  # windows for each task, state and condition
FRAME_STEP = 3  # between the frames of a window: 0.3 s
SPLIT = 0.48  # of the time: examples before, queries after
GAP = 12  # frames between the two


@dataclass
class Features:
    """cells [windows, cells, dim] of one task, and what each window is."""

    cells: np.ndarray
    state: np.ndarray
    condition: np.ndarray
    query: np.ndarray  # whether it is a query


def in_front(room: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A window of a photo with up to three walkers passing, the camera shaking by parts of a pixel."""
    shown = [room.copy() for _ in range(layout.FRAMES)]
    for _ in range(rng.integers(0, 4)):
        picture, mask = street.figures()[rng.integers(len(street.figures()))]
        scale = rng.uniform(1.2, 3.2)
        size = (int(picture.shape[1] * scale), int(picture.shape[0] * scale))
        picture, mask = cv2.resize(picture, size), cv2.resize(mask, size)[..., None]
        x = int(rng.uniform(-size[0] / 2, street.WIDE - size[0] / 2))
        y = int(rng.uniform(40, street.HIGH - size[1] * 0.6))
        step = int(rng.normal(0, 10) * scale)
        for number, frame in enumerate(shown):
            left = x + step * number
            x0, x1, y1 = max(left, 0), min(left + size[0], street.WIDE), min(y + size[1], street.HIGH)
            if x0 < x1:
                part, alpha = frame[y:y1, x0:x1], mask[: y1 - y, x0 - left : x1 - left]
                part[:] = part * (1 - alpha) + picture[: y1 - y, x0 - left : x1 - left] * alpha
    return shown


def window(task: tasks.Task, state: int, query: bool, rng: np.random.Generator) -> list[np.ndarray]:
    """The world before the camera: frames of one window."""
    if task.room is not None:
        room = tasks.room(task.room)
        return in_front(task.change(room) if state else room, rng)
    count = len(street.frames())
    border = int(count * SPLIT)
    span = (FRAME_STEP * layout.FRAMES, border) if not query else (border + GAP + FRAME_STEP * layout.FRAMES, count)
    newest = int(rng.integers(*span))
    shown = [street.frames()[newest - FRAME_STEP * back] for back in reversed(range(layout.FRAMES))]
    if not state:
        return [f.copy() for f in shown]
    if task.before_all:
        return [task.change(f) for f in shown]
    return [tasks.mixed(task.change(f), f, street.walkers(f)[..., None]) for f in shown]


def pictures(task: tasks.Task, seed: int) -> Iterator[tuple[int, str, bool, list[np.ndarray]]]:
    """State, condition, whether it is a query, and frames of every window of a task, as the camera sends them."""
    rng = np.random.default_rng([41, seed])
    for name in conditions.NAMES:
        for state in (0, 1):
            for query in [False] * EXAMPLES + [True] * QUERIES:
                yield state, name, query, conditions.see(window(task, state, query, rng), name, rng)


def seen(task: tasks.Task, seed: int) -> tuple[list[tuple[int, str, bool]], list[list[np.ndarray]]]:
    """All windows of a task; those of the coded condition have gone through the encoder, as one clip."""
    every = list(pictures(task, seed))
    facts, frames = [e[:3] for e in every], [e[3] for e in every]
    clip = [i for i, (_, name, _) in enumerate(facts) if name == conditions.CODED]
    back = h264.coded(np.concatenate([np.stack(frames[i]) for i in clip]), conditions.KILOBITS)
    for number, i in enumerate(clip):
        frames[i] = list(back[number * layout.FRAMES : (number + 1) * layout.FRAMES])
    return facts, frames


def features(task: tasks.Task, seed: int, encode: Encode, folder: Path) -> Features:
    """The features of a task's windows; made when they are not in the cache yet."""
    target = folder / f"task_{seed:02d}.npz"
    if not target.exists():
        facts, frames = seen(task, seed)
        cells = [np.median(encode(np.stack([footage.shrink(f) for f in shown])), 0) for shown in frames]
        state, names, query = zip(*facts)
        code = [conditions.NAMES.index(n) for n in names]
        np.savez(target, cells=np.float32(cells), state=state, condition=code, query=query)
    saved = np.load(target)
    return Features(saved["cells"], saved["state"], saved["condition"], saved["query"])


def cache_for(encoder: Path) -> Path:
    """The folder for features of this very encoder."""
    return cache_dir("examples", "bench", sha256(encoder)[:12])
