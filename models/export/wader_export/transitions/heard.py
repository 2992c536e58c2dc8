"""What the service published: lines of `mosquitto_sub` become states, events and outcomes."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from .matching import Event

FORMAT = "%U %t %p"  # of mosquitto_sub: when it arrived, topic, payload
TOPICS = tuple(f"wader/+/+/{kind}" for kind in ("state", "event", "answer"))


@dataclass
class Heard:
    """By camera and prompt. An answer stands at the time of its newest picture."""

    states: dict[tuple[str, str], list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    events: dict[tuple[str, str], list[Event]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[tuple[str, str], list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    outcomes: Counter = field(default_factory=Counter)
    ages_ms: list[float] = field(default_factory=list)  # of the newest picture when it was answered


def seconds(text: str) -> float:
    """Of the wall clock."""
    return datetime.fromisoformat(text).timestamp()


def read(lines: Iterable[str]) -> Heard:
    """All of it. A line that was cut off at the end is left out."""
    heard, events, seen = Heard(), [], {}
    for line in lines:
        if not line.endswith("\n"):
            continue
        arrived, topic, payload = line.rstrip("\n").split(" ", 2)
        _, camera, prompt, kind = topic.split("/")
        if kind == "state":
            states = heard.states[camera, prompt]
            if not states or states[-1][1] != payload:
                states.append((float(arrived), payload))
            continue
        message = json.loads(payload)
        if kind == "event":
            events.append(((camera, prompt), message))
            continue
        heard.outcomes[message["reason"] or message["outcome"]] += 1
        if message["window"]["last"] is not None:
            seen[message["id"]] = seconds(message["window"]["last"])
            if message["answer"] is not None:
                heard.answers[camera, prompt].append((seen[message["id"]], str(message["answer"])))
        if message["newest_frame_age_ms"] is not None:
            heard.ages_ms.append(message["newest_frame_age_ms"])
    for key, message in events:
        at = seconds(message["at"])
        heard.events[key].append(Event(at, str(message["after"]), seen.get(message["id"], at)))
    return heard
