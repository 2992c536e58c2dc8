"""From a decoded picture to the model's pixels as the service goes: with the very elements of its default pipeline."""

from functools import cache

from . import layout
from .paths import REPOSITORY

DESCRIPTION = REPOSITORY / "pipelines" / "rtsp-cpu.gst"
SAMPLED, ENDED = "! identity name=sample", "! appsink"  # between these two a picture is scaled and its colours converted
TO_RGB = "videoconvert ! video/x-raw,format=RGB"  # at the size that it has


@cache
def to_model() -> str:
    """GStreamer elements: decoded pictures of any size to RGB [288, 384, 3]."""
    lines = [line for line in DESCRIPTION.read_text().splitlines() if not line.startswith("#")]
    ours = " ".join(lines).split(SAMPLED)[1].split(ENDED)[0].strip().removeprefix("! ")
    filled = ours.replace("{width}", str(layout.WIDTH)).replace("{height}", str(layout.HEIGHT))
    return f"{filled.strip()} ! video/x-raw,format=RGB"
