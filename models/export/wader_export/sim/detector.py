"""Imitates the frozen encoder: from a world to the 25 tokens of each frame.

The constants were measured with ``python -m wader_export statistics`` on the first half of the footage (NanoDet
at 384x288, full picture and three zooms, ten frames a second): see models/export/README.md for the comparison.
"""

from dataclasses import dataclass

import numpy as np

from .. import layout
from . import blindness, colours
from .world import BRIGHT, DARK, DIM, PEOPLE, STILL, THINGS, VEHICLES, O, P, V, World

STANDING, PASSING, DOUBLES = 19, 4, 6  # slots for false peaks that stand, that flash up, and for parts of things
CANDIDATES = 36  # strongest peaks that enter the overlap removal
FALSE_GROUPS = np.array([0, 3, 4, 5, 7, 8, 11, 9, 1, 10, 6, 2])
FALSE_SHARE = np.array([0.60, 0.12, 0.05, 0.06, 0.04, 0.03, 0.04, 0.02, 0.015, 0.01, 0.01, 0.005])
# a third of the cameras see other false things than posts and coats: shop fronts, plants, furniture
FLAT_SHARE = np.array([0.18, 0.10, 0.07, 0.06, 0.06, 0.05, 0.11, 0.13, 0.05, 0.11, 0.04, 0.04])
# the highest a standing false alarm gets, by group (a parked car's own peak is at .5)
FALSE_MOST = np.array([0.58, 0.24, 0.30, 0.30, 0.28, 0.58, 0.35, 0.50, 0.50, 0.35, 0.32, 0.45])
# height of a thing cut by the picture's edge, as part of its whole height, over the part that is inside
PART_SEEN = ((0, 0.05, 0.12, 0.27, 0.42, 0.57, 0.72, 0.87, 1), (0, 0.1, 0.27, 0.6, 0.75, 0.84, 0.9, 0.96, 1))
HEAD = 0.17  # of the height of a body
SKIN = np.array([(0.80, 0.60, 0.50), (0.62, 0.42, 0.33), (0.35, 0.23, 0.18), (0.22, 0.17, 0.14)])  # and hair
LARGE_FALSE = 0.42  # and the highest where it is large in the picture
# second heats of a real thing: group -> (other group, typical part of its own height)
CONFUSION = {3: [(4, 0.35)], 4: [(3, 0.7)], 1: [(2, 0.3)], 2: [(1, 0.3)], 6: [(7, 0.4)], 7: [(6, 0.3), (8, 0.25)], 8: [(7, 0.35)]}  # fmt: skip


@dataclass
class Features:
    """What the encoder hands on, and which thing each token is (-1: nothing real)."""

    tokens: np.ndarray  # [B, T, 25, 24] float32
    thing: np.ndarray  # [B, T, 24]


@dataclass
class Peaks:
    """Candidate peaks before the overlap removal; arrays [B, M, T, ...]."""

    height: np.ndarray
    box: np.ndarray
    group: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    thing: np.ndarray

    @staticmethod
    def join(parts: list["Peaks"]) -> "Peaks":
        return Peaks(*(np.concatenate([getattr(p, f) for p in parts], 1) for f in Peaks.__dataclass_fields__))


def steady_noise(rng, shape, times, memory: float) -> np.ndarray:
    """Unit noise over the last axis that forgets within `memory` seconds."""
    noise = rng.normal(size=shape)
    if shape[-1] < 2:
        return noise
    keep = np.exp(-np.diff(times, axis=1) / memory)
    for k in range(1, shape[-1]):
        a = keep[:, k - 1][:, None]
        noise[..., k] = a * noise[..., k - 1] + np.sqrt(1 - a * a) * noise[..., k]
    return noise


