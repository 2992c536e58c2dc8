"""The `variants` command: other precisions of the three graphs, their size, accuracy and time."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from .. import tokens
from ..encoder.command import encoder_file
from ..graphs.precision import halved
from ..paths import cache_dir
from ..sim import simulate
from . import real, simulated, speed
from .metrics import by_kind, changing, mean_balanced
from .model import Model

PARTS = ("resampler", "decoder")


def widen(path: Path) -> onnx.ModelProto:
    """A graph with its float16 weights turned back into float32."""
    model = onnx.load(path)
    halves = {t.name: t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT16}
    nodes, wide = [], []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            array = numpy_helper.to_array(halves[node.input[0]]).astype(np.float32)
            wide.append(numpy_helper.from_array(array, node.output[0]))
        else:
            nodes.append(node)
    kept = [t for t in model.graph.initializer if t.name not in halves]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept + wide)
    return model


def saved(model: onnx.ModelProto, target: Path) -> Path:
    """Writes a graph; gives its file."""
    onnx.save(model, target)
    return target


class Examples:
    """Calibration inputs of the resampler or the decoder: simulated windows and questions about them."""

    def __init__(self, model: Model, part: str, count: int = 24):
        self.feeds = iter(list(self.make(model, part, count)))

    @staticmethod
    def make(model: Model, part: str, count: int):
        world, features = simulate(count, 8, np.random.default_rng(4))
        texts = ["is a person there?", "how many people are there?", "is somebody walking to the left?"]
        for clip in range(count):
            bank, seconds = features.tokens[clip].astype(np.float32), world.times[clip][None].astype(np.float32)
            index = np.where(world.present[clip], np.arange(8), -1)[None]
            if part == "resampler":
                yield {"frame_bank": bank, "frame_index": index.astype(np.int64), "frame_pos": seconds}
            else:
                row = tokens.question_ids(model.words, texts[clip % 3])
                media = model.window(bank, index, seconds)
                yield model.feeds([row], [[len(row) - 1]], media, [0], 1.0)

    def get_next(self):
        """The next inputs, or None."""
        return next(self.feeds, None)


def quantised(source: onnx.ModelProto, target: Path, model: Model | None = None) -> Path:
    """int8 weights of all matrix products: dynamic, or static where a model gives calibration inputs."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    with tempfile.TemporaryDirectory() as work:
        wide = Path(work) / target.name
        onnx.save(source, wide)
        if model is None:
            quantize_dynamic(wide, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, reduce_range=True)
        else:
            quantize_static(
                wide, target, Examples(model, target.stem), quant_format=QuantFormat.QDQ, per_channel=True,
                reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm"],
            )  # fmt: skip
    return target


def make(model: Model, folder: Path) -> dict[str, dict[str, Path]]:
    """Files that replace the shipped ones, by variant."""
    wide = encoder_file(full=True)
    sources = {part: widen(model.files[part]) for part in PARTS}
    result: dict[str, dict[str, Path]] = {"shipped": {}, "fp32": {"vision_encoder": wide}}
    for name, convert in (
        ("fp16", lambda part, target: saved(halved(sources[part]), target)),
        ("int8 dynamic", lambda part, target: quantised(sources[part], target)),
        ("int8 static", lambda part, target: quantised(sources[part], target, model)),
    ):
        place = folder / name.replace(" ", "-")
        place.mkdir(exist_ok=True)
        result[name] = {part: convert(part, place / f"{part}.onnx") for part in PARTS}
    result["fp16"]["vision_encoder"] = saved(halved(widen(wide)), folder / "fp16" / "vision_encoder.onnx")
    plain = folder / "fp32"
    plain.mkdir(exist_ok=True)
    for part in PARTS:
        onnx.save(sources[part], plain / f"{part}.onnx")
        result["fp32"][part] = plain / f"{part}.onnx"
    return result


ABOUT = {
    "shipped": "encoder int8, the rest float16 weights, computed in float32",
    "fp32": "everything float32",
    "fp16": "everything float16 (as a GPU computes; times on a CPU mean nothing)",
    "int8 dynamic": "encoder int8, matrix products of the rest int8, ranges taken at run time",
    "int8 static": "encoder int8, matrix products of the rest int8, ranges calibrated on simulated windows",
}


def judge(folder: Path, frames: Path, windows: list[dict], count: int) -> dict[str, dict]:
    """Size, accuracy and time of every variant."""
    model = Model(folder)
    figures = {}
    for name, files in make(model, cache_dir("variants")).items():
        try:
            one = Model(folder, files)
            asked = real.judge(one, real.Views(frames, one), windows, wordings=1, baselines=False)
        except Exception as error:  # a runtime that lacks a kernel: the table says so
            figures[name] = {"error": str(error).splitlines()[0][:120]}
            continue
        results = by_kind(asked)
        times = speed.measure(one) if name != "fp16" else {}
        figures[name] = {
            "MB": sum(p.stat().st_size for p in one.files.values()) / 1e6,
            "footage": mean_balanced(results, changing(results)),
            "simulated": simulated.mean(simulated.judge(one, count, baselines=False)),
            **{k: times.get(k) for k in ("frame", "window of 8 frames", "closed question")},
        }
    return figures


def table(figures: dict[str, dict]) -> str:
    """One line per variant."""
    lines = [
        "| | | MB | footage, balanced | simulated, closed | frame, ms | window, ms | question, ms |",
        "|---" * 8 + "|",
    ]
    for name, row in figures.items():
        if "error" in row:
            lines.append(f"| {name} | {ABOUT[name]}: does not run here ({row['error']}) | | | | | | |")
            continue
        ms = ["–" if row[k] is None else f"{row[k]:.2f}" for k in ("frame", "window of 8 frames", "closed question")]
        lines.append(
            f"| {name} | {ABOUT[name]} | {row['MB']:.1f} | {row['footage']:.3f} | {row['simulated']:.3f} | "
            + " | ".join(ms)
            + " |"
        )
    return "\n".join(lines)
