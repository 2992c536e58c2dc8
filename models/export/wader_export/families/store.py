"""Writes the weights of a traced graph: each read, rounded, perhaps transposed or packed to 4 bits, and put to disk.

Up to `INLINE` bytes of weights stay in the `.onnx` file. More go into `NAME.onnx.data` beside it (ONNX external data;
Protocol Buffers end at 2 GB), written as they come, so that memory holds one tensor at a time.
"""

import os
from pathlib import Path

import numpy as np
import onnx_ir as ir

from . import int4 as packing
from .weights import Weights

INLINE = 64 << 20
PAGE = 4096  # where data begin in the file, so that the runtime can map them into memory


def write(model: ir.Model, weights: Weights, path: Path, float_type: str, int4: frozenset[str]) -> list[Path]:
    """Attaches all weights and writes the file or both files."""
    turned = turn(model, int4)
    empty = {name: value for name, value in model.graph.initializers.items() if name in weights.takes}
    unknown = [n for n, v in model.graph.initializers.items() if n not in empty and v.const_value is None]
    if unknown:
        raise RuntimeError(f"{path.name}: no weights for {', '.join(unknown)}")
    kind = np.dtype(float_type)
    size = sum(int(np.prod(weights.takes[name].size())) * kind.itemsize for name in empty)
    data = None if size <= INLINE else path.with_name(path.name + ".data")
    with Sink(data) as sink:
        for name, value in empty.items():
            if name in int4:
                packed = packing.pack(weights.read(name).numpy(), float_type)
                packing.replace(model, value, {part: sink.put(f"{name}.{part}", a) for part, a in packed.items()})
                continue
            array = weights.read(name).numpy()
            with np.errstate(over="ignore"):
                array = np.ascontiguousarray((array.T if name in turned else array).astype(kind))
            if not np.isfinite(array).all():
                raise RuntimeError(f"{path.name}: `{name}` holds numbers that {float_type} cannot; use --precision fp32")
            value.const_value = sink.put(name, array)
            value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(kind)
    ir.save(model, path)
    return [path] if data is None else [path, data]


def turn(model: ir.Model, int4: frozenset[str]) -> set[str]:
    """Matrices that the graph only ever reads transposed are stored so: the runtime would copy each otherwise."""
    turned = set()
    for name, value in model.graph.initializers.items():
        uses = list(value.uses())
        if uses and all(use.node.op_type == "Transpose" for use in uses):
            if name in int4:
                continue  # packed as it lies
            for node in [use.node for use in uses]:
                node.outputs[0].replace_all_uses_with(value)
                model.graph.remove(node, safe=True)
            turned.add(name)
    return turned


class Sink:
    """Takes arrays one by one, into memory or to the end of a file."""

    def __init__(self, file: Path | None):
        self.file, self.stream = file, None

    def __enter__(self) -> "Sink":
        if self.file is not None:
            self.stream = self.file.open("wb")
        return self

    def __exit__(self, *_) -> None:
        if self.stream is not None:
            self.stream.truncate()
            self.stream.close()

    def put(self, name: str, array: np.ndarray):
        """An ONNX tensor with these numbers."""
        if self.stream is None:
            return ir.Tensor(array, name=name)
        self.stream.seek(-self.stream.tell() % PAGE, os.SEEK_CUR)
        offset = self.stream.tell()
        if array.any():
            self.stream.write(memoryview(array).cast("B"))
        else:
            self.stream.seek(array.nbytes, os.SEEK_CUR)  # zeros: a hole, which takes no room
        kind = ir.DataType.from_numpy(array.dtype)
        shape = ir.Shape(array.shape)
        return ir.ExternalTensor(
            self.file.name, offset, array.nbytes, kind, shape=shape, name=name, base_dir=str(self.file.parent)
        )
