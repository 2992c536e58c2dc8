"""Golden inputs and outputs of the three graphs, replayed by the service before it serves.

Resampler and decoder values come from PyTorch, the encoder's from ONNX Runtime. The encoder's picture is chosen so
that no decision inside the graph is close: no peak near the threshold, no two peaks of nearly the same height.
Otherwise another processor's rounding could swap two tokens.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from .. import layout, tokens
from ..nn.flamingo import Flamingo
from ..sim import simulate
from .modules import DECODER_INPUTS, PAST_NAMES, PRESENT_NAMES, DecoderGraph, ResamplerGraph
from .write import lm

TOLERANCE = {"vision_encoder": 0.05, "resampler": 1e-3, "decoder": 1e-3}


class Store:
    """Collects arrays into one binary file."""

    def __init__(self):
        self.data = bytearray()

    def put(self, array: np.ndarray) -> dict:
        array = np.ascontiguousarray(array)
        entry = {"dtype": str(array.dtype), "shape": list(array.shape), "offset": len(self.data)}
        self.data += array.astype(array.dtype.newbyteorder("<")).tobytes()
        self.data += b"\0" * (-len(self.data) % 8)
        return entry


def case(store: Store, graph: str, inputs: dict, outputs: dict) -> dict:
    """One golden case."""
    return {
        "graph": graph,
        "inputs": {k: store.put(np.asarray(v)) for k, v in inputs.items()},
        "outputs": {k: store.put(np.asarray(v)) for k, v in outputs.items()},
    }


def session(path: Path) -> onnxruntime.InferenceSession:
    """A session on one CPU thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def drawn_picture(seed: int) -> np.ndarray:
    """A drawn street with a few figures."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (layout.WIDTH, layout.HEIGHT), tuple(int(v) for v in rng.integers(120, 170, 3)))
    draw = ImageDraw.Draw(picture)
    draw.rectangle(
        [0, 0, layout.WIDTH, int(rng.integers(60, 110))], fill=tuple(int(v) for v in rng.integers(90, 220, 3))
    )
    for _ in range(rng.integers(1, 4)):
        h, x, y = int(rng.integers(60, 140)), int(rng.integers(30, 350)), int(rng.integers(150, 280))
        skin, top, legs = (tuple(int(v) for v in rng.integers(20, 220, 3)) for _ in range(3))
        draw.ellipse([x - h * 0.07, y - h, x + h * 0.07, y - h * 0.84], fill=skin)
        draw.rounded_rectangle([x - h * 0.14, y - h * 0.84, x + h * 0.14, y - h * 0.45], h * 0.05, fill=top)
        draw.rectangle([x - h * 0.11, y - h * 0.45, x - h * 0.02, y], fill=legs)
        draw.rectangle([x + h * 0.02, y - h * 0.45, x + h * 0.11, y], fill=legs)
    return np.asarray(picture)


def margin(features: np.ndarray) -> float:
    """How far the graph was from deciding otherwise (0: no object at all, or too close)."""
    heights = features[: layout.OBJECTS, layout.HEATS].max(-1)
    heights = heights[features[: layout.OBJECTS, layout.VALID] > 0]
    if len(heights) == 0:
        return 0.0
    edges = np.append(heights, layout.MIN_HEIGHT)
    return float(-np.diff(edges).max())


def encoder_case(store: Store, path: Path) -> dict:
    """The clearest of many drawn pictures."""
    encoder = session(path)
    best = (-1.0, None, None)
    for seed in range(60):
        pixels = drawn_picture(seed)[None]
        features = encoder.run(None, {"pixels": pixels})[0]
        if margin(features[0]) > best[0]:
            best = (margin(features[0]), pixels, features)
    return case(store, "vision_encoder", {"pixels": best[1]}, {"frame_features": best[2]})


def resampler_cases(store: Store, model: Flamingo) -> tuple[list[dict], torch.Tensor]:
    """Two windows over one bank, one with an absent frame; and a single frame."""
    world, features = simulate(2, 8, np.random.default_rng(3))
    bank = features.tokens.reshape(16, layout.TOKENS, layout.DIM).astype(np.float32)
    index = np.arange(16).reshape(2, 8)
    index[1, 2] = -1
    seconds = world.times.astype(np.float32)
    graph = ResamplerGraph(model.resampler, model.decoder).eval()
    cases = []
    for i, t in ((index, seconds), (index[:1, -1:], seconds[:1, -1:])):
        with torch.no_grad():
            media = graph(torch.from_numpy(bank), torch.from_numpy(i), torch.from_numpy(t))
        cases.append(
            case(store, "resampler", {"frame_bank": bank, "frame_index": i, "frame_pos": t}, {"media_kv": media})
        )
        if len(cases) == 1:
            kept = media
    return cases, kept


def decoder_cases(store: Store, model: Flamingo, words: tokens.Words, media: torch.Tensor) -> list[dict]:
    """Prefill of two questions about two windows, a step on top of it, and the gates shut."""
    prompts = [
        tokens.question_ids(words, q) for q in ("how many people are there?", "is somebody walking to the left?")
    ]
    length = max(map(len, prompts))
    ids = np.array([p + [tokens.PAD] * (length - len(p)) for p in prompts])
    mask = (ids != tokens.PAD).astype(np.int64)
    last = mask.sum(1)[:, None] - 1
    empty = np.zeros((2, lm.HEADS, 0, lm.HEAD_WIDTH), np.float32)
    graph = DecoderGraph(model.decoder).eval()

    def run(values: dict, past: list[np.ndarray]) -> dict:
        tensors = [torch.from_numpy(np.asarray(values[n])) for n in DECODER_INPUTS]
        with torch.no_grad():
            outputs = graph(*tensors, [torch.from_numpy(p) for p in past])
        result = {n: o.numpy() for n, o in zip(("logits", *PRESENT_NAMES), outputs)}
        inputs = {**values, **dict(zip(PAST_NAMES, past))}
        cases.append(case(store, "decoder", inputs, result))
        return result

    cases: list[dict] = []
    first = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": np.broadcast_to(np.arange(length), ids.shape),
        "media_index": np.array([[0] * length, [1] * length]),
        "logits_index": last,
        "gate_scale": np.float32(1.0),
        "media_kv": media.numpy(),
    }
    result = run(first, [empty] * len(PAST_NAMES))
    run({**first, "gate_scale": np.float32(0.0)}, [empty] * len(PAST_NAMES))
    step = result["logits"].argmax(-1)
    run(
        {
            "input_ids": step,
            "attention_mask": np.concatenate([mask, np.ones((2, 1), np.int64)], 1),
            "position_ids": last + 1,
            "media_index": np.array([[0], [1]]),
            "logits_index": np.zeros((2, 1), np.int64),
            "gate_scale": np.float32(1.0),
            "media_kv": media.numpy(),
        },
        [result[n] for n in PRESENT_NAMES],
    )
    return cases


def write(model: Flamingo, words: tokens.Words, folder: Path) -> None:
    """Writes golden/golden.json and golden/golden.bin."""
    store = Store()
    cases = [encoder_case(store, folder / "vision_encoder.onnx")]
    more, media = resampler_cases(store, model)
    cases += more + decoder_cases(store, model, words, media)
    save(folder, store, cases)


def save(folder: Path, store: Store, cases: list[dict]) -> None:
    """Writes both files."""
    (folder / "golden").mkdir(exist_ok=True)
    (folder / "golden" / "golden.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")
    (folder / "golden" / "golden.bin").write_bytes(bytes(store.data))


def stored(data: bytes, entry: dict) -> np.ndarray:
    """The array that an entry names."""
    count = int(np.prod(entry["shape"])) if entry["shape"] else 1
    return np.frombuffer(data, entry["dtype"], count, entry["offset"]).reshape(entry["shape"])


def replay(folder: Path, relative: bool = False) -> dict[str, float]:
    """Largest difference of each graph from its goldens, on ONNX Runtime; one that is no finite number is an error.

    `relative`: to the golden's number where that is above 1, as the service compares.
    """
    document = json.loads((folder / "golden" / "golden.json").read_text())
    data = (folder / "golden" / "golden.bin").read_bytes()
    sessions: dict[str, onnxruntime.InferenceSession] = {}
    worst: dict[str, float] = {}
    for number, one in enumerate(document["cases"]):
        name = one["graph"]
        if name not in sessions:
            sessions[name] = session(folder / f"{name}.onnx")
        wanted = one["outputs"]
        got = sessions[name].run(list(wanted), {k: stored(data, v) for k, v in one["inputs"].items()})
        for output, value, entry in zip(wanted, got, wanted.values(), strict=True):
            golden = stored(data, entry).astype(np.float32)
            with np.errstate(invalid="ignore"):  # infinity less infinity
                apart = np.abs(value.astype(np.float32) - golden)
                apart = apart / np.maximum(1, np.abs(golden)) if relative else apart
            difference = float(apart.max()) if apart.size else 0.0
            if not np.isfinite(difference):  # `max` would keep what was worst before
                raise RuntimeError(
                    f"{folder}: golden case {number} of {name}: `{output}` holds numbers that are not finite; the weights"
                    " are damaged or overflow in this precision"
                )
            worst[name] = max(worst.get(name, 0.0), difference)
    return worst
