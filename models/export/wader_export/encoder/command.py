"""The `encoder` command: makes the frozen encoder once and keeps it in the cache, named by the code that made it."""

from hashlib import sha256
from pathlib import Path

from .. import footage, layout
from ..paths import cache_dir
from . import package
from .build import build


def code() -> str:
    """A short hash of everything here that shapes the encoder: another layout is another encoder."""
    sources = [Path(layout.__file__), *sorted(Path(__file__).parent.glob("*.py"))]
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def cached(full: bool) -> Path:
    """Where the int8 encoder (`full`: in float32) is kept, there or not."""
    return cache_dir("encoder") / f"vision_encoder{'_float' if full else ''}-{code()}.onnx"


def encoder_file(full: bool = False) -> Path:
    """The int8 encoder (`full`: in float32) in the cache; made when it is not there yet."""
    target = cached(full)
    if not target.exists():
        pictures = None if full else footage.calibration_pictures()
        build(package.fetch(), target, pictures, cache_dir("encoder", "work"))
    return target


def run(arguments) -> None:
    """Builds afresh."""
    cached(arguments.float).unlink(missing_ok=True)
    target = encoder_file(arguments.float)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
