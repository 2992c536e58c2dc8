"""Which events of the service are right, false or missed, by cases small enough to be judged by eye."""

import json

import pytest

from wader_export.transitions import truth
from wader_export.transitions.asked import LONGEST, MORE, QUESTIONS, VARIANTS, VIEWS, prompt
from wader_export.transitions.figures import Figures, lag_of, measure, measure_all, table
from wader_export.transitions.heard import Heard, read
from wader_export.transitions.matching import Event, Span, agreeing, agreement, changes, judge, value_at
from wader_export.transitions.truth import Served

TOLERANCE = 4


def spans(text: str) -> list[Span]:
    """A letter a second: a state, `?` unclear, `|` a cut."""
    found: list[Span] = []
    for second, letter in enumerate(text):
        value = None if letter in "?|" else letter
        begin = float(second)
        if found and (found[-1].value, found[-1].cut) == (value, letter == "|"):
            begin = found.pop().begin
        found.append(Span(begin, second + 1.0, value, letter == "|"))
    return found


def events(text: str) -> list[Event]:
    """`5y` says y at second 5, about a picture taken then; `5y3` about one of second 3."""
    found = []
    for word in text.split():
        at, letter, seen = next(word.partition(c) for c in word if not (c.isdigit() or c == "."))
        found.append(Event(float(at), letter, float(seen or at)))
    return found


