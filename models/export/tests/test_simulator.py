"""The simulator keeps its own rules, and truth and questions agree."""

from random import Random

import numpy as np

from wader_export import layout
from wader_export.questions import KINDS, Writer, caption
from wader_export.questions.words import NUMBERS, UNCLEAR_ANSWER
from wader_export.sim import PEOPLE, blindness, events, simulate
from wader_export.sim.truth import HEADS, INDEX, UNCLEAR, truth


def test_features_have_the_layout_of_the_encoder(scenes):
    _, features, _ = scenes
    tokens = features.tokens
    assert tokens.shape == (96, 8, layout.TOKENS, layout.DIM)
    objects = tokens[:, :, : layout.OBJECTS]
    valid = objects[..., layout.VALID] > 0
    assert (objects[~valid] == 0).all(), "empty tokens hold nothing"
    heights = objects[..., layout.HEATS].max(-1)
    assert (np.diff(heights, axis=2) <= 1e-6).all(), "strongest first"
    assert (heights[valid] > layout.MIN_HEIGHT).all()
    heats = objects[..., layout.HEATS][valid]
    part = heats / heats.max(-1, keepdims=True)
    assert ((heats == 0) | (part >= layout.FLOOR_CUT - 1e-6)).all(), "floors are cut"
    assert (tokens[:, :, layout.OBJECTS, layout.PICTURE] == 1).all()


def test_the_newest_frame_is_time_zero_and_present(scenes):
    world, _, _ = scenes
    assert (world.present[:, -1]).all()
    assert np.allclose(world.times[:, -1], 0)
    assert (np.diff(world.times, axis=1) > 0).all()


def test_every_window_length_works():
    for frames in (1, 2, 4, 16):
        world, features = simulate(8, frames, np.random.default_rng(frames))
        facts = truth(world)
        assert features.tokens.shape[1] == frames
        assert facts.state.shape == (8, len(INDEX))


def test_real_people_are_found_and_nothing_is_found_nowhere(scenes):
    world, features, _ = scenes
    sees = ~np.isin(world.blindness, (blindness.BLACK, blindness.COVERED, blindness.BLURRED))
    seen = world.visible[sees, :PEOPLE].sum()
    found = sum(((features.thing >= 0) & (features.thing < PEOPLE)).sum(axis=(1, 2)))
    assert found > 0.8 * seen
    nothing = np.isin(world.blindness, (blindness.BLACK, blindness.COVERED))
    assert (features.thing[nothing] < 0).all(), "a covered lens shows nothing"
    clip, frame, token = np.nonzero(features.thing >= 0)
    there = world.exists[clip, features.thing[clip, frame, token], frame]
    assert there.all(), "a token names a thing that is not there"


def test_truth_adds_up(scenes):
    world, _, facts = scenes
    get = lambda name: facts.state[:, INDEX[name]]  # noqa: E731
    sure = (get("left") != UNCLEAR) & (get("right") != UNCLEAR)
    assert (get("left") + get("right") == get("now"))[sure].all()
    sees = world.blindness == blindness.SEES
    assert (get("now") == world.visible[:, :PEOPLE, -1].sum(1).clip(max=11))[sees].all()
    assert (facts.state[:, : len(HEADS)].max() <= 11) and (facts.state.min() >= UNCLEAR)
    unknown = set(INDEX) - {"blind", "light"}
    assert all((get(name)[~sees] == UNCLEAR).all() for name in unknown), "nobody knows what a blind camera faces"
    for came, ago in (("came", get("came_ago")), ("went", get("went_ago"))):
        known = sees & (get(came) != UNCLEAR) & (ago != UNCLEAR)
        assert ((ago == events.NEVER) == (get(came) == 0))[known].all(), came
        span = -world.times[:, 0]
        assert (ago <= np.minimum(span.round(), events.MOST_SECONDS))[known & (ago != events.NEVER)].all()


def test_questions_agree_with_the_state(scenes):
    _, _, facts = scenes
    writer = Writer(Random(5))
    for state in facts.state:
        if state[INDEX["blind"]] != blindness.SEES:
            assert caption(state).startswith(("the camera is", "the picture is"))
            continue
        now = state[INDEX["now"]]
        question = writer.one(state, "count")
        if question:
            assert question.answer == NUMBERS[now]
        question = writer.one(state, "presence_now")
        if question:
            empty = any(w in question.text for w in ("nobody", "no one", "empty"))
            assert (question.answer == "yes") == ((now == 0) if empty else (now > 0)), question
        question = writer.one(state, "trend")
        if question and question.answer in ("rises", "falls"):
            assert (now > state[INDEX["first"]]) == (question.answer == "rises")
        words = caption(state)
        assert words.startswith(
            "nobody is there" if now == 0 else "one person" if now == 1 else f"{NUMBERS[now]} people"
        )


def test_every_kind_is_asked_and_no_answer_prevails():
    writer = Writer(Random(6))
    rng = np.random.default_rng(6)
    answers = {name: [] for name in (*KINDS, UNCLEAR_ANSWER)}
    for _ in range(4):
        for state in truth(simulate(250, 8, rng)[0]).state:
            for _ in range(6):
                question = writer.one(state)
                answers[question.kind].append(question.answer)
    for name, given in answers.items():
        assert len(given) > 20, name
        share = given.count("yes") / max(1, given.count("yes") + given.count("no"))
        if "yes" in given and len(given) > 150:
            assert 0.3 < share < 0.7, (name, share)