def peak_heights(world: World, rng, unrest: np.ndarray) -> np.ndarray:
    """Heights of the real things' peaks [B, N, T]."""
    batch, frames = world.times.shape
    pixels = world.height * layout.HEIGHT
    base = 0.86 / (1 + np.exp(-(np.log(pixels.clip(1)) - np.log(17)) * 1.8))
    across = world.width * layout.WIDTH
    base[:, V] = 0.74 / (1 + np.exp(-(np.log(pixels[:, V].clip(1)) - np.log(16)) * 2.2))
    base[:, O] = 0.72 / (1 + np.exp(-(np.log(across[:, O].clip(1)) - np.log(15)) * 2.0))
    own = np.exp(rng.normal(0, 0.07, (batch, THINGS, 1)))
    own *= np.where(rng.random(own.shape) < 0.045, rng.uniform(0.55, 0.78, own.shape), 1)
    own[:, V] = rng.uniform(0.62, 1.1, own[:, V].shape)
    own[:, O] = rng.uniform(0.6, 1.1, own[:, O].shape)
    mood = np.where(world.light == DARK, rng.uniform(0.5, 1, batch), np.where(world.light == DIM, rng.uniform(0.75, 1.03, batch), 1))  # fmt: skip
    mood = mood * np.exp(rng.normal(0, 0.05, batch))
    bright = (world.light == BRIGHT)[:, None, None]
    own[:, PEOPLE:] *= np.where(bright, 1, rng.uniform(0.2, 1, (batch, THINGS - PEOPLE, 1)))  # they fade sooner
    flicker = steady_noise(rng, (batch, THINGS, frames), world.times, 0.45)
    amount = np.full((1, THINGS, 1), 0.055)
    amount[:, V] = 0.02  # parked cars hardly flicker
    amount = amount * np.where(world.motion == STILL, unrest, 1)[..., None]
    high = base * own * mood[:, None, None] + flicker * amount * (base / 0.7).clip(0.4, 1.3)
    dips = rng.random(high.shape) < 0.03 * np.where(world.motion == STILL, unrest, 1)[..., None]
    high *= np.where(dips, rng.uniform(0.2, 0.7, high.shape), 1)
    high *= 1 - 0.95 * world.hidden.clip(0, 1) ** 1.4
    high *= np.interp(world.inside, *PART_SEEN) * np.exp(rng.normal(0, 0.08, high.shape) * (world.inside < 0.9))
    return np.where(world.exists & (world.inside > 0.02), high, 0).clip(0, 0.93)


def draw_unrest(batch: int, rng) -> np.ndarray:
    """How much of the usual noise [B, 1] is on what stands still: in a quiet scene hardly any, yet never none."""
    return np.where(rng.random((batch, 1)) < 0.45, np.exp(rng.uniform(np.log(0.004), np.log(0.6), (batch, 1))), 1.0)


def jittered_boxes(world: World, rng, unrest: np.ndarray) -> np.ndarray:
    """Boxes as the detector reports them."""
    shape = world.height.shape
    calm = np.ones((*shape[:2], 1))  # what stands still is boxed alike in every frame, parked vehicles almost exactly
    calm[:, P] = np.where(world.motion[:, P, None] == STILL, 0.7, 1)
    calm[:, V] = np.where(world.motion[:, V, None] == STILL, rng.uniform(0.15, 0.5, (shape[0], VEHICLES, 1)), 0.7)
    calm = calm * np.where(world.motion == STILL, unrest, 1)[..., None]
    wide = world.width * np.exp(rng.normal(0, 0.09, shape) * calm)
    high = world.height * np.exp(rng.normal(0, 0.035, shape) * calm)
    x = world.centre + rng.normal(0, 0.02, shape) * calm * world.height
    foot = world.foot + rng.normal(0, 0.02, shape) * calm * world.height
    cut = (world.hidden > 0.3) & (rng.random(shape) < 0.5)
    high_seen = high * np.where(cut, rng.uniform(0.55, 0.95, shape), 1)
    top = foot - high
    box = np.stack([x - wide / 2, top, x + wide / 2, top + high_seen], -1)
    return box.clip(-0.02, 1.02)


