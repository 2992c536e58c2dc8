"""Holds what wader tells Home Assistant against a Home Assistant that runs, from the first word to the last farewell.

`./x homeassistant` calls it. Everything is real: mosquitto, cameras over RTSP that show recorded footage, wader with
the shipped model, and Home Assistant as its owner sets it up, asked through its own API. The steps are one story; each
begins where the one before it ended; a step that fails does not keep the others from being tried.
"""

import argparse
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from house import DOOR_PROMPTS, PEOPLE, House, Tools
from processes import end_all, missing_tools
from waiting import Wrong, hold, until

BOTH = ("front_door", "yard")
ALL_PROMPTS = DOOR_PROMPTS + PEOPLE
DOOR = "Front door"

# What a person finds in Home Assistant: of each entity its device, its class, its category, its name.
ENTITIES: dict[str, tuple[str, str | None, str | None, str]] = {
    "sensor.wader_status": ("wader", "enum", "diagnostic", "Status"),
    "sensor.wader_version": ("wader", None, "diagnostic", "Version"),
    "sensor.wader_model": ("wader", None, "diagnostic", "Model"),
    "binary_sensor.front_door_connection": (DOOR, "connectivity", "diagnostic", "Connection"),
    "switch.front_door_enabled": (DOOR, None, "config", "Enabled"),
    "button.front_door_describe": (DOOR, None, None, "Describe"),
    "sensor.front_door_reply": (DOOR, None, None, "Reply"),
    "binary_sensor.front_door_anybody": (DOOR, None, None, "Anybody"),
    "event.front_door_anybody_changed": (DOOR, None, None, "Anybody changed"),
    "switch.front_door_anybody_enabled": (DOOR, None, "config", "Anybody enabled"),
    "sensor.front_door_light": (DOOR, "enum", None, "Light"),
    "image.front_door_light_picture": (DOOR, None, None, "Light picture"),
    "event.front_door_light_changed": (DOOR, None, None, "Light changed"),
    "switch.front_door_light_enabled": (DOOR, None, "config", "Light enabled"),
    "sensor.front_door_people": (DOOR, None, None, "People"),
    "event.front_door_people_changed": (DOOR, None, None, "People changed"),
    "switch.front_door_people_enabled": (DOOR, None, "config", "People enabled"),
    "sensor.front_door_scene": (DOOR, None, None, "Scene"),
    "event.front_door_scene_changed": (DOOR, None, None, "Scene changed"),
    "switch.front_door_scene_enabled": (DOOR, None, "config", "Scene enabled"),
    "sensor.front_door_report": (DOOR, None, None, "Report"),
    "event.front_door_report_changed": (DOOR, None, None, "Report changed"),
    "switch.front_door_report_enabled": (DOOR, None, "config", "Report enabled"),
    "binary_sensor.yard_connection": ("Yard", "connectivity", "diagnostic", "Connection"),
    "button.yard_describe": ("Yard", None, None, "Describe"),
    "sensor.yard_reply": ("Yard", None, None, "Reply"),
    "switch.yard_enabled": ("Yard", None, "config", "Enabled"),
    "binary_sensor.yard_anybody": ("Yard", None, None, "Anybody"),
    "event.yard_anybody_changed": ("Yard", None, None, "Anybody changed"),
    "switch.yard_anybody_enabled": ("Yard", None, "config", "Anybody enabled"),
}
# Those tell of the service itself, and so go on to tell when it is gone.
OF_SERVICE = {entity for entity, (device, *_) in ENTITIES.items() if device == "wader"}
OF_DOOR = {entity for entity, (device, *_) in ENTITIES.items() if device == DOOR}
OF_YARD = {entity for entity, (device, *_) in ENTITIES.items() if device == "Yard"}
OF_PEOPLE = {entity for entity in ENTITIES if "front_door_people" in entity}
SWITCHES = {entity for entity in ENTITIES if entity.startswith("switch.")}
CONNECTIONS = {entity for entity in ENTITIES if entity.endswith("_connection")}
ANSWERS = {entity for entity in ENTITIES if entity not in OF_SERVICE | SWITCHES | CONNECTIONS}

AWAY = "unavailable"
ANYBODY, ANYBODY_CHANGED = "binary_sensor.front_door_anybody", "event.front_door_anybody_changed"
ANYBODY_SWITCH, DOOR_SWITCH = "switch.front_door_anybody_enabled", "switch.front_door_enabled"
AS_SHOWN = {"yes": "on", "no": "off"}


