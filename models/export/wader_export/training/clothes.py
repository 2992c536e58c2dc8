"""Clothes of people on photographs, painted in other colours.

What people wear on the few photographs to train on is black, white and striped: of every colour they would only teach that
nobody wears it. Painted, each colour is worn as often as any other, and by people whose box, face and background are real.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..sim import colours

AS_IT_IS = -1  # the number of a garment's colour that was not painted
PAINTED = 0.75  # of the variants of a photograph with garments
NEUTRAL = [colours.NAMES.index(name) for name in ("black", "white", "gray")]
NEUTRAL_TINT = 0.3  # of the tint that simulated neutral cloth has: beside a real one, more of it is a colour
SUBPIXEL_BITS = 4
EDGE = 0.003  # of the picture's width: how softly paint ends
FOLDS = 0.7  # power of the cloth's own light and shade that is left ...
NOISE = 30.0  # ... of 255, above this: what was black has noise for shade ...
SHADE, LIGHT = 0.5, 1.4  # ... and within these


@dataclass(frozen=True)
class Garment:
    """Something that somebody wears."""

    half: str  # "upper" or "lower" half of the person
    colour: str | None  # as it is; None: cannot be told
    outlines: list  # polygons [[x, y], ...] as fractions of the picture


def garments(facts: dict) -> list[Garment]:
    """What is outlined on a photograph."""
    outlined = facts.get("clothes", {}).get("garment", ())
    return [Garment(one["half"], one.get("colour"), one["outlines"]) for one in outlined]


def clear_colour(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """A colour word's number and an RGB (0..1) that nobody would call by another word; all words are as likely."""
    number = np.array([rng.integers(len(colours.NAMES))])
    while True:
        _, rgb = colours.pick(rng, np.eye(len(colours.NAMES))[number[0]], (1,))
        if number[0] in NEUTRAL:
            rgb = rgb.mean() + NEUTRAL_TINT * (rgb - rgb.mean())
        if colours.rival(number, rgb)[0] < 0:
            return int(number[0]), rgb[0]


def mask(garment: Garment, rows: int, columns: int) -> np.ndarray:
    """How much of each pixel [rows, columns, 1] a garment covers."""
    filled = np.zeros((rows, columns), np.float32)
    for outline in garment.outlines:
        corners = np.array(outline) * (columns, rows) * 2**SUBPIXEL_BITS
        cv2.fillPoly(filled, [corners.round().astype(np.int32)], 1.0, shift=SUBPIXEL_BITS)
    return cv2.GaussianBlur(filled, (0, 0), EDGE * columns)[..., None]


def painted(picture: np.ndarray, worn: list[Garment], rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """A picture [rows, columns, 3] in 0..255 whose garments mostly have new colours, and the colours' numbers."""
    if not worn or rng.random() >= PAINTED:
        return picture, [AS_IT_IS] * len(worn)
    picture, numbers = picture.astype(np.float32), []
    light = picture.mean(-1, keepdims=True)
    for garment in worn:
        number, rgb = clear_colour(rng)
        covers = mask(garment, *picture.shape[:2])
        usual = np.median(light[covers > 0.5])
        folds = (((light + NOISE) / (usual + NOISE)) ** FOLDS).clip(SHADE, LIGHT)
        picture += covers * ((255 * rgb * folds).clip(0, 255) - picture)
        numbers.append(number)
    return picture, numbers
