"""Answers to "how many seconds ago": mean absolute error, and the share that is as near as the frames can tell."""

from collections import Counter

import numpy as np

from ..questions.words import SECONDS
from .kinds import KINDS
from .model import Model
from .real import media_of

NONE = "none"
NAMES = {"when_came": 0, "when_left": 1}  # place of the kind in `when_gap`


def judge(model: Model, views, windows: list[dict]) -> dict | None:
    """Figures of both kinds; None where the model lacks the words."""
    known = tuple(w for w in SECONDS if model.knows(w))
    kinds = {k: [t for t in KINDS[k].texts if model.knows(t)] for k in NAMES}
    if not model.knows(NONE) or not all(kinds.values()):
        return None
    figures = {}
    for kind, texts in kinds.items():
        off, within, blind, none, truths = [], [], [], [], []
        for window in windows:
            truth = window["truth"].get(kind)
            if truth is None:
                continue
            bank, times = views.features(window["view"], window["times"])
            media = media_of(model, bank, times)
            questions = [(text, (*known, NONE)) for text in texts]
            answers = [r.best for r in model.ask(questions, media)]
            shut = [r.best for r in model.ask(questions, media, 0.0)]
            if truth == NONE:
                none += [a == NONE for a in answers]
                continue
            limit = max(1.0, (window["truth"]["when_gap"][NAMES[kind]] or 0.0) / 2)  # the truth is the gap's middle
            for answer, guess in zip(answers, shut):
                error = distance(answer, truth)
                off.append(error)
                blind.append(distance(guess, truth))
                within.append(error is not None and error <= limit)
                truths.append(truth)
        usual = Counter(truths).most_common(1)[0][0] if truths else 0
        figures[kind] = {
            "n": len(off),
            "said none": float(np.mean([e is None for e in off])),
            "mean error": float(np.mean([e for e in off if e is not None] or [np.nan])),
            "within": float(np.mean(within)),
            "gates shut": float(np.mean([e for e in blind if e is not None] or [np.nan])),
            "always the commonest": float(np.mean([abs(t - usual) for t in truths])),
            "n none": len(none),
            "none right": float(np.mean(none)) if none else None,
        }
    return figures


def distance(answer: str, truth: int) -> float | None:
    """Seconds between answer and truth; None where the answer is that nobody did."""
    return None if answer == NONE else float(abs(SECONDS.index(answer) - truth))


def table(figures: dict | None) -> str:
    """One line per kind."""
    if figures is None:
        return "This model lacks the words: not asked."
    names = list(next(iter(figures.values())))
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for kind, row in figures.items():
        cells = ["–" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
