"""What is true of a world: whole numbers that questions and the training-only state head read.

`UNCLEAR` marks what a person could call either way (someone half in the left half, a short shuffle sideways);
no question is asked about it and no loss is taken. "Now" is the newest present frame, "first" the oldest.
"""

from dataclasses import dataclass

import numpy as np

from .. import layout
from . import blindness, colours, events
from .world import DARK, NECK, STARTS, STOPS, O, P, V, World

UNCLEAR = -100
MOST = 11  # counts are cut here
STANDS, LEFT, RIGHT, CLOSER, AWAY, UNKNOWN = range(6)

NEAR, NEAR_UNCLEAR = 0.28, 0.22  # heights of a near person, as parts of the picture
FAR, FAR_UNCLEAR = 0.12, 0.15

WIDE_CLOTH = 0.12  # cloth that is so tall in the picture shows its colour, however small its part of the body

OTHER_GROUPS = (1, 2, 5, 6, 7, 8, 9, 10, 11)
COUNTS = (
    "now first left right walk_left walk_right closer away still entered gone near far vehicles "
    "vehicles_first parked driving arrived departed cars big_vehicles vehicles_ever light blind came_bucket went_bucket"
).split()
HEADS = (
    COUNTS
    + [f"upper_{c}" for c in colours.NAMES]
    + [f"lower_{c}" for c in colours.NAMES]
    + [f"paint_{c}" for c in colours.NAMES]
    + [f"other_{layout.GROUP_NAMES[g]}" for g in OTHER_GROUPS]
)
# for questions only, without a state head: people seen at all, coming closer or going away in whatever direction,
# standing a while; how many there are surely and at most, who surely came in and went out
# (`sure_walk_left` ... at most); seconds since somebody came in and left
EXTRA = (
    "ever approaching retreating paused sure_now most_now sure_first most_first came went "
    "most_walk_left most_walk_right came_ago went_ago sure_vehicles most_vehicles infrared"
).split()
INDEX = {name: i for i, name in enumerate(HEADS + EXTRA)}


@dataclass
class Truth:
    """`state` [B, heads + extra] for questions; the rest, [B, N(, T)], for the loss on single tokens."""

    state: np.ndarray
    direction: np.ndarray
    enters: np.ndarray
    leaves: np.ndarray
    velocity: np.ndarray  # [B, N, T, 2] in picture heights a second


def at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """values[b, n, index[b, n]]."""
    return np.take_along_axis(values, index[..., None], 2)[..., 0]


def directions(world: World, seen: np.ndarray):
    """Direction of each thing over the frames in which it is seen, whether it moved, unclear sideways moves."""
    frames = seen.shape[2]
    first, last = seen.argmax(2), frames - 1 - seen[:, :, ::-1].argmax(2)
    dx = at(world.centre, last) - at(world.centre, first)
    aspect = world.aspect[:, None]
    dy = (at(world.foot, last) - at(world.foot, first)) / aspect
    before, after = at(world.height, first), at(world.height, last)
    size = (before + after) / 2 / aspect
    growth = np.abs(np.log(np.maximum(after, 1e-4) / np.maximum(before, 1e-4)))
    moved = (np.hypot(dx, dy) > 0.35 * size) | (growth > 0.15)
    side = (np.abs(dx) > 0.3 * size) & (np.abs(dx) > 0.025) & (np.abs(dx) > 0.8 * np.abs(dy))
    way = np.where(side, np.where(dx < 0, LEFT, RIGHT), np.where(after > before, CLOSER, AWAY))
    way = np.where(moved, way, STANDS)
    way = np.where(seen.sum(2) < 2, UNKNOWN, way)
    unclear = (np.abs(dx) > 0.2 * size) & (np.abs(dx) > 0.02) & (way != LEFT) & (way != RIGHT)
    return way, moved, dx, unclear


