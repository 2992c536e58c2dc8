"""Training, validation and test never share a scene, and training never asks in a held-out wording."""

from random import Random

import numpy as np
from tokenizers import Tokenizer

from wader_export import tokens
from wader_export.paths import MODEL_DIR
from wader_export.questions import Writer, captions, people, things
from wader_export.questions.asking import Wording, split
from wader_export.questions.words import SOMEBODY
from wader_export.sim import SPLITS, simulate, sources
from wader_export.sim.truth import truth


def templates() -> dict[str, tuple[str, ...]]:
    """Every list of wordings by its name."""
    found = {f"camera {kind}": texts for kind, texts in things.CAMERA.items()}
    for module in (people, things, captions):
        for name, value in vars(module).items():
            if isinstance(value, tuple) and value and all(isinstance(t, str) and t.endswith(("?", ".")) for t in value):
                found[f"{module.__name__} {name}"] = value
    return found


def test_no_scene_of_one_split_can_be_drawn_in_another():
    # streams of different splits begin at different places of a generator with 2^128 states, whatever the seed;
    # seeds as training uses them are tried here
    seen: dict[bytes, str] = {}
    for name in SPLITS:
        for seed in (0, 1, 2, 7, 1001, 2001):
            rng, random = sources(name, seed)
            world, _ = simulate(16, 4, rng)
            for clip in range(16):
                key = world.box[clip].tobytes()
                assert key not in seen, f"{name} and {seen[key]} share a scene"
                seen[key] = f"{name} {seed}"
            key = str(random.random()).encode()
            assert key not in seen
            seen[key] = f"{name} {seed}"


def test_each_meaning_keeps_most_of_its_wordings_for_training():
    meanings = templates()
    assert len(meanings) > 40
    for name, texts in meanings.items():
        trained, held_out = split(texts, False), split(texts, True)
        assert not set(trained) & set(held_out) and set(trained) | set(held_out) == set(texts)
        assert len(texts) == len(set(texts)), name
        assert (len(held_out) > 0) == (len(texts) > 5), name
        assert len(held_out) <= len(texts) / 5, name


def test_no_slot_brings_a_held_out_wording_into_training():
    slots = {name: name for name in ("side", "n", "a", "many", "noun", "colour", "a_colour", "color")}
    bare = lambda text: text.rstrip("?.")  # noqa: E731
    for name, texts in templates().items():
        wordings = {held: Wording(Random(name), held) for held in (False, True)}
        of = {held: {bare(t.format(who=who, **slots)) for t in split(texts, held) for who in SOMEBODY} for held in (False, True)}
        assert not of[False] & of[True], name
        for held in (False, True) if of[True] else (False,):
            assert {bare(wordings[held].text(texts, **slots)) for _ in range(60)} <= of[held], name


def test_training_never_asks_a_held_out_wording_and_knows_all_their_words():
    rng, random = sources("train", 3)
    trained = Writer(random)
    other = Writer(sources("test", 3)[1], held_out=True)
    held_out = {t for texts in templates().values() for t in split(texts, True) if "{" not in t}
    held_out |= {t.replace("{who}", x) for texts in templates().values() for t in split(texts, True) for x in SOMEBODY}
    words = set(Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json")).get_vocab())
    asked_held_out = 0
    for state in truth(simulate(400, 8, rng)[0]).state:
        for _ in range(12):
            assert trained.one(state).text not in held_out
            question = other.one(state)
            if question is None:
                continue
            asked_held_out += 1
            unknown = set(tokens.text_words(question.text)) - words
            assert not unknown, f"{question.text}: {unknown}"
    assert asked_held_out > 1000
    assert np.mean([len(split(t, True)) > 0 for t in templates().values()]) > 0.6
