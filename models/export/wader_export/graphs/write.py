"""Writes the resampler and decoder graphs: exported once, dimensions named, weights stored as float16."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.export import Dim

from .. import layout
from ..nn import decoder as lm
from ..nn import resampler as rs
from ..nn.flamingo import Flamingo
from . import names
from .modules import DECODER_INPUTS, LAYERS, PAST_NAMES, PRESENT_NAMES, RESAMPLER_INPUTS, DecoderGraph, ResamplerGraph

OPSET, IR = 21, 10
SMALL = 64  # arrays up to this size stay float32

SHAPES = {
    "frame_bank": ["bank", layout.TOKENS, layout.DIM],
    "frame_index": ["media", "frames"],
    "frame_pos": ["media", "frames"],
    "media_kv": ["media", lm.LAYERS, 2, lm.HEADS, rs.LATENTS, lm.HEAD_WIDTH],
    "input_ids": ["batch", "seq"],
    "attention_mask": ["batch", "past_and_seq"],
    "position_ids": ["batch", "seq"],
    "media_index": ["batch", "seq"],
    "logits_index": ["batch", "nlogits"],
    "gate_scale": [],
    "logits": ["batch", "nlogits", None],
    **{n: ["batch", lm.HEADS, "past", lm.HEAD_WIDTH] for n in PAST_NAMES},
    **{n: ["batch", lm.HEADS, "past_and_seq", lm.HEAD_WIDTH] for n in PRESENT_NAMES},
}


def round_weights(model: torch.nn.Module) -> None:
    """Rounds every weight to float16, so that PyTorch computes with what the file stores."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > SMALL:
                parameter.copy_(parameter.half().float())


def decoder_example(media: int = 3, rows: int = 2, length: int = 5, past: int = 4) -> tuple:
    """Inputs of plausible shape for the export."""
    shape = (media, lm.LAYERS, 2, lm.HEADS, rs.LATENTS, lm.HEAD_WIDTH)
    return (
        torch.randint(7, 100, (rows, length)),
        torch.ones(rows, past + length, dtype=torch.int64),
        torch.arange(past, past + length).expand(rows, length).contiguous(),
        torch.zeros(rows, length, dtype=torch.int64),
        torch.full((rows, 2), length - 1),
        torch.tensor(1.0),
        torch.randn(shape),
        [torch.randn(rows, lm.HEADS, past, lm.HEAD_WIDTH) for _ in range(2 * LAYERS)],
    )


def resampler_example() -> tuple:
    """Inputs of plausible shape for the export."""
    return torch.rand(9, layout.TOKENS, layout.DIM), torch.arange(10).reshape(2, 5) % 9, -torch.rand(2, 5)


def export(
    module: torch.nn.Module, example: tuple, inputs: list[str], outputs: list[str], dynamic, path: Path, model: Flamingo
) -> None:
    """Exports one module of the model and tidies the file."""
    with torch.no_grad():
        torch.onnx.export(
            module.eval(),
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(path)
    name_dimensions(graph)
    names.forget_code(graph)
    names.name_parameters(graph, dict(model.named_parameters()))
    halve(graph)
    graph.ir_version = IR
    graph.producer_name = "wader_export"
    graph.graph.name = path.stem
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def name_dimensions(model: onnx.ModelProto) -> None:
    """Gives inputs and outputs the dimension names of the contract."""
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        fixed = [d.dim_value for d in shape.dim]
        shape.Clear()
        for i, name in enumerate(SHAPES[value.name]):
            axis = shape.dim.add()
            if isinstance(name, str):
                axis.dim_param = name
            else:
                axis.dim_value = name if name is not None else fixed[i]


def halve(model: onnx.ModelProto) -> None:
    """Stores float32 initialisers as float16 behind a Cast, which the runtime folds when it loads."""
    kept, casts = [], []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or array.size <= SMALL:
            kept.append(tensor)
            continue
        half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array):
            kept.append(tensor)  # a constant that float16 cannot hold
            continue
        kept.append(numpy_helper.from_array(half, tensor.name + names.STORED))
        casts.append(helper.make_node("Cast", [tensor.name + names.STORED], [tensor.name], to=TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)


def write(model: Flamingo, folder: Path) -> None:
    """Writes resampler.onnx and decoder.onnx; the model's weights are rounded to float16 first."""
    round_weights(model)
    any_ = Dim.DYNAMIC
    export(
        ResamplerGraph(model.resampler, model.decoder),
        resampler_example(),
        RESAMPLER_INPUTS,
        ["media_kv"],
        ({0: any_}, {0: any_, 1: any_}, {0: any_, 1: any_}),
        folder / "resampler.onnx",
        model,
    )
    two = {0: any_, 1: any_}
    export(
        DecoderGraph(model.decoder),
        decoder_example(),
        [*DECODER_INPUTS, *PAST_NAMES],
        ["logits", *PRESENT_NAMES],
        (two, two, two, two, two, {}, {0: any_}, [{0: any_, 2: any_} for _ in PAST_NAMES]),
        folder / "decoder.onnx",
        model,
    )
