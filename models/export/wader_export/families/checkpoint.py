"""Tensors of a checkpoint by name, one at a time: safetensors or PyTorch files, in one piece or in shards.

Nothing is loaded whole. safetensors are read row by row from the file, PyTorch's zip files are mapped into memory, so a
checkpoint of 20 GB costs what its largest tensor costs. PyTorch files are read with `weights_only`: they run no code.
"""

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WHOLE = ("model.safetensors", "pytorch_model.bin", "checkpoint.pt")


class CheckpointError(Exception):
    """A checkpoint is not what it must be; the text names the place and the remedy."""


class Checkpoint:
    """Named tensors. `what` says in errors which part of the model they are."""

    def __init__(self, what: str, files: list[Path]):
        self.what, self.files = what, files
        self.homes: dict[str, "_Safetensors | _Pickle"] = {}
        for file in files:
            shard = _Safetensors(file) if file.suffix == ".safetensors" else _Pickle(what, file)
            self.homes |= {name: shard for name in shard.names}

    @property
    def names(self) -> set[str]:
        """Every tensor's name."""
        return set(self.homes)

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return self.homes[name].shape(name)

    def read(self, name: str, rows: slice = slice(None)) -> Tensor:
        """A tensor, or some of its rows."""
        return self.homes[name].read(name, rows)


class _Safetensors:
    def __init__(self, file: Path):
        from safetensors import safe_open

        self.file = safe_open(file, framework="pt")
        self.names = list(self.file.keys())

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.file.get_slice(name).get_shape())

    def read(self, name: str, rows: slice) -> Tensor:
        if rows == slice(None):
            return self.file.get_tensor(name)
        return self.file.get_slice(name)[rows]


class _Pickle:
    def __init__(self, what: str, file: Path):
        try:
            state = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        except Exception as error:  # whatever a damaged file raises, it must be named
            raise CheckpointError(f"{what}: {file} cannot be read ({error}); fetch it again") from error
        state = state.get("model_state_dict", state)
        self.tensors = {name.removeprefix("module."): t for name, t in state.items() if isinstance(t, Tensor)}
        self.names = list(self.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def read(self, name: str, rows: slice) -> Tensor:
        return self.tensors[name][rows]


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights; safetensors where there are both."""
    for name in INDEXES:
        if (folder / name).is_file():
            shards = sorted(set(json.loads((folder / name).read_text())["weight_map"].values()))
            missing = [shard for shard in shards if not (folder / shard).is_file()]
            if missing:
                raise CheckpointError(f"{folder / name} names files that are not there: {', '.join(missing)}")
            return [folder / shard for shard in shards]
        if (folder / WHOLE[INDEXES.index(name)]).is_file():
            return [folder / WHOLE[INDEXES.index(name)]]
    if (folder / WHOLE[2]).is_file():
        return [folder / WHOLE[2]]
    raise CheckpointError(f"{folder} holds no weights; one of these is needed: {', '.join(INDEXES + WHOLE)}")


def open_folder(what: str, folder: Path) -> Checkpoint:
    """The checkpoint in a folder."""
    return Checkpoint(what, weight_files(folder))


def read_json(folder: Path, name: str) -> dict:
    """A JSON file of a checkpoint's folder."""
    try:
        return json.loads((folder / name).read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / name} cannot be read ({error}); fetch the checkpoint again") from error


def sha256(file: Path) -> str:
    """SHA-256 in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
