"""The `encoder` command: makes the frozen encoder once and keeps it in the cache."""

from pathlib import Path

from .. import footage
from ..paths import cache_dir
from . import package
from .build import build


def encoder_file() -> Path:
    """The int8 encoder in the cache; made when it is not there yet."""
    target = cache_dir("encoder") / "vision_encoder.onnx"
    if not target.exists():
        build(package.fetch(), target, footage.calibration_pictures(), cache_dir("encoder", "work"))
    return target


def run(arguments) -> None:
    """Builds afresh."""
    if arguments.float:
        target = cache_dir("encoder") / "vision_encoder_float.onnx"
        build(package.fetch(), target, None, cache_dir("encoder", "work"))
    else:
        (cache_dir("encoder") / "vision_encoder.onnx").unlink(missing_ok=True)
        target = encoder_file()
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
