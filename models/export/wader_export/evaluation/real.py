"""Answers about received pictures against truth written by hand, beside every baseline."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np

from .. import footage
from . import rules
from .kinds import KINDS, YES_NO, answer_of
from .metrics import (
    CROWD,
    Asked,
    accuracy,
    balanced,
    by_kind,
    changes,
    changing,
    counts,
    majority,
    mean_accuracy,
    mean_balanced,
)
from .model import Model

COLUMNS = ("model", "gates shut", "last frame only", "shuffled", "rule")
ELSEWHERE = ("when_came", "when_left")  # kinds that are judged by themselves


class Views:
    """Received frames of each view, encoded once; what was encoded before by the same encoder is read again."""

    def __init__(self, folder: Path, model: Model):
        self.folder, self.model = folder, model
        self.index = {p.parent.name: json.loads(p.read_text()) for p in sorted(folder.glob("*/index.json"))}
        self.stamp = hashlib.sha256(model.files["vision_encoder"].read_bytes()).hexdigest()[:12]
        self.cache: dict[str, dict[int, np.ndarray]] = {}
        self.fresh: set[str] = set()

    def known(self, view: str) -> dict[int, np.ndarray]:
        """Features of a view by frame, from the disk at first."""
        if view not in self.cache:
            path = self.folder / view / f"features-{self.stamp}.npz"
            newer = path.is_file() and path.stat().st_mtime >= (self.folder / view / "index.json").stat().st_mtime
            self.cache[view] = {int(k): v for k, v in np.load(path).items()} if newer else {}
        return self.cache[view]

    def save(self) -> None:
        """Keeps what was encoded."""
        for view in self.fresh:
            path = self.folder / view / f"features-{self.stamp}.npz"
            np.savez(path, **{str(k): v for k, v in self.cache[view].items()})
        self.fresh.clear()

    def features(self, view: str, times: list[float]) -> tuple[np.ndarray, np.ndarray]:
        """Features of the frames nearest to `times`, and their own times."""
        known = np.array([e["time"] for e in self.index[view]])
        picks = [int(np.abs(known - t).argmin()) for t in times]
        cache = self.known(view)
        for pick in picks:
            if pick not in cache:
                cache[pick] = self.model.encode(self.picture(view, pick)[None])[0]
                self.fresh.add(view)
        return np.stack([cache[p] for p in picks]), known[picks]

    def picture(self, view: str, pick: int) -> np.ndarray:
        """A received frame at the encoder's size."""
        import cv2

        path = self.folder / view / self.index[view][pick]["file"]
        return footage.shrink(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]))


def seconds_of(times: np.ndarray) -> np.ndarray:
    """Seconds relative to the newest frame."""
    return (times - times[-1])[None].astype(np.float32)


def media_of(model: Model, bank: np.ndarray, times: np.ndarray, order=None) -> np.ndarray:
    """The window of all frames, in their order or another (−1: absent)."""
    index = np.arange(len(bank)) if order is None else np.asarray(order)
    return model.window(bank, index[None], seconds_of(times))


def of_no_car(text: str, kind: str, truth: dict) -> bool:
    """Whether a text asks about a car where what is there may be none: a bus is parked, no car."""
    named = " car" in text and kind != "car_present"
    return named and bool(truth[kind]) and "car_present" in truth and not truth["car_present"]


def questions_of(model: Model, window: dict, wordings: int | None = None) -> list[Asked]:
    """What is asked about a window: every kind with a clear truth, in words that the model knows."""
    asked = []
    for name, value in window["truth"].items():
        kind = KINDS.get(name)
        right = answer_of(kind, value) if kind and name not in ELSEWHERE else None
        if right is None or not all(map(model.knows, kind.answers)):
            continue
        texts = [t for t in kind.texts if model.knows(t) and not of_no_car(t, name, window["truth"])][:wordings]
        asked += [Asked(window["id"], window["view"], window.get("mode", ""), name, t, right) for t in texts]
    return asked


