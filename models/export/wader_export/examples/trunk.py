"""From pixels to raw cells: shrink, the quantised network, both maps and plain colours at 16 pixels a cell.

What is smaller than a cell would be lost in means over it, so the fine map and the colours are kept in its quarters.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn
from torch.nn import functional

from .. import layout as picture
from ..graphs.write import IR, OPSET
from . import layout, network, packages


FLOAT_CONVOLUTIONS = 6  # the first ones stay float32: a third of the error in int8, and a tenth of a millisecond


class Trunk(nn.Module):
    """``pixels`` u8 [frames,H,W,3] -> ``raw`` [frames, cells, 287]."""

    def __init__(self, net: network.EfficientNetLite0):
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        size = (layout.NET_HEIGHT, layout.NET_WIDTH)
        image = (pixels.permute(0, 3, 1, 2).float() - network.MEAN) * (1 / network.SCALE)
        image = functional.interpolate(image, size, mode="bilinear", align_corners=False, antialias=False)
        maps = self.net(image)
        fine = functional.pixel_unshuffle(maps[network.FINE_STAGE], 2)
        colours = functional.avg_pool2d(image, 8)
        mean = functional.avg_pool2d(colours, 2)
        spread = (functional.avg_pool2d(image * image, 16) - mean * mean).clamp(min=0.0)
        quarters = functional.pixel_unshuffle(colours, 2)
        cells = torch.cat([maps[network.DEEP_STAGE], fine, quarters, torch.sqrt(spread + 1e-4)], 1)
        return cells.flatten(2).transpose(1, 2)


class Pictures(CalibrationDataReader):
    """Feeds calibration pictures one by one."""

    def __init__(self, pictures: list[np.ndarray]):
        self.pictures = iter(pictures)

    def get_next(self):
        one = next(self.pictures, None)
        return None if one is None else {"pixels": one[None]}


def plain(target: Path) -> None:
    """The float32 trunk."""
    module = Trunk(network.load(packages.weights())).eval()
    example = torch.randint(0, 255, (2, picture.HEIGHT, picture.WIDTH, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.onnx.export(
            module,
            (example,),
            str(target),
            input_names=["pixels"],
            output_names=["raw"],
            dynamic_shapes=({0: torch.export.Dim("frames", min=1, max=4096)},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def build(target: Path, pictures: list[np.ndarray], work: Path) -> None:
    """Writes the int8 trunk, activations calibrated on `pictures`."""
    plain(work / "trunk_float.onnx")
    convolutions = [n.name for n in onnx.load(work / "trunk_float.onnx").graph.node if n.op_type == "Conv"]
    quantize_static(
        str(work / "trunk_float.onnx"),
        str(target),
        Pictures(pictures),
        quant_format=QuantFormat.QDQ,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=["Conv", "Clip", "Add"],
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        nodes_to_exclude=convolutions[:FLOAT_CONVOLUTIONS],
        per_channel=True,
        reduce_range=True,  # 7-bit weights: no saturation on processors without VNNI
    )
    model = onnx.load(target)
    model.ir_version = IR
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    del model.graph.value_info[:]
    onnx.save(model, target)
