"""It should know what it does not see: spoilt pictures, and questions about things that are not there."""

from collections import defaultdict

import numpy as np

from .. import footage
from ..photographs import Still
from .kinds import COLOURS, KINDS
from .metrics import Asked
from .model import Model
from .real import Views, media_of
from .receive import HEIGHT, WIDTH, Clip, fit
from .stills import SECONDS, TIMES

SPOILT = ("black", "covered", "blurred", "frozen", "stalled")
NOISE = {"black": 1.0, "covered": 2.0, "blurred": 2.0, "frozen": 0.0}
BLUR = 12.0  # sigma in pixels of the sent picture: nobody can be made out
HAND = 90.0
SCENES = (("full", 40.0), ("grass", 47.0), ("path_left", 55.0), ("front_right", 62.0), ("middle", 70.0))
ASKED = (
    "person_present nobody_there count at_least_three person_left_half person_near walking_left walking_right "
    "standing_still anyone_moving came_in went_out more_people wearing_red wearing_black vehicle_present "
    "vehicle_parked vehicle_moving vehicle_colour dog_present bicycle_present"
).split()
ABSENT = {  # question about a thing -> the kind that says whether it is there, and the answers
    "what colour is the car?": ("car_present", COLOURS),
    "what color is the vehicle?": ("vehicle_present", COLOURS),
    "what colour is the dog?": ("dog_present", COLOURS),
    "what colour is the cat?": ("cat_present", COLOURS),
    "what color is the bicycle?": ("bicycle_present", COLOURS),
    "what colour is the bird?": ("bird_present", COLOURS),
    "which way does the person walk?": ("person_present", ("left", "right")),
    "does the person walk left or right?": ("person_present", ("left", "right")),
}


def spoil(picture: np.ndarray, how: str, number: int, tint: np.ndarray) -> np.ndarray:
    """What a spoilt camera shows instead of a picture."""
    import cv2

    rng = np.random.default_rng(number)
    shown = picture.astype(np.float32)
    if how == "black":
        shown = shown * 0 + 2
    elif how == "covered":  # a hand or a cloth before the lens: its colour, and a little of where the light falls
        shown = tint * (0.8 + 0.4 * glow(shown)[..., None] / 255)
    elif how == "blurred":
        shown = cv2.GaussianBlur(shown, (0, 0), BLUR)
    noise = rng.normal(0, 1, (HEIGHT, WIDTH, 3)) * NOISE[how] if NOISE[how] else 0
    return (shown + noise).round().clip(0, 255).astype(np.uint8)


