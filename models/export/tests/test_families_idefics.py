"""IDEFICS converted, against `transformers`' own class: scalar and vector gates, norms of every head."""

import families_oracles as oracles
import numpy as np
import pytest
import torch
from families_bench import Bench, owners

from wader_export.families import folder as folders
from wader_export.families import hub, idefics
from wader_export.families.family import PRECISIONS, Options
from wader_export.families.language import llama


class Model:
    """The class, and its conversion."""

    def __init__(self, folder, vector: bool):
        self.oracle, self.image = oracles.idefics(folder, vector)
        place = hub.fetch(str(folder))
        assert idefics.recognise(place)
        self.conversion = idefics.convert(place, Options(fetch=hub.fetch))

    @torch.no_grad()
    def wanted(self, ids, pixels):
        return self.oracle(**self.inputs(ids, pixels)).logits[0].numpy()

    @torch.no_grad()
    def generate(self, ids, pixels, steps, beams=1):
        out = self.oracle.generate(
            **self.inputs(ids, pixels), max_new_tokens=steps, min_new_tokens=steps, num_beams=beams, do_sample=False,
            eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        return out[0, len(ids) :].tolist()

    def inputs(self, ids, pixels):
        row, seen = torch.tensor([ids]), torch.tensor(owners(ids, self.image))
        mask = (seen[:, None] == torch.arange(len(pixels)))[None].long()
        return {
            "input_ids": row, "attention_mask": torch.ones_like(row), "image_attention_mask": mask,
            "pixel_values": oracles.normalised(pixels)[None],
        }  # fmt: skip


@pytest.fixture(scope="module", params=(False, True), ids=("scalar", "vector"))
def model(request, tmp_path_factory):
    return Model(tmp_path_factory.mktemp("idefics"), request.param)


@pytest.fixture(scope="module")
def scalar(tmp_path_factory):
    folder = tmp_path_factory.mktemp("idefics")
    one = Model(folder, False)
    one.bench = Bench(one.conversion, folder)
    one.folder = folder
    return one


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(2).integers(0, 256, (3, oracles.SIZE, oracles.SIZE, 3), dtype=np.uint8)


def text(model):
    fake = model.image - 1
    return [1, 40, fake, model.image, fake, 50, 51, fake, model.image, fake, 60]


def near(got, wanted, limit=1e-4) -> bool:
    return np.abs(got - wanted).max() <= limit


def test_both_kinds_of_gates_in_pytorch(model, pixels):
    from wader_export.families.streamed import streamed

    conversion, ids = model.conversion, text(model)

    def run(graph):
        return streamed(conversion.modules[graph], conversion.weights.under(graph), "float32", frozenset())

    with run("vision_encoder") as vision, run("resampler") as resampler, run("decoder") as decoder:
        bank = vision(torch.from_numpy(pixels[:2]))
        media = resampler(bank, torch.tensor([[0], [1]]), torch.zeros(2, 1))
        shapes, length = conversion.shapes, len(ids)
        past = [torch.zeros(1, shapes.kv_heads, 0, shapes.head_dim)] * (2 * shapes.self_layers)
        every = torch.arange(length)[None]
        logits, *_ = decoder(
            torch.tensor([ids]), torch.ones(1, length, dtype=torch.int64), every,
            torch.tensor([owners(ids, model.image)]), every, torch.tensor(1.0), media, past,
        )  # fmt: skip
    assert near(logits[0].numpy(), model.wanted(ids, pixels[:2]))


def test_features_are_raw_and_keep_the_class_token(scalar, pixels):
    wanted = scalar.oracle.model.vision_model(oracles.normalised(pixels)).last_hidden_state.detach().numpy()
    assert near(scalar.bench.features(pixels), wanted)


def test_logits_and_greedy_tokens_on_a_cached_prefix(scalar, pixels):
    ids = text(scalar)
    media = scalar.bench.media(scalar.bench.features(pixels), [[1], [0]])
    seen = [{-1: -1, 0: 1, 1: 0}[i] for i in owners(ids, scalar.image)]  # the bank's order is another
    wanted = scalar.wanted(ids, pixels[:2])
    _, past = scalar.bench.run([ids[:5]], media, [seen[:5]])
    rest = [[*ids[5:], 0, 0], [*ids[5:8], *[0] * 5]]  # a ragged batch: the second row ends early
    mask = [[1] * 11 + [0] * 2, [1] * 8 + [0] * 5]
    owner = [seen[5:] + [seen[-1]] * 2, [*seen[5:8], *[seen[7]] * 5]]
    past = [np.repeat(value, 2, 0) for value in past]
    logits, present = scalar.bench.run(rest, media, owner, past, mask)
    assert near(logits[0, :6], wanted[5:])
    assert near(logits[1, :3], wanted[5:8])
    made = scalar.bench.greedy(logits, present, mask, owner, media, [6, 3], 5)
    assert made[0] == scalar.generate(ids, pixels[:2], 5)
    assert made[1] == scalar.generate(ids[:8], pixels[:1], 5)


def test_beam_of_three(scalar, pixels):
    ids = text(scalar)
    media = scalar.bench.media(scalar.bench.features(pixels), [[0], [1]])
    made = scalar.bench.beam(ids, media, owners(ids, scalar.image), 4, 3)
    assert made == scalar.generate(ids, pixels[:2], 4, beams=3)


def test_no_picture_passes_the_gated_feed_forward_and_shut_gates_pass_nothing(scalar, pixels):
    ids = [1, 40, 41, 42]
    media = scalar.bench.media(scalar.bench.features(pixels), [[0]])
    inputs = scalar.inputs(ids, pixels[:1])
    inputs["image_attention_mask"] *= 0
    with torch.no_grad():
        wanted = scalar.oracle(**inputs).logits[0].numpy()
        logits, _ = scalar.bench.run([ids], media, [[-1] * 4])
        assert near(logits[0], wanted)
        gates = [p for n, p in scalar.oracle.named_parameters() if "alpha_" in n]
        kept = [gate.clone() for gate in gates]
        for gate in gates:
            gate.zero_()
        shut = scalar.oracle(**inputs).logits[0].numpy()
        for gate, value in zip(gates, kept):
            gate.copy_(value)
    logits, _ = scalar.bench.run([ids], media, [[0] * 4], gate=0.0)
    assert near(logits[0], shut)
    assert np.abs(shut - wanted).max() > 1e-2


def test_float16(scalar, pixels):
    ids = text(scalar)
    half = Bench(scalar.conversion, scalar.folder, PRECISIONS["fp16"], ("decoder",))
    media = scalar.bench.media(scalar.bench.features(pixels), [[0], [1]])
    logits, _ = half.run([ids], media, [owners(ids, scalar.image)])
    assert np.abs(logits[0] - scalar.wanted(ids, pixels[:2])).max() <= 5e-2


def test_the_manifest_tells_what_the_licence_of_llama_forbids(scalar, tmp_path):
    provenance = folders.manifest(scalar.conversion, tmp_path, [], PRECISIONS["fp32"])["provenance"]
    assert list(provenance) == ["description", "licence", "licence_limits", "sources"]
    assert provenance["licence_limits"] == [llama.LIMIT]


def test_the_manifest_knows_no_time_and_squashes_pictures(scalar):
    facts = scalar.conversion.facts
    assert (facts["resampler"]["frame_mode"], facts["vision"]["fit"]) == ("single", "stretch")
    assert facts["vision"]["tokens"] == 5
    assert facts["tokens"]["bos"] == 1
