"""The six conditions under which the real tasks are seen. Other code and other figures than the training's weather."""

import cv2
import numpy as np

from ..grain import noisy

NAMES = ("clean", "other light", "dark", "night", "blur", "H.264")
CODED = "H.264"
KILOBITS = 250


def see(frames: list[np.ndarray], name: str, rng: np.random.Generator) -> list[np.ndarray]:
    """A window's frames as the camera sees them; the condition is drawn once for the window."""
    high, wide = frames[0].shape[:2]
    if name in ("clean", CODED):
        return [noisy(f, rng, 1.5) for f in frames]
    if name == "blur":
        sigma = rng.uniform(1.5, 3.0)
        return [noisy(cv2.GaussianBlur(f, (0, 0), sigma), rng, 1.5) for f in frames]
    if name == "dark":
        gain = np.float32(rng.uniform(0.2, 0.4))
        return [noisy(f * gain, rng, 3.0) for f in frames]
    if name == "night":
        gain = np.float32(rng.uniform(0.3, 0.55))
        return [noisy(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) * gain, rng, 12.0) for f in frames]
    gain = rng.uniform(0.65, 1.3) * (1 + rng.uniform(-0.08, 0.08, 3))
    gamma = np.exp(rng.normal(0, 0.15))
    curve = (255 * (np.arange(256)[:, None] / 255) ** gamma * gain).clip(0, 255).round().astype(np.uint8)
    bright = [cv2.LUT(f, curve[:, None]) for f in frames]
    if rng.random() < 0.5:  # the sun from one side
        light = np.linspace(*rng.permutation([0.65, 1.1]), wide, dtype=np.float32)[None, :, None]
        bright = [f * light for f in bright]
    return [noisy(f, rng, 1.5) for f in bright]