def shaded(world: World, rng, place: float, low: float, high: float) -> np.ndarray:
    """Colours [B, N, T, 3] sampled at a part of the visible box's height, mixed with background and with what hides.

    Of a person cut by the picture's edge the box holds only a part, so its lower half may show the jacket.
    """
    batch, frames = world.times.shape
    above, below = world.cut
    where = above + place * (1 - above - below)
    rgb = np.where((where < 0.5)[..., None], world.upper_rgb[:, :, None], world.lower_rgb[:, :, None])
    mix = rng.uniform(low, high, (batch, THINGS, 1, 1)) + rng.normal(0, 0.08, (batch, THINGS, frames, 1))
    mix = mix.clip(0, 0.75)
    behind = world.background[:, None] + rng.normal(0, 0.12, (batch, THINGS, 3))
    # face, hair and hands: some of an upper half, most where the picture's edge leaves little but the head
    skin = rng.uniform(0, 0.22 if place < 0.5 else 0.05, (batch, THINGS, 1))
    skin = np.maximum(skin, ((HEAD - where) / 0.1).clip(0, rng.uniform(0.5, 0.9, (batch, THINGS, 1))))
    skin = (skin * (world.kind == layout.PERSON)[..., None])[..., None]
    rgb = rgb * (1 - skin) + SKIN[rng.integers(0, len(SKIN), (batch, THINGS))][:, :, None] * skin
    seen = rgb * (1 - mix) + behind[:, :, None] * mix + rng.normal(0, 0.03, (batch, THINGS, frames, 3))
    own = world.upper_rgb if place < 0.5 else world.lower_rgb
    front = np.take_along_axis(own, world.hider.reshape(batch, -1)[..., None].repeat(3, 2), 1)
    part = np.where(world.hidden > 0.3, world.hidden, 0)[..., None]
    return seen * (1 - part) + front.reshape(seen.shape) * part


def standing_peaks(world: World, rng, unrest: np.ndarray) -> Peaks:
    """False alarms that stay where they are: posts, cones, stones, a coat on the grass."""
    batch, frames = world.times.shape
    shape = (batch, STANDING)
    many = np.where(rng.random(batch) < 0.5, rng.integers(7, STANDING + 1, batch), rng.integers(0, 9, batch))
    many = np.where(rng.random(batch) < 0.25, rng.integers(0, 3, batch), many)  # rooms and meadows
    group = rng.choice(FALSE_GROUPS, size=shape, p=FALSE_SHARE / FALSE_SHARE.sum())
    flat = rng.random((batch, 1)) < 0.45
    group = np.where(flat, rng.choice(FALSE_GROUPS, size=shape, p=FLAT_SHARE / FLAT_SHARE.sum()), group)
    level = 0.14 + rng.exponential(np.where(rng.random((batch, 1)) < 0.5, 0.05, 0.14), shape)
    full = (*shape, frames)
    tall = np.exp(rng.uniform(np.log(0.035), np.log(0.26), shape))
    large = rng.random(shape) < np.where(flat, 0.18, 0.05)  # a wall, a front, a plant before the lens
    tall = np.where(large, rng.uniform(0.25, 1.05, shape), tall)
    ratio = np.exp(rng.normal(np.where(group == layout.PERSON, -0.75, -0.2), 0.45))
    x, y = rng.uniform(0, 1, shape), rng.uniform(0.05, 1, shape)
    most = np.minimum(FALSE_MOST[group] * np.where(flat & (group != layout.PERSON), 1.4, 1), 0.58)
    large = tall > np.where(group == layout.PERSON, 0.3, 0.15)
    most = np.where(large, np.minimum(most, LARGE_FALSE), most)
    level = np.minimum(level, most * rng.uniform(0.7, 1, shape))
    rows_of_alike(rng, (group, level, tall, ratio, y), x)
    unrest = unrest[..., None]
    high = level[..., None] + (0.035 * steady_noise(rng, full, world.times, 3.0) + rng.normal(0, 0.015, full)) * unrest
    high = np.where((np.arange(STANDING) < many[:, None])[..., None], high, 0)
    high = np.where(rng.random(full) < 0.04 * unrest, 0, high)
    noise = lambda s: rng.normal(0, s, full) * unrest  # noqa: E731
    tall, wide = tall[..., None] * np.exp(noise(0.06)), (tall * ratio)[..., None] * np.exp(noise(0.09))
    x, y = x[..., None] + noise(0.003), y[..., None] + noise(0.004)
    box = np.stack([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], -1).clip(-0.02, 1.02)
    plain = world.background[:, None] + rng.normal(0, 0.15, (*shape, 3))
    colour = np.where(rng.random((*shape, 1)) < 0.4, colours.RGB[rng.integers(0, 10, shape)], plain)
    upper = colour[:, :, None] + rng.normal(0, 0.02, (*full, 3)) * unrest[..., None]
    lower = upper + rng.normal(0, 0.08, (*shape, 1, 3))
    return Peaks(high, box, group[..., None].repeat(frames, 2), upper, lower, np.full(full, -1))


