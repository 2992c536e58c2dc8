"""Pictures through a real H.264 encoder and decoder, without a network (GStreamer: x264enc, avdec_h264)."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from . import layout, pixels

FRAMES_PER_SECOND, KEY_INTERVAL = 10, 20


def coded(frames: np.ndarray, kilobits: int, to_model: bool = False) -> np.ndarray:
    """Frames u8 [n, H, W, 3] as they come out of H.264; `to_model`: in its size, scaled as the service scales them."""
    count, high, wide, _ = frames.shape
    shape = (count, layout.HEIGHT, layout.WIDTH, 3) if to_model else frames.shape
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.rgb", Path(scratch) / "out.rgb"
        source.write_bytes(np.ascontiguousarray(frames).tobytes())
        pipeline = (
            f"filesrc location={source} blocksize={high * wide * 3} ! rawvideoparse format=rgb width={wide} "
            f"height={high} framerate={FRAMES_PER_SECOND}/1 ! videoconvert ! video/x-raw,format=I420 ! x264enc "
            f"tune=zerolatency speed-preset=veryfast threads=1 bitrate={kilobits} key-int-max={KEY_INTERVAL} "
            f"! h264parse ! avdec_h264 max-threads=1 ! {pixels.to_model() if to_model else pixels.TO_RGB} "
            f"! filesink location={target}"
        )
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, stdout=subprocess.DEVNULL)
        back = np.frombuffer(target.read_bytes(), np.uint8)
    size = shape[1] * shape[2] * 3
    if len(back) != count * size:
        raise RuntimeError(f"{len(back) / size:.1f} of {count} frames came back from the decoder")
    return back.reshape(shape)
