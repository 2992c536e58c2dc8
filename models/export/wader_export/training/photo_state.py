"""What the hand-made truth of a photograph says of the values that questions are written from.

Only what is clear: of "two people, one on the left at least" the number is known and how many stand on the left is not.
Of clothes which colours nobody wears, and which are worn where a garment is outlined (see `clothes`): elsewhere the truth
does not say whether the red is a jacket or a pair of trousers.
"""

from collections.abc import Sequence

import numpy as np

from .. import layout
from ..questions.words import LIGHTS
from ..sim import blindness, colours
from ..sim.events import NEVER, bucket
from ..sim.truth import INDEX, OTHER_GROUPS, UNCLEAR
from .clothes import AS_IT_IS, garments

MOTIONLESS = "walk_left walk_right closer away entered gone approaching retreating came went most_walk_left most_walk_right"
VEHICLES = "vehicles vehicles_first vehicles_ever parked cars big_vehicles sure_vehicles most_vehicles"
VEHICLE_FACTS = ("vehicle", "car", "truck", "parked")
FACT_OF_GROUP = {group: layout.GROUP_NAMES[group] for group in OTHER_GROUPS} | {layout.ANIMAL: "large_animal"}
ANIMALS = (layout.BIRD, layout.CAT, layout.DOG, layout.ANIMAL)
ANIMAL_FACTS = tuple(FACT_OF_GROUP[group] for group in ANIMALS)


def told(facts: dict, fact: str) -> int:
    """1 where a fact is clearly true, 0 where it is clearly not."""
    return 1 if fact in facts["has"] else UNCLEAR if fact in facts.get("unclear", ()) else 0


def state_of(facts: dict, mirrored: bool = False, painted: Sequence[int] | None = None) -> np.ndarray:
    """The state [heads + extra] of a photograph that stands still; UNCLEAR where the truth does not say.

    `painted`: the numbers of the colours in which its garments were painted; None: all are as they are.
    """
    state = np.full(len(INDEX), UNCLEAR)

    def put(names: str, value: int) -> None:
        for name in names.split():
            state[INDEX[name]] = value

    put("blind", blindness.SEES)
    put("infrared", 0)
    put(MOTIONLESS, 0)
    put("came_ago went_ago", NEVER)
    put("came_bucket went_bucket", int(bucket(np.array(NEVER))))
    if "light" in facts:
        put("light", LIGHTS.index(facts["light"]))
    put_people(facts, mirrored, put)
    put_clothes(facts, painted, put)
    put_vehicles(facts, put)
    # of an animal that is none of these nobody can say which it is not
    which = told(facts, "any_animal") == 0 or any(told(facts, fact) == 1 for fact in ANIMAL_FACTS)
    for group, fact in FACT_OF_GROUP.items():
        value = told(facts, fact)
        put(f"other_{layout.GROUP_NAMES[group]}", value if value or group not in ANIMALS or which else UNCLEAR)
    return state


def put_people(facts: dict, mirrored: bool, put) -> None:
    """Who is there and where."""
    least, most = facts["people"]
    put("sure_now sure_first", least)
    put("most_now most_first", most)
    if least or not most:
        put("ever", least)
    if least == most:
        put("now first", least)
    left, right = told(facts, "left"), told(facts, "right")
    for value, other, name in ((left, right, "right" if mirrored else "left"), (right, left, "left" if mirrored else "right")):
        if value == 0:
            put(name, 0)
        elif least == most and (value, other) == (1, 0):
            put(name, least)
    for fact, name in (("near", "near"), ("far", "far"), ("standing", "paused")):
        put(name, told(facts, fact))
    if not most:
        put("still", 0)
    elif least == most == 1 == told(facts, "standing"):
        put("still", 1)


def put_clothes(facts: dict, painted: Sequence[int] | None, put) -> None:
    """The colours that nobody wears, and those of garments."""
    worn = garments(facts)
    painted = [AS_IT_IS] * len(worn) if painted is None else painted
    perhaps = {*facts.get("wears", ()), *facts.get("wears_unclear", ())}
    if worn and facts["clothes"]["all"] and AS_IT_IS not in painted:
        perhaps = set()
    for colour in colours.NAMES:
        if not facts["people"][1] or not perhaps & {colour, "any"}:
            put(f"upper_{colour} lower_{colour}", 0)
    for garment, number in zip(worn, painted, strict=True):
        colour = garment.colour if number == AS_IT_IS else colours.NAMES[number]
        if colour:
            put(f"{garment.half}_{colour}", 1)


def put_vehicles(facts: dict, put) -> None:
    """Vehicles: their number is not known where there are any."""
    put("driving arrived departed", 0)
    if not any(told(facts, fact) for fact in VEHICLE_FACTS):
        put(VEHICLES, 0)
    elif told(facts, "vehicle") == 1:
        put("vehicles_ever", 1)
        for fact, name in (("car", "cars"), ("truck", "big_vehicles"), ("parked", "parked")):
            put(name, told(facts, fact))
