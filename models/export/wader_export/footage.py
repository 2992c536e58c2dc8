"""The real footage: Debian's ``vtest.avi``. The first half is for statistics, the second half for tests only."""

import subprocess
from pathlib import Path

import numpy as np

from . import layout
from .paths import cache_dir

PACKAGE = "opencv-doc"
MEMBER = "./usr/share/doc/opencv-doc/examples/data/vtest.avi"
FRAMES_PER_SECOND = 10.0
FIRST_TEST_FRAME = 398  # frames from here on are never used for anything but the test


def fetch() -> Path:
    """The footage in the cache folder; taken out of Debian's package when it is not there yet."""
    folder = cache_dir("footage")
    target = folder / "vtest.avi"
    if target.is_file():
        return target
    subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
    (package,) = folder.glob(f"{PACKAGE}*.deb")
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    subprocess.run(["tar", "x", "-C", str(folder), MEMBER], stdin=unpack.stdout, check=True)
    (folder / MEMBER).rename(target)
    package.unlink()
    return target


def read(first: int, last: int, step: int = 1, crop: tuple[float, float, float, float] | None = None):
    """Yields (frame number, RGB picture at full size) for frames first, first+step, ... before `last`."""
    import cv2

    capture = cv2.VideoCapture(str(fetch()))
    number = 0
    while number < last:
        ok, picture = capture.read()
        if not ok:
            return
        if number >= first and (number - first) % step == 0:
            if crop is not None:
                rows, columns = picture.shape[:2]
                picture = picture[
                    round(crop[1] * rows) : round(crop[3] * rows), round(crop[0] * columns) : round(crop[2] * columns)
                ]
            yield number, np.ascontiguousarray(picture[:, :, ::-1])
        number += 1


def first_half(step: int = 1, crop=None):
    """The frames that may be used for statistics and calibration."""
    return read(0, FIRST_TEST_FRAME, step, crop)


def resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """At another size, by area averaging where it becomes smaller."""
    import cv2

    way = cv2.INTER_AREA if picture.shape[1] > width else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=way)


def shrink(picture: np.ndarray) -> np.ndarray:
    """To the encoder's size by area averaging: for statistics. Where it matters how the service does it, see `pixels`."""
    return resized(picture, layout.WIDTH, layout.HEIGHT)


def darken(picture: np.ndarray, gain: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """A darker picture with sensor noise."""
    dark = picture.astype(np.float32) * gain + rng.normal(0, noise, picture.shape)
    return dark.round().clip(0, 255).astype(np.uint8)


CALIBRATION_CROPS = (None, (0.0, 0.0, 0.6, 0.6), (0.4, 0.0, 1.0, 0.6), (0.2, 0.4, 0.8, 1.0))


def calibration_pictures() -> list[np.ndarray]:
    """Pictures of the first half at four zooms, as they are, darker, and nearly dark."""
    rng = np.random.default_rng(7)
    pictures = []
    for view, crop in enumerate(CALIBRATION_CROPS):
        for _, picture in read(view * 7, FIRST_TEST_FRAME, 66, crop):
            small = shrink(picture)
            pictures.append(small)
            pictures.append(darken(small, *((0.3, 3.0) if len(pictures) % 4 == 1 else (0.1, 3.0)), rng))
    return pictures
