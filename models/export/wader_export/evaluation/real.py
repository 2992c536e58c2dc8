"""Answers about received real footage against truth written by hand, beside every baseline."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import footage
from ..questions.words import NUMBERS
from . import rules
from .kinds import KINDS, YES_NO, answer_of
from .model import Model

COLUMNS = ("model", "gates shut", "last frame only", "shuffled", "rule")
SHUFFLES = 3


@dataclass
class Result:
    """Answers of one kind: truth and guesses of every column, question by question."""

    truth: list[str] = field(default_factory=list)
    guesses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Views:
    """Received frames of each view, encoded once."""

    def __init__(self, folder: Path, model: Model):
        self.folder, self.model = folder, model
        self.index = {p.parent.name: json.loads(p.read_text()) for p in sorted(folder.glob("*/index.json"))}
        self.cache: dict[tuple[str, int], np.ndarray] = {}

    def features(self, view: str, times: list[float]) -> tuple[np.ndarray, np.ndarray]:
        """Features of the frames nearest to `times`, and their own times."""
        entries = self.index[view]
        known = np.array([e["time"] for e in entries])
        picks = [int(np.abs(known - t).argmin()) for t in times]
        for pick in picks:
            if (view, pick) not in self.cache:
                self.cache[view, pick] = self.model.encode(self.picture(view, pick)[None])[0]
        return np.stack([self.cache[view, p] for p in picks]), known[picks]

    def picture(self, view: str, pick: int) -> np.ndarray:
        """A received frame at the encoder's size."""
        import cv2

        path = self.folder / view / self.index[view][pick]["file"]
        return footage.shrink(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]))


def seconds_of(times: np.ndarray) -> np.ndarray:
    """Seconds relative to the newest frame."""
    return (times - times[-1])[None].astype(np.float32)


def ask(model: Model, media: np.ndarray, questions, gate: float = 1.0) -> list[str]:
    """The likeliest allowed answer of each question."""
    return [a[int(p.argmax())] for p, (_, a) in zip(model.score(questions, media, gate), questions)]


def judge(model: Model, views: Views, windows: list[dict]) -> dict[str, Result]:
    """Asks every window every kind that it has a clear truth for."""
    results: dict[str, Result] = defaultdict(Result)
    rng = np.random.default_rng(11)
    for window in windows:
        bank, times = views.features(window["view"], window["times"])
        frames = len(bank)
        seconds = seconds_of(times)
        whole = np.arange(frames)[None]
        last = np.where(whole == frames - 1, whole, -1)
        media = {"model": model.window(bank, whole, seconds), "last frame only": model.window(bank, last, seconds)}
        mixed = [model.window(bank, rng.permutation(frames)[None], seconds) for _ in range(SHUFFLES)]
        ruled = rules.answers(bank)
        asked = []
        for name, value in window["truth"].items():
            kind = KINDS.get(name)
            right = answer_of(kind, value) if kind else None
            if right is not None:
                asked += [(name, right, (text, kind.answers)) for text in kind.texts]
        questions = [q for _, _, q in asked]
        columns = {c: ask(model, m, questions) for c, m in media.items()}
        columns["gates shut"] = ask(model, media["model"], questions, 0.0)
        columns["shuffled"] = list(zip(*(ask(model, m, questions) for m in mixed)))
        for i, (name, right, _) in enumerate(asked):
            results[name].truth.append(right)
            for column, guesses in columns.items():
                results[name].guesses[column].append(guesses[i])
            results[name].guesses["rule"].append(ruled.get(name, ""))
    return results


def hits(result: Result, column: str) -> np.ndarray:
    """Right or wrong, as 0..1 (shuffled: the mean of several orders)."""
    right = []
    for truth, guess in zip(result.truth, result.guesses[column]):
        options = guess if isinstance(guess, tuple) else (guess,)
        right.append(np.mean([g == truth for g in options]))
    return np.array(right)


def balanced(result: Result, column: str) -> float:
    """Mean over the true answers of the share that is right."""
    right, truth = hits(result, column), np.array(result.truth)
    return float(np.mean([right[truth == t].mean() for t in np.unique(truth)]))


def within_one(result: Result, column: str) -> float:
    """Share of counts off by at most one."""
    near = [abs(NUMBERS.index(t) - NUMBERS.index(g)) <= 1 for t, g in zip(result.truth, result.guesses[column])]
    return float(np.mean(near))


def summary(results: dict[str, Result]) -> dict:
    """The figures of the bars."""
    changing = [n for n, r in results.items() if KINDS[n].answers == YES_NO and len(set(r.truth)) > 1]
    mean = lambda names, c: float(np.mean([balanced(results[n], c) for n in names])) if names else float("nan")  # noqa: E731
    figures: dict = {"changing_kinds": changing}
    figures["balanced"] = {c: mean(changing, c) for c in COLUMNS}
    figures["accuracy"] = {c: float(np.mean([hits(r, c).mean() for r in results.values()])) for c in COLUMNS}
    figures["majority"] = float(
        np.mean([Counter(r.truth).most_common(1)[0][1] / len(r.truth) for r in results.values()])
    )
    for group in ("presence", "absence", "place", "vehicle"):
        names = [n for n in results if KINDS[n].group == group]
        figures[group] = {
            "accuracy": float(np.mean([hits(results[n], "model").mean() for n in names])) if names else None,
            "balanced": mean([n for n in names if n in changing], "model"),
        }
    if "count" in results:
        figures["count"] = {
            c: {"exact": float(hits(results["count"], c).mean()), "within_one": within_one(results["count"], c)}
            for c in COLUMNS
            if c != "shuffled"
        }
    return figures


def table(results: dict[str, Result]) -> str:
    """One line per kind."""
    lines = [
        "| kind | n | share yes | accuracy | balanced | gates shut | last frame only | shuffled | rule | majority |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        count = len(result.truth)
        share = f"{result.truth.count('yes') / count:.2f}" if KINDS[name].answers == YES_NO else "–"
        changes = len(set(result.truth)) > 1
        value = (lambda c: f"{balanced(result, c):.2f}") if changes else (lambda c: f"({hits(result, c).mean():.2f})")  # noqa: E731
        most = Counter(result.truth).most_common(1)[0][1] / count
        cells = [f"{hits(result, 'model').mean():.2f}", *(value(c) for c in COLUMNS)]
        lines.append(f"| {name} | {count} | {share} | " + " | ".join(cells) + f" | {most:.2f} |")
    return "\n".join(lines)
