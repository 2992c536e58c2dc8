"""MOSS-VL: a converted folder against a plain forward in the original's form (`moss_vl_reference`)."""

from types import SimpleNamespace

import moss_vl_reference as reference
import numpy as np
import pytest
import torch
from ruled_bench import Bench, Text, far, plain_beam, plain_greedy
from tokenizers import Tokenizer

from wader_export import paths
from wader_export.families import folder as folders
from wader_export.families import media_inputs, moss_vl, moss_vl_original, parity, registry
from wader_export.families.checkpoint import CheckpointError
from wader_export.families.family import PRECISIONS, Options, find
from wader_export.graphs.goldens import replay

CLOSE, CLOSE_HALF, STEPS = 1e-4, 5e-2, 5
IMAGE, CANVAS = reference.IMAGE, f"{reference.WIDTH}x{reference.HEIGHT}"


def frames_text(count: int, first: int = 20) -> list[int]:
    """Each frame as its time and its token."""
    return [token for i in range(count) for token in (30, first + i, 31, IMAGE)]


@pytest.fixture(scope="module")
def weights():
    return reference.build()


@pytest.fixture(scope="module")
def place(weights, tmp_path_factory):
    return reference.checkpoint(tmp_path_factory.mktemp("moss") / "MOSS-VL-Instruct", weights)


@pytest.fixture(scope="module")
def conversion(place):
    assert find(place, registry.FAMILIES) is moss_vl
    return moss_vl.convert(place, Options(canvas=CANVAS))


