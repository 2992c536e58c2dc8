"""Random edits of a scene: what may be there in one state and not in the other. For training only."""

from collections.abc import Callable

import cv2
import numpy as np

from .. import layout as picture
from . import photos

Edit = Callable[[np.ndarray], np.ndarray]
WIDE, HIGH = picture.WIDTH, picture.HEIGHT


def crop(rng: np.random.Generator, wide: int, high: int, least: float = 0.35) -> np.ndarray:
    """A random piece of a training photo at the wanted size."""
    source = photos.training()[rng.integers(len(photos.training()))]
    rows, columns = source.shape[:2]
    w = max(8, int(columns * rng.uniform(least, 1)))
    h = max(8, min(int(w * high / wide * rng.uniform(0.8, 1.25)), rows))
    x, y = rng.integers(0, columns - w + 1), rng.integers(0, rows - h + 1)
    piece = source[y : y + h, x : x + w]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    way = cv2.INTER_AREA if w > wide else cv2.INTER_LINEAR
    piece = cv2.resize(np.ascontiguousarray(piece), (wide, high), interpolation=way)
    if rng.random() < 0.4:
        piece = (piece * rng.uniform(0.6, 1.3, 3) + rng.uniform(-25, 25)).clip(0, 255).astype(np.uint8)
    return piece


