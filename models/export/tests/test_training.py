"""What each stage of training may change, and what a mean of several runs is."""

import pytest
import torch

from wader_export.graphs import command
from wader_export.nn.flamingo import Flamingo
from wader_export.paths import MODEL_DIR
from wader_export.tokens import build
from wader_export.training.data import Feeding, Maker
from wader_export.training.run import TUNED, WORDS, Run, groups


@pytest.mark.parametrize(("stages", "resampler_learns"), [(WORDS, False), (TUNED, True)])
def test_only_the_decoder_learns_words(tmp_path, stages, resampler_learns):
    run = Run(tmp_path, 1.0, Feeding(clips=8), 1, stages)
    torch.manual_seed(4)
    with torch.no_grad():
        for name, parameter in run.model.named_parameters():
            if name.endswith("_gate"):
                parameter.fill_(0.5)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    optimiser = torch.optim.AdamW(groups(run.model, stages[0]), lr=1e-3)
    trained = [p for g in optimiser.param_groups for p in g["params"]]
    figures = run.one_step(stages[0], Maker(run.tokenizer, 5).batch(8, text=True), optimiser, trained)
    after = run.model.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert figures["words"] > 0 and "decoder" in changed
    assert ("resampler" in changed) == resampler_learns


def test_only_a_new_head_is_adapted(tmp_path):
    first = Run(tmp_path / "first", 1.0, Feeding(clips=8), 1)
    torch.save(first.model.state_dict(), tmp_path / "first" / "final.pt")
    names = lambda run: [stage.name for stage in run.stages[run.stage :]]  # noqa: E731
    assert names(Run(tmp_path / "of-a-run", 1.0, Feeding(), 1, start=tmp_path / "first")) == ["joint"]
    assert names(Run(tmp_path / "of-a-model", 1.0, Feeding(), 1, start=MODEL_DIR)) == ["adapt", "joint"]


def test_a_mean_takes_each_word_from_its_own_row_and_new_ones_as_they_are(tmp_path):
    rows = {}
    for name, known in (("new", ["far", "near", "night"]), ("old", ["far", "night"])):
        (tmp_path / name).mkdir()
        tokenizer = build(known)
        tokenizer.save(str(tmp_path / name / "tokenizer.json"))
        torch.manual_seed(len(known))
        model = Flamingo(tokenizer.get_vocab_size())
        torch.save(model.state_dict(), tmp_path / name / "final.pt")
        embedding = model.decoder.embedding.weight.detach()
        rows[name] = {word: embedding[number] for word, number in tokenizer.get_vocab().items()}
    mean, tokenizer = command.load(tmp_path / "new", [tmp_path / "old"])
    embedding, vocabulary = mean.decoder.embedding.weight.detach(), tokenizer.get_vocab()
    for word in ("far", "night"):
        assert torch.allclose(embedding[vocabulary[word]], (rows["new"][word] + rows["old"][word]) / 2)
    assert torch.allclose(embedding[vocabulary["near"]], rows["new"]["near"])
    assert not torch.allclose(mean.resampler.object_in.weight, torch.load(tmp_path / "new" / "final.pt")["resampler.object_in.weight"])
