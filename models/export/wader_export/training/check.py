"""Accuracy on held-out simulated clips: state values, and whole answers by kind of question."""

from collections import defaultdict

import numpy as np
import torch

from ..nn.flamingo import Flamingo
from ..sim.truth import HEADS, UNCLEAR
from .data import Batch, Maker, segment
from .device import placed, quick
from .losses import tensors

SEED = 7


class HeldOut:
    """A fixed set of clips and questions."""

    def __init__(self, tokenizer, clips: int = 384, questions: int = 4, seed: int = SEED, frames=(8,)):
        maker = Maker(tokenizer, seed, "validation")
        self.words = maker.words
        self.batches: list[Batch] = []
        for start in range(0, clips, 64):
            batch = maker.clips(64, frames[start // 64 % len(frames)])
            batch.questions = [[maker.writer.one(state) for _ in range(questions)] for state in batch.state]
            self.batches.append(batch)

    def state(self, model: Flamingo) -> dict[str, float]:
        """Share of right values of each state head."""
        right, known = np.zeros(len(HEADS)), np.zeros(len(HEADS))
        with torch.no_grad(), quick():
            for batch in self.batches:
                guess = model.head(model.resampler(*tensors(batch))[0]).argmax(-1).cpu().numpy()
                state = batch.state[:, : len(HEADS)]
                there = state != UNCLEAR
                right += ((guess == state) & there).sum(0)
                known += there.sum(0)
        return {name: round(float(r / max(k, 1)), 3) for name, r, k in zip(HEADS, right, known)}

    def answers(self, model: Flamingo) -> dict[str, list[bool]]:
        """Whether each answer is right as a whole (teacher forced: every word is the likeliest), by kind."""
        found = defaultdict(list)
        with torch.no_grad(), quick():
            for batch in self.batches:
                media = model.decoder.media(model.resampler(*tensors(batch))[0])
                flat = [(clip, q) for clip, asked in enumerate(batch.questions) for q in asked]
                for start in range(0, len(flat), 128):
                    part = flat[start : start + 128]
                    pieces = [segment(self.words, q, NoChoice()) for _, q in part]
                    length = max(map(len, pieces))
                    ids = np.zeros((len(part), length), np.int64)
                    weight = np.zeros((len(part), length), np.float32)
                    for row, piece in enumerate(pieces):
                        ids[row, : len(piece)] = piece.prompt + piece.answer
                        weight[row, len(piece.prompt) : len(piece)] = 1
                    ids, weight = placed(ids), placed(weight)
                    rows = media[[clip for clip, _ in part]][:, None]
                    logits = model.decoder(ids[:, :-1], rows, torch.zeros_like(ids[:, :-1]))
                    good = (logits.argmax(-1) == ids[:, 1:]) | (weight[:, 1:] == 0)
                    for (_, q), ok in zip(part, good.all(1).tolist()):
                        found[q.kind].append(ok)
        return found


class NoChoice:
    """A random source that always takes the question form."""

    def random(self) -> float:
        return 1.0


def by_kind(found: dict[str, list[bool]]) -> dict[str, float]:
    """Mean per kind and the mean of the kinds."""
    result = {kind: round(float(np.mean(v)), 3) for kind, v in sorted(found.items())}
    result["MEAN"] = round(float(np.mean(list(result.values()))), 4)
    return result