def distinct(values: list[str]) -> list[str]:
    """Without what only repeats the one before."""
    return [value for i, value in enumerate(values) if i == 0 or values[i - 1] != value]


def find(house: House, wanted: set[str], there: bool) -> bool:
    """Whether each of these entities is available, or unavailable; `Wrong` names those that are not so."""
    wrong = {entity: house.live.state(entity) for entity in wanted}
    wrong = {entity: state for entity, state in wrong.items() if state is None or (state == AWAY) == there}
    if wrong:
        raise Wrong(f"not {'available' if there else AWAY}: {wrong}")
    return True


def available(house: House, wanted: set[str]) -> None:
    """Waits until each of these entities is available."""
    until("entities are available", lambda: find(house, wanted, True))


def unavailable(house: House, wanted: set[str]) -> None:
    """Waits until each of these entities is unavailable."""
    until("entities are unavailable", lambda: find(house, wanted, False))


def devices_are_found(house: House) -> None:
    """A device for the service, and one for each camera that hangs on it, with names that people write."""
    house.start_wader(house.config(BOTH, ALL_PROMPTS))
    devices = until("three devices", lambda: len(found := house.live.devices()) == 3 and found)
    by_name = {device["name"]: device for device in devices}
    hold(set(by_name) == {"wader", DOOR, "Yard"}, f"the devices are called {set(by_name)}")
    service = by_name["wader"]
    hold(service["via_device_id"] is None and service["sw_version"], f"the service's device: {service}")
    for name in (DOOR, "Yard"):
        device = by_name[name]
        hold(device["via_device_id"] == service["id"], f"{name} does not hang on the service: {device}")
    makers = {device["manufacturer"] for device in devices}
    hold(makers == {"wader"}, f"the makers are {makers}")


def entities_are_of_their_kinds(house: House) -> None:
    """Each prompt is the entities of its kind of answer, on its camera's device, under the name one would look for."""
    registered = until("all entities", lambda: len(found := house.live.entities()) >= len(ENTITIES) and found)
    hold(set(registered) == set(ENTITIES), f"other entities than expected: {set(registered) ^ set(ENTITIES)}")
    devices = {device["id"]: device["name"] for device in house.live.devices()}
    for entity, wanted in ENTITIES.items():
        entry = registered[entity]
        device_class = house.live.attributes(entity).get("device_class")
        found = (devices[entry["device_id"]], device_class, entry["entity_category"], entry["original_name"])
        hold(found == wanted, f"{entity} is {found}, not {wanted}")
        hold(entry["disabled_by"] is None and entry["hidden_by"] is None, f"{entity} is hidden: {entry}")

    def attribute(entity: str, key: str, value: object) -> None:
        found = house.live.attributes(entity).get(key)
        hold(found == value, f"{entity}: {key} is {found!r}, not {value!r}")

    available(house, set(ENTITIES))
    attribute("sensor.wader_status", "options", ["online", "offline", "stopped"])
    attribute("sensor.front_door_light", "options", ["bright", "dim", "dark"])
    attribute("sensor.front_door_people", "state_class", "measurement")
    attribute(ANYBODY_CHANGED, "event_types", ["yes", "no"])
    attribute("event.front_door_light_changed", "event_types", ["bright", "dim", "dark"])
    for prompt in ("people", "scene", "report"):
        attribute(f"event.front_door_{prompt}_changed", "event_types", ["changed"])


def states_are_what_wader_says(house: House) -> None:
    """Each state is the word on its topic, and texts have the whole answer beside it."""
    live, last = house.live, house.heard.last

    def same(entity: str, topic: str, shown: Callable[[str], str] = str) -> None:
        def look() -> bool:
            said, state = last(topic), live.state(entity)
            if said is None or state != shown(said):
                raise Wrong(f"{entity} is {state!r} where {topic} says {said!r}")
            return True

        until("a state", look)

    same(ANYBODY, "wader/front_door/anybody/state", AS_SHOWN.__getitem__)
    for prompt in ("light", "people", "scene", "report"):
        same(f"sensor.front_door_{prompt}", f"wader/front_door/{prompt}/state")
    same("sensor.wader_status", "wader/status")
    about = json.loads(last("wader/about") or "{}")
    for key in ("version", "model"):
        hold(live.state(f"sensor.wader_{key}") == about[key], f"the service's {key}: {about}")
    for prompt in ("scene", "report"):
        attributes = live.attributes(f"sensor.front_door_{prompt}")
        hold(attributes.get("prompt") == prompt and "probability" in attributes, f"{prompt}: {attributes}")
    hold("anybody" in live.attributes("sensor.front_door_report")["json"], "the report's JSON is an attribute")
    hold(live.state("binary_sensor.front_door_connection") == "on", "the camera is connected")
    hold(live.state(DOOR_SWITCH) == live.state(ANYBODY_SWITCH) == "on", "all is switched on")


