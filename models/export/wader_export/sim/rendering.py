"""How one camera renders colours: its white balance, its saturation, stray light, and infrared nights without colours."""

from dataclasses import dataclass

import numpy as np

from .world import DARK

CAST = (0.06, 0.15)  # of the channels (log): as usual, and under lamps or with a wrong white balance
SATURATION = 0.17  # spread between cameras (log); cheap ones paint loudly, and chroma is what a codec saves on first
VEIL = 0.15  # most of the light that a dirty lens, haze or a low sun lays over everything
VEILED = 0.25  # of the cameras


@dataclass
class Rendering:
    """What is alike in all frames of a clip."""

    tint: np.ndarray  # [B, 3]
    saturation: np.ndarray  # [B, 1]
    veil: np.ndarray  # [B, 1]

    def render(self, rgb: np.ndarray) -> np.ndarray:
        """Colours [B, ..., 3] as the camera shows them, before its gain."""
        middle = (1,) * (rgb.ndim - 2)
        per_clip = lambda a: a.reshape(len(a), *middle, -1)  # noqa: E731
        rgb = rgb * per_clip(self.tint)
        gray = rgb.mean(-1, keepdims=True)
        rgb = gray + (rgb - gray) * per_clip(self.saturation)
        veil = per_clip(self.veil)
        return rgb * (1 - veil) + veil


def draw(light: np.ndarray, rng) -> Rendering:
    """A camera for each clip."""
    batch = len(light)
    cast = np.where(rng.random((batch, 1)) < 0.25, CAST[1], CAST[0])
    infrared = ((light == DARK) & (rng.random(batch) < 0.35))[:, None]
    saturation = np.exp(rng.normal(0, SATURATION, (batch, 1)))
    veil = np.where(rng.random((batch, 1)) < VEILED, rng.uniform(0, VEIL, (batch, 1)), 0)
    return Rendering(np.exp(rng.normal(0, 1, (batch, 3)) * cast), np.where(infrared, 0, saturation), veil)
