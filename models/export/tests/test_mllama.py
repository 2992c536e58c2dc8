"""Llama-3.2-Vision: a converted folder against transformers' class, set right where it differs from its authors'."""

import json

import numpy as np
import pytest
import torch
from ruled_bench import Bench, Text, far, plain_beam, plain_greedy
from tokenizers import Tokenizer

pytest.importorskip("transformers")
import mllama_reference as reference  # noqa: E402

from wader_export import paths  # noqa: E402
from wader_export.families import folder as folders  # noqa: E402
from wader_export.families import mllama, mllama_vision, parity, registry  # noqa: E402
from wader_export.families import mllama_original as original  # noqa: E402
from wader_export.families.checkpoint import CheckpointError  # noqa: E402
from wader_export.families.family import PRECISIONS, Options, find  # noqa: E402
from wader_export.families.sources import Place  # noqa: E402
from wader_export.graphs.goldens import replay  # noqa: E402

CLOSE, CLOSE_HALF, STEPS = 1e-4, 5e-2, 5
IMAGE, TILES = reference.IMAGE, (1, 2)
ONE, TWO, THREE = [7, 8, IMAGE, 9, 10], [7, 8, IMAGE, 9, IMAGE, 10, 11], [5, IMAGE, IMAGE, IMAGE, 6, 12]


@pytest.fixture(scope="module")
def model():
    return original.correct(reference.build())


@pytest.fixture(scope="module")
def place(model, tmp_path_factory):
    return reference.checkpoint(tmp_path_factory.mktemp("mllama") / "tiny-Instruct", model)


@pytest.fixture(scope="module")
def conversion(place):
    assert find(place, registry.FAMILIES) is mllama
    return mllama.convert(place, Options())


@pytest.fixture(scope="module")
def bench(conversion, tmp_path_factory):
    return Bench(folders.write(conversion, tmp_path_factory.mktemp("models") / "fp32", PRECISIONS["fp32"]))


@pytest.fixture(scope="module")
def canvases():
    return np.random.default_rng(5).integers(0, 256, (5, reference.TILE, 2 * reference.TILE, 3), np.uint8)


@pytest.fixture(scope="module")
def media(bench, canvases):
    """K and V of all pictures."""
    return bench.media(bench.features(canvases), list(range(len(canvases))))


def forward(model, canvases, rows):
    """The last token's logits of a text whose pictures are these rows."""
    return lambda ids: reference.logits(model, ids, canvases[rows])[-1]


def test_features(bench, model, canvases):
    assert far(bench.features(canvases), reference.features(model, canvases, TILES)) < CLOSE


@pytest.mark.parametrize("tiles", [(1, 1), (2, 1), (2, 2), (1, 3), (4, 1)])
def test_features_of_every_layout(place, model, tiles):
    made = mllama.convert(place, Options(canvas=f"{tiles[0]}x{tiles[1]}"))
    encoder, weights = made.modules["vision_encoder"].to_empty(device="cpu"), made.weights.under("vision_encoder")
    encoder.load_state_dict({name: weights.read(name) for name, _ in encoder.named_parameters()})
    shape = (2, tiles[0] * reference.TILE, tiles[1] * reference.TILE, 3)
    canvases = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    with torch.no_grad():
        found = encoder(torch.from_numpy(canvases)).numpy()
    assert far(found, reference.features(model, canvases, tiles)) < CLOSE


@pytest.mark.parametrize("ids", [[1, *ONE], [IMAGE, 1, 4, 5], ONE, TWO, THREE, [5, IMAGE, IMAGE, 6, IMAGE, 7]])
@pytest.mark.parametrize("first", [0, 2])
def test_logits(bench, model, canvases, media, ids, first):
    rows = list(range(first, first + ids.count(IMAGE)))
    found = bench.logits(Text(ids, rows), media)
    assert far(found, reference.logits(model, ids, canvases[rows])) < CLOSE


def test_no_picture(bench, model, media):
    assert far(bench.logits(Text([5, 6, 7], []), media), reference.logits(model, [5, 6, 7], [])) < CLOSE


