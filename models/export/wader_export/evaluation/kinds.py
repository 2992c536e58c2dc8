"""The one table that maps kinds of the hand-written truth to wordings and answers."""

from dataclasses import dataclass

from ..questions.words import LIGHTS, NUMBERS, SECONDS
from ..sim import colours

YES_NO = ("yes", "no")
COLOURS = tuple(colours.NAMES)
CHANGE = ("rises", "falls", "stays the same")


@dataclass(frozen=True)
class Kind:
    """Wordings of a kind, its allowed answers, and the bar's group it belongs to."""

    texts: tuple[str, ...]
    answers: tuple[str, ...] = YES_NO
    group: str = ""


KINDS = {
    "person_present": Kind(
        ("is there a person?", "is anybody there?", "is somebody in the picture?"), group="presence"
    ),
    "person_now": Kind(("is a person there now?", "is somebody in the picture now?"), group="presence"),
    "nobody_there": Kind(("is nobody there?", "is the place empty?"), group="absence"),
    "count": Kind(("how many people are there?", "how many people do you see?"), tuple(NUMBERS)),
    "at_least_three": Kind(("are there at least three people?", "can you see at least three people?")),
    "person_left_half": Kind(("is a person in the left half?", "is anyone on the left?"), group="place"),
    "person_right_half": Kind(("is a person in the right half?", "is anyone on the right?"), group="place"),
    "person_near": Kind(("is a person near the camera?", "is somebody close to the camera?"), group="place"),
    "person_far": Kind(("is a person far away?", "is somebody in the distance?"), group="place"),
    "walking_left": Kind(("is someone walking to the left?", "is a person moving to the left?")),
    "walking_right": Kind(("is someone walking to the right?", "is a person moving to the right?")),
    "coming_closer": Kind(("is a person coming closer?", "is someone walking toward the camera?")),
    "standing_still": Kind(("is somebody standing still?", "is a person not moving?")),
    "anyone_moving": Kind(("is anyone moving?", "is somebody walking?")),
    "came_in": Kind(("did somebody come in?", "did someone enter?")),
    "went_out": Kind(("did somebody leave?", "has a person left?")),
    "more_people": Kind(("are there more people now than at the start?", "did the number of people rise?")),
    "fewer_people": Kind(("are there fewer people now than at the start?", "did the number of people fall?")),
    "count_change": Kind(
        ("does the number of people rise, fall or stay the same?", "how does the number of people change?"), CHANGE
    ),
    **{
        f"wearing_{colour}": Kind((f"is anyone wearing {colour}?", f"do you see a person in {colour}?"), group="colour")
        for colour in (
            "red",
            "white",
            "black",
            "blue",
            *(c for c in COLOURS if c not in ("red", "white", "black", "blue")),
        )
    },
    "vehicle_present": Kind(("is there a vehicle?", "is a vehicle visible?"), group="vehicle"),
    "car_present": Kind(("is there a car?", "is a car visible?"), group="vehicle"),
    "vehicle_parked": Kind(("is a vehicle parked?", "is a car parked?"), group="vehicle"),
    "vehicle_moving": Kind(("is a vehicle moving?", "is a car driving?"), group="vehicle"),
    "vehicle_colour": Kind(("what colour is the vehicle?", "what color is the car?"), COLOURS, "colour"),
    "light": Kind(("is the picture bright, dim or dark?", "how is the light?"), LIGHTS),
    "truck_present": Kind(("is there a bus or truck?", "do you see a truck?")),
    "bicycle_present": Kind(("is there a bicycle?", "do you see a bike?")),
    "motorcycle_present": Kind(("is there a motorcycle?", "do you see a motorbike?")),
    "animal_present": Kind(("is there an animal?", "do you see an animal?")),
    "bird_present": Kind(("is there a bird?", "do you see a bird?")),
    "cat_present": Kind(("is there a cat?", "do you see a cat?")),
    "dog_present": Kind(("is there a dog?", "do you see a dog?")),
    "large_animal_present": Kind(("is there a large animal?", "do you see a large animal?")),
    "bag_present": Kind(("is there a bag?", "do you see a bag?")),
    "umbrella_present": Kind(("is there an umbrella?", "do you see an umbrella?")),
    "ball_present": Kind(("is there a ball?", "do you see a ball?")),
    "when_came": Kind(("how many seconds ago did somebody come in?",), tuple(SECONDS)),
    "when_left": Kind(("how many seconds ago did somebody leave?",), tuple(SECONDS)),
}


def answer_of(kind: Kind, truth) -> str | None:
    """The truth in the answer's words; None where it is unclear."""
    if truth is None:
        return None
    if kind.answers == YES_NO:
        return "yes" if truth else "no"
    if kind.answers[: len(NUMBERS)] == tuple(NUMBERS):
        if truth == "none":
            return truth
        return kind.answers[int(truth)] if int(truth) < len(kind.answers) else None
    word = str(truth).lower().replace("grey", "gray")
    return word if word in kind.answers else None
