"""Answers about held-out simulated clips: whole answers word by word, and how sure the closed ones are.

Only what is clear is asked. A number of seconds is right when it lies between the two frames between which it
happened, or is at most a second off: nothing in the frames tells it better.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ..questions import KINDS as WRITTEN
from ..questions import Writer
from ..questions.words import NUMBERS, SECONDS
from ..sim import draw, observe, sources
from ..sim.truth import truth
from ..training.check import NoChoice
from ..training.data import TIMES, segment
from . import kinds, unsure
from .metrics import CROWD, calibration
from .model import Model

SEED = 991_177
BATCH, EACH = 64, 5
COLUMNS = ("model", "gates shut", "last frame only")
TEMPORAL = (
    "walking which_way count_walking depth still moving came_in went_out trend vehicle_motion when_came when_left"
).split()
OPEN = ("caption",)
CLOSED = (kinds.YES_NO, tuple(SECONDS), kinds.COLOURS, kinds.LIGHTS, kinds.CHANGE, ("left", "right"))


@dataclass
class Told:
    """One question about a simulated clip: whether each column's whole answer is right, and how sure the model is."""

    kind: str
    truth: str
    right: dict[str, bool]
    share: float | None = None  # of the closed answer; None where the true answer is no closed one
    best: str | None = None
    unsure: bool = False
    off: float | None = None  # seconds between the answer and the true time


def clips(count: int, frames: int, seed: int, span: float | None = None, drop: float = 0.0, held_out: bool = False):
    """Simulated windows and what is asked about them: yields (bank, index, seconds, questions).

    `span` fixes their seconds, `drop` is the share of frames that are lost, `held_out` asks in unseen wordings.
    """
    rng, random = sources("test", seed)
    writer = Writer(random, held_out, clear=True)
    names = list(WRITTEN)
    for start in range(0, count, BATCH):
        world = draw(BATCH, frames, rng, span)
        if drop:
            lost = rng.random((BATCH, frames - 1)).argsort(1) < round(drop * frames)
            world.present[:, :-1] &= ~lost
        features = observe(world, rng)
        facts = truth(world)
        for clip in range(BATCH):
            number = start + clip
            wanted = [names[(number * EACH + k) % len(names)] for k in range(EACH)]
            asked = [q for q in (writer.one(facts.state[clip], kind) for kind in wanted) if q is not None]
            if asked:
                index = np.where(world.present[clip], np.arange(frames), -1)[None]
                yield features.tokens[clip], index, world.times[clip][None].astype(np.float32), asked


def closed_answers(kind: str, answer: str) -> tuple[str, ...] | None:
    """The set of allowed answers that an answer belongs to; None where there is none (captions, `none`, `unclear`)."""
    if kind in OPEN:
        return None
    if answer in NUMBERS and not kind.startswith("when"):
        return tuple(NUMBERS)
    return next((answers for answers in CLOSED if answer in answers), None)


def slack(seconds: np.ndarray, moment: float) -> float:
    """How far a time may be off that lies `moment` seconds back; `seconds` of the frames, oldest first."""
    later = np.searchsorted(seconds, -moment).clip(1, max(len(seconds) - 1, 1))
    gap = seconds[later] - seconds[later - 1] if len(seconds) > 1 else 0.0
    return max(1.0, gap / 2)


def tell(model: Model, media: np.ndarray, asked, gate: float) -> list[tuple[str, bool, unsure.Reply | None]]:
    """The likeliest first word, whether each whole answer is what greedy decoding writes, and the closed reply."""
    rows, wanted, answers = [], [], []
    for question in asked:
        piece = segment(model.words, question, NoChoice())
        rows.append(piece.prompt + piece.answer[:-1])
        wanted.append([len(piece.prompt) - 1 + i for i in range(len(piece.answer))])
        answers.append(piece.answer)
    logits = model.decode(rows, wanted, media, [0] * len(rows), gate)
    result = []
    for question, row, answer in zip(asked, logits, answers):
        right = bool((row[: len(answer)].argmax(-1) == np.array(answer)).all())
        options = closed_answers(question.kind, question.answer)
        if options is not None:
            options = tuple(o for o in options if model.knows(o))
        ids = [model.words.encode(o)[0] for o in options or ()]
        reply = unsure.reply(row[0], ids, options, model.beside) if options else None
        result.append((model.words.decode([row[0].argmax()]), right, reply))
    return result