def test_shut_gates_are_the_language_model_alone(bench, model, media):
    """The blind answer: no picture moves it, and it is what the text-only forward gives."""
    first, second = (bench.logits(Text(ONE, [row]), media, gate=0.0) for row in (0, 3))
    assert far(first, second) == 0.0
    assert far(first, reference.logits(model, ONE, [])) < CLOSE
    assert far(bench.logits(Text(ONE, [0]), media), bench.logits(Text(ONE, [3]), media)) > 0.1, "gates are shut"


def test_ragged_batch_on_a_prefix_run_once(bench, model, canvases, media):
    """An example picture and its answer are run once; three of four ragged rows share a picture."""
    shared = [7, IMAGE, 8, 9]
    suffixes = [([11, IMAGE, 12], 1), ([13, 14, IMAGE, 15, 16, 17], 1), ([IMAGE, 18], 1), ([19, 20, 21], None)]
    texts = [Text(shared + ids, [0] if row is None else [0, row]) for ids, row in suffixes]
    tokens, logits = bench.greedy(texts, media, STEPS, shared=len(shared))
    for row, text in enumerate(texts):
        told, every = plain_greedy(forward(model, canvases, text.rows), text.ids, STEPS)
        assert tokens[row].tolist() == told
        assert far(logits[row], every) < CLOSE


def test_text_before_the_picture_can_be_cached(bench, model, canvases, media):
    """K and V of tokens before the first picture do not hang on it: Meta's rule, not transformers'."""
    text = Text([7, 8, 9, IMAGE, 10], [2])
    tokens, logits = bench.greedy([text], media, STEPS, shared=3)
    told, every = plain_greedy(forward(model, canvases, [2]), text.ids, STEPS)
    assert tokens[0].tolist() == told and far(logits[0], every) < CLOSE
    first, second = (bench.prefix(Text([7, 8, 9, IMAGE], [row]), 3, media, 1)[0] for row in (0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second))


def test_beam_search(bench, model, canvases, media):
    text = Text(TWO, [1, 2])
    assert bench.beam(text, media, STEPS) == plain_beam(forward(model, canvases, [1, 2]), TWO, STEPS)


def test_left_padding_is_no_number_of_its_own(bench, model, canvases, media):
    found = bench.logits(Text(ONE, [0]), media, left=3)
    assert far(found, reference.logits(model, ONE, canvases[:1])) < CLOSE


def test_an_absent_frame_leaves_the_others_alone(bench, canvases, media):
    features = bench.features(canvases)
    some = bench.media(features, [0, -1, 2])
    assert np.array_equal(some[[0, 2]], bench.media(features, [0, 2])) and not some[1].any()


def test_long_text(bench, model, canvases, media):
    """Positions beyond the length that rope scaling starts from (64 here)."""
    ids = [7, IMAGE, *np.random.default_rng(3).integers(4, 150, 120).tolist()]
    assert far(bench.logits(Text(ids, [0]), media), reference.logits(model, ids, canvases[:1])) < CLOSE


def test_half_precision(conversion, model, canvases, tmp_path):
    bench = Bench(folders.write(conversion, tmp_path / "fp16", PRECISIONS["fp16"]))
    media = bench.media(bench.features(canvases), list(range(len(canvases))))
    assert media.dtype == np.float16
    for ids in (ONE, TWO, THREE, [5, 6, 7]):
        rows = list(range(ids.count(IMAGE)))
        found, expected = bench.logits(Text(ids, rows), media), reference.logits(model, ids, canvases[rows])
        assert found.dtype == np.float32 and far(found, expected) < CLOSE_HALF
    text = Text(TWO, [1, 2])
    told, _ = plain_greedy(forward(model, canvases, [1, 2]), TWO, STEPS)
    assert bench.greedy([text], media, STEPS)[0][0].tolist() == told
    assert bench.beam(text, media, STEPS)[0] == plain_beam(forward(model, canvases, [1, 2]), TWO, STEPS)[0]


