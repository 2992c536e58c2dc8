"""Everything that runs for the measurement: cameras, the service with its broker, a listener. It ends with this."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..ports import free_port
from . import truth
from .asked import configuration
from .heard import FORMAT, TOPICS
from .truth import Served

START_WITHIN, END_WITHIN = 60, 10  # seconds


class Failed(Exception):
    """Something that is needed is missing, or ended."""


@dataclass
class Stage:
    """What runs."""

    cameras: list[Served]
    processes: dict[str, subprocess.Popen]
    folder: Path

    @property
    def record(self) -> Path:
        """What the listener heard."""
        return self.folder / "heard.txt"

    def check(self) -> None:
        """Fails where a process ended, which none should."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                raise Failed("\n".join([f"{name} ended with code {process.returncode}", *log[-20:]]))


def needed(wader: Path, model: Path, footage: Path) -> None:
    """Fails with a remedy where something is missing."""
    for path, what, remedy in (
        (wader, "the program", "`cargo build --release` makes it"),
        (model / "manifest.json", "the model", "--model names its folder"),
        (footage, "the footage", "`./x setup` fetches it"),
    ):
        if not path.is_file():
            raise Failed(f"{what} `{path}` is not there: {remedy}")
    if shutil.which("mosquitto_sub") is None:
        raise Failed("mosquitto_sub is not installed: apt-get install mosquitto-clients")


@contextmanager
def running(command: list, log: Path, **more) -> Iterator[subprocess.Popen]:
    """A process that ends with this; what it complains about goes to a file.

    In a session of its own, Ctrl-C ends this program alone, which then ends the others when it has read what they said.
    """
    more = {"stdin": subprocess.DEVNULL, "start_new_session": True, **more}
    with open(log, "w") as complaints:
        process = subprocess.Popen([str(part) for part in command], stderr=complaints, **more)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def build(wader: Path, model: Path, footage: Path, views: tuple[str, ...]) -> Iterator[Stage]:
    """Starts all of it: cameras first, the listener before there are answers."""
    needed(wader, model, footage)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wader-transitions-")))
        stage = Stage([], {}, folder)

        def start(name: str, *command, **more) -> subprocess.Popen:
            process = stack.enter_context(running(list(command), folder / f"{name}.log", **more))
            stage.processes[name] = process
            return process

        urls = {}
        for view in views:
            served, urls[view] = camera(start, stage, wader, footage, view)
            stage.cameras.append(served)
        port, file = free_port(), folder / "wader.toml"
        file.write_text(configuration(port, model.resolve(), urls))
        # nothing is left in the user's home
        here = {**os.environ, "STATE_DIRECTORY": str(folder), "NO_COLOR": "1"}
        start("wader", wader, "run", "--config", file, env=here, stdout=subprocess.DEVNULL)
        wait_for_port(stage, port)
        topics = [part for topic in TOPICS for part in ("-t", topic)]
        with open(stage.record, "w") as record:
            listen = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", port, "-F", FORMAT, *topics]
            start("mosquitto_sub", *listen, stdout=record)
        yield stage


def camera(start, stage: Stage, wader: Path, footage: Path, view: str) -> tuple[Served, str]:
    """Serves a view over and over, the end of the footage cut to its beginning."""
    first, last = truth.stretch()
    process = start(
        f"camera {view}",
        *(wader, "scene", "serve", "--port", 0, "--footage", footage, "--from", first, "--to", last, "--gap", 0),
        *("--crop", ",".join(map(str, truth.crops()[view]))),
        stdout=subprocess.PIPE,
        text=True,
    )
    url = process.stdout.readline().strip()
    began = time.time()  # it says its address as soon as it has begun
    if not url:
        process.wait(END_WITHIN)
        stage.check()
    return Served(view, began), url


def wait_for_port(stage: Stage, port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + START_WITHIN
    while True:
        stage.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise Failed(f"no broker within {START_WITHIN} s") from None
            time.sleep(0.1)


def end_on_signals() -> None:
    """Whoever asks this process to end also ends what it started."""

    def leave(number, _frame):
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    # a shell starts what runs in its background deaf to this
    signal.signal(signal.SIGINT, signal.default_int_handler)