def changes_follow(house: House) -> None:
    """As people come and go, the binary sensor follows word for word, and each event is one of the event entity."""
    topic, events = "wader/front_door/anybody/state", "wader/front_door/anybody/event"
    heard, changed = len(house.heard.messages), len(house.live.changes)
    until("somebody came and went", lambda: len(house.heard.on(events, heard)) >= 3)
    said = distinct([AS_SHOWN[word] for word in house.heard.on(topic, heard)])

    def caught_up() -> bool:
        # what it was already may be told again; what the camera's absence hides is no answer
        shown = distinct([value for value in house.live.values(ANYBODY, changed) if value != AWAY])
        if said not in (shown[: len(said)], shown[1 : len(said) + 1]):
            raise Wrong(f"wader said {said}, Home Assistant showed {shown}")
        told = [json.loads(event)["after"] for event in house.heard.on(events, heard)]
        fired = house.live.fired(ANYBODY_CHANGED, changed)
        kinds = [attributes["event_type"] for attributes in fired]
        if kinds[: len(told)] != told:
            raise Wrong(f"wader told {told}, Home Assistant fired {kinds}")
        hold({"before", "after", "probability", "at"} <= set(fired[0]), f"an event has only {fired[0]}")
        return True

    until("Home Assistant follows", caught_up)
    # of those that have no kinds of their own, too
    people = "event.front_door_people_changed"
    until("a number changed", lambda: house.live.attributes(people).get("event_type") == "changed")
    hold("after" in house.live.attributes(people), "a number's event says what it became")


def a_camera_describes_itself(house: House) -> None:
    """The button asks, and the sensor shows what comes; an answer's picture is one of now."""
    house.owner.call("button.press", "button.front_door_describe")
    shown = until("a reply", lambda: (text := house.live.state("sensor.front_door_reply")) not in ("unknown", "") and text)
    hold(shown.endswith("."), f"no sentence: {shown}")
    hold(house.live.state("sensor.yard_reply") == "unknown", "the other camera was not asked")
    picture = "image.front_door_light_picture"
    until("a picture", lambda: (house.live.state(picture) or "").startswith("20"))


def a_prompt_is_switched(house: House) -> None:
    """A prompt that is switched off is unavailable, its switch is not; and back again."""
    its = {ANYBODY, ANYBODY_CHANGED}
    heard = len(house.heard.messages)
    house.owner.call("switch.turn_off", ANYBODY_SWITCH)
    until("wader says OFF", lambda: house.heard.on("wader/front_door/anybody/enabled", heard) == ["OFF"])
    unavailable(house, its)
    until("the switch is off", lambda: house.live.state(ANYBODY_SWITCH) == "off")
    find(house, set(ENTITIES) - its, True)
    house.owner.call("switch.turn_on", ANYBODY_SWITCH)
    available(house, its)
    until("wader says ON", lambda: house.heard.on("wader/front_door/anybody/enabled", heard) == ["OFF", "ON"])
    until("the switch is on", lambda: house.live.state(ANYBODY_SWITCH) == "on")
    until("it has an answer", lambda: house.live.state(ANYBODY) in ("on", "off"))


def a_camera_is_switched(house: House) -> None:
    """A camera that is switched off takes its answers along, and nothing of the other camera; and back again."""
    heard = len(house.heard.messages)
    house.owner.call("switch.turn_off", DOOR_SWITCH)
    until("wader says OFF", lambda: house.heard.on("wader/front_door/enabled", heard) == ["OFF"])
    until("it is disabled", lambda: house.heard.last("wader/front_door/status") == "disabled")
    unavailable(house, OF_DOOR & ANSWERS)
    until("the switch is off", lambda: house.live.state(DOOR_SWITCH) == "off")
    until("no connection", lambda: house.live.state("binary_sensor.front_door_connection") == "off")
    find(house, OF_YARD | OF_SERVICE | SWITCHES, True)
    house.owner.call("switch.turn_on", DOOR_SWITCH)
    available(house, OF_DOOR)
    until("the switch is on", lambda: house.live.state(DOOR_SWITCH) == "on")


