"""The figures of each question and camera, their sums, and the table of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from statistics import median

from .asked import LONGEST, MORE, QUESTIONS, VARIANTS, Question, Variant, prompt
from .heard import Heard
from .matching import agreeing, agreement, judge
from .truth import Served

HOUR = 3600
LAGS = [tenths / 10 for tenths in sorted(range(-10, 31), key=abs)]  # seconds; of equal ones the smallest


@dataclass
class Figures:
    """Of one variant of a question on a camera, or a sum of such."""

    clear: float = 0.0  # seconds in which a state was published and the truth is clear
    agreed: float = 0.0  # seconds of these in which the state was true
    compared: int = 0  # answers about pictures of which the truth is clear
    said: int = 0  # of these, answers that say it
    right: int = 0
    false: int = 0
    missed: int = 0
    unclear: int = 0  # events that are neither
    delays: list[float] = field(default_factory=list)  # seconds

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    def summary(self) -> dict:
        """What is told of it; None where there is nothing to divide by."""
        hours, transitions = self.clear / HOUR, self.right + self.missed
        return {
            "hours": hours,
            "transitions": transitions,
            "events": self.right + self.false + self.unclear,
            "right": self.right,
            "false": self.false,
            "missed": self.missed,
            "unclear": self.unclear,
            "false_per_hour": self.false / hours if hours else None,
            "missed_per_hour": self.missed / hours if hours else None,
            "missed_share": self.missed / transitions if transitions else None,
            "answers_right": self.said / self.compared if self.compared else None,
            "state_right": self.agreed / self.clear if hours else None,
            "median_delay_s": median(self.delays) if self.delays else None,
        }


def measure(
    served: Served, question: Question, variant: Variant, heard: Heard, end: float, more: float = 0
) -> Figures:
    """From the first published state on, with so much more tolerance; nothing where there never was a state."""
    key = (served.view, prompt(question, variant))
    states = heard.states.get(key, [])
    spans = served.spans(question, states[0][0], end) if states else []
    if not spans:
        return Figures()
    verdict = judge(spans, heard.events.get(key, []), variant.tolerance + more, LONGEST + more)
    return Figures(
        *agreement(spans, states),
        *agreeing(spans, heard.answers.get(key, [])),
        right=len(verdict.right),
        false=len(verdict.false),
        missed=len(verdict.missed),
        unclear=len(verdict.unclear),
        delays=[change.delay(event) for change, event in verdict.right],
    )


def measure_all(cameras: Iterable[Served], heard: Heard, end: float) -> list[dict]:
    """One row for each tolerance, camera, question and variant."""
    return [
        {"more_s": more, "camera": served.view, "question": question.ask, "variant": variant.title, "figures": figures}
        for more, served, question, variant in product((0, *MORE), cameras, QUESTIONS, VARIANTS)
        for figures in [measure(served, question, variant, heard, end, more)]
    ]


def lag_of(cameras: Iterable[Served], heard: Heard, end: float) -> float:
    """How much older than they say, in seconds, pictures would have to be for most answers to be right.

    A check of the measurement: where it is more than the way from a camera takes, the clocks do not fit.
    """
    pairs = []
    for served in cameras:
        for question in QUESTIONS:
            answers = heard.answers.get((served.view, prompt(question, VARIANTS[0])), [])
            if answers:
                pairs.append((served.spans(question, answers[0][0] - max(LAGS), end), answers))

    def share(lag: float) -> float:
        compared, said = (sum(column) for column in zip((0, 0), *(agreeing(*pair, lag) for pair in pairs)))
        return said / compared if compared else 0.0

    return max(LAGS, key=share)


def grouped(rows: list[dict]) -> list[tuple[str, str, Figures]]:
    """Sums over the cameras for each question, over the questions for each camera, and over all for each tolerance."""
    sums: dict[tuple[str, str], Figures] = {}
    narrow = [row for row in rows if row["more_s"] == 0]
    for title, those in (
        (lambda row: row["question"], narrow),
        (lambda row: f"camera {row['camera']}", narrow),
        (lambda row: "in total" + f", {row['more_s']} s more tolerance" * (row["more_s"] > 0), rows),
    ):
        for row in those:
            key = (title(row), row["variant"])
            sums[key] = sums.get(key, Figures()) + row["figures"]
    return [(title, variant, figures) for (title, variant), figures in sums.items()]


def table(rows: list[dict]) -> str:
    """For people. The variants of a question stand one below the other."""
    lines = [
        f"{'':<61} {'transi-':>7} {'':>6} {'false':>7} {'missed':>7} {'':>6} {'state':>6} {'answers':>7} {'delay':>6}",
        f"{'question':<33} {'policy':<20} {'hours':>6} {'tions':>7} {'events':>6} {'an hour':>7} {'an hour':>7}"
        f" {'missed':>6} {'right':>6} {'right':>7} {'median':>6}",
    ]
    before = None
    for title, variant, figures in grouped(rows):
        f = figures.summary()
        lines.append(
            f"{title if title != before else '':<33} {variant:<20} {f['hours']:>6.2f} {f['transitions']:>7}"
            f" {f['events']:>6} {number(f['false_per_hour'], '.1f'):>7} {number(f['missed_per_hour'], '.1f'):>7}"
            f" {number(f['missed_share'], '.0%'):>6} {number(f['state_right'], '.1%'):>6}"
            f" {number(f['answers_right'], '.1%'):>7} {number(f['median_delay_s'], '.1f'):>6}"
        )
        before = title
    return "\n".join(lines)


def number(value: float | None, form: str) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else format(value, form)
