"""Answers about held-out simulated clips: whole answers, word by word, through ONNX Runtime."""

from collections import defaultdict
from random import Random

import numpy as np

from ..questions import KINDS as WRITTEN
from ..questions import Writer
from ..sim import simulate
from ..sim.truth import truth
from ..training.data import segment
from .model import Model

SEED = 991_177
ROWS = 64


class Plain:
    """A random source that always takes the question form."""

    def random(self) -> float:
        return 1.0


def clips(model: Model, count: int, frames: int, seed: int):
    """Simulated windows and what is asked about them: yields (media, last-only media, questions)."""
    rng, writer = np.random.default_rng(seed), Writer(Random(seed))
    kinds = list(WRITTEN)
    for start in range(0, count, 64):
        world, features = simulate(64, frames, rng)
        facts = truth(world)
        for clip in range(64):
            number = start + clip
            wanted = [kinds[(number * 5 + k) % len(kinds)] for k in range(5)]
            asked = [writer.one(facts.state[clip], kind) for kind in wanted]
            asked = [q for q in asked if q is not None]
            if not asked:
                continue
            index = np.where(world.present[clip], np.arange(frames), -1)[None]
            seconds = world.times[clip][None].astype(np.float32)
            last = np.where(np.arange(frames) == frames - 1, index, -1)
            bank = features.tokens[clip]
            yield model.window(bank, index, seconds), model.window(bank, last, seconds), asked


def right(model: Model, media: np.ndarray, asked, gate: float) -> list[bool]:
    """Whether each whole answer is what greedy decoding writes."""
    rows, wanted, answers = [], [], []
    for question in asked:
        prompt, answer, _ = segment(model.words, question, Plain())
        rows.append(prompt + answer[:-1])
        wanted.append([len(prompt) - 1 + i for i in range(len(answer))])
        answers.append(answer)
    logits = model.decode(rows, wanted, media, [0] * len(rows), gate)
    return [bool((row[: len(a)].argmax(-1) == np.array(a)).all()) for row, a in zip(logits, answers)]


def judge(model: Model, count: int, frames: int = 8, seed: int = SEED) -> dict[str, dict[str, float]]:
    """Accuracy by kind: model, gates shut, last frame only, number of questions."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for media, last, asked in clips(model, count, frames, seed):
        for column, source, gate in (("model", media, 1.0), ("gates shut", media, 0.0), ("last frame only", last, 1.0)):
            for question, good in zip(asked, right(model, source, asked, gate)):
                found[question.kind][column].append(good)
    return {
        kind: {**{c: float(np.mean(v)) for c, v in columns.items()}, "n": len(columns["model"])}
        for kind, columns in sorted(found.items())
    }


def table(figures: dict[str, dict[str, float]]) -> str:
    """One line per kind and the mean of the kinds."""
    columns = ("model", "gates shut", "last frame only")
    lines = ["| kind | n | " + " | ".join(columns) + " |", "|---|---|---|---|---|"]
    for kind, row in figures.items():
        lines.append(f"| {kind} | {row['n']} | " + " | ".join(f"{row[c]:.3f}" for c in columns) + " |")
    means = [f"**{np.mean([row[c] for row in figures.values()]):.3f}**" for c in columns]
    closed = [f"{np.mean([r[c] for k, r in figures.items() if k != 'caption']):.3f}" for c in columns]
    lines.append("| **mean of kinds** | | " + " | ".join(means) + " |")
    lines.append("| mean without captions | | " + " | ".join(closed) + " |")
    return "\n".join(lines)
