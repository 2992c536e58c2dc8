"""Peaks where nothing real is: things that look like others and stand still, passing alarms, second peaks of real things.

Shares and heights were measured with ``python -m wader_export statistics`` on the first half of the footage; that false
things may be large, of any sort, alike in a row and entirely quiet was seen on photographs.
"""

import numpy as np

from .. import layout
from . import colours, looks
from .peaks import Peaks, restless, steady_noise
from .world import V, World, behind

STANDING, PASSING, DOUBLES = 19, 4, 6  # slots for false peaks that stand, that flash up, and for parts of things
FALSE_GROUPS = np.array([0, 3, 4, 5, 7, 8, 11, 9, 1, 10, 6, 2])
FALSE_SHARE = np.array([0.54, 0.13, 0.05, 0.06, 0.07, 0.04, 0.04, 0.02, 0.02, 0.015, 0.01, 0.005])
# almost half of the cameras see other false things than posts and coats: shop fronts, plants, furniture
FLAT_SHARE = np.array([0.18, 0.10, 0.07, 0.06, 0.06, 0.05, 0.11, 0.13, 0.05, 0.11, 0.04, 0.04])
# the highest a standing false alarm gets, by group (a parked car's own peak is at .5)
FALSE_MOST = np.array([0.55, 0.26, 0.32, 0.38, 0.36, 0.58, 0.58, 0.64, 0.58, 0.42, 0.34, 0.52])
HIGHEST_FALSE = 0.64
MILD, MILDER = 0.6, 0.75  # before so many cameras nothing looks much like a person
LARGE_FALSE = 0.44  # and the highest where it is large in the picture
ANIMALS = (layout.CAT, layout.DOG, layout.ANIMAL)
SURE_ANIMALS = 0.08  # this share of false animals is as high as a real one: a stone on a lawn


def standing_peaks(world: World, rng, unrest: np.ndarray, around: np.ndarray) -> Peaks:
    """False alarms that stay where they are: posts, cones, stones, a coat on the grass."""
    batch, frames = world.times.shape
    shape = (batch, STANDING)
    many = np.where(rng.random(batch) < 0.4, rng.integers(7, STANDING + 1, batch), rng.integers(0, 9, batch))
    many = np.where(rng.random(batch) < 0.3, rng.integers(0, 3, batch), many)  # rooms and meadows
    street = rng.random(batch) < 0.15  # posts, cones and stones wherever one looks
    many = np.where(street, rng.integers(11, STANDING + 1, batch), many)
    group = rng.choice(FALSE_GROUPS, size=shape, p=FALSE_SHARE / FALSE_SHARE.sum())
    flat = (rng.random((batch, 1)) < 0.45) & ~street[:, None]
    group = np.where(flat, rng.choice(FALSE_GROUPS, size=shape, p=FLAT_SHARE / FLAT_SHARE.sum()), group)
    level = 0.14 + rng.exponential(np.where((rng.random((batch, 1)) < 0.5) & ~street[:, None], 0.05, 0.14), shape)
    full = (*shape, frames)
    tall = np.exp(rng.uniform(np.log(0.035), np.log(0.26), shape))
    large = rng.random(shape) < np.where(flat, 0.18, 0.05)  # a wall, a front, a plant before the lens
    tall = np.where(large, rng.uniform(0.25, 1.05, shape), tall)
    ratio = np.exp(rng.normal(np.where(group == layout.PERSON, -0.75, -0.2), 0.45))
    x, y = rng.uniform(0, 1, shape), rng.uniform(0.05, 1, shape)
    most = np.minimum(FALSE_MOST[group] * np.where(flat & (group != layout.PERSON), 1.4, 1), HIGHEST_FALSE)
    mild = (rng.random((batch, 1)) < MILD) & (group == layout.PERSON)
    most = np.where(mild, MILDER * most, most)
    sure = np.isin(group, ANIMALS) & (rng.random(shape) < SURE_ANIMALS)
    level = np.where(sure, rng.uniform(0.28, 0.55, shape), level)
    large = tall > np.where(group == layout.PERSON, 0.3, 0.15)
    most = np.where(large, np.minimum(most, LARGE_FALSE), most)
    level = np.minimum(level, most * rng.uniform(0.7, 1, shape))
    rows_of_alike(rng, (group, level, tall, ratio, y), x)
    heaps(rng, (group, level, tall, ratio, x, y))
    unrest = restless(unrest[..., None], level[..., None])
    unrest = unrest * np.exp(rng.uniform(-0.5, 0.7, (*shape, 1)))  # some flicker, some hardly move
    quick, slow = (np.exp(rng.uniform(np.log(low), np.log(top), (*shape, 1))) for low, top in ((0.012, 0.06), (0.025, 0.07)))
    high = level[..., None] + (slow * steady_noise(rng, full, world.times, 3.0) + rng.normal(0, 1, full) * quick) * unrest
    high = np.where((np.arange(STANDING) < many[:, None])[..., None], high, 0)
    high = np.where(rng.random(full) < 0.04 * unrest, 0, high)
    noise = lambda s: rng.normal(0, 1, full) * s * unrest  # noqa: E731
    size = tall[..., None]
    x, y = x[..., None] + noise(0.025 * size), y[..., None] + noise(0.03 * size)
    tall, wide = size * np.exp(noise(0.06)), (tall * ratio)[..., None] * np.exp(noise(0.08))
    box = np.stack([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], -1).clip(-0.02, 1.02)
    grain = np.exp(rng.uniform(np.log(0.008), np.log(0.09), (*shape, 1, 1))) * unrest[..., None]
    upper, lower = (
        sampled(half[:, :, None], half[:, :, None] + rng.normal(0, 1, (*full, 3)) * grain, world, rng, around)
        for half in halves(world, rng, STANDING)
    )
    return Peaks(high, box, group[..., None].repeat(frames, 2), upper, lower, np.full(full, -1))


