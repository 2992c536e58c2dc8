"""The `evaluate` command: tables of simulated and real answers, written into the model card."""

import json
from pathlib import Path

from ..paths import cache_dir
from . import captions, card, real, receive, simulated, speed
from .model import Model


def windows_of(path: Path) -> list[dict]:
    """The windows of a truth file."""
    document = json.loads(path.read_text())
    return document["windows"] if isinstance(document, dict) else document


def views_of(windows: list[dict]) -> dict[str, tuple | None]:
    """Name and crop of each view."""
    return {w["view"]: tuple(w["crop"]) if w.get("crop") else None for w in windows}


def bars(figures: dict) -> str:
    """The figures that the acceptance bars name."""
    model = figures["balanced"]["model"]
    rows = [
        ("balanced accuracy, kinds whose truth changes", model, 0.85),
        ("points above gates shut", 100 * (model - figures["balanced"]["gates shut"]), 30),
        ("points above last frame only", 100 * (model - figures["balanced"]["last frame only"]), 10),
    ]
    for group in ("presence", "absence", "place", "vehicle"):
        if figures[group]["accuracy"] is not None:
            rows.append(
                (f"{group}, accuracy (balanced {figures[group]['balanced']:.2f})", figures[group]["accuracy"], 0.90)
            )
    if "count" in figures:
        rows.append((f"count within one (exact {figures['count']['model']['exact']:.2f})", figures["count"]["model"]["within_one"], 0.80))  # fmt: skip
    lines = ["| bar | reached | wanted | |", "|---|---|---|---|"]
    for name, value, wanted in rows:
        shown = f"{value:.0f}" if wanted > 1 else f"{value:.3f}"
        lines.append(f"| {name} | {shown} | ≥ {wanted} | {'met' if value >= wanted else '**missed**'} |")
    return "\n".join(lines)


def overall(figures: dict) -> str:
    """Means of all columns."""
    lines = ["| | " + " | ".join(real.COLUMNS) + " | majority |", "|---" * (len(real.COLUMNS) + 2) + "|"]
    for name, key, last in (("balanced, kinds that change", "balanced", 0.5), ("accuracy, all kinds", "accuracy", figures["majority"])):  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(f"{figures[key][c]:.3f}" for c in real.COLUMNS) + f" | {last:.3f} |")
    return "\n".join(lines)


def run(arguments) -> None:
    """Evaluates and writes the card."""
    model = Model(arguments.model)
    parts, figures = [], {}
    if arguments.truth:
        windows = windows_of(arguments.truth)
        frames = arguments.frames
        if frames is None:
            frames = cache_dir("received")
            receive.receive(views_of(windows), frames)
        results = real.judge(model, real.Views(frames, model), windows)
        figures["real"] = real.summary(results)
        questions = sum(len(r.truth) for r in results.values())
        parts.append(
            f"### Real footage, received as H.264 over RTSP\n\n{len(windows)} windows, {len(views_of(windows))} views, "
            f"{questions} questions.\n\n{bars(figures['real'])}\n\n{overall(figures['real'])}\n\n"
            "By kind (after `accuracy`: balanced accuracy; in brackets, where the truth never changes: accuracy):\n\n"
            f"{real.table(results)}"
        )
        said, shown = captions.judge(model, real.Views(frames, model), windows, real.seconds_of)
        examples = "\n".join(f"- `{name}`: {text}" for name, text in shown)
        parts.append(f"### Captions of the same windows, read as answers\n\n{said}\n\n{examples}")
    if arguments.simulated:
        figures["simulated"] = simulated.judge(model, arguments.simulated)
        parts.append(
            f"### Simulated held-out clips (8 frames), whole answers\n\n{simulated.table(figures['simulated'])}"
        )
    figures["ms"] = speed.measure(model)
    times = "\n".join(f"| {name} | {ms:.2f} |" for name, ms in figures["ms"].items())
    parts.append(f"### Time on one CPU thread (ONNX Runtime, median CPU time)\n\n| | ms |\n|---|---|\n{times}")
    card.write(arguments.model / "README.md", "\n\n".join(parts))
    (cache_dir("train") / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
    print("\n\n".join(parts))
