"""Converts the NanoDet graph from TF.js to ONNX, op by op, for any input size that is a multiple of 32.

The original keeps activations as NHWC behind many Transposes. Here every four-dimensional tensor is
stored as NCHW, a flag remembers what layout the source means, and the Transposes vanish. Padding before a
convolution or a pooling and the bias after a convolution are folded into it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .tfjs import GraphModel, Node

STRIDES = (8, 16, 32)
CLASSES = 80
BINS = 11
SOURCE_SIZE = 416
NEVER_MOST = -1e30  # padding of this or less is never a maximum: ONNX's own padding of MaxPool
# the network's own normalisation (NanoDet configuration: BGR)
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)


@dataclass
class Value:
    """A tensor under construction: its ONNX name, whether the source means NHWC, its size for batch 1 (NCHW)."""

    name: str
    channels_last: bool
    shape: tuple[int, int, int, int]
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right; not yet applied
    fill: float = 0.0  # what they hold


class Converter:
    """Walks the nodes and writes ONNX; one method for each kind of operation."""

    def __init__(self, model: GraphModel, height: int, width: int):
        if height % 32 or width % 32:
            raise ValueError(f"input {width}x{height} is not a multiple of 32")
        self.model = model
        self.height, self.width = height, width
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.values: dict[str, Value] = {}
        self.folded: dict[str, np.ndarray] = dict(model.weights)
        self.count = 0

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def emit(self, op: str, inputs: list[str], outputs: int = 1, **attributes) -> list[str]:
        names = [
            f"{op.lower()}{self.count}_{i}" if outputs > 1 else f"{op.lower()}{self.count}" for i in range(outputs)
        ]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}{self.count}", **attributes))
        self.count += 1
        return names

    def padded(self, value: Value) -> Value:
        """Applies padding that could not be folded."""
        if not any(value.pads):
            return value
        top, left, bottom, right = value.pads
        pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        (name,) = self.emit("Pad", [value.name, self.constant(pads), self.constant(np.float32(value.fill))])
        n, c, h, w = value.shape
        return Value(name, value.channels_last, (n, c, h + top + bottom, w + left + right))

    def run(self, outputs: list[str]) -> None:
        for node in self.model.order(outputs):
            handler = getattr(self, f"op_{node.op}", None)
            if handler is None:
                raise NotImplementedError(f"{node.op} ({node.name})")
            handler(node)

    def op_Const(self, node: Node) -> None:
        pass

    def op_Placeholder(self, node: Node) -> None:
        self.values[node.name] = Value("image", False, (1, 3, self.height, self.width))

    def op_Identity(self, node: Node) -> None:
        self.values[node.name] = self.values[node.inputs[0]]

    def op_Transpose(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        axes = [int(a) for a in self.folded[node.inputs[1]]]
        if axes == [0, 2, 3, 1] and not value.channels_last:
            last = True
        elif axes == [0, 3, 1, 2] and value.channels_last:
            last = False
        else:
            raise ValueError(f"{node.name}: transpose {axes} is not a change of layout")
        self.values[node.name] = replace(value, channels_last=last)

    def op_Pad(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        pads = self.folded[node.inputs[1]].astype(int)
        h, w = (pads[1], pads[2]) if value.channels_last else (pads[2], pads[3])
        fill = float(self.folded[node.inputs[2]]) if node.op == "PadV2" else 0.0
        self.values[node.name] = Value(value.name, value.channels_last, value.shape, (h[0], w[0], h[1], w[1]), fill)

    op_PadV2 = op_Pad

    def op_Conv2D(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        kernel = self.folded[node.inputs[1]].transpose(3, 2, 0, 1)
        if node.attr("padding") != "VALID" or node.attr("dilations", [1, 1, 1, 1]) != [1, 1, 1, 1]:
            raise ValueError(f"{node.name}: only VALID convolutions without dilation are known")
        out, inner, kh, kw = kernel.shape
        if any(value.pads) and value.fill != 0.0:
            raise ValueError(f"{node.name}: a convolution over padding of {value.fill}")
        n, c, h, w = value.shape
        stride = node.attr("strides")[1:3]
        top, left, bottom, right = value.pads
        (name,) = self.emit(
            "Conv",
            [value.name, self.constant(kernel)],
            pads=list(value.pads),
            strides=stride,
            kernel_shape=[kh, kw],
            group=c // inner,
        )
        shape = (n, out, (h + top + bottom - kh) // stride[0] + 1, (w + left + right - kw) // stride[1] + 1)
        self.values[node.name] = Value(name, True, shape)

    def op_Add(self, node: Node) -> None:
        first, second = node.inputs
        if first in self.folded and second in self.folded:
            self.folded[node.name] = self.folded[first] + self.folded[second]
            return
        if second in self.folded:
            value, bias = self.values[first], self.folded[second]
            producer = next(n for n in self.nodes if value.name in n.output)
            if producer.op_type != "Conv" or len(producer.input) != 2 or bias.ndim != 1:
                raise ValueError(f"{node.name}: a constant that is not a bias")
            producer.input.append(self.constant(bias))
            self.values[node.name] = value
            return
        a, b = self.padded(self.values[first]), self.padded(self.values[second])
        if a.channels_last != b.channels_last:
            raise ValueError(f"{node.name}: two layouts")
        (name,) = self.emit("Add", [a.name, b.name])
        self.values[node.name] = Value(name, a.channels_last, a.shape)

    op_AddV2 = op_Add

    def op_LeakyRelu(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        (name,) = self.emit("LeakyRelu", [value.name], alpha=node.attr("alpha", 0.2))
        self.values[node.name] = Value(name, value.channels_last, value.shape)

    def op_Sigmoid(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        (name,) = self.emit("Sigmoid", [value.name])
        self.values[node.name] = Value(name, value.channels_last, value.shape)

    def op_MaxPool(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        if value.fill > NEVER_MOST:
            value = self.padded(value)
        kernel, stride = node.attr("ksize")[1:3], node.attr("strides")[1:3]
        pads = list(value.pads)
        (name,) = self.emit("MaxPool", [value.name], kernel_shape=kernel, strides=stride, pads=pads)
        n, c, h, w = value.shape
        top, left, bottom, right = pads
        shape = (n, c, (h + top + bottom - kernel[0]) // stride[0] + 1, (w + left + right - kernel[1]) // stride[1] + 1)
        self.values[node.name] = Value(name, value.channels_last, shape)

    def op_ConcatV2(self, node: Node) -> None:
        values = [self.padded(self.values[i]) for i in node.inputs[:-1]]
        axis = int(self.folded[node.inputs[-1]]) % 4
        if axis != (3 if values[0].channels_last else 1):
            raise ValueError(f"{node.name}: concatenates axis {axis}, not channels")
        (name,) = self.emit("Concat", [v.name for v in values], axis=1)
        n, _, h, w = values[0].shape
        self.values[node.name] = Value(name, values[0].channels_last, (n, sum(v.shape[1] for v in values), h, w))

    def op_ResizeBilinear(self, node: Node) -> None:
        value = self.padded(self.values[node.inputs[0]])
        target = self.folded[node.inputs[1]].astype(float) * np.array([self.height, self.width]) / SOURCE_SIZE
        n, c, h, w = value.shape
        mode = "half_pixel" if node.attr("half_pixel_centers") else "asymmetric"
        scales = self.constant(np.array([1, 1, target[0] / h, target[1] / w], np.float32))
        (name,) = self.emit("Resize", [value.name, "", scales], mode="linear", coordinate_transformation_mode=mode)
        self.values[node.name] = Value(name, value.channels_last, (n, c, int(target[0]), int(target[1])))

    def op_SplitV(self, node: Node) -> None:
        value = self.values[node.inputs[0]]
        sizes = self.folded[node.inputs[1]].astype(np.int64)
        names = self.emit("Split", [value.name, self.constant(sizes)], outputs=len(sizes), axis=1)
        n, _, h, w = value.shape
        for i, (name, size) in enumerate(zip(names, sizes)):
            key = node.name if i == 0 else f"{node.name}:{i}"
            self.values[key] = Value(name, value.channels_last, (n, int(size), h, w))


def head_tensors(model: GraphModel) -> list[tuple[str, str]]:
    """For each stride the names of the class scores and of the box bins, before they are flattened."""

    def before_reshape(name: str) -> str:
        node = model.by_name[name.split(":")[0]]
        while node.op != "Reshape":
            node = model.by_name[node.inputs[0].split(":")[0]]
        return node.inputs[0]

    return [
        (before_reshape("Identity" + s), before_reshape(f"Identity_{k + 3}")) for k, s in enumerate(("", "_1", "_2"))
    ]


def convert(folder: Path, height: int, width: int) -> onnx.ModelProto:
    """``image`` f32 [n,3,h,w] (normalised BGR) -> ``scores_S`` [n,80,h/S,w/S] and ``bins_S`` [n,44,h/S,w/S]."""
    model = GraphModel(folder, "nanodet")
    heads = head_tensors(model)
    converter = Converter(model, height, width)
    converter.run([name for pair in heads for name in pair])
    outputs = []
    for stride, (scores, bins) in zip(STRIDES, heads):
        for label, tensor in ((f"scores_{stride}", scores), (f"bins_{stride}", bins)):
            value = converter.values[tensor]
            converter.nodes.append(helper.make_node("Identity", [value.name], [label]))
            shape = ["frames", *(int(v) for v in value.shape[1:])]
            outputs.append(helper.make_tensor_value_info(label, TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["frames", 3, height, width])
    graph = helper.make_graph(converter.nodes, "nanodet", [image], outputs, converter.constants)
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(result)
    return onnx.shape_inference.infer_shapes(result, strict_mode=True)