def blob(rng: np.random.Generator, wide: int, high: int) -> np.ndarray:
    """A soft-edged mask [high, wide]: box, ellipse or star-like polygon."""
    mask, kind = np.zeros((high, wide), np.float32), rng.random()
    if kind < 0.35:
        cv2.rectangle(mask, (1, 1), (wide - 2, high - 2), 1.0, -1)
    elif kind < 0.6:
        cv2.ellipse(mask, (wide // 2, high // 2), (max(wide // 2 - 1, 1), max(high // 2 - 1, 1)), 0, 0, 360, 1.0, -1)
    else:
        corners = rng.integers(4, 9)
        angle, radius = np.sort(rng.random(corners) * 2 * np.pi), rng.uniform(0.5, 1, corners) / 2
        points = np.stack([wide * (0.5 + radius * np.cos(angle)), high * (0.5 + radius * np.sin(angle))], 1)
        cv2.fillPoly(mask, [points.astype(np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.5))


def paste(target: np.ndarray, piece: np.ndarray, mask: np.ndarray, x: int, y: int) -> np.ndarray:
    """Lays a piece onto the picture in place; parts outside are cut off."""
    high, wide = mask.shape
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + wide, target.shape[1]), min(y + high, target.shape[0])
    if x0 < x1 and y0 < y1:
        alpha = mask[y0 - y : y1 - y, x0 - x : x1 - x, None]
        part = target[y0:y1, x0:x1]
        part[:] = part * (1 - alpha) + piece[y0 - y : y1 - y, x0 - x : x1 - x] * alpha
    return target


def scene(rng: np.random.Generator) -> np.ndarray:
    """A background: one photo, or a mosaic of several."""
    base = crop(rng, WIDE, HIGH, 0.5)
    for _ in range(rng.integers(0, 5)):
        w, h = int(WIDE * rng.uniform(0.08, 0.6)), int(HIGH * rng.uniform(0.08, 0.6))
        x, y = int(rng.integers(-w // 2, WIDE - w // 2)), int(rng.integers(-h // 2, HIGH - h // 2))
        paste(base, crop(rng, w, h), blob(rng, w, h), x, y)
    return base


def patch(rng: np.random.Generator, base: np.ndarray, kind: str, box: tuple[int, int, int, int]) -> Edit:
    """Something else inside a box."""
    x, y, w, h = box
    there = base[y : y + h, x : x + w].copy()
    if kind == "object":
        piece = crop(rng, w, h, 0.1)
    elif kind == "copy":  # as if the thing had gone and the ground beside it were seen
        left = int(np.clip(x + rng.choice([-1, 1]) * w * rng.uniform(0.8, 1.5), 0, WIDE - w))
        top = int(np.clip(y + rng.normal(0, 0.3) * h, 0, HIGH - h))
        piece = base[top : top + h, left : left + w].copy()
    elif kind == "flat":
        colour = rng.uniform(0, 255, 3) if rng.random() < 0.6 else there.mean((0, 1))
        piece = (colour + rng.normal(0, 6, there.shape)).clip(0, 255).astype(np.uint8)
    elif kind == "tint":
        gain = np.exp(rng.choice([-1, 1]) * rng.uniform(0.25, 1.4))
        piece = (there * gain + rng.normal(0, 25, 3)).clip(0, 255).astype(np.uint8)
    else:  # turned or shifted
        piece = np.ascontiguousarray(there[:, ::-1] if rng.random() < 0.5 else np.roll(there, w // 2, 1))
    mask = blob(rng, w, h)
    return lambda image: paste(image.copy(), piece, mask, x, y)


def glow(rng: np.random.Generator, box: tuple[int, int, int, int]) -> Edit:
    """A light."""
    x, y, w, h = box
    size = np.sqrt(w * h) * 0.5 + 2
    rows, columns = np.mgrid[:HIGH, :WIDE]
    shape = np.exp(-((columns - x - w / 2) ** 2 + (rows - y - h / 2) ** 2) / (2 * size * size))
    light = (shape[..., None] * rng.uniform(90, 255) * rng.uniform(0.6, 1, 3)).astype(np.float32)
    return lambda image: (image + light).clip(0, 255).astype(np.uint8)


def line(rng: np.random.Generator) -> Edit:
    """A barrier, a rope, a striped bar."""
    ends = rng.integers(0, (WIDE, HIGH), (2, 2))
    colours, thick, pieces = rng.uniform(0, 255, (2, 3)), int(rng.integers(3, 10)), int(rng.integers(1, 14))
    drawn, mask = np.zeros((HIGH, WIDE, 3), np.float32), np.zeros((HIGH, WIDE), np.float32)
    for i in range(pieces):
        a, b = (tuple(int(v) for v in ends[0] + (ends[1] - ends[0]) * j / pieces) for j in (i, i + 1))
        cv2.line(drawn, a, b, colours[i % 2].tolist(), thick)
        cv2.line(mask, a, b, 1.0, thick)
    return lambda image: (image * (1 - mask[..., None]) + drawn * mask[..., None]).astype(np.uint8)


def cover(rng: np.random.Generator) -> Edit:
    """Something before the lens."""
    mask = np.zeros((HIGH, WIDE), np.float32)
    centre = (int(rng.integers(WIDE)), int(rng.integers(HIGH)))
    axes = (int(rng.uniform(0.2, 0.6) * WIDE), int(rng.uniform(0.2, 0.8) * HIGH))
    cv2.ellipse(mask, centre, axes, float(rng.integers(180)), 0, 360, 1.0, -1)
    mask, colour = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 14))[..., None], rng.uniform(0, 200, 3)
    return lambda image: (image * (1 - mask) + colour * mask).astype(np.uint8)


KINDS = {
    "object": 0.3, "copy": 0.12, "flat": 0.08, "tint": 0.2, "glow": 0.08, "turn": 0.06, "line": 0.08, "cover": 0.04,
    "blur": 0.04,
}  # fmt: skip


def draw(rng: np.random.Generator, base: np.ndarray) -> Edit:
    """A random edit of a scene, of 0.3 to 18 % of the picture where it has a box."""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    share, aspect = np.exp(rng.uniform(np.log(0.003), np.log(0.18))), np.exp(rng.normal(0, 0.45))
    w = int(np.clip(np.sqrt(share * WIDE * HIGH * aspect), 9, WIDE * 0.8))
    h = int(np.clip(np.sqrt(share * WIDE * HIGH / aspect), 9, HIGH * 0.8))
    box = (int(rng.integers(4, WIDE - w - 3)), int(rng.integers(4, HIGH - h - 3)), w, h)
    if kind == "glow":
        return glow(rng, box)
    if kind == "line":
        return line(rng)
    if kind == "cover":
        return cover(rng)
    if kind == "blur":
        sigma = rng.uniform(3, 9)
        return lambda image: cv2.GaussianBlur(image, (0, 0), sigma)
    return patch(rng, base, kind, box)
