"""Runs a converted model's graphs on ONNX Runtime as the service does: one bank, one prefix, ragged suffixes."""

from pathlib import Path

import numpy as np

from wader_export.families import folder as folders
from wader_export.families import graphs
from wader_export.families.family import PRECISIONS, Conversion, Precision
from wader_export.graphs.goldens import session


class Bench:
    """The three graphs of one conversion."""

    def __init__(
        self, conversion: Conversion, folder: Path, precision: Precision = PRECISIONS["fp32"],
        only: tuple = folders.GRAPHS,
    ):  # fmt: skip
        self.conversion, self.precision = conversion, precision
        self.shapes, self.kind = conversion.shapes, np.dtype(self.precision.float_type)
        self.sessions = {}
        for graph in only:
            small = conversion.int4 if self.precision.int4 and graph == "decoder" else frozenset()
            ports, weights = conversion.ports[graph], conversion.weights.under(graph)
            path = folder / f"{graph}-{precision.name}.onnx"
            graphs.export(conversion.modules[graph], ports, weights, path, self.precision.float_type, small)
            self.sessions[graph] = session(path)

    def features(self, pixels) -> np.ndarray:
        """u8 [frames, H, W, 3] to the bank."""
        return self.sessions["vision_encoder"].run(None, {"pixels": np.asarray(pixels, np.uint8)})[0]

    def media(self, bank, index, positions=None) -> np.ndarray:
        """Rows of the bank to media K/V."""
        index = np.asarray(index, np.int64)
        at = np.broadcast_to(np.arange(index.shape[1]), index.shape) if positions is None else positions
        feeds = {"frame_bank": bank.astype(self.kind), "frame_index": index, "frame_pos": np.asarray(at, np.float32)}
        return self.sessions["resampler"].run(None, feeds)[0]

    def run(self, rows, media, owner, past=None, mask=None, positions=None, gate=1.0):
        """Logits at every position of padded rows, and the new past."""
        ids = np.asarray(rows, np.int64)
        shapes = self.shapes
        if past is None:
            past = [np.zeros((len(ids), shapes.kv_heads, 0, shapes.head_dim))] * (2 * shapes.self_layers)
        whole = past[0].shape[2] + ids.shape[1]
        mask = np.ones((len(ids), whole), np.int64) if mask is None else np.asarray(mask, np.int64)
        if positions is None:
            positions = (mask.cumsum(1) - 1).clip(0)[:, -ids.shape[1] :]
        feeds = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "media_index": np.asarray(owner, np.int64),
            "logits_index": np.tile(np.arange(ids.shape[1]), (len(ids), 1)),
            "gate_scale": np.array(gate, np.float32),
            "media_kv": media.astype(self.kind),
        }
        names = [port.name for port in self.conversion.ports["decoder"].inputs[-2 * shapes.self_layers :]]
        feeds |= {name: value.astype(self.kind) for name, value in zip(names, past, strict=True)}
        logits, *present = self.sessions["decoder"].run(None, feeds)
        return logits, present

    def greedy(self, logits, past, mask, owner, media, lengths, steps: int) -> list[list[int]]:
        """Greedy tokens after ragged prompts: what is generated stands behind the padding of its row."""
        rows = len(mask)
        at = np.asarray(lengths)
        last = np.take_along_axis(logits, at[:, None, None] - 1, 1)[:, 0]
        made: list[list[int]] = [[] for _ in range(rows)]
        mask = np.asarray(mask)
        for _ in range(steps):
            tokens = last.argmax(-1)
            for row, token in zip(made, tokens):
                row.append(int(token))
            mask = np.concatenate([mask, np.ones((rows, 1), np.int64)], 1)
            logits, past = self.run(tokens[:, None], media, np.asarray(owner)[:, -1:], past, mask)
            last = logits[:, -1]
        return made

    def beam(self, ids, media, owner, steps: int, beams: int) -> list[int]:
        """Beam search over one row: repeat, score, gather the past by beam."""
        logits, past = self.run([ids], media, [owner])
        scores = log_softmax(logits[0, -1])
        best = np.argsort(-scores)[:beams]
        texts, scores = [[int(t)] for t in best], scores[best]
        past = [np.repeat(value, beams, 0) for value in past]
        for _ in range(steps - 1):
            rows = [[text[-1]] for text in texts]
            logits, past = self.run(rows, media, [[owner[-1]]] * beams, past)
            total = scores[:, None] + log_softmax(logits[:, -1])
            flat = np.argsort(-total.ravel())[:beams]
            parents, tokens = np.divmod(flat, total.shape[1])
            texts = [[*texts[p], int(t)] for p, t in zip(parents, tokens)]
            scores, past = total.ravel()[flat], [value[parents] for value in past]
        return texts[int(scores.argmax())]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    moved = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(-1, keepdims=True))


def owners(ids: list[int], image: int, first: int = 0) -> list[int]:
    """Which medium each token of a row sees: the latest picture token at or before it; rows from `first` on."""
    seen, result = -1, []
    for token in ids:
        seen += token == image
        result.append(seen + first if seen >= 0 else -1)
    return result
