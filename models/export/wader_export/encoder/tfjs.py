"""Reads a TF.js graph model: topology from JSON, weights from the float16 shards."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def clean(name: str) -> str:
    """Tensor names without the ``:0`` of the first output."""
    return name[:-2] if name.endswith(":0") else name


@dataclass
class Node:
    """One operation of the graph."""

    name: str
    op: str
    inputs: list[str]
    raw: dict

    def attr(self, key: str, default=None):
        """An attribute as a Python value."""
        value = self.raw.get(key)
        if value is None:
            return default
        if "s" in value:
            return base64.b64decode(value["s"]).decode()
        if "b" in value:
            return bool(value["b"])
        if "f" in value:
            return float(value["f"])
        if "i" in value:
            return int(value["i"])
        if "list" in value:
            return [int(i) for i in value["list"].get("i", [])]
        return default


class GraphModel:
    """Nodes in an order in which every input comes first, and the constants by name."""

    def __init__(self, folder: Path, stem: str):
        document = json.loads((folder / f"{stem}.json").read_text())
        self.weights = read_weights(folder, document["weightsManifest"])
        nodes = [
            Node(
                n["name"],
                n["op"],
                [clean(i) for i in n.get("input", []) if not i.startswith("^")],
                n.get("attr", {}),
            )
            for n in document["modelTopology"]["node"]
        ]
        self.by_name = {n.name: n for n in nodes}

    def order(self, outputs: list[str]) -> list[Node]:
        """The nodes that `outputs` need, inputs first."""
        done: set[str] = set()
        result: list[Node] = []
        for output in outputs:
            stack = [(output.split(":")[0], 0)]
            while stack:
                name, position = stack.pop()
                if name in done:
                    continue
                node = self.by_name[name]
                if position < len(node.inputs):
                    stack.append((name, position + 1))
                    source = node.inputs[position].split(":")[0]
                    if source not in done:
                        stack.append((source, 0))
                else:
                    done.add(name)
                    result.append(node)
        return result


def read_weights(folder: Path, manifest: list[dict]) -> dict[str, np.ndarray]:
    """Every constant of the graph as an array of its own type."""
    weights = {}
    for group in manifest:
        data = b"".join((folder / p).read_bytes() for p in group["paths"])
        offset = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"])) if entry["shape"] else 1
            quantization = entry.get("quantization")
            if quantization and quantization["dtype"] != "float16":
                raise ValueError(f"{entry['name']}: unexpected quantization {quantization}")
            stored = np.dtype(quantization["dtype"] if quantization else entry["dtype"])
            array = np.frombuffer(data, stored, count, offset).reshape(entry["shape"])
            weights[entry["name"]] = array.astype(entry["dtype"])
            offset += count * stored.itemsize
        if offset != len(data):
            raise ValueError(f"weights hold {len(data)} bytes, the manifest names {offset}")
    return weights
