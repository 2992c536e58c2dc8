"""The house of the test: broker, two cameras, wader with the shipped model, Home Assistant, and a look at each."""

import signal
from dataclasses import dataclass
from pathlib import Path

from api import Live, Owner
from processes import Broker, Camera, Hass, Heard, Wader, free_port

DOOR_PROMPTS = """
[prompts.anybody]
ask = "Is anybody there?"
answer = "yes_no"

[prompts.light]
ask = "How is the light?"
answer = "choice"
choices = ["bright", "dim", "dark"]
cameras = ["front_door"]
image = true

[prompts.scene]
ask = "Describe what happens."
answer = "text"
cameras = ["front_door"]

[prompts.report]
ask = "What is in front of the door?"
answer = "json"
cameras = ["front_door"]
[prompts.report.schema]
type = "object"
required = ["anybody"]
properties.people = { type = ["integer", "null"], minimum = 0, maximum = 5, description = "How many people are there?" }
properties.anybody = { type = ["boolean", "null"], description = "Is anybody there?" }
"""

PEOPLE = """
[prompts.people]
ask = "How many people are there?"
answer = "number"
max = 9
cameras = ["front_door"]
"""


@dataclass
class Tools:
    """Where things are."""

    wader: Path
    model: Path
    footage: Path
    place: Path


@dataclass
class House:
    """All that runs."""

    tools: Tools
    folder: Path
    broker: Broker
    heard: Heard
    cameras: dict[str, Camera]
    owner: Owner
    hass: Hass
    live: Live
    wader: Wader | None = None

    @classmethod
    def build(cls, tools: Tools, folder: Path) -> "House":
        """Starts all but wader; Home Assistant is new, and its owner adds the broker."""
        broker = Broker(folder)
        heard = Heard(broker.port)
        names = ("front_door", "yard")
        cameras = {name: Camera(folder, name, tools.wader, tools.footage, free_port()) for name in names}
        port = free_port()
        hass = Hass(folder, tools.place, port)
        owner = Owner(port)
        owner.onboard()
        owner.add_mqtt(broker.port)
        return cls(tools, folder, broker, heard, cameras, owner, hass, Live(owner))

    def config(self, cameras: tuple[str, ...], prompts: str) -> str:
        """A configuration of wader with these cameras and prompts."""
        urls = "".join(f'{name} = "{self.cameras[name].url}"\n' for name in cameras)
        return (
            f'[mqtt]\nurl = "mqtt://127.0.0.1:{self.broker.port}"\n'
            f'[model]\npath = "{self.tools.model}"\ndevice = "cpu"\n'
            # a long silence: on a busy machine the cameras are slow at times; a broken one is known at once
            f'[defaults.camera]\nsilence = "20s"\n[defaults.prompt]\nevery = "1s"\n[cameras]\n{urls}{prompts}'
        )

    def start_wader(self, config: str) -> None:
        """Starts the service."""
        self.wader = Wader(self.folder, self.tools.wader, config)

    def end_wader(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends the service; its exit code."""
        return self.wader.end(how) if self.wader else 0

    def restart_camera(self, name: str) -> None:
        """Brings a camera back on its port."""
        port = self.cameras[name].port
        self.cameras[name] = Camera(self.folder, name, self.tools.wader, self.tools.footage, port)

    def end_hass(self) -> int:
        """Ends Home Assistant alone; its exit code."""
        self.live.close()
        return self.hass.end()

    def start_hass(self) -> None:
        """Starts it again, as it was."""
        self.hass = Hass(self.folder, self.tools.place, self.owner.port)
        self.live = Live(self.owner)
