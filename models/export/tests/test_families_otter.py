"""Otter-Video converted: the one public Flamingo whose frame embeddings were trained."""

import families_languages
import families_oracles as oracles
import numpy as np
import pytest
import torch
from families_bench import Bench, owners

from wader_export.families import hub, otter
from wader_export.families.checkpoint import CheckpointError
from wader_export.families.family import Options
from wader_export.families.language import llama

FRAMES = 6


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("otter")
    count = families_languages.word_tokenizer(folder).get_vocab_size()
    oracles.card(folder, "mit")
    oracle = oracles.OtterOracle("llama", 2, 1, count + 4, count + 1, count, FRAMES)
    oracle.save(folder)
    return oracle, folder


@pytest.fixture(scope="module")
def conversion(saved):
    place = hub.fetch(str(saved[1]))
    assert otter.recognise(place)
    return otter.convert(place, Options(fetch=hub.fetch))


@pytest.fixture(scope="module")
def bench(conversion, saved):
    return Bench(conversion, saved[1], only=("resampler", "decoder"))  # the tower is OpenFlamingo's, and tested there


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(1).integers(0, 256, (8, oracles.SIZE, oracles.SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def bank(saved, clip):
    return saved[0].tower(oracles.normalised(clip)).last_hidden_state[:, 1:].detach().numpy()


def test_two_overlapping_windows_of_one_bank_equal_two_clips_encoded_apart(saved, bench, clip, bank):
    oracle, _ = saved
    ids = [12, oracle.image, 30, 31, 32]
    media = bench.media(bank, [[0, 1, 2, 3], [2, 3, 4, 5]])
    seen = [owners(ids, oracle.image, first) for first in (0, 1)]
    logits, _ = bench.run([ids, ids], media, seen)
    for row, window in zip(logits, (clip[0:4], clip[2:6])):
        wanted = oracle.logits(ids, [window]).numpy()
        assert np.abs(row - wanted).max() < 1e-4
    assert np.abs(logits[0] - logits[1]).max() > 1e-2


def test_greedy_tokens_after_a_clip(saved, bench, clip, bank):
    oracle, _ = saved
    ids = [12, oracle.image, 30, 31, 32]
    media = bench.media(bank, [[0, 1, 2, 3]])
    seen = [owners(ids, oracle.image)]
    logits, past = bench.run([ids], media, seen)
    made = bench.greedy(logits, past, [[1] * 5], seen, media, [5], 6)
    assert made[0] == oracle.generate(ids, [clip[:4]], 6)


def test_the_order_of_frames_matters_and_an_absent_one_is_as_if_left_out(bench, bank):
    straight = bench.media(bank, [[0, 1, 2]])
    assert np.abs(straight - bench.media(bank, [[2, 1, 0]])).max() > 1e-2
    gap = bench.media(bank, [[0, -1, 1, 2]], [[0, 77, 1, 2]])
    assert np.abs(gap - straight).max() < 1e-4
    other = bank.copy()
    other[0] = 1e3
    assert np.array_equal(bench.media(bank, [[-1, 1]]), bench.media(other, [[-1, 1]]))


def test_places_between_two_frames_interpolate_their_embeddings(saved, bench, bank):
    oracle, _ = saved
    at = np.linspace(0, FRAMES - 1, 8, dtype=np.float32)
    table = oracle.model.perceiver.frame_embs.detach()
    between = torch.nn.functional.interpolate(table.T[None], 8, mode="linear", align_corners=True)[0].T
    got = bench.media(bank, [list(range(8))], at[None])
    shifted = bank + between.numpy()[:, None] - table[0].numpy()  # what place 0 adds to all of them, taken off
    wanted = bench.media(shifted, [list(range(8))], np.zeros((1, 8)))
    assert np.abs(got - wanted).max() < 1e-4


def test_the_manifest_tells_of_time(conversion):
    resampler = conversion.facts["resampler"]
    assert resampler["frame_mode"] == "timed"
    assert resampler["max_frames"] == FRAMES
    question = conversion.facts["prompt"]["question"]
    assert [part.get("token") for part in question] == ["<image>", None, None, None, "<answer>"]


def test_on_mpt_rows_that_no_token_has_are_never_written(tmp_path):
    """Its embedding, which is its output, too, was not cut to the tokenizer: the rest is filling, here a loud one."""
    count = families_languages.byte_tokenizer(tmp_path).get_vocab_size() + 4
    oracle = oracles.OtterOracle("mpt", 2, 1, count + 9, count - 3, count - 4, FRAMES)
    with torch.no_grad():
        oracle.lm.get_input_embeddings().weight[count:] *= 8
    oracle.save(tmp_path)
    made = otter.convert(hub.fetch(str(tmp_path)), Options(fetch=hub.fetch))
    decoder = made.facts["decoder"]
    assert (decoder["vocab"], decoder["embed_rows"]) == (count, count + 9)
    assert made.tokenizer.get_vocab_size() == count and not made.limits
    ids, frames = [12, 30, 31, 32], np.zeros((1, oracles.SIZE, oracles.SIZE, 3), np.uint8)
    wanted = oracle.logits(ids, [frames]).numpy()
    assert wanted.argmax(-1).max() >= count  # the checkpoint itself would write one
    shapes = made.shapes
    media = np.zeros((1, shapes.cross_layers, 2, shapes.cross_kv_heads, shapes.latents, shapes.cross_head_dim))
    logits, _ = Bench(made, tmp_path, only=("decoder",)).run([ids], media, [[-1] * len(ids)])
    assert np.abs(logits[0] - wanted[:, :count]).max() < 1e-4


def test_a_free_licence_on_its_card_does_not_free_the_llama_under_it(conversion):
    assert conversion.licence == "MIT"
    assert conversion.limits == (llama.LIMIT,)


def test_a_checkpoint_without_frame_embeddings_that_its_configuration_promises_is_an_error(saved, tmp_path):
    state = torch.load(saved[1] / "pytorch_model.bin", weights_only=True)
    del state["perceiver.frame_embs"]
    torch.save(state, tmp_path / "pytorch_model.bin")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((saved[1] / name).read_bytes())
    with pytest.raises(CheckpointError, match="`perceiver.frame_embs` is missing"):
        otter.convert(hub.fetch(str(tmp_path)), Options(fetch=hub.fetch))
