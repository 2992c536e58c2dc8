"""Real frames as a camera delivers them: cropped, H.264-coded, sent over RTSP on the loopback, decoded again.

Writes one folder per view with PNGs and an ``index.json`` of their source times. Any other receiver may write the
same layout; the evaluator reads only that.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from .. import footage

WIDTH, HEIGHT, KILOBITS = 640, 480, 1000


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
    """Sends every view through RTSP and keeps what arrives under `target`/VIEW."""
    target.mkdir(parents=True, exist_ok=True)
    sources = {name: target / ".source" / name for name in views}
    counts = {name: write_source(sources[name], crop, first, last) for name, crop in views.items()}
    port = free_port()
    server = subprocess.Popen(
        [python_with_gi(), str(Path(__file__).with_name("rtsp_server.py")), str(port), str(int(footage.FRAMES_PER_SECOND)),
         str(KILOBITS), *(f"{n}={s}" for n, s in sources.items())],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if server.stdout.readline().strip() != "ready":
            raise RuntimeError("the RTSP server did not start")
        clients = []
        for name in views:
            folder = target / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            pipeline = (
                f"rtspsrc location=rtsp://127.0.0.1:{port}/{name} protocols=tcp latency=200 ! rtph264depay ! h264parse "
                f"! avdec_h264 max-threads=1 ! videoconvert ! pngenc compression-level=1 ! multifilesink location={folder}/%05d.png"
            )
            clients.append(
                subprocess.Popen(["gst-launch-1.0", "-q", "-e", *pipeline.split()], stderr=subprocess.DEVNULL)
            )
        for client in clients:
            client.wait(timeout=300)
    finally:
        server.terminate()
        server.wait()
    shutil.rmtree(target / ".source")
    for name in views:
        files = sorted((target / name).glob("*.png"))
        if len(files) != counts[name]:
            print(f"{name}: {len(files)} of {counts[name]} frames arrived", file=sys.stderr)
        index = [
            {"file": f.name, "time": round((first + i) / footage.FRAMES_PER_SECOND, 3)} for i, f in enumerate(files)
        ]
        (target / name / "index.json").write_text(json.dumps(index, indent=0) + "\n")
