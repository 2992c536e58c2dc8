"""Builds ``vision_encoder.onnx``: normalisation, the int8 detector and the object tokens in one graph."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from .. import layout
from ..graphs import names
from .convert import MEAN_BGR, STD_BGR, STRIDES, convert
from .early import quantise_early
from .tokens import ObjectTokens

OPSET, IR = 21, 10
HEADS = [f"{kind}_{s}" for s in STRIDES for kind in ("scores", "bins")]


def normalise(pixels: np.ndarray) -> np.ndarray:
    """u8 RGB [n,h,w,3] -> the detector's input, as the graph does it."""
    bgr = pixels[..., ::-1].astype(np.float32)
    scaled = (bgr - np.float32(MEAN_BGR)) * (1 / np.float32(STD_BGR))
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


class Pictures(CalibrationDataReader):
    """Feeds calibration pictures one by one."""

    def __init__(self, pictures: Iterable[np.ndarray]):
        self.pictures = iter(pictures)

    def get_next(self):
        picture = next(self.pictures, None)
        return None if picture is None else {"image": normalise(picture[None])}


def quantise(source: Path, target: Path, pictures: list[np.ndarray]) -> None:
    """Static QDQ int8 of the convolutions, weights per channel, activations calibrated on `pictures`."""
    quantize_static(
        str(source),
        str(target),
        Pictures(pictures),
        quant_format=QuantFormat.QDQ,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=["Conv"],
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        per_channel=True,
        reduce_range=True,  # 7-bit weights: no saturation on processors without VNNI, and no loss (measured)
    )


def front(height: int, width: int) -> onnx.ModelProto:
    """``pixels`` u8 [frames,H,W,3] -> ``rgb`` f32 [frames,3,H,W] and the normalised ``image``."""
    constants = {
        "reverse": np.array([2, 1, 0], np.int64),
        "mean": np.float32(MEAN_BGR).reshape(1, 3, 1, 1),
        "scale": 1 / np.float32(STD_BGR).reshape(1, 3, 1, 1),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["wide"], ["rgb"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["rgb", "reverse"], ["bgr"], axis=1),
        helper.make_node("Sub", ["bgr", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["image"]),
    ]
    shape = ["frames", 3, height, width]
    graph = helper.make_graph(
        nodes,
        "front",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["frames", height, width, 3])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("rgb", "image")],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def token_graph(path: Path, height: int, width: int) -> onnx.ModelProto:
    """The object tokens as an ONNX graph with the inputs ``rgb`` and the six heads."""
    module = ObjectTokens(height, width).eval()
    example = [torch.rand(2, 3, height, width) * 255]
    for stride in STRIDES:
        for channels in (80, 44):
            example.append(torch.rand(2, channels, height // stride, width // stride))
    frames = torch.export.Dim("frames", min=1, max=4096)
    torch.onnx.export(
        module,
        tuple(example),
        str(path),
        input_names=["rgb", *HEADS],
        output_names=["frame_features"],
        dynamic_shapes=tuple({0: frames} for _ in example),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    return onnx.load(path)


def build(package: Path, target: Path, pictures: list[np.ndarray] | None, work: Path) -> None:
    """Writes the vision encoder to `target`; without calibration pictures it stays float32."""
    height, width = layout.HEIGHT, layout.WIDTH
    plain = work / "nanodet_fp32.onnx"
    onnx.save(convert(package, height, width), plain)
    if pictures is not None:
        quantise(plain, work / "nanodet_int8.onnx", pictures)
        detector = onnx.load(work / "nanodet_int8.onnx")
        quantise_early(detector)
    else:
        detector = onnx.load(plain)
    tokens = token_graph(work / "tokens.onnx", height, width)
    for model in (detector, tokens):
        model.ir_version = IR
        del model.opset_import[:]
        model.opset_import.append(helper.make_opsetid("", OPSET))
        del model.graph.value_info[:]
        model.functions.clear() if hasattr(model.functions, "clear") else None
    detector = compose.add_prefix(detector, "detector/")
    tokens = compose.add_prefix(tokens, "tokens/")
    merged = compose.merge_models(
        front(height, width),
        detector,
        io_map=[("image", "detector/image")],
        outputs=["rgb", *(f"detector/{h}" for h in HEADS)],
    )
    merged = compose.merge_models(
        merged,
        tokens,
        io_map=[("rgb", "tokens/rgb"), *((f"detector/{h}", f"tokens/{h}") for h in HEADS)],
    )
    rename(merged, "tokens/frame_features", "frame_features")
    shape = merged.graph.output[0].type.tensor_type.shape
    shape.Clear()
    for d in ("frames", layout.TOKENS, layout.DIM):
        axis = shape.dim.add()
        setattr(axis, "dim_param" if isinstance(d, str) else "dim_value", d)
    merged.graph.name = "vision_encoder"
    merged.producer_name = "wader_export"
    merged.ir_version = IR
    names.forget_code(merged)
    onnx.checker.check_model(merged)
    onnx.save(merged, target)


def rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """Renames a tensor everywhere."""
    for node in model.graph.node:
        node.input[:] = [new if i == old else i for i in node.input]
        node.output[:] = [new if o == old else o for o in node.output]
    for value in (*model.graph.output, *model.graph.input):
        if value.name == old:
            value.name = new
