"""The six conditions under which the real tasks are seen. Other code and other figures than the training's weather."""

import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

NAMES = ("clean", "other light", "dark", "night", "blur", "H.264")
CODED = "H.264"
KILOBITS, FRAMES_PER_SECOND, KEY_INTERVAL = 250, 10, 20


def noisy(image: np.ndarray, rng: np.random.Generator, sigma: float, gray: bool = False) -> np.ndarray:
    """With sensor noise."""
    shape = (*image.shape[:2], 1) if gray else image.shape
    noise = rng.standard_normal(shape, np.float32) * np.float32(sigma)
    return (image.astype(np.float32) + noise).clip(0, 255).astype(np.uint8)


def see(frames: list[np.ndarray], name: str, rng: np.random.Generator) -> list[np.ndarray]:
    """A window's frames as the camera sees them; the condition is drawn once for the window."""
    high, wide = frames[0].shape[:2]
    if name in ("clean", CODED):
        return [noisy(f, rng, 1.5) for f in frames]
    if name == "blur":
        sigma = rng.uniform(1.5, 3.0)
        return [noisy(cv2.GaussianBlur(f, (0, 0), sigma), rng, 1.5) for f in frames]
    if name == "dark":
        gain = rng.uniform(0.2, 0.4)
        return [noisy(f * gain, rng, 3.0) for f in frames]
    if name == "night":
        gain = rng.uniform(0.3, 0.55)
        gray = [f.astype(np.float32) @ np.float32([0.3, 0.59, 0.11]) * gain for f in frames]
        return [noisy(np.repeat(g[..., None], 3, 2), rng, 12.0, True) for g in gray]
    gain = rng.uniform(0.65, 1.3) * (1 + rng.uniform(-0.08, 0.08, 3))
    gamma = np.exp(rng.normal(0, 0.15))
    curve = 255 * (np.arange(256) / 255) ** gamma
    light = np.ones((high, wide, 1), np.float32)
    if rng.random() < 0.5:  # the sun from one side
        light = (light * np.linspace(*rng.permutation([0.65, 1.1]), wide)[None, :, None]).astype(np.float32)
    return [noisy((curve[f] * gain * light).clip(0, 255), rng, 1.5) for f in frames]


def coded(frames: np.ndarray) -> np.ndarray:
    """Frames [n, H, W, 3] through a real H.264 encoder and decoder (GStreamer: x264enc, avdec_h264)."""
    count, high, wide, _ = frames.shape
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.rgb", Path(scratch) / "out.rgb"
        source.write_bytes(np.ascontiguousarray(frames).tobytes())
        pipeline = (
            f"filesrc location={source} blocksize={high * wide * 3} ! rawvideoparse format=rgb width={wide} "
            f"height={high} framerate={FRAMES_PER_SECOND}/1 ! videoconvert ! video/x-raw,format=I420 ! x264enc "
            f"tune=zerolatency threads=1 bitrate={KILOBITS} key-int-max={KEY_INTERVAL} ! h264parse ! avdec_h264 "
            f"max-threads=1 ! videoconvert ! video/x-raw,format=RGB ! filesink location={target}"
        )
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, stdout=subprocess.DEVNULL)
        back = np.frombuffer(target.read_bytes(), np.uint8)
    if len(back) != frames.size:
        raise RuntimeError(f"{len(back) / (high * wide * 3):.1f} of {count} frames came back from the decoder")
    return back.reshape(frames.shape)
