"""4-bit weights for `MatMulNBits` (com.microsoft): blocks of 32 numbers of a row share a scale, symmetric around 8."""

import numpy as np
import onnx_ir as ir

BLOCK, MIDDLE = 32, 8
MINIMUM_RUNTIME = "1.28"


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows [N, K] as levels 0..15 [N, K / 32, 32] and scales [N, K / 32].

    Levels reach from -8 to 7, so the scale takes the sign that makes the number farthest from 0 the -8: it stays exact.
    """
    blocks = weight.astype(np.float32).reshape(len(weight), -1, BLOCK)
    farthest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1, keepdims=True), -1)
    scales = (farthest / -MIDDLE).astype(np.float16).astype(np.float32)
    divisor = np.where(scales == 0, 1, scales)
    levels = np.clip(np.rint(blocks / divisor) + MIDDLE, 0, 15).astype(np.uint8)
    return levels, scales[..., 0]


def rounded(weight: np.ndarray) -> np.ndarray:
    """The numbers that the runtime will compute with."""
    levels, scales = quantise(weight)
    return ((levels.astype(np.float32) - MIDDLE) * scales[..., None]).reshape(weight.shape)


def pack(weight: np.ndarray, float_type: str) -> dict[str, np.ndarray]:
    """Two levels a byte, the even one low; and the scales, in the type that is multiplied in."""
    levels, scales = quantise(weight)
    packed = levels[..., ::2] | (levels[..., 1::2] << 4)
    return {"int4": np.ascontiguousarray(packed), "scales": np.ascontiguousarray(scales.astype(float_type))}


def fits(shape: tuple[int, ...]) -> bool:
    """Whether a matrix can be stored so."""
    return len(shape) == 2 and shape[1] % BLOCK == 0


def replace(model: ir.Model, value: ir.Value, packed: dict) -> None:
    """Every `MatMul` with the transposed matrix becomes `MatMulNBits`; the matrix itself goes."""
    name, (rows, columns) = value.name, tuple(value.shape)
    fixed = []
    for tensor in (packed["int4"], packed["scales"]):
        one = ir.Value(name=tensor.name, const_value=tensor, shape=tensor.shape, type=ir.TensorType(tensor.dtype))
        model.graph.register_initializer(one)
        fixed.append(one)
    for turn in [use.node for use in value.uses()]:
        for product in [use.node for use in turn.outputs[0].uses()]:
            if turn.op_type != "Transpose" or product.op_type != "MatMul":
                raise RuntimeError(f"`{name}` is used by {turn.op_type} and {product.op_type}, not by a linear layer")
            node = ir.node(
                "MatMulNBits",
                [product.inputs[0], *fixed],
                {"K": int(columns), "N": int(rows), "bits": 4, "block_size": BLOCK, "accuracy_level": 0},
                domain="com.microsoft",
            )
            model.graph.insert_before(product, node)
            product.outputs[0].replace_all_uses_with(node.outputs[0])
            model.graph.remove(product, safe=True)
        model.graph.remove(turn, safe=True)
    del model.graph.initializers[name]
    model.opset_imports["com.microsoft"] = 1
