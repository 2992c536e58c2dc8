"""People, vehicles and other things on a ground plane before one fixed camera: paths, boxes, who hides whom.

A batch of clips is one set of arrays: B clips, N things (people first, then vehicles, then others), T frames.
Pictures are 1 wide and 1 high; `aspect` is their true width over height. The plane is seen from `camera_height`
metres with the horizon at `horizon` (negative: above the picture), so the size of a thing follows from where its
feet are. A zoom cuts a part of such a picture, as a far camera with a long lens would see it.
"""

from dataclasses import dataclass

import numpy as np

from .. import layout
from . import blindness, colours
from .cameras import draw_camera, draw_times

PEOPLE, VEHICLES, OTHERS = 11, 3, 6
THINGS = PEOPLE + VEHICLES + OTHERS
P, V, O = slice(0, PEOPLE), slice(PEOPLE, PEOPLE + VEHICLES), slice(PEOPLE + VEHICLES, THINGS)  # noqa: E741
STILL, MOVES, STOPS, STARTS = range(4)
POSING = 0.2  # of the clips
PATHS = 0.3  # of the clips
PORTRAITS = 0.5  # of those who pose before a close camera do so alone or with one other
FACE_TO_FACE = 0.8  # of these the camera is at eye level, and shows head and shoulders
WHOLE_BODY = (2.2, 3.8)  # how many pictures tall somebody would be of whom head and shoulders fill one ...
ABOVE_HEAD = (0.02, 0.35)  # ... and how much of the picture is above the head
FARTHER, APART = 0.7, (0.4, 0.8)  # two are so much smaller, and so many metres apart
CLOSE_UPS = (0.4, 0.9)  # of the close cameras a vehicle or another thing is right before, of those where everything is still
ALONE = 0.3  # of these show no people
FILLED = (0.2, 1.0)  # how many pictures tall such a thing is
EARLY_STOPS = LATE_STARTS = 0.7  # of those who stop, or start: so many stand still for most of the window
SEATED, SEATED_POSING, BEHIND = 0.25, 0.45, 0.05  # of those who stay where they are, of those who pose, of the others
DRAB = 0.67  # of the clips
NEAREST = 0.3  # metres from a close camera
OBSCURED = 0.4  # of the people
BARE_LEGS = 0.15  # of the people
TOGETHER = 0.6  # of the scenes in which several people pose
HALF_AND_HALF = 0.57  # clothes of which less is of the own colour are of both: stripes, an open jacket
PAINT_UPPER, PAINT_LOWER = (0.25, 0.75), (0.35, 0.95)  # of the halves of a vehicle, the rest is glass or tyres
REFLECTING, REFLECTED = (0.6, 0.3), (0.2, 0.75)  # of the upper and lower halves' glass is as light as what it reflects
NECK = 0.17  # the head is above it, clothes begin below: part of a body's height
FILLS = 0.55  # head and shoulders that are so tall count as somebody wholly inside
BRIGHT, DIM, DARK = range(3)
INFRARED = 0.06  # of the clips
TWO_WHEELERS = (layout.BICYCLE, layout.MOTORCYCLE)
RIDDEN = 0.75  # of the first two-wheelers, where there are people; other things that belong to somebody in .55
FASTER = ((2.0, 3.5), (3.0, 6.0))  # than on foot: who rides a bicycle, and a motorcycle

# other things: share, height and width in metres
OTHER = {
    layout.BICYCLE: (0.24, 1.1, 1.6),
    layout.MOTORCYCLE: (0.10, 1.2, 1.9),
    layout.BIRD: (0.06, 0.25, 0.3),
    layout.CAT: (0.13, 0.3, 0.45),
    layout.DOG: (0.25, 0.6, 0.85),
    layout.ANIMAL: (0.06, 1.6, 2.2),
    layout.BAG: (0.08, 0.5, 0.4),
    layout.UMBRELLA: (0.04, 0.5, 1.0),
    layout.BALL: (0.04, 0.25, 0.25),
}


