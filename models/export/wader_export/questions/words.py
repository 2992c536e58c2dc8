"""Words that several kinds of question share."""

from random import Random

NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
SECONDS = [*NUMBERS, *(str(n) for n in range(len(NUMBERS), 61))]  # how long ago, up to a minute
LIGHTS = ("bright", "dim", "dark")
GRAYS = ("gray", "gray", "grey")  # how one colour is written
NONE = "none"  # there is no such thing
UNCLEAR_ANSWER = "unclear"  # the picture shows too little to tell

SOMEBODY = ("a person", "somebody", "someone", "anybody", "anyone", "a human", "a pedestrian", "a visitor")
SOMEBODY_WEIGHT = (6, 5, 5, 5, 5, 1, 1, 1)

OTHER_NAMES = {
    "bicycle": ("bicycle", "bike"),
    "motorcycle": ("motorcycle", "motorbike"),
    "bird": ("bird",),
    "cat": ("cat",),
    "dog": ("dog",),
    "animal": ("large animal", "horse or cow"),
    "bag": ("bag",),
    "umbrella": ("umbrella",),
    "ball": ("ball",),
}

# Where a user's camera looks. The model reads them as the whole view: it cannot tell a door from a wall.
PLACES = (
    "at the door", "at the front door", "at the back door", "in front of the door", "in front of the house",
    "behind the house", "at the house", "in the yard", "in the back yard", "in the garden", "on the lawn", "outside",
    "on the street", "on the road", "in the driveway", "on the driveway", "on the sidewalk", "on the path",
    "in the parking lot", "in the car park", "in the garage", "at the gate", "at the entrance", "on the porch",
    "on the terrace", "on the stairs", "in the room", "in the living room", "in the kitchen", "in the office",
    "in the hall", "in the shop", "in the store", "in the warehouse", "in the workshop", "in the stable",
    "in the scene", "in the image", "in the video", "in the camera view", "on the camera", "here",
)  # fmt: skip


def written(random: Random, colour: str) -> str:
    """A colour as one of those writes it who speak of it."""
    return random.choice(GRAYS) if colour == "gray" else colour


def article(noun: str) -> str:
    """The noun with a or an."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(noun: str) -> str:
    """Several of a thing."""
    return {"bus or truck": "buses or trucks", "horse or cow": "horses or cows"}.get(noun, f"{noun}s")
