"""The shipped folder: manifest and files agree, ids agree with the tokenizer, goldens replay."""

import json

import onnx
import pytest
from tokenizers import Tokenizer

from wader_export.encoder.package import sha256
from wader_export.evaluation.kinds import KINDS, answer_of
from wader_export.evaluation.real import ELSEWHERE
from wader_export.examples import graph as comparer_graph
from wader_export.examples import layout, packages, shipped
from wader_export.graphs import goldens, manifest
from wader_export.paths import MODEL_DIR
from wader_export.tokens import text_words

pytestmark = pytest.mark.skipif(not (MODEL_DIR / "manifest.json").exists(), reason="no exported model folder")


@pytest.fixture(scope="module")
def document():
    return json.loads((MODEL_DIR / "manifest.json").read_text())


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))


def test_files_are_the_ones_named(document):
    examples = shipped.GRAPHS.values() if shipped.present(MODEL_DIR) else []
    assert sorted(document["files"]) == sorted([*manifest.CONTENT, *examples])
    for name, entry in document["files"].items():
        path = MODEL_DIR / name
        assert path.stat().st_size == entry["bytes"], name
        assert sha256(path) == entry["sha256"], name
    assert sum(f.stat().st_size for f in MODEL_DIR.rglob("*") if f.is_file()) <= manifest.MAX_BYTES


def test_ids_and_words_are_the_tokenizers(document, tokenizer):
    ids = document["tokens"]
    assert tokenizer.token_to_id("<image>") == ids["image"]
    assert [tokenizer.token_to_id("<eoc>")] == ids["eos"]
    assert tokenizer.token_to_id("<unk>") == ids["unknown"]
    assert tokenizer.get_vocab_size() == document["decoder"]["vocab"]
    prompt = document["prompt"]
    for word in (*prompt["words"], *prompt["yes"], *prompt["no"], *prompt["numbers"]):
        assert len(tokenizer.encode(word).ids) == 1 and tokenizer.encode(word).ids[0] != ids["unknown"], word


def test_text_is_cut_lowered_and_joined(tokenizer):
    encoded = tokenizer.encode("Is there a PERSON, or not?", add_special_tokens=False)
    assert encoded.tokens[:4] == ["is", "there", "a", "person"] and encoded.tokens[-1] == "?"
    text = "two people. one walks to the left, one stands. a gray vehicle is parked."
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_the_evaluations_words_are_known(tokenizer):
    known = tokenizer.get_vocab()
    for name, kind in KINDS.items():
        if name in ELSEWHERE and "none" not in known:
            continue  # asked only of models that have the words
        for text in (*kind.texts, *kind.answers):
            assert all(w in known for w in text_words(text)), (name, text)
        assert answer_of(kind, None) is None


def test_goldens_replay():
    tolerance = goldens.TOLERANCE | shipped.TOLERANCE
    for graph, difference in goldens.replay(MODEL_DIR).items():
        assert difference <= tolerance[graph], graph


def test_examples_are_described_and_have_goldens(document):
    if not shipped.present(MODEL_DIR):
        pytest.skip("the folder has no graphs for examples")
    assert document["examples"] == shipped.block()
    assert shipped.GRAPHS.items() <= document["graphs"].items()
    assert shipped.TOLERANCE.items() <= document["golden"]["tolerance"].items()
    assert packages.WEIGHTS_SHA256 in [s["sha256"] for s in document["provenance"]["sources"]]
    assert shipped.NOTICE in (MODEL_DIR / "NOTICE").read_text()
    cases = json.loads((MODEL_DIR / "golden" / "golden.json").read_text())["cases"]
    assert {c["graph"] for c in cases} == set(document["graphs"])
    again = shipped.describe(json.loads(json.dumps(document)), MODEL_DIR)
    assert again == document  # described twice is described once


def test_examples_graphs_keep_the_contract():
    if not shipped.present(MODEL_DIR):
        pytest.skip("the folder has no graphs for examples")
    for name, file in shipped.GRAPHS.items():
        model = onnx.load(MODEL_DIR / file)
        assert model.ir_version == 10 and [(o.domain, o.version) for o in model.opset_import] == [("", 21)], name
        assert {n.domain for n in model.graph.node} <= {""}, name
        shapes = {
            v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in (*model.graph.input, *model.graph.output)
        }
        if name == "comparer":
            assert shapes == comparer_graph.INPUTS | comparer_graph.OUTPUTS
        else:
            assert shapes == {"pixels": ["frames", 288, 384, 3], "cells": ["frames", layout.CELLS, layout.DIM]}


def test_graphs_say_nothing_of_the_machine_that_made_them():
    for path in MODEL_DIR.glob("*.onnx"):
        graph = onnx.load(path)
        origin = [prop.value for node in graph.graph.node for prop in node.metadata_props]
        assert not origin and not any(node.doc_string for node in graph.graph.node), path.name
