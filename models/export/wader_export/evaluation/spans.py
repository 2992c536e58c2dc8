"""Other numbers of frames, lost frames, and other spans, on simulated clips and on the footage."""

import numpy as np

from . import real, simulated, truths
from .metrics import by_kind, changing, mean_balanced
from .model import Model

FRAMES, SIMULATED_SPANS, REAL_SPANS = (4, 8, 16), (2, 3.5, 7, 15, 30, 60), (2, 3.5, 7, 15, 20)
REAL_SPAN = 7.0  # of the footage where the number of frames is what changes
EACH = 4  # windows of every view


def on_simulated(model: Model, count: int) -> list[tuple[str, dict]]:
    """Closed and temporal questions under every condition."""
    cases = [(f"{n} frames", {"frames": n}) for n in FRAMES]
    cases += [
        ("8 frames, half of them lost", {"drop": 0.5}),
        ("16 frames, half of them lost", {"frames": 16, "drop": 0.5}),
    ]
    cases += [(f"8 frames over {span:g} s", {"span": span}) for span in SIMULATED_SPANS]
    rows = []
    for name, how in cases:
        told = simulated.judge(model, count, seed=simulated.SEED + 1, baselines=False, **how)
        about_time = simulated.mean(told, simulated.TEMPORAL)
        rows.append((name, {"closed": simulated.mean(told), "temporal": about_time, "n": len(told)}))
    return rows


MOVES = (
    "walking_left walking_right coming_closer standing_still anyone_moving came_in went_out more_people fewer_people"
).split()


def on_footage(model: Model, views: real.Views) -> list[tuple[str, dict]]:
    """Balanced accuracy of the kinds that change, and of those about time, truth derived for these very frames."""
    cases = [(f"{n} frames", (n, REAL_SPAN, False)) for n in FRAMES]
    cases += [(f"{n} frames, half of them lost", (n, REAL_SPAN, True)) for n in FRAMES[1:]]
    cases += [(f"8 frames over {span:g} s", (8, span, False)) for span in REAL_SPANS if span != REAL_SPAN]
    rows = []
    for name, (frames, span, lossy) in cases:
        windows = truths.spread(frames, span, EACH, np.random.default_rng(3) if lossy else None)
        results = by_kind(real.judge(model, views, windows, wordings=1, baselines=False))
        kinds = changing(results)
        row = {
            "closed": mean_balanced(results, kinds),
            "temporal": mean_balanced(results, [k for k in kinds if k in MOVES]),
        }
        rows.append((name, row | {"n": sum(map(len, results.values()))}))
    return rows


def table(rows: list[tuple[str, dict]], closed: str) -> str:
    """One line per condition."""
    lines = [f"| | n | {closed} | of these about time |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {n} | {r['n']} | {r['closed']:.3f} | {r['temporal']:.3f} |" for n, r in rows])
