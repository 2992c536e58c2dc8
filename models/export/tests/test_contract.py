"""The promises of flamingo-onnx/1, on ONNX Runtime, and parity with PyTorch."""

import numpy as np
import pytest
import torch

from wader_export import layout, tokens
from wader_export.graphs import names
from wader_export.graphs.modules import DECODER_INPUTS, PAST_NAMES, PRESENT_NAMES, DecoderGraph, ResamplerGraph
from wader_export.nn import decoder as lm


@pytest.fixture(scope="module")
def window(scenes):
    """A bank, an index and times of two windows."""
    world, features, _ = scenes
    bank = features.tokens[:2].reshape(16, layout.TOKENS, layout.DIM)
    return bank, np.arange(16).reshape(2, 8), world.times[:2].astype(np.float32)


@pytest.fixture(scope="module")
def media(graphs, window):
    """media_kv of the two windows."""
    return resample(graphs, *window)


def resample(graphs, bank, index, seconds):
    feeds = {"frame_bank": bank, "frame_index": index.astype(np.int64), "frame_pos": seconds.astype(np.float32)}
    return graphs["resampler"].run(None, feeds)[0]


def feeds(rows, media, owner, gate=1.0, positions=None, mask=None, past=None, wanted=None):
    """Inputs of the decoder; `owner` is [rows, length]."""
    ids = np.array(rows, np.int64)
    earlier = 0 if past is None else past[0].shape[2]
    whole = np.ones((len(ids), earlier + ids.shape[1]), np.int64) if mask is None else np.array(mask, np.int64)
    result = {
        "input_ids": ids,
        "attention_mask": whole,
        "position_ids": np.broadcast_to(np.arange(earlier, earlier + ids.shape[1]), ids.shape)
        if positions is None
        else positions,
        "media_index": np.array(owner, np.int64),
        "logits_index": np.full((len(ids), 1), ids.shape[1] - 1) if wanted is None else np.array(wanted, np.int64),
        "gate_scale": np.array(gate, np.float32),
        "media_kv": media,
    }
    empty = np.zeros((len(ids), lm.HEADS, 0, lm.HEAD_WIDTH), np.float32)
    return {**result, **dict(zip(PAST_NAMES, past or [empty] * len(PAST_NAMES)))}


def decode(graphs, *arguments, outputs=("logits",), **options):
    values = graphs["decoder"].run(list(outputs), feeds(*arguments, **options))
    return values[0] if len(outputs) == 1 else values


ROW = [tokens.IMAGE, tokens.QUESTION, 20, 21, 22, 23, tokens.ANSWER]
HERE = [[0] * len(ROW)]


def test_parity_with_pytorch(graphs, model, window, media):
    bank, index, seconds = (torch.from_numpy(a) for a in window)
    with torch.no_grad():
        wanted = ResamplerGraph(model.resampler, model.decoder).eval()(bank, index, seconds).numpy()
    assert np.abs(wanted - media).max() < 1e-4
    inputs = feeds([ROW, ROW[:-1] + [8]], media, [[0] * 7, [1] * 7])
    values = [torch.from_numpy(np.ascontiguousarray(inputs[n])) for n in DECODER_INPUTS]
    with torch.no_grad():
        logits = DecoderGraph(model.decoder).eval()(*values, [torch.from_numpy(inputs[n]) for n in PAST_NAMES])[0]
    assert np.abs(logits.numpy() - graphs["decoder"].run(["logits"], inputs)[0]).max() < 1e-4


def test_exported_decoder_is_the_trained_one(graphs, model, window, media):
    bank, index, seconds = (torch.from_numpy(a) for a in window)
    with torch.no_grad():
        latents, _ = model.resampler(bank[index], seconds, torch.ones_like(index, dtype=torch.bool))
        rows = model.decoder.media(latents)[:1][:, None]
        logits = model.decoder(torch.tensor([ROW]), rows, torch.zeros(1, len(ROW), dtype=torch.int64))
    assert np.abs(logits[:, -1].numpy() - decode(graphs, [ROW], media, HERE)[:, 0]).max() < 1e-4


def test_absent_frames_do_not_matter(graphs, window):
    bank, index, seconds = window
    index, seconds = index[:1].copy(), seconds[:1].copy()
    index[0, [0, 3]] = -1
    first = resample(graphs, bank, index, seconds)
    other = bank.copy()
    other[0] = 0.7
    seconds[0, [0, 3]] = 55.0
    assert np.array_equal(first, resample(graphs, other, index, seconds))
    keep = [1, 2, 4, 5, 6, 7]
    assert np.abs(first - resample(graphs, bank, index[:, keep], seconds[:, keep])).max() < 1e-4


