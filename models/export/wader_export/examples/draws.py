"""Training and validation questions out of episodes: examples of each state, queries, sometimes a marked region."""

from dataclasses import dataclass

import numpy as np
import torch

from . import layout

COUNTS, SHARES = (1, 2, 3, 4, 6, 8), (0.24, 0.24, 0.14, 0.18, 0.1, 0.1)
UNEQUAL = 0.35  # of the questions have fewer examples of one state
MARKED = 0.4  # have a region
POINTLESS = 0.12  # have examples that contradict each other, or no difference at all
QUERIES = 8


@dataclass
class Batch:
    """Tensors of some questions; `target` is the queries' state, `where` the cells that truly change."""

    query: torch.Tensor
    examples: torch.Tensor
    states: torch.Tensor
    region: torch.Tensor
    target: torch.Tensor
    where: torch.Tensor
    sound: torch.Tensor  # whether there is anything to find


class Episodes:
    """Cells, states and changed cells of all episodes."""

    def __init__(self, cells: np.ndarray, states: np.ndarray, where: np.ndarray):
        self.cells, self.states, self.where = torch.from_numpy(cells), states, where

    def __len__(self) -> int:
        return len(self.states)

    def asked(self, rng: np.random.Generator, episode: int) -> int:
        """Which of the two edits is asked about: the second only where both its states are common."""
        return int(rng.integers(2)) if np.bincount(self.states[episode, :, 1], minlength=2).min() >= 10 else 0


def around(rng: np.random.Generator, changed: np.ndarray, slack: float = 0.35) -> np.ndarray:
    """A user's box about the changed cells: their bounding box, each side moved by a random part of its length."""
    rows, columns = np.nonzero(changed.reshape(layout.ROWS, layout.COLUMNS))
    region = np.zeros((layout.ROWS, layout.COLUMNS), np.float32)
    spans = []
    for found in (rows, columns):
        low, high = found.min(), found.max() + 1
        low = round(low - max(high - low, 1.5) * rng.uniform(-0.1, slack))
        high = round(high + max(high - low, 1.5) * rng.uniform(-0.1, slack))
        spans.append(slice(max(low, 0), max(high, low + 1, 1)))
    region[spans[0], spans[1]] = 1
    return region.reshape(-1) if region.any() else changed.astype(np.float32)


def question(episodes: Episodes, rng: np.random.Generator, most: int, pointless: float, unequal: float):
    """Windows and states of the examples (padded to 2*most), of the queries, and whether there is anything to find."""
    episode = int(rng.integers(len(episodes)))
    asked = episodes.asked(rng, episode)
    state = episodes.states[episode, :, asked].astype(np.int64)
    kind = rng.random()
    if kind < pointless:
        if kind < pointless / 2:
            state = rng.permutation(state)
        else:
            same = np.nonzero(state == rng.integers(2))[0]
            state = np.full(len(state), -1)
            state[same] = rng.permutation(np.arange(len(same)) % 2)
    if rng.random() < 0.5:
        state = np.where(state >= 0, 1 - state, state)
    counts = [most, most]
    if rng.random() < unequal:
        counts[rng.integers(2)] = int(rng.integers(1, most + 1))
    chosen, rest = [], []
    for value, count in enumerate(counts):
        windows = rng.permutation(np.nonzero(state == value)[0])
        count = max(1, min(count, len(windows) - 2))
        chosen += list(windows[:count])
        rest += list(windows[count:])
    queries = rng.choice(rest, QUERIES)
    known = np.full(2 * most, layout.ABSENT)
    known[: len(chosen)] = state[chosen]
    windows = np.array(chosen + [chosen[0]] * (2 * most - len(chosen)))
    return episode, asked, windows, known, queries, state[queries], kind >= pointless


def draw(
    episodes: Episodes, rng: np.random.Generator, size: int, most: int, marked: float = MARKED,
    pointless: float = POINTLESS, unequal: float = UNEQUAL, turn: bool = True,
) -> Batch:  # fmt: skip
    """A batch of questions with up to `most` examples a state."""
    rows = [question(episodes, rng, most, pointless, unequal) for _ in range(size)]
    where = np.stack([episodes.where[r[0], r[1]] for r in rows])
    region = np.ones((size, layout.CELLS), np.float32)
    for i in range(size):
        if rng.random() < marked:
            region[i] = around(rng, where[i])
    examples = torch.stack([episodes.cells[r[0], torch.from_numpy(r[2])] for r in rows]).float()
    query = torch.stack([episodes.cells[r[0], torch.from_numpy(r[4])] for r in rows]).float()
    order = np.arange(layout.CELLS).reshape(layout.ROWS, layout.COLUMNS)
    if turn:
        order = order[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    order = torch.from_numpy(order.reshape(-1).copy())
    return Batch(
        query[:, :, order],
        examples[:, :, order],
        torch.from_numpy(np.stack([r[3] for r in rows])),
        torch.from_numpy(region)[:, order],
        torch.from_numpy(np.stack([r[5] for r in rows])).float(),
        torch.from_numpy(where)[:, order],
        torch.tensor([r[6] for r in rows]),
    )
