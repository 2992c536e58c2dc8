"""Every bar that the model is held against, reached or missed, from the figures of all parts."""

from collections.abc import Callable
from dataclasses import dataclass

PLACES = {"footage": "footage", "stills": "stills"}


@dataclass(frozen=True)
class Bar:
    """A figure and what is wanted of it."""

    name: str
    value: Callable[[dict], float | None]
    wanted: float
    most: bool = False  # the figure must not be above `wanted`


def kind(place: str, name: str, key: str = "balanced") -> Callable[[dict], float | None]:
    """The figure of one kind; its accuracy where the truth never changes."""

    def value(figures: dict) -> float | None:
        row = figures[place]["kinds"].get(name)
        return None if row is None else row[key] if row[key] is not None else row["accuracy"]

    return value


def crowd(place: str) -> Callable[[dict], float | None]:
    """Absolute bias of counts in crowds."""
    return lambda f: abs(f[place]["crowd"]["bias"]) if f[place].get("crowd") else None


def of_place(place: str) -> list[Bar]:
    """The bars on real pictures."""
    bars = [
        Bar(f"{place}: {g}, accuracy", lambda f, g=g: f[place][g]["accuracy"], 0.95)
        for g in ("presence", "absence", "place")
    ]
    bars.append(Bar(f"{place}: balanced, kinds whose truth changes", lambda f: f[place]["balanced"]["model"], 0.93))
    if place == "footage":
        for name in ("walking_left", "walking_right", "standing_still"):
            bars.append(Bar(f"footage: {name}, balanced", kind(place, name), 0.95))
        for name in ("came_in", "went_out", "more_people", "fewer_people"):
            bars.append(Bar(f"footage: {name}, balanced", kind(place, name), 0.85))
    bars += [
        Bar(f"{place}: count exact", lambda f: f[place]["count"]["model"]["exact"], 0.60),
        Bar(f"{place}: count within one", lambda f: f[place]["count"]["model"]["within_one"], 0.92),
        Bar(f"{place}: bias of counts in crowds", crowd(place), 0.3, most=True),
        Bar(f"{place}: clothes and vehicle colour, balanced", lambda f: f[place]["colour"]["balanced"], 0.85),
    ]
    return bars


BARS = [
    *of_place("footage"),
    *of_place("stills"),
    Bar("captions: stated facts that are right", lambda f: f["captions"]["precision"], 0.90),
    Bar("captions: salient facts that are stated", lambda f: f["captions"]["recall"], 0.75),
    Bar("simulated: closed questions", lambda f: f["simulated"]["closed"], 0.95),
    Bar("simulated: questions about time", lambda f: f["simulated"]["temporal"], 0.90),
    Bar("simulated: bias of counts in crowds", lambda f: abs(f["simulated"]["crowd_bias"]), 0.3, most=True),
    Bar("simulated: points lost in unseen wordings", lambda f: 100 * f["simulated"]["held_out_loss"], 3.0, most=True),
    Bar("simulated: calibration error", lambda f: f["simulated"]["calibration"], 0.05, most=True),
    Bar("real pictures: calibration error", lambda f: f["calibration"]["real"], 0.10, most=True),
]


def measured(bar: Bar, figures: dict) -> float | None:
    """The figure of a bar; None where its part was not run or has none."""
    try:
        return bar.value(figures)
    except (KeyError, TypeError):
        return None


def table(figures: dict) -> str:
    """All bars."""
    lines = ["| bar | reached | wanted | |", "|---|---|---|---|"]
    for bar in BARS:
        value, sign = measured(bar, figures), "≤" if bar.most else "≥"
        if value is None:
            lines.append(f"| {bar.name} | – | {sign} {bar.wanted:g} | not measured |")
            continue
        met = value <= bar.wanted if bar.most else value >= bar.wanted
        lines.append(f"| {bar.name} | {value:.3f} | {sign} {bar.wanted:g} | {'met' if met else '**missed**'} |")
    return "\n".join(lines)


def rule_wins(figures: dict, margin: float = 0.01) -> str:
    """Kinds in which a hand-written rule on the detector's boxes is better."""
    lines = ["| | kind | model | rule |", "|---|---|---|---|"]
    for place in PLACES:
        for name, row in figures.get(place, {}).get("kinds", {}).items():
            if row["balanced"] is not None and row["rule"] > row["balanced"] + margin:
                lines.append(f"| {place} | {name} | {row['balanced']:.2f} | {row['rule']:.2f} |")
    return "\n".join(lines) if len(lines) > 2 else "In none."
