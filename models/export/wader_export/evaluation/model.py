"""A model folder behind ONNX Runtime: features, windows, scored answers, captions."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from .. import tokens
from ..graphs.goldens import session
from . import unsure


class Model:
    """The three graphs, one CPU thread."""

    def __init__(self, folder: Path, replaced: dict[str, Path] | None = None):
        """`replaced`: other files for some of the graphs."""
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.files = {name: folder / file for name, file in self.manifest["graphs"].items()} | (replaced or {})
        self.graphs = {name: session(path) for name, path in self.files.items()}
        self.words = tokens.Words(Tokenizer.from_file(str(folder / "tokenizer.json")))
        self.beside = {word: self.words.ids[word] for word in unsure.BESIDE if word in self.words.ids}
        decoder = self.manifest["decoder"]
        self.layers, self.heads, self.width = decoder["self_layers"], decoder["kv_heads"], decoder["head_dim"]

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """u8 [n, H, W, 3] -> features [n, V, D]."""
        return self.graphs["vision_encoder"].run(None, {"pixels": pixels})[0]

    def window(self, bank: np.ndarray, index: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """media_kv of windows."""
        feeds = {"frame_bank": bank, "frame_index": index.astype(np.int64), "frame_pos": seconds.astype(np.float32)}
        return self.graphs["resampler"].run(None, feeds)[0]

    def decode(self, rows: list[list[int]], wanted: list[list[int]], media: np.ndarray, owner: list[int], gate: float):
        """Logits [rows, n, vocabulary] at the positions `wanted` of each row; all of a row sees its medium."""
        return self.graphs["decoder"].run(["logits"], self.feeds(rows, wanted, media, owner, gate))[0]

    def feeds(self, rows: list[list[int]], wanted: list[list[int]], media: np.ndarray, owner: list[int], gate: float):
        """The decoder's inputs for whole rows without a past."""
        length, most = max(map(len, rows)), max(map(len, wanted))
        ids = np.array([r + [tokens.PAD] * (length - len(r)) for r in rows], np.int64)
        mask = np.array([[1] * len(r) + [0] * (length - len(r)) for r in rows], np.int64)
        feeds = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": np.tile(np.arange(length), (len(rows), 1)),
            "media_index": np.tile(np.array(owner)[:, None], (1, length)),
            "logits_index": np.array([w + [w[-1]] * (most - len(w)) for w in wanted], np.int64),
            "gate_scale": np.array(gate, np.float32),
            "media_kv": media,
        }
        empty = np.zeros((len(rows), self.heads, 0, self.width), np.float32)
        for i in range(self.layers):
            feeds[f"past_key_values.{i}.key"] = feeds[f"past_key_values.{i}.value"] = empty
        return feeds

    def knows(self, text: str) -> bool:
        """Whether the vocabulary has every word of a text."""
        return tokens.UNKNOWN not in self.words.encode(text)

    def ask(
        self, questions: list[tuple[str, tuple[str, ...]]], media: np.ndarray, gate: float = 1.0
    ) -> list[unsure.Reply]:
        """Closed questions (text, allowed one-token answers) about one window."""
        if not questions:
            return []
        rows = [tokens.question_ids(self.words, text) for text, _ in questions]
        logits = self.decode(rows, [[len(r) - 1] for r in rows], media, [0] * len(rows), gate)[:, 0]
        ids = [[self.words.encode(a)[0] for a in answers] for _, answers in questions]
        return [unsure.reply(row, i, answers, self.beside) for row, i, (_, answers) in zip(logits, ids, questions)]

    def caption(self, media: np.ndarray, most: int = 64) -> str:
        """A greedy caption (whole prefix each step: short and simple)."""
        row, start = list(tokens.CAPTION_IDS), len(tokens.CAPTION_IDS)
        while len(row) < start + most:
            word = int(self.decode([row], [[len(row) - 1]], media, [0], 1.0)[0, 0].argmax())
            if word == tokens.END:
                break
            row.append(word)
        return self.words.decode(row[start:])