def glow(picture: np.ndarray) -> np.ndarray:
    """How bright it is about each place [H, W]; blurred so far that an eighth of the size does for it."""
    import cv2

    small = cv2.resize(picture.mean(2), (WIDTH // 8, HEIGHT // 8), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), HAND / 8), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)


TINTS = np.array(
    [(190, 140, 115), (70, 45, 35), (40, 42, 48), (150, 150, 145), (60, 80, 60), (120, 40, 40)], np.float32
)


def clips(stills: list[Still]) -> dict[str, Clip]:
    """Every scene of the footage and some photographs, spoilt in each way; of a stalled one what came is repeated."""
    crops = {v["name"]: tuple(v["crop"]) for v in footage_views()}
    shown = [s for s in stills if s.facts["people"][0] and s.facts["has"]][::4][:6]
    result = {}
    for how in SPOILT[:4]:
        for k, (view, start) in enumerate(SCENES):

            def film(view=view, start=start, how=how, k=k):
                first, count = round(start * footage.FRAMES_PER_SECOND), round(SECONDS * footage.FRAMES_PER_SECOND)
                held = None
                for number, picture in footage.read(first, first + count, 1, crops[view]):
                    held = fit(picture) if held is None or how != "frozen" else held
                    yield spoil(held, how, number, TINTS[k % len(TINTS)])

            result[f"{how}-{view}"] = Clip(film, f"{how} {crops[view]} {start} 2", keep=TIMES, moves=False)
        for k, still in enumerate(shown):
            if how == "black" and k > 1:
                continue

            def photo(still=still, how=how, k=k):
                picture = fit(still.picture())
                for number in range(round(SECONDS * footage.FRAMES_PER_SECOND)):
                    yield spoil(picture, how, 500 * k + number, TINTS[(k + 3) % len(TINTS)])

            key = f"{how} {still.facts['sha256']} {still.crop} {k} 2"
            result[f"{how}-{still.name}"] = Clip(photo, key, keep=TIMES, moves=False)
    return result


def footage_views() -> list[dict]:
    """The views of the hand-made truth."""
    from .truths import derive

    return derive().T["view"]


def spoilt_windows(views: Views) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """How it is spoilt, features and times of every spoilt window."""
    result = []
    for name in views.index:
        how = name.partition("-")[0]
        bank, times = views.features(name, list(TIMES))
        result.append((how, bank, times))
        if how == "frozen":  # the receiver repeats the last picture that came
            result.append(("stalled", np.repeat(bank[:1], len(bank), 0), times))
    views.save()
    return result


def judge_spoilt(model: Model, views: Views) -> dict:
    """Share of unsure answers by kind of damage, and the mean probability of `unclear`."""
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    questions = [(KINDS[k].texts[0], KINDS[k].answers) for k in ASKED if model.knows(KINDS[k].texts[0])]
    for how, bank, times in spoilt_windows(views):
        for reply in model.ask(questions, media_of(model, bank, times)):
            found[how].append((reply.unsure, reply.beside.get("unclear", 0.0)))
    return {
        how: {"n": len(v), "unsure": float(np.mean([u for u, _ in v])), "unclear": float(np.mean([p for _, p in v]))}
        for how, v in found.items()
    }


def judge_absent(model: Model, sources: list[tuple[Views, list[dict]]]) -> dict:
    """Share of unsure answers about things that are not there, and the mean probability of `none`."""
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for views, windows in sources:
        for window in windows:
            texts = [t for t, (kind, _) in ABSENT.items() if window["truth"].get(kind) is False and model.knows(t)]
            bank, times = views.features(window["view"], window["times"])
            questions = [(t, ABSENT[t][1]) for t in texts]
            for text, reply in zip(texts, model.ask(questions, media_of(model, bank, times))):
                found[text].append((reply.unsure, reply.beside.get("none", 0.0)))
        views.save()
    return {
        text: {"n": len(v), "unsure": float(np.mean([u for u, _ in v])), "none": float(np.mean([p for _, p in v]))}
        for text, v in found.items()
    }


CAMERA = {  # question about the camera -> where the answer is yes, and where it could be called either way
    "is the picture black?": (("black",), ("covered",)),
    "is the camera covered?": (("covered",), ("black",)),
    "is the picture blurred?": (("blurred",), ("covered", "frozen", "stalled")),
    "is the picture frozen?": (("frozen", "stalled"), ("black", "covered", "blurred")),
}


def judge_camera(model: Model, spoilt: Views, good: list[tuple[Views, list[dict]]]) -> dict | None:
    """Question -> where it was asked -> share of right answers; None where the model lacks the words."""
    texts = [t for t in CAMERA if model.knows(t)]
    found: dict[str, dict[str, list[bool]]] = {t: defaultdict(list) for t in texts}
    plain = [("good", *v.features(w["view"], w["times"])) for v, windows in good for w in windows]
    for how, bank, times in (spoilt_windows(spoilt) + plain) if texts else []:
        replies = model.ask([(t, ("yes", "no")) for t in texts], media_of(model, bank, times))
        for text, reply in zip(texts, replies):
            where, either = CAMERA[text]
            if how not in either:
                found[text][how].append((reply.best == "yes") == (how in where))
    return {t: {how: float(np.mean(v)) for how, v in rows.items()} for t, rows in found.items()} or None


def camera_table(figures: dict | None) -> str:
    """One line per question."""
    if figures is None:
        return "This model lacks the words: not asked."
    places = (*SPOILT, "good")
    lines = ["| | " + " | ".join(places) + " |", "|---" * (len(places) + 1) + "|"]
    for text, row in figures.items():
        lines.append(f"| {text} | " + " | ".join(f"{row[p]:.2f}" if p in row else "–" for p in places) + " |")
    return "\n".join(lines)


def good(asked: list[Asked]) -> dict[str, float]:
    """What is wrongly unsure on good pictures with a clear answer."""
    beside = {word: float(np.mean([a.beside.get(word, 0.0) for a in asked])) for word in ("unclear", "none")}
    return {"unsure": float(np.mean([a.unsure for a in asked])), **beside}


def table(figures: dict, word: str) -> str:
    """One line per damage or question, and the mean."""
    lines = [f"| | n | unsure | mean probability of `{word}` |", "|---|---|---|---|"]
    lines += [f"| {name} | {r['n']} | {r['unsure']:.2f} | {r[word]:.2f} |" for name, r in figures.items()]
    mean = float(np.mean([r["unsure"] for r in figures.values()]))
    return "\n".join([*lines, f"| **mean** | | **{mean:.2f}** | |"])