@dataclass
class World:
    """What is really there. Arrays over [B], [B, N] or [B, N, T]."""

    times: np.ndarray  # [B, T] seconds, newest present frame = 0
    present: np.ndarray  # [B, T] the frame exists
    kind: np.ndarray  # [B, N] class group
    exists: np.ndarray  # [B, N, T] in front of the camera at that time
    box: np.ndarray  # [B, N, T, 4] unclipped
    centre: np.ndarray  # [B, N, T]
    foot: np.ndarray  # [B, N, T]
    height: np.ndarray  # [B, N, T]
    width: np.ndarray  # [B, N, T]
    inside: np.ndarray  # [B, N, T] part inside the picture, 0 when absent; see `part_inside`
    hidden: np.ndarray  # [B, N, T] part hidden by nearer things
    hider: np.ndarray  # [B, N, T] which thing hides most
    covered: np.ndarray  # [B, N] lowest part of the body that a table, a hedge or the own knees hide all the time
    obscured: np.ndarray  # [B, N] part of a person's clothes that hands, hair, straps, furniture or neighbours keep from sight
    motion: np.ndarray  # [B, N] STILL ... STARTS
    upper: np.ndarray  # [B, N] colour numbers
    lower: np.ndarray
    upper_rgb: np.ndarray  # [B, N, 3]
    lower_rgb: np.ndarray
    upper_cloth: np.ndarray  # [B, N, 7] RGB of the own colour and of a second one, and the own one's part
    lower_cloth: np.ndarray
    upper_second: np.ndarray  # [B, N] the number of a second colour that is as plain to see, -1: none
    lower_second: np.ndarray
    upper_vague: np.ndarray  # [B, N] the colour word that would do as well, -1: none; from ALSO on: beside its own
    lower_vague: np.ndarray
    bare: np.ndarray  # [B, N] part of the legs that is bare
    light: np.ndarray  # [B] BRIGHT, DIM, DARK
    gain: np.ndarray  # [B]
    aspect: np.ndarray  # [B]
    background: np.ndarray  # [B, 3]
    blindness: np.ndarray  # [B] see `blindness`
    posing: np.ndarray  # [B] nothing moves at all: people sit or stand for the picture
    infrared: np.ndarray  # [B] it is night, and the camera sees by a lamp of its own, without colours
    drab: np.ndarray  # [B] what is no person, no vehicle and no other thing has hardly a colour: stone, asphalt, walls

    @property
    def visible(self) -> np.ndarray:
        """[B, N, T]: a person looking at the frame would count the thing."""
        small = np.where(self.kind == layout.PERSON, 0.04, 0.025)[..., None]
        there = (self.inside > 0.4) & (self.hidden < 0.7) & (self.height > small)
        return there & self.present[:, None]

    @property
    def cut(self) -> tuple[np.ndarray, np.ndarray]:
        """[B, N, T] parts of the height that are above the picture, and below it or covered."""
        size = np.maximum(self.height, 1e-6)
        below = ((self.box[..., 3] - 1) / size).clip(0, 1)
        return (-self.box[..., 1] / size).clip(0, 1), np.maximum(below, self.covered[..., None])

    @property
    def in_picture(self) -> np.ndarray:
        """[B, N, T]: inside the picture, though perhaps hidden by something."""
        return (self.inside > 0.4) & (self.height > 0.025) & self.present[:, None]


def behind(world: World, rng, shape: tuple[int, ...]) -> np.ndarray:
    """Colours of what is behind things: the background, lighter or darker, and where the scene is not drab of any colour.

    `shape`: of the colours, [B, ..., 3].
    """
    each = (len(world.drab), *(1,) * (len(shape) - 1))
    own = rng.normal(0, 0.12, shape)
    grey = rng.normal(0, 0.12, (*shape[:-1], 1)) + own / 3
    return world.background.reshape(*each[:-1], 3) + np.where(world.drab.reshape(each), grey, own)


