"""Examples: what the comparer promises, what the encoder's graph holds, and that no photo trains and judges."""

import numpy as np
import pytest
import torch

from wader_export.examples import baselines, draws, layout, photos, region, tasks
from wader_export.examples import graph as comparer_graph
from wader_export.examples.ask import Asker, refused
from wader_export.examples.comparer import Comparer, ComparerGraph
from wader_export.examples.train import calibration_error


@pytest.fixture(scope="module")
def comparer():
    """Random weights, all of them at work."""
    torch.manual_seed(6)
    model = Comparer().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


@pytest.fixture(scope="module")
def asker(comparer, tmp_path_factory):
    """The exported graph."""
    path = tmp_path_factory.mktemp("comparer") / "comparer.onnx"
    comparer_graph.write(comparer, path)
    return Asker(path)


@pytest.fixture(scope="module")
def question():
    """Two queries, five examples, one of them absent, everywhere marked."""
    rng = np.random.default_rng(8)
    cells = lambda *shape: rng.normal(size=(*shape, layout.CELLS, layout.DIM)).astype(np.float32)  # noqa: E731
    states = np.array([[0, 1, 1, 0, -1], [1, 0, -1, 1, 0]])
    return cells(2), cells(2, 5), states, np.ones((2, layout.CELLS), np.float32)


def test_graph_equals_pytorch(comparer, asker, question):
    with torch.no_grad():
        wanted = ComparerGraph(comparer)(*map(torch.from_numpy, question)).numpy()
    assert np.abs(wanted - asker.logits(*question)).max() < 1e-4
    assert np.abs(wanted).min() > 1e-3


def test_absent_examples_have_no_effect(asker, question):
    query, examples, states, whole = question
    plain = asker.logits(*question)
    filled = examples.copy()
    filled[states < 0] = np.nan
    assert np.array_equal(plain, asker.logits(query, filled, states, whole))
    more = np.concatenate([examples, examples[:, :3] * 7], 1)
    padded = np.concatenate([states, np.full((2, 3), layout.ABSENT)], 1)
    assert np.abs(plain - asker.logits(query, more, padded, whole)).max() < 1e-4
    alone = asker.logits(query[:1], examples[:1, :4], states[:1, :4], whole[:1])
    assert np.abs(plain[:1] - alone).max() < 1e-4


def test_order_has_no_effect(asker, question):
    query, examples, states, whole = question
    order = np.array([3, 1, 4, 0, 2])
    other = asker.logits(query, examples[:, order], states[:, order], whole)
    assert np.abs(asker.logits(*question) - other).max() < 1e-4


def test_exchanged_states_exchange_the_sign(asker, question):
    query, examples, states, whole = question
    swapped = np.where(states >= 0, 1 - states, states)
    assert np.abs(asker.logits(*question) + asker.logits(query, examples, swapped, whole)).max() < 1e-4


def test_one_state_alone_says_nothing(asker, question):
    query, examples, states, whole = question
    assert np.array_equal(asker.logits(query, examples, np.zeros_like(states), whole), [0, 0])
    assert np.array_equal(asker.logits(query, examples, np.full_like(states, -1), whole), [0, 0])


def test_only_the_region_counts(asker, question):
    query, examples, states, whole = question
    marked = whole.copy()
    marked[:, layout.CELLS // 2 :] = 0
    answer = asker.logits(query, examples, states, marked)
    assert np.abs(answer - asker.logits(*question)).max() > 1e-3
    nothing = asker.logits(query, examples, states, np.zeros_like(whole))
    assert np.isfinite(nothing).all()


def test_examples_are_checked_by_pairs(asker, question):
    _, examples, _, whole = question
    left = asker.left_out(np.concatenate([examples[0], examples[1]]), np.arange(10) % 2, whole[0])
    assert left.shape == (10,) and (left > 0).all() and (left < 1).all()
    assert refused(np.full(8, 0.7)) and not refused(np.full(8, 0.9)) and not refused(np.full(6, 0.7))


def test_boxes_become_cells():
    assert region.cells_in((0, 0, 1, 1)).sum() == layout.CELLS
    assert region.cells_in((0.5, 0.5, 0.501, 0.501)).sum() == 1
    half = region.cells_in((0, 0, 0.5, 1)).reshape(layout.ROWS, layout.COLUMNS)
    assert half[:, : layout.COLUMNS // 2].all() and not half[:, layout.COLUMNS // 2 :].any()


def test_every_question_has_examples_of_both_states():
    rng = np.random.default_rng(4)
    states = np.stack([np.stack([rng.permutation(np.arange(24) % 2) for _ in range(2)], 1) for _ in range(3)])
    where = np.zeros((3, 2, layout.CELLS), bool)
    where[..., 45:48] = True
    cells = rng.normal(size=(3, 24, layout.CELLS, layout.DIM)).astype(np.float16)
    episodes = draws.Episodes(cells, states, where)
    for most in draws.COUNTS:
        batch = draws.draw(episodes, rng, 4, most)
        assert batch.examples.shape[1] == 2 * most <= layout.MAX_EXAMPLES
        for state in (0, 1):
            counts = (batch.states == state).sum(1)
            assert (counts >= 1).all() and (counts <= most).all()
        assert (batch.region.sum(1) >= 1).all()


def test_rules_find_a_plain_difference():
    rng = np.random.default_rng(6)
    cells = rng.normal(size=(8, layout.CELLS, layout.DIM))
    states = np.arange(8) % 2
    cells[states == 1, 30:34] += 3
    whole = np.ones(layout.CELLS)
    for rule in (baselines.most_different, baselines.nearest):
        score = rule(cells[4:], cells[:4], states[:4], whole)
        assert ((score > 0) == (states[4:] == 1)).all(), rule


def test_calibration_error_of_honest_and_boastful_answers():
    rng = np.random.default_rng(7)
    said = rng.uniform(0, 1, 20000)
    truth = rng.random(20000) < said
    assert calibration_error(said, truth) < 0.02
    assert calibration_error(np.where(said > 0.5, 0.99, 0.01), truth) > 0.15


def named(sets):
    return {(source, stem) for source, stems in sets.items() for stem in stems}


def test_no_photo_trains_and_judges():
    judging, training = named(photos.JUDGING), named(photos.TRAINING)
    assert not judging & training
    scene = lambda stem: stem.rpartition("/")[2].rstrip("0123456789LRAB").removesuffix("_")  # noqa: E731
    shared = {scene(s) for _, s in judging} & {scene(s) for _, s in training}
    assert shared <= {"scenetext"}  # six different streets
    for wanted in {t.room for t in tasks.room_tasks()} - {None}:
        assert any(stem.rpartition("/")[2] == wanted for _, stem in judging), wanted


@pytest.mark.skipif(not photos.fetched(), reason="the photos are not in the cache")
def test_no_photo_looks_like_one_of_the_other_set():
    import cv2

    def small(picture):
        gray = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).mean(-1).ravel()
        return (gray - gray.mean()) / (gray.std() + 1e-6)

    training = np.stack([small(p) for p in photos.training()])
    for source, stem in named(photos.JUDGING):
        one = small(photos.read(source, stem))
        for view in (one, one.reshape(16, 16)[:, ::-1].ravel()):
            assert (training @ view / len(view)).max() < 0.93, stem


def test_training_never_reads_the_footage():
    import inspect

    from wader_export.examples import edits, encoder, episodes, train, weather

    for module in (edits, encoder, episodes, train, weather, draws):
        source = inspect.getsource(module)
        assert "footage" not in source and "street" not in source and "JUDGING" not in source, module.__name__