def rows_of_alike(rng, looks: tuple[np.ndarray, ...], x: np.ndarray) -> None:
    """In some clips a few false things stand in a row and look alike: planters, windows, posts. In place."""
    for clip in np.flatnonzero(rng.random(len(x)) < 0.25):
        row = slice(0, rng.integers(2, 6))
        for look in looks:
            spread = np.exp(rng.normal(0, 0.06, row.stop)) if look.dtype.kind == "f" else 1
            look[clip, row] = look[clip, 0] * spread
        x[clip, row] = x[clip, 0] + np.arange(row.stop) * rng.uniform(0.05, 0.25)


def passing_peaks(world: World, rng, unrest: np.ndarray) -> Peaks:
    """False alarms of one frame."""
    full = (world.times.shape[0], PASSING, world.times.shape[1])
    high = np.where(rng.random(full) < 0.3 * unrest[..., None], 0.13 + rng.exponential(0.05, full), 0).clip(0, 0.4)
    group = np.where(rng.random(full) < 0.8, layout.PERSON, np.where(rng.random(full) < 0.5, layout.CAR, layout.BIRD))
    tall = np.exp(rng.uniform(np.log(0.035), np.log(0.25), full))
    wide = tall * np.exp(rng.normal(-0.7, 0.5, full))
    x, y = rng.uniform(0, 1, full), rng.uniform(0, 1, full)
    box = np.stack([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], -1).clip(-0.02, 1.02)
    colour = world.background[:, None, None] + rng.normal(0, 0.15, (*full, 3))
    return Peaks(high, box, group, colour, colour, np.full(full, -1))


def doubles(real: Peaks, rng, unrest: np.ndarray) -> Peaks:
    """Second, weaker peaks on real things: halves of a body, boxes that reach over to a neighbour."""
    batch, things, frames = real.height.shape
    full = (batch, DOUBLES, frames)
    pick = np.where((unrest < 0.5)[..., None], *(rng.integers(0, things, (batch, DOUBLES, n)) for n in (1, frames)))
    dice = rng.random(full)
    take = lambda a: np.take_along_axis(a, pick[..., None] if a.ndim == 4 else pick, 1)  # noqa: E731
    box, own = take(real.box).copy(), take(real.height)
    tall, wide = box[..., 3] - box[..., 1], box[..., 2] - box[..., 0]
    sort = rng.random(full)
    upper, lower, beside = sort < 0.3, (sort >= 0.3) & (sort < 0.5), sort >= 0.5
    box[..., 3] = np.where(upper, box[..., 1] + tall * rng.uniform(0.35, 0.6, full), box[..., 3])
    box[..., 1] = np.where(lower, box[..., 3] - tall * rng.uniform(0.4, 0.6, full), box[..., 1])
    shift = wide * rng.uniform(0.45, 0.9, full) * rng.choice([-1, 1], full) * beside
    box[..., 0] += shift
    box[..., 2] += shift
    reach = wide * rng.uniform(0, 0.9, full) * (rng.random(full) < 0.3) * beside  # over two neighbours
    box[..., 0] -= reach / 2
    box[..., 2] += reach / 2
    part = np.where(beside, rng.uniform(0.2, 0.5, full), rng.uniform(0.2, 0.62, full))
    steady = (unrest < 0.5)[..., None]  # in a quiet scene they stay, or never come
    high = np.where((np.where(steady, dice[..., :1], dice) < 0.42) & (tall > 0.06), own * part, 0)
    return Peaks(high, box, take(real.group), take(real.upper), take(real.lower), np.full(full, -1))


