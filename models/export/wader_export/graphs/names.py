"""Every weight in a graph under its parameter's name, so that training can go on from a model folder.

The exporter folds transposes, rows and gates into constants without a name. `name_parameters` finds the parameter that
each constant came from by its values; `parameters` reads them all back.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

GRAPHS = ("resampler", "decoder")
STORED, TURNED, ROW = "/half", ".T", ".row"  # ends of a constant's name: kept in float16; transposed; one row of it


def key_of(values: np.ndarray) -> bytes:
    """What two arrays share that hold the same numbers in the same shape."""
    return str(values.shape).encode() + np.ascontiguousarray(values).tobytes()


def sources(parameters: dict[str, Tensor]) -> dict[bytes, str]:
    """From the values of a constant to its name. Values that two parameters share name neither."""
    found: dict[bytes, str] = {}
    twice = set()
    for name, parameter in parameters.items():
        values = parameter.detach().numpy()
        forms = {name: values}
        if values.ndim == 2:
            forms[name + TURNED] = values.T
            if len(values) <= 2:
                forms |= {f"{name}{ROW}{i}": row for i, row in enumerate(values)}
        for form, array in forms.items():
            key = key_of(array)
            if key in found:
                twice.add(key)
            found[key] = form
    return {key: name for key, name in found.items() if key not in twice}


def name_parameters(graph: onnx.ModelProto, parameters: dict[str, Tensor]) -> None:
    """Renames the constants of a graph; single numbers (the gates) are kept in its metadata."""
    named, renamed = sources(parameters), {}
    for tensor in graph.graph.initializer:
        array = numpy_helper.to_array(tensor)
        name = named.get(key_of(array))
        if name and tensor.name != name and array.size > 1:
            renamed[tensor.name] = tensor.name = name
    for node in graph.graph.node:
        for i, one in enumerate(node.input):
            node.input[i] = renamed.get(one, one)
    for name, parameter in parameters.items():
        if parameter.numel() == 1:
            entry = graph.metadata_props.add()
            entry.key, entry.value = name, repr(parameter.item())


def parameters(folder: Path) -> dict[str, Tensor]:
    """Parameters by their names in `nn.flamingo.Flamingo`; the head that only training uses is not among them."""
    found: dict[str, np.ndarray] = {}
    rows: dict[str, dict[int, np.ndarray]] = {}
    for graph in GRAPHS:
        model = onnx.load(str(folder / f"{graph}.onnx"))
        for initializer in model.graph.initializer:
            values = numpy_helper.to_array(initializer)
            name = initializer.name.removesuffix(STORED)
            if not name.startswith(("resampler.", "decoder.")):
                continue
            if ROW in name:
                whole, _, number = name.partition(ROW)
                rows.setdefault(whole, {})[int(number)] = values
            elif name.endswith(TURNED):
                found[name.removesuffix(TURNED)] = values.T
            else:
                found[name] = values
        found |= {entry.key: np.array([float(entry.value)]) for entry in model.metadata_props}
    found |= {name: np.stack([parts[i] for i in sorted(parts)]) for name, parts in rows.items()}
    return {name: torch.from_numpy(np.ascontiguousarray(values, np.float32)) for name, values in found.items()}


def forget_code(model: onnx.ModelProto) -> None:
    """Removes where in whose source each node was written down: nobody needs it, and it holds a machine's paths."""
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