def test_order_and_time_matter(graphs, window):
    bank, index, seconds = window
    straight = resample(graphs, bank, index, seconds)
    assert np.abs(straight - resample(graphs, bank, index[:, ::-1], seconds)).max() > 1e-3
    assert np.abs(straight - resample(graphs, bank, index, seconds * 3)).max() > 1e-3


def test_a_shared_batch_of_windows_equals_singles(graphs, window, media):
    bank, index, seconds = window
    for i in range(2):
        single = resample(graphs, bank, index[i : i + 1], seconds[i : i + 1])
        assert np.abs(single[0] - media[i]).max() < 1e-5


def test_gates_shut_the_picture_has_no_effect(graphs, media):
    a = decode(graphs, [ROW], media[:1], HERE, gate=0.0)
    b = decode(graphs, [ROW], media[1:], HERE, gate=0.0)
    assert np.array_equal(a, b)
    assert np.abs(decode(graphs, [ROW], media[:1], HERE) - decode(graphs, [ROW], media[1:], HERE)).max() > 1e-3


def test_no_medium_equals_gates_shut(graphs, media):
    none = decode(graphs, [ROW], media, [[-1] * len(ROW)])
    assert np.abs(none - decode(graphs, [ROW], media, HERE, gate=0.0)).max() < 1e-5


def test_rows_see_only_their_own_medium(graphs, media):
    both = decode(graphs, [ROW, ROW], media, [[0] * 7, [1] * 7])
    for i in range(2):
        assert np.abs(both[i] - decode(graphs, [ROW], media[i : i + 1], HERE)[0]).max() < 1e-4


def test_text_before_the_image_does_not_see_it_and_the_image_itself_attends(graphs, media):
    row = [20, 21, *ROW]
    owner = [[-1, -1] + [0] * len(ROW)]
    wanted = [[1, 2]]
    a = decode(graphs, [row], media[:1], owner, wanted=wanted)
    b = decode(graphs, [row], media[1:], owner, wanted=wanted)
    assert np.array_equal(a[:, 0], b[:, 0])
    assert np.abs(a[:, 1] - b[:, 1]).max() > 1e-3


def test_past_and_suffix_equal_the_whole(graphs, media):
    whole = decode(graphs, [ROW], media[:1], HERE)
    _, *past = decode(graphs, [ROW[:3]], media[:1], [[0] * 3], outputs=("logits", *PRESENT_NAMES))
    rest = decode(graphs, [ROW[3:]], media[:1], [[0] * 4], past=past)
    assert np.abs(whole - rest).max() < 1e-4


def test_padding_and_holes_change_nothing(graphs, media):
    alone = decode(graphs, [ROW], media[:1], HERE)
    padded = decode(
        graphs, [ROW + [0, 0]], media[:1], [[0] * 9], mask=[[1] * 7 + [0] * 2], wanted=[[6]]
    )  # fmt: skip
    assert np.abs(alone - padded).max() < 1e-4
    positions = np.array([[0, 1, 99, 2, 3, 4, 5, 6]])
    hole = decode(
        graphs, [ROW[:2] + [30] + ROW[2:]], media[:1], [[0] * 8], mask=[[1, 1, 0, 1, 1, 1, 1, 1]], positions=positions
    )
    assert np.abs(alone - hole).max() < 1e-4
    assert np.isfinite(hole).all()


def test_an_interleaved_example_cached_or_not_gives_the_same_logits(graphs, media):
    """In context: picture, question and answer of an example, then the query's own picture (latest-medium masking)."""
    example = [*ROW, 30, tokens.END]
    row = [*example, *ROW]
    owner = [[0] * len(example) + [1] * len(ROW)]
    whole = decode(graphs, [row], media, owner)
    _, *past = decode(graphs, [example], media, [[0] * len(example)], outputs=("logits", *PRESENT_NAMES))
    cached = decode(graphs, [ROW], media, [[1] * len(ROW)], past=past)
    assert np.abs(whole - cached).max() < 1e-4
    assert whole.argmax() == cached.argmax()
    # the example is read, and its picture is not the query's
    alone = decode(graphs, [ROW], media, [[1] * len(ROW)])
    assert np.abs(whole - alone).max() > 1e-3
    _, *other = decode(graphs, [example], media, [[1] * len(example)], outputs=("logits", *PRESENT_NAMES))
    assert np.abs(decode(graphs, [ROW], media, [[1] * len(ROW)], past=other) - cached).max() > 1e-5


def test_a_model_folder_gives_back_every_weight(graphs, model, folder):
    stored = names.parameters(folder)
    trained = {name: value for name, value in model.state_dict().items() if not name.startswith("head.")}
    assert stored.keys() == trained.keys()
    for name, value in trained.items():
        assert np.array_equal(stored[name].numpy(), value.numpy()), name
