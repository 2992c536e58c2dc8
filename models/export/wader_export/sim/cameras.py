"""When frames are taken and where the camera stands."""

import numpy as np


def draw_times(batch: int, frames: int, rng, span: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Seconds relative to the newest frame, and which frames exist."""
    whole = np.exp(rng.uniform(np.log(2.0), np.log(60.0), (batch, 1)))
    usual = np.exp(rng.uniform(np.log(2.5), np.log(10.0), (batch, 1)))
    whole = np.where(rng.random((batch, 1)) < 0.5, usual, whole)
    if span is not None:
        whole[:] = span
    if frames > 1:
        shape = np.where(rng.random((batch, 1)) < 0.65, 120.0, 2.5)
        gaps = rng.gamma(shape, 1, (batch, frames - 1))
        gaps = np.where(rng.random(gaps.shape) < 0.02, gaps * 2, gaps)
        gaps *= whole / gaps.sum(1, keepdims=True)
        times = np.concatenate([-gaps[:, ::-1].cumsum(1)[:, ::-1], np.zeros((batch, 1))], 1)
    else:
        times = np.zeros((batch, 1))
    present = np.ones((batch, frames), bool)
    mood = rng.random(batch)
    warming = mood < 0.06  # the camera has just started: only the newest frames exist
    first = rng.integers(0, frames, batch)
    present[warming] = np.arange(frames) >= first[warming, None]
    lost = rng.uniform(0.1, 0.6, (batch, 1))  # a bad line loses up to half of the frames and more
    present &= ~((mood > 0.86)[:, None] & (rng.random((batch, frames)) < lost))
    present[:, -1] = True
    return times, present


def draw_camera(batch: int, rng, posing: np.ndarray):
    """Height, focal length, horizon and aspect of each clip's camera, and whether people come close to it.

    Almost half of the cameras above a place are zoomed. A close camera hangs beside a door or in a room: people
    before it are cut by the picture's lower edge. Who poses (`posing` [B]) does so before a close one every other time.
    """
    close = rng.random(batch) < np.where(posing, 0.5, 0.2)
    height = np.where(close, rng.uniform(1.2, 2.6, batch), rng.uniform(2.2, 8, batch))
    focal = np.where(close, rng.uniform(0.6, 1.3, batch), rng.uniform(0.8, 2.2, batch))
    horizon = np.where(close, rng.uniform(0.1, 0.5, batch), rng.uniform(-0.5, 0.45, batch))
    zoomed = ~close & (rng.random(batch) < 0.52)
    zoom = np.where(zoomed, np.exp(rng.uniform(np.log(1.2), np.log(4), batch)), 1.0)
    offset = rng.uniform(0, 1, batch) * (1 - 1 / zoom)
    aspect = np.where(rng.random(batch) < 0.6, 4 / 3, 16 / 9)
    return height, focal * zoom, (horizon - offset) * zoom, aspect, close
