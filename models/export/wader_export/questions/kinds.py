"""What a kind of question is, and the list of all kinds (`people`, `things`).

A kind is a function (state lookup, wording) -> Draft or None (not answerable here). Yes/no questions carry a
balance key, so that the writer can keep yes and no equally frequent for each wording's meaning. What a looker could
call either way is not asked.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..sim.truth import UNCLEAR
from .asking import Wording

Lookup = Callable[[str], int]


@dataclass
class Draft:
    """A question before balancing."""

    text: str
    answer: str
    balance: str | None = None  # key for balancing: of yes and no, or `key=value`


CONTRARY = 0.12  # of the questions that have a contrary ask for it

KINDS: dict[str, tuple[Callable[[Lookup, Wording], Draft | None], float]] = {}


def kind(name: str, weight: float):
    """Registers a kind with the weight it is drawn with."""

    def register(function):
        KINDS[name] = (function, weight)
        return function

    return register


def known(*values: int) -> bool:
    """Whether none of the values is unclear."""
    return UNCLEAR not in values


def draft(text: str | None, answer: str, balance: str | None = None) -> Draft | None:
    """A draft, unless there is no such wording."""
    return None if text is None else Draft(text, answer, balance)


def yes_no(text: str | None, value: bool, key: str) -> Draft | None:
    """A question that is answered by yes or no."""
    return draft(text, "yes" if value else "no", key)


def either_way(ask: Wording, templates, contraries, value: bool, key: str, place: bool = False, **slots) -> Draft | None:
    """A question that is answered by yes or no, now and then asked the other way round ("is nobody there?")."""
    if ask.random.random() < CONTRARY:
        return yes_no(ask.text(contraries, **slots), not value, f"no {key}")
    return yes_no(ask.text(templates, place, **slots), value, key)


def counted(s: Lookup, ask: Wording) -> int | None:
    """People now; mostly None where a looker could count one more or less."""
    now = s("now")
    sure = s("sure_now") == s("most_now") or ask.doubtful()
    return now if known(now) and sure else None


def colourless(s: Lookup, ask: Wording) -> bool:
    """In the dark nobody can tell colours: hardly ask."""
    return s("light") == 2 and not ask.doubtful()