def second_vehicles(real: Peaks, rng) -> Peaks:
    """A van that is also seen as a truck: second peaks on a part of a vehicle, as steady as its own."""
    own = real.height[:, V]
    full = own.shape
    part = rng.uniform(0.35, 0.75, (*full[:2], 1))
    there = rng.random((*full[:2], 1)) < 0.3
    box = real.box[:, V].copy()
    wide = box[..., 2] - box[..., 0]
    share, left = rng.uniform(0.3, 0.75, (*full[:2], 1)), rng.random((*full[:2], 1)) < 0.5
    box[..., 2] = np.where(left, box[..., 0] + wide * share, box[..., 2])
    box[..., 0] = np.where(left, box[..., 0], box[..., 2] - wide * share)
    group = np.where(real.group[:, V] == layout.CAR, layout.BIG_VEHICLE, layout.CAR)
    high = np.where(there, own * part, 0)
    return Peaks(high, box, group, real.upper[:, V], real.lower[:, V], np.full(full, -1))


def unhidden(height: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which peaks (sorted, strongest first; [B, M, T]) survive the encoder's overlap removal."""
    b = np.moveaxis(box, 1, 2)
    h = np.moveaxis(height, 1, 2)
    low = np.maximum(b[:, :, :, None, :2], b[:, :, None, :, :2])
    high = np.minimum(b[:, :, :, None, 2:], b[:, :, None, :, 2:])
    common = (high - low).clip(0).prod(-1)
    area = (b[..., 2:] - b[..., :2]).clip(1e-4).prod(-1)
    overlap = common / (area[..., :, None] + area[..., None, :] - common)
    weak = h[..., :, None] < layout.PART_HEIGHT * h[..., None, :]
    part = (common / area[..., :, None] > layout.PART_INSIDE) & weak
    hides = ((overlap > layout.OVERLAP) | part) & np.tri(h.shape[-1], k=-1, dtype=bool) & (h[..., None, :] > 0)
    keep = np.ones(h.shape, bool)
    for _ in range(3):
        keep = ~(hides & keep[..., None, :]).any(-1)
    return np.moveaxis(keep, 2, 1)


def confusion_table() -> np.ndarray:
    """[own group, other group] -> typical part of the own height."""
    table = np.zeros((12, 12))
    for own, others in CONFUSION.items():
        for other, part in others:
            table[own, other] = part
    return table


def heats(peaks: Peaks, rng) -> np.ndarray:
    """Heats of all groups [B, K, T, 12] with the floors cut."""
    shape = (*peaks.height.shape, 12)
    high = peaks.height[..., None]
    spread = np.exp(rng.normal(0, 0.6, (*peaks.height.shape[:2], 1, 12)) + rng.normal(0, 0.25, shape))
    other = high * confusion_table()[peaks.group] * spread
    share = np.where((peaks.thing >= 0) & (peaks.height > 0.5), 0.002, np.where(peaks.thing >= 0, 0.015, 0.06))
    share = np.where((peaks.thing >= PEOPLE + VEHICLES), 0.07, share)  # animals and things are taken for one another
    vague = rng.random(shape) < share[..., None]
    other = np.where(vague, high * rng.uniform(0.3, 0.9, shape), other)
    other = np.minimum(other, 0.97 * high)
    result = np.where(np.eye(12, dtype=bool)[peaks.group], high, other)
    swap = (rng.random((*peaks.height.shape[:2], 1)) < 0.25) & (peaks.group == layout.CAR)  # a van is a car or a truck
    swapped = result.copy()
    swapped[..., layout.CAR], swapped[..., layout.BIG_VEHICLE] = result[..., 4], result[..., 3]
    result = np.where(swap[..., None], swapped, result)
    return np.where(result >= layout.FLOOR_CUT * high, result, 0)


def picture_tokens(world: World, rng, tint: np.ndarray, unrest: np.ndarray) -> np.ndarray:
    """The picture token [B, T, 24]."""
    batch, frames = world.times.shape
    gain = world.gain[:, None, None]
    token = np.zeros((batch, frames, layout.DIM))
    drift = lambda n, s: rng.normal(0, s, (batch, frames, n)) * unrest[:, None]  # noqa: E731
    mean = (world.background[:, None] * gain * tint[:, None]) + drift(3, 0.008)
    contrast, ratio, edges = blindness.contrast_and_sharpness(world.blindness, rng)
    spread = contrast[:, None, None] + drift(3, 0.025)
    token[..., layout.MEAN_RGB] = mean
    token[..., layout.STD_RGB] = spread * gain.clip(0, 1) + drift(3, 0.005)
    coarse = rng.normal(0, 0.65, (batch, 1, 12)) * contrast[:, None, None] * gain
    token[..., layout.LAYOUT] = mean.mean(-1, keepdims=True) + coarse + drift(12, 0.012)
    noise = np.where(world.light == DARK, rng.uniform(0, 0.12, batch), 0)[:, None]
    sharp = (ratio * contrast * world.gain.clip(0, 1.1))[:, None] + noise
    token[..., layout.SHARPNESS] = sharp + drift(1, 0.008)[..., 0]
    token[..., layout.EDGES] = (edges * world.gain.clip(0, 1.1))[:, None] + 0.3 * noise + drift(1, 0.015)[..., 0]
    token = token.clip(0, 1)
    token[..., layout.PICTURE] = 1
    return token


def observe(world: World, rng) -> Features:
    """The tokens of every frame."""
    batch, frames = world.times.shape
    group = world.kind[..., None].repeat(frames, 2)
    things = np.broadcast_to(np.arange(THINGS)[None, :, None], group.shape)
    upper, lower = shaded(world, rng, 0.33, 0.03, 0.35), shaded(world, rng, 0.685, 0.05, 0.45)
    unrest = draw_unrest(batch, rng)
    real = Peaks(peak_heights(world, rng, unrest), jittered_boxes(world, rng, unrest), group, upper, lower, things)
    people = Peaks(*(getattr(real, f)[:, :PEOPLE] for f in Peaks.__dataclass_fields__))
    false = [standing_peaks(world, rng, unrest), passing_peaks(world, rng, unrest)]
    peaks = Peaks.join([real, *false, doubles(people, rng, unrest), second_vehicles(real, rng)])
    peaks.height = blindness.dim_peaks(peaks.height, world.blindness, rng)
    peaks.height = np.where(peaks.height > layout.MIN_HEIGHT, peaks.height, 0)
    order = np.argsort(-peaks.height, 1)[:, :CANDIDATES]
    pick = lambda a, o: np.take_along_axis(a, o[..., None] if a.ndim == 4 else o, 1)  # noqa: E731
    fields = Peaks.__dataclass_fields__
    peaks = Peaks(*(pick(getattr(peaks, f), order) for f in fields))
    peaks.height = np.where(unhidden(peaks.height, peaks.box), peaks.height, 0)
    order = np.argsort(-peaks.height, 1, kind="stable")[:, : layout.OBJECTS]
    peaks = Peaks(*(pick(getattr(peaks, f), order) for f in fields))

    tint = np.exp(rng.normal(0, 0.06, (batch, 3)))
    grey = (world.light == DARK) & (rng.random(batch) < 0.35)
    seen = []
    for rgb in (peaks.upper, peaks.lower):
        rgb = np.where(grey[:, None, None, None], rgb.mean(-1, keepdims=True), rgb * tint[:, None, None])
        noise = np.where(world.light == DARK, 0.02, 0.008)[:, None, None, None]
        seen.append((rgb * world.gain[:, None, None, None] + noise * rng.normal(size=rgb.shape)).clip(0, 1))
    valid = peaks.height > 0
    tokens = np.zeros((batch, frames, layout.TOKENS, layout.DIM), np.float32)
    objects = np.concatenate([peaks.box, heats(peaks, rng), *seen, valid[..., None], 0 * valid[..., None]], -1)
    tokens[:, :, : layout.OBJECTS] = np.where(valid[..., None], objects, 0).transpose(0, 2, 1, 3)
    tint = np.where(grey[:, None], tint.mean(1, keepdims=True), tint)
    tokens[:, :, layout.OBJECTS] = picture_tokens(world, rng, tint, unrest)
    blindness.spoil(tokens, world.blindness, world.present, rng)
    thing = np.where(valid, peaks.thing, -1).transpose(0, 2, 1)
    return Features(tokens, thing)
