"""Captions judged by the same truth: how many of the facts they state are right, how many salient ones they state."""

import re
from collections import defaultdict

import numpy as np

from ..questions.words import NUMBERS, OTHER_NAMES
from .model import Model
from .real import media_of

WALKS = {"to the left": "walking_left", "to the right": "walking_right", "closer": "coming_closer"}
SALIENT = ("walking_left", "walking_right", "standing_still", "vehicle_parked", "vehicle_moving")
NUMBER = f"(?:{'|'.join(NUMBERS)})"
COUNT = rf"({NUMBER})(?: or ({NUMBER}))?"

Count = tuple[int, int]  # the least and the most that is said


def stated(caption: str) -> dict[str, Count | str | bool]:
    """The facts that a caption states: `people` and vehicles as numbers, the rest as they stand."""
    facts: dict[str, Count | str | bool] = {}
    if caption.startswith("nobody is there"):
        facts["people"] = (0, 0)
    elif found := re.match(rf"{COUNT} (?:person|people)\b", caption):
        facts["people"] = count(found)
    for where, kind in WALKS.items():
        if re.search(rf"\bwalks? {where}\b", caption):
            facts[kind] = True
    if re.search(r"\bstands?\b", caption):
        facts["standing_still"] = True
    for what, kind in (("parked", "vehicle_parked"), ("moving", "vehicle_moving")):
        if found := re.search(rf"\ba (?:(\w+) )?vehicle is {what}\b", caption):
            facts[kind] = (1, 1)
            if found[1]:
                facts["vehicle_colour"] = found[1]
        elif found := re.search(rf"\b{COUNT} vehicles are {what}\b", caption):
            facts[kind] = count(found)
    for group, names in OTHER_NAMES.items():
        if re.search(rf"\ban? {names[0]}\b", caption):
            facts[f"{'large_animal' if group == 'animal' else group}_present"] = True
    if "it is dark" in caption:
        facts["light"] = "dark"
    if re.search(r"\bthe (?:camera|picture) is \w+", caption):
        facts["blind"] = True
    return facts


def count(found: re.Match) -> Count:
    """The number that was read, or both of `two or three`."""
    least = NUMBERS.index(found[1])
    return least, NUMBERS.index(found[2]) if found[2] else least


def agrees(said: Count, true: Count) -> bool | None:
    """Whether a stated number is right; None where a looker could say either way."""
    if said[1] < true[0] or said[0] > true[1]:
        return False
    return True if said[0] <= true[0] and true[1] <= said[1] else None


def people(truth: dict) -> tuple[int, int] | None:
    """Fewest and most people now."""
    return tuple(truth["people"]) if truth.get("people") else None


def fits(fact: str, value, truth: dict) -> bool | None:
    """Whether a stated fact is true; None where a looker could say either way."""
    if fact == "people":
        bounds = people(truth)
        return None if bounds is None else agrees(value, bounds)
    if fact == "blind":
        return False
    known = truth.get(fact, False if fact.endswith("_present") else None)
    if known is None:
        return None
    if fact in ("vehicle_parked", "vehicle_moving"):
        number = truth.get("vehicles")
        return bool(known) and (number is None or fact == "vehicle_moving" or agrees(value, tuple(number)))
    return known == value if isinstance(known, str) else bool(known)


def salient(truth: dict) -> list[str]:
    """What a caption should say of a window."""
    bounds = people(truth)
    facts = [] if bounds is None or (bounds[0] == 0 < bounds[1]) else ["people"]
    return facts + [kind for kind in SALIENT if truth.get(kind)]


def said(fact: str, facts: dict, truth: dict) -> bool:
    """Whether a salient fact is stated (the number of people: the right one or it and a neighbour, any where it is unclear)."""
    if fact != "people":
        return fact in facts
    if "people" not in facts:
        return False
    least, most = people(truth)
    return agrees(facts["people"], (least, most)) is True if least == most else facts["people"][1] >= 1


def judge(model: Model, views, windows: list[dict], shown: int = 9) -> dict:
    """Precision and recall, over all and by fact, and a few captions."""
    right: dict[str, list[bool]] = defaultdict(list)
    found: dict[str, list[bool]] = defaultdict(list)
    examples, wrong = [], []
    counts: list[Count] = []
    for number, window in enumerate(windows):
        bank, times = views.features(window["view"], window["times"])
        caption = model.caption(media_of(model, bank, times))
        facts, truth = stated(caption), window["truth"]
        counts += [fact for fact in facts.values() if isinstance(fact, tuple)]
        verdicts = {f: fits(f, v, truth) for f, v in facts.items()}
        for fact, verdict in verdicts.items():
            if verdict is not None:
                right[fact].append(verdict)
        missed = [f for f in salient(truth) if not said(f, facts, truth)]
        for fact in salient(truth):
            found[fact].append(fact not in missed)
        if False in verdicts.values():
            wrong.append((window["id"], caption, [f for f, v in verdicts.items() if v is False]))
        if number % max(1, len(windows) // shown) == 0:
            examples.append((window["id"], caption))
    views.save()
    mean = lambda table: float(np.mean([v for values in table.values() for v in values])) if table else None  # noqa: E731
    return {
        "precision": mean(right),
        "recall": mean(found),
        "stated": sum(map(len, right.values())),
        "salient": sum(map(len, found.values())),
        "counts": len(counts),
        "pairs": sum(least < most for least, most in counts),
        "right": {k: [len(v), float(np.mean(v))] for k, v in right.items()},
        "said": {k: [len(v), float(np.mean(v))] for k, v in found.items()},
        "examples": examples,
        "wrong": wrong,
    }


def table(figures: dict) -> str:
    """Per fact: how often it is right when stated, how often it is stated when true and salient."""
    lines = ["| fact | stated | of these right | true and salient | of these said |", "|---|---|---|---|---|"]
    right, found = f"**{figures['precision']:.3f}**", f"**{figures['recall']:.3f}**"
    lines.append(f"| **all** | {figures['stated']} | {right} | {figures['salient']} | {found} |")
    for fact in sorted(figures["right"] | figures["said"], key=lambda f: -figures["right"].get(f, [0])[0]):
        cells = []
        for part in ("right", "said"):
            n, value = figures[part].get(fact, (0, 0.0))
            cells.append(f"{n} | {value:.2f}" if n else "0 | –")
        lines.append(f"| {fact} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