def sizes(batch: int, rng):
    """Kind, height and width in metres (vehicles: length) of every thing."""
    kind = np.zeros((batch, THINGS), int)
    tall, wide = np.ones((batch, THINGS)), np.ones((batch, THINGS))
    tall[:, P] = rng.normal(1.72, 0.1, (batch, PEOPLE)) * np.where(rng.random((batch, PEOPLE)) < 0.06, 0.65, 1)
    wide[:, P] = tall[:, P] * rng.normal(0.38, 0.045, (batch, PEOPLE))
    big = rng.random((batch, VEHICLES)) > 0.75
    kind[:, V] = np.where(big, layout.BIG_VEHICLE, layout.CAR)
    uniform = lambda a, b: rng.uniform(a, b, (batch, VEHICLES))  # noqa: E731
    tall[:, V] = np.where(big, uniform(2.0, 3.3), uniform(1.4, 1.85))
    wide[:, V] = np.where(big, uniform(4.8, 10), uniform(3.8, 4.8))
    share = np.array([v[0] for v in OTHER.values()])
    pick = rng.choice(len(OTHER), size=(batch, OTHERS), p=share / share.sum())
    names = np.array(list(OTHER))
    kind[:, O] = names[pick]
    spread = lambda s: np.exp(rng.normal(0, s, (batch, OTHERS)))  # noqa: E731
    tall[:, O] = np.array([v[1] for v in OTHER.values()])[pick] * spread(0.15)
    turned = np.where(np.isin(kind[:, O], (1, 2, 6, 7, 8)), rng.uniform(0.5, 1, (batch, OTHERS)), 1)
    wide[:, O] = np.array([v[2] for v in OTHER.values()])[pick] * spread(0.2) * turned
    return kind, tall, wide


def motions(batch: int, rng, kind):
    """How each thing moves: still, moves, stops on the way, starts on the way."""
    dice = rng.random((batch, THINGS))
    motion = np.zeros((batch, THINGS), int)
    motion[:, P] = np.select([dice < 0.28, dice < 0.78, dice < 0.89], [STILL, MOVES, STOPS], STARTS)[:, P]
    style = rng.random((batch, 1))
    walkers = np.where(rng.random((batch, PEOPLE)) < 0.88, MOVES, STILL)
    standers = np.where(rng.random((batch, PEOPLE)) < 0.85, STILL, MOVES)
    motion[:, P] = np.where(style < 0.27, walkers, np.where(style > 0.83, standers, motion[:, P]))
    vehicle = np.select([dice < 0.5, dice < 0.68, dice < 0.84], [STILL, MOVES, STOPS], STARTS)
    motion[:, V] = vehicle[:, V]
    thing = np.isin(kind[:, O], (layout.BAG, layout.UMBRELLA, layout.BALL, *TWO_WHEELERS))  # none moves by itself
    motion[:, O] = np.where(thing | (rng.random((batch, OTHERS)) < 0.5), STILL, MOVES)
    return motion


def on_a_path(rng, across, far, heading, wide):
    """In some scenes most people keep to one path: they pass the same places one after the other, either way.

    `wide` [B, N]: metres of ground in the picture where each is. On the first half of the footage, where several people
    pass one place, each in a frame or two, version 0.6.0 took them for one who stands there.
    """
    batch, keeps = len(across), rng.random(across.shape) < 0.85
    keeps &= (rng.random((batch, 1)) < PATHS) & (np.arange(THINGS) < PEOPLE)
    along = rng.uniform(-0.5, 0.5, across.shape) * wide[:, :1]
    aside = rng.normal(0, 1, across.shape) * rng.uniform(0.1, 0.9, (batch, 1))
    way = np.where(rng.random((batch, 1)) < 0.5, 0, heading[:, :1])  # every other one crosses the picture
    ahead, right = np.cos(way), np.sin(way)
    walked = way + np.pi * (rng.random(across.shape) < 0.5) + rng.normal(0, 0.1, across.shape)
    return (
        np.where(keeps, across[:, :1] + along * ahead - aside * right, across),
        np.where(keeps, (far[:, :1] + along * right + aside * ahead).clip(1.5), far),
        np.where(keeps, walked, heading),
    )


