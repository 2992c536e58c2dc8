"""The simulator: scenes before a fixed camera, drawn straight in the encoder's feature space.

``world`` moves things on a ground plane and projects them, ``colours`` clothes them, ``detector`` (with
``false_peaks``) imitates what the frozen encoder makes of them (figures measured by ``wader_export.measure`` on the
first half of the footage), ``truth`` says what is true of the scene, ``events`` when somebody came and left,
``blindness`` spoils what the camera shows, ``backdrops`` puts real pictures behind some scenes.
"""

from random import Random

import numpy as np

from .backdrops import Backdrops
from .detector import Features, observe
from .world import PEOPLE, World, draw

__all__ = ["Backdrops", "Features", "PEOPLE", "World", "draw", "observe", "simulate", "sources"]

SPLITS = ("train", "validation", "test")


def sources(split: str, seed: int) -> tuple[np.random.Generator, Random]:
    """The two sources of chance of a split: streams that no seed of another split can begin."""
    return np.random.default_rng([SPLITS.index(split), seed]), Random(f"{split} {seed}")


def simulate(batch, frames, rng, span=None, backdrops=None):
    """One batch of clips: the world and what the encoder would see of it; `span` fixes their seconds, `backdrops` are real
    pictures before which some of them are."""
    world = draw(batch, frames, rng, span)
    return world, observe(world, rng, backdrops)
