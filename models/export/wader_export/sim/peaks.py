"""Peaks as the detector has them before its overlap removal."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Peaks:
    """Candidate peaks before the overlap removal; arrays [B, M, T, ...]."""

    height: np.ndarray
    box: np.ndarray
    group: np.ndarray
    upper: np.ndarray  # [B, M, T, LOOKS], see `looks`
    lower: np.ndarray
    thing: np.ndarray

    @staticmethod
    def join(parts: list["Peaks"]) -> "Peaks":
        return Peaks(*(np.concatenate([getattr(p, f) for p in parts], 1) for f in Peaks.__dataclass_fields__))

    def take(self, order: np.ndarray) -> "Peaks":
        """The peaks [B, K, T] that `order` names in each frame."""
        return Peaks(*(taken(getattr(self, f), order) for f in Peaks.__dataclass_fields__))


def taken(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Values [B, M, T] or [B, M, T, D] of the peaks that `order` [B, K, T] names."""
    return np.take_along_axis(values, order[..., None] if values.ndim == 4 else order, 1)


def restless(unrest: np.ndarray, height: np.ndarray) -> np.ndarray:
    """How much of the usual noise is on peaks of these heights, in a picture that has `unrest` of it.

    Measured on pictures that stand still, coded as H.264: what is seen weakly flickers several times as much as what is
    seen well. Where things move it does not count: all of them have the usual noise.
    """
    return np.minimum(unrest * np.interp(height, (0.3, 0.6), (4.0, 1.0)), np.maximum(unrest, 1.0))


def steady_noise(rng, shape, times, memory: float) -> np.ndarray:
    """Unit noise over the last axis that forgets within `memory` seconds."""
    noise = rng.normal(size=shape)
    if shape[-1] < 2:
        return noise
    keep = np.exp(-np.diff(times, axis=1) / memory)
    for k in range(1, shape[-1]):
        a = keep[:, k - 1][:, None]
        noise[..., k] = a * noise[..., k - 1] + np.sqrt(1 - a * a) * noise[..., k]
    return noise