def in_a_row(rng, clips: np.ndarray, count: np.ndarray, across: np.ndarray, far: np.ndarray, wide: np.ndarray) -> None:
    """Before many cameras people stand side by side, so that each can be seen and the picture holds them all. In place.

    `wide` [B]: metres of ground that the picture shows, of each metre of distance. Where everybody stands anywhere, who is
    near hides others, and a model learns to count some whom it does not see.
    """
    for clip in clips:
        apart = np.cumsum(rng.uniform(0.4, 0.85, count[clip]))
        apart -= apart.mean()
        needed = np.ptp(apart) + 0.6
        distance = max(far[clip, 0], needed / wide[clip] * rng.uniform(0.8, 1.2))
        room = max(distance * wide[clip] - needed, 0)
        far[clip, : count[clip]] = distance * np.exp(rng.normal(0, 0.07, count[clip]))
        across[clip, : count[clip]] = rng.permutation(apart) + room * rng.uniform(-0.5, 0.5)


def face_to_face(rng, clips: np.ndarray, count: np.ndarray, tall, focal, horizon, camera, far, across) -> None:
    """Head and shoulders of one or two before a camera at eye level: a door bell, a desk, a portrait. In place.

    All of the box's upper half is then above the neck. Of nine photographs to train on whose clothes are outlined four are
    such, and half of their jackets show in the lower half alone; nobody's did in the simulator. Two are side by side: where one
    hides the other, a model learns to count somebody whom it does not see.
    """
    size = np.exp(rng.uniform(*np.log(WHOLE_BODY), (len(clips), 1)) + rng.normal(0, 0.08, (len(clips), PEOPLE)))
    size *= np.where(count[clips] > 1, FARTHER, 1)[:, None]
    far[clips, P] = (focal[clips] * tall[clips, P] / size).clip(NEAREST * 1.05)
    beside = rng.choice((-0.5, 0.5), (len(clips), 1)) * rng.uniform(*APART, (len(clips), 1)) * (-1.0) ** np.arange(PEOPLE)
    beside *= (count[clips] > 1)[:, None]
    across[clips, P] = beside + rng.normal(0, 0.15, (len(clips), 1)) * far[clips, P] / focal[clips]
    top = rng.uniform(*ABOVE_HEAD, (len(clips), 1))
    camera[clips] = tall[clips, :1] + (top - horizon[clips]) * far[clips, :1] / focal[clips]


def close_up(rng, clips: np.ndarray, which: np.ndarray, tall, focal, horizon, camera, far, across, aspect) -> None:
    """A car in the drive, a cat before its bowl: a thing, number `which` of each clip, that fills much of the picture. In place.

    Of twelve photographs to train on that show an animal or a car ten are such; of a hundred simulated scenes 1.6 had an animal
    taller than .4 of the picture.
    """
    size = np.exp(rng.uniform(*np.log(FILLED), len(clips)))
    far[clips, which] = (focal[clips, 0] * tall[clips, which] / size).clip(NEAREST * 1.05)
    size = focal[clips, 0] * tall[clips, which] / far[clips, which]
    top = np.maximum(rng.uniform(0, 1, len(clips)) * (1.05 - size), -0.05)
    metres = far[clips, which] / focal[clips, 0]
    camera[clips, 0] = (top + size - horizon[clips, 0]).clip(0.02) * metres
    across[clips, which] = rng.uniform(-0.3, 0.3, len(clips)) * metres * aspect[clips, 0]


