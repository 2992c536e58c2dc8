"""Writes ``comparer.onnx``: exported once, dimensions named, weights stored as float16."""

from pathlib import Path

import onnx
import torch
from torch.export import Dim

from ..graphs import names
from ..graphs.write import IR, OPSET, halve, round_weights
from . import layout
from .comparer import Comparer, ComparerGraph

INPUTS = {
    "query": ["batch", layout.CELLS, layout.DIM],
    "examples": ["batch", "examples", layout.CELLS, layout.DIM],
    "example_state": ["batch", "examples"],
    "region": ["batch", layout.CELLS],
}
OUTPUTS = {"logit": ["batch"]}


def example(batch: int = 2, count: int = 6) -> tuple[torch.Tensor, ...]:
    """Inputs of plausible shape."""
    states = torch.arange(count).expand(batch, count) % 2
    shape = (layout.CELLS, layout.DIM)
    return torch.randn(batch, *shape), torch.randn(batch, count, *shape), states, torch.ones(batch, layout.CELLS)


def write(model: Comparer, path: Path) -> None:
    """Exports the comparer; its weights are rounded to float16 first."""
    round_weights(model)
    any_ = Dim.DYNAMIC
    with torch.no_grad():
        torch.onnx.export(
            ComparerGraph(model).eval(),
            example(),
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: any_}, {0: any_, 1: any_}, {0: any_, 1: any_}, {0: any_}),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(path)
    del graph.graph.value_info[:]
    for value in (*graph.graph.input, *graph.graph.output):
        shape = value.type.tensor_type.shape
        shape.Clear()
        for name in (INPUTS | OUTPUTS)[value.name]:
            axis = shape.dim.add()
            setattr(axis, "dim_param" if isinstance(name, str) else "dim_value", name)
    halve(graph)
    graph.ir_version, graph.producer_name, graph.graph.name = IR, "wader_export", path.stem
    names.forget_code(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)
