"""Imitates the frozen encoder: from a world to the 25 tokens of each frame.

The constants were measured with ``python -m wader_export statistics`` on the first half of the footage (NanoDet
at 384x288, full picture and three zooms, ten frames a second): see models/export/README.md for the comparison.
"""

from dataclasses import dataclass

import numpy as np

from .. import layout
from . import backdrops, blindness, colours, looks
from .backdrops import Backdrops
from .false_peaks import doubles, parts_of_vehicles, passing_peaks, second_vehicles, standing_peaks
from .looks import BEHIND, FRONT, OWN, SECOND, SURROUND
from .peaks import Peaks, restless, steady_noise, taken
from .world import DARK, NECK, PEOPLE, STILL, THINGS, VEHICLES, O, P, V, World, behind

USUAL_CONTRAST = 0.17  # at which the drift of edges was measured
CANDIDATES = 36  # strongest peaks that enter the overlap removal
# height of a thing cut by the picture's edge, as part of its whole height, over the part that is inside
PART_SEEN = ((0, 0.05, 0.12, 0.27, 0.42, 0.57, 0.72, 0.87, 1), (0, 0.1, 0.27, 0.6, 0.75, 0.84, 0.9, 0.96, 1))
UPPER_ROWS, LOWER_ROWS = (0.18, 0.48), (0.52, 0.85)  # where the encoder takes its colours
# how much of the samples shows what is beside a body, by the part of its height from above
BODY = (0.1, 0.33, 0.685)
BESIDE = ((0.0, 0.05, 0.12), (0.5, 0.45, 0.66))
SAMPLED_BESIDE = (0.5, 0.5, 1.0)  # of it: above the waist black clothes are .82 of the samples (median), below .66
# taller people hold things, sit in things and stand before one another: of 13 in the photographs to train on, seven are seen
# with .34 to .53, the others with .63 to .86
NEAR_TALL = 0.45
# black, white, gray, red, blue, green, yellow, brown, orange, pink
AROUND_SHARE = np.array([0.08, 0.1, 0.1, 0.08, 0.1, 0.3, 0.06, 0.14, 0.03, 0.01])
SKIN = np.array([(0.80, 0.60, 0.50), (0.62, 0.42, 0.33), (0.35, 0.23, 0.18), (0.22, 0.17, 0.14)])  # and hair
# how high peaks are in little light, as part of their height by day: frames of the first half of the footage, darkened
LIT = (0.06, 0.09, 0.12, 0.25, 0.4, 0.7)
PEOPLE_LIT, THINGS_LIT = (0.2, 0.6, 0.83, 0.96, 0.98, 1.0), (0.0, 0.4, 0.74, 0.94, 0.96, 1.0)
# second heats of a real thing: group -> (other group, typical part of its own height)
CONFUSION = {3: [(4, 0.35)], 4: [(3, 0.7)], 1: [(2, 0.3)], 2: [(1, 0.3)], 6: [(7, 0.4)], 7: [(6, 0.3), (8, 0.25)], 8: [(7, 0.35)]}  # fmt: skip


@dataclass
class Features:
    """What the encoder hands on, and which thing each token is (-1: nothing real)."""

    tokens: np.ndarray  # [B, T, 25, DIM] float32
    thing: np.ndarray  # [B, T, 24]


