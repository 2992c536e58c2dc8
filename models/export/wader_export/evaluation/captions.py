"""Captions of real windows, judged by the same truth: what a caption says is read as answers."""

import re
from collections import defaultdict

import numpy as np

from ..questions.words import NUMBERS
from .kinds import KINDS, answer_of
from .model import Model


def said(caption: str) -> dict[str, str]:
    """The answers that a caption gives; what it does not mention it denies."""
    truth = {
        "person_now": not caption.startswith("nobody"),
        "walking_left": "to the left" in caption,
        "walking_right": "to the right" in caption,
        "standing_still": re.search(r"\bstands?\b", caption) is not None,
        "vehicle_parked": "parked" in caption,
        "vehicle_moving": re.search(r"vehicles? (is|are) moving", caption) is not None,
    }
    result = {kind: "yes" if value else "no" for kind, value in truth.items()}
    first = caption.split(" ")[0]
    result["count"] = first if first in NUMBERS else "zero"
    return result


def judge(model: Model, views, windows: list[dict], seconds_of) -> tuple[str, list[tuple[str, str]]]:
    """A table, and a few captions with their windows."""
    right: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    near, shown = [], []
    for number, window in enumerate(windows):
        bank, times = views.features(window["view"], window["times"])
        caption = model.caption(model.window(bank, np.arange(len(bank))[None], seconds_of(times)))
        if number % max(1, len(windows) // 8) == 0:
            shown.append((window["id"], caption))
        for kind, answer in said(caption).items():
            truth = answer_of(KINDS[kind], window["truth"].get(kind))
            if truth is None:
                continue
            right[kind].append((truth, answer == truth))
            if kind == "count":
                near.append(abs(NUMBERS.index(truth) - NUMBERS.index(answer)) <= 1)
    lines = ["| the caption says | n | accuracy | balanced |", "|---|---|---|---|"]
    for kind, pairs in right.items():
        answers = {t for t, _ in pairs}
        balanced = np.mean([np.mean([ok for t, ok in pairs if t == a]) for a in answers])
        shown_balanced = f"{balanced:.2f}" if len(answers) > 1 else "–"
        extra = f" (within one {np.mean(near):.2f})" if kind == "count" else ""
        lines.append(f"| {kind} | {len(pairs)} | {np.mean([ok for _, ok in pairs]):.2f}{extra} | {shown_balanced} |")
    return "\n".join(lines), shown
