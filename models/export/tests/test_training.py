"""What each stage of training may change."""

import pytest
import torch

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
