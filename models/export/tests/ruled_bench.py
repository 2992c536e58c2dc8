"""Asks a model folder as the service does: rows of a batch over one bank, prefixes run once, greedy and beam search."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from wader_export.families import media_inputs
from wader_export.graphs.goldens import session


@dataclass
class Text:
    """One row: its tokens, and the bank's row of each of its pictures."""

    ids: list[int]
    rows: list[int]


def write_tokenizer(path: Path, words: int, special: list[str]) -> None:
    """Words `w0`, `w1`, ... and special tokens after them."""
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(words)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    tokenizer.save(str(path))


class Bench:
    """A folder's three graphs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.graphs = {name: session(folder / file) for name, file in self.manifest["graphs"].items()}
        self.float = np.dtype(self.manifest["float"])
        decoder = self.manifest["decoder"]
        self.rule, self.image = decoder["media_rule"], self.manifest["tokens"]["image"]
        layers = [(i, part) for i in range(decoder["self_layers"]) for part in ("key", "value")]
        self.past = [f"past_key_values.{i}.{part}" for i, part in layers]
        self.empty = [np.zeros((1, decoder["kv_heads"], 0, decoder["head_dim"]), self.float)] * len(self.past)

    def features(self, pixels: np.ndarray) -> np.ndarray:
        return self.graphs["vision_encoder"].run(None, {"pixels": pixels})[0]

    def media(self, features: np.ndarray, index: list[int], pos: float = 0.0) -> np.ndarray:
        """A row of K and V for each frame named."""
        rows = np.array(index, np.int64)[:, None]
        given = {"frame_bank": features, "frame_index": rows, "frame_pos": np.full(rows.shape, pos, np.float32)}
        return self.graphs["resampler"].run(None, given)[0]

    def lay(self, text: Text, bank: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
        """What the rule wants of each token, of the row, and the position of the next token."""
        if self.rule == "span":
            index, span = media_inputs.span(text.ids, self.image, text.rows[0] if text.rows else 0)
            assert text.rows == list(range(text.rows[0], text.rows[0] + len(text.rows))) if text.rows else True
            places = np.arange(len(text.ids))
            return {"position_ids": places, "media_index": index, "media_span": span}, {}, len(text.ids)
        advance = self.manifest["positions"]["image_advance"]
        places, media, following = media_inputs.position(text.ids, self.image, advance)
        at = np.full(bank, -1, np.int64)
        at[text.rows] = media
        return {"position_ids": places}, {"media_pos": at}, following

    def call(self, ids, mask, tokens, rows, logits, media_kv, past, gate=1.0) -> tuple[np.ndarray, list[np.ndarray]]:
        """One call of the decoder."""
        given = {"input_ids": ids, "attention_mask": mask, "logits_index": logits, **tokens, **rows}
        given = {name: np.ascontiguousarray(value, np.int64) for name, value in given.items()}
        given |= {"gate_scale": np.array(gate, np.float32), "media_kv": media_kv}
        given |= dict(zip(self.past, past, strict=True))
        found, *present = self.graphs["decoder"].run(None, given)
        return found, present

    def part(self, texts: list[Text], start: int, media_kv, past, mask, gate=1.0, end=None, every=False, left=0):
        """Tokens `start` to `end` of each text, filled up on the right (or by `left` on the left)."""
        laid = [self.lay(text, len(media_kv)) for text in texts]
        parts = [text.ids[start:end] for text in texts]
        longest = max(map(len, parts))
        fill = lambda row, value: [value] * left + [*row, *[value] * (longest - len(row))]  # noqa: E731
        ids = np.array([fill(row, self.manifest["tokens"]["pad"]) for row in parts])
        real = np.array([fill([1] * len(row), 0) for row in parts])
        fillers = {"position_ids": 0, "media_index": -1, "media_span": 1}
        tokens = {n: np.array([fill(one[n][start:end], fillers[n]) for one, _, _ in laid]) for n in laid[0][0]}
        rows = {name: np.stack([one[name] for _, one, _ in laid]) for name in laid[0][1]}
        last = np.array([[left + len(row) - 1] for row in parts])
        wanted = np.tile(np.arange(left, left + longest), (len(texts), 1)) if every else last
        whole = np.concatenate([mask, real], 1)
        logits, present = self.call(ids, whole, tokens, rows, wanted, media_kv, past, gate)
        return logits, present, whole, laid

    def logits(self, text: Text, media_kv: np.ndarray, gate: float = 1.0, left: int = 0) -> np.ndarray:
        """Logits [seq, vocab] of one text."""
        mask = np.zeros((1, 0), np.int64)
        return self.part([text], 0, media_kv, self.empty, mask, gate, every=True, left=left)[0][0]

    def prefix(self, text: Text, length: int, media_kv: np.ndarray, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        """The first tokens run once, given to `count` rows."""
        _, past, mask, _ = self.part([text], 0, media_kv, self.empty, np.zeros((1, 0), np.int64), end=length)
        return [np.repeat(one, count, 0) for one in past], np.repeat(mask, count, 0)

    def step(self, state, tokens: np.ndarray, media_kv: np.ndarray, number: int):
        """One generated token a row."""
        past, mask, laid = state
        mask = np.concatenate([mask, np.ones((len(tokens), 1), np.int64)], 1)
        last = {name: np.array([[one[name][-1]] for one, _, _ in laid]) for name in laid[0][0]}
        last["position_ids"] = np.array([[following + number] for _, _, following in laid])
        rows = {name: np.stack([one[name] for _, one, _ in laid]) for name in laid[0][1]}
        zero = np.zeros((len(tokens), 1))
        logits, past = self.call(tokens[:, None], mask, last, rows, zero, media_kv, past)
        return logits[:, 0], (past, mask, laid)

    def greedy(self, texts: list[Text], media_kv: np.ndarray, steps: int, shared: int = 0):
        """Tokens [rows, steps] and their logits [rows, steps, vocab]; the first `shared` tokens are run once."""
        past, mask = [np.repeat(one, len(texts), 0) for one in self.empty], np.zeros((len(texts), 0), np.int64)
        if shared:
            past, mask = self.prefix(texts[0], shared, media_kv, len(texts))
        logits, past, mask, laid = self.part(texts, shared, media_kv, past, mask)
        logits, state, found, every = logits[:, 0], (past, mask, laid), [], []
        for number in range(steps):
            found.append(logits.argmax(-1))
            every.append(logits)
            if number + 1 < steps:
                logits, state = self.step(state, found[-1], media_kv, number)
        return np.stack(found, 1), np.stack(every, 1)

    def beam(self, text: Text, media_kv: np.ndarray, steps: int, width: int = 3) -> list[list[int]]:
        """The best continuations; K and V follow their beams."""
        logits, past, mask, laid = self.part([text], 0, media_kv, self.empty, np.zeros((1, 0), np.int64))
        chosen = best(logits[:, 0], np.zeros(1), width)
        told, scores = [[token] for _, token, _ in chosen], np.array([score for *_, score in chosen])
        state = [np.repeat(one, width, 0) for one in past], np.repeat(mask, width, 0), laid * width
        for number in range(steps - 1):
            logits, state = self.step(state, np.array([row[-1] for row in told]), media_kv, number)
            chosen = best(logits, scores, width)
            parents = [parent for parent, *_ in chosen]
            told, scores = [told[p] + [t] for p, t, _ in chosen], np.array([score for *_, score in chosen])
            state = [one[parents] for one in state[0]], state[1], state[2]
        return told


def best(logits: np.ndarray, scores: np.ndarray, width: int) -> list[tuple[int, int, float]]:
    """The `width` best (row, token, score) of all rows."""
    wide = logits.astype(np.float64)
    top = wide.max(-1, keepdims=True)
    likely = wide - top - np.log(np.exp(wide - top).sum(-1, keepdims=True))
    flat = (likely + scores[:, None]).ravel()
    order = np.argsort(-flat)[:width]
    return [(int(i // logits.shape[1]), int(i % logits.shape[1]), float(flat[i])) for i in order]


def plain_beam(forward, ids: list[int], steps: int, width: int = 3) -> list[list[int]]:
    """The same search with everything computed anew; `forward(ids)` gives the last token's logits."""
    told, scores = [[]], np.zeros(1)
    for _ in range(steps):
        chosen = best(np.stack([forward(ids + row) for row in told]), scores, width)
        told, scores = [told[p] + [t] for p, t, _ in chosen], np.array([score for *_, score in chosen])
    return told


def plain_greedy(forward, ids: list[int], steps: int) -> tuple[list[int], np.ndarray]:
    """Tokens and their logits with everything computed anew."""
    told, every = [], []
    for _ in range(steps):
        every.append(forward(ids + told))
        told.append(int(every[-1].argmax()))
    return told, np.stack(every)


def far(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference; not a number counts as infinite."""
    difference = np.abs(found.astype(np.float64) - expected)
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")
