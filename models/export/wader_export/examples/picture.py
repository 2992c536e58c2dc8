"""examples.png: some of the real tasks in both states under all conditions, with how often the answers were right."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from . import bench, conditions, tasks

TILE = (92, 69)
LABEL = 140
COLOURS = 48


def tiles(task: tasks.Task, number: int) -> np.ndarray:
    """One strip: for every condition both states of the first query window."""
    facts, frames = bench.seen(task, number)
    shown = []
    for name in conditions.NAMES:
        for state in (0, 1):
            first = next(i for i, f in enumerate(facts) if f == (state, name, True))
            shown.append(cv2.resize(frames[first][-1], TILE, interpolation=cv2.INTER_AREA))
    return np.hstack(shown)


def label(lines: list[str], high: int) -> np.ndarray:
    """Black on white."""
    area = np.full((high, LABEL, 3), 255, np.uint8)
    for i, text in enumerate(lines):
        cv2.putText(area, text, (3, 12 + 13 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
    return area


def draw(rows: list[tuple[int, tasks.Task, list[str]]], target: Path) -> None:
    """Writes the picture: number, task and what to say beside it."""
    strips = [np.hstack([label(lines, TILE[1]), tiles(task, number)]) for number, task, lines in rows]
    image = Image.fromarray(np.vstack(strips)).quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(target, optimize=True)
