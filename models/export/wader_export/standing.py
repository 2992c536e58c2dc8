"""What stands still in a window: how false things look to the encoder, and how those of the simulator do.

Whatever tells the two apart, a model learns as a sign of what is real. So each figure here is one that the simulator had
wrong once: false things that were of one colour, that hardly flickered, that had too many heats, that were never taken
for two things by turns.
"""

import numpy as np

from . import layout
from .measure import height_of
from .sim.detector import Features
from .sim.world import BRIGHT, World

FRAMES, STEP = 8, 4  # a window, at ten frames a second: one in 0.4 s
NEAR = 0.3  # of its height: so far a thing that stands moves
WEAK = 0.42  # higher ones may well be real
KINDS = {"person": (layout.PERSON,), "vehicle": (layout.CAR, layout.BIG_VEHICLE)}
FIGURES = ("difference of halves", "saturation", "height's spread", "heats", "runner-up's part", "share as another")


def windows(frames: np.ndarray) -> list[np.ndarray]:
    """Windows of a film's features [frames, tokens, dim], one behind the other."""
    span = FRAMES * STEP
    return [frames[start : start + span : STEP] for start in range(0, len(frames) - span + 1, span)]


def standing(window: np.ndarray) -> list[np.ndarray]:
    """The object tokens [n, dim] of each thing that stands in a window [frames, tokens, dim], in six frames or more."""
    objects = window[:, : layout.OBJECTS]
    frame, token = np.nonzero(objects[..., layout.VALID] > 0)
    seen = objects[frame, token]
    centre, tall = (seen[:, :2] + seen[:, 2:4]) / 2, seen[:, 3] - seen[:, 1]
    things, left = [], np.ones(len(seen), bool)
    for one in range(len(seen)):
        if not left[one]:
            continue
        near = left & (np.abs(centre - centre[one]).max(1) < NEAR * tall[one] + 0.01)
        left &= ~near
        if len(set(frame[near])) >= 6 and near.sum() <= len(window) + 1:
            things.append(seen[near])
    return [t for t in things if height_of(t).mean() < WEAK]


def figures(tokens: np.ndarray) -> list[float]:
    """Those of one thing, in the order of `FIGURES`."""
    upper, lower = tokens[:, layout.UPPER].mean(0), tokens[:, layout.LOWER].mean(0)
    heats = tokens[:, layout.HEATS]
    group = heats.argmax(1)
    return [
        abs(upper.mean() - lower.mean()),
        np.ptp(upper),
        height_of(tokens).std(),
        (heats > 0).sum(1).mean(),
        (np.sort(heats, 1)[:, -2] / height_of(tokens)).mean(),
        (group != np.bincount(group).argmax()).mean(),
    ]


def kind_of(tokens: np.ndarray) -> str:
    """`person`, `vehicle` or `other`."""
    group = tokens[:, layout.HEATS].mean(0).argmax()
    return next((name for name, groups in KINDS.items() if group in groups), "other")


def tables(things: list[np.ndarray]) -> dict[str, np.ndarray]:
    """By kind, the figures of each thing [things, figures]."""
    rows: dict[str, list] = {}
    for thing in things:
        rows.setdefault(kind_of(thing), []).append(figures(thing))
    return {kind: np.array(of) for kind, of in sorted(rows.items())}


def simulated(world: World, features: Features) -> list[np.ndarray]:
    """False things that stand in simulated clips by daylight in which not everything is still."""
    things = []
    for clip in np.flatnonzero((world.light == BRIGHT) & ~world.posing):
        window = features.tokens[clip, :, : layout.OBJECTS] * (features.thing[clip] < 0)[..., None]
        things += standing(window)
    return things


def tell(side: str, things: list[np.ndarray]) -> None:
    """Prints the quartiles of every figure."""
    for kind, table in tables(things).items():
        quartiles = np.quantile(table, (0.25, 0.5, 0.75, 0.9), axis=0).T.round(3)
        told = "; ".join(f"{name} {list(map(float, q))}" for name, q in zip(FIGURES, quartiles, strict=True))
        print(f"  {side}, {kind} ({len(table)}): {told}")