@pytest.fixture(scope="module")
def bench(conversion, tmp_path_factory):
    return Bench(folders.write(conversion, tmp_path_factory.mktemp("models") / "fp32", PRECISIONS["fp32"]))


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(5).integers(0, 256, (9, reference.HEIGHT, reference.WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def media(bench, frames):
    return bench.media(bench.features(frames), list(range(len(frames))))


def plain(weights, frames, text: Text, **trap) -> np.ndarray:
    """Logits [seq, tokens] of the plain forward, of what is a token."""
    return reference.logits(weights, text.ids, [frames[row] for row in text.rows], **trap)[:, : reference.TOKENS]


def forward(weights, frames, rows):
    """The last token's logits of a text whose frames are these rows."""
    return lambda ids: plain(weights, frames, Text(ids, rows))[-1]


def check(bench, weights, frames, media, *texts: Text, shared: int = 0, steps: int = STEPS) -> None:
    """Greedy tokens and logits of a batch against each text computed alone."""
    tokens, logits = bench.greedy(list(texts), media, steps, shared)
    for row, text in enumerate(texts):
        told, every = plain_greedy(forward(weights, frames, text.rows), text.ids, steps)
        assert tokens[row].tolist() == told
        assert far(logits[row], every) < CLOSE


def test_features(bench, weights, frames):
    """With the separator last; the merger joins four depths, the last first."""
    found = bench.features(frames)
    expected = torch.stack([reference.features(weights, frame) for frame in frames]).numpy()
    assert found.shape[1] == bench.manifest["vision"]["tokens"] == 3 * 5 + 1
    assert far(found, expected) < CLOSE


@pytest.mark.parametrize("ids", [[1, IMAGE, 5, 6], [4, 5, IMAGE, 6, IMAGE, 7], [4, IMAGE, IMAGE, IMAGE, 5], [IMAGE, 9]])
def test_logits(bench, weights, frames, media, ids):
    text = Text(ids, [3, 1, 5][: ids.count(IMAGE)])
    assert far(bench.logits(text, media), plain(weights, frames, text)) < CLOSE


def test_no_picture_and_what_follows(bench, weights, frames, media):
    """Positions go on from the text's; the original's text-only decoding starts again at 0, which is not copied."""
    text = Text([5, 6, 7, 8], [])
    assert far(bench.logits(text, media), plain(weights, frames, text)) < CLOSE
    check(bench, weights, frames, media, text)


def test_shut_gates(bench, weights, frames, media):
    """The blind answer hangs on no picture, but on the times that the text writes down."""
    text, other = Text([*frames_text(2), 7, 8], [0, 1]), Text([*frames_text(2), 7, 8], [4, 5])
    later = Text([*frames_text(2, first=24), 7, 8], [0, 1])
    blind = bench.logits(text, media, gate=0.0)
    assert far(blind, bench.logits(other, media, gate=0.0)) == 0.0
    shut = {name: torch.zeros_like(w) if name.endswith("_gate") else w for name, w in weights.items()}
    assert far(blind, plain(shut, frames, text)) < CLOSE
    assert far(blind[-1], bench.logits(later, media, gate=0.0)[-1]) > 0.05
    assert bench.manifest["prompt"]["time"] == {"origin": "oldest", "decimals": 1}
    assert far(bench.logits(text, media), bench.logits(other, media)) > 0.1, "gates are shut"


def test_two_prompts_on_a_window_run_once(bench, weights, frames, media):
    """Frames first: the whole window's text is run once; ragged questions follow."""
    window = [1, 2, *frames_text(8), 3]
    texts = [Text(window + question, list(range(8))) for question in ([7, 8, 9], [10, 11, 12, 13, 14, 15])]
    check(bench, weights, frames, media, *texts, shared=len(window))


def test_trap_one_row_of_k_serves_texts_of_any_length(bench, weights, frames, media):
    """Question first: in one batch the same frames stand at different positions. K turned absolutely could not."""
    texts = [Text([*question, *frames_text(3), 9], [0, 1, 2]) for question in ([7], [10, 11, 12, 13, 14, 15, 16])]
    check(bench, weights, frames, media, *texts)


def test_a_window_slides_and_its_ring_turns(bench, weights, frames):
    """Rows are used again bit for bit, in any order."""
    features = bench.features(frames)
    media = bench.media(features, [8, 1, 2, 3, 4])
    assert np.array_equal(media[1:], bench.media(features, [0, 1, 2, 3, 4])[1:])
    text = Text([*frames_text(5), 7], [1, 2, 3, 4, 0])
    expected = plain(weights, frames, Text(text.ids, [1, 2, 3, 4, 8]))
    assert far(bench.logits(text, media), expected) < CLOSE


def test_two_cameras_in_one_bank(bench, weights, frames, media):
    """Each row names its own frames; the others' are not in it."""
    check(bench, weights, frames, media, Text([*frames_text(2), 7], [0, 5]), Text([*frames_text(3), 8, 9], [1, 6, 2]))


def test_realtime_one_frame_a_call(bench, weights, frames, media):
    """The cache grows frame by frame, as a stream's does."""
    text = Text([7, 8, *frames_text(4)], [0, 1, 2, 3])
    past, mask = bench.empty, np.zeros((1, 0), np.int64)
    edges = [0, 2, 6, 10, 14, 18]
    for start, end in zip(edges, edges[1:]):
        logits, past, mask, _ = bench.part([text], start, media, past, mask, end=end)
    assert far(logits[0, 0], plain(weights, frames, text)[-1]) < CLOSE


def test_beam_search(bench, weights, frames, media):
    text = Text([*frames_text(2), 7, 8], [2, 3])
    assert bench.beam(text, media, STEPS) == plain_beam(forward(weights, frames, [2, 3]), text.ids, STEPS)


def test_left_padding_is_no_number_of_its_own(bench, weights, frames, media):
    text = Text([5, *frames_text(2), 7], [0, 1])
    assert far(bench.logits(text, media, left=3), plain(weights, frames, text)) < CLOSE


def test_an_absent_frame_leaves_the_others_alone(bench, weights, frames):
    """Its row is zero and its position -1; where a frame lies in time is no matter of the resampler's."""
    features = bench.features(frames)
    some = bench.media(features, [0, -1, 2])
    assert np.array_equal(some[[0, 2]], bench.media(features, [0, 2], pos=77.0)) and not some[1].any()
    text = Text([*frames_text(2), 7], [0, 2])
    assert far(bench.logits(text, some), plain(weights, frames, text)) < CLOSE


def test_one_more_digit_moves_what_follows(bench, weights, frames, media):
    """Positions come from real tokens, not from the number of the frame."""
    text = Text([30, 20, 31, IMAGE, 30, 21, 22, 31, IMAGE, 7], [0, 1])
    assert far(bench.logits(text, media), plain(weights, frames, text)) < CLOSE


def test_half_precision(conversion, weights, frames, tmp_path):
    bench = Bench(folders.write(conversion, tmp_path / "fp16", PRECISIONS["fp16"]))
    media = bench.media(bench.features(frames), list(range(len(frames))))
    assert media.dtype == np.float16
    for ids, rows in (([*frames_text(8), 7, 8], list(range(8))), ([7, *frames_text(2), 9], [3, 1]), ([5, 6], [])):
        found, expected = bench.logits(Text(ids, rows), media), plain(weights, frames, Text(ids, rows))
        assert found.dtype == np.float32 and far(found, expected) < CLOSE_HALF
    text = Text([*frames_text(2), 7, 8], [2, 3])
    told, _ = plain_greedy(forward(weights, frames, [2, 3]), text.ids, STEPS)
    assert bench.greedy([text], media, STEPS)[0][0].tolist() == told
    assert bench.beam(text, media, STEPS)[0] == plain_beam(forward(weights, frames, [2, 3]), text.ids, STEPS)[0]


# What springs silently, and by how much.


@pytest.mark.parametrize(
    ("trap", "size"),
    [
        ({"image_place": True}, 0.1),  # a frame stands where the counter was, not where its token ends up
        ({"jump": False}, 0.1),  # a picture advances the positions by the longer side and one
        ({"separator": False}, 0.1),
        ({"rule": "latest"}, 0.5),  # all frames so far, not the latest
        ({"blocks": True}, 0.01),  # the three axes take turns
    ],
)
def test_traps_move_the_answer(weights, frames, trap, size):
    text = Text([1, *frames_text(3), 7, 8], [0, 1, 2])
    assert far(plain(weights, frames, text, **trap)[-1], plain(weights, frames, text)[-1]) > size


def test_trap_text_before_the_first_frame_sees_none(bench, weights, frames, media):
    """Attention and feed-forward are shut there (vLLM's version, as of 2026, leaves both open)."""
    text = Text([5, 6, 7, *frames_text(2)], [0, 1])
    assert far(plain(weights, frames, text, zeroed=False)[:3], plain(weights, frames, text)[:3]) > 1.0
    assert far(bench.logits(text, media)[:3], plain(weights, frames, Text([5, 6, 7], []))) < CLOSE


def test_trap_only_a_uniform_shift_is_free(bench, weights, frames, media):
    """So each window is laid out from 0: a gap between the text before and the frames changes the answer."""
    text = Text([5, 6, *frames_text(2), 7], [0, 1])
    expected = plain(weights, frames, text)
    assert far(plain(weights, frames, text, start=1000), expected) < CLOSE

    def moved(first: int, rest: int) -> np.ndarray:
        tokens, rows, _ = bench.lay(text, len(media))
        places = tokens["position_ids"] + np.where(np.arange(len(text.ids)) < 2, first, rest)
        at = np.where(rows["media_pos"] < 0, -1, rows["media_pos"] + rest)
        last, mask = np.array([[len(text.ids) - 1]]), np.ones((1, len(text.ids)))
        given = {"position_ids": places[None]}, {"media_pos": at[None]}
        return bench.call(np.array([text.ids]), mask, *given, last, media, bench.empty)[0][0, 0]

    assert far(moved(1000, 1000), expected[-1]) < CLOSE
    assert far(moved(0, 1000), expected[-1]) > 0.05


def test_trap_no_padding_after_the_frames(weights, tmp_path):
    """`vision_seq_pad_multiple` is 8 in some checkpoints: those pads are masked there, and not made here."""
    config = reference.CONFIG | {"vision_seq_pad_multiple": 7}
    place = reference.checkpoint(tmp_path / "MOSS-VL-Instruct", weights, config)
    assert moss_vl.convert(place, Options(canvas=CANVAS)).facts["resampler"]["latents"] == 3 * 5 + 1


def test_trap_the_vocabulary_is_filled_up_with_rows_that_no_token_has(bench, weights, frames, media):
    """The checkpoint itself would write one of them here; the folder has no logit for them."""
    text = Text([*frames_text(2), 7, 8], [2, 3])
    assert reference.logits(weights, text.ids, list(frames[text.rows]))[-1].argmax() >= reference.TOKENS
    tokens, logits = bench.greedy([text], media, STEPS)
    assert tokens.max() < reference.TOKENS == logits.shape[-1]
    decoder = bench.manifest["decoder"]
    assert (decoder["vocab"], decoder["embed_rows"]) == (reference.TOKENS, reference.VOCAB)
    spelt = Tokenizer.from_file(str(bench.folder / "tokenizer.json"))
    assert all(spelt.id_to_token(number) is not None for number in range(decoder["vocab"]))


def test_trap_a_checkpoint_s_code_is_run_by_parity_alone():
    """And by that only when it is told to."""
    files = (paths.REPOSITORY / "models" / "export" / "wader_export").rglob("*.py")
    assert [file.name for file in files if "trust_remote_code=True" in file.read_text()] == ["moss_vl_original.py"]


def test_trap_positions_count_merged_patches(bench):
    assert bench.manifest["positions"]["image_advance"] == max(3, 5) + 1
    places, media, following = media_inputs.position([1, 2, IMAGE, 3], IMAGE, 6)
    assert places.tolist() == [0, 1, 7, 8] and media.tolist() == [2] and following == 9


def test_manifest(bench):
    """What the engine must find, and what it must not believe."""
    said = bench.manifest
    assert said["provenance"]["licence"] == "Apache-2.0"
    assert "not with those classes" in said["provenance"]["description"]
    decoder, resampler = said["decoder"], said["resampler"]
    assert (decoder["media_rule"], resampler["scope"], resampler["frame_mode"]) == ("position", "frame", "stamped")
    assert said["limits"]["max_media_per_call"] == resampler["max_frames"]
    inputs = {node.name for node in bench.graphs["decoder"].get_inputs()}
    assert "media_pos" in inputs and not inputs & {"media_index", "media_span"}
    assert isinstance(said["tokens"]["eos"], list)


class StandIn:
    """Takes what the original class takes, and answers with the plain forward."""

    dtype, device = torch.float32, "cpu"

    def __init__(self, weights: dict, frames: np.ndarray):
        vision = SimpleNamespace(patch_size=4, spatial_merge_size=2)
        self.config = SimpleNamespace(image_token_id=IMAGE, vision_config=vision)
        self.weights, self.frames = weights, frames

    def __call__(self, input_ids, attention_mask, use_cache, pixel_values=None, grid_thw=None,
                 cross_attention_mask=None, media_nums_per_sample=None):  # fmt: skip
        count = 0 if grid_thw is None else len(grid_thw)
        if count:
            assert torch.equal(pixel_values, torch.cat([reference.packed(frame) for frame in self.frames[:count]]))
            assert grid_thw.tolist() == [[1, 6, 10]] * count and media_nums_per_sample == [count]
            shown = input_ids[0].eq(IMAGE).cumsum(0)
            assert torch.equal(~cross_attention_mask[0, 0], torch.arange(count) < shown[:, None])
        found = reference.logits(self.weights, input_ids[0].tolist(), list(self.frames[:count]))
        return SimpleNamespace(logits=torch.from_numpy(found)[None])


def test_the_parity_command(bench, weights):
    """Calls the original as its processor does; whoever has the real files runs it with them."""
    shape = (parity.FRAMES, reference.HEIGHT, reference.WIDTH, 3)
    frames = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    said = {"image_mean": reference.MEAN, "image_std": reference.STD}
    found = parity.compare(parity.Folder(bench.folder), moss_vl_original, StandIn(weights, frames), said)
    assert len(found) == 4 and all(difference < CLOSE and same for difference, _, same in found.values())
    with pytest.raises(ValueError, match="--trust-remote-code"):
        moss_vl_original.load("x", torch.float32, trust_remote_code=False)


def test_the_committed_folder_is_whole():
    """`tests/models/random-moss-vl`: its goldens are what its graphs give."""
    assert max(replay(paths.REPOSITORY / "tests" / "models" / "random-moss-vl").values()) < CLOSE


def test_trap_instruct_and_realtime_are_written_differently(weights, tmp_path):
    """Frames first, in one pair of marks; or the question first, each frame in its own, and a choice after each."""
    said = {}
    for kind in ("Instruct", "Realtime"):
        place = reference.checkpoint(tmp_path / f"MOSS-VL-{kind}", weights)
        said[kind] = moss_vl.convert(place, Options(canvas=CANVAS)).facts
    names = lambda parts: [next(iter(part.values())) for part in parts]  # noqa: E731
    offline, stream = said["Instruct"]["prompt"], said["Realtime"]["prompt"]
    asked = names(offline["question"])
    start = asked.index("<|vision_start|>")
    assert asked[start : start + 4] == ["<|vision_start|>", "frames", "<|vision_end|>", "question"]
    assert "<|vision_start|>" not in names(offline["frame"])
    asked = names(stream["question"])
    assert asked[-2:] == ["frames", "<|response|>"] and asked.index("question") < asked.index("frames")
    assert names(stream["frame"])[0] == "<|vision_start|>" and names(stream["frame"])[-1] == "<|vision_end|>"
    with pytest.raises(CheckpointError, match="say it in the folder's name"):
        moss_vl.convert(reference.checkpoint(tmp_path / "unnamed", weights), Options(canvas=CANVAS))


@pytest.mark.parametrize(
    ("canvas", "change", "told"),
    [
        ("41x24", {}, "choose multiples of 8"),
        ("wide", {}, "such as 640x352"),
        (CANVAS, {"image_token_id": None}, "image_token_id is missing"),
        (CANVAS, {"image_token_id": 3}, "take the checkpoint's own"),
        (CANVAS, {"tie_word_embeddings": True}, "knows False only"),
    ],
)
def test_nothing_is_guessed(weights, tmp_path, canvas, change, told):
    config = {key: value for key, value in (reference.CONFIG | change).items() if value is not None}
    with pytest.raises(CheckpointError, match=told):
        moss_vl.convert(reference.checkpoint(tmp_path / "MOSS-VL-Instruct", weights, config), Options(canvas=canvas))


def test_weights_must_be_those(weights, tmp_path):
    """Every missing and every unexpected tensor is named."""
    broken = {name: w for name, w in weights.items() if name != "model.separator_token"}
    broken["model.extra"] = torch.zeros(1)
    broken["lm_head.weight"] = broken["lm_head.weight"][:-1]
    with pytest.raises(CheckpointError) as error:
        moss_vl.convert(reference.checkpoint(tmp_path / "MOSS-VL-Instruct", broken), Options(canvas=CANVAS))
    for told in ("separator_token` is missing", "`model.extra` is unexpected", "has 159 rows where 160 are expected"):
        assert told in str(error.value)
