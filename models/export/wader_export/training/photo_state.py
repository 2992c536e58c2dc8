"""What the hand-made truth of a photograph says of the values that questions are written from.

Only what is clear: of "two people, one on the left at least" the number is known and how many stand on the left is not.
Clothes are left out: the truth does not say whether the red is a jacket or a pair of trousers.
"""

import numpy as np

from .. import layout
from ..sim import blindness
from ..sim.events import NEVER, bucket
from ..sim.truth import INDEX, OTHER_GROUPS, UNCLEAR

MOTIONLESS = "walk_left walk_right closer away entered gone approaching retreating came went most_walk_left most_walk_right"
VEHICLES = "vehicles vehicles_first vehicles_ever parked cars big_vehicles sure_vehicles most_vehicles"
ANIMALS = ("bird", "cat", "dog", "animal")
LIGHTS = ("bright", "dim", "dark")
FACT_OF_GROUP = {"animal": "large_animal"}


def state_of(facts: dict, mirrored: bool = False) -> np.ndarray:
    """The state [heads + extra] of a photograph that stands still; UNCLEAR where the truth does not say."""
    state = np.full(len(INDEX), UNCLEAR)
    has, unclear = set(facts["has"]), set(facts.get("unclear", ()))

    def put(names: str, value: int) -> None:
        for name in names.split():
            state[INDEX[name]] = value

    def denied(fact: str) -> bool:
        return fact not in has and fact not in unclear

    put("blind", blindness.SEES)
    put(MOTIONLESS, 0)
    put("came_ago went_ago", NEVER)
    put("came_bucket went_bucket", int(bucket(np.array(NEVER))))
    if "light" in facts:
        put("light", LIGHTS.index(facts["light"]))
    put_people(facts, mirrored, put, denied)
    put_vehicles(has, put, denied)
    for group in OTHER_GROUPS:
        name = layout.GROUP_NAMES[group]
        fact = FACT_OF_GROUP.get(name, name)
        if fact in has:
            put(f"other_{name}", 1)
        elif denied(fact) and (name not in ANIMALS or denied("any_animal") or has & {"bird", "cat", "dog", "large_animal"}):
            put(f"other_{name}", 0)
    return state


def put_people(facts: dict, mirrored: bool, put, denied) -> None:
    """Who is there and where."""
    has = set(facts["has"])
    least, most = facts["people"]
    put("sure_now sure_first", least)
    put("most_now most_first", most)
    if least or not most:
        put("ever", least)
    if least == most:
        put("now first", least)
    sides = ("right", "left") if mirrored else ("left", "right")
    for fact, name in zip(("left", "right"), sides):
        other = "right" if fact == "left" else "left"
        if denied(fact):
            put(name, 0)
        elif least == most and fact in has and denied(other):
            put(name, least)
    for fact in ("near", "far"):
        if denied(fact):
            put(fact, 0)
        elif fact in has:
            put(fact, 1)
    if denied("standing"):
        put("paused", 0)
    elif "standing" in has:
        put("paused", 1)
    if not most:
        put("still", 0)
    elif least == most == 1 and "standing" in has:
        put("still", 1)


def put_vehicles(has: set, put, denied) -> None:
    """Vehicles: their number is not known where there are any."""
    put("driving arrived departed", 0)
    if all(map(denied, ("vehicle", "car", "truck", "parked"))):
        put(VEHICLES, 0)
    elif "vehicle" in has:
        put("vehicles_ever", 1)
        for fact, name in (("car", "cars"), ("truck", "big_vehicles"), ("parked", "parked")):
            if fact in has:
                put(name, 1)
            elif denied(fact):
                put(name, 0)
