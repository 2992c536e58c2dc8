"""How a question is worded: templates, some of which training never sees.

A template is a text with slots in braces. The sixth of every eight templates of a meaning is held out: only a
`Wording(held_out=True)` asks it, and that asks nothing else.
"""

from collections.abc import Sequence
from random import Random

from .words import NUMBERS, PLACES, SOMEBODY, SOMEBODY_WEIGHT

HELD_OUT = (5, 8)  # which of how many templates
PLACED = 0.25  # of the questions that can name a place do
DIGITS = 0.25  # of the numbers in questions are written as digits
DOUBTFUL = 0.1  # of the questions that have no clear answer are asked in training
BARE = 0.08  # of the questions lack their mark


def split(templates: Sequence[str], held_out: bool) -> list[str]:
    """The templates that training never sees, or the others."""
    which, every = HELD_OUT
    return [t for number, t in enumerate(templates) if (number % every == which) == held_out]


class Wording:
    """Chooses templates and fills their slots.

    `clear`: what a looker could call either way is never asked; else now and then, so that the model learns to doubt.
    """

    def __init__(self, random: Random, held_out: bool = False, clear: bool = False):
        self.random, self.held_out, self.clear = random, held_out, clear

    def doubtful(self) -> bool:
        """Whether to ask what a looker could call either way."""
        return self.random.random() < DOUBTFUL and not self.clear

    def who(self) -> str:
        """Somebody."""
        return self.random.choices(SOMEBODY, SOMEBODY_WEIGHT)[0]

    def number(self, value: int) -> str:
        """A number in a question."""
        return str(value) if self.random.random() < DIGITS else NUMBERS[value]

    def text(self, templates: Sequence[str], place: bool = False, **slots: str) -> str | None:
        """One question; None where a held-out wording is wanted and this meaning has none.

        `place`: the question may name where the camera looks. `{who}` is filled by itself.
        """
        options = split(templates, self.held_out)
        if not options:
            return None
        text = self.random.choice(options)
        if place and self.random.random() < PLACED:
            text = f"{text[:-1]} {self.random.choice(PLACES)}{text[-1]}"
        text = text.format(who=self.who(), **slots)
        return text[:-1] if self.random.random() < BARE else text
