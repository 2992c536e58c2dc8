"""OpenFlamingo converted, against `open_flamingo`'s own classes: GPT-NeoX, MPT, MPT-1B, OPT and LLaMA underneath.

The oracle runs every row alone, without cache and padding; the graphs run as the service does.
"""

import families_languages
import families_oracles as oracles
import numpy as np
import pytest
import torch
from families_bench import Bench, owners

from wader_export.families import hub, open_flamingo
from wader_export.families.family import PRECISIONS, Options

LIMIT = 1e-4
# Blocks, and how many of them to a gated layer.
ARCHITECTURES = {"gpt_neox": (4, 2), "mpt": (2, 1), "mpt_norms": (2, 1), "opt": (2, 1), "llama": (2, 1)}
FAR = 1e-2  # what must differ, differs by more


class Model:
    """One architecture: oracle, conversion, graphs."""

    def __init__(self, arch: str, folder, seeing=None):
        self.arch, (layers, every) = arch, ARCHITECTURES[arch]
        make = families_languages.word_tokenizer if arch == "llama" else families_languages.byte_tokenizer
        count = make(folder / "language").get_vocab_size()
        self.end, self.image, self.pad = count, count + 1, count + 2
        self.oracle = oracles.Oracle(arch, layers, every, count + 3, self.image, self.end)
        self.places = self.oracle.save(folder)
        self.conversion = self.convert()
        self.folder = folder
        # All architectures here have the same tower, resampler and gated layers, so one pair of graphs sees for all.
        only = ("decoder",) if seeing else ("vision_encoder", "resampler", "decoder")
        self.bench = Bench(self.conversion, folder, only=only)
        if seeing:
            self.bench.sessions |= {n: s for n, s in seeing.bench.sessions.items() if n != "decoder"}

    def convert(self, **changed):
        """By the folders that were saved."""
        places = self.places | changed
        options = Options(language=places["language"], vision=places["vision"], fetch=hub.fetch)
        return open_flamingo.convert(hub.fetch(places["flamingo"]), options)

    def wanted(self, ids, clips) -> np.ndarray:
        return self.oracle.logits(ids, clips).numpy()


def near(got, wanted, limit=LIMIT) -> bool:
    """Whether the largest difference is within the limit; logits reach about 8 here."""
    return np.abs(got - wanted).max() <= limit


@pytest.fixture(scope="session")
def first(tmp_path_factory):
    return Model("gpt_neox", tmp_path_factory.mktemp("gpt_neox"))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request, first, tmp_path_factory):
    return first if request.param == "gpt_neox" else Model(request.param, tmp_path_factory.mktemp(request.param), first)


@pytest.fixture(scope="session")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, oracles.SIZE, oracles.SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def bank(first, pixels):
    return first.bench.features(pixels)


@pytest.fixture(scope="session")
def media(first, bank):
    """One medium a frame, in an order that is not the frames': 2, 0, 3, 1."""
    return first.bench.media(bank, [[2], [0], [3], [1]])


ROW_OF = {0: 1, 1: 3, 2: 0, 3: 2}  # frame -> row of `media`


def owner(model, ids, frames):
    """Rows of `media` that the tokens see, where the pictures of the text are these frames."""
    return [-1 if i < 0 else ROW_OF[frames[i]] for i in owners(ids, model.image)]


def text(model):
    """A prefix with a picture in it, and three suffixes of different lengths, with a picture or without."""
    prefix = [11, 12, model.image, 30, 31, model.end]
    return prefix, [[model.image, 40, 41, 42], [model.image, 50, 51, 52, 53, 54], [60, 61, 62]]


def test_features_are_clips_raw_tokens(first, pixels, bank):
    raw = first.oracle.tower(oracles.normalised(pixels)).last_hidden_state.detach().numpy()
    assert bank.shape == (4, 4, oracles.WIDTH)  # no class token
    assert near(bank, raw[:, 1:])


def test_rows_alone_with_several_pictures_and_with_none(model, pixels, media):
    for ids, frames in (
        ([7, 8, model.image, 20, model.image, 30, 31, model.end, model.image, 9], [3, 0, 2]),
        ([model.image, 20, 21], [1]),
        ([5, 6, 7, 8], []),
    ):
        logits, _ = model.bench.run([ids], media, [owner(model, ids, frames)])
        assert near(logits[0], model.wanted(ids, [pixels[f][None] for f in frames or [0]]))


def test_a_ragged_batch_on_one_cached_prefix_and_greedy_tokens_across_the_holes(model, pixels, media):
    prefix, suffixes = text(model)
    frames = [[0, 1], [0, 2], [0]]  # two rows share the prefix's medium, each has its own after that
    _, past = model.bench.run([prefix], media, [owner(model, prefix, [0])])
    past = [np.repeat(value, len(suffixes), 0) for value in past]
    lengths = [len(suffix) for suffix in suffixes]
    longest = max(lengths)
    rows = [suffix + [model.pad] * (longest - len(suffix)) for suffix in suffixes]
    mask = [[1] * (len(prefix) + n) + [0] * (longest - n) for n in lengths]
    seen = []
    for suffix, of in zip(suffixes, frames):
        whole = owner(model, prefix + suffix, of)
        seen.append(whole[len(prefix) :] + whole[-1:] * (longest - len(suffix)))
    logits, present = model.bench.run(rows, media, seen, past, mask)
    made = model.bench.greedy(logits, present, mask, seen, media, lengths, 5)
    for i, (suffix, of) in enumerate(zip(suffixes, frames)):
        ids, clips = prefix + suffix, [pixels[f][None] for f in of]
        wanted = model.wanted(ids, clips)[len(prefix) :]
        assert near(logits[i, : len(suffix)], wanted)
        assert made[i] == model.oracle.generate(ids, clips, 5)
    assert len({token for row in made for token in row}) > 2  # or equal tokens prove nothing