def draw(batch: int, frames: int, rng, span: float | None = None) -> World:
    """Draws a batch of scenes; `span` fixes the seconds between the oldest and the newest frame."""
    times, present = draw_times(batch, frames, rng, span)
    span = (-times[:, :1]).clip(1.0)
    posing = rng.random(batch) < POSING
    camera, focal, horizon, aspect, close = (a[:, None] for a in draw_camera(batch, rng, posing))
    kind, tall, wide = sizes(batch, rng)
    shape = (batch, THINGS)

    # who is there
    count = rng.choice(12, size=batch, p=[0.10, 0.12, 0.11, 0.11, 0.10, 0.10, 0.09, 0.08, 0.07, 0.06, 0.03, 0.03])
    portrait = posing & close[:, 0] & (rng.random(batch) < PORTRAITS)
    count = np.where(portrait, rng.integers(1, 3, batch), count)
    close_ups = close[:, 0] & ~portrait & (rng.random(batch) < np.where(posing, CLOSE_UPS[1], CLOSE_UPS[0]))
    count = np.where(close_ups & (rng.random(batch) < ALONE), 0, count)
    active = np.zeros(shape, bool)
    active[:, P] = np.arange(PEOPLE) < count[:, None]
    active[:, V] = np.arange(VEHICLES) < rng.choice(4, size=batch, p=[0.42, 0.35, 0.16, 0.07])[:, None]
    active[:, O] = np.arange(OTHERS) < rng.choice(4, size=batch, p=[0.5, 0.32, 0.13, 0.05])[:, None]
    herd = rng.random(batch) < 0.06  # many of one kind: pigeons, sheep, bicycles in a rack
    active[herd, O] |= np.arange(OTHERS) < rng.integers(3, OTHERS + 1, herd.sum())[:, None]
    for a in (kind, tall, wide):
        a[herd, O] = a[herd, O.start][:, None] * (1 if a is kind else np.exp(rng.normal(0, 0.1, (herd.sum(), OTHERS))))
    shown = np.where(rng.random(batch) < 0.25, V.start, O.start)  # what a close-up shows
    active[close_ups, shown[close_ups]] = True

    # a place on the ground inside the picture at the reference time
    low = np.maximum(horizon + 0.04, 0.04)
    below = np.where(close, np.exp(rng.uniform(np.log(1.1), np.log(5), (batch, 1))), 1.02)  # feet out of the picture
    y = rng.uniform(0, 1, shape) * (below - low) + low
    size = tall / camera * (y - horizon)
    least = np.where(tall < 1, 0.03, np.where(rng.random(shape) < 0.15, 0.045, 0.08))
    y = np.where(size < least, horizon + least * camera / tall, y)
    most = np.where(close, 4.5, 0.85)
    y = np.where(size > most, horizon + most * camera / tall, y)
    far = focal * camera / (y - horizon)
    nearest = np.where(close, NEAREST, 1.2)
    across = (rng.uniform(0.01, 0.99, shape) - 0.5) * far * aspect / focal
    facing = portrait & (rng.random(batch) < FACE_TO_FACE)

    # how it moves
    motion = np.where(posing[:, None], STILL, motions(batch, rng, kind))
    speed = np.where(rng.random(shape) < 0.07, rng.uniform(2.2, 3.5, shape), rng.uniform(0.7, 1.7, shape))
    speed = np.where(rng.random(shape) < 0.07, rng.uniform(0.04, 0.4, shape), speed)  # some shuffle along
    speed[:, V] = rng.uniform(2, 8, (batch, VEHICLES))
    j, rides = O.start, np.isin(kind[:, O.start], TWO_WHEELERS)
    own = (*TWO_WHEELERS, layout.DOG, layout.BAG, layout.UMBRELLA, layout.BALL)
    ridden = np.isin(kind[:, j], own) & (rng.random(batch) < np.where(rides, RIDDEN, 0.55)) & (count > 0)
    for two_wheeler, faster in zip(TWO_WHEELERS, FASTER):
        speed[:, 0] *= np.where(ridden & (kind[:, j] == two_wheeler), rng.uniform(*faster, batch), 1)
    sideways = rng.choice([0, np.pi], size=shape) + rng.normal(0, 0.35, shape)
    heading = np.where(rng.random(shape) < 0.5, sideways, rng.uniform(0, 2 * np.pi, shape))
    stream = rng.random((batch, 1)) < 0.2
    heading = np.where(stream, heading[:, :1] + rng.normal(0, 0.15, shape), heading)
    across, far, heading = on_a_path(rng, across, far, heading, far * aspect / focal)
    vx, vz = speed * np.cos(heading), speed * np.sin(heading)
    reference = -rng.uniform(0, 1, shape) * span
    aside = reference - rng.uniform(-1, 1, shape) * span * 0.5
    reference = np.where(rng.random(shape) < 0.2, aside, reference)[..., None]
    change = rng.uniform(0.1, 0.85, shape)  # how long ago, as part of the window
    change = np.where((motion == STOPS) & (rng.random(shape) < EARLY_STOPS), rng.uniform(0.72, 0.95, shape), change)
    change = np.where((motion == STARTS) & (rng.random(shape) < LATE_STARTS), rng.uniform(0.05, 0.28, shape), change)
    change = (-change * span)[..., None]
    t = times[:, None, :]
    travel = np.select(
        [(motion == MOVES)[..., None], (motion == STOPS)[..., None], (motion == STARTS)[..., None]],
        [t - reference, np.minimum(t, change) - change, np.maximum(t, change) - change],
        0 * (t + reference),
    )

    # pairs of people, ridden bicycles, dogs on a lead, what is carried or played with
    for i in range(1, PEOPLE):
        pair = rng.random(batch) < 0.27
        travel[pair, i] = travel[pair, i - 1]
        for a in (vx, vz, motion):
            a[pair, i] = a[pair, i - 1]
        across[pair, i] = across[pair, i - 1] + rng.normal(0, 0.8, pair.sum())
        far[pair, i] = np.maximum(far[pair, i - 1] + rng.normal(0, 0.6, pair.sum()), nearest[pair, 0])
    lead = rng.normal(0, 1, batch) * np.select([kind[:, j] == layout.DOG, kind[:, j] > layout.ANIMAL], [0.8, 0.4], 0.0)
    travel[ridden, j] = travel[ridden, 0]
    for a in (vx, vz, motion):
        a[ridden, j] = a[ridden, 0]
    across[ridden, j] = across[ridden, 0] + lead[ridden]
    far[ridden, j] = far[ridden, 0]

    together = np.flatnonzero(posing & ~facing & (count > 1) & (rng.random(batch) < TOGETHER))
    in_a_row(rng, together, count, across, far, (aspect / focal)[:, 0])
    face_to_face(rng, np.flatnonzero(facing), count, tall, focal, horizon, camera, far, across)

    chosen = np.flatnonzero(close_ups & ~(ridden & (shown == j)))
    close_up(rng, chosen, shown[chosen], tall, focal, horizon, camera, far, across, aspect)

    # where it is in each frame
    sway = rng.normal(0, 1, travel.shape) * np.exp(rng.uniform(np.log(0.04), np.log(0.13), shape))[..., None]
    sway *= (kind == layout.PERSON)[..., None]
    calm = np.where(rng.random(shape) < 0.35, rng.choice((0.0, 0.05, 0.3), size=shape), 1)  # who sits or sleeps
    sway *= np.where(posing[:, None], 0.0, calm)[..., None]
    x = across[..., None] + vx[..., None] * travel + sway
    z = far[..., None] + vz[..., None] * travel
    exists = active[..., None] & (z > nearest[..., None])
    z = np.maximum(z, nearest[..., None])
    dice = np.where(posing[:, None], 0.5, rng.random(shape))  # some appear or vanish inside the picture (doors)
    door = (-rng.uniform(0.1, 0.9, shape) * span)[..., None]
    late, early = (dice < 0.07)[..., None], (dice > 0.93)[..., None]
    exists &= np.where(late, t > door, np.where(early, t < door, True))

    focal, camera, horizon, ratio = (a[..., None] for a in (focal, camera, horizon, aspect))
    height = focal * tall[..., None] / z
    foot = horizon + focal * camera / z
    length = wide[:, V].copy()
    across_length = np.abs(np.cos(heading[:, V])) * length + np.abs(np.sin(heading[:, V])) * 1.9
    narrow = rng.random(length.shape) < 0.4  # seen from the front or the rear
    length = np.where(narrow, rng.uniform(1.7, 2.3, length.shape), across_length)
    wide[:, V] = length * np.where(rng.random(length.shape) < 0.15, rng.uniform(0.5, 0.95, length.shape), 1)
    width = focal * wide[..., None] / z / ratio
    stride = (kind == layout.PERSON)[..., None] & (motion != STILL)[..., None]
    width *= 1 + 0.12 * rng.normal(size=width.shape) * stride
    centre = 0.5 + focal * x / z / ratio
    box = np.stack([centre - width / 2, foot - height, centre + width / 2, foot], -1)
    inside = np.where(exists, part_inside(box, width, height), 0.0)
    hidden, hider = hiding(rng, box, z, inside, width, height)

    light, gain = draw_light(batch, rng)
    infrared = ~posing & (rng.random(batch) < INFRARED)
    light, gain = np.where(infrared, BRIGHT, light), np.where(infrared, rng.uniform(0.3, 0.9, batch), gain)
    drab = rng.random(batch) < DRAB
    tint = rng.normal(0, 1, (batch, 3)) * np.where(drab, 0.03, 0.08)[:, None]
    background = (rng.uniform(0.15, 0.7, (batch, 1)) + tint).clip(0.05, 0.9)
    return World(
        times, present, kind, exists, box, centre, foot, height, width, inside, hidden, hider,
        draw_covered(rng, kind, motion, posing), draw_obscured(rng.spawn(1)[0], kind), motion,
        *clothes(batch, rng), light, gain, aspect[:, 0], background, blindness.draw(batch, rng), posing,
        infrared, drab,
    )  # fmt: skip