def judge(
    model: Model, views: Views, windows: list[dict], wordings: int | None = None, baselines: bool = True
) -> list[Asked]:
    """Asks every window every kind that it has a clear truth for."""
    everything: list[Asked] = []
    shut: dict[str, str] = {}  # blind answers: they do not depend on the picture
    rng = np.random.default_rng(11)
    for window in windows:
        bank, times = views.features(window["view"], window["times"])
        frames = len(bank)
        asked = questions_of(model, window, wordings)
        questions = [(a.text, KINDS[a.kind].answers) for a in asked]
        media = media_of(model, bank, times)
        for one, reply in zip(asked, model.ask(questions, media)):
            one.guesses["model"] = reply.best
            one.share, one.mass, one.unsure, one.beside = reply.share, reply.mass, reply.unsure, reply.beside
        if baselines:
            last = media_of(model, bank, times, [-1] * (frames - 1) + [frames - 1])
            mixed = media_of(model, bank, times, rng.permutation(frames))
            ruled = rules.answers(bank)
            new = [q for q in questions if q[0] not in shut]
            shut |= {text: r.best for (text, _), r in zip(new, model.ask(new, media, 0.0))}
            columns = {
                "gates shut": [shut[a.text] for a in asked],
                "last frame only": [r.best for r in model.ask(questions, last)],
                "shuffled": [r.best for r in model.ask(questions, mixed)],
                "rule": [ruled.get(a.kind, "") for a in asked],
            }
            for i, one in enumerate(asked):
                one.guesses |= {column: guesses[i] for column, guesses in columns.items()}
        everything += asked
    views.save()
    return everything


GROUPS = ("presence", "absence", "place", "vehicle", "colour")


def summary(asked: list[Asked]) -> dict:
    """The figures that bars and tables need."""
    results = by_kind(asked)
    kinds = changing(results)
    figures: dict = {
        "windows": len({a.window for a in asked}),
        "views": len({a.view for a in asked}),
        "questions": len(asked),
        "changing_kinds": kinds,
        "balanced": {c: mean_balanced(results, kinds, c) for c in COLUMNS},
        "accuracy": {c: mean_accuracy(results, results, c) for c in COLUMNS},
        "majority": majority(results),
        "unsure": float(np.mean([a.unsure for a in asked])),
        "kinds": {
            k: {
                "n": len(r),
                "accuracy": accuracy(r),
                "balanced": balanced(r) if changes(r) else None,
                "rule": balanced(r, "rule") if changes(r) else None,
                "unsure": float(np.mean([a.unsure for a in r])),
            }
            for k, r in results.items()
        },
    }
    for group in GROUPS:
        names = [n for n in results if KINDS[n].group == group]
        figures[group] = {"accuracy": mean_accuracy(results, names), "balanced": mean_balanced(results, names)}
    if "count" in results:
        figures["count"] = {c: counts(results["count"], c) for c in COLUMNS if c != "shuffled"}
        figures["crowd"] = counts(results["count"], "model", CROWD)
    return figures


def overall(figures: dict) -> str:
    """Means of all columns."""
    lines = ["| | " + " | ".join(COLUMNS) + " | majority |", "|---" * (len(COLUMNS) + 2) + "|"]
    rows = (("balanced, kinds that change", "balanced", 0.5), ("accuracy, all kinds", "accuracy", figures["majority"]))
    for name, key, last in rows:
        lines.append(f"| {name} | " + " | ".join(f"{figures[key][c]:.3f}" for c in COLUMNS) + f" | {last:.3f} |")
    return "\n".join(lines)


def count_table(figures: dict) -> str:
    """Counts: the model and the baselines, and the model in crowds."""
    lines = ["| people counted | n | exact | within one | mean error |", "|---|---|---|---|---|"]
    rows = {**figures.get("count", {}), f"model, {CROWD} and more": figures.get("crowd")}
    for name, row in rows.items():
        if row:
            lines.append(f"| {name} | {row['n']} | {row['exact']:.2f} | {row['within_one']:.2f} | {row['bias']:+.2f} |")
    return "\n".join(lines)


def table(asked: list[Asked]) -> str:
    """One line per kind."""
    columns = ("kind", "n", "share yes", "accuracy", "balanced", *COLUMNS[1:], "majority", "unsure")
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for name, rows in by_kind(asked).items():
        truths = [a.truth for a in rows]
        share = f"{truths.count('yes') / len(rows):.2f}" if KINDS[name].answers == YES_NO else "–"
        if changes(rows):
            cells = [f"{balanced(rows, c):.2f}" for c in COLUMNS]
        else:
            cells = [f"({accuracy(rows, c):.2f})" for c in COLUMNS]
        most = Counter(truths).most_common(1)[0][1] / len(rows)
        unsure = np.mean([a.unsure for a in rows])
        lines.append(
            f"| {name} | {len(rows)} | {share} | {accuracy(rows):.2f} | "
            + " | ".join(cells)
            + f" | {most:.2f} | {unsure:.2f} |"
        )
    return "\n".join(lines)
