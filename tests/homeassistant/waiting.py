"""Waiting for what must happen, with a deadline, and the error where it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

# Long: machines are shared, and on a slow one Home Assistant takes half a minute to start. Not waited out where all is
# well.
DEADLINE_S = 90.0
POLL_S = 0.05

Found = TypeVar("Found")


class Wrong(Exception):
    """Something is not as it must be."""


def until(what: str, look: Callable[[], Found], deadline_s: float = DEADLINE_S) -> Found:
    """What `look` finds as soon as it finds something; `Wrong` when it finds nothing in time.

    `look` may itself raise `Wrong`, which says what it still misses.
    """
    end = time.monotonic() + deadline_s
    missed = ""
    while True:
        try:
            if found := look():
                return found
        except Wrong as error:
            missed = f": {error}"
        if time.monotonic() > end:
            raise Wrong(f"in vain for {deadline_s:.0f} s: {what}{missed}")
        time.sleep(POLL_S)


def hold(fact: object, what: str) -> None:
    """Holds a fact to be true; not `assert`, which an option of Python turns off."""
    if not fact:
        raise Wrong(what)
