"""The real two-state tasks that judge the comparer: twenty in the street, twelve in photos of rooms and places.

A task knows its two states as functions of a frame, and the box (x, y, w, h) in which they differ. In the street,
walkers pass in front of the change; in the photos, walkers cut out of the street do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from . import photos, street

Box = tuple[int, int, int, int]
WHOLE = (0, 0, street.WIDE, street.HIGH)


@dataclass(frozen=True)
class Task:
    """`change` turns state 0 into state 1; `room` is a photo's name, or None for the street."""

    name: str
    box: Box
    change: Callable[[np.ndarray], np.ndarray]
    room: str | None = None
    before_all: bool = False  # in front of the walkers, too (on the lens)

    def share(self) -> float:
        """The box's share of the picture."""
        return self.box[2] * self.box[3] / (street.WIDE * street.HIGH)


def scaled(box: Box) -> Box:
    """From the footage's own coordinates to the camera's."""
    return tuple(round(v * street.WIDE / street.NATIVE[0]) for v in box)


def soft(box: Box, feather: float = 1.0, round_: bool = False) -> np.ndarray:
    """A mask [HIGH, WIDE, 1] of a box or its ellipse."""
    x, y, w, h = box
    mask = np.zeros((street.HIGH, street.WIDE), np.float32)
    if round_:
        cv2.ellipse(mask, (x + w // 2, y + h // 2), (w // 2, h // 2), 0, 0, 360, 1.0, -1)
    else:
        mask[y : y + h, x : x + w] = 1
    return cv2.GaussianBlur(mask, (0, 0), feather)[..., None]


def mixed(image: np.ndarray, other: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`other` where the mask is."""
    mask = np.ascontiguousarray(mask[..., 0], np.float32)
    other = np.broadcast_to(other, image.shape)
    return cv2.blendLinear(image, other.clip(0, 255).astype(np.uint8), 1 - mask, mask)


def placed(stem: str, cut: tuple[float, float, float, float], box: Box, round_: bool = False):
    """A thing out of a photo stands in the box; `cut` is its place in the photo, in fractions."""
    photo = photos.judging(stem)
    rows, columns = photo.shape[:2]
    piece = photo[int(cut[1] * rows) : int(cut[3] * rows), int(cut[0] * columns) : int(cut[2] * columns)]
    layer = np.zeros((street.HIGH, street.WIDE, 3), np.float32)
    x, y, w, h = box
    layer[y : y + h, x : x + w] = cv2.resize(piece, (w, h), interpolation=cv2.INTER_AREA)
    mask = soft(box, 0.7, round_)
    return lambda image: mixed(image, layer, mask)


# Photo, place in it as fractions, whether cut out as an ellipse.
THINGS = {
    "bin": ("box", (0, 0, 1, 1), False),
    "plant": ("plant", (0.15, 0.0, 0.9, 1.0), False),
    "ball": ("orange", (0.1, 0.1, 0.9, 0.9), True),
    "poster": ("rocket", (0.3, 0.1, 0.75, 0.9), False),
    "cat": ("chelsea", (0.1, 0.05, 0.85, 0.95), True),
    "squirrel": ("squirrel_cls", (0.3, 0.2, 0.75, 0.95), True),
    "player": ("messi5", (0.3, 0.1, 0.62, 1.0), False),
}


def thing(name: str) -> Callable[[Box], Callable[[np.ndarray], np.ndarray]]:
    """A maker of the change that puts a thing into a box."""
    stem, cut, round_ = THINGS[name]
    return lambda box: placed(stem, cut, box, round_)


def lit(box: Box, gain: float, colour: tuple[float, float, float], round_: bool = False):
    """Brighter or darker, with a tint."""
    mask = soft(box, 1.5, round_)
    return lambda image: mixed(image, image * gain + np.float32(colour), mask)


def lamp(box: Box):
    """A glow in the middle of the box."""
    x, y, w, h = box
    rows, columns = np.mgrid[: street.HIGH, : street.WIDE]
    far = ((columns - x - w / 2) / (w / 4)) ** 2 + ((rows - y - h / 2) / (h / 4)) ** 2
    light = (np.exp(-far / 2)[..., None] * np.float32([230, 215, 150])).astype(np.float32)
    return lambda image: (image + light).clip(0, 255).astype(np.uint8)


def gone(base: np.ndarray, box: Box):
    """What is in the box has gone; the ground is filled in from around it."""
    mask = np.zeros(base.shape[:2], np.uint8)
    x, y, w, h = box
    mask[y : y + h, x : x + w] = 1
    filled = cv2.inpaint(base, mask, 5, cv2.INPAINT_TELEA)
    grain = np.random.default_rng(3).normal(0, 4, base.shape)
    layer = filled.astype(np.float32) + grain
    edge = soft(box, 1.0)
    return lambda image: mixed(image, layer, edge)


def bar(start: tuple[int, int], end: tuple[int, int], thick: int, pieces: int = 9):
    """A striped barrier, and the box about it."""
    layer, mask = np.zeros((street.HIGH, street.WIDE, 3), np.float32), np.zeros((street.HIGH, street.WIDE), np.float32)
    points = [tuple(int(a + (b - a) * i / pieces) for a, b in zip(start, end)) for i in range(pieces + 1)]
    for i in range(pieces):
        cv2.line(layer, points[i], points[i + 1], ((200, 40, 30), (235, 235, 235))[i % 2], thick)
        cv2.line(mask, points[i], points[i + 1], 1.0, thick)
    x, y = min(start[0], end[0]), min(start[1], end[1]) - thick
    box = (x, max(y, 0), abs(start[0] - end[0]), abs(start[1] - end[1]) + 2 * thick)
    return box, lambda image: mixed(image, layer, cv2.GaussianBlur(mask, (0, 0), 0.6)[..., None])


def written(text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]):
    """Letters on a wall, and the box about them."""
    (w, h), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, 2)
    drawn = np.zeros((street.HIGH, street.WIDE), np.uint8)
    cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_DUPLEX, size, 255, 2, cv2.LINE_AA)
    mask = drawn[..., None].astype(np.float32) / 255
    box = (at[0], at[1] - h, w, h + base)
    return box, lambda image: mixed(image, np.float32(colour), mask)


def moved(base: np.ndarray, source: Box, to: Box):
    """A copy of one part of the picture stands elsewhere."""
    x, y, w, h = source
    layer = np.zeros((street.HIGH, street.WIDE, 3), np.float32)
    layer[to[1] : to[1] + to[3], to[0] : to[0] + to[2]] = cv2.resize(base[y : y + h, x : x + w], to[2:])
    mask = soft(to, 1.0)
    return lambda image: mixed(image, layer, mask)


def street_tasks() -> list[Task]:
    """Twenty changes of the street; boxes in the footage's own coordinates."""
    base = street.empty()
    inside = {
        "bin put out": ((560, 290, 44, 62), thing("bin")),
        "plant on the lawn": ((190, 325, 62, 86), thing("plant")),
        "ball on the lawn": ((330, 520, 40, 40), thing("ball")),
        "poster on the wall": ((585, 95, 40, 40), thing("poster")),
        "van away": ((648, 40, 78, 62), lambda b: gone(base, b)),
        "car away": ((732, 46, 36, 48), lambda b: gone(base, b)),
        "sign taken down": ((411, 200, 36, 46), lambda b: gone(base, b)),
        "tripod away": ((455, 335, 75, 150), lambda b: gone(base, b)),
        "jacket picked up": ((66, 492, 98, 40), lambda b: gone(base, b)),
        "boulder away": ((158, 246, 40, 34), lambda b: gone(base, b)),
        "van in the car park": ((490, 130, 78, 56), lambda b: moved(base, scaled((648, 40, 78, 62)), b)),
        "street lamp lit": ((385, 4, 70, 60), lamp),
        "windows lit": ((328, 34, 246, 48), lambda b: lit(b, 1.5, (60, 50, 10))),
        "gate open": ((637, 25, 52, 64), lambda b: lit(b, 0.25, (8, 8, 10))),
        "sign turned red": ((413, 203, 33, 41), lambda b: lit(b, 0.5, (120, 0, 0))),
        "puddle": ((540, 380, 130, 44), lambda b: lit(b, 0.6, (0, 4, 10), True)),
        "lawn white": ((20, 300, 260, 150), lambda b: lit(b, 0.5, (110, 112, 118), True)),
    }
    found = [Task(name, scaled(box), make(scaled(box))) for name, (box, make) in inside.items()]
    box, change = bar((365, 168), (575, 150), 7)
    found.append(Task("barrier down", box, change))
    cover = (360, 200, 270, 270)
    found.append(Task("lens half covered", cover, lit(cover, 0.1, (30, 26, 22), True), before_all=True))
    found.append(Task("lens out of focus", WHOLE, lambda i: cv2.GaussianBlur(i, (0, 0), 6.0), before_all=True))
    return found


def room(name: str) -> np.ndarray:
    """A photo as a place with a fixed camera."""
    return cv2.resize(photos.judging(name), (street.WIDE, street.HIGH), interpolation=cv2.INTER_AREA)


def room_tasks() -> list[Task]:
    """One change in each of twelve photos."""
    banner, write = written("OPEN", (250, 120), 1.1, (240, 230, 60))
    barrier, lower = bar((60, 330), (420, 300), 9)
    plan = [
        ("ball on the square", "leuvenA", (300, 385, 50, 46), thing("ball")),
        ("gate dark", "home", (300, 330, 90, 110), lambda b: lit(b, 0.35, (5, 5, 5))),
        ("windows lit", "building", (150, 160, 200, 60), lambda b: lit(b, 1.3, (70, 55, 15))),
        ("cat on the floor", "basketball1", (300, 330, 120, 100), thing("cat")),
        ("lighter away", "stuff", (270, 300, 130, 160), lambda b: gone(room("stuff"), b)),
        ("squirrel on the table", "coffee", (20, 30, 110, 120), thing("squirrel")),
        ("banner up", "china", banner, lambda _: write),
        ("box on the curtain", "rubberwhale1", (430, 60, 110, 90), thing("bin")),
        ("player stands there", "scenetext03", (120, 300, 70, 150), thing("player")),
        ("shutter closed", "scenetext04", (230, 220, 120, 110), lambda b: lit(b, 0.2, (90, 92, 96))),
        ("barrier down", "scenetext05", barrier, lambda _: lower),
        ("plant on the pavement", "scenetext06", (90, 340, 60, 90), thing("plant")),
    ]
    return [Task(f"{name} ({photo})", box, make(box), photo) for name, photo, box, make in plan]


def all_tasks() -> list[Task]:
    """All of them, in a fixed order."""
    return street_tasks() + room_tasks()
