"""Captions: a few plain sentences about people, vehicles, other things and the light."""

from ..sim import blindness, colours
from ..sim.truth import INDEX
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


def caption(state) -> str:
    """The caption of one scene."""
    blind = int(state[INDEX["blind"]])
    if blind != blindness.SEES:
        return f"the {'camera' if blind == blindness.COVERED else 'picture'} is {blindness.NAMES[blind]}."
    value = lambda name: max(int(state[INDEX[name]]), 0)  # noqa: E731
    now = value("now")
    empty = "nobody is there now" if value("ever") else "nobody is there"
    sentences = [empty if now == 0 else "one person" if now == 1 else f"{NUMBERS[now]} people"]
    doing = []
    for name, where in WAYS:
        count = value(name)
        if count:
            doing.append(f"{NUMBERS[count]} {'walk' if count > 1 else 'walks'}{where}")
    still = value("still")
    if still:
        doing.append(f"{NUMBERS[still]} {'stand' if still > 1 else 'stands'}")
    if doing:
        sentences.append(", ".join(doing))
    parked, driving = value("parked"), value("driving")
    paints = [c for c in colours.NAMES if value(f"paint_{c}")]
    paint = f"{paints[0]} " if len(paints) == 1 and parked + driving == 1 else ""
    for count, what in ((parked, "parked"), (driving, "moving")):
        if count == 1:
            sentences.append(f"a {paint}vehicle is {what}")
        elif count:
            sentences.append(f"{NUMBERS[count]} vehicles are {what}")
    others = [OTHER_NAMES[g][0] for g in NAMED if value(f"other_{g}")]
    if others:
        sentences.append("there is " + " and ".join(f"a {o}" for o in others))
    if value("light") == 2:
        sentences.append("it is dark")
    return ". ".join(sentences) + "."
