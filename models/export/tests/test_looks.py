"""Looks of half a box: parts of one colour each, and what the encoder's shares of colour words make of them."""

import numpy as np

from wader_export import layout
from wader_export.encoder.colour_words import NAMES, RGB
from wader_export.sim import colours, looks

SEEN = np.ones(1, bool)
TALL = np.full(1, 250.0)


def as_it_is(rgb: np.ndarray) -> np.ndarray:
    return rgb


def drawn(**parts: tuple[float, str]) -> np.ndarray:
    """Looks of one half whose parts show so much of these colours."""
    named = {getattr(looks, part.upper()): (np.full(1, share), colours.RGB[NAMES.index(c)]) for part, (share, c) in parts.items()}
    return looks.looks(np.full((1, 3), 0.5), np.full(1, 0.1), named)


def shares(half: np.ndarray, pixels: np.ndarray = TALL, wanted: np.ndarray = SEEN) -> dict[str, float]:
    return dict(zip((*NAMES, "skin"), looks.words(half, pixels, wanted, as_it_is)[0].tolist(), strict=True))


def test_each_part_is_seen_as_its_colour_and_as_much_of_it_as_there_is():
    told = shares(drawn(own=(0.5, "red"), second=(0.3, "blue"), behind=(0.2, "white")))
    assert abs(sum(told.values()) - 1) < 1e-5
    assert abs(told["red"] - 0.5) < 0.1 and abs(told["blue"] - 0.3) < 0.1 and abs(told["white"] - 0.2) < 0.1, told


def test_colours_of_somebody_small_run_into_one_another():
    half = drawn(own=(0.5, "red"), behind=(0.5, "green"))
    assert shares(half, np.full(1, 15.0))["red"] < shares(half)["red"] - 0.2


def test_a_box_that_reaches_beside_shows_more_of_the_ground():
    half, part = drawn(own=(1.0, "red")), np.full(1, 0.6)
    moved = looks.uncovered(half, colours.RGB[[NAMES.index("green")]], part, part)
    told = shares(moved)
    assert abs(told["green"] - 0.6) < 0.15 and abs(told["red"] - 0.4) < 0.15, told
    assert shares(half)["green"] < 0.02, "and what it was taken from is as before"


def test_nothing_is_told_of_what_is_not_wanted():
    assert not any(shares(drawn(own=(1.0, "red")), wanted=~SEEN).values())


def test_looks_of_a_real_token_carry_its_own_shares():
    token = np.zeros((1, layout.DIM), np.float32)
    token[0, layout.LOWER], token[0, layout.LOWER_WORDS] = (0.1, 0.2, 0.3), np.arange(layout.COLOUR_WORDS)
    half = looks.seen_before(token, layout.LOWER, layout.LOWER_WORDS)
    assert np.array_equal(half[0, looks.REAL], token[0, layout.LOWER_WORDS]) and np.allclose(half[0, :3], (0.1, 0.2, 0.3))


def test_every_colour_is_most_like_its_own_word():
    for name in NAMES:
        told = shares(drawn(own=(1.0, name)))
        assert max(told, key=told.get) == name and told[name] > 0.6, (name, told)
    assert len(RGB) == len(NAMES) == layout.COLOUR_WORDS - 1
