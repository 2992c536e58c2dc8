"""What is reckoned for public checkpoints, and that graphs without numbers are exported and opened."""

import pytest
from wader_export.families import real_sizes


@pytest.mark.parametrize(
    "name, decoder, medium, past",
    [  # weights of the decoder, bytes of K and V: of a medium, of a token of text
        ("OpenFlamingo-4B", 3.656e9, 16 * 2 * 8 * 64 * 64 * 2, 32 * 2 * 2560 * 2),
        ("OpenFlamingo-9B", 7.756e9, 8 * 2 * 8 * 64 * 64 * 2, 32 * 2 * 4096 * 2),
        ("Llama-3.2-11B-Vision", 9.708e9, 8 * 2 * 8 * 128 * (2 * 1601) * 2, 32 * 2 * 8 * 128 * 2),
        ("MOSS-VL-11B", 10.405e9, 12 * 2 * 8 * 128 * (11 * 20 + 1) * 2, 36 * 2 * 8 * 128 * 2),
    ],
)
def test_arithmetic(name, decoder, medium, past):
    sized = real_sizes.SIZES[name](None)
    assert abs(sized.numbers("decoder") / decoder - 1) < 1e-3
    assert (sized.medium(), sized.past()) == (medium, past)
    assert sized.bytes("decoder", small=False) == 2 * sized.numbers("decoder")
    packed = sized.bytes("decoder", small=True) / sized.bytes("decoder", small=False)
    assert 0.28 < packed < 0.55, "4.5 bits a weight, and the rest as it is"


def test_work():
    sized = real_sizes.SIZES["OpenFlamingo-4B"](None)
    one, two = (sized.work("vision_encoder", frames=frames) for frames in (1, 2))
    assert two == pytest.approx(2 * one)
    # a multiplication and an addition for each weight and token: a lower bound, since attention is beside it
    assert one > 2 * 256 * sized.numbers("vision_encoder") * 0.98


def test_export(tmp_path):
    sized = real_sizes.open_flamingo("tiny")
    assert "decoder: exported in " in real_sizes.export(sized, "decoder", tmp_path, small=True)
    assert b"MatMulNBits" in (tmp_path / "decoder.onnx").read_bytes()
