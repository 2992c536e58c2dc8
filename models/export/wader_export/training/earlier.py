"""Starts from an earlier model, though its vocabulary or its inputs were smaller: what is new begins at its own start."""

from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from ..graphs import names

EMBEDDING = "decoder.embedding.weight"


def weights(folder: Path) -> dict[str, Tensor]:
    """Parameters by name, of a run folder or of a model folder."""
    final, checkpoint = folder / "final.pt", folder / "checkpoint.pt"
    if final.exists():
        return torch.load(final, map_location="cpu")
    return torch.load(checkpoint, map_location="cpu")["model"] if checkpoint.exists() else names.parameters(folder)


def grown(name: str, old: Tensor, like: Tensor) -> Tensor:
    """A linear layer's weights with as many inputs as `like` has: the old columns and zeros, so that it gives what it gave."""
    if old.shape == like.shape:
        return old
    rows, columns = old.shape
    if like.shape[0] != rows or like.shape[1] < columns:
        raise ValueError(f"{name}: {tuple(old.shape)} does not grow to {tuple(like.shape)}")
    wide = torch.zeros_like(like)
    wide[:, :columns] = old.to(like)
    return wide


@dataclass(frozen=True)
class Taken:
    """What was taken of an earlier model."""

    words: int  # that were known
    new: list[str]  # parts of the model that begin anew
    wider: list[str]  # layers that have more inputs


def take(model: nn.Module, tokenizer: Tokenizer, folder: Path) -> Taken:
    """Copies the weights of `folder` into the model.

    A word keeps its row of the embedding under its new number.
    """
    old = weights(folder)
    state = model.state_dict()
    words = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    kept = [(words[word], number) for word, number in tokenizer.get_vocab().items() if word in words]
    new, wider = [], []
    for name, value in state.items():
        if name not in old or (name.startswith("head.") and old[name].shape != value.shape):
            new.append(name)
        elif name == EMBEDDING:
            before, after = zip(*kept)
            value[list(after)] = old[name][list(before)].to(value)
        elif old[name].shape == value.shape:
            value.copy_(old[name])
        else:
            value.copy_(grown(name, old[name], value))
            wider.append(name)
    model.load_state_dict(state)
    return Taken(len(kept), sorted({name.split(".")[0] for name in new}), wider)
