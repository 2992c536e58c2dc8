"""Pictures as a camera delivers them: H.264-coded, sent over RTSP on the loopback, decoded again.

Writes one folder per clip with PNGs and an ``index.json`` of their source times: pictures as the model gets them, scaled
and converted by the elements of the service's default pipeline. Any other receiver may write the same layout; the
evaluator reads only that. What was received before is not sent again.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import footage, layout, pixels
from ..ports import free_port

WIDTH, HEIGHT, KILOBITS = 640, 480, 1000  # of what is sent
PARALLEL, ATTEMPTS = 8, 3


@dataclass(frozen=True)
class Clip:
    """What one camera shows: RGB pictures of any size, ten a second."""

    pictures: Callable[[], Iterable[np.ndarray]]
    key: str  # says what the pictures depend on: a clip of another key is received anew
    first: float = 0.0  # source time of the first picture
    keep: tuple[float, ...] | None = None  # source times that are kept; None: all
    moves: bool = True  # neighbouring pictures differ, so that their order can be checked


def footage_clip(
    crop: tuple | None, first: int = footage.FIRST_TEST_FRAME, last: int = 10**9, spoil=None, key: str = ""
) -> Clip:
    """A view of the footage, perhaps spoilt picture by picture."""

    def pictures():
        for number, picture in footage.read(first, last, 1, crop):
            yield spoil(fit(picture), number) if spoil else picture

    return Clip(pictures, f"footage {crop} {first} {last} {key}", first / footage.FRAMES_PER_SECOND)


def fit(picture: np.ndarray) -> np.ndarray:
    """To the size that is sent."""
    return footage.resized(picture, WIDTH, HEIGHT)


def write_source(path: Path, clip: Clip) -> int:
    """The pictures of a clip as raw I420; returns how many."""
    import cv2

    count = 0
    with open(path, "wb") as out:
        for picture in clip.pictures():
            if picture.shape[:2] != (HEIGHT, WIDTH):
                picture = fit(picture)
            out.write(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2YUV_I420).tobytes())
            count += 1
    return count


def received(folder: Path, clip: Clip) -> bool:
    """Whether this very clip lies there."""
    key = folder / "key"
    return (folder / "index.json").is_file() and key.is_file() and key.read_text() == key_of(clip)


def key_of(clip: Clip) -> str:
    """What the received pictures depend on."""
    return f"{clip.key} | {pixels.to_model()}"


def receive(clips: dict[str, Clip], target: Path) -> None:
    """Sends every clip through RTSP, a few at a time, and keeps what arrives under `target`/NAME."""
    target.mkdir(parents=True, exist_ok=True)
    names = [n for n, clip in clips.items() if not received(target / n, clip)]
    work = target / ".work"
    for start in range(0, len(names), PARALLEL):
        part = {n: clips[n] for n in names[start : start + PARALLEL]}
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            send(part, work)
            for name, clip in part.items():
                keep(clip, work / f"{name}.yuv", work / f"{name}.rgb", target / name)
        finally:
            shutil.rmtree(work)


def send(clips: dict[str, Clip], work: Path) -> None:
    """From raw sources to raw received pictures, all of them."""
    counts = {name: write_source(work / f"{name}.yuv", clip) for name, clip in clips.items()}
    port, size = free_port(), layout.HEIGHT * layout.WIDTH * 3
    with server(port, {name: work / f"{name}.yuv" for name in clips}):
        left = list(clips)
        for _ in range(ATTEMPTS):
            clients = [client(port, name, work / f"{name}.rgb") for name in left]
            for one in clients:
                one.wait(timeout=400)
            left = [n for n in left if (work / f"{n}.rgb").stat().st_size != counts[n] * size]
        if left:
            raise RuntimeError(f"frames were lost on the way: {', '.join(left)}")


def keep(clip: Clip, source: Path, raw: Path, folder: Path) -> None:
    """The received pictures that are wanted, as PNGs with their times."""
    import cv2

    pictures = np.memmap(raw, np.uint8, "r").reshape(-1, layout.HEIGHT, layout.WIDTH, 3)
    if clip.moves:
        check_order(source, pictures, folder.name)
    times = clip.first + np.arange(len(pictures)) / footage.FRAMES_PER_SECOND
    wanted = range(len(times)) if clip.keep is None else [int(np.abs(times - t).argmin()) for t in clip.keep]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    index = []
    for number in wanted:
        name = f"{number:05d}.png"
        cv2.imwrite(str(folder / name), pictures[number, :, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        index.append({"file": name, "time": round(float(times[number]), 3)})
    (folder / "index.json").write_text(json.dumps(index, indent=0) + "\n")
    (folder / "key").write_text(key_of(clip))


def check_order(source: Path, pictures: np.ndarray, name: str) -> None:
    """Every received picture must be the source picture of its number: none is nearer to a neighbour, on the whole."""
    sent = np.memmap(source, np.uint8, "r").reshape(-1, HEIGHT * 3 // 2, WIDTH)
    bright = [footage.shrink(picture[:HEIGHT]) for picture in sent]
    shifted = [0.0, 0.0, 0.0]
    for number in range(1, len(pictures) - 1):
        got = pictures[number, :, :, 1].astype(float)
        for i, step in enumerate((-1, 0, 1)):
            shifted[i] += abs(got - bright[number + step]).mean()
    if shifted[1] > min(shifted):
        raise RuntimeError(f"{name}: the received frames are shifted against the source")


def python_with_gi() -> str:
    """A Python interpreter on the path that can import PyGObject."""
    for folder in os.get_exec_path():
        candidate = Path(folder) / "python3"
        if candidate.exists():
            check = subprocess.run([candidate, "-c", "import gi"], capture_output=True, check=False)
            if check.returncode == 0:
                return str(candidate)
    raise RuntimeError("no python3 with gi on the path: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0")


@contextmanager
def server(port: int, sources: dict[str, Path]):
    """The RTSP server, as long as it is needed."""
    script = str(Path(__file__).with_name("rtsp_server.py"))
    mounts = [f"{name}={path}" for name, path in sources.items()]
    numbers = [port, int(footage.FRAMES_PER_SECOND), KILOBITS, WIDTH, HEIGHT]
    command = [python_with_gi(), script, *map(str, numbers), *mounts]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the RTSP server did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def client(port: int, name: str, target: Path) -> subprocess.Popen:
    """Receives one clip as raw RGB in the model's size."""
    pipeline = (
        f"rtspsrc location=rtsp://127.0.0.1:{port}/{name} protocols=tcp latency=200 ! rtph264depay ! h264parse "
        f"! avdec_h264 max-threads=1 ! {pixels.to_model()} ! filesink location={target}"
    )
    return subprocess.Popen(["gst-launch-1.0", "-q", "-e", *pipeline.split()], stderr=subprocess.DEVNULL)
