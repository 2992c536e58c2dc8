"""Graphs computed in float16, in every place where that is measured."""

import onnx

WIDE = ["LayerNormalization", "Softmax"]  # stay float32, beside what the converter keeps
TOKENS = "tokens/"  # nodes of the encoder that choose and place tokens: row numbers need more than float16


def halved(source: onnx.ModelProto) -> onnx.ModelProto:
    """Computed in float16; inputs and outputs stay as they are."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    wide = [node.name for node in source.graph.node if node.name.startswith(TOKENS)]
    kinds = [*DEFAULT_OP_BLOCK_LIST, *WIDE]
    return rejoined(convert_float_to_float16(source, keep_io_types=True, op_block_list=kinds, node_block_list=wide))


def rejoined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the casts to float16 and back that the converter puts between nodes that both stay float32."""
    casts = {n.output[0]: n for n in model.graph.node if n.op_type == "Cast"}
    same = {}
    for name, node in casts.items():
        before = casts.get(node.input[0])
        if before is not None and before.name.endswith("_cast_to_fp16_node") and name.endswith("_cast_to_fp32"):
            same[name] = before.input[0]
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = same.get(name, name)
    return model