def sampled(own: np.ndarray, median: np.ndarray, world: World, rng, around: np.ndarray) -> np.ndarray:
    """Looks [B, things, T, LOOKS] of half a false thing: its own colour [B, things, 1 or T, 3], a shade or another colour of
    it, and what is beside it; `median` [B, things, T, 3] has its noise."""
    aside = rng.spawn(1)[0]
    shape = (*own.shape[:2], 1)
    beside, second, apart = aside.uniform(0, 0.6, shape), aside.uniform(-0.4, 0.5, shape).clip(0), aside.random(shape)
    other = np.where(
        aside.random((*shape, 1)) < coloured(world, 0.5)[..., None],
        colours.pick(aside, colours.UPPER_SHARE + 0.05, shape)[1],
        own * np.exp(aside.normal(0, 0.6, (*shape, 1))),
    )
    steady = np.exp(aside.normal(0, 0.1, median.shape[:3]))
    parts = {
        looks.OWN: ((1 - beside) * (1 - second) * steady, own),
        looks.SECOND: ((1 - beside) * second, other.clip(0.02, 0.98)),
        looks.BEHIND: (beside * apart, behind(world, aside, (*shape, 3))),
        looks.SURROUND: (beside * (1 - apart), around[:, None, None]),
    }
    return looks.looks(median, looks.drawn_folds(aside, shape), parts)


