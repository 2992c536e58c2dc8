"""Figures over answered questions: accuracy, balanced accuracy, counts, calibration."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from ..questions.words import NUMBERS
from .kinds import KINDS, YES_NO

BINS = 15
CROWD = 4  # people from which on it is a crowd


@dataclass
class Asked:
    """One closed question about one window: its truth, and the answers of the model and of the baselines."""

    window: str
    view: str
    mode: str
    kind: str
    text: str
    truth: str
    guesses: dict[str, str] = field(default_factory=dict)
    share: float = 0.0
    mass: float = 0.0
    unsure: bool = False
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether the model's answer is the true one."""
        return self.guesses["model"] == self.truth


Results = dict[str, list[Asked]]  # by kind


def by_kind(asked: list[Asked]) -> Results:
    """Questions of each kind, in the order of the table of kinds."""
    result: Results = defaultdict(list)
    for one in asked:
        result[one.kind].append(one)
    return {kind: result[kind] for kind in KINDS if kind in result}


def hits(asked: list[Asked], column: str = "model") -> np.ndarray:
    """Right or wrong, as 0 or 1."""
    return np.array([float(one.guesses[column] == one.truth) for one in asked])


def accuracy(asked: list[Asked], column: str = "model") -> float:
    """Share that is right."""
    return float(hits(asked, column).mean())


def balanced(asked: list[Asked], column: str = "model") -> float:
    """Mean over the true answers of the share that is right."""
    right, truth = hits(asked, column), np.array([a.truth for a in asked])
    return float(np.mean([right[truth == t].mean() for t in np.unique(truth)]))


def changes(asked: list[Asked]) -> bool:
    """Whether more than one answer is true of some window."""
    return len({a.truth for a in asked}) > 1


def changing(results: Results) -> list[str]:
    """Yes/no kinds whose truth changes."""
    return [k for k, asked in results.items() if KINDS[k].answers == YES_NO and changes(asked)]


def mean_balanced(results: Results, kinds, column: str = "model") -> float | None:
    """Mean balanced accuracy of the kinds that are there and whose truth changes."""
    values = [balanced(results[k], column) for k in kinds if k in results and changes(results[k])]
    return float(np.mean(values)) if values else None


def mean_accuracy(results: Results, kinds, column: str = "model") -> float | None:
    """Mean accuracy of the kinds that are there."""
    values = [accuracy(results[k], column) for k in kinds if k in results]
    return float(np.mean(values)) if values else None


def majority(results: Results) -> float:
    """What always saying the most frequent answer reaches, mean of kinds."""
    most = [Counter(a.truth for a in asked).most_common(1)[0][1] / len(asked) for asked in results.values()]
    return float(np.mean(most))


def errors(asked: list[Asked], column: str = "model", least: int = 0) -> np.ndarray:
    """Signed errors of counts where at least so many people are there."""
    pairs = [(NUMBERS.index(a.truth), NUMBERS.index(a.guesses[column])) for a in asked]
    return np.array([guess - true for true, guess in pairs if true >= least])


def counts(asked: list[Asked], column: str = "model", least: int = 0) -> dict[str, float] | None:
    """Exact, within one, and mean signed error of counts."""
    off = errors(asked, column, least)
    if not len(off):
        return None
    exact, near = float((off == 0).mean()), float((abs(off) <= 1).mean())
    return {"n": len(off), "exact": exact, "within_one": near, "bias": float(off.mean())}


def calibration(shares, right, bins: int = BINS) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error, and per occupied bin its mean share, accuracy and size."""
    shares, right = np.asarray(shares, float), np.asarray(right, float)
    place = np.minimum((shares * bins).astype(int), bins - 1)
    rows = []
    for one in range(bins):
        inside = place == one
        if inside.any():
            rows.append((float(shares[inside].mean()), float(right[inside].mean()), int(inside.sum())))
    total = max(1, len(shares))
    return sum(n / total * abs(a - b) for a, b, n in rows), rows
