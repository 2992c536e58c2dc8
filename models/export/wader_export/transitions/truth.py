"""What was true when: the hand-made truth of the footage, laid over the time in which it was served in a loop."""

from dataclasses import dataclass
from functools import cache

from ..evaluation.truths import derive
from .asked import FRAMES, SPAN, Question
from .matching import Span

TENTHS = 10  # in a second; the footage has as many pictures


def stretch() -> tuple[float, float]:
    """Where the part of the footage begins and ends of which there is truth, in seconds of it."""
    return derive().T["from"], derive().T["to"]


def crops() -> dict[str, list[float]]:
    """Left, top, right and bottom of each view, in fractions."""
    return {view["name"]: view["crop"] for view in derive().T["view"]}


@cache
def round_of(view: str) -> list[dict | None]:
    """The truth of each tenth of a second of one time through: that of the window which ends there.

    None: the window would reach over the seam, where the end and the beginning of the footage meet.
    """
    begin, end = (round(second * TENTHS) for second in stretch())
    (chosen,) = (v for v in derive().T["view"] if v["name"] == view)
    step = SPAN * TENTHS / (FRAMES - 1)

    def window(newest: int) -> dict:
        times = [round(newest - step * back) / TENTHS for back in range(FRAMES - 1, -1, -1)]
        return derive().window(chosen, times)

    return [window(newest) if newest - begin >= SPAN * TENTHS else None for newest in range(begin, end)]


@dataclass(frozen=True)
class Served:
    """A view, and when it began to be served at the beginning of the stretch, in seconds of the wall clock."""

    view: str
    began: float

    def spans(self, question: Question, begin: float, end: float) -> list[Span]:
        """The true states from one time to another."""
        of_round = round_of(self.view)
        found: list[Span] = []
        for tenth in range(int((begin - self.began) * TENTHS) + 1, int((end - self.began) * TENTHS)):
            truth = of_round[tenth % len(of_round)]
            value, cut = (question.says(truth[question.kind]), False) if truth else (None, True)
            since, until = self.began + tenth / TENTHS, self.began + (tenth + 1) / TENTHS
            if found and (found[-1].value, found[-1].cut) == (value, cut):
                since = found.pop().begin
            found.append(Span(since, until, value, cut))
        return found
