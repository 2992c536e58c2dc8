"""Real photos, in two sets that share no photo and no scene: one to train on, one for the tasks that judge.

Files are named by folder and stem. Pictures of one scene (left and right eye, original and retouched, a crop) are
always in the same set. Footage is kept apart by `footage`: the fixed camera's is used by the judging tasks only.
"""

from functools import cache
from pathlib import Path

import numpy as np

from . import packages

OPENCV, IMAGE, LEARN = "opencv-doc", "scikit-image", "scikit-learn"

JUDGING = {
    OPENCV: (
        "data/leuvenA", "data/home", "data/building", "data/basketball1", "data/stuff", "data/rubberwhale1",
        "text/scenetext03", "text/scenetext04", "text/scenetext05", "text/scenetext06",
        "data/orange", "data/messi5", "data/squirrel_cls", "data/box", "alphamat/input_images/plant",
    ),
    IMAGE: ("coffee", "chelsea", "rocket"),
    LEARN: ("china",),
}  # fmt: skip

TRAINING = {
    OPENCV: (
        "data/Blender_Suzanne1", "data/HappyFish", "data/WindowsLogo", "data/aero1", "data/aero3", "data/aloeL",
        "data/apple", "data/baboon", "data/blox", "data/board", "data/butterfly", "data/cards", "data/chicky_512",
        "data/ela_modified", "data/fruits", "data/graf1", "data/graf3", "data/left", "data/right",
        "data/licenseplate_motion", "data/ml", "data/opencv-logo-white", "data/pic2", "data/pic4", "data/pic5",
        "data/left01", "data/left03", "data/left05", "data/left08", "data/left12", "data/right06", "data/right13",
        "data/smarties", "data/starry_night", "data/sudoku", "data/text_defocus", "data/text_motion",
        "fuzzy/input", "hfs/data/000", "hfs/data/001", "hfs/data/002", "text/scenetext01", "text/scenetext02",
        "ximgproc/stanford",
    ),
    IMAGE: (
        "astronaut", "brick", "camera", "clock_motion", "coins", "color", "grass", "gravel", "hubble_deep_field",
        "ihc", "logo", "moon", "motorcycle_left", "page", "retina", "text",
    ),
    LEARN: ("flower",),
}  # fmt: skip

# A film of the same package, for training only: every so many frames.
FILM, FILM_STEP = "data/Megamind.avi", 12


def folder(source: str) -> Path:
    """Where a source's photos lie."""
    return packages.debian_photos() if source == OPENCV else packages.wheel(source)


def path_of(source: str, stem: str) -> Path:
    """The file of a photo."""
    found = [p for p in (folder(source) / stem).parent.glob(Path(stem).name + ".*") if p.suffix in (".png", ".jpg")]
    if len(found) != 1:
        raise RuntimeError(f"{source}: {stem} names {len(found)} files")
    return found[0]


def read(source: str, stem: str) -> np.ndarray:
    """A photo as RGB."""
    import cv2

    picture = cv2.imread(str(path_of(source, stem)), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(picture[:, :, ::-1])


@cache
def judging(stem: str) -> np.ndarray:
    """A photo of the judging set, by the last part of its name."""
    (hit,) = [(s, n) for s, names in JUDGING.items() for n in names if n.rpartition("/")[2] == stem]
    return read(*hit)


@cache
def training() -> tuple[np.ndarray, ...]:
    """All photos of the training set, and the film's frames."""
    import cv2

    pictures = [read(source, stem) for source, names in TRAINING.items() for stem in names]
    film = cv2.VideoCapture(str(folder(OPENCV) / FILM))
    number = 0
    while True:
        ok, picture = film.read()
        if not ok:
            break
        if number % FILM_STEP == 0:
            pictures.append(np.ascontiguousarray(picture[:, :, ::-1]))
        number += 1
    film.release()
    return tuple(shrunk(p) for p in pictures)


def shrunk(picture: np.ndarray, side: int = 900) -> np.ndarray:
    """No larger than needed."""
    import cv2

    scale = side / max(picture.shape[:2])
    return picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def fetched() -> bool:
    """Whether all photos lie in the cache already."""
    return packages.fetched()
