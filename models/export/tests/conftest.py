"""Shared fixtures: one small random Flamingo with open gates, and its graphs on ONNX Runtime."""

from random import Random

import numpy as np
import pytest
import torch

from wader_export import tokens
from wader_export.nn.flamingo import Flamingo
from wader_export.questions import Writer
from wader_export.sim import simulate
from wader_export.sim.truth import truth

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scenes():
    """A batch of simulated clips with their truth."""
    world, features = simulate(96, 8, np.random.default_rng(1))
    return world, features, truth(world)


@pytest.fixture(scope="session")
def tokenizer(scenes):
    """A tokenizer of the words that a few questions use."""
    writer, words = Writer(Random(2)), set()
    for _ in range(12):
        for state in scenes[2].state:
            question = writer.one(state)
            words.update(tokens.text_words(question.text), tokens.text_words(question.answer))
    return tokens.build(sorted(words))


@pytest.fixture(scope="session")
def model(tokenizer):
    """Random weights, no two alike; the gates, 0 at the start of training, are opened: pictures have an effect."""
    torch.manual_seed(3)
    flamingo = Flamingo(tokenizer.get_vocab_size()).eval()
    with torch.no_grad():
        for parameter in flamingo.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        for gated in flamingo.decoder.gated:
            gated.attention_gate.fill_(0.8)
            gated.feed_gate.fill_(0.6)
    return flamingo


@pytest.fixture(scope="session")
def folder(model, tmp_path_factory):
    """The exported resampler and decoder."""
    from wader_export.graphs import write

    target = tmp_path_factory.mktemp("graphs")
    write.write(model, target)
    return target


@pytest.fixture(scope="session")
def graphs(folder):
    """Their sessions."""
    from wader_export.graphs import goldens

    return {name: goldens.session(folder / f"{name}.onnx") for name in ("resampler", "decoder")}