def part_inside(box, width, height):
    """How much of each thing is inside the picture [B, N, T].

    Of somebody right before the camera the feet are below the picture: head and shoulders that fill a good part of
    its height show as well who it is as a whole far body does.
    """
    clipped = box.clip(0, 1)
    across = (clipped[..., 2] - clipped[..., 0]) / np.maximum(width, 1e-6)
    shown = clipped[..., 3] - clipped[..., 1]
    down = shown / np.maximum(height, 1e-6)
    headless = -box[..., 1] > 0.25 * height
    return across * np.where(headless, down, np.maximum(down, (shown / FILLS).clip(0, 1)))


def hiding(rng, box, z, inside, width, height):
    """How much of each thing nearer things (and a pole in some pictures) hide."""
    batch = len(box)
    a, b = box[:, :, None], box[:, None]
    common = (np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])).clip(0)
    common *= (np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])).clip(0)
    common /= np.maximum(width * height, 1e-6)[:, :, None]
    nearer = (z[:, None] < z[:, :, None] - 0.05) & (inside[:, None] > 0.1)
    common = np.where(nearer, common * 0.85, 0)
    hidden, hider = common.max(2), common.argmax(2)
    pole = rng.random((batch, 1, 1)) < 0.4
    left = rng.uniform(0.05, 0.95, (batch, 1, 1))
    right = left + rng.uniform(0.012, 0.04, (batch, 1, 1))
    behind = z > rng.uniform(4, 25, (batch, 1, 1))
    cut = (np.minimum(box[..., 2], right) - np.maximum(box[..., 0], left)).clip(0) / np.maximum(width, 1e-6)
    return np.maximum(hidden, cut * 0.9 * (pole & behind)), hider


