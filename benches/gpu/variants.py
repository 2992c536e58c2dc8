"""Other precisions of a model folder, to be measured beside it: everything float32, everything float16.

The int8 encoder of the folder is widened (its stored weights times their scales), so no other file is needed. Nobody ships
what comes out: its tolerances are opened, for how far it is from the folder is what is to be measured.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


def widened(path: Path) -> onnx.ModelProto:
    """A graph with stored int8 and float16 weights as float32, and without the quantisation between its nodes."""
    model = onnx.load(path)
    stored = {t.name: t for t in model.graph.initializer}
    same: dict[str, str] = {}
    nodes, wide = [], []
    for node in model.graph.node:
        arrays = [numpy_helper.to_array(stored[n]) if n in stored else None for n in node.input]
        if node.op_type == "Cast" and arrays[0] is not None and arrays[0].dtype == np.float16:
            wide.append(numpy_helper.from_array(arrays[0].astype(np.float32), node.output[0]))
        elif node.op_type == "DequantizeLinear" and arrays[0] is not None:
            wide.append(numpy_helper.from_array(dequantised(node, arrays), node.output[0]))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            same[node.output[0]] = same.get(node.input[0], node.input[0])
        else:
            for place, name in enumerate(node.input):
                node.input[place] = same.get(name, name)
            nodes.append(node)
    for output in model.graph.output:
        if output.name in same:
            raise SystemExit(f"{path.name}: its output {output.name} comes out of the quantisation")
    used = {name for node in nodes for name in node.input}
    kept = [t for t in [*model.graph.initializer, *wide] if t.name in used]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    return model


def dequantised(node: onnx.NodeProto, arrays: list) -> np.ndarray:
    """Stored integers times their scale, along the node's axis."""
    values, scale = arrays[0], arrays[1]
    zero = arrays[2] if len(arrays) > 2 and arrays[2] is not None else np.zeros_like(scale, dtype=values.dtype)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    if scale.ndim:
        shape = [1] * values.ndim
        shape[axis if scale.size > 1 else 0] = scale.size
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((values.astype(np.float32) - zero.astype(np.float32)) * scale).astype(np.float32)


def once(model: onnx.ModelProto) -> onnx.ModelProto:
    """One cast of each value, where the converter puts many; some names are given twice, too."""
    nodes, made = [], set()
    for node in model.graph.node:
        if node.output[0] in made:
            continue
        made.add(node.output[0])
        fresh = onnx.NodeProto.FromString(node.SerializeToString())
        fresh.name = f"{node.name}_{len(nodes)}"
        nodes.append(fresh)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def place(source: Path, target: Path, graphs: dict[str, onnx.ModelProto], precision: str) -> None:
    """A copy of a model folder with these graphs in it, and tolerances opened."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    manifest = json.loads((source / "manifest.json").read_text())
    for role, model in graphs.items():
        name = manifest["graphs"][role]
        onnx.save(model, target / name)
        data = (target / name).read_bytes()
        manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if precision:
        manifest["precision"] = precision
    manifest["golden"]["tolerance"] = {key: 1e6 for key in manifest["golden"]["tolerance"]}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=2))


def main() -> None:
    """``variants.py MODEL TARGET EXPORT``: writes TARGET/fp32 and TARGET/fp16; EXPORT is where `wader_export` is."""
    source, target, export = map(Path, sys.argv[1:4])
    sys.path.insert(0, str(export))
    from wader_export.graphs.precision import halved

    names = json.loads((source / "manifest.json").read_text())["graphs"]
    roles = ["vision_encoder", "resampler", "decoder"]
    place(source, target / "fp32", {role: widened(source / names[role]) for role in roles}, "float32")
    place(source, target / "fp16", {role: once(halved(widened(source / names[role]))) for role in roles}, "float16")
    halves = sum(
        t.data_type == TensorProto.FLOAT16 for t in onnx.load(target / "fp16" / names["decoder"]).graph.initializer
    )
    print(f"{target}/fp32, {target}/fp16 ({halves} float16 tensors in its decoder)")


if __name__ == "__main__":
    main()