def peak_heights(world: World, rng, unrest: np.ndarray) -> np.ndarray:
    """Heights of the real things' peaks [B, N, T]; `unrest` [B, N, 1] scales the noise of each."""
    batch, frames = world.times.shape
    pixels = world.height * layout.HEIGHT
    base = 0.86 / (1 + np.exp(-(np.log(pixels.clip(1)) - np.log(17)) * 1.8))
    across = world.width * layout.WIDTH
    base[:, V] = 0.74 / (1 + np.exp(-(np.log(pixels[:, V].clip(1)) - np.log(16)) * 2.2))
    base[:, O] = 0.72 / (1 + np.exp(-(np.log(across[:, O].clip(1)) - np.log(15)) * 2.0))
    own = np.exp(rng.normal(0, 0.07, (batch, THINGS, 1)))
    near = world.height.mean(2, keepdims=True) > NEAR_TALL
    own *= np.where(rng.random(own.shape) < np.where(near, 0.5, 0.24), rng.uniform(0.42, 0.78, own.shape), 1)
    own[:, V] = known_well(own[:, V].shape, rng, 0.15, 0.62)
    own[:, O] = known_well(own[:, O].shape, rng, 0.25, 0.6)
    mood = np.exp(rng.normal(0, 0.05, batch))
    own[:, P] *= np.interp(world.gain, LIT, PEOPLE_LIT)[:, None, None] * np.exp(rng.normal(0, 0.04, (batch, PEOPLE, 1)))
    own[:, PEOPLE:] *= np.interp(world.gain, LIT, THINGS_LIT)[:, None, None] * np.exp(rng.normal(0, 0.08, (batch, THINGS - PEOPLE, 1)))
    flicker = steady_noise(rng, (batch, THINGS, frames), world.times, 0.45)
    amount = np.full((1, THINGS, 1), 0.055)
    amount[:, V] = 0.02  # parked cars hardly flicker
    own = own * mood[:, None, None]
    amount = amount * restless(unrest, base * own)
    high = base * own + flicker * amount * (base / 0.7).clip(0.4, 1.3)
    dips = rng.random(high.shape) < 0.03 * unrest
    high *= np.where(dips, rng.uniform(0.2, 0.7, high.shape), 1)
    high *= 1 - 0.95 * world.hidden.clip(0, 1) ** 1.4
    high *= np.interp(1 - world.covered, *PART_SEEN)[..., None]
    high *= np.interp(world.inside, *PART_SEEN) * np.exp(rng.normal(0, 0.08, high.shape) * (world.inside < 0.9))
    return np.where(world.exists & (world.inside > 0.02), high, 0).clip(0, 0.93)


def known_well(shape, rng, strange: float, least: float) -> np.ndarray:
    """How high the peaks of things are, as part of what their size gives; of this share the detector has hardly seen any:
    a squirrel, a van of another age, an animal from behind."""
    return np.where(rng.random(shape) < strange, rng.uniform(0.42, 0.72, shape), rng.uniform(least, 1.1, shape))


def draw_unrest(posing: np.ndarray, rng) -> np.ndarray:
    """How much of the usual noise [B, 1] is on what stands still. In a quiet scene it is a part, by sensor and codec; hardly
    any where the codec spares itself pictures that are almost the same."""
    quiet = rng.random(len(posing)) < np.where(posing, 1.0, 0.45)
    sparing = rng.random(len(posing)) < 0.15
    least, most = np.where(sparing, 0.004, 0.06), np.where(sparing, 0.06, np.where(posing, 0.6, 0.9))
    unrest = np.exp(rng.uniform(np.log(least), np.log(most)))
    return np.where(quiet, unrest, 1.0)[:, None]


def draw_shown(world: World, rng) -> np.ndarray:
    """The part of each thing's height, from above, that its box holds [B, N, T]: it ends where something hides the rest."""
    cut = (world.hidden > 0.3) & (rng.random(world.hidden.shape) < 0.5)
    return np.minimum(1 - world.covered[..., None], np.where(cut, rng.uniform(0.55, 0.95, cut.shape), 1))


