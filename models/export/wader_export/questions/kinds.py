"""Every kind of question: its wordings, and its answer from the state of a scene.

A kind is a function (state lookup, random source) -> Draft or None (not answerable here). Yes/no questions carry
a balance key, so that the writer can keep yes and no equally frequent for each wording's meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ..sim import colours
from ..sim.truth import UNCLEAR
from .captions import CAPTION_QUESTIONS, caption
from .words import NUMBERS, OTHER_NAMES, SOMEBODY, article

Lookup = Callable[[str], int]


@dataclass
class Draft:
    """A question before balancing."""

    text: str
    answer: str
    balance: str | None = None  # key for yes/no balancing


KINDS: dict[str, tuple[Callable[[Lookup, Random], Draft | None], float]] = {}


def kind(name: str, weight: float):
    """Registers a kind with the weight it is drawn with."""

    def register(function):
        KINDS[name] = (function, weight)
        return function

    return register


def known(*values: int) -> bool:
    return UNCLEAR not in values


def yes_no(random: Random, wordings, value: bool, key: str) -> Draft:
    return Draft(random.choice(wordings), "yes" if value else "no", key)


def counted(s: Lookup, random: Random) -> int | None:
    """People now; mostly None where a looker could count one more or less."""
    sure, most = s("sure_now"), s("most_now")
    return s("now") if sure == most or random.random() < 0.1 else None


def colourless(s: Lookup, random: Random) -> bool:
    """In the dark nobody can tell colours: hardly ask."""
    return s("light") == 2 and random.random() < 0.9


def who(random: Random) -> str:
    return random.choice(SOMEBODY)


@kind("presence", 1.4)
def presence(s, random):
    ever = s("ever")
    if not known(ever):
        return None
    texts = [f"is there {x}?" for x in SOMEBODY] + [f"is {x} there?" for x in SOMEBODY]
    texts += [f"can you see {x}?" for x in SOMEBODY] + [f"do you see {x}?" for x in SOMEBODY]
    texts += ["are there any people?", "are there people?", "is somebody in the picture?", "is anyone in the picture?"]
    texts += ["is a person visible?", "is there a person in the picture?", "is anybody here?"]
    return yes_no(random, texts, ever > 0, "presence")


@kind("presence_now", 0.6)
def presence_now(s, random):
    texts = [f"is {x} there now?" for x in SOMEBODY] + [f"is there {x} now?" for x in SOMEBODY]
    texts += ["are there people now?", "is somebody in the picture now?", "do you see a person now?"]
    if (s("sure_now") > 0) != (s("most_now") > 0):
        return None
    if random.random() < 0.35:
        return yes_no(
            random, ["is nobody there now?", "is no one there now?", "is it empty now?"], s("now") == 0, "absence now"
        )
    return yes_no(random, texts, s("now") > 0, "presence now")


@kind("absence", 1.3)
def absence(s, random):
    if not known(s("ever")):
        return None
    texts = ["is nobody there?", "is no one there?", "is nobody in the picture?", "is there nobody?"]
    texts += ["is the place empty?", "is the scene empty?", "is it empty?", "are there no people?", "is nobody here?"]
    return yes_no(random, texts, s("ever") == 0, "absence")


@kind("vehicle", 1.2)
def vehicle(s, random):
    ever, cars, big = s("vehicles_ever"), s("cars"), s("big_vehicles")
    dice = random.random()
    if dice < 0.45:
        noun, count, key = "car", cars, "car"
    elif dice < 0.55:
        noun, count, key = random.choice(("truck", "bus or truck")), big, "truck"
    else:
        noun, count, key = "vehicle", cars + big, "vehicle"
    if key == "car" and count == 0 and big > 0:
        return None  # a van may be called a car
    if key == "truck" and count == 0 and cars > 0 and random.random() < 0.5:
        return None
    if count == 0 and ever > 0 and key != "truck":
        return None
    return yes_no(random, exist_texts(noun), count > 0, f"vehicle {key}")


def exist_texts(noun: str) -> list[str]:
    a = article(noun)
    return [f"is there {a}?", f"can you see {a}?", f"do you see {a}?", f"is {a} visible?", f"is {a} there?",
            f"is {a} in the picture?"]  # fmt: skip


@kind("other", 1.2)
def other(s, random):
    group = random.choice(("bicycle", "bicycle", "motorcycle", "bird", "cat", "dog", "dog", "animal", "bag", "umbrella", "ball"))  # fmt: skip
    value = s(f"other_{group}")
    if not known(value):
        return None
    return yes_no(random, exist_texts(random.choice(OTHER_NAMES[group])), value > 0, f"other {group}")


@kind("animal", 0.4)
def animal(s, random):
    values = [s(f"other_{g}") for g in ("cat", "dog", "animal", "bird")]
    if not known(*values):
        return None
    texts = ["is there an animal?", "do you see an animal?", "can you see an animal?", "is an animal there?"]
    return yes_no(random, texts, sum(values) > 0, "animal")


@kind("count", 2.6)
def count(s, random):
    texts = ["how many people are there?", "how many people are there now?", "how many people do you see?",
             "how many people can you see?", "count the people.", "how many persons are there?",
             "how many people are in the picture?", "what is the number of people?"]  # fmt: skip
    now = counted(s, random)
    return None if now is None else Draft(random.choice(texts), NUMBERS[now], f"count={now}")


@kind("count_side", 0.8)
def count_side(s, random):
    side = random.choice(("left", "right"))
    value = s(side)
    if not known(value) or counted(s, random) is None:
        return None
    texts = [f"how many people are on the {side}?", f"how many people are in the {side} half?",
             f"how many people are on the {side} side?"]  # fmt: skip
    return Draft(random.choice(texts), NUMBERS[value], f"count side={value}")


@kind("count_vehicles", 0.5)
def count_vehicles(s, random):
    value = s("vehicles")
    texts = ["how many vehicles are there?", "how many cars are there?", "how many vehicles do you see?", "count the vehicles."]  # fmt: skip
    if s("big_vehicles"):
        texts = texts[::2]
    return Draft(random.choice(texts), NUMBERS[value], f"count vehicles={value}")


@kind("at_least", 1.6)
def at_least(s, random):
    now = s("now")
    n = min(9, max(1, now + random.choice((-2, -1, 0, 1, 2, 3)))) if random.random() < 0.7 else random.randint(1, 7)
    word = NUMBERS[n]
    more = random.random() >= 0.65
    if (s("sure_now") >= n + more) != (s("most_now") >= n + more):
        return None
    if not more:
        noun = "person" if n == 1 else "people"
        texts = [f"are there at least {word} {noun}?", f"can you see at least {word} {noun}?",
                 f"are {word} or more people there?", f"do you see at least {word} {noun}?"]  # fmt: skip
        return yes_no(random, texts, now >= n, f"at least {n}")
    texts = [f"are there more than {word} people?", f"do you see more than {word} people?"]
    return yes_no(random, texts, now > n, f"more than {n}")


@kind("side", 1.2)
def side(s, random):
    where = random.choice(("left", "right"))
    value = s(where)
    if not known(value):
        return None
    x = who(random)
    texts = [f"is {x} on the {where}?", f"is {x} on the {where} side?", f"is {x} in the {where} half?",
             f"is there {x} in the {where} half?", f"do you see {x} on the {where}?",
             f"is there {x} on the {where}?", f"is {x} in the {where} half of the picture?"]  # fmt: skip
    return yes_no(random, texts, value > 0, f"side {where}")


@kind("near", 0.8)
def near(s, random):
    x = who(random)
    if random.random() < 0.65:
        value, key = s("near"), "near"
        texts = [f"is {x} near the camera?", f"is {x} close to the camera?", f"is {x} nearby?", f"is {x} near?", f"is {x} close?"]  # fmt: skip
    else:
        value, key = s("far"), "far"
        texts = [f"is {x} far away?", f"is {x} in the distance?", f"is {x} far from the camera?"]
    return yes_no(random, texts, value > 0, key) if known(value) else None


@kind("walking", 2.0)
def walking(s, random):
    where = random.choice(("left", "right"))
    value = s(f"walk_{where}")
    if not known(value):
        return None
    x = who(random)
    texts = [f"is {x} walking to the {where}?", f"is {x} walking {where}?", f"is {x} moving to the {where}?",
             f"does {x} walk to the {where}?", f"is {x} going to the {where}?", f"did {x} walk to the {where}?",
             f"does {x} move {where}?"]  # fmt: skip
    return yes_no(random, texts, value > 0, f"walking {where}")


@kind("which_way", 0.6)
def which_way(s, random):
    left, right = s("walk_left"), s("walk_right")
    if not known(left, right) or (left > 0) == (right > 0):
        return None
    texts = ["does the person walk left or right?", "is the person walking left or right?", "which way does the person walk?",
             "do people walk to the left or to the right?", "is somebody walking left or right?"]  # fmt: skip
    return Draft(random.choice(texts), "left" if left else "right", "which way=left" if left else "which way=right")


@kind("count_walking", 0.6)
def count_walking(s, random):
    where = random.choice(("left", "right"))
    value = s(f"walk_{where}")
    if not known(value):
        return None
    texts = [f"how many people walk to the {where}?", f"how many people are walking to the {where}?"]
    return Draft(random.choice(texts), NUMBERS[value], f"count walking={value}")


@kind("depth", 0.6)
def depth(s, random):
    x = who(random)
    name = random.choice(("approaching", "retreating"))
    if not known(s(name)):
        return None
    if name == "approaching":
        texts = [f"is {x} coming closer?", f"is {x} walking toward the camera?", f"is {x} coming toward the camera?"]
        return yes_no(random, texts, s(name) > 0, name)
    texts = [f"is {x} walking away from the camera?", f"is {x} walking away?", f"is {x} going away?"]
    return yes_no(random, texts, s(name) > 0, name)


@kind("still", 1.2)
def still(s, random):
    value = s("paused")
    if not known(value):
        return None
    x = who(random)
    texts = [f"is {x} standing still?", f"is {x} standing?", f"does {x} stand still?", f"does {x} stay in place?",
             f"is {x} waiting?", f"is {x} not moving?"]  # fmt: skip
    return yes_no(random, texts, value > 0, "still")


@kind("moving", 0.8)
def moving(s, random):
    values = [s(k) for k in ("walk_left", "walk_right", "closer", "away", "entered", "gone")]
    if not known(*values) or (sum(values) == 0 and s("still") < s("now")):
        return None
    x = who(random)
    texts = [f"is {x} walking?", f"is {x} moving?", "are people walking around?", "are people moving?", f"does {x} walk?"]  # fmt: skip
    return yes_no(random, texts, sum(values) > 0, "moving")


@kind("came_in", 1.4)
def came_in(s, random):
    x = who(random)
    texts = [f"did {x} come in?", f"did {x} enter?", f"did {x} appear?", f"has {x} arrived?", f"did {x} arrive?",
             f"has {x} come in?", "did a new person appear?", f"did {x} come into the picture?"]  # fmt: skip
    return yes_no(random, texts, s("came") > 0, "came in") if known(s("came")) else None


@kind("went_out", 1.4)
def went_out(s, random):
    x = who(random)
    texts = [f"did {x} leave?", f"did {x} go out?", f"has {x} left?", f"did {x} go away?", f"did {x} disappear?",
             f"did {x} go out of the picture?", f"did {x} leave the picture?"]  # fmt: skip
    return yes_no(random, texts, s("went") > 0, "went out") if known(s("went")) else None


@kind("trend", 2.4)
def trend(s, random):
    before, now = s("first"), s("now")
    low, high = s("sure_now") - s("most_first"), s("most_now") - s("sure_first")  # least and most that were added
    dice = random.random()
    rise_clear, fall_clear = (low > 0) == (high > 0), (low < 0) == (high < 0)
    if not (rise_clear or 0.65 <= dice) or not (fall_clear or 0.3 <= dice < 0.65):
        return None
    if dice < 0.3:
        answer = "rises" if now > before else "falls" if now < before else "stays the same"
        texts = ["does the number of people rise, fall or stay the same?", "does the number of people rise or fall?",
                 "how does the number of people change?"]  # fmt: skip
        return Draft(random.choice(texts), answer, f"trend={answer}")
    if dice < 0.65:
        texts = ["are there more people now than at the start?", "did the number of people rise?", "are there more people now?",
                 "is the number of people rising?", "are there more people than before?", "does the number of people rise?"]  # fmt: skip
        return yes_no(random, texts, now > before, "rise")
    texts = ["are there fewer people now than at the start?", "did the number of people fall?", "are there fewer people now?",
             "is the number of people falling?", "are there fewer people than before?", "does the number of people fall?"]  # fmt: skip
    return yes_no(random, texts, now < before, "fall")


@kind("wearing", 2.0)
def wearing(s, random):
    if colourless(s, random):
        return None
    colour = random.choice(colours.NAMES[:6] + colours.NAMES[:7] + colours.NAMES + ("red", "white", "black"))
    upper, lower = s(f"upper_{colour}"), s(f"lower_{colour}")
    x, dice = who(random), random.random()
    if dice < 0.55:
        if max(upper, lower) <= 0 and not known(upper, lower):
            return None
        texts = [f"is {x} wearing {colour}?", f"is {x} dressed in {colour}?", f"do you see {x} in {colour}?",
                 f"does {x} wear {colour}?", f"is there {x} in {colour}?", f"does {x} wear {colour} clothes?"]  # fmt: skip
        return yes_no(random, texts, max(upper, lower) > 0, f"wearing {colour}")
    if dice < 0.8:
        texts = [f"is {x} wearing {article(colour)} top?", f"does {x} wear {article(colour)} jacket?",
                 f"is there a person with {article(colour)} jacket?", f"is {x} wearing {article(colour)} shirt?"]  # fmt: skip
        return yes_no(random, texts, upper > 0, f"top {colour}") if known(upper) else None
    texts = [f"is {x} wearing {colour} trousers?", f"does {x} wear {colour} trousers?"]
    return yes_no(random, texts, lower > 0, f"trousers {colour}") if known(lower) else None


@kind("vehicle_motion", 1.4)
def vehicle_motion(s, random):
    noun = random.choice(("car", "vehicle"))
    texts = {
        "parked": [f"is a {noun} parked?", f"is a {noun} parked there?", f"is there a parked {noun}?",
                   f"does a {noun} stand still?", f"is a {noun} standing still?"],
        "driving": [f"is a {noun} moving?", f"is a {noun} driving?", f"does a {noun} drive by?", f"is a {noun} driving by?"],
        "arrived": [f"did a {noun} arrive?", f"is a {noun} arriving?", f"has a {noun} come in?", f"did a {noun} come in?"],
        "departed": [f"did a {noun} leave?", f"is a {noun} leaving?", f"has a {noun} driven away?", f"did a {noun} drive away?"],
    }  # fmt: skip
    name = random.choice(("parked", "parked", "driving", "arrived", "departed"))
    return yes_no(random, texts[name], s(name) > 0, f"vehicle {name}")


@kind("vehicle_colour", 1.1)
def vehicle_colour(s, random):
    if colourless(s, random):
        return None
    paints = [c for c in colours.NAMES if s(f"paint_{c}") > 0]
    if random.random() < 0.55:
        if len(paints) != 1:
            return None
        noun = random.choice(("car", "vehicle"))
        texts = [
            f"what color is the {noun}?",
            f"which color does the {noun} have?",
            f"what is the color of the {noun}?",
        ]
        text = random.choice(texts)
        return Draft(text.replace("color", "colour") if random.random() < 0.4 else text, paints[0])
    colour = random.choice(colours.NAMES[:6])
    value = s(f"paint_{colour}")
    noun = random.choice(("car", "vehicle"))
    texts = [f"is there a {colour} {noun}?", f"is a {colour} {noun} visible?", f"do you see a {colour} {noun}?"]
    return yes_no(random, texts, value > 0, f"paint {colour}") if known(value) else None


@kind("light", 0.7)
def light(s, random):
    value = s("light")
    dice = random.random()
    if dice < 0.4:
        texts = ["is the picture bright, dim or dark?", "how is the light?", "is it bright, dim or dark?", "what is the light like?",
                 "is the light bright, dim or dark?", "how bright is it?"]  # fmt: skip
        return Draft(random.choice(texts), ("bright", "dim", "dark")[value], f"light={value}")
    if value == 1:
        return None
    if dice < 0.7:
        return yes_no(random, ["is it dark?", "is the picture dark?", "is it night?"], value == 2, "dark")
    return yes_no(random, ["is it bright?", "is it day?", "is the picture bright?"], value == 0, "bright")


@kind("caption", 1.4)
def describe(s, random):
    return Draft(random.choice(CAPTION_QUESTIONS), caption(s.state))
