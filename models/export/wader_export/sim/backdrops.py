"""What the encoder makes of real pictures in which a thing is not: in some scenes it takes the place of drawn false peaks.

Drawn false peaks have the frequencies that were measured; real ones have those and everything else that they have in
common: how high they are beside one another, where and how large they are, of which colours, and in which pictures.
"""

from dataclasses import dataclass

import numpy as np

from .. import layout
from . import blindness, looks
from .peaks import Peaks
from .world import BRIGHT, World

SHARE, SHARE_POSING = 0.4, 0.75  # of the bright scenes stand before a real backdrop
LIGHT_ENOUGH = 0.25  # mean of a picture that may stand behind a bright scene
BACKDROP = -2  # the `thing` of its peaks


@dataclass(frozen=True)
class Backdrops:
    """Real pictures to choose from, coded as cameras code them: [n, frames, ...]."""

    tokens: np.ndarray  # [n, F, 25, DIM]
    free: np.ndarray  # [n, F, 24] which objects surely are nothing real


@dataclass
class Chosen:
    """Which clips [B] have a backdrop, and its tokens in them."""

    clips: np.ndarray  # numbers of clips [c]
    tokens: np.ndarray  # [c, T, 25, DIM]
    free: np.ndarray  # [c, T, 24]


def choose(world: World, backdrops: Backdrops | None, rng) -> Chosen | None:
    """Puts real backdrops behind some scenes; the scene's background becomes as bright as they are."""
    if backdrops is None:
        return None
    frames = world.times.shape[1]
    share = np.where(world.posing, SHARE_POSING, SHARE)
    fit = (world.light == BRIGHT) & ~world.infrared & (world.blindness == blindness.SEES)
    clips = np.flatnonzero(fit & (rng.random(len(share)) < share))
    light = backdrops.tokens[:, :, layout.OBJECTS, layout.MEAN_RGB].mean((1, 2)) > LIGHT_ENOUGH
    which = rng.choice(np.flatnonzero(light), len(clips))
    shown = np.sort(np.argsort(rng.random((len(clips), backdrops.tokens.shape[1])), 1)[:, :frames], 1)
    tokens, free = (a[which[:, None], shown] for a in (backdrops.tokens, backdrops.free))
    mean = tokens[:, :, layout.OBJECTS, layout.MEAN_RGB].mean(1)
    world.background[clips] = mean / world.gain[clips, None]
    return Chosen(clips, tokens, free)


def peaks(world: World, chosen: Chosen | None) -> tuple[Peaks, np.ndarray]:
    """Peaks of the backdrops [B, 24, T] and their heats of all groups [B, 24, T, 12]: none where a clip has no backdrop."""
    batch, frames = world.times.shape
    objects = np.zeros((batch, frames, layout.OBJECTS, layout.DIM))
    if chosen is not None:
        objects[chosen.clips] = np.where(chosen.free[..., None], chosen.tokens[:, :, : layout.OBJECTS], 0)
    objects = objects.transpose(0, 2, 1, 3)
    heat = objects[..., layout.HEATS]
    real = Peaks(
        heat.max(-1), objects[..., layout.BOX], heat.argmax(-1),
        looks.seen_before(objects, layout.UPPER, layout.UPPER_WORDS),
        looks.seen_before(objects, layout.LOWER, layout.LOWER_WORDS),
        np.full(heat.shape[:3], BACKDROP),
    )  # fmt: skip
    return real, heat
