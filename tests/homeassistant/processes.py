"""The processes of the test: broker, a listener, cameras, wader and Home Assistant, each with its log in a folder."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from waiting import Wrong, hold, until

HERE = Path(__file__).parent
# Debian puts it where only root's search path looks.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing_tools() -> list[str]:
    """What the test starts and this machine does not have."""
    return [tool for tool in ("mosquitto", "mosquitto_sub", "unshare") if not shutil.which(tool, path=PATH)]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# All that were started: whatever stops the test, and wherever, nothing goes on without it.
_started: list["Process | Heard"] = []


def end_all() -> None:
    """Ends what still runs, the newest first."""
    while _started:
        try:
            _started.pop().end()
        except Wrong as error:
            print(error)


class Process:
    """A process that is ended with the test."""

    def __init__(self, folder: Path, name: str, command: list[str], **environment: str) -> None:
        self.name = name
        self.log_file = folder / f"{name}.log"
        with self.log_file.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": PATH, **environment},
            )
        _started.append(self)

    def log(self) -> str:
        """What it wrote so far."""
        return self.log_file.read_text(errors="replace")

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def until_port(self, port: int, deadline_s: float = 90.0) -> None:
        """Waits until it takes connections."""

        def takes() -> bool:
            if not self.is_running():
                raise SystemExit(f"{self.name} ended:\n{self.log()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(f"{self.name} takes connections", takes, deadline_s)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Sends it a signal and waits for its end; the exit code."""
        if self.is_running():
            self._child.send_signal(how)
        try:
            return self._child.wait(60)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise Wrong(f"{self.name} did not end within a minute of {how.name}") from None


class Broker(Process):
    """Debian's mosquitto, for this machine alone, which keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        super().__init__(folder, "mosquitto", ["mosquitto", "-c", str(config)])
        self.until_port(self.port)


class Heard:
    """What the broker passed on, in order, as another client hears it."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bool, str]] = []
        form = "%t\t%r\t%x"  # in hexadecimal: a picture has lines of its own
        command = ["mosquitto_sub", "-p", str(port), "-t", "#", "-F", form]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _started.append(self)

    def on(self, topic: str, since: int = 0) -> list[str]:
        """The payloads of a topic from the message `since` on, without what was kept before this client came."""
        return [payload for at, kept, payload in self.messages[since:] if at == topic and not kept]

    def last(self, topic: str) -> str | None:
        """The newest payload of a topic."""
        found = [payload for at, _, payload in self.messages if at == topic]
        return found[-1] if found else None

    def end(self) -> None:
        """Stops listening."""
        self._child.terminate()
        self._child.wait()
        self._reader.join()

    def _read(self) -> None:
        hold(self._child.stdout, "mosquitto_sub has an output")
        for line in self._child.stdout:
            topic, kept, payload = line.rstrip("\n").split("\t", 2)
            self.messages.append((topic, kept == "1", bytes.fromhex(payload).decode(errors="replace")))


class Camera(Process):
    """A camera over RTSP that shows a piece of a recording and then its empty background, over and over."""

    def __init__(self, folder: Path, name: str, wader: Path, footage: Path, port: int) -> None:
        self.port = port
        self.url = f"rtsp://127.0.0.1:{port}/scene"
        piece = ["--footage", str(footage), "--from", "0", "--to", "12", "--gap", "10"]
        super().__init__(folder, name, [str(wader), "scene", "serve", *piece, "--port", str(port)])
        self.until_port(port)


class Wader(Process):
    """The service, as it is installed."""

    def __init__(self, folder: Path, wader: Path, config: str) -> None:
        file = folder / "wader.toml"
        file.write_text(config)
        command = [str(wader), "run", "--config", str(file)]
        # not the home of whoever runs the test
        super().__init__(folder, "wader", command, STATE_DIRECTORY=str(folder / "state"))


class Hass(Process):
    """Home Assistant, in the Debian that holds it, with its configuration in a folder of this test."""

    CONFIG = """\
homeassistant:
  name: Test
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
"""

    def __init__(self, folder: Path, place: Path, port: int) -> None:
        config = folder / "homeassistant"
        config.mkdir(exist_ok=True)
        (config / "configuration.yaml").write_text(self.CONFIG.format(port=port))
        # all it may need is in its place: it must not fetch what the lock file does not hold
        hass = ["/srv/homeassistant/bin/hass", "--config", "/srv/shared", "--skip-pip"]
        command = [str(HERE / "inside"), str(place), str(config), *hass]
        super().__init__(folder, "homeassistant", command)
        self.until_port(port)
