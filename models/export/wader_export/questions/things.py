"""Kinds of question about vehicles, animals and things, the light, and the camera itself."""

from ..sim import blindness, colours
from .kinds import CONTRARY, colourless, draft, either_way, kind, known, yes_no
from .words import LIGHTS, NONE, NUMBERS, OTHER_NAMES, UNCLEAR_ANSWER, article, plural, written

EXISTS = (
    "is there {a}?", "can you see {a}?", "do you see {a}?", "is {a} visible?", "is {a} there?", "is {a} in the picture?",
    "does the picture show {a}?", "is there {a} in the picture?", "is {a} to be seen?", "is {a} in view?",
    "are there any {many}?", "do you see any {many}?", "are {many} visible?", "are there {many}?", "can you see {many}?",
)  # fmt: skip
LACKS = ("is there no {noun}?", "are there no {many}?", "is no {noun} there?", "is no {noun} to be seen?")


def exists(ask, noun: str, value: bool, key: str):
    """Whether a thing is there; now and then asked the other way round."""
    slots = {"a": article(noun), "many": plural(noun), "noun": noun}
    if ask.random.random() < CONTRARY:
        return yes_no(ask.text(LACKS, place=True, **slots), not value, f"no {key}")
    return yes_no(ask.text(EXISTS, place=True, **slots), value, key)


@kind("vehicle", 1.6)
def vehicle(s, ask):
    ever, cars, big = s("vehicles_ever"), s("cars"), s("big_vehicles")
    if not known(ever, cars, big):
        return None
    dice = ask.random.random()
    if dice < 0.45:
        noun, count, key = "car", cars, "car"
    elif dice < 0.58:
        nouns = ("truck", "bus or truck", *(() if cars > 0 else ("van or truck",)))  # some vans are cars
        noun, count, key = ask.random.choice(nouns), big, "truck"
    else:
        noun, count, key = "vehicle", cars + big, "vehicle"
    if key == "car" and count == 0 and big > 0:
        return None  # a van may be called a car
    if key == "truck" and count == 0 and cars > 0 and ask.random.random() < 0.5:
        return None
    if count == 0 and ever > 0 and key != "truck":
        return None
    return exists(ask, noun, count > 0, f"vehicle {key}")


GROUPS = "bicycle bicycle motorcycle bird cat dog dog animal bag umbrella ball".split()


@kind("other", 3.2)
def other(s, ask):
    group = ask.random.choice(GROUPS)
    value = s(f"other_{group}")
    return exists(ask, ask.random.choice(OTHER_NAMES[group]), value > 0, f"other {group}") if known(value) else None


@kind("animal", 1.3)
def animal(s, ask):
    values = [s(f"other_{g}") for g in ("cat", "dog", "animal", "bird")]
    if sum(v > 0 for v in values) == 0 and not known(*values):
        return None
    return exists(ask, "animal", any(v > 0 for v in values), "animal")


