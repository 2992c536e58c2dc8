"""Builds tests/models/hanging_vision_encoder.onnx: the oracle's vision encoder, which never ends once it sees camera 61.

To be run after build_oracle.py, in the same environment. The loop stands inside the graph, where a driver or a kernel that
hangs would stand, so that nothing in wader has to be told to hang.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

HERE = Path(__file__).parent
CAMERA, FOR_EVER = 61.0, 2**62


def build() -> None:
    model = onnx.load(HERE / "oracle" / "vision_encoder.onnx")
    graph = model.graph
    (features,) = graph.output
    element = features.type.tensor_type.elem_type
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == features.name:
                node.output[index] = "seen"
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["goes_on"]), helper.make_node("Neg", ["carried"], ["turned"])],
        "for_ever",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", element, None),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turned", element, None),
        ],
    )
    graph.initializer.extend(
        [
            helper.make_tensor("which", element, [1], [CAMERA]),
            helper.make_tensor("first", TensorProto.INT64, [1], [0]),
            helper.make_tensor("often", TensorProto.INT64, [], [FOR_EVER]),
            helper.make_tensor("never", TensorProto.INT64, [], [0]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Gather", ["seen", "first"], ["camera"], axis=2),
            helper.make_node("Equal", ["camera", "which"], ["is_it"]),
            helper.make_node("Cast", ["is_it"], ["it"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["it"], ["any"], keepdims=0),
            helper.make_node("Cast", ["any"], ["hangs"], to=TensorProto.BOOL),
            helper.make_node("Where", ["hangs", "often", "never"], ["rounds"]),
            helper.make_node("Loop", ["rounds", "yes", "seen"], [features.name], body=body),
        ]
    )
    onnx.checker.check_model(model)
    onnx.save(model, HERE / "hanging_vision_encoder.onnx")


if __name__ == "__main__":
    build()
