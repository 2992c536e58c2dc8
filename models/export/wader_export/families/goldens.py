"""Golden calls of a converted model: what PyTorch computes from the folder's own rounded weights, in float32."""

from pathlib import Path

import numpy as np
import torch

from ..graphs.goldens import Store, case, replay, save
from .family import Conversion, Precision
from .ports import FLOAT, Port
from .streamed import streamed

# As the service compares: absolute where a number is below 1, relative above.
TOLERANCE = {"float32": 1e-3, "float16": 5e-2}
ROWS, LENGTH, MEDIA, FRAMES = 2, 6, 2, 2


class Caller:
    """Calls one module with named arrays and keeps the call; arrays of the float type are rounded to it first."""

    def __init__(self, conversion: Conversion, precision: Precision, store: Store, cases: list[dict], graph: str):
        self.ports, self.float_type = conversion.ports[graph], precision.float_type
        self.store, self.cases, self.graph, self.module = store, cases, graph, None

    def __call__(self, **given) -> dict[str, np.ndarray]:
        arrays = {port.name: self.typed(port, given[port.name]) for port in self.ports.inputs}
        values = [self.tensor(port, arrays[port.name]) for port in self.ports.inputs]
        count = len(values) - self.ports.listed
        arguments = [*values[:count], values[count:]] if self.ports.listed else values
        results = self.module(*arguments)
        results = results if isinstance(results, tuple) else (results,)
        outputs = {p.name: self.typed(p, r.numpy()) for p, r in zip(self.ports.outputs, results, strict=True)}
        self.cases.append(case(self.store, self.graph, arrays, outputs))
        return outputs

    def typed(self, port: Port, array) -> np.ndarray:
        return np.ascontiguousarray(array, self.float_type if port.kind == FLOAT else port.kind)

    def tensor(self, port: Port, array: np.ndarray) -> torch.Tensor:
        value = torch.from_numpy(array)
        return value.float() if port.kind == FLOAT else value


def write(conversion: Conversion, folder: Path, precision: Precision) -> None:
    """Writes `golden/golden.json` and `golden/golden.bin`."""
    store, cases, results = Store(), [], {}
    for graph, make in (("vision_encoder", vision), ("resampler", resampler), ("decoder", decoder)):
        caller = Caller(conversion, precision, store, cases, graph)
        small = conversion.int4 if precision.int4 and graph == "decoder" else frozenset()
        weights = conversion.weights.under(graph)
        with streamed(conversion.modules[graph], weights, precision.float_type, small) as caller.module:
            if graph == "decoder" and conversion.golden_cases is not None:
                conversion.golden_cases(conversion, caller, results)
            else:
                results[graph] = make(conversion, caller, results)
    save(folder, store, cases)


def vision(conversion: Conversion, call: Caller, results: dict) -> dict:
    """Two frames: a gradient and noise."""
    shapes = conversion.shapes
    steps = np.linspace(0, 255, shapes.width)[None, :, None] * np.ones((shapes.height, 1, 3))
    noise = np.random.default_rng(1).integers(0, 256, (shapes.height, shapes.width, 3))
    return call(pixels=np.stack([steps, noise]))


def resampler(conversion: Conversion, call: Caller, results: dict) -> dict:
    """Two windows over one bank; where a window may have several frames, one of them is absent."""
    several = conversion.facts["resampler"]["max_frames"] > 1
    frames = FRAMES if several else 1
    index = np.array([[0, 1], [-1, 1]])[:, -frames:] if several else np.array([[1], [0]])
    positions = np.broadcast_to(np.arange(frames), index.shape)
    return call(
        frame_bank=results["vision_encoder"]["frame_features"], frame_index=index, frame_pos=positions
    )


def decoder(conversion: Conversion, call: Caller, results: dict) -> dict:
    """Two ragged prompts about two media, the same with gates shut, and a step on top of the first."""
    shapes, tokens = conversion.shapes, conversion.facts["tokens"]
    ids = np.random.default_rng(2).integers(0, shapes.vocab, (ROWS, LENGTH))
    ids[:, 1] = tokens["image"]
    mask = np.ones_like(ids)
    mask[1, -1] = 0  # the shorter row, filled up
    ids[1, -1] = tokens["pad"]
    owner = np.tile([[0], [1]], (1, LENGTH))
    owner[:, 0] = -1  # before the picture
    last = mask.sum(1, keepdims=True) - 1
    given = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": mask.cumsum(1) - 1,
        "media_index": owner,
        "logits_index": last,
        "gate_scale": 1.0,
        "media_kv": results["resampler"]["media_kv"],
    }
    empty = np.zeros((ROWS, shapes.kv_heads, 0, shapes.head_dim))
    caches = [port.name for port in call.ports.inputs[-call.ports.listed :]]
    first = call(**given, **dict.fromkeys(caches, empty))
    call(**{**given, "gate_scale": 0.0}, **dict.fromkeys(caches, empty))
    step = {
        **given,
        "input_ids": first["logits"].argmax(-1),
        "attention_mask": np.concatenate([mask, np.ones((ROWS, 1))], 1),
        "position_ids": last + 1,
        "media_index": owner[:, -1:],
        "logits_index": np.zeros((ROWS, 1)),
    }
    presents = [first[port.name] for port in call.ports.outputs[1:]]
    return call(**step, **dict(zip(caches, presents, strict=True)))


def check(folder: Path, precision: Precision) -> dict[str, float]:
    """Replays them on ONNX Runtime; a graph that is too far off is an error."""
    worst = replay(folder, relative=True)
    limit = TOLERANCE[precision.float_type]
    for graph, difference in worst.items():
        print(f"{graph}: {difference:.2e} from PyTorch (limit {limit:g})")
    far = [graph for graph, difference in worst.items() if not difference <= limit]
    if far:
        names = ", ".join(far)
        raise RuntimeError(f"{folder}: ONNX Runtime differs from PyTorch in {names}; this is a fault, report it")
    return worst