# What springs silently, and by how much: each of these is a plausible way to get it wrong.


def test_trap_transformers_lets_text_before_a_picture_see_it(model, canvases):
    right = reference.logits(model, ONE, canvases[:1])
    try:
        wrong = reference.logits(original.correct(model, rows=False), ONE, canvases[:1])
    finally:
        original.correct(model)
    assert far(wrong[:2], right[:2]) > 0.5 and far(wrong[-1], right[-1]) > 0.1


def test_trap_transformers_taps_features_one_layer_late(model, canvases):
    right = reference.features(model, canvases, TILES)
    try:
        wrong = reference.features(original.correct(model, taps=False), canvases, TILES)
    finally:
        original.correct(model)
    assert far(wrong, right) > 1.0


@pytest.mark.parametrize("name", ["whole", "black"])
def test_trap_empty_tiles_and_padding_are_attended_to(conversion, model, canvases, monkeypatch, name):
    """Left out, or black before normalisation and not zero after it, they give other features."""
    encoder, right = conversion.modules["vision_encoder"], reference.features(model, canvases, TILES)
    weights = {n: conversion.weights.under("vision_encoder").read(n) for n, _ in encoder.named_parameters()}
    if name == "whole":
        attend = mllama_vision.attend
        real = 2 * encoder.shape.tokens
        alone = lambda q, k, v, bias: attend(q, k[:, :, :real], v[:, :, :real], bias)  # noqa: E731
        monkeypatch.setattr(mllama_vision, "attend", alone)
    else:
        black = -torch.tensor(reference.MEAN) / torch.tensor(reference.STD)
        patch = (weights["patch_embedding.weight"] * black[:, None, None]).sum((1, 2, 3))
        pad = torch.nn.functional.pad

        def filled(x, sides):
            """Of the two fillings, the one with tiles."""
            return pad(x, sides) + (pad(torch.zeros_like(x), sides, value=1.0) * patch if len(sides) == 6 else 0)

        monkeypatch.setattr(mllama_vision.functional, "pad", filled)
    with torch.no_grad():
        wrong = torch.func.functional_call(encoder, weights, torch.from_numpy(canvases)).numpy()
    assert far(wrong, right) > 0.05


def test_trap_pictures_side_by_side_are_a_group(bench, model, canvases, media):
    """The latest picture alone is not what the processor means."""
    laid = bench.lay(Text(THREE, [0, 1, 2]), len(media))
    laid[0]["media_span"][:] = 1
    mask = np.ones((1, len(THREE)), np.int64)
    tokens = {name: value[None] for name, value in laid[0].items()}
    last = np.array([[len(THREE) - 1]])
    found, _ = bench.call(np.array([THREE]), mask, tokens, {}, last, media, bench.empty)
    assert far(found[0, 0], reference.logits(model, THREE, canvases[:3])[-1]) > 0.5


def test_trap_scores_of_all_tiles_at_once(bench):
    """A tile at a time and padding by itself: at real size, all at once take 2.6 GB a layer."""
    import onnx

    manifest = bench.manifest
    path = bench.graphs["vision_encoder"]._model_path
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("Softmax") == (2 + 1) * (TILES[0] * TILES[1] + 1)
    assert manifest["limits"]["max_media_per_call"] == 1


@pytest.mark.parametrize(("size", "tiles"), [((56, 25), (1, 2)), ((25, 56), (2, 1)), ((150, 100), (2, 2))])
def test_canvas_is_what_the_image_processor_makes(model, size, tiles):
    """Upper left, as large as fits, bilinear with antialiasing, black beyond; tiles are counted down, then across."""
    from PIL import Image
    from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

    side = reference.TILE
    processor = MllamaImageProcessorPil(
        size={"height": side, "width": side}, image_mean=reference.MEAN, image_std=reference.STD
    )
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8))
    found = processor(photo, return_tensors="pt")
    canvas = np.zeros((1, tiles[0] * side, tiles[1] * side, 3), np.uint8)
    scale = min(canvas.shape[1] / size[1], canvas.shape[2] / size[0], 1)
    fitted = photo.resize((int(size[0] * scale), int(size[1] * scale)), Image.BILINEAR)
    canvas[0, : fitted.height, : fitted.width] = np.asarray(fitted)
    expected = original.pixel_values(model, canvas, reference.SAID)
    assert found["aspect_ratio_ids"].tolist() == expected["aspect_ratio_ids"].tolist()
    assert far(found["pixel_values"].numpy(), expected["pixel_values"].numpy()) < 1e-5