def a_camera_is_gone(house: House) -> None:
    """A camera that breaks takes its answers along; the service and the other camera stay; and back again."""
    house.cameras["front_door"].end(signal.SIGKILL)
    unavailable(house, OF_DOOR & ANSWERS)
    until("no connection", lambda: house.live.state("binary_sensor.front_door_connection") == "off")
    find(house, OF_YARD | OF_SERVICE | SWITCHES, True)
    hold(house.live.state("sensor.wader_status") == "online", "the service is online")
    house.restart_camera("front_door")
    available(house, OF_DOOR)


def wader_ends(house: House, how: signal.Signals, status: str) -> None:
    """Without wader nothing is available but what it was; with it all comes back."""
    code = house.end_wader(how)
    hold(code == (0 if how == signal.SIGTERM else -how), f"wader ended with {code}")
    unavailable(house, set(ENTITIES) - OF_SERVICE)
    until(f"the service is {status}", lambda: house.live.state("sensor.wader_status") == status)
    house.start_wader(house.config(BOTH, ALL_PROMPTS))
    available(house, set(ENTITIES))
    until("the service is online", lambda: house.live.state("sensor.wader_status") == "online")


def wader_stops(house: House) -> None:
    """Asked to stop, it says so."""
    wader_ends(house, signal.SIGTERM, "stopped")


def wader_is_killed(house: House) -> None:
    """Killed, its last will speaks for it."""
    wader_ends(house, signal.SIGKILL, "offline")


def home_assistant_restarts(house: House) -> None:
    """Home Assistant alone starts again: wader hears its birth, says all again, and the states are there."""
    before = house.live.entities()
    hold(house.end_hass() == 0, "Home Assistant ends well")
    heard = len(house.heard.messages)
    house.start_hass()
    available(house, set(ENTITIES))
    until("its birth", lambda: "online" in house.heard.on("homeassistant/status", heard))
    for topic in ("wader", "wader_front_door", "wader_yard"):
        topic = f"homeassistant/device/{topic}/config"
        until(f"{topic} is said again", lambda topic=topic: house.heard.on(topic, heard))
    hold(set(house.live.entities()) == set(before), "a restart changed the entities")
    states_are_what_wader_says(house)


def exactly(house: House, wanted: set[str]) -> bool:
    """Whether these entities are registered, and no others."""
    found = set(house.live.entities())
    if found != wanted:
        raise Wrong(f"too many: {found - wanted}; too few: {wanted - found}")
    return True


def what_is_gone_is_taken_away(house: House) -> None:
    """A camera and a prompt that the configuration has no longer are gone."""
    house.end_wader()
    house.start_wader(house.config(("front_door",), DOOR_PROMPTS))
    until("what is gone is taken away", lambda: exactly(house, set(ENTITIES) - OF_YARD - OF_PEOPLE))
    names = {device["name"] for device in house.live.devices()}
    hold(names == {"wader", DOOR}, f"the devices are {names}")
    available(house, set(ENTITIES) - OF_YARD - OF_PEOPLE)
    ghosts = [entity for entity in OF_YARD | OF_PEOPLE if house.live.state(entity) is not None]
    hold(not ghosts, f"states without entities: {ghosts}")


def what_comes_back_is_there(house: House) -> None:
    """And there again as soon as the configuration has them."""
    house.end_wader()
    house.start_wader(house.config(BOTH, ALL_PROMPTS))
    available(house, set(ENTITIES))
    until("all entities", lambda: exactly(house, set(ENTITIES)))


def prompts_become_others(house: House) -> None:
    """A prompt of another kind takes the old one's place; what the broker keeps of the old one harms nobody."""
    anybody = 'ask = "Is anybody there?"\nanswer = "yes_no"'
    number = 'ask = "How many people are there?"\nanswer = "number"\nmax = 9'
    light = 'ask = "How is the light?"\nanswer = "choice"\nchoices = ["bright", "dim", "dark"]'
    cameras = 'cameras = ["front_door"]'
    prompts = {"anybody": light, "light": anybody, "scene": number, "report": light, "people": light}
    house.end_wader()
    config = "".join(f"\n[prompts.{name}]\n{prompt}\n{cameras}\n" for name, prompt in prompts.items())
    house.start_wader(house.config(("front_door",), config))
    moved = {"binary_sensor.front_door_light", "sensor.front_door_anybody"}
    gone = {"sensor.front_door_light", "image.front_door_light_picture", ANYBODY}
    left = set(ENTITIES) - OF_YARD - gone | moved
    until("the new kinds", lambda: exactly(house, left))
    available(house, left)
    for prompt in ("anybody", "report", "people"):
        entity = f"sensor.front_door_{prompt}"
        until(f"{entity} is a word", lambda entity=entity: house.live.state(entity) in ("bright", "dim", "dark"))
    until("a number", lambda: (house.live.state("sensor.front_door_scene") or "").isdigit())
    until("a yes or no", lambda: house.live.state("binary_sensor.front_door_light") in ("on", "off"))


