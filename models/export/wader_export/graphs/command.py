"""The `export` command: from a run folder to a whole model folder."""

import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .. import tokens
from ..encoder import package
from ..encoder.command import encoder_file
from ..examples import shipped
from ..nn.flamingo import Flamingo
from ..paths import cache_dir
from ..training import earlier
from . import goldens, manifest, notice, write


def load(folder: Path, others: list[Path], resampler: Path | None = None) -> tuple[Flamingo, Tokenizer]:
    """The newest weights of a run folder and its tokenizer.

    `others`: the mean with the weights of other run or model folders, all of which went on from one another (Wortsman et al., arXiv 2203.05482);
    what they do not have, such as words that came later, is as in `folder`.
    `resampler`: the folder whose resampler takes the place of that of the mean.
    """
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = Flamingo(tokenizer.get_vocab_size())
    saved = earlier.weights(folder)
    beside = []
    for other in others:
        model.load_state_dict(saved)
        earlier.take(model, tokenizer, other)
        beside.append({name: value.clone() for name, value in model.state_dict().items()})
    saved = {name: sum([value, *(other[name] for other in beside)]) / (1 + len(beside)) for name, value in saved.items()}
    if resampler:
        saved |= {name: value for name, value in earlier.weights(resampler).items() if name.startswith("resampler.")}
    model.load_state_dict(saved)
    return model.eval(), tokenizer


def run(arguments) -> None:
    """Writes the folder and replays its goldens."""
    torch.set_num_threads(1)
    target: Path = arguments.target
    target.mkdir(parents=True, exist_ok=True)
    model, tokenizer = load(arguments.folder or cache_dir("train", "run"), arguments.mean, arguments.resampler)
    shutil.copyfile(encoder_file(), target / "vision_encoder.onnx")
    write.write(model, target)
    tokenizer.save(str(target / "tokenizer.json"))
    goldens.write(model, tokens.Words(tokenizer), target)
    if shipped.place(target):
        shipped.renew_goldens(target)
    worst = goldens.replay(target)
    for graph, difference in worst.items():
        limit = (goldens.TOLERANCE | shipped.TOLERANCE)[graph] if graph.endswith("encoder") else 1e-4
        print(f"{graph}: {difference:.2e} from its goldens (limit {limit:g})")
        if not difference <= limit:
            raise SystemExit(f"{graph} differs from PyTorch by {difference}")
    notice.write(target, package.fetch())
    shipped.note(target)
    vocabulary = tokenizer.get_vocab()
    size = manifest.write(target, sorted(vocabulary, key=vocabulary.get))
    print(f"{target}: {size / 1e6:.2f} MB")