def draw_covered(rng, kind, motion, posing):
    """Who sits, or stands behind a table or a hedge: how much of the body, from below, nobody sees [B, N]."""
    share = np.where(motion == STILL, np.where(posing[:, None], SEATED_POSING, SEATED), BEHIND)
    most = np.where(motion == STILL, 0.62, 0.45)
    some = (kind == layout.PERSON) & (rng.random(kind.shape) < share)
    return np.where(some, rng.uniform(0.15, most, kind.shape), 0)


def draw_obscured(rng, kind):
    """How little of their clothes some people show [B, N]. In the photographs to train on the colour that somebody wears is
    to be seen in .03 to .9 of a half's samples, in less than a third of three of seven."""
    some = (kind == layout.PERSON) & (rng.random(kind.shape) < OBSCURED)
    return np.where(some, rng.uniform(0.2, 0.75, kind.shape), 0)


def draw_light(batch: int, rng):
    """Bright, dim or dark, and the gain that goes with it."""
    dice = rng.random(batch)
    light = np.select([dice < 0.66, dice < 0.82], [BRIGHT, DIM], DARK)
    bands = np.array([(0.75, 1.25), (0.3, 0.5), (0.08, 0.2)])[light]  # in less nothing is seen
    return light, rng.uniform(bands[:, 0], bands[:, 1])