CASES = {
    # what it shows: truth, events, what becomes of each event in order, and how many changes are missed
    "a change and its event": ("nnnnyyyyyyyyyy", "6y", "r", 0),
    "of many states each is its own": ("aaabbbbbccccccccc", "4b 5c 9a", "rff", 1),
    "within the tolerance": ("nnnnyyyyyyyyyy", "8y", "r", 0),
    "too late is false, and the change missed": ("nnnnyyyyyyyyyy", "8.5y", "f", 1),
    "a hair early": ("nnnnyyyyyyyyyy", "3.5y3.9", "r", 0),
    "too early": ("nnnnyyyyyyyyyy", "3.2y", "f", 1),
    "no event": ("nnnnyyyyyyyyyy", "", "", 1),
    "the other way": ("nnnnyyyyyyyyyy", "5n", "f", 1),
    "one event for each change": ("nnnnyyyyyyyyyy", "5y 6n 7y", "rff", 0),
    "both of a flicker ring": ("nnnnnnnnnnnn", "4y 6n", "ff", 0),
    "what is unclear in a change belongs to it": ("nnn???yyyyyyyy", "4y", "r", 0),
    "its tolerance begins when it is clear": ("nnn???yyyyyyyyyy", "9.9y", "r", 0),
    "there and back": ("nnnyyynnnnnnn", "5y 8n", "rr", 0),
    "an event is for the latest change that it fits": ("nnnyynnyynnnnnnnn", "7.5y 9.5n", "rr", 2),
    "about an unclear picture": ("yyyy??yyyyyyyy", "5n", "u", 0),
    "and taken back once it is clear": ("yyyy??yyyyyyyy", "5n 8y", "uu", 0),
    "taken back too late": ("yyyy??yyyyyyyyyyyyy", "5n 12y", "uf", 0),
    "what was said in clear sight is not excused by what is unclear nearby": ("yyyy?yyyyyyyyyy", "6n 8y", "ff", 0),
    "it counts what the picture shows, not when the answer comes": ("yyyy??yyyyyyyy", "7n5.5", "u", 0),
    "the picture was clear, the answer came later": ("yyyy?yyyyyyyyy", "4.5n3.5", "f", 0),
    "of a cut nothing counts": ("nnnnnnn|||yyyyyyyyyy", "8y", "u", 0),
    "catching up after a cut": ("nnnnnnn|||yyyyyyyyyy", "12y", "u", 0),
    "not caught up in time": ("nnnnnnn|||yyyyyyyyyy", "15y", "f", 0),
    "a change too shortly before a cut": ("nnnnnyyy|||yyyyyyy", "", "", 0),
    "and its event": ("nnnnnyyy|||yyyyyyy", "7y", "u", 0),
    "a change too shortly before the end": ("nnnnnyyy", "", "", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_events_are_held_against_the_truth(name):
    text, said, expected, missed = CASES[name]
    given = events(said)
    verdict = judge(spans(text), given, TOLERANCE, TOLERANCE)
    kinds = {"r": [event for _, event in verdict.right], "f": verdict.false, "u": verdict.unclear}
    became = "".join(letter for event in given for letter, those in kinds.items() if event in those)
    assert (became, len(verdict.missed)) == (expected, missed)


def test_a_change_reaches_from_one_clear_state_to_the_next():
    found = [(c.begin, c.end, c.after, c.whole) for c in changes(spans("nn??yyyyy?yyn|||yn"), 4)]
    assert found == [(2, 4, "y", True), (12, 12, "n", False), (17, 17, "n", False)]
    assert changes([], 4) == []


def test_the_delay_counts_from_the_middle_of_what_is_unclear():
    (change,) = changes(spans("nn??yyyyy"), 4)
    assert change.delay(Event(5.0, "y", 5.0)) == 2.0


@pytest.mark.parametrize(
    ("text", "states", "expected"),
    [
        ("nnnnyyyy", [(0.0, "n"), (6.0, "y")], (8, 6)),
        ("nnnnyyyy", [(2.0, "n")], (6, 2)),
        ("nn??yy||", [(0.0, "y")], (4, 2)),
        ("nnnn", [], (0, 0)),
        ("nnnn", [(9.0, "n")], (0, 0)),
    ],
)
def test_the_published_state_is_compared_while_the_truth_is_clear(text, states, expected):
    assert agreement(spans(text), states) == expected


def test_answers_are_compared_with_the_truth_of_their_own_pictures():
    answers = [(1.0, "n"), (3.0, "n"), (5.0, "n"), (6.5, "y"), (9.0, "y")]
    assert agreeing(spans("nnnnyy?yyy|"), answers) == (4, 3)
    assert agreeing(spans("nnnnyy?yyy|"), answers, lag=1.5) == (4, 4), "5 is about 3.5, and 1 is not known"


def test_the_truth_lies_over_the_time_in_which_it_was_served():
    begin, end = truth.stretch()
    length, began = end - begin, 1000.03
    anybody = next(q for q in QUESTIONS if q.kind == "person_present")
    found = Served("grass", began).spans(anybody, began + 3, began + 3 * length)
    assert all(a.end == pytest.approx(b.begin) for a, b in zip(found, found[1:]))
    cuts = [span for span in found if span.cut]
    assert [round(cut.end - cut.begin, 1) for cut in cuts] == [3.9, 7.0, 7.0], "the first began before"
    assert [round(cut.end - began - 7, 3) for cut in cuts] == [0.0, round(length, 3), round(2 * length, 3)]
    once = [span.value for span in found if span.end <= began + length]
    assert once[1:] == [s.value for s in found if began + length < s.end <= began + 2 * length + 0.01][1:]
    assert {"yes", "no"} <= set(once)
    # the same moment, by the file that the demo is held against
    moments = json.loads((truth.derive().HERE / "vtest-demo.json").read_text())["moments"]
    for moment in moments[:-1]:
        time = began + length + moment["newest"] - begin + 0.05
        (span,) = (s for s in found if s.begin <= time < s.end)
        assert span.value == anybody.says(moment["person_present"]), moment


def test_views_and_kinds_are_those_of_the_truth():
    assert set(VIEWS) <= set(truth.crops())
    window = next(w for w in truth.round_of("back_lawn") if w)
    assert {question.kind for question in QUESTIONS} <= set(window)
    assert all(variant.tolerance <= LONGEST for variant in VARIANTS)


def line(arrived: float, topic: str, payload: object) -> str:
    return f"{arrived} wader/{topic} {payload if isinstance(payload, str) else json.dumps(payload)}\n"


def test_what_the_service_says_is_read():
    answer = {"id": "a", "outcome": "answer", "answer": 2, "reason": None}
    answer["window"] = {"last": "2026-01-01T00:00:08.000Z"}
    unsure = {**answer, "id": "b", "answer": None, "outcome": "unsure", "reason": "low_mass", "window": {"last": None}}
    event = {"id": "a", "at": "2026-01-01T00:00:09.500Z", "after": 2}
    heard = read(
        [
            line(10.0, "grass/how_many-bare/state", "1"),
            line(12.0, "grass/how_many-bare/state", "1"),
            line(14.0, "grass/how_many-bare/event", event),
            line(14.0, "grass/how_many-bare/state", "2"),
            line(14.0, "grass/how_many-bare/answer", {**answer, "newest_frame_age_ms": 40.0}),
            line(14.0, "grass/how_many-bare/answer", {**unsure, "newest_frame_age_ms": None}),
            "15.0 wader/grass/how_many-bare/answer {",
        ]
    )
    key = ("grass", "how_many-bare")
    assert heard.states[key] == [(10.0, "1"), (14.0, "2")], "a state that is said again is no other"
    (said,) = heard.events[key]
    assert said.after == "2" and said.at - said.seen == pytest.approx(1.5)
    assert heard.answers[key] == [(said.seen, "2")]
    assert heard.outcomes == {"answer": 1, "low_mass": 1} and heard.ages_ms == [40.0]


def test_a_service_that_is_always_right_has_perfect_figures_and_one_that_never_moves_misses_all():
    began, served = 1000.0, Served("grass", 1000.0)
    end = began + 5 * 39.6
    perfect, dull = Heard(), Heard()
    for question in QUESTIONS:
        for variant in VARIANTS:
            key = ("grass", prompt(question, variant))
            clear = [span for span in served.spans(question, began, end) if span.value is not None]
            perfect.states[key] = [(span.begin, span.value) for span in clear]
            perfect.events[key] = [
                Event(b.begin, b.value, b.begin) for a, b in zip(clear, clear[1:]) if a.value != b.value
            ]
            times = [began + 0.05 + tenth / 10 for tenth in range(1, 5 * 396)]
            said = [(time + 0.4, value_at(clear, time)) for time in times]
            perfect.answers[key] = [(seen, value) for seen, value in said if value]
            dull.states[key] = [(began + 7, clear[0].value)]
    rows = measure_all([served], perfect, end)
    total = sum((row["figures"] for row in rows if row["more_s"] == 0), Figures()).summary()
    assert (total["false"], total["missed"], total["state_right"]) == (0, 0, 1.0)
    assert lag_of([served], perfect, end) == pytest.approx(0.4, abs=0.11)
    assert total["right"] > 100 and 0 < total["median_delay_s"] < 1
    bored = measure(served, QUESTIONS[0], VARIANTS[0], dull, end).summary()
    assert bored["missed_share"] == 1.0 and bored["false"] == 0 and 0 < bored["state_right"] < 1
    assert measure(Served("full", began), QUESTIONS[0], VARIANTS[0], dull, end) == Figures(), "never heard of"
    clear_s = {row["more_s"]: row["figures"].clear for row in rows}
    assert len(set(clear_s.values())) == 1, "tolerance takes no time away"
    text = table(rows)
    assert text.count(VARIANTS[2].title) == len(QUESTIONS) + 2 + len(MORE) and "in total" in text