def truth(world: World) -> Truth:
    """The truth of a batch."""
    seen, inside = world.visible, world.in_picture
    batch, _, frames = seen.shape
    state = np.zeros((batch, len(INDEX)), int)
    oldest = np.broadcast_to(world.present.argmax(1)[:, None], seen.shape[:2])
    now, first = seen[:, :, -1], at(seen, oldest)
    times_seen = seen.sum(2)
    way, moved, dx, unclear = directions(world, seen)

    def put(name, values, most=MOST, unless=None):
        values = np.minimum(values, most)
        state[:, INDEX[name]] = values if unless is None else np.where(unless, UNCLEAR, values)

    people = lambda a: a[:, P].sum(1)  # noqa: E731
    put("now", people(now))
    put("first", people(first))
    x, maybe = world.centre[:, :, -1], perhaps_seen(world)
    middle = people(now & (np.abs(x - 0.5) < 0.025)) > 0
    in_part = world.box[:, :, -1, [0, 2]].clip(0, 1).mean(-1)  # where somebody shows of whom the picture holds a part
    for name, own, shows in (("left", x < 0.5, in_part < 0.525), ("right", x >= 0.5, in_part > 0.475)):
        there = people(now & own)
        put(name, there, unless=middle | ((there == 0) & (people(maybe[:, :, -1] & ~now & shows) > 0)))

    often = times_seen >= 2
    for name, which, toward in (("walk_left", LEFT, dx < 0), ("walk_right", RIGHT, dx > 0)):
        sure = people(often & (way == which))
        doubtful = people(often & unclear & toward)
        put(name, sure, unless=(sure == 0) & (doubtful > 0))
        put(f"most_{name}", sure + doubtful)
    put("closer", people(often & (way == CLOSER)))
    put("away", people(often & (way == AWAY)))
    spread, pause, half = spreads(world, seen)
    stands = (spread < 0.16) & (times_seen >= 3)
    still = people(stands)
    doubtful = (people(often & ((spread < 0.35) | (way == STANDS)) & ~stands) > 0) | (people((pause < 0.2) | (half < 0.18)) > 0)
    put("still", still, unless=(still == 0) & doubtful)
    put("paused", people(stands | (pause < 0.16)), unless=(people(stands | (pause < 0.16)) == 0) & doubtful)
    depth(world, seen, put, people)
    least = np.minimum(2, world.present.sum(1))[:, None]
    ever = people(times_seen >= least)
    put("ever", ever, unless=(ever == 0) & (people(world.inside.max(2) > 0.1) > 0))

    enters = ~at(inside, oldest) & (times_seen >= 1)
    leaves = ~inside[:, :, -1] & (times_seen >= 1)
    put("entered", people(enters))
    put("gone", people(leaves))

    doubts(world, seen, oldest, put, people)

    tall = world.height[:, :, -1]
    visible = tall * (1 - world.covered)
    near, far = people(now & (visible > NEAR)), people(now & (tall < FAR))
    put("near", near, unless=(near == 0) & (people(now & (tall > NEAR_UNCLEAR)) > 0))
    put("far", far, unless=(far == 0) & (people(now & (visible < FAR_UNCLEAR)) > 0))

    big = (world.height * seen).max(2) > 0.09
    above, below = world.cut
    cloth = {"upper": np.minimum(1 - below, 0.5) - np.maximum(above, NECK), "lower": 1 - below - np.maximum(above, 0.5)}
    shown = {name: ((part > 0.17) | (part * world.height > WIDE_CLOTH)) & seen for name, part in cloth.items()}
    for name, worn in (("upper", world.upper), ("lower", world.lower)):
        clear = (shown[name].sum(2) >= 2) | shown[name][:, :, -1]
        rival = getattr(world, f"{name}_vague")
        for c, colour in enumerate(colours.NAMES):
            own = (worn == c) & ((rival < 0) | (rival >= colours.ALSO))
            sure = people((own | (getattr(world, f"{name}_second") == c)) & clear & big)
            perhaps = people(((worn == c) | (rival % colours.ALSO == c)) & maybe.any(2))
            put(f"{name}_{colour}", sure, 2, (sure == 0) & (perhaps > 0))

    vehicles = lambda a: a[:, V].sum(1)  # noqa: E731
    put("vehicles", vehicles(now))
    put("vehicles_first", vehicles(first))
    put("vehicles_ever", vehicles(times_seen > 0), unless=(vehicles(times_seen > 0) == 0) & (vehicles(maybe.any(2)) > 0))
    parks = vehicles(often & (~moved | (pause < 0.16)))
    put("parked", parks, unless=(parks == 0) & (vehicles(often & (half < 0.18)) > 0))
    put("driving", vehicles(often & moved))
    for name, edge, turns in (("arrived", at(world.inside, oldest), STOPS), ("departed", world.inside[:, :, -1], STARTS)):
        passed = vehicles(often & (edge < 0.08))
        perhaps = vehicles(often & ((edge < 0.5) | ((world.motion == turns) & moved)))
        put(name, passed, unless=(passed == 0) & (perhaps > 0))
    put("cars", vehicles(often & (world.kind == layout.CAR)))
    put("big_vehicles", vehicles(often & (world.kind == layout.BIG_VEHICLE)))
    for c, colour in enumerate(colours.NAMES):
        sure = vehicles(often & (world.upper == c) & (world.upper_vague < 0))
        perhaps = vehicles(((world.upper == c) | (world.upper_vague == c)) & maybe.any(2))
        put(f"paint_{colour}", sure, 2, (sure == 0) & (perhaps > 0))

    clear = often & ((world.height * seen).max(2) > 0.035)
    for group in OTHER_GROUPS:
        own = world.kind[:, O] == group
        sure = (own & clear[:, O]).sum(1)
        put(f"other_{layout.GROUP_NAMES[group]}", sure, 2, (sure == 0) & ((own & maybe[:, O].any(2)).sum(1) > 0))
    put("light", world.light, unless=world.infrared)
    put("infrared", world.infrared.astype(int))
    blind_truth(world, state)
    return Truth(state, way, enters, leaves, velocity(world))


