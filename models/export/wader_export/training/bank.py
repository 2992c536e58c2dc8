"""What training takes of the photographs: windows to ask about, and backdrops for simulated scenes."""

from dataclasses import dataclass

import numpy as np

from .. import layout
from . import variants
from .photo_state import ANIMAL_FACTS, ANIMALS, FACT_OF_GROUP, VEHICLE_FACTS, state_of, told


@dataclass
class Bank:
    """Variants of photographs; arrays over their number n."""

    tokens: np.ndarray  # [n, F, TOKENS, DIM] float32
    state: np.ndarray  # [n, heads + extra] what is clearly true, see `photo_state`
    backdrop: np.ndarray  # [n, F, OBJECTS] tokens that are surely nothing real
    chance: np.ndarray  # [n] of being shown: each photograph as often as another, however many variants it has


def absent_groups(facts: dict) -> np.ndarray:
    """Which class groups [12] surely are not on a photograph."""
    lacks = lambda *names: not any(told(facts, name) for name in names)  # noqa: E731
    absent = np.ones(len(layout.GROUPS), bool)
    absent[layout.PERSON] = facts["people"][1] == 0
    absent[[layout.CAR, layout.BIG_VEHICLE]] = lacks(*VEHICLE_FACTS)
    for group, fact in FACT_OF_GROUP.items():
        absent[group] = lacks("any_animal", *ANIMAL_FACTS) if group in ANIMALS else lacks(fact)
    return absent


def backdrop(tokens: np.ndarray, facts: dict) -> np.ndarray:
    """The tokens [..., OBJECTS] whose every heat is of a group that is not there."""
    objects = tokens[..., : layout.OBJECTS, :]
    seen = objects[..., layout.HEATS] > 0
    return (objects[..., layout.VALID] > 0) & ~(seen & ~absent_groups(facts)).any(-1)


def load() -> Bank:
    """The bank; what was never made is made, which takes some minutes."""
    tokens, state, free, chance = [], [], [], []
    all_made = variants.of_all()
    for still, made in all_made:
        dark = {name: value for name, value in still.facts.items() if name != "light"}
        tokens.append(made.tokens)
        free.append(backdrop(made.tokens, still.facts))
        chance += [1 / len(all_made) / len(made.tokens)] * len(made.tokens)
        state += [
            state_of(still.facts if light else dark, mirrored, worn)
            for mirrored, light, worn in zip(made.mirrored, made.as_light, made.worn)
        ]
    return Bank(np.concatenate(tokens), np.stack(state), np.concatenate(free), np.array(chance))
