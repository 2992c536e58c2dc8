"""Synthetic episodes: a scene, two independent edits (one is asked about, the other distracts), passers-by, weather.

An episode is WINDOWS windows of one to three frames, kept as cells (median over the frames), with the state of both
edits and the cells that each edit changes. Parts of the whole are cached as files, so that a stopped run goes on.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import layout as picture
from ..encoder.package import sha256
from ..paths import cache_dir
from . import edits, layout, weather

WINDOWS = 24
PART = 50  # episodes a file
CHANGED = 6.0  # mean difference (of 255) from which a cell counts as changed

Encode = Callable[[np.ndarray], np.ndarray]


def cells_of(mask: np.ndarray) -> np.ndarray:
    """A picture [H,W] averaged over cells -> [cells]."""
    import cv2

    return cv2.resize(mask.astype(np.float32), (layout.COLUMNS, layout.ROWS), interpolation=cv2.INTER_AREA).reshape(-1)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The cells that an edit changes: at least the one it changes most."""
    difference = cells_of(np.abs(before.astype(np.float32) - after).max(-1))
    return difference >= min(CHANGED, difference.max())


def states(rng: np.random.Generator) -> np.ndarray:
    """[windows, 2]: the asked one is balanced, the other too, or rarely on, or always off."""
    both = np.stack([rng.permutation(np.arange(WINDOWS) % 2) for _ in range(2)], 1)
    kind = rng.random()
    if kind < 0.2:
        both[:, 1] = 0
    elif kind < 0.4:
        both[:, 1] = rng.random(WINDOWS) < 0.15
    return both


class Passers:
    """Things that come, stand about and go."""

    def __init__(self, rng: np.random.Generator):
        self.rng, self.things = rng, []
        for _ in range(rng.integers(1, 5)):
            high = int(edits.HIGH * rng.uniform(0.1, 0.5))
            wide = int(high * rng.uniform(0.3, 0.9)) + 3
            home = rng.uniform(0, (edits.WIDE, edits.HIGH))
            self.things.append((edits.crop(rng, wide, high, 0.1), edits.blob(rng, wide, high), home))
        self.often = rng.uniform(0, 0.6)

    def window(self) -> list[tuple]:
        """Which are there, where, and how far they go between two frames."""
        present = []
        for piece, mask, home in self.things:
            if self.rng.random() < self.often:
                stands = self.rng.random() < 0.3
                place = home if stands else self.rng.uniform(0, (edits.WIDE, edits.HIGH))
                step = np.zeros(2) if self.rng.random() < 0.4 else self.rng.normal(0, 14, 2) * (1, 0.3)
                present.append((piece, mask, place, step))
        return present


def draw(rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Frames of every window, states [windows, 2], changed cells [2, cells]."""
    base = edits.scene(rng)
    first, second = edits.draw(rng, base), edits.draw(rng, base)
    bank = {(0, 0): base, (1, 0): first(base), (0, 1): second(base)}
    bank[1, 1] = second(bank[1, 0])
    both, passers, windows = states(rng), Passers(rng), []
    for a, b in both:
        sky = weather.draw(rng, edits.HIGH, edits.WIDE)
        present, frames = passers.window(), []
        for number in range(layout.FRAMES if rng.random() < 0.5 else 1):
            frame = bank[int(a), int(b)].copy()
            for piece, mask, place, step in present:
                x, y = (place + step * number).astype(int)
                edits.paste(frame, piece, mask, x - mask.shape[1] // 2, y - mask.shape[0] // 2)
            frames.append(weather.apply(sky, weather.shake(frame, rng, 0.9), rng))
        windows.append(np.stack(frames))
    return windows, both, np.stack([changed(base, bank[1, 0]), changed(base, bank[0, 1])])


def encode_windows(windows: list[np.ndarray], encode: Encode) -> np.ndarray:
    """[windows, cells, dim]: the median over each window's frames."""
    return np.stack([np.median(encode(frames), 0) for frames in windows])


def cache_for(encoder: Path) -> Path:
    """The folder for episodes as this very encoder sees them."""
    return cache_dir("examples", "episodes", sha256(encoder)[:12])


def part_file(folder: Path, number: int) -> Path:
    """Where a part lies."""
    return folder / f"part_{number:03d}.npz"


def make_part(folder: Path, number: int, encode: Encode) -> Path:
    """One part; nothing to do when it is there."""
    target = part_file(folder, number)
    if target.exists():
        return target
    rng, cells, both, where = np.random.default_rng([29, number]), [], [], []
    for _ in range(PART):
        windows, state, change = draw(rng)
        cells.append(encode_windows(windows, encode).astype(np.float16))
        both.append(state)
        where.append(change)
    scratch = target.with_name("part.tmp.npz")
    np.savez(scratch, cells=np.stack(cells), states=np.stack(both).astype(np.int8), where=np.stack(where))
    scratch.rename(target)
    return target


def load(folder: Path, parts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells [episodes, windows, cells, dim] in float16, states, changed cells."""
    files = [np.load(part_file(folder, n)) for n in range(parts)]
    return tuple(np.concatenate([f[name] for f in files]) for name in ("cells", "states", "where"))


def pictures(count: int, seed: int) -> list[np.ndarray]:
    """Frames of episodes, to calibrate the encoder on."""
    rng, found = np.random.default_rng([31, seed]), []
    while len(found) < count:
        windows, _, _ = draw(rng)
        found += [w[0] for w in windows[::3]]
    assert found[0].shape == (picture.HEIGHT, picture.WIDTH, 3)
    return found[:count]