def timed(told: list[tuple], asked, seconds: np.ndarray) -> tuple[list[bool], list[float | None]]:
    """Which answers are right, times within their slack, and how far times are off."""
    rights, offs = [], []
    for (word, right, _), question in zip(told, asked):
        off = None
        if question.kind in TIMES and {word, question.answer} <= set(SECONDS):
            moment = SECONDS.index(question.answer)
            off = float(abs(SECONDS.index(word) - moment))
            right = off <= slack(seconds, moment)
        rights.append(right)
        offs.append(off)
    return rights, offs


def judge(model: Model, count: int, frames: int = 8, seed: int = SEED, baselines: bool = True, **how) -> list[Told]:
    """Asks about `count` clips."""
    found = []
    for bank, index, seconds, asked in clips(count, frames, seed, **how):
        media = model.window(bank, index, seconds)
        columns = {"model": tell(model, media, asked, 1.0)}
        if baselines:
            last = np.where(np.arange(index.shape[1]) == index.shape[1] - 1, index, -1)
            columns["gates shut"] = tell(model, media, asked, 0.0)
            columns["last frame only"] = tell(model, model.window(bank, last, seconds), asked, 1.0)
        times = seconds[0][index[0] >= 0]
        judged = {c: timed(told, asked, times) for c, told in columns.items()}
        for i, question in enumerate(asked):
            one = Told(question.kind, question.answer, {c: rights[i] for c, (rights, _) in judged.items()})
            one.off = judged["model"][1][i]
            reply = columns["model"][i][2]
            if reply is not None:
                one.share, one.best, one.unsure = reply.share, reply.best, reply.unsure
            found.append(one)
    return found


def by_kind(told: list[Told]) -> dict[str, dict[str, float]]:
    """Accuracy of whole answers by kind and column."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in told:
        for column, right in one.right.items():
            found[one.kind][column].append(right)
    return {
        kind: {**{c: float(np.mean(v)) for c, v in columns.items()}, "n": len(columns["model"])}
        for kind, columns in sorted(found.items())
    }


def mean(told: list[Told], kinds_of=None, column: str = "model") -> float | None:
    """Mean of the kinds' accuracy, without captions, or of the named kinds."""
    table_of = by_kind(told)
    names = [k for k in table_of if (k in kinds_of if kinds_of is not None else k not in OPEN)]
    return float(np.mean([table_of[k][column] for k in names])) if names else None


def summary(told: list[Told]) -> dict:
    """The figures of the bars."""
    sure = [t for t in told if t.share is not None]
    error, bins = calibration([t.share for t in sure], [t.best == t.truth for t in sure])
    crowds = [(NUMBERS.index(t.truth), NUMBERS.index(t.best)) for t in sure if t.kind == "count"]
    off = [b - a for a, b in crowds if a >= CROWD]
    times = [t.off for t in told if t.off is not None]
    return {
        "kinds": by_kind(told),
        "closed": mean(told),
        "temporal": mean(told, TEMPORAL),
        "calibration": error,
        "bins": bins,
        "crowd_bias": float(np.mean(off)) if off else None,
        "times": [len(times), float(np.mean([t == 0 for t in times])), float(np.mean(times))] if times else None,
        "unsure": float(np.mean([t.unsure for t in sure])),
        "questions": len(told),
    }


def about_times(times: list | None) -> str:
    """What is right for a number of seconds, and how near the answers are."""
    rule = "A number of seconds is right between the two frames between which it happened, or a second off"
    if times is None:
        return f"{rule}."
    count, exact, error = times
    return f"{rule}: of {count} numbers {exact:.2f} are exact, the mean error is {error:.1f} s."


def table(figures: dict[str, dict[str, float]]) -> str:
    """One line per kind and the mean of the kinds."""
    lines = ["| kind | n | " + " | ".join(COLUMNS) + " |", "|---|---|---|---|---|"]
    for kind, row in figures.items():
        lines.append(f"| {kind} | {row['n']} | " + " | ".join(f"{row[c]:.3f}" for c in COLUMNS) + " |")
    means = [f"**{np.mean([row[c] for row in figures.values()]):.3f}**" for c in COLUMNS]
    closed = [f"{np.mean([r[c] for k, r in figures.items() if k not in OPEN]):.3f}" for c in COLUMNS]
    lines.append("| **mean of kinds** | | " + " | ".join(means) + " |")
    lines.append("| mean without captions | | " + " | ".join(closed) + " |")
    return "\n".join(lines)
