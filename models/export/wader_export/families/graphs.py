"""One module on the meta device to one ONNX file: opset 21, IR 10, weights attached by name, one tensor at a time.

Tracing never sees a number, so a decoder of eleven billion weights is exported in a minute and under a gigabyte. The
graph's initialisers bear the parameters' names; `store` then reads, rounds and writes each weight by itself.
"""

import logging
from pathlib import Path

import onnx_ir as ir
import torch
from onnxscript import optimizer
from torch import nn
from torch.export import Dim

from . import store
from .ports import FLOAT, SIZES, Port, Ports
from .weights import Weights

OPSET, IR = 21, 10


def kinds(float_type: str) -> dict[str, torch.dtype]:
    """Element types of ports."""
    return {"int64": torch.int64, "uint8": torch.uint8, "float32": torch.float32, FLOAT: getattr(torch, float_type)}


def example(port: Port, float_type: str, sizes: dict[str, int] = SIZES) -> torch.Tensor:
    """An input without numbers, whose open sizes are these."""
    dims = [sizes[size] if isinstance(size, str) else size for size in port.dims]
    return torch.empty(dims, dtype=kinds(float_type)[port.kind], device="meta")


def handed_over(values: list, ports: Ports) -> tuple:
    """One value for each input, as a module takes them: the last ones in a list."""
    count = len(ports.inputs) - ports.listed
    return (*values[:count], values[count:]) if ports.listed else tuple(values)


def trace(module: nn.Module, ports: Ports, float_type: str) -> ir.Model:
    """The module as a graph whose weights are still empty."""
    module = module.eval().to(kinds(float_type)[FLOAT])
    tensors = [example(port, float_type) for port in ports.inputs]
    open_sizes = [{i: Dim.DYNAMIC for i, size in enumerate(p.dims) if isinstance(size, str)} for p in ports.inputs]
    with torch.no_grad():
        program = torch.onnx.export(
            module,
            handed_over(tensors, ports),
            input_names=[port.name for port in ports.inputs],
            output_names=[port.name for port in ports.outputs],
            dynamic_shapes=handed_over(open_sizes, ports),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,  # folding constants would read weights that are not there
            verbose=False,
        )
    return program.model


def tidy(model: ir.Model, ports: Ports, name: str) -> None:
    """Standard operators only, the contract's names of open sizes, and nothing of the machine it was made on."""
    for value in model.graph.initializers.values():
        if value.const_value is not None and isinstance(value.const_value.raw, torch.Tensor):
            value.const_value = None  # a weight: unknown to the folding of constants
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # it warns of every weight that has no numbers
    optimizer.optimize_ir(model, onnx_shape_inference=False)
    given = {port.name: port for port in (*ports.inputs, *ports.outputs)}
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.shape = ir.Shape(given[value.name].dims)
    seen = {id(value) for value in (*model.graph.inputs, *model.graph.outputs)}
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            if id(value) not in seen:  # the tracer's names of sizes mean nothing to anybody else
                value.shape = None
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.ir_version, model.producer_name, model.producer_version = IR, "wader_export", None
    model.graph.name = name


def export(
    module: nn.Module, ports: Ports, weights: Weights, path: Path, float_type: str, int4: frozenset[str] = frozenset()
) -> list[Path]:
    """Writes a graph and its weights; returns the files. `int4` names the matrices that MatMulNBits multiplies."""
    model = trace(module, ports, float_type)
    tidy(model, ports, path.stem)
    return store.write(model, weights, path, float_type, int4)
