"""Hand-written rules on the detector's boxes: what one would write without a Flamingo."""

import numpy as np

from .. import layout
from ..questions.words import NUMBERS
from ..sim import colours

PERSON_HEIGHT, VEHICLE_HEIGHT, OTHER_HEIGHT = 0.5, 0.35, 0.45
WORN = 0.2  # of the samples of somebody's half; the best for simulated scenes by daylight
NEAR, FAR, STILL, SIDEWAYS = 0.28, 0.12, 0.35, 0.35


def boxes(frame: np.ndarray, groups, lowest: float) -> np.ndarray:
    """Tokens of a frame whose best heat is one of `groups` and high enough."""
    objects = frame[: layout.OBJECTS]
    heats = objects[:, layout.HEATS]
    keep = (objects[:, layout.VALID] > 0) & np.isin(heats.argmax(1), groups) & (heats.max(1) > lowest)
    return objects[keep]


def foot(tokens: np.ndarray) -> np.ndarray:
    """Centre and foot of boxes."""
    return np.stack([(tokens[:, 0] + tokens[:, 2]) / 2, tokens[:, 3]], 1)


def tracks(frames: np.ndarray, groups, lowest: float) -> list[list[tuple[int, np.ndarray]]]:
    """Boxes of neighbouring frames linked by the nearest foot, in box heights."""
    live: list[list[tuple[int, np.ndarray]]] = []
    for number, frame in enumerate(frames):
        found = list(boxes(frame, groups, lowest))
        for track in live:
            if number - track[-1][0] > 2 or not found:
                continue
            last = track[-1][1]
            size = max(last[3] - last[1], 0.03)
            away = [np.abs(foot(f[None])[0] - foot(last[None])[0]).sum() / size for f in found]
            if min(away) < 2.0 * (number - track[-1][0]):
                track.append((number, found.pop(int(np.argmin(away)))))
        live += [[(number, f)] for f in found]
    return live


def moves(track) -> tuple[float, float]:
    """Shift sideways and in all, in box heights."""
    (_, a), (_, b) = track[0], track[-1]
    size = (a[3] - a[1] + b[3] - b[1]) / 2
    shift = (foot(b[None]) - foot(a[None]))[0] / max(size, 0.03)
    return float(shift[0]), float(np.abs(shift).sum())


def comes_closer(track) -> bool:
    """Lower in the picture and taller at the end."""
    (_, a), (_, b) = track[0], track[-1]
    before, after = max(a[3] - a[1], 0.03), max(b[3] - b[1], 0.03)
    return bool((b[3] - a[3]) / before > 0.3 and after / before > 1.1)


def colour_of(rgb: np.ndarray) -> str:
    """The nearest colour word, brightness counted less than hue."""
    away = colours.RGB - rgb
    return colours.NAMES[int((away - 0.5 * away.mean(1, keepdims=True)).__pow__(2).sum(1).argmin())]


def answers(frames: np.ndarray) -> dict[str, str]:
    """Answers of every kind for a window of features [frames, V, D]."""
    people = [boxes(f, (layout.PERSON,), PERSON_HEIGHT) for f in frames]
    now, first = people[-1], people[0]
    ever = len(now) > 0 or sum(len(p) > 0 for p in people) > 1
    place = foot(now)[:, 0] if len(now) else np.zeros(0)
    walks = [t for t in tracks(frames, (layout.PERSON,), PERSON_HEIGHT) if len(t) > 1]
    shifts = [moves(t) for t in walks]
    halves = [p[half] for f in people for p in f for half in (layout.UPPER_WORDS, layout.LOWER_WORDS)]
    most = np.max(halves, 0) if halves else np.zeros(layout.COLOUR_WORDS)
    worn = {colour for colour, share in zip(colours.NAMES, most, strict=False) if share > WORN}
    kinds = (layout.CAR, layout.BIG_VEHICLE)
    vehicles = [t for t in tracks(frames, kinds, VEHICLE_HEIGHT) if len(t) > 1]
    light = float(frames[-1, layout.OBJECTS, layout.MEAN_RGB].mean())
    seen = lambda group: any(len(boxes(f, (group,), OTHER_HEIGHT)) for f in frames)  # noqa: E731
    last = len(frames) - 1
    truth = {
        "person_present": ever,
        "nobody_there": not ever,
        "at_least_three": len(now) >= 3,
        "person_left_half": bool((place < 0.5).any()),
        "person_right_half": bool((place >= 0.5).any()),
        "person_now": len(now) > 0,
        "person_far": bool(((now[:, 3] - now[:, 1]) < FAR).any()) if len(now) else False,
        "coming_closer": any(comes_closer(t) for t in walks),
        "person_near": bool(((now[:, 3] - now[:, 1]) > NEAR).any()) if len(now) else False,
        "walking_left": any(s < -SIDEWAYS for s, _ in shifts),
        "walking_right": any(s > SIDEWAYS for s, _ in shifts),
        "standing_still": any(m < STILL for _, m in shifts),
        "anyone_moving": any(m > STILL for _, m in shifts),
        "came_in": any(t[0][0] > 0 for t in walks),
        "went_out": any(t[-1][0] < last for t in walks),
        "more_people": len(now) > len(first),
        "fewer_people": len(now) < len(first),
        "vehicle_present": bool(vehicles),
        "car_present": bool(vehicles),
        "vehicle_parked": any(moves(t)[1] < STILL for t in vehicles),
        "vehicle_moving": any(moves(t)[1] > STILL for t in vehicles),
        "truck_present": any(len(boxes(f, (layout.BIG_VEHICLE,), VEHICLE_HEIGHT)) for f in frames),
        "animal_present": any(seen(g) for g in (layout.DOG, layout.CAT, layout.ANIMAL, layout.BIRD)),
        "large_animal_present": seen(layout.ANIMAL),
    }
    result = {kind: "yes" if value else "no" for kind, value in truth.items()}
    for name in ("bicycle", "motorcycle", "bird", "cat", "dog", "bag", "umbrella", "ball"):
        result[f"{name}_present"] = "yes" if seen(layout.GROUP_NAMES.index(name)) else "no"
    for colour in colours.NAMES:
        result[f"wearing_{colour}"] = "yes" if colour in worn else "no"
    change = len(now) - len(first)
    result["count_change"] = "rises" if change > 0 else "falls" if change < 0 else "stays the same"
    result["count"] = NUMBERS[min(len(now), 12)]
    paint = colour_of(vehicles[0][-1][1][layout.LOWER]) if vehicles else "white"
    result["vehicle_colour"] = paint
    result["light"] = "dark" if light < 0.1 else "dim" if light < 0.2 else "bright"
    return result
