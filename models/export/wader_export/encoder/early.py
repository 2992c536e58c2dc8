"""Quantises activations where they arise, so that whatever only moves or compares numbers does so in int8.

The quantiser puts QuantizeLinear right before each convolution. Where a LeakyRelu's result is concatenated or pooled
first, both then run in float32, though the numbers have the convolution's 256 values in the end. A quantiser commutes
with what only moves numbers, and with a maximum: with the same scale and zero point behind the LeakyRelu the result is
the same to the last bit, and the runtime fuses LeakyRelu, Concat and MaxPool into their int8 kernels.
"""

from collections import defaultdict

import onnx
from onnx import helper

COMMUTES = ("Concat", "MaxPool")


def quantise_early(model: onnx.ModelProto) -> int:
    """Inserts the pairs of QuantizeLinear and DequantizeLinear; returns how many."""
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            users[name].append(node)

    def quantiser(name: str) -> onnx.NodeProto | None:
        """The one QuantizeLinear that a tensor comes to through what commutes with it."""
        if len(users[name]) != 1:
            return None
        user = users[name][0]
        if user.op_type in COMMUTES:
            return quantiser(user.output[0])
        return user if user.op_type == "QuantizeLinear" else None

    nodes, count = [], 0
    for node in model.graph.node:
        nodes.append(node)
        output = node.output[0]
        found = quantiser(output) if node.op_type == "LeakyRelu" else None
        if found is None or found in users[output]:
            continue
        node.output[0], scale = f"{output}_float", found.input[1:]
        nodes += [
            helper.make_node("QuantizeLinear", [node.output[0], *scale], [f"{output}_int8"], f"{node.name}_quantise"),
            helper.make_node("DequantizeLinear", [f"{output}_int8", *scale], [output], f"{node.name}_dequantise"),
        ]
        count += 1
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return count
