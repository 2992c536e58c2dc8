"""Real photographs out of ordinary packages, what is true of them (`tests/footage/stills.toml`, by hand), and which half of
them may be trained on.

The halves are made by construction: by a digit of the picture's SHA-256, of one package only. All that other packages
hold is for tests, so that a test always has pictures from elsewhere, too. What was added to be trained on says so.
"""

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import packages
from .paths import REPOSITORY

FILE = REPOSITORY / "tests" / "footage" / "stills.toml"
TRAINING_SOURCE = "opencv-doc"  # in Debian's main: all of it is free to use, change and pass on


@dataclass(frozen=True)
class Still:
    """One photograph, or a crop of one, with its truth."""

    name: str
    number: int  # place in the file
    path: Path
    crop: tuple[float, ...] | None
    frame: int
    facts: dict

    def picture(self) -> np.ndarray:
        """RGB, as large as it is."""
        import cv2

        if self.path.suffix in (".mp4", ".avi"):
            film = cv2.VideoCapture(str(self.path))
            for _ in range(self.frame + 1):
                ok, picture = film.read()
        else:
            picture = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        rows, columns = picture.shape[:2]
        x0, y0, x1, y1 = self.crop or (0, 0, 1, 1)
        part = picture[round(y0 * rows) : round(y1 * rows), round(x0 * columns) : round(x1 * columns)]
        return np.ascontiguousarray(part[:, :, ::-1])


def document(path: Path = FILE) -> dict:
    """The truth file."""
    return tomllib.loads(path.read_text())


def for_training(facts: dict) -> bool:
    """Whether a photograph belongs to the half that may be trained on. Crops of one picture are always on one side, and so
    are pictures of one `scene`."""
    same_scene_in_test = "scene" in facts
    chosen = facts.get("half") == "training" or int(facts["sha256"][1], 16) % 2 == 0
    return facts["source"] == TRAINING_SOURCE and chosen and not same_scene_in_test


def load(training: bool, path: Path = FILE) -> tuple[list[Still], list[str]]:
    """The stills of a half that can be had, and the names of those that cannot."""
    read = document(path)
    chosen = [(number, s) for number, s in enumerate(read["still"]) if for_training(s) == training]
    wanted: dict[str, dict[str, str]] = defaultdict(dict)
    for _, facts in chosen:
        wanted[facts["source"]][facts["path"]] = facts["sha256"]
    files = {name: packages.fetch(name, *read["source"][name].values(), members) for name, members in wanted.items()}
    found, missing = [], []
    for number, facts in chosen:
        got = files[facts["source"]].get(facts["path"])
        if got is None:
            missing.append(facts["name"])
            continue
        crop = tuple(facts["crop"]) if "crop" in facts else None
        found.append(Still(facts["name"], number, got, crop, facts.get("frame", 0), facts))
    return found, missing
