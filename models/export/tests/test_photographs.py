"""Photographs: which half may be trained on, what is known of them, and how they stand behind simulated scenes."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from wader_export import layout, photographs
from wader_export.encoder import colour_words
from wader_export.paths import MODEL_DIR, cache_dir
from wader_export.questions import Writer
from wader_export.sim import Backdrops, colours, simulate, sources
from wader_export.sim.truth import INDEX, UNCLEAR
from wader_export.training import bank, clothes, data, restaged
from wader_export.training.bank import Bank
from wader_export.training.data import PHOTOGRAPHS, Maker
from wader_export.training.photo_state import state_of

STILLS = photographs.document()["still"]
SKIN = len(colours.NAMES)  # the word after the colours
TRAINED = [s for s in STILLS if photographs.for_training(s)]
TESTED = [s for s in STILLS if not photographs.for_training(s)]


def value(state: np.ndarray, name: str) -> int:
    return int(state[INDEX[name]])


def test_no_photograph_is_in_both_halves():
    files = lambda half: {s["sha256"] for s in half} | {(s["source"], s["path"]) for s in half}  # noqa: E731
    assert not files(TRAINED) & files(TESTED)
    scenes = lambda half: {s["scene"] for s in half if "scene" in s}  # noqa: E731
    assert not scenes(TRAINED) & scenes(TESTED)
    assert {s["source"] for s in TRAINED} == {photographs.TRAINING_SOURCE}
    assert len({s["sha256"] for s in TESTED}) >= 40 and len({s["sha256"] for s in TRAINED}) >= 25


def test_a_still_is_loaded_from_one_half_only(monkeypatch, tmp_path):
    monkeypatch.setattr(photographs.packages, "fetch", lambda name, kind, version, wanted: {p: tmp_path for p in wanted})
    halves = [{s.name for s in photographs.load(training)[0]} for training in (True, False)]
    assert halves == [{s["name"] for s in half} for half in (TRAINED, TESTED)]


def fetched() -> bool:
    """Whether every photograph lies in the cache: nothing is fetched for a test."""
    place = lambda facts: cache_dir("stills", facts["source"].strip("@").replace("/", "-")) / facts["path"]  # noqa: E731
    return all(place(facts).is_file() for facts in STILLS)


@pytest.mark.skipif(not fetched(), reason="the photographs are not in the cache: `evaluate` fetches them")
def test_no_photograph_looks_like_one_of_the_other_half():
    import cv2

    def small(picture):
        gray = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).mean(-1)
        return (gray - gray.mean()) / (gray.std() + 1e-6)

    trained = np.stack([small(still.picture()) for still in photographs.load(training=True)[0]])
    for still in photographs.load(training=False)[0]:
        one = small(still.picture())
        for view in (one, one[:, ::-1]):
            assert ((trained * view).mean((1, 2))).max() < 0.9, still.name  # two sunsets have 0.84


def test_only_what_is_clear_is_known_of_a_photograph():
    facts = {"people": [1, 3], "has": ["right", "near", "vehicle", "car"], "unclear": ["parked", "bag", "left"], "light": "dim"}
    facts |= {"wears": ["red"], "wears_unclear": ["blue"]}
    state = state_of(facts)
    assert value(state, "now") == UNCLEAR and value(state, "ever") == 1
    assert (value(state, "sure_now"), value(state, "most_now")) == (1, 3)
    assert value(state, "left") == UNCLEAR and value(state, "right") == UNCLEAR and value(state, "near") == 1
    assert value(state, "far") == 0 and value(state, "came") == 0 and value(state, "light") == 1
    assert value(state, "vehicles") == UNCLEAR and value(state, "cars") == 1 and value(state, "big_vehicles") == 0
    assert value(state, "parked") == UNCLEAR and value(state, "driving") == 0
    assert value(state, "other_bag") == UNCLEAR and value(state, "other_dog") == 0
    assert value(state, "upper_red") == value(state, "lower_red") == UNCLEAR, "it may be either"
    assert value(state, "upper_blue") == UNCLEAR and value(state, "upper_green") == value(state, "lower_green") == 0
    assert value(state_of(facts | {"wears_unclear": ["any"]}), "upper_green") == UNCLEAR


COAT = {"half": "upper", "colour": "black", "outlines": [[[0.2, 0.2], [0.8, 0.2], [0.8, 0.6], [0.2, 0.6]]]}
TROUSERS = {"half": "lower", "outlines": [[[0.2, 0.6], [0.8, 0.6], [0.8, 1.0], [0.2, 1.0]]]}


def dressed(everything: bool) -> dict:
    facts = {"people": [1, 1], "has": [], "wears": ["black"], "wears_unclear": ["brown"]}
    return facts | {"clothes": {"all": everything, "garment": [COAT, TROUSERS]}}


def test_what_a_garment_is_painted_in_is_worn_and_nothing_else_where_all_are_painted():
    red, blue = colours.NAMES.index("red"), colours.NAMES.index("blue")
    state = state_of(dressed(True), painted=[red, blue])
    worn = [name for name in INDEX if name.startswith(("upper_", "lower_")) and value(state, name)]
    assert worn == ["upper_red", "lower_blue"]
    state = state_of(dressed(False), painted=[red, blue])
    assert value(state, "upper_red") == value(state, "lower_blue") == 1 and value(state, "upper_green") == 0
    assert value(state, "upper_black") == value(state, "upper_brown") == UNCLEAR, "of somebody else, too, perhaps"


def test_a_garment_that_is_not_painted_has_its_own_colour_where_that_can_be_told():
    for as_it_is in (state_of(dressed(True)), state_of(dressed(True), painted=[clothes.AS_IT_IS] * 2)):
        assert value(as_it_is, "upper_black") == 1 and value(as_it_is, "lower_black") == UNCLEAR
        assert value(as_it_is, "upper_brown") == UNCLEAR and value(as_it_is, "upper_red") == 0


def test_paint_covers_garments_only_and_has_the_colour_that_is_told():
    rng, plain = np.random.default_rng(2), np.full((60, 80, 3), 128, np.uint8)
    told = set()
    for _ in range(200):
        picture, numbers = clothes.painted(plain, clothes.garments(dressed(True)), rng)
        if numbers == [clothes.AS_IT_IS] * 2:
            assert (picture == plain).all()
            continue
        told |= set(numbers)
        assert np.allclose(picture[:, :12], 128, atol=0.5) and np.allclose(picture[:8], 128, atol=0.5)
        for middle, number in zip((picture[24, 40], picture[48, 40]), numbers):
            words = colour_words.shares(torch.from_numpy(middle / 255).float())
            assert words[number] > 0.3 and words.argmax() in (number, SKIN), (middle, colours.NAMES[number])
    assert told == set(range(len(colours.NAMES)))


@pytest.mark.parametrize("facts", [s for s in STILLS if "clothes" in s], ids=lambda s: s["name"])
def test_garments_are_outlined_on_photographs_to_train_on_only(facts):
    assert photographs.for_training(facts) and facts["people"][0]
    for garment in clothes.garments(facts):
        assert garment.half in ("upper", "lower") and garment.colour in (*facts.get("wears", ()), None)
        assert 0.0004 < clothes.mask(garment, 480, 640).mean() < 0.4
        assert all(0 <= x <= 1 and 0 <= y <= 1 for outline in garment.outlines for x, y in outline)


def test_sides_are_mirrored_with_the_picture():
    facts = {"people": [2, 2], "has": ["left"]}
    as_it_is, mirrored = state_of(facts), state_of(facts, mirrored=True)
    assert (value(as_it_is, "left"), value(as_it_is, "right")) == (2, 0)
    assert (value(mirrored, "left"), value(mirrored, "right")) == (0, 2)


def test_a_squirrel_is_an_animal_of_no_known_kind():
    state = state_of({"people": [0, 0], "has": ["any_animal"]})
    assert all(value(state, f"other_{name}") == UNCLEAR for name in ("dog", "cat", "animal", "bird"))
    assert value(state, "ever") == value(state, "now") == value(state, "vehicles") == 0


@pytest.mark.parametrize("facts", TRAINED, ids=lambda s: s["name"])
def test_questions_about_a_photograph_agree_with_its_truth(facts):
    writer = Writer(sources("train", 4)[1])
    state = state_of(facts)
    told = {"person": bool(facts["people"][0]), "dog": "dog" in facts["has"], "car": "car" in facts["has"]}
    for _ in range(200):
        question = writer.one(state)
        for noun, there in told.items():
            if question.text.rstrip("?") in (f"is there a {noun}", f"can you see a {noun}", f"do you see a {noun}"):
                assert question.answer == ("yes" if there else "no"), question
        if question.kind in ("came_in", "went_out", "walking"):
            contrary = {"nobody", "no"} & set(question.text.split())
            assert question.answer == ("yes" if contrary else "no"), question
        if question.kind == "count":
            assert facts["people"][0] == facts["people"][1]


def frame(*objects: tuple[int, float]) -> np.ndarray:
    """Tokens of a frame with objects (group, height), the picture bright."""
    tokens = np.zeros((layout.TOKENS, layout.DIM), np.float32)
    for number, (group, height) in enumerate(objects):
        tokens[number, layout.BOX] = 0.1 * number, 0.2, 0.1 * number + 0.05, 0.5
        tokens[number, layout.HEATS.start + group] = height
        tokens[number, layout.UPPER] = tokens[number, layout.LOWER] = 0.123
        tokens[number, layout.VALID] = 1
    tokens[layout.OBJECTS, layout.MEAN_RGB] = 0.5
    tokens[layout.OBJECTS, layout.PICTURE] = 1
    return tokens


def test_a_backdrop_has_nothing_that_may_be_real():
    facts = {"people": [0, 0], "has": ["cat", "any_animal"], "unclear": ["bag"]}
    tokens = frame((layout.PERSON, 0.4), (layout.CAT, 0.6), (layout.DOG, 0.2), (layout.BAG, 0.2), (layout.CAR, 0.3))
    tokens[4, layout.HEATS.start + layout.BIRD] = 0.2  # a car that is a little like a bird, where a cat is
    assert bank.backdrop(tokens, facts).nonzero()[0].tolist() == [0]


def bank_of(*objects: tuple[int, float]) -> Bank:
    """A bank of one photograph that shows these, none of them real."""
    tokens = np.tile(frame(*objects), (1, 16, 1, 1))
    state = state_of({"people": [0, 0], "has": [], "light": "bright"})[None]
    return Bank(tokens, state, tokens[..., : layout.OBJECTS, layout.VALID] > 0, np.ones(1))


def test_a_photograph_is_shown_with_the_false_things_of_another():
    shown = frame((layout.PERSON, 0.4), (layout.DOG, 0.3), (layout.PERSON, 0.6))
    other = frame((layout.CAR, 0.9), (layout.BIRD, 0.35), (layout.CAT, 0.2))
    free, other_free = np.zeros((2, layout.OBJECTS), bool), np.zeros((2, layout.OBJECTS), bool)
    free[:, 1], other_free[:, 1:3] = True, True
    pair = lambda tokens: np.tile(tokens, (200, 2, 1, 1))  # noqa: E731
    result = restaged.restaged(pair(shown), np.tile(free, (200, 1, 1)), pair(other), np.tile(other_free, (200, 1, 1)), np.random.default_rng(2))
    heats = result[:, :, : layout.OBJECTS, layout.HEATS]
    people = np.sort(heats[..., layout.PERSON], -1)[..., -2:]
    assert np.allclose(people, (0.4, 0.6)) and heats[..., [layout.DOG, layout.CAR]].max() == 0
    birds = heats[..., layout.BIRD].max(-1)
    assert 0.8 < (birds > 0).mean() and birds[birds > 0].std() > 0.02  # some left the picture, or stood before somebody
    assert np.allclose(result[:, 0], result[:, 1]) and np.allclose(result[:, :, layout.OBJECTS], shown[layout.OBJECTS])
    assert (np.diff(heats.max(-1), axis=-1) <= 0).all()


def test_scenes_before_a_backdrop_have_its_false_things_as_they_are():
    one = bank_of((layout.PERSON, 0.43), (layout.DOG, 0.29))
    world, features = simulate(200, 8, np.random.default_rng(1), backdrops=Backdrops(one.tokens, one.backdrop))
    objects = features.tokens[:, :, : layout.OBJECTS]
    own = np.isclose(objects[..., layout.UPPER], 0.123).all(-1) & (objects[..., layout.VALID] > 0)
    before = own.any((1, 2))
    assert 20 < before.sum() < 120 and (world.light[before] == 0).all()
    assert np.allclose(np.unique(objects[own][:, layout.HEATS].max(-1)), (0.29, 0.43))
    assert (features.thing[own] == -1).all()
    drawn = ~own & (objects[..., layout.VALID] > 0) & (features.thing < 0)
    assert drawn[before].sum(-1).mean() < 0.6 * drawn[~before].sum(-1).mean()  # second peaks of real things remain
    assert np.allclose(features.tokens[before, :, layout.OBJECTS, layout.MEAN_RGB.start], 0.5)


def test_what_photographs_are_asked_of_clothes_means_neither_yes_nor_no(monkeypatch):
    monkeypatch.setattr(data, "OF_CLOTHES", 1.0)
    nobody = state_of({"people": [0, 0], "has": [], "light": "bright"})
    garment = {"half": "upper", "outlines": [[[0, 0], [1, 0], [1, 1]]]}
    somebody = {"people": [1, 1], "has": [], "light": "bright", "clothes": {"all": True, "garment": [garment]}}
    states = [state for colour in range(10) for state in (nobody, nobody, nobody, state_of(somebody, painted=[colour]))]
    tokens = np.tile(frame(), (len(states), 16, 1, 1))
    backdrop, chance = np.zeros((*tokens.shape[:2], layout.OBJECTS), bool), np.full(len(states), 1 / len(states))
    tokenizer = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
    maker = Maker(tokenizer, 3, photographs=Bank(tokens, np.stack(states), backdrop, chance))
    answers = {True: [], False: []}
    for _ in range(90):
        batch = maker.batch(64, text=True)
        for clip in np.flatnonzero(batch.photograph[: len(batch.questions)]):
            somebody = bool(batch.told[clip, INDEX["ever"]])
            asked = (q for q in batch.questions[clip] if q.kind == "wearing")
            answers[somebody] += [q.answer for q in asked if not {"nobody", "no"} & set(q.text.split())]
    # a fortieth of all that could be asked has a yes; each colour has a balance of its own, and begins with some of both
    together = answers[True] + answers[False]
    assert len(together) > 300 and 0.12 < np.mean(np.array(together) == "yes") < 0.75
    # three of four photographs show nobody, of whose clothes little is asked
    assert len(answers[True]) > 300 and np.mean(np.array(answers[True]) == "yes") > 0.35
    assert len(answers[False]) < len(answers[True]) / 2 and "yes" not in answers[False]


def test_photographs_are_shown_in_place_of_clips_and_only_asked_about():
    tokenizer = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
    batch = Maker(tokenizer, 3, photographs=bank_of((layout.PERSON, 0.43))).batch(64, text=True)
    last = slice(len(batch.frames) - len(batch.frames) // PHOTOGRAPHS, None)
    assert np.allclose(batch.frames[last, :, layout.OBJECTS, layout.MEAN_RGB], 0.5)
    assert (batch.state[last] == UNCLEAR).all() and (batch.token_targets["real"][last] == UNCLEAR).all()
    assert batch.told[-1, INDEX["ever"]] == 0 and batch.state[0, INDEX["blind"]] != UNCLEAR