def halves(world: World, rng, things: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours [B, things, 3] of the upper and the lower half of false things.

    Measured on the first half of the footage: a false thing is two-coloured as often as a person is. A post has a head
    and a shadow, a stone its lit side, a hydrant its cap; a simulator whose false things are plain teaches that
    whatever has two colours is real.
    """
    shape = (len(world.times), things)
    own = lambda: np.where(  # noqa: E731
        rng.random((*shape, 1)) < coloured(world, 0.4),
        colours.pick(rng, colours.UPPER_SHARE + 0.05, shape)[1],
        world.background[:, None] + rng.normal(0, 0.15, (*shape, 1)) + rng.normal(0, 0.04, (*shape, 3)),
    )
    upper, other, dice = own(), own(), rng.random((*shape, 1))
    shade = np.exp(rng.normal(0, 0.45, (*shape, 1))) + rng.normal(0, 0.04, (*shape, 3))
    alike = upper + rng.normal(0, 0.05, (*shape, 3))
    lower = np.select([dice < 0.2, dice < 0.65], [alike, upper * shade], other)
    return upper.clip(0.02, 0.98), lower.clip(0.02, 0.98)


def coloured(world: World, often: float) -> np.ndarray:
    """Which part of the false things has a colour of its own [B, 1, 1]: `often` where the scene is not drab."""
    return np.where(world.drab, 0.1, often)[:, None, None]


def rows_of_alike(rng, looks: tuple[np.ndarray, ...], x: np.ndarray) -> None:
    """In some clips a few false things stand in a row and look alike: planters, windows, posts. In place."""
    for clip in np.flatnonzero(rng.random(len(x)) < 0.25):
        row = slice(0, rng.integers(2, 6))
        for look in looks:
            spread = np.exp(rng.normal(0, 0.06, row.stop)) if look.dtype.kind == "f" else 1
            look[clip, row] = look[clip, 0] * spread
        x[clip, row] = x[clip, 0] + np.arange(row.stop) * rng.uniform(0.05, 0.25)


def heaps(rng, looks: tuple[np.ndarray, ...]) -> None:
    """One weak false thing in eight is seen as two or three that overlap, as a real one's body and its halves. In place.

    Measured on the first half of the footage; were they real things' alone, they would be a sign of what is real.
    """
    group, level, tall, ratio, x, y = looks
    for clip, first in zip(*np.nonzero((rng.random(group.shape) < 0.12) & (level < 0.3)), strict=True):
        for other in range(first + 1, min(first + rng.integers(2, 4), STANDING)):
            group[clip, other] = group[clip, first]
            level[clip, other] = level[clip, first] * rng.uniform(0.55, 0.95)
            tall[clip, other] = tall[clip, first] * rng.uniform(0.4, 1.2)
            ratio[clip, other] = ratio[clip, first] * rng.uniform(0.7, 1.6)
            x[clip, other] = x[clip, first] + tall[clip, first] * rng.normal(0, 0.25)
            y[clip, other] = y[clip, first] + tall[clip, first] * rng.normal(0, 0.3)


def passing_peaks(world: World, rng, unrest: np.ndarray, around: np.ndarray) -> Peaks:
    """False alarms of one frame."""
    full = (world.times.shape[0], PASSING, world.times.shape[1])
    high = np.where(rng.random(full) < 0.3 * unrest[..., None], 0.13 + rng.exponential(0.05, full), 0).clip(0, 0.4)
    group = np.where(rng.random(full) < 0.8, layout.PERSON, np.where(rng.random(full) < 0.5, layout.CAR, layout.BIRD))
    tall = np.exp(rng.uniform(np.log(0.035), np.log(0.25), full))
    wide = tall * np.exp(rng.normal(-0.7, 0.5, full))
    x, y = rng.uniform(0, 1, full), rng.uniform(0, 1, full)
    box = np.stack([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], -1).clip(-0.02, 1.02)
    upper, lower = (
        sampled(half, half, world, rng, around)
        for half in (np.stack(h, 2) for h in zip(*(halves(world, rng, PASSING) for _ in range(full[2])), strict=True))
    )
    return Peaks(high, box, group, upper, lower, np.full(full, -1))


def doubles(real: Peaks, world: World, rng, unrest: np.ndarray) -> Peaks:
    """Second, weaker peaks on real things: halves of a body, boxes that reach over to a neighbour.

    A half shows its own half's colour twice, and what lies beside shows more of the ground the further it reaches.
    """
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
    above, below = take(real.upper), take(real.lower)
    ground = behind(world, rng, (batch, DOUBLES, 1, 3))
    bare = np.where(beside, np.abs(shift) / wide.clip(1e-4) * 0.8, 0)
    shown = (np.where(lower[..., None], below, above), np.where(upper[..., None], above, below))
    shown = (looks.uncovered(half, ground, colours.median_share(bare), bare.clip(0, 1)) for half in shown)
    return Peaks(high, box, take(real.group), *shown, np.full(full, -1))


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


def parts_of_vehicles(real: Peaks, rng) -> Peaks:
    """Weak peaks on a part of a vehicle that reach beyond it, so that they outlive the overlap removal."""
    own = real.height[:, V]
    full, still = own.shape, (*own.shape[:2], 1)
    loose = lambda low, high, s: rng.uniform(low, high, still) * np.exp(rng.normal(0, s, full))  # noqa: E731
    there = (rng.random(still) < 0.6) & (rng.random(full) < rng.uniform(0.4, 1, still))
    box = real.box[:, V]
    size = box[..., 2:] - box[..., :2]
    share = np.stack([loose(0.25, 0.9, 0.08), loose(0.25, 0.8, 0.12)], -1)
    low = box[..., :2] + size * np.stack([rng.uniform(-0.3, 1, still), rng.uniform(-0.25, 0.6, still)], -1) * (
        1 - share
    )
    box = np.concatenate([low, low + size * share], -1).clip(-0.02, 1.02)
    high = np.where(there, own * loose(0.2, 0.45, 0.1), 0)
    return Peaks(high, box, real.group[:, V], real.upper[:, V], real.lower[:, V], np.full(full, -1))
