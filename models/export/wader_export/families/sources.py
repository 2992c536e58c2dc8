"""Where a checkpoint's files are and what the manifest says of them: origin, pinned revision, licence, hashes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .checkpoint import Checkpoint, open_folder, read_json, sha256

UNSTATED = "LicenseRef-not-stated"
WEIGHTS = "weights"  # among patterns of files: those that hold the weights, whatever they are called


@dataclass(frozen=True)
class Place:
    """Files from one origin, in a folder; those of a hub lie there once they were asked for."""

    folder: Path
    origin: str  # hub name, or the folder
    revision: str | None = None  # the commit, if it came from the hub
    offered: frozenset[str] | None = None  # the hub's files, fetched or not; None: what lies in the folder is all
    load: Callable[[list[str]], object] | None = None  # fetches the files that fit some patterns

    @property
    def config(self) -> dict:
        """Its `config.json`, or nothing where it has none."""
        return self.json("config.json") if self.has("config.json") else {}

    def has(self, name: str) -> bool:
        """Whether it has a file."""
        return (self.folder / name).is_file() if self.offered is None else name in self.offered

    def need(self, *patterns: str) -> None:
        """Sees to it that the files are in the folder."""
        missing = [pattern for pattern in patterns if not (self.folder / pattern).is_file()]
        if self.load is not None and missing:
            self.load(missing)

    def file(self, name: str) -> Path:
        """One of its files."""
        self.need(name)
        return self.folder / name

    def json(self, name: str) -> dict:
        """One of its JSON files."""
        self.need(name)
        return read_json(self.folder, name)

    def checkpoint(self, what: str) -> Checkpoint:
        """Its weights; `what` names them in errors. From a hub they come now: what can be refused, refuse before."""
        self.need(WEIGHTS)
        return open_folder(what, self.folder)

    @property
    def stated_licence(self) -> str:
        """The licence that the model card's head states."""
        if self.has("README.md"):
            head = re.match(r"---\n(.*?)\n---", self.file("README.md").read_text(errors="replace"), re.DOTALL)
            found = re.search(r"^license:\s*['\"]?([\w.+-]+)", head[1], re.MULTILINE) if head else None
            if found:
                return SPDX.get(found[1].lower(), f"LicenseRef-{found[1]}")
        return UNSTATED

    def sources(self, what: str, files: list[Path]) -> list[dict]:
        """Entries of the manifest's provenance, one a file."""
        at = f"{self.origin} at {self.revision}" if self.revision else self.origin
        return [
            {
                "name": f"{what}, {file.name}",
                "origin": f"{at}, {file.name}",
                "licence": self.stated_licence,
                "sha256": sha256(file),
            }
            for file in files
        ]


SPDX = {"mit": "MIT", "apache-2.0": "Apache-2.0", "bsd-3-clause": "BSD-3-Clause", "cc-by-sa-3.0": "CC-BY-SA-3.0"}


def together(licences: list[str]) -> str:
    """One SPDX expression that all of them bind."""
    return " AND ".join(sorted(set(licences)))
