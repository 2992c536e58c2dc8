"""What happens to a training picture between the world and the model: light, night, noise, blur, compression, shake."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass
class Weather:
    """Drawn once a window; noise and compression are new with every frame."""

    gain: np.ndarray  # per channel
    gamma: float
    slope: np.ndarray | None  # light that falls off across the picture [H,W,1]
    gray: bool
    noise: float
    blur: float
    quality: int | None


def draw(rng: np.random.Generator, high: int, wide: int) -> Weather:
    """A random weather: a quarter of the windows are clear."""
    one = Weather(np.ones(3), 1.0, None, False, rng.uniform(0, 2.5), 0.0, None)
    kind = rng.random()
    if 0.25 < kind < 0.55:  # other light
        one.gain = rng.uniform(0.55, 1.35) * np.exp(rng.normal(0, 0.1, 3))
        one.gamma = np.exp(rng.normal(0, 0.2))
        if rng.random() < 0.5:
            angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6)
            rows, columns = np.mgrid[-0.5 : 0.5 : high * 1j, -0.5 : 0.5 : wide * 1j]
            falls = 1 - depth * (0.5 + np.cos(angle) * columns + np.sin(angle) * rows)
            one.slope = falls.astype(np.float32)[..., None]
    elif 0.55 < kind < 0.7:  # dark
        one.gain, one.noise = rng.uniform(0.15, 0.5) * np.exp(rng.normal(0, 0.06, 3)), rng.uniform(1, 6)
    elif kind > 0.7:  # night: infra-red or starved of light
        one.gain, one.gray, one.noise = np.full(3, rng.uniform(0.2, 0.7)), rng.random() < 0.75, rng.uniform(3, 14)
        one.gamma = np.exp(rng.normal(0, 0.2))
    if rng.random() < 0.25:
        one.blur = rng.uniform(0.5, 2.2)
    if rng.random() < 0.4:
        one.quality = int(rng.integers(12, 70))
    return one


def apply(weather: Weather, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One frame under a weather."""
    out = image.astype(np.float32)
    if weather.gray:
        out = np.repeat((out @ np.float32([0.35, 0.5, 0.15]))[..., None], 3, 2)
    if weather.gamma != 1.0:
        out = 255 * (out / 255) ** np.float32(weather.gamma)
    out = out * weather.gain.astype(np.float32)
    if weather.slope is not None:
        out = out * weather.slope
    if weather.blur:
        out = cv2.GaussianBlur(out, (0, 0), weather.blur)
    if weather.noise > 0.3:
        shape = (*out.shape[:2], 1) if weather.gray else out.shape
        out = out + rng.standard_normal(shape, np.float32) * np.float32(weather.noise)
    out = out.clip(0, 255).astype(np.uint8)
    if weather.quality is not None:
        coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, weather.quality])[1]
        out = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return out


def shake(image: np.ndarray, rng: np.random.Generator, pixels: float) -> np.ndarray:
    """A shift by parts of a pixel."""
    dx, dy = rng.normal(0, pixels, 2)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, np.float32([[1, 0, dx], [0, 1, dy]]), size, borderMode=cv2.BORDER_REPLICATE)
