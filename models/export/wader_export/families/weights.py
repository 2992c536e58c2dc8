"""Which tensor of which checkpoint each weight of ours is; nothing is guessed, nothing has a default.

A map goes from names of ours to names of theirs: of a parameter, or of a module, whose `weight` and `bias` follow.
`{i}` stands for a number, the same on both sides unless `numbers` says which one of theirs it is. `#0` and `#1` at the
end are the upper and the lower half of its rows: keys and values that lie in one matrix.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .checkpoint import Checkpoint, CheckpointError


@dataclass(frozen=True)
class Take:
    """A tensor of a checkpoint, or several one under the other; or some rows of that."""

    source: Checkpoint
    names: tuple[str, ...]
    rows: tuple[int, int] | None = None  # from this row to before that one
    shape: tuple[int, ...] | None = None  # seen as this shape, where ours has other axes

    def read(self) -> Tensor:
        """The values, in the type that the checkpoint has."""
        rows = slice(*self.rows or (None,))
        if len(self.names) == 1:
            whole = self.source.read(self.names[0], rows)
        else:
            whole = torch.cat([self.source.read(name) for name in self.names])[rows]
        return whole if self.shape is None else whole.reshape(self.shape)

    def size(self) -> tuple[int, ...]:
        """The shape of what `read` gives, without reading."""
        if self.shape is not None:
            return self.shape
        shapes = [self.source.shape(name) for name in self.names]
        if not shapes[0]:
            return ()
        count = len(range(*slice(*self.rows or (None,)).indices(sum(shape[0] for shape in shapes))))
        return (count, *shapes[0][1:])


class Weights:
    """Every weight of one model, by our name."""

    def __init__(self, takes: dict[str, Take]):
        self.takes = takes

    def read(self, name: str) -> Tensor:
        """One weight in float32."""
        return self.takes[name].read().float()

    def under(self, prefix: str) -> "Weights":
        """Those of one module, by their names in it."""
        start = prefix + "."
        return Weights({n.removeprefix(start): take for n, take in self.takes.items() if n.startswith(start)})


class Plan:
    """Collects takes and every problem with them, so that all are told at once."""

    def __init__(self):
        self.takes: dict[str, Take] = {}
        self.problems: list[str] = []
        self.used: set[tuple[int, str]] = set()

    def put(self, name: str, parameter: Tensor, take: Take) -> None:
        """One weight of ours and where it lies."""
        self.used |= {(id(take.source), one) for one in take.names}
        missing = [one for one in take.names if one not in take.source.names]
        if missing:
            self.problems += [f"{take.source.what}: `{one}` is missing (our `{name}`)" for one in missing]
            return
        found = take.size() if take.shape is None else take.source.shape(take.names[0])
        fits = found == tuple(parameter.shape) if take.shape is None else math.prod(found) == parameter.numel()
        if not fits:
            told = f"{list(found)} where {list(parameter.shape)} is expected (our `{name}`)"
            self.problems.append(f"{take.source.what}: `{' + '.join(take.names)}` has shape {told}")
            return
        self.takes[name] = take

    def head(self, name: str, parameter: Tensor, take: Take, rows: int) -> None:
        """The output's matrix, which must have so many rows: the first of them, as many as there are tokens."""
        there = all(one in take.source.names for one in take.names)
        if there and (found := take.size()[0]) != rows:
            self.used |= {(id(take.source), one) for one in take.names}
            told = f"has {found} rows where {rows} are expected (our `{name}`)"
            self.problems.append(f"{take.source.what}: `{' + '.join(take.names)}` {told}")
            return
        self.put(name, parameter, replace(take, rows=(0, len(parameter))))

    def map(
        self, prefix: str, module: nn.Module, source: Checkpoint, table: dict[str, str],
        numbers: Callable[[int], int] | None = None,
    ) -> None:  # fmt: skip
        """Maps the parameters of a module that a table names, by its templates; others are left to other calls."""
        for name, parameter in module.named_parameters():
            theirs = _found(name, table, numbers)
            if theirs is not None:
                whole, half = re.fullmatch(r"(.*?)(?:#([01]))?(?:\.(?:weight|bias))?", theirs).group(1, 2)
                theirs = theirs.replace(f"#{half}", "")
                start = int(half or 0) * len(parameter) if parameter.ndim else 0
                rows = (start, start + len(parameter)) if half else None
                self.put(f"{prefix}.{name}", parameter, Take(source, (theirs,), rows, _flat(name, parameter)))

    def finish(self, modules: dict[str, nn.Module], ignored: list[tuple[Checkpoint, list[str]]]) -> Weights:
        """Checks that every weight of ours has its tensor, and that every tensor is used or known to be of no use."""
        for prefix, module in modules.items():
            for name, _ in module.named_parameters():
                known = f"{prefix}.{name}" in self.takes
                if not known and not any(f"`{prefix}.{name}`" in problem for problem in self.problems):
                    self.problems.append(f"no tensor is known for our `{prefix}.{name}`")
        for source, patterns in ignored:
            for name in sorted(source.names):
                if (id(source), name) not in self.used and not any(re.fullmatch(p, name) for p in patterns):
                    self.problems.append(f"{source.what}: `{name}` is unexpected")
        if self.problems:
            lines = "\n  ".join(self.problems)
            raise CheckpointError(
                f"the checkpoint does not fit its family, in {len(self.problems)} places:\n  {lines}\n"
                "Give the checkpoint, language model and vision tower that belong together."
            )
        return Weights(self.takes)


def _flat(name: str, parameter: Tensor) -> tuple[int, ...] | None:
    """Gates: one number or a row of them, whatever axes of one the checkpoint puts before."""
    return tuple(parameter.shape) if name.endswith("_gate") else None


def _found(name: str, table: dict[str, str], numbers: Callable[[int], int] | None) -> str | None:
    module, _, end = name.rpartition(".")
    for ours, theirs in table.items():
        pattern = re.escape(ours).replace(r"\{i\}", r"(\d+)")
        for candidate, suffix in ((name, ""), (module, f".{end}")):
            if match := re.fullmatch(pattern, candidate):
                number = int(match[1]) if match.groups() else 0
                return theirs.replace("{i}", str(numbers(number) if numbers else number)) + suffix
    return None
