"""Which events were right, which were false, and which were missed. Pure: truth and events in, a verdict out.

A true change leads from one clear state to another; what is unclear between the two, as while somebody is half in the
picture, belongs to it. An event that says the new state from the beginning of the change until `tolerance` after
its end is right, one for each change. A change without such an event is missed. Any other event is false, also the second of
a flicker, which only takes back the first; but for these, which are left out as unclear:

- events about pictures of which the truth is unclear;
- events that return to the truth within `tolerance` of an unclear stretch: what they take back may have been honest;
- all of a cut, where the pictures before and after are not of one scene, and the changes so shortly before it that
  their events might come after it.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

# Truth was read to half a second between entries and exits; an event may come so much earlier.
EARLY = 0.5


@dataclass(frozen=True)
class Span:
    """A stretch of time with one true state; None is unclear. Spans follow each other without a gap."""

    begin: float
    end: float
    value: str | None
    cut: bool = False  # there are pictures from both sides of a cut in the window; the value is None


@dataclass(frozen=True)
class Event:
    """A change of the published state."""

    at: float
    after: str
    seen: float  # when the newest picture was taken that it is about


@dataclass(frozen=True)
class Change:
    """A true change: the old state is clear until `begin`, the new one from `end`."""

    begin: float
    end: float
    after: str
    whole: bool = True  # there was time for an event before the next cut

    def delay(self, event: Event) -> float:
        """From the middle of the change to its event."""
        return event.at - (self.begin + self.end) / 2


@dataclass
class Verdict:
    """What became of all changes and events."""

    right: list[tuple[Change, Event]] = field(default_factory=list)
    false: list[Event] = field(default_factory=list)
    unclear: list[Event] = field(default_factory=list)
    missed: list[Change] = field(default_factory=list)


def changes(spans: list[Span], room: float) -> list[Change]:
    """The true changes; those with less than `room` until the next cut, or the end, are not whole."""
    found, last, cut = [], None, spans[-1].end if spans else 0.0
    for span in reversed(spans):  # backwards, as the next cut is known then
        if span.cut:
            last, cut = None, span.begin
        elif span.value is not None:
            if last is not None and last.value != span.value:
                found.append(Change(span.end, last.begin, last.value, cut - last.begin >= room))
            last = span
    return found[::-1]


def judge(spans: list[Span], events: list[Event], tolerance: float, room: float) -> Verdict:
    """Holds events against the truth; `room` as for `changes`, at least `tolerance`."""
    verdict, waiting, flickers = Verdict(), changes(spans, room), False
    for event in sorted(events, key=lambda event: event.at):
        fits = [
            change
            for change in waiting
            if change.after == event.after and change.begin - EARLY <= event.at <= change.end + tolerance
        ]
        truth = value_at(spans, event.seen)
        returns = truth == event.after and not flickers and not clear(spans, event.at - tolerance, event.seen)
        flickers = False
        if fits:
            waiting.remove(fits[-1])
            if fits[-1].whole:
                verdict.right.append((fits[-1], event))
            else:
                verdict.unclear.append(event)
        elif truth is None or returns:
            verdict.unclear.append(event)
        else:
            verdict.false.append(event)
            flickers = True
    verdict.missed = [change for change in waiting if change.whole]
    return verdict


def agreement(spans: list[Span], states: list[tuple[float, str]]) -> tuple[float, float]:
    """How many seconds the truth was clear while a state was published, and how many of these the state was true."""
    known, right = 0.0, 0.0
    over = spans[-1].end if spans else 0.0
    for number, (begin, state) in enumerate(states):
        end = states[number + 1][0] if number + 1 < len(states) else over
        for span in spans_between(spans, begin, end):
            seconds = min(end, span.end) - max(begin, span.begin)
            if span.value is not None and seconds > 0:
                known += seconds
                right += seconds if span.value == state else 0.0
    return known, right


def agreeing(spans: list[Span], answers: list[tuple[float, str]], lag: float = 0.0) -> tuple[int, int]:
    """How many answers are about pictures of which the truth is clear, and how many of them say it.

    `lag`: how much older the pictures are taken to be than the answers say.
    """
    pairs = [(value_at(spans, seen - lag), said) for seen, said in answers]
    compared = [truth == said for truth, said in pairs if truth is not None]
    return len(compared), sum(compared)


def value_at(spans: list[Span], time: float) -> str | None:
    """The true state at a time; None also outside of all spans."""
    return next((span.value for span in spans_between(spans, time, time)), None)


def clear(spans: list[Span], begin: float, end: float) -> bool:
    """Whether the truth is clear all the time, as far as there is any."""
    return all(span.value is not None for span in spans_between(spans, begin, end))


def spans_between(spans: list[Span], begin: float, end: float) -> list[Span]:
    """The spans that hold any moment of a time, both ends included."""
    first = bisect_right(spans, begin, key=lambda span: span.end)
    last = bisect_right(spans, end, key=lambda span: span.begin)
    return spans[first:last]