def test_manifest(bench):
    """What the engine and the reader of the licence must find."""
    said = bench.manifest
    assert said["name"].startswith("Llama-") and "European Union" in said["provenance"]["description"]
    assert "Built with Llama" in said["provenance"]["description"]
    assert said["provenance"]["licence"].startswith("LicenseRef")
    decoder, resampler = said["decoder"], said["resampler"]
    assert (decoder["media_rule"], resampler["kind"], resampler["scope"]) == ("span", "projection", "frame")
    assert (decoder["self_layers"], decoder["cross_layers"], decoder["kv_heads"]) == (2, 2, 2)
    # The picture's token can be read and never be written.
    assert decoder["vocab"] <= said["tokens"]["image"] < decoder["embed_rows"]
    # Every other token can be written: the head has no rows beyond the tokenizer, unlike MOSS-VL's.
    spelt = Tokenizer.from_file(str(bench.folder / "tokenizer.json"))
    assert decoder["vocab"] == reference.VOCAB == spelt.get_vocab_size() - 1
    assert resampler["frame_mode"] == "single" and resampler["max_frames"] == 1
    names = [part.get("token") for part in said["prompt"]["question"]]
    assert names[0] == "<|begin_of_text|>", "the picture comes after it in a chat"
    assert len(said["tokens"]["eos"]) == 3
    assert {node.name for node in bench.graphs["decoder"].get_inputs()} >= {"media_index", "media_span"}


def test_the_parity_command(bench, place, model):
    """On a machine with the real files it does this with them."""
    loaded = original.load(str(place.folder), torch.float32, False)
    found = parity.compare(parity.Folder(bench.folder), original, loaded, reference.SAID)
    assert len(found) == 4 and all(difference < CLOSE and same for difference, _, same in found.values())


def test_the_committed_folder_is_whole():
    """`tests/models/random-mllama`: its goldens are what its graphs give."""
    assert max(replay(paths.REPOSITORY / "tests" / "models" / "random-mllama").values()) < CLOSE


def test_weights_must_be_those(place, tmp_path):
    """Every missing and every unexpected tensor is named."""
    import shutil

    from safetensors.torch import load_file, save_file

    home = tmp_path / "broken"
    shutil.copytree(place.folder, home)
    weights = load_file(home / "model.safetensors")
    del weights["language_model.model.layers.1.cross_attn_attn_gate"], weights["vision_model.layernorm_pre.bias"]
    weights["language_model.model.layers.9.mlp.up_proj.weight"] = torch.zeros(1)
    save_file(weights, home / "model.safetensors")
    with pytest.raises(CheckpointError) as error:
        mllama.convert(Place(home, "x"), Options())
    for name in ("layers.1.cross_attn_attn_gate", "layernorm_pre.bias", "layers.9.mlp.up_proj.weight` is unexpected"):
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("preprocessor_config.json", {"size": {"height": 224, "width": 224}}, "size is"),
        ("preprocessor_config.json", {"image_mean": None}, "image_mean"),
        ("config.json", {"image_token_index": 7}, "take the checkpoint's own"),
    ],
)
def test_nothing_is_guessed(place, tmp_path, file, change, told):
    import shutil

    home = tmp_path / "other"
    shutil.copytree(place.folder, home)
    said = json.loads((home / file).read_text()) | change
    (home / file).write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
    with pytest.raises(CheckpointError, match=told):
        mllama.convert(Place(home, "x"), Options())
    with pytest.raises(CheckpointError, match="choose one of"):
        mllama.convert(place, Options(canvas="5x5"))