AT_LEAST = (
    "are there at least {n} {many}?", "do you see at least {n} {many}?", "are there {n} or more {many}?", "can you see at least {n} {many}?",
    "are at least {n} {many} there?",
)  # fmt: skip
MORE_THAN = (
    "is there more than one {noun}?", "are there several {many}?", "do you see more than one {noun}?", "is more than one {noun} there?",
)  # fmt: skip
COUNT_VEHICLES = (
    "how many {many} are there?", "how many {many} do you see?", "count the {many}.", "how many {many} are visible?",
    "how many {many} are there now?", "how many {many} can you see?",
)  # fmt: skip
PARKED = (
    "is {a} parked?", "is {a} parked there?", "is there a parked {noun}?", "does {a} stand still?",
    "is {a} standing still?", "do you see a parked {noun}?", "are there parked {many}?", "is {a} not moving?",
)  # fmt: skip
NONE_PARKED = ("is no {noun} parked?", "are no {many} parked?", "is there no parked {noun}?", "is no {noun} standing there?")
NONE_DRIVING = ("is no {noun} moving?", "is no {noun} driving?", "are no {many} moving?", "are no {many} driving?")
DRIVING = (
    "is {a} moving?", "is {a} driving?", "does {a} drive by?", "is {a} driving by?", "is there a moving {noun}?",
    "do you see a moving {noun}?", "are {many} driving?", "does {a} pass by?", "is {a} passing by?",
)  # fmt: skip
ARRIVED = (
    "did {a} arrive?", "is {a} arriving?", "has {a} come in?", "did {a} appear?", "did {a} come in?", "has {a} arrived?",
    "is {a} coming in?", "is {a} coming?", "did {a} drive in?",
)  # fmt: skip
DEPARTED = (
    "did {a} leave?", "is {a} leaving?", "has {a} driven away?", "did {a} disappear?", "has {a} left?",
    "did {a} drive away?", "is {a} driving away?", "has {a} gone?",
)  # fmt: skip
MOTIONS = {"parked": PARKED, "driving": DRIVING, "arrived": ARRIVED, "departed": DEPARTED}
CONTRARIES = {"parked": NONE_PARKED, "driving": NONE_DRIVING}


def vehicle_noun(s, ask) -> str:
    """What all vehicles that are there may be called."""
    return "vehicle" if s("big_vehicles") else ask.random.choice(("vehicle", "car"))


def vehicle_words(s, ask) -> dict[str, str]:
    """Their noun in the forms that templates use."""
    noun = vehicle_noun(s, ask)
    return {"noun": noun, "a": article(noun), "many": plural(noun)}


@kind("count_vehicles", 0.9)
def count_vehicles(s, ask):
    value = s("vehicles")
    if not known(value) or (s("sure_vehicles") != s("most_vehicles") and not ask.doubtful()):
        return None
    text = ask.text(COUNT_VEHICLES, place=True, **vehicle_words(s, ask))
    return draft(text, NUMBERS[value], f"count vehicles={value}")


@kind("some_vehicles", 0.5)
def some_vehicles(s, ask):
    """Whether there are so many vehicles."""
    now, n = s("vehicles"), ask.random.choice((2, 2, 2, 3))
    if not known(now) or (s("sure_vehicles") >= n) != (s("most_vehicles") >= n):
        return None
    words = vehicle_words(s, ask)
    templates = MORE_THAN if n == 2 and ask.random.random() < 0.5 else AT_LEAST
    return yes_no(ask.text(templates, place=True, n=ask.number(n), **words), now >= n, f"at least {n} vehicles")


@kind("vehicle_motion", 2.2)
def vehicle_motion(s, ask):
    name = ask.random.choice(("parked", "parked", "driving", "arrived", "departed"))
    if not known(s(name)):
        return None
    words = vehicle_words(s, ask)
    if name in CONTRARIES:
        return either_way(ask, MOTIONS[name], CONTRARIES[name], s(name) > 0, f"vehicle {name}", place=True, **words)
    return yes_no(ask.text(MOTIONS[name], place=True, **words), s(name) > 0, f"vehicle {name}")


WHAT_COLOUR = (
    "what {color} is the {noun}?", "which {color} does the {noun} have?", "what is the {color} of the {noun}?",
    "which {color} is the {noun}?", "tell me the {color} of the {noun}.", "of what {color} is the {noun}?",
)  # fmt: skip
COLOURED = (
    "is there a {colour} {noun}?", "is a {colour} {noun} visible?", "do you see a {colour} {noun}?",
    "can you see a {colour} {noun}?", "is a {colour} {noun} there?", "is there a {noun} in {colour}?",
)  # fmt: skip
ABSENT = ("bicycle", "bird", "cat", "dog", "umbrella", "bag")