def clothes(batch: int, rng):
    """Colours of everything: of clothes for people, of the paint for vehicles."""
    upper, upper_rgb = colours.pick(rng, colours.UPPER_SHARE, (batch, THINGS))
    lower, lower_rgb = colours.pick(rng, colours.LOWER_SHARE, (batch, THINGS))
    upper_vague, lower_vague = colours.rival(upper, upper_rgb), colours.rival(lower, lower_rgb)
    open_coat = rng.random(upper.shape) < 0.12  # or sleeves: a second colour that one could name as well
    second, second_rgb = colours.pick(rng, colours.UPPER_SHARE, (batch, THINGS))
    share = rng.uniform(0.4, 0.75, (*upper.shape, 1))
    part = 1 - colours.median_share(1 - share)
    upper_cloth = np.concatenate([upper_rgb, second_rgb, np.where(open_coat[..., None], share, 1)], -1)
    upper_rgb = np.where(open_coat[..., None], part * upper_rgb + (1 - part) * second_rgb, upper_rgb)
    upper_vague = np.where(open_coat, np.where(second == upper, -1, second + colours.ALSO), upper_vague)
    jeans = (lower == colours.BLUE) & (rng.random(lower.shape) < 0.6)
    worn_out = rng.normal(0, colours.JEANS_BRIGHTNESS, lower.shape)
    lower_rgb = np.where(jeans[..., None], (colours.JEANS * np.exp(worn_out)[..., None]).clip(0.02, 0.95), lower_rgb)
    could_be = np.where(worn_out < colours.NAVY, colours.BLACK, np.where(rng.random(lower.shape) < 0.3, colours.GRAY, -1))
    lower_vague = np.where(jeans, could_be, lower_vague)
    both = open_coat & (share[..., 0] < HALF_AND_HALF) & (second != upper) & (colours.rival(second, second_rgb) < 0)
    upper_second = np.where(both, second, -1)
    lower_second = np.full_like(upper_second, -1)
    lower_cloth = np.concatenate([lower_rgb, second_rgb, np.ones_like(share)], -1)
    suit = rng.random(lower.shape) < 0.12
    lower_cloth = np.where(suit[..., None], upper_cloth, lower_cloth)
    lower_second = np.where(suit, upper_second, lower_second)
    lower, lower_rgb = np.where(suit, upper, lower), np.where(suit[..., None], upper_rgb, lower_rgb)
    lower_vague = np.where(suit, upper_vague, lower_vague)
    paint, paint_rgb = colours.pick(rng, colours.VEHICLE_SHARE, (batch, VEHICLES))
    upper[:, V], lower[:, V] = paint, paint
    upper_vague[:, V] = lower_vague[:, V] = colours.rival(paint, paint_rgb)
    halves = (upper_cloth, upper_rgb, 0.6, PAINT_UPPER, REFLECTING[0]), (lower_cloth, lower_rgb, 0.7, PAINT_LOWER, REFLECTING[1])
    for cloth, median, darkest, painted, lit in halves:
        shaded = paint_rgb * rng.uniform(darkest, 1.0, (batch, VEHICLES, 1))  # windows darken the upper half
        reflects = rng.random((batch, VEHICLES, 1)) < lit
        glass = np.where(reflects, rng.uniform(*REFLECTED, reflects.shape), colours.RGB[colours.BLACK])
        share = rng.uniform(*painted, reflects.shape)
        cloth[:, V] = np.concatenate([shaded, glass, share], -1)
        median[:, V] = shaded + (glass - shaded) * colours.median_share(1 - share)
    bare = np.where(rng.random(lower.shape) < BARE_LEGS, rng.uniform(0.3, 1, lower.shape), 0)
    lower_second = np.where(bare > 0, -1, lower_second)
    lower_vague = np.where(bare > 0, lower, lower_vague)  # of a skirt or of shorts one may see too little
    return upper, lower, upper_rgb, lower_rgb, upper_cloth, lower_cloth, upper_second, lower_second, upper_vague, lower_vague, bare