def test_beam_of_three(model, pixels, media):
    ids = [12, model.image, 30, 31, 32]
    seen = owner(model, ids, [2])
    assert model.bench.beam(ids, media, seen, 4, 3) == model.oracle.generate(ids, [pixels[2][None]], 4, beams=3)


def test_gates_shut_is_the_language_model_alone(model, pixels, media):
    ids = [12, model.image, 30, 31, 32]
    seen = owner(model, ids, [2])
    shut, _ = model.bench.run([ids], media, [seen], gate=0.0)
    model.oracle.shut(True)
    wanted = model.wanted(ids, [pixels[2][None]])
    model.oracle.shut(False)
    assert near(shut[0], wanted)
    other, _ = model.bench.run([ids], media, [owner(model, ids, [1])], gate=0.0)
    assert np.array_equal(shut, other)


def test_the_picture_token_itself_attends_and_what_stands_before_does_not(model, media):
    ids = [12, 13, model.image, 30]
    a, _ = model.bench.run([ids], media, [owner(model, ids, [2])])
    b, _ = model.bench.run([ids], media, [owner(model, ids, [1])])
    assert np.array_equal(a[:, :2], b[:, :2])
    assert np.abs(a[:, 2] - b[:, 2]).max() > FAR
    shut, _ = model.bench.run([ids], media, [owner(model, ids, [2])], gate=0.0)
    assert np.abs(a[:, 0] - shut[:, 0]).max() > FAR  # the gated feed-forward takes every token


def test_padded_rows_are_finite_and_change_nothing(model, media):
    ids = [12, model.image, 30, 31]
    alone, _ = model.bench.run([ids], media, [owner(model, ids, [2])])
    left = [[model.pad] * 3 + ids, [model.pad] * 7]
    mask = [[0] * 3 + [1] * 4, [0] * 7]
    seen = [[-1] * 3 + owner(model, ids, [2]), [-1] * 7]
    both, _ = model.bench.run(left, media, seen, mask=mask)
    assert near(both[0, 3:], alone[0])
    assert np.isfinite(both).all()


def test_the_order_of_media_in_the_bank_is_irrelevant_and_others_do_not_leak(model, bank, media):
    ids = [12, model.image, 30, 31]
    a, _ = model.bench.run([ids], media, [owner(model, ids, [2])])
    moved = np.concatenate([media[1:] * 3, media[:1]])
    b, _ = model.bench.run([ids], moved, [[i if i < 0 else 3 for i in owner(model, ids, [2])]])
    assert near(a, b, 1e-5)


def test_released_weights_know_no_time_and_the_manifest_says_so(first):
    resampler = first.conversion.facts["resampler"]
    assert (resampler["frame_mode"], resampler["max_frames"], resampler["trained_frames"]) == ("single", 1, [1])


def test_on_llama_the_licence_of_the_first_one_is_told(model):
    limits = model.conversion.limits
    assert len(limits) == (model.arch == "llama")
    assert all("non-commercial research only" in limit for limit in limits)


def test_several_frames_without_time_have_no_order_and_an_absent_one_is_as_if_left_out(first, bank):
    together = first.bench.media(bank, [[0, 1, 2]])
    assert near(together, first.bench.media(bank, [[2, 0, 1]]))
    assert near(first.bench.media(bank, [[0, -1, 2]]), first.bench.media(bank, [[0, 2]]))
    assert np.abs(together - first.bench.media(bank, [[0, 2]])).max() > FAR


def test_float16_decoder_is_close_and_its_padded_rows_are_finite(model, pixels, media):
    if model.arch == "mpt":  # ALiBi's large numbers
        half = Bench(model.conversion, model.folder, PRECISIONS["fp16"], ("decoder",)).run
    else:
        half = TorchHalf(model)
    ids = [12, model.image, 30, 31, 32]
    rows = [ids, [model.pad] * 5]
    seen = [owner(model, ids, [2]), [-1] * 5]
    logits, _ = half(rows, media, seen, mask=[[1] * 5, [0] * 5])
    wanted = model.wanted(ids, [pixels[2][None]])
    assert near(logits[0], wanted, 5e-2)
    assert np.isfinite(logits).all()


class TorchHalf:
    """The decoder with weights of float16 in PyTorch, where the float16 graph has nothing of its own.

    Those of GPT-NeoX, LLaMA and IDEFICS run in other tests: of the whole command, of tests/models, of IDEFICS.
    """

    def __init__(self, model):
        self.model = model

    def __call__(self, rows, media, owner, mask):
        from wader_export.families.streamed import streamed

        shapes, ids = self.model.conversion.shapes, torch.tensor(rows)
        mask = torch.tensor(mask)
        module, weights = self.model.conversion.modules["decoder"], self.model.conversion.weights.under("decoder")
        past = [torch.zeros(len(ids), shapes.kv_heads, 0, shapes.head_dim)] * (2 * shapes.self_layers)
        every = torch.arange(ids.shape[1]).expand(ids.shape)
        with streamed(module, weights, "float16", frozenset()) as decoder:
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            logits, *present = decoder(
                ids, mask, positions, torch.tensor(owner), every, torch.tensor(1.0), torch.from_numpy(media), past
            )
        return logits.numpy(), present
