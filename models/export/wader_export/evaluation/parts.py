"""The parts of the evaluation: each gives a piece of the model card and figures for the bars."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from .. import photographs
from ..paths import cache_dir
from . import bars, blind, captions, real, receive, simulated, spans, speed, stills, svg, truths, unsure, when
from .metrics import Asked, calibration
from .model import Model

Part = tuple[str, dict]  # text for the card, figures


@dataclass
class Context:
    """What the parts share: the model, the received pictures, and the answers already given."""

    model: Model
    truth: Path
    frames: Path | None  # pictures of the footage that another receiver wrote
    simulated: int
    asked: dict[str, list[Asked]] = field(default_factory=dict)

    @cached_property
    def windows(self) -> list[dict]:
        return truths.windows_of(self.truth)

    @cached_property
    def footage(self) -> real.Views:
        folder = self.frames
        if folder is None:
            folder = cache_dir("received")
            views = truths.views_of(self.windows)
            receive.receive({name: receive.footage_clip(crop) for name, crop in views.items()}, folder)
        return real.Views(folder, self.model)

    @cached_property
    def photographs(self) -> tuple[list[photographs.Still], list[str]]:
        return photographs.load(training=False)

    @cached_property
    def still_windows(self) -> list[dict]:
        return stills.windows(self.photographs[0])

    @cached_property
    def stills(self) -> real.Views:
        folder = cache_dir("received-stills")
        receive.receive(stills.clips(self.photographs[0]), folder)
        return real.Views(folder, self.model)

    @cached_property
    def spoilt(self) -> real.Views:
        folder = cache_dir("received-spoilt")
        receive.receive(blind.clips(self.photographs[0]), folder)
        return real.Views(folder, self.model)

    @cached_property
    def told(self) -> list[simulated.Told]:
        return simulated.judge(self.model, self.simulated)

    def answers(self, place: str) -> list[Asked]:
        """All questions about one place, answered once."""
        if place not in self.asked:
            views, windows = {
                "footage": lambda: (self.footage, self.windows),
                "stills": lambda: (self.stills, self.still_windows),
            }[place]()
            self.asked[place] = real.judge(self.model, views, windows)
        return self.asked[place]


KIND_NOTE = "By kind (after `accuracy`: balanced accuracy; in brackets, where the truth never changes: accuracy):"


def tables(figures: dict, asked: list[Asked]) -> str:
    """What footage and photographs both show."""
    return f"{real.overall(figures)}\n\n{real.count_table(figures)}\n\n{KIND_NOTE}\n\n{real.table(asked)}"


def footage_part(context: Context) -> Part:
    asked = context.answers("footage")
    figures = real.summary(asked)
    text = (
        f"### Real footage, received as H.264 over RTSP\n\n{figures['windows']} windows, {figures['views']} views, "
        f"{figures['questions']} questions.\n\n{tables(figures, asked)}"
    )
    return text, figures


def stills_part(context: Context) -> Part:
    asked = context.answers("stills")
    found, missing = context.photographs
    figures = real.summary(asked)
    photos = len({s.path for s in found})
    lacking = f" Not to be had: {', '.join(missing)}." if missing else ""
    modes = ["| | n | accuracy |", "|---|---|---|"]
    for mode in stills.MODES:
        rows = [a for a in asked if a.mode == mode]
        figures[mode] = float(np.mean([a.right for a in rows]))
        modes.append(f"| {mode} | {len(rows)} | {figures[mode]:.3f} |")
    text = (
        f"### Real photographs as cameras see them, received as H.264 over RTSP\n\n{photos} photographs and "
        f"films in {len(found)} stills, "
        f"{figures['windows']} windows, {figures['questions']} questions.{lacking} *still*: sensor "
        "noise only; *panned*: a slow crop over the picture; *darkened*: to 25–40 % of the light.\n\n"
        + "\n".join(modes)
        + f"\n\n{tables(figures, asked)}"
    )
    return text, figures


def captions_part(context: Context) -> Part:
    of_film = captions.judge(context.model, context.footage, context.windows)
    standing = [w for w in context.still_windows if w["mode"] == "still"]
    of_photos = captions.judge(context.model, context.stills, standing)
    both = {
        key: (of_film[key] * of_film[n] + of_photos[key] * of_photos[n]) / (of_film[n] + of_photos[n])
        for key, n in (("precision", "stated"), ("recall", "salient"))
    }
    counts, pairs = (of_film[n] + of_photos[n] for n in ("counts", "pairs"))
    shown = "\n".join(f"- `{name}`: {text}" for name, text in of_film["examples"] + of_photos["examples"][:6])
    text = (
        "### Captions of the same windows, fact by fact\n\nSalient: who is there and how many, who walks where, who "
        f"stands, vehicles parked and moving. Footage and photographs together: {both['precision']:.3f} of the stated "
        f"facts are right, {both['recall']:.3f} of the salient ones are stated. {pairs} of {counts} numbers are given as "
        "two neighbours (\"two or three\") and right where one of them is.\n\nFootage:\n\n"
        f"{captions.table(of_film)}\n\nPhotographs:\n\n{captions.table(of_photos)}\n\n{shown}"
    )
    return text, {**both, "footage": of_film, "stills": of_photos}


def unsure_part(context: Context) -> Part:
    model = context.model
    good = {place: blind.good(context.answers(place)) for place in ("footage", "stills")}
    spoilt = blind.judge_spoilt(model, context.spoilt)
    told = blind.judge_camera(
        model, context.spoilt, [(context.footage, context.windows[::3]), (context.stills, context.still_windows[::3])]
    )
    absent = blind.judge_absent(model, [(context.footage, context.windows), (context.stills, context.still_windows)])
    lacking = [w for w in unsure.BESIDE if w not in model.beside]
    note = f" **This model lacks the words {' and '.join(lacking)}.**" if lacking else ""
    of_good = "\n".join(f"| {p} | {r['unsure']:.3f} | {r['unclear']:.3f} | {r['none']:.3f} |" for p, r in good.items())
    text = (
        f"### Whether it knows what it does not see\n\nAn answer is *unsure* when the allowed answers have less than "
        f"{unsure.LEAST_MASS} of the probability or the chosen one less than {unsure.LEAST_SHARE} of theirs.{note}\n\n"
        f"Unsure on good pictures with a clear answer, wrongly so:\n\n"
        f"| | unsure | mean probability of `unclear` | of `none` |\n|---|---|---|---|\n{of_good}\n\n"
        "Spoilt pictures, where it should be unsure (*frozen*: the camera sends one picture again and again, coded "
        f"anew; *stalled*: the receiver repeats the last one, bit by bit):\n\n{blind.table(spoilt, 'unclear')}\n\n"
        f"Questions about things that are not there, where it should be unsure:\n\n{blind.table(absent, 'none')}\n\n"
        f"Asked about the camera itself (share of right answers):\n\n{blind.camera_table(told)}"
    )
    return text, {"good": good, "spoilt": spoilt, "absent": absent, "camera": told, "lacking": lacking}


def time_part(context: Context) -> Part:
    count = max(128, context.simulated // 4)
    drawn = spans.on_simulated(context.model, count)
    filmed = spans.on_footage(context.model, context.footage)
    asked = when.judge(context.model, context.footage, context.windows)
    text = (
        "### Frames, lost frames, and spans\n\nSimulated clips, whole answers, mean of kinds:\n\n"
        f"{spans.table(drawn, 'closed questions')}\n\nFootage, balanced accuracy, truth derived anew for these frames "
        f"({spans.REAL_SPAN:g} s unless it says otherwise):\n\n{spans.table(filmed, 'kinds that change')}\n\n"
        "Seconds since somebody came in or left, footage (*within*: between the two frames between which it happened, or a second off):\n\n"
        f"{when.table(asked)}"
    )
    return text, {"simulated": dict(drawn), "footage": dict(filmed), "when": asked}


def simulated_part(context: Context) -> Part:
    figures = simulated.summary(context.told)
    unseen = simulated.judge(context.model, context.simulated, baselines=False, held_out=True)
    kinds = set(simulated.by_kind(unseen)) - set(simulated.OPEN)
    seen, other = simulated.mean(context.told, kinds), simulated.mean(unseen, kinds)
    figures["held_out_loss"] = seen - other
    text = (
        f"### Simulated held-out clips (8 frames), whole answers\n\n{simulated.table(figures['kinds'])}\n\nIn wordings "
        f"that training never saw: {other:.3f} ({len(unseen)} questions, {len(kinds)} kinds; in known ones {seen:.3f}). "
        f"{simulated.about_times(figures['times'])}"
    )
    return text, figures


def calibration_part(context: Context) -> Part:
    sure = [t for t in context.told if t.share is not None]
    asked = {place: context.answers(place) for place in ("footage", "stills")}
    parts = {"simulated": calibration([t.share for t in sure], [t.best == t.truth for t in sure])}
    for place, rows in asked.items():
        parts[place] = calibration([a.share for a in rows], [a.right for a in rows])
    both = [a for rows in asked.values() for a in rows]
    error, _ = calibration([a.share for a in both], [a.right for a in both])
    (context.model.folder / "calibration.svg").write_text(svg.reliability(parts))
    lines = ["| | questions | calibration error |", "|---|---|---|"]
    for name, (value, rows) in parts.items():
        lines.append(f"| {name} | {sum(n for _, _, n in rows)} | {value:.3f} |")
    lines.append(f"| footage and photographs | {len(both)} | {error:.3f} |")
    text = (
        "### Calibration\n\nExpected calibration error: 15 bins of equal width over the share of the chosen answer "
        "among the allowed ones.\n\n"
        + "\n".join(lines)
        + "\n\n![How sure it is, and how often it is right](calibration.svg)"
    )
    return text, {"real": error, **{name: value for name, (value, _) in parts.items()}}


def speed_part(context: Context) -> Part:
    figures = speed.measure(context.model)
    times = "\n".join(f"| {name} | {ms:.2f} |" for name, ms in figures.items())
    return f"### Time on one CPU thread (ONNX Runtime, median CPU time)\n\n| | ms |\n|---|---|\n{times}", figures


def rule_part(figures: dict) -> str:
    """Made of the figures of other parts."""
    return f"### Where a hand-written rule is better (balanced accuracy)\n\n{bars.rule_wins(figures)}"


PARTS = {
    "footage": footage_part,
    "stills": stills_part,
    "captions": captions_part,
    "unsure": unsure_part,
    "time": time_part,
    "calibration": calibration_part,
    "simulated": simulated_part,
    "speed": speed_part,
}
