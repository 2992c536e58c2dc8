"""Judges the comparer on the real tasks: by number of examples, condition and region; refusals; calibration."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from . import baselines, conditions, layout, street, tasks
from .ask import Asker, refused, sigmoid
from .bench import Features
from .region import cells_in
from .train import calibration_error

COUNTS, DRAWS = (1, 2, 4, 8), 2
EVERY = 2  # every so many of the query windows are asked about
POOLS = {"all": conditions.NAMES, "day": ("clean", "other light")}
UNEQUAL = ((1, 4), (2, 8), (8, 3))
MARKED = (1, 2, 4)
RULES = {"most different cells": baselines.most_different, "nearest example": baselines.nearest}
SYSTEMS = ("comparer", *RULES)


def user_box(task: tasks.Task, rng: np.random.Generator) -> np.ndarray:
    """The region of a box drawn by hand: each side up to a third of its length too far, or a little too near."""
    x, y, w, h = task.box
    low = np.array([x, y]) - np.maximum([w, h], 20) * rng.uniform(-0.05, 0.33, 2)
    high = np.array([x + w, y + h]) + np.maximum([w, h], 20) * rng.uniform(-0.05, 0.33, 2)
    size = np.array([street.WIDE, street.HIGH])
    low, high = (low / size).clip(0, 1), (high / size).clip(0, 1)
    return cells_in((low[0], low[1], high[0], high[1]))


def pick(seen: Features, counts: tuple[int, int], pool: tuple[str, ...], rng: np.random.Generator):
    """Random example windows of each state, padded with absent ones to an even number: cells, states."""
    allowed = np.isin(seen.condition, [conditions.NAMES.index(n) for n in pool]) & ~seen.query
    chosen = []
    for state, count in enumerate(counts):
        chosen.append(rng.permutation(np.nonzero(allowed & (seen.state == state))[0])[:count])
    windows = np.concatenate(chosen)
    return seen.cells[windows], seen.state[windows].astype(np.int64)


def queries_of(seen: Features) -> np.ndarray:
    """The windows that are asked about."""
    return np.nonzero(seen.query)[0][::EVERY]


class Answers:
    """Probabilities and truths, by setting and system, task by task."""

    def __init__(self):
        self.rows = defaultdict(list)

    def put(self, setting: tuple, system: str, task: int, score: np.ndarray, seen: Features) -> None:
        asked = queries_of(seen)
        self.rows[setting, system].append((task, score, seen.state[asked], seen.condition[asked]))

    def accuracy(self, setting: tuple, system: str = "comparer", condition: str | None = None) -> float:
        """Mean over tasks of the share of right answers."""
        by_task = defaultdict(list)
        for task, score, state, where in self.rows[setting, system]:
            keep = slice(None) if condition is None else where == conditions.NAMES.index(condition)
            by_task[task].append(((score > 0) == (state == 1))[keep].mean())
        return float(np.mean([np.mean(v) for v in by_task.values()]))

    def of_task(self, setting: tuple, task: int, system: str = "comparer") -> float:
        """Share of right answers in one task."""
        return float(np.mean([((s > 0) == (y == 1)).mean() for t, s, y, _ in self.rows[setting, system] if t == task]))

    def settings(self) -> list[tuple]:
        return list(dict.fromkeys(setting for setting, _ in self.rows))

    def calibration(self, settings: list[tuple]) -> float:
        """Expected calibration error of the comparer over some settings."""
        rows = [r for s in settings for r in self.rows[s, "comparer"]]
        return calibration_error(sigmoid(np.concatenate([r[1] for r in rows])), np.concatenate([r[2] for r in rows]))

    def reliability(self, settings: list[tuple], edges=(0.5, 0.7, 0.9, 0.97, 1.0)) -> list[tuple[float, float, int]]:
        """Said, right and how many, in classes of the surer side's probability."""
        rows = [r for s in settings for r in self.rows[s, "comparer"]]
        probability, truth = sigmoid(np.concatenate([r[1] for r in rows])), np.concatenate([r[2] for r in rows])
        sure, right = np.maximum(probability, 1 - probability), (probability > 0.5) == (truth == 1)
        place = np.digitize(sure, edges[1:-1])
        return [(sure[place == b].mean(), right[place == b].mean(), int((place == b).sum())) for b in np.unique(place)]


def settings() -> Iterator[tuple]:
    """(counts, pool, marked) of everything that is asked."""
    for pool in POOLS:
        for count in COUNTS:
            yield (count, count), pool, False
    for count in MARKED:
        for pool in POOLS:
            yield (count, count), pool, True
    for counts in UNEQUAL:
        yield counts, "all", False


def judge(asker: Asker, every: list[tuple[tasks.Task, Features]]) -> Answers:
    """Asks everything about every task."""
    answers, whole = Answers(), np.ones(layout.CELLS, np.float32)
    for number, (task, seen) in enumerate(every):
        rng = np.random.default_rng([43, number])
        queries = seen.cells[queries_of(seen)]
        for setting in settings():
            counts, pool, marked = setting
            for _ in range(DRAWS):
                examples, states = pick(seen, counts, POOLS[pool], rng)
                region = user_box(task, rng) if marked else whole
                answers.put(setting, "comparer", number, asker.logits(queries, examples, states, region), seen)
                for system, rule in RULES.items():
                    answers.put(setting, system, number, rule(queries, examples, states, region), seen)
    return answers


def spoil(kind: str, seen: Features, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Example sets, sound or contradictory."""
    if kind == "nothing differs":
        pool = rng.permutation(np.nonzero(~seen.query & (seen.state == 0))[0])[: 2 * count]
        return seen.cells[pool], np.repeat([0, 1], count)
    cells, states = pick(seen, (count, count), POOLS["all"], rng)
    if kind == "labels at random":  # half of each state's examples are truly of the other
        states = np.concatenate([rng.permutation(np.arange(count) % 2), rng.permutation(np.arange(count) % 2)])
    if kind == "one pair exchanged":
        cells = cells.copy()
        cells[0], cells[count] = cells[count].copy(), cells[0].copy()
    return cells, states


KINDS = ("sound", "labels at random", "nothing differs", "one pair exchanged")


def refusals(asker: Asker, every: list[tuple[tasks.Task, Features]]) -> dict[tuple[str, int], tuple[float, float]]:
    """By kind of example set and count: share refused, and the left-out probability on average."""
    whole, result = np.ones(layout.CELLS, np.float32), {}
    for kind in KINDS:
        for count in (4, 8):
            rng, found = np.random.default_rng([47, count]), []
            for _, seen in every:
                for _ in range(DRAWS):
                    cells, states = spoil(kind, seen, count, rng)
                    left = asker.left_out(cells, np.asarray(states, np.int64), whole)
                    found.append((refused(left), left.mean()))
            result[kind, count] = tuple(float(v) for v in np.mean(found, 0))
    return result
