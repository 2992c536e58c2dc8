"""Clips made of real photographs, and what is true of them: `tests/footage/stills.toml`, written by hand."""

import numpy as np

from .. import footage
from ..photographs import Still
from ..sim import colours
from .receive import HEIGHT, WIDTH, Clip, fit

SECONDS = 8.0
TIMES = tuple(round(0.9 + k, 1) for k in range(8))  # one window of each clip
NOISE = 2.5  # of the sensor, in grey levels a picture
DARK_GAIN, DARK_NOISE = (0.25, 0.4), 2.5
PAN = 0.08  # a panning camera loses so much of the picture at each side
TOO_DARK = 100  # mean grey level below which a photograph is not darkened further: nobody could tell what it shows
MODES = ("still", "panned", "darkened")

FACTS = {  # fact of the file -> kind of question
    "left": "person_left_half", "right": "person_right_half", "near": "person_near", "far": "person_far",
    "standing": "standing_still", "vehicle": "vehicle_present", "car": "car_present", "truck": "truck_present",
    "parked": "vehicle_parked", "bicycle": "bicycle_present", "motorcycle": "motorcycle_present",
    "bird": "bird_present", "cat": "cat_present", "dog": "dog_present", "large_animal": "large_animal_present",
    "any_animal": "animal_present", "bag": "bag_present", "umbrella": "umbrella_present", "ball": "ball_present",
}  # fmt: skip
MOTION = (
    "walking_left walking_right coming_closer anyone_moving came_in went_out more_people fewer_people vehicle_moving"
).split()
PLACE = ("person_left_half", "person_right_half", "person_near", "person_far")
PEOPLE = ("person_present", "person_now", "nobody_there", "count", "at_least_three", "standing_still", *PLACE)
VEHICLES = ("vehicle_present", "car_present", "truck_present", "vehicle_parked", "vehicle_colour")


def truth(facts: dict, mode: str) -> dict:
    """Kind of question -> answer (None: unclear) for a clip of one mode."""
    least, most = facts["people"]
    unclear = set(facts.get("unclear", ()))
    unclear |= {"parked"} if "vehicle" in unclear else set()
    some = True if least else False if most == 0 else None
    result = {
        "person_present": some,
        "person_now": some,
        "nobody_there": None if some is None else not some,
        "count": least if least == most else None,
        "at_least_three": True if least >= 3 else False if most < 3 else None,
    }
    for fact, kind in FACTS.items():
        result[kind] = None if fact in unclear else fact in facts["has"]
    doubt = facts.get("wears_unclear", ())
    for colour in colours.NAMES:
        worn = colour in facts.get("wears", ())
        result[f"wearing_{colour}"] = True if worn else None if colour in doubt or "any" in doubt else False
    result["vehicle_colour"] = facts.get("vehicle_colour")
    result["light"] = facts.get("light")
    result["people"] = [least, most]
    if mode == "still":
        result |= dict.fromkeys(MOTION, False)
        result["count_change"] = "stays the same" if least == most else None
    if mode == "panned":
        result |= dict.fromkeys((*PLACE, "standing_still", "vehicle_parked"))
        edge = facts.get("edge", ())
        result |= dict.fromkeys((*PEOPLE, "people") if "people" in edge else ())
        result |= dict.fromkeys(VEHICLES if "vehicle" in edge else ())
    if mode == "darkened":  # one cannot tell how dark it looks, nor colours
        result |= dict.fromkeys(["light", "vehicle_colour", *(f"wearing_{c}" for c in colours.NAMES)])
    return result


def noisy(picture: np.ndarray, sigma: float, noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture with sensor noise: a piece of a large table of it, another for each picture."""
    y, x = rng.integers(0, noise.shape[0] - HEIGHT), rng.integers(0, noise.shape[1] - WIDTH)
    part = noise[y : y + HEIGHT, x : x + WIDTH]
    return (picture + part * np.float32(sigma)).round().clip(0, 255).astype(np.uint8)


def pictures(still: Still, mode: str, seed: int):
    """What a camera before the photograph shows."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (HEIGHT + 64, WIDTH + 64, 3)).astype(np.float32)
    picture = fit(still.picture())
    gain = rng.uniform(*DARK_GAIN) if mode == "darkened" else 1.0
    from_left = rng.random() < 0.5
    count = round(SECONDS * footage.FRAMES_PER_SECOND)
    for number in range(count):
        shown = picture
        if mode == "panned":
            part = number / (count - 1)
            shift = PAN * (part if from_left else 1 - part)
            left, top = round(shift * WIDTH), round(PAN / 2 * HEIGHT)
            width, height = round((1 - PAN) * WIDTH), round((1 - PAN) * HEIGHT)
            shown = fit(picture[top : top + height, left : left + width])
        yield noisy(shown.astype(np.float32) * gain, DARK_NOISE if mode == "darkened" else NOISE, noise, rng)


def modes(still: Still) -> tuple[str, str]:
    """Every photograph stands still; every second one is also panned over, the others are darkened."""
    dark = still.number % 2 and fit(still.picture()).mean() >= TOO_DARK
    return "still", "darkened" if dark else "panned"


def clips(stills: list[Still]) -> dict[str, Clip]:
    """The clips of all photographs by name."""
    result = {}
    for still in stills:
        for mode in modes(still):

            def make(still=still, mode=mode):
                return pictures(still, mode, 1000 + still.number)

            key = f"{mode} {still.facts['sha256']} {still.frame} {still.crop} {still.number} 1"
            result[f"{still.name}-{mode}"] = Clip(make, key, keep=TIMES, moves=False)
    return result


def windows(stills: list[Still]) -> list[dict]:
    """One window of every clip, in the form that the footage has."""
    result = []
    for still in stills:
        for mode in modes(still):
            name = f"{still.name}-{mode}"
            result.append(
                {"id": name, "view": name, "mode": mode, "times": list(TIMES), "truth": truth(still.facts, mode)}
            )
    return result