def what_goes_while_home_assistant_is_away(house: House) -> None:
    """Home Assistant keeps what it knew when it ended: what went since is unavailable, and may be deleted there."""
    what_comes_back_is_there(house)
    hold(house.end_hass() == 0, "Home Assistant ends well")
    house.end_wader()
    house.start_wader(house.config(("front_door",), DOOR_PROMPTS))
    until("the yard is cleared", lambda: house.heard.last("homeassistant/device/wader_yard/config") == "")
    house.start_hass()
    available(house, set(ENTITIES) - OF_YARD - OF_PEOPLE)
    unavailable(house, OF_YARD | OF_PEOPLE)


def nothing_is_complained_of(house: House) -> None:
    """Home Assistant's log has no warning and no error that is about MQTT, a template or a device."""
    house.end_hass()
    # not about wader: how the test starts it, and libraries that would make its web pages faster
    known = re.compile("Skipping pip installation|zlib_ng and isal are not available")
    levels = re.compile(r" (WARNING|ERROR|CRITICAL) ")
    complaints = [line for line in house.hass.log().splitlines() if levels.search(line) and not known.search(line)]
    hold(not complaints, "Home Assistant complains:\n" + "\n".join(complaints))
    hold("Traceback" not in house.hass.log(), f"Home Assistant's log has an exception:\n{house.hass.log()}")


STORY: list[Callable[[House], None]] = [
    devices_are_found,
    entities_are_of_their_kinds,
    states_are_what_wader_says,
    changes_follow,
    a_camera_describes_itself,
    a_prompt_is_switched,
    a_camera_is_switched,
    a_camera_is_gone,
    wader_stops,
    wader_is_killed,
    home_assistant_restarts,
    what_is_gone_is_taken_away,
    what_comes_back_is_there,
    prompts_become_others,
    what_goes_while_home_assistant_is_away,
    nothing_is_complained_of,
]


def tell(house: House, story: list[Callable[[House], None]]) -> int:
    """Goes through the story; how many steps failed."""
    failed = 0
    for step in story:
        began = time.monotonic()
        try:
            step(house)
            result, why = "passed", ""
        except Wrong as error:
            failed += 1
            result, why = "failed", f"\n         {error}"
        name = step.__name__.replace("_", " ")
        print(f"{result:8} {name:42} {time.monotonic() - began:5.0f} s{why}", flush=True)
    return failed


def arguments() -> Any:
    """What it is called with."""
    parser = argparse.ArgumentParser(prog="./x homeassistant", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--wader", type=Path, required=True, help="the program")
    parser.add_argument("--model", type=Path, required=True, help="the model folder")
    parser.add_argument("--footage", type=Path, required=True, help="the recording that the cameras show")
    parser.add_argument("--place", type=Path, required=True, help="a Debian with Home Assistant in /srv/homeassistant")
    parser.add_argument("--keep", type=Path, help="put the processes' logs here")
    return parser.parse_args()


def main() -> int:
    """Builds the house, tells the story, and says what came of it."""
    given = arguments()
    if missing := missing_tools():
        sys.exit(f"not installed: {', '.join(missing)}; Debian: mosquitto, mosquitto-clients, util-linux")
    for path in (given.wader, given.model, given.footage, given.place):
        if not path.exists():
            sys.exit(f"`{path}` is not there; `./x homeassistant` makes it and calls this")
    tools = Tools(given.wader.resolve(), given.model.resolve(), given.footage.resolve(), given.place.resolve())
    folder = Path(tempfile.mkdtemp(prefix="wader-homeassistant-"))
    # also who asks it to stop, or runs it in the background, leaves nothing running
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: sys.exit(130))
    try:
        house = House.build(tools, folder)
        print(f"Home Assistant {house.owner.version()}", flush=True)
        failed = tell(house, STORY)
        print(f"{len(STORY) - failed} passed, {failed} failed")
        return 1 if failed else 0
    except Wrong as error:
        sys.exit(f"nothing could be checked: {error}")
    finally:
        end_all()
        if given.keep:
            shutil.copytree(folder, given.keep, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
