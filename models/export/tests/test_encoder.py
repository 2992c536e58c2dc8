"""The converter's operations and the token graph, against plain PyTorch."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from wader_export import layout
from wader_export.encoder import colour_words, package
from wader_export.encoder.build import normalise, quantise
from wader_export.encoder.convert import Converter, Value
from wader_export.encoder.early import quantise_early
from wader_export.encoder.tfjs import Node
from wader_export.encoder.tokens import ObjectTokens


class Constants:
    """A graph model with constants only."""

    def __init__(self, **weights):
        self.weights = {k: np.asarray(v) for k, v in weights.items()}


def run(converter: Converter, name: str, image: np.ndarray) -> np.ndarray:
    """Runs what a converter wrote."""
    value = converter.values[name]
    shape = ["frames", 3, converter.height, converter.width]
    graph = helper.make_graph(
        converter.nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(value.name, TensorProto.FLOAT, None)],
        converter.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"image": image})[0]


def node(op: str, *inputs: str, **attributes) -> Node:
    return Node("out", op, list(inputs), attributes)


def ints(*values: int) -> dict:
    return {"list": {"i": [str(v) for v in values]}}


def test_padded_convolution_with_bias_is_folded():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 3, 5)).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32)
    image = rng.normal(size=(1, 3, 32, 32)).astype(np.float32)
    converter = Converter(Constants(kernel=kernel, bias=bias), 32, 32)
    converter.values["x"] = Value("image", True, (1, 3, 32, 32), (0, 0, 1, 1))
    converter.op_Conv2D(node("Conv2D", "x", "kernel", padding={"s": "VkFMSUQ="}, strides=ints(1, 2, 2, 1)))
    converter.values["conv"] = converter.values["out"]
    converter.op_Add(node("Add", "conv", "bias"))
    padded = torch.nn.functional.pad(torch.from_numpy(image), (0, 1, 0, 1))
    wanted = torch.nn.functional.conv2d(
        padded, torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()), torch.from_numpy(bias), stride=2
    )
    assert len(converter.nodes) == 1
    assert np.abs(run(converter, "out", image) - wanted.numpy()).max() < 1e-4
    assert converter.values["out"].shape == tuple(wanted.shape)


def test_resize_takes_half_pixel_centres():
    image = np.random.default_rng(1).normal(size=(1, 3, 32, 32)).astype(np.float32)
    converter = Converter(Constants(size=np.array([832, 832])), 32, 32)
    converter.values["x"] = Value("image", True, (1, 3, 32, 32))
    converter.op_ResizeBilinear(node("ResizeBilinear", "x", "size", half_pixel_centers={"b": True}))
    wanted = torch.nn.functional.interpolate(torch.from_numpy(image), scale_factor=2, mode="bilinear")
    assert np.abs(run(converter, "out", image) - wanted.numpy()).max() < 1e-5


def test_padding_that_is_never_the_maximum_is_left_to_the_pooling():
    image = np.random.default_rng(2).normal(size=(1, 3, 32, 32)).astype(np.float32)
    lowest = np.float32(-3.4e38)
    converter = Converter(Constants(pads=np.array([[0, 0], [0, 0], [0, 1], [0, 1]]), fill=lowest, axes=[0, 2, 3, 1]), 32, 32)
    converter.values["x"] = Value("image", False, (1, 3, 32, 32))
    converter.op_Pad(node("PadV2", "x", "pads", "fill"))
    converter.values["padded"] = converter.values["out"]
    converter.op_Transpose(node("Transpose", "padded", "axes"))
    converter.values["turned"] = converter.values["out"]
    converter.op_MaxPool(node("MaxPool", "turned", ksize=ints(1, 3, 3, 1), strides=ints(1, 2, 2, 1)))
    padded = torch.nn.functional.pad(torch.from_numpy(image), (0, 1, 0, 1), value=-3e38)
    wanted = torch.nn.functional.max_pool2d(padded, 3, 2)
    assert [n.op_type for n in converter.nodes] == ["MaxPool"]
    assert np.array_equal(run(converter, "out", image), wanted.numpy())
    assert converter.values["out"].shape == tuple(wanted.shape)


def test_quantising_early_changes_no_bit(tmp_path):
    rng = np.random.default_rng(3)
    kernel = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    converter = Converter(Constants(), 32, 32)

    def conv(source: str, *shape: int) -> str:
        return converter.emit("Conv", [source, converter.constant(kernel(*shape))], pads=[1, 1, 1, 1])[0]

    first = converter.emit("LeakyRelu", [conv("image", 4, 3, 3, 3)], alpha=0.1)[0]
    other = conv("image", 4, 3, 3, 3)
    both = converter.emit("Concat", [first, other], axis=1)[0]
    alone = converter.emit("LeakyRelu", [conv("image", 4, 3, 3, 3)], alpha=0.1)[0]
    pooled = converter.emit("MaxPool", [both], kernel_shape=[3, 3], pads=[1, 1, 1, 1])[0]
    heads = [conv(pooled, 2, 8, 3, 3), conv(alone, 2, 4, 3, 3)]
    shape = lambda channels: ["frames", channels, 32, 32]  # noqa: E731
    graph = helper.make_graph(
        converter.nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape(3))],
        [helper.make_tensor_value_info(h, TensorProto.FLOAT, shape(2)) for h in heads],
        converter.constants,
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "plain.onnx"
    )
    pictures = [rng.integers(0, 255, (32, 32, 3)).astype(np.uint8) for _ in range(4)]
    quantise(tmp_path / "plain.onnx", tmp_path / "late.onnx", pictures)
    late, early = onnx.load(tmp_path / "late.onnx"), onnx.load(tmp_path / "late.onnx")
    assert quantise_early(early) == 1, "the LeakyRelu that is concatenated; the other one has its quantiser already"
    onnx.checker.check_model(early)
    image = {"image": normalise(np.stack(pictures))}
    runs = [onnxruntime.InferenceSession(m.SerializeToString()).run(None, image) for m in (late, early)]
    assert all(np.array_equal(a, b) for a, b in zip(*runs)) and np.ptp(runs[0][0]) > 0


def test_a_transpose_that_is_no_change_of_layout_is_refused():
    converter = Converter(Constants(axes=np.array([0, 2, 1, 3])), 32, 32)
    converter.values["x"] = Value("image", False, (1, 3, 32, 32))
    with pytest.raises(ValueError, match="layout"):
        converter.op_Transpose(node("Transpose", "x", "axes"))


def test_wrong_package_files_are_named(tmp_path):
    (tmp_path / "nanodet.json").write_text("{}")
    assert set(package.missing_or_wrong(tmp_path)) == set(package.FILES)


def heads(where: list[tuple[int, int, int, float]]) -> list[torch.Tensor]:
    """Score and bin maps with peaks at (row, column, class, height) of stride 8; boxes of 4x3 cells."""
    result = []
    for stride in (8, 16, 32):
        rows, columns = layout.HEIGHT // stride, layout.WIDTH // stride
        scores, bins = torch.zeros(1, 80, rows, columns), torch.zeros(1, 44, rows, columns)
        for side, at in enumerate((1, 2, 1, 2)):
            bins[:, side * 11 + at] = 30.0
        if stride == 8:
            for row, column, group, height in where:
                scores[0, group, row, column] = height
        result += [scores, bins]
    return result


def tokens(where, picture=None) -> np.ndarray:
    rgb = torch.full((1, 3, layout.HEIGHT, layout.WIDTH), 128.0) if picture is None else picture
    return ObjectTokens()(rgb, *heads(where))[0].numpy()


def test_object_tokens_hold_box_heats_and_colours():
    rgb = torch.zeros(1, 3, layout.HEIGHT, layout.WIDTH)
    rgb[:, 0, :84] = 255.0  # red above the middle of the box
    rgb[:, 2, 84:] = 255.0
    out = tokens([(10, 20, 0, 0.8), (10, 20, 2, 0.5), (10, 20, 16, 0.1)], rgb)
    x, y = 20.5 * 8, 10.5 * 8
    assert np.allclose(out[0, :4] * [384, 288, 384, 288], [x - 8, y - 16, x + 8, y + 16], atol=1e-3)
    heats = out[0, layout.HEATS]
    assert np.isclose(heats[layout.PERSON], 0.8) and np.isclose(heats[layout.CAR], 0.5)
    assert heats[layout.DOG] == 0, "a heat below the floor is cut"
    assert np.allclose(out[0, layout.UPPER], [1, 0, 0], atol=0.02)
    assert np.allclose(out[0, layout.LOWER], [0, 0, 1], atol=0.02)
    assert out[0, layout.VALID] == 1 and (out[1:24, layout.VALID] == 0).all()
    assert out[24, layout.PICTURE] == 1


def test_overlapping_boxes_are_one_and_neighbours_are_two():
    same = tokens([(10, 20, 0, 0.8), (11, 20, 0, 0.7)])
    assert same[:, layout.VALID].sum() == 1
    beside = tokens([(10, 20, 0, 0.8), (10, 22, 0, 0.7)])
    assert beside[:, layout.VALID].sum() == 2


def test_a_hidden_box_hides_nothing():
    chain = tokens([(10, 20, 0, 0.8), (11, 20, 0, 0.7), (12, 20, 0, 0.6)])
    heights = chain[: layout.OBJECTS, layout.HEATS].max(1)
    assert [round(float(h), 1) for h in heights[heights > 0]] == [0.8, 0.6]


def test_a_colour_is_the_median_of_its_place():
    """A jacket with a bag before it: a third of the samples are white."""
    half = torch.zeros(1, 3, 120, 160)
    half[:, :, :, 100:] = 1.0
    boxes = torch.tensor([[[100.0, 40.0, 240.0, 200.0]]])
    tokens = ObjectTokens(240, 320)
    colour = lambda: tokens.median(tokens.samples(half, boxes, (0.18, 0.48))).flatten().tolist()  # noqa: E731
    assert colour() == [0.0, 0.0, 0.0]
    words = tokens.words(tokens.samples(half, boxes, (0.18, 0.48))).flatten()
    assert words.sum().item() == pytest.approx(1, abs=1e-4), "and the shares of the words tell of both"
    assert words[colour_words.NAMES.index("black")] > 0.5 and words[colour_words.NAMES.index("white")] > 0.15
    half[:, :, :, 80:] = 1.0
    assert colour() == [1.0, 1.0, 1.0]