def spreads(world: World, seen: np.ndarray):
    """How far each thing gets about, in its own heights: over all frames seen, and over the best run of most and of half of the
    frames."""
    aspect = world.aspect[:, None, None]
    frames = seen.shape[2]
    size = np.maximum(world.height.mean(2) / aspect[..., 0], 1e-3)

    def extent(first: int, last: int):
        part = seen[:, :, first:last]
        spans = []
        for a in (world.centre[:, :, first:last], world.foot[:, :, first:last] / aspect):
            spans.append(np.where(part, a, -1e3).max(2) - np.where(part, a, 1e3).min(2))
        return np.maximum(*spans) / size, part.sum(2)

    whole, _ = extent(0, frames)

    def best(share: float):
        run = max(3, int(np.ceil(share * frames)))
        least = np.full(whole.shape, 1e3)
        for first in range(frames - run + 1):
            span, count = extent(first, first + run)
            least = np.where(count == run, np.minimum(least, span), least)
        return least

    return np.where(seen.any(2), whole, 1e3), best(0.7), best(0.5)


def perhaps_seen(world: World) -> np.ndarray:
    """What a looker might see a part of [B, N, T], though it be half outside, half hidden or tiny."""
    return (world.inside > 0.08) & (world.hidden < 0.9) & (world.height > 0.03) & world.present[:, None]


def doubts(world: World, seen: np.ndarray, oldest: np.ndarray, put, people) -> None:
    """What a person looking at the frames would call unclear: who is half in the picture, half hidden, or tiny."""
    sure = seen & (world.inside > 0.5) & (world.hidden < 0.5) & (world.height > 0.055)
    maybe = perhaps_seen(world)
    for name, a, b in (("now", sure[:, :, -1], maybe[:, :, -1]), ("first", at(sure, oldest), at(maybe, oldest))):
        put(f"sure_{name}", people(a))
        put(f"most_{name}", people(b))
    for name, a in (("sure_vehicles", sure), ("most_vehicles", maybe)):
        put(name, a[:, V, -1].sum(1))
    inside = (world.inside > 0.08) & world.present[:, None]
    for name, edge, ever in (("came", at(inside, oldest), sure), ("went", inside[:, :, -1], sure)):
        clear = people(~edge & ever.any(2))
        half = at(world.inside, oldest) if name == "came" else world.inside[:, :, -1]
        perhaps = people((half < 0.5) & maybe.any(2))
        put(name, clear, unless=(clear == 0) & (perhaps > 0))
        ago, unclear = events.when(world, inside, ~edge & ever.any(2), name == "went")
        unclear |= perhaps > clear
        put(f"{name}_ago", ago, events.NEVER, unclear)
        put(f"{name}_bucket", events.bucket(ago), unless=unclear)


def blind_truth(world: World, state: np.ndarray) -> None:
    """Of a camera that shows nothing only that is known, and the light of a picture that is merely black."""
    blind = world.blindness
    light = state[:, INDEX["light"]].copy()
    state[blind != blindness.SEES] = UNCLEAR
    state[:, INDEX["blind"]] = blind
    known = np.isin(blind, (blindness.SEES, blindness.BLURRED, blindness.FROZEN))
    light = np.where(blind == blindness.BLACK, DARK, light)
    state[:, INDEX["light"]] = np.where(known | (blind == blindness.BLACK), light, UNCLEAR)


def depth(world: World, seen: np.ndarray, put, people) -> None:
    """People who come closer or go away, also when they walk sideways on the whole."""
    frames = seen.shape[2]
    first, last = seen.argmax(2), frames - 1 - seen[:, :, ::-1].argmax(2)
    before, after = at(world.height, first).clip(1e-4), at(world.height, last).clip(1e-4)
    down = (at(world.foot, last) - at(world.foot, first)) / np.maximum((before + after) / 2, 1e-3)
    often = seen.sum(2) >= 2
    for name, sign in (("approaching", 1), ("retreating", -1)):
        growth = sign * np.log(after / before)
        sure = people(often & (sign * down > 0.3) & (growth > 0.1))
        maybe = people(often & (sign * down > 0.12) & (growth > 0.05))
        put(name, sure, unless=(sure == 0) & (maybe > 0))


def velocity(world: World) -> np.ndarray:
    """Speed of centre and foot, in the thing's own heights a second."""
    if world.times.shape[1] < 2:
        return np.zeros((*world.centre.shape, 2))
    step = np.gradient(np.broadcast_to(world.times[:, None], world.centre.shape), axis=2)
    speed = [np.gradient(a, axis=2) / np.maximum(step, 1e-3) for a in (world.centre, world.foot)]
    return (np.stack(speed, -1) / np.maximum(world.height, 0.03)[..., None]).clip(-2, 2)
