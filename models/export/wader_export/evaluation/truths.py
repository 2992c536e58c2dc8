"""The hand-made truth of the footage for any window: `tests/footage/derive.py`, used as it is."""

import importlib.util
import json
from functools import cache
from pathlib import Path

from ..paths import REPOSITORY

FOLDER = REPOSITORY / "tests" / "footage"


@cache
def derive():
    """The module that derives answers from the hand-made tracks."""
    spec = importlib.util.spec_from_file_location("derive", FOLDER / "derive.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def windows_of(path: Path) -> list[dict]:
    """The windows of a truth file."""
    document = json.loads(path.read_text())
    return document["windows"] if isinstance(document, dict) else document


def views_of(windows: list[dict]) -> dict[str, tuple | None]:
    """Name and crop of each view."""
    return {w["view"]: tuple(w["crop"]) if w.get("crop") else None for w in windows}


def spread(frames: int, span: float, each: int, drop=None) -> list[dict]:
    """Windows of so many frames over so many seconds, `each` in every view, evenly over the footage.

    `drop`: a random source; half of the frames, never the newest, are then missing.
    """
    module = derive()
    first, last = module.T["from"], module.T["to"]
    result = []
    for number, view in enumerate(module.T["view"]):
        room = last - first - span - 0.1
        for k in range(each):
            start = first + room * (k + (number % 4) / 4) / max(each - 0.25, 1)
            times = [round(start + span * i / (frames - 1), 1) for i in range(frames)]
            if drop is not None:
                gone = set(drop.permutation(frames - 1)[: frames // 2].tolist())
                times = [t for i, t in enumerate(times) if i not in gone]
            name = f"{view['name']}-{frames}-{span:g}-{k}"
            result.append({"id": name, "view": view["name"], "times": times, "truth": module.window(view, times)})
    return result