@kind("vehicle_colour", 1.8)
def vehicle_colour(s, ask):
    if colourless(s, ask) or not known(s("vehicles_ever")):
        return None
    noun = vehicle_noun(s, ask)
    if s("infrared") > 0:
        color = ask.random.choice(("color", "colour"))
        return draft(ask.text(WHAT_COLOUR, noun=noun, color=color), UNCLEAR_ANSWER) if s("vehicles_ever") > 0 else None
    if ask.random.random() < 0.55:
        paints = [c for c in colours.NAMES if s(f"paint_{c}") > 0]
        none = s("vehicles_ever") == 0
        if not none and (len(paints) != 1 or not all(known(s(f"paint_{c}")) for c in colours.NAMES)):
            return None
        color = ask.random.choice(("color", "color", "colour"))
        answer = NONE if none else paints[0]
        return draft(ask.text(WHAT_COLOUR, noun=noun, color=color), answer, f"paint={answer}")
    colour = ask.random.choice(colours.NAMES[:6])
    value = s(f"paint_{colour}")
    if not known(value):
        return None
    return yes_no(ask.text(COLOURED, noun=noun, colour=written(ask.random, colour)), value > 0, f"paint {colour}")


@kind("absent_colour", 0.8)
def absent_colour(s, ask):
    """The colour of a thing: the model cannot tell the colours of these, but whether there is one at all."""
    group = ask.random.choice(ABSENT)
    value = s(f"other_{group}")
    if not known(value):
        return None
    answer = UNCLEAR_ANSWER if value else NONE
    text = ask.text(WHAT_COLOUR, noun=group, color=ask.random.choice(("color", "colour")))
    return draft(text, answer, f"absent colour={answer}")


LIGHT = (
    "is the picture bright, dim or dark?", "how is the light?", "is it bright, dim or dark?", "what is the light like?",
    "is the light bright, dim or dark?", "how bright is it?", "how bright is the picture?", "how is the light now?",
)  # fmt: skip
DARK = ("is it dark?", "is the picture dark?", "is it night?", "is it dark there?", "is it dark now?")
NIGHT, DAY = ("is it night?", "is it night now?"), ("is it day?", "is it day now?")
BRIGHT = ("is it bright?", "is it day?", "is the picture bright?", "is it bright there?", "is the light on?")


@kind("light", 0.8)
def light(s, ask):
    value, dice = s("light"), ask.random.random()
    if s("infrared") > 0:
        night = ask.random.random() < 0.7
        return draft(ask.text(NIGHT if night else DAY), "yes" if night else "no")
    if not known(value):
        return None
    if dice < 0.4:
        return draft(ask.text(LIGHT), LIGHTS[value], f"light={value}")
    if value == 1:
        return None
    if dice < 0.7:
        return yes_no(ask.text(DARK), value == 2, "dark")
    return yes_no(ask.text(BRIGHT), value == 0, "bright")


CAMERA = {
    blindness.BLACK: ("is the picture black?", "is the camera black?", "is the picture completely black?"),
    blindness.COVERED: (
        "is the camera covered?", "is something in front of the camera?", "is the picture covered?",
        "is the view blocked?", "is the camera blocked?",
    ),
    blindness.BLURRED: (
        "is the picture blurred?", "is the picture out of focus?", "is the camera out of focus?", "is the picture blurry?",
    ),
    blindness.FROZEN: (
        "is the picture frozen?", "does the picture stand still?", "is the camera frozen?", "does the picture not change?",
    ),
}  # fmt: skip
SEES = ("can you see anything?", "do you see anything?", "does the camera work?", "is the picture clear?")


@kind("camera", 0.6)
def camera(s, ask):
    """The camera itself: the one thing that can be told of a picture that shows nothing."""
    state = s("blind")
    if ask.random.random() < 0.25:
        return yes_no(ask.text(SEES), state == blindness.SEES, "camera sees")
    asked = ask.random.choice(list(CAMERA))
    if {state, asked} == {blindness.BLACK, blindness.COVERED} or blindness.FROZEN == state != asked:
        return None  # a covered camera may be black; a frozen picture may have been anything
    return yes_no(ask.text(CAMERA[asked]), state == asked, f"camera {asked}")
