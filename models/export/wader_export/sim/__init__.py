"""The simulator: scenes before a fixed camera, drawn straight in the encoder's feature space.

``world`` moves things on a ground plane and projects them, ``colours`` clothes them, ``detector`` imitates what
the frozen encoder makes of them (figures measured by ``wader_export.measure`` on the first half of the footage),
``truth`` says what is true of the scene.
"""

from .detector import Features, observe
from .world import PEOPLE, World, draw

__all__ = ["Features", "PEOPLE", "World", "draw", "observe", "simulate"]


def simulate(batch, frames, rng):
    """One batch of clips: the world and what the encoder would see of it."""
    world = draw(batch, frames, rng)
    return world, observe(world, rng)
