"""Captions: a few plain sentences about people, vehicles, other things and the light.

In training a caption leaves facts out and gives numbers as "two or three" now and then, by chance. Greedy decoding
writes what is likeliest, so a share of hedged captions sets how sure the model must be before it states a fact.
"""

from random import Random

from ..sim import blindness, colours
from ..sim.truth import INDEX
from ..sim.world import PEOPLE, VEHICLES
from .words import NUMBERS, OTHER_NAMES

CAPTION_QUESTIONS = (
    "what happens?",
    "describe what happens.",
    "describe what you see.",
    "what do you see?",
    "what is happening?",
    "describe the scene.",
    "describe the picture.",
    "what is going on?",
    "tell me what happens.",
    "describe the image.",
    "what do you see in the picture?",
    "what can you see?",
    "what does the picture show?",
    "tell me what you see.",
)
WAYS = (("walk_left", " to the left"), ("walk_right", " to the right"), ("closer", " closer"), ("away", " away"))
NAMED = ("dog", "cat", "bicycle", "motorcycle", "bird", "animal")


# A fact that is left out with chance q is stated from a probability of 0.5 / (1 - q) on.
LEFT_OUT = {"still": 0.4, "parked": 0.1, "driving": 0.3, "paint": 0.25, "other": 0.42}
# A number is given with each of its neighbours in this share of captions, so alone where it is 4 times as likely as either.
WITH_A_NEIGHBOUR = 0.31


class Hedge:
    """What a caption leaves open; nothing without a source of chance."""

    def __init__(self, random: Random | None):
        self.random = random

    def states(self, fact: str) -> bool:
        """Whether a caption states a fact of this sort that it could state."""
        return self.random is None or self.random.random() >= LEFT_OUT[fact]

    def number(self, count: int, most: int) -> str:
        """A number above zero, at times with one of its neighbours: `two or three`."""
        dice = 1.0 if self.random is None else self.random.random()
        if dice < WITH_A_NEIGHBOUR and count < most:
            return f"{NUMBERS[count]} or {NUMBERS[count + 1]}"
        if WITH_A_NEIGHBOUR <= dice < 2 * WITH_A_NEIGHBOUR and count > 1:
            return f"{NUMBERS[count - 1]} or {NUMBERS[count]}"
        return NUMBERS[count]


def people(count: int, ever: int, hedge: Hedge) -> str:
    """Who is there in the newest frame; `ever`: somebody was there before."""
    if count == 0:
        return "nobody is there now" if ever else "nobody is there"
    number = hedge.number(count, PEOPLE)
    return f"{number} {'person' if number == NUMBERS[1] else 'people'}"


def vehicles(count: int, paint: str, what: str, hedge: Hedge) -> str:
    """How many vehicles do what; `paint` of a single one."""
    number = hedge.number(count, VEHICLES)
    return f"a {paint}vehicle is {what}" if number == NUMBERS[1] else f"{number} vehicles are {what}"


def caption(state, random: Random | None = None) -> str:
    """The caption of one scene: whole without `random`, else one of those to train on."""
    blind = int(state[INDEX["blind"]])
    if blind != blindness.SEES:
        return f"the {'camera' if blind == blindness.COVERED else 'picture'} is {blindness.NAMES[blind]}."
    hedge = Hedge(random)
    value = lambda name: max(int(state[INDEX[name]]), 0)  # noqa: E731
    sentences = [people(value("now"), value("ever"), hedge)]
    doing = []
    for name, where in WAYS:
        count = value(name)
        if count:
            doing.append(f"{NUMBERS[count]} {'walk' if count > 1 else 'walks'}{where}")
    still = value("still")
    if still and hedge.states("still"):
        doing.append(f"{NUMBERS[still]} {'stand' if still > 1 else 'stands'}")
    if doing:
        sentences.append(", ".join(doing))
    parked, driving = value("parked"), value("driving")
    paints = [c for c in colours.NAMES if value(f"paint_{c}")]
    known = len(paints) == 1 and parked + driving == 1 and hedge.states("paint")
    paint = f"{paints[0]} " if known else ""
    for count, fact, what in ((parked, "parked", "parked"), (driving, "driving", "moving")):
        if count and hedge.states(fact):
            sentences.append(vehicles(count, paint, what, hedge))
    others = [OTHER_NAMES[g][0] for g in NAMED if value(f"other_{g}") and hedge.states("other")]
    if others:
        sentences.append("there is " + " and ".join(f"a {o}" for o in others))
    if value("light") == 2:
        sentences.append("it is dark")
    return ". ".join(sentences) + "."
