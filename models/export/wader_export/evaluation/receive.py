"""Real frames as a camera delivers them: cropped, H.264-coded, sent over RTSP on the loopback, decoded again.

Writes one folder per view with PNGs and an ``index.json`` of their source times. Any other receiver may write the
same layout; the evaluator reads only that.
"""

import json
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

from .. import footage

WIDTH, HEIGHT, KILOBITS = 640, 480, 1000
PARALLEL, ATTEMPTS = 4, 2


def python_with_gi() -> str:
    """A Python interpreter on the path that can import PyGObject."""
    for folder in os.get_exec_path():
        candidate = Path(folder) / "python3"
        if candidate.exists():
            check = subprocess.run([candidate, "-c", "import gi"], capture_output=True, check=False)
            if check.returncode == 0:
                return str(candidate)
    raise RuntimeError("no python3 with gi on the path: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_source(folder: Path, crop, first: int, last: int) -> int:
    """The cropped frames of a stretch of footage as numbered PNGs; returns how many."""
    import cv2

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = 0
    for _, picture in footage.read(first, last, 1, crop):
        small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{count:05d}.png"), small[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        count += 1
    return count


def receive(
    views: dict[str, tuple | None], target: Path, first: int = footage.FIRST_TEST_FRAME, last: int = 10**9
) -> None:
    """Sends every view through RTSP, a few at a time, and keeps what arrives under `target`/VIEW."""
    target.mkdir(parents=True, exist_ok=True)
    names = list(views)
    sources = {name: target / ".source" / name for name in names}
    counts = {name: write_source(sources[name], crop, first, last) for name, crop in views.items()}
    port = free_port()
    with server(port, sources):
        for start in range(0, len(names), PARALLEL):
            part = names[start : start + PARALLEL]
            for _ in range(ATTEMPTS):
                clients = [client(port, name, target / name) for name in part]
                for one in clients:
                    one.wait(timeout=400)
                part = [n for n in part if len(list((target / n).glob("*.png"))) != counts[n]]
            if part:
                raise RuntimeError(f"frames were lost on the way: {', '.join(part)}")
    for name in names:
        check_order(sources[name], target / name)
        files = sorted((target / name).glob("*.png"))
        rate = footage.FRAMES_PER_SECOND
        index = [{"file": f.name, "time": round((first + i) / rate, 3)} for i, f in enumerate(files)]
        (target / name / "index.json").write_text(json.dumps(index, indent=0) + "\n")
    shutil.rmtree(target / ".source")


@contextmanager
def server(port: int, sources: dict[str, Path]):
    """The RTSP server, as long as it is needed."""
    script = str(Path(__file__).with_name("rtsp_server.py"))
    mounts = [f"{name}={folder}" for name, folder in sources.items()]
    command = [python_with_gi(), script, str(port), str(int(footage.FRAMES_PER_SECOND)), str(KILOBITS), *mounts]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the RTSP server did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def client(port: int, name: str, folder: Path) -> subprocess.Popen:
    """Receives one view as PNGs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pipeline = (
        f"rtspsrc location=rtsp://127.0.0.1:{port}/{name} protocols=tcp latency=200 ! rtph264depay ! h264parse "
        "! avdec_h264 max-threads=1 ! videoconvert ! pngenc compression-level=1 "
        f"! multifilesink location={folder}/%05d.png"
    )
    return subprocess.Popen(["gst-launch-1.0", "-q", "-e", *pipeline.split()], stderr=subprocess.DEVNULL)


def check_order(source: Path, received: Path) -> None:
    """Every received frame must be the source frame of its number: none is nearer to a neighbour, on the whole."""
    import cv2

    sent = [cv2.imread(str(p), cv2.IMREAD_REDUCED_GRAYSCALE_2).astype(float) for p in sorted(source.glob("*.png"))]
    shifted = [0.0, 0.0, 0.0]
    for number, path in enumerate(sorted(received.glob("*.png"))[1:-1], 1):
        got = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_2).astype(float)
        for i, step in enumerate((-1, 0, 1)):
            shifted[i] += abs(got - sent[number + step]).mean()
    if shifted[1] > min(shifted):
        raise RuntimeError(f"{received.name}: the received frames are shifted against the source")