def jittered_boxes(world: World, rng, unrest: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Boxes as the detector reports them; `unrest` [B, N, 1] scales the noise of each thing; `shown`: of `draw_shown`."""
    shape = world.height.shape
    calm = np.ones((*shape[:2], 1))  # what stands still is boxed alike in every frame, parked vehicles almost exactly
    calm[:, P] = np.where(world.motion[:, P, None] == STILL, rng.uniform(0.6, 1.5, (shape[0], PEOPLE, 1)), 1)
    calm[:, V] = np.where(world.motion[:, V, None] == STILL, rng.uniform(0.15, 0.5, (shape[0], VEHICLES, 1)), 0.7)
    calm = calm * unrest
    wide = world.width * np.exp(rng.normal(0, 0.09, shape) * calm)
    high = world.height * np.exp(rng.normal(0, 0.035, shape) * calm)
    x = world.centre + rng.normal(0, 0.02, shape) * calm * world.height
    foot = world.foot + rng.normal(0, 0.02, shape) * calm * world.height
    top = foot - high
    box = np.stack([x - wide / 2, top, x + wide / 2, top + high * shown], -1)
    return box.clip(-0.02, 1.02)


def shaded(world: World, rng, rows: tuple[float, float], shown: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Looks [B, N, T, LOOKS] between two parts of the visible box's height: samples are on the thing, on what is behind it
    (some on what is `around` everywhere, [B, 3]), on skin, and on what hides it.

    Of a person who is cut by the picture's edge or by a table the box holds only a part, so its lower half may show the
    jacket and its upper half the face. `shown`: of `draw_shown`.
    """
    batch, frames = world.times.shape
    still = (batch, THINGS, 1)
    above, below = world.cut
    visible = 1 - above - np.maximum(below, 1 - shown)
    first, last = (above + row * visible for row in rows)
    where = (first + last) / 2
    rgb = np.where((where < 0.5)[..., None], world.upper_rgb[:, :, None], world.lower_rgb[:, :, None])
    cloth = np.where((where < 0.5)[..., None], world.upper_cloth[:, :, None], world.lower_cloth[:, :, None])
    least, most = (np.interp(where, BODY, part) for part in BESIDE)
    mix = least + (most - least) * rng.random(still) + rng.normal(0, 0.1, where.shape)
    aside = rng.spawn(1)[0]
    body = aside.random(still)  # of what is before the clothes: hands, hair, bare arms
    before = world.obscured[..., None] * (1 - body)
    ground = mix.clip(0, 0.75)
    beside = ground + (1 - ground) * before
    ground_behind = behind(world, rng, (batch, THINGS, 3))
    # face, hair and hands: some of an upper half, most where little but the head is in the box; and bare legs
    skin = np.where(where < 0.5, rng.uniform(0, 0.22, still), np.maximum(rng.uniform(0, 0.05, still), world.bare[..., None]))
    head = ((NECK - first) / (last - first).clip(1e-3)).clip(0, 1)
    skin = np.maximum(skin, np.where(head < 1, head * rng.uniform(0.7, 1, still), 1))  # no cloth above the neck
    bare = (skin + (1 - skin) * world.obscured[..., None] * body) * (world.kind == layout.PERSON)[..., None]
    skin = colours.median_share(bare[..., None])
    own_skin = SKIN[rng.integers(0, len(SKIN), (batch, THINGS))][:, :, None]
    rgb = rgb * (1 - skin) + own_skin * skin
    mix = colours.median_share(beside[..., None])
    seen = rgb * (1 - mix) + ground_behind[:, :, None] * mix + rng.normal(0, 0.02, (batch, THINGS, frames, 3))
    folds = np.exp(rng.uniform(np.log(0.01), np.log(0.12), (batch, THINGS, 1, 1)))
    seen *= np.exp(rng.normal(0, 1, (batch, THINGS, frames, 1)) * folds)  # and sun and shade
    own = world.upper_rgb if rows == UPPER_ROWS else world.lower_rgb
    front = np.take_along_axis(own, world.hider.reshape(batch, -1)[..., None].repeat(3, 2), 1).reshape(seen.shape)
    hidden = np.where(shown < 1 - world.covered[..., None], 0.5, 1) * world.hidden  # the box ends before it
    behind_it = colours.median_share(hidden)[..., None]
    seen = seen * (1 - behind_it) + front * behind_it
    open_, apart = 1 - hidden, aside.random(still)
    ground = ground * np.interp(where, BODY, SAMPLED_BESIDE)
    beside = ground + (1 - ground) * before
    worn, plain = open_ * (1 - beside) * (1 - bare), cloth[..., 6]
    parts = {
        OWN: (worn * plain, cloth[..., :3]),
        SECOND: (worn * (1 - plain), cloth[..., 3:6]),
        looks.SKIN: (open_ * (1 - beside) * bare, own_skin),
        BEHIND: (open_ * beside * apart, ground_behind[:, :, None]),
        SURROUND: (open_ * beside * (1 - apart), around[:, None, None] + aside.normal(0, 0.05, (batch, THINGS, 1, 3))),
        FRONT: (hidden, front),
    }
    return looks.looks(seen, looks.drawn_folds(aside, still), parts)


def draw_around(world: World, rng) -> np.ndarray:
    """The colour [B, 3] of most of what lies behind things: a lawn, bricks, sand, or what the background is anyway."""
    batch = len(world.times)
    some = (rng.random(batch) < 0.3)[:, None]
    return np.where(some, colours.pick(rng, AROUND_SHARE, (batch,))[1], world.background)


def unhidden(height: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which peaks (sorted, strongest first; [B, M, T]) survive the encoder's overlap removal."""
    b = np.moveaxis(box, 1, 2).astype(np.float32)
    h = np.moveaxis(height, 1, 2)
    across, down = (
        (np.minimum(b[..., :, None, i + 2], b[..., None, :, i + 2]) - np.maximum(b[..., :, None, i], b[..., None, :, i])).clip(0)
        for i in (0, 1)
    )
    common = across * down
    size = (b[..., 2:] - b[..., :2]).clip(1e-4)
    area = size[..., 0] * size[..., 1]
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


def strays(peaks: Peaks, rng) -> np.ndarray:
    """Chance [B, K, T, 1] of each other heat on a peak.

    Measured on the first half of the footage: a false thing that is no person has one or two of them, a false person
    hardly any once it is as high as a small real one, a weak false vehicle one.
    """
    height = peaks.height
    still = (*height.shape[:2], 1)
    vague = np.where(rng.random(still) < 0.35, 0.03, rng.uniform(0.05, 0.24, still))
    person = np.where(rng.random(still) < 0.7, 0.02, np.interp(height, (0.2, 0.3, 0.4), (0.22, 0.1, 0.03)))
    vehicle = np.interp(height, (0.2, 0.35), (0.09, 0.02))
    false = np.where(peaks.group == layout.PERSON, person, np.where(is_vehicle(peaks.group), vehicle, vague))
    real = np.where(height > 0.5, 0.002, 0.015)
    real = np.where(peaks.thing >= PEOPLE + VEHICLES, 0.07, real)  # animals and things are taken for one another
    return np.where(peaks.thing >= 0, real, false)[..., None]


def is_vehicle(group: np.ndarray) -> np.ndarray:
    """Which groups are vehicles."""
    return (group == layout.CAR) | (group == layout.BIG_VEHICLE)


def heats(peaks: Peaks, rng) -> np.ndarray:
    """Heats of all groups [B, K, T, 12] with the floors cut; those of one thing are alike in all frames."""
    shape = (*peaks.height.shape, 12)
    still = (*peaks.height.shape[:2], 1, 12)
    high = peaks.height[..., None]
    flicker = np.exp(rng.normal(0, 0.25, shape))
    other = high * confusion_table()[peaks.group] * np.exp(rng.normal(0, 0.6, still)) * flicker
    chance = strays(peaks, rng)
    stray = np.where(rng.random(shape) < 0.8, rng.random(still), rng.random(shape)) < chance
    other = np.where(stray, high * rng.uniform(0.3, 0.95, still) * flicker, other)
    other = np.minimum(other, 0.97 * high)
    result = np.where(np.eye(12, dtype=bool)[peaks.group], high, other)
    swap = (rng.random(still[:3]) < 0.25) & (peaks.group == layout.CAR)  # a van is a car or a truck
    swapped = result.copy()
    swapped[..., layout.CAR], swapped[..., layout.BIG_VEHICLE] = result[..., 4], result[..., 3]
    result = np.where(swap[..., None], swapped, result)
    result = alternating(result, rng)
    return np.where(result >= layout.FLOOR_CUT * high, result, 0)


def alternating(heat: np.ndarray, rng) -> np.ndarray:
    """Some things are the one in most frames and their runner-up in the others: a stone a dog, a van a truck."""
    things = heat.shape[:2]
    often = np.where(rng.random((*things, 1)) < 0.18, rng.uniform(0.05, 0.45, (*things, 1)), 0)
    mean = heat.mean(2)
    first, second = np.moveaxis(np.argsort(mean, -1)[..., [-1, -2]], -1, 0)
    turned = (rng.random(heat.shape[:3]) < often) & (np.take_along_axis(mean, second[..., None], -1) > 0)
    b, k, t = np.nonzero(turned)
    one, other = first[b, k], second[b, k]
    turned_heat = heat.copy()
    turned_heat[b, k, t, one], turned_heat[b, k, t, other] = heat[b, k, t, other], heat[b, k, t, one]
    return turned_heat


def picture_tokens(world: World, rng, tint: np.ndarray, unrest: np.ndarray) -> np.ndarray:
    """The picture token [B, T, DIM]."""
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
    seen = (contrast / USUAL_CONTRAST)[:, None]  # where little is to be seen, little of it changes
    token[..., layout.SHARPNESS] = sharp + seen * drift(1, 0.008)[..., 0]
    edges = (edges * world.gain.clip(0, 1.1))[:, None]
    token[..., layout.EDGES] = edges + 0.3 * noise + seen * drift(1, 0.015)[..., 0]
    token = token.clip(0, 1)
    token[..., layout.PICTURE] = 1
    return token


def observe(world: World, rng, real: Backdrops | None = None) -> Features:
    """The tokens of every frame; `real`: backdrops that take the place of drawn false peaks in some scenes."""
    batch, frames = world.times.shape
    chosen = backdrops.choose(world, real, rng)
    group = world.kind[..., None].repeat(frames, 2)
    things = np.broadcast_to(np.arange(THINGS)[None, :, None], group.shape)
    shown = draw_shown(world, rng)
    around = draw_around(world, rng.spawn(1)[0])
    upper, lower = shaded(world, rng, UPPER_ROWS, shown, around), shaded(world, rng, LOWER_ROWS, shown, around)
    unrest = draw_unrest(world.posing, rng)
    own = np.where(world.motion == STILL, unrest, 1)[..., None]
    heights = peak_heights(world, rng, own)
    boxes = jittered_boxes(world, rng, restless(own, heights.max(2, keepdims=True)), shown)
    seen = Peaks(heights, boxes, group, upper, lower, things)
    people = Peaks(*(getattr(seen, f)[:, :PEOPLE] for f in Peaks.__dataclass_fields__))
    false = [standing_peaks(world, rng, unrest, around), passing_peaks(world, rng, unrest, around)]
    parts = [doubles(people, world, rng, unrest), second_vehicles(seen, rng)]
    parts += [parts_of_vehicles(seen, rng) for _ in range(2)]
    if chosen is not None:
        for drawn in false:
            drawn.height[chosen.clips] = 0
    behind, heat_behind = backdrops.peaks(world, chosen)
    peaks = Peaks.join([behind, seen, *false, *parts])
    peaks.height = blindness.dim_peaks(peaks.height, world.blindness, rng)
    peaks.height = np.where(peaks.height > layout.MIN_HEIGHT, peaks.height, 0)
    heat = heats(peaks, rng)
    heat[:, : layout.OBJECTS] = heat_behind
    order = np.argsort(-peaks.height, 1)[:, :CANDIDATES]
    peaks, heat = peaks.take(order), taken(heat, order)
    peaks.height = np.where(unhidden(peaks.height, peaks.box), peaks.height, 0)
    order = np.argsort(-peaks.height, 1, kind="stable")[:, : layout.OBJECTS]
    peaks, heat = peaks.take(order), taken(heat, order)

    cast = np.where(rng.random((batch, 1)) < 0.25, 0.15, 0.06)  # lamps and wrong white balances
    tint = np.exp(rng.normal(0, 1, (batch, 3)) * cast)
    grey = world.infrared | ((world.light == DARK) & (rng.random(batch) < 0.35))
    as_it_is = (peaks.thing == backdrops.BACKDROP)[..., None]
    noise = np.where(world.light == DARK, 0.02, 0.008)
    medians, words = [], []
    valid = peaks.height > 0
    wanted = valid & ~as_it_is[..., 0]
    pixels = (peaks.box[..., 3] - peaks.box[..., 1]) * layout.HEIGHT
    for half in (peaks.upper, peaks.lower):
        noisy = rng.normal(size=(*half.shape[:-1], 3)) * noise[:, None, None, None]

        def light(rgb: np.ndarray, noisy=noisy) -> np.ndarray:
            """What the camera makes of colours [B, K, T, ..., 3]."""
            each = tuple(range(1, rgb.ndim - 1))
            rgb = np.where(np.expand_dims(grey, (*each, -1)), rgb.mean(-1, keepdims=True), rgb * np.expand_dims(tint, each))
            return (rgb * np.expand_dims(world.gain, (*each, -1)) + np.expand_dims(noisy, each[2:])).clip(0, 1)

        medians.append(np.where(as_it_is, half[..., :3], light(half[..., :3])))
        words.append(np.where(as_it_is, half[..., looks.REAL], looks.words(half, pixels, wanted, light)))
    tokens = np.zeros((batch, frames, layout.TOKENS, layout.DIM), np.float32)
    objects = np.concatenate([peaks.box, heat, *medians, valid[..., None], 0 * valid[..., None], *words], -1)
    tokens[:, :, : layout.OBJECTS] = np.where(valid[..., None], objects, 0).transpose(0, 2, 1, 3)
    tint = np.where(grey[:, None], tint.mean(1, keepdims=True), tint)
    tokens[:, :, layout.OBJECTS] = picture_tokens(world, rng, tint, unrest)
    if chosen is not None:
        tokens[chosen.clips, :, layout.OBJECTS] = chosen.tokens[:, :, layout.OBJECTS]
    blindness.spoil(tokens, world.blindness, world.present, rng)
    thing = np.where(valid, peaks.thing.clip(-1), -1).transpose(0, 2, 1)
    return Features(tokens, thing)
