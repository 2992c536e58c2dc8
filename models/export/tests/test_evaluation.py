"""The evaluation's figures on data whose answer is known, and the truth about photographs."""

import numpy as np
import pytest

from wader_export import photographs
from wader_export.evaluation import bars, blind, captions, card, metrics, simulated, stills, svg, truths, unsure, when
from wader_export.evaluation.kinds import KINDS, YES_NO, answer_of
from wader_export.paths import EXPORT_DIR, MODEL_DIR
from wader_export.sim import colours


def asked(kind, pairs, column="model"):
    """Questions of one kind from (truth, guess)."""
    return [metrics.Asked("w", "v", "", kind, "?", truth, {column: guess}) for truth, guess in pairs]


def test_calibration_error_of_known_data():
    shares = [0.99] * 100 + [0.62] * 100
    right = [1] * 100 + [1] * 50 + [0] * 50
    error, rows = metrics.calibration(shares, right)
    assert error == pytest.approx((0.01 + 0.12) / 2)
    assert [(round(a, 2), b, n) for a, b, n in rows] == [(0.62, 0.5, 100), (0.99, 1.0, 100)]
    assert metrics.calibration([1.0, 0.5], [1, 1])[0] == pytest.approx(0.25)
    assert metrics.calibration([], []) == (0, [])


def test_balanced_accuracy_counts_each_answer_alike():
    rows = asked("person_now", [("yes", "yes")] * 9 + [("no", "yes")])
    assert metrics.accuracy(rows) == pytest.approx(0.9)
    assert metrics.balanced(rows) == pytest.approx(0.5)
    assert metrics.changing(metrics.by_kind(rows)) == ["person_now"]
    assert metrics.mean_balanced(metrics.by_kind(asked("person_now", [("yes", "yes")])), ["person_now"]) is None


def test_bias_of_counts_in_crowds_is_signed():
    rows = asked("count", [("five", "four"), ("four", "four"), ("seven", "five"), ("one", "two")])
    crowd = metrics.counts(rows, least=metrics.CROWD)
    assert crowd == {"n": 3, "exact": pytest.approx(1 / 3), "within_one": pytest.approx(2 / 3), "bias": -1.0}
    assert metrics.counts(rows)["bias"] == pytest.approx(-0.5)
    assert metrics.counts(rows, least=9) is None


def test_mass_and_share_decide_what_is_unsure():
    logits = np.log(np.array([0.2, 0.2, 0.5, 0.1]))  # yes, no, unclear, another word
    reply = unsure.reply(logits, [0, 1], YES_NO, {"unclear": 2})
    assert reply.mass == pytest.approx(0.4) and reply.beside["unclear"] == pytest.approx(0.5)
    assert reply.unsure and reply.shares.sum() == pytest.approx(1)
    sure = unsure.reply(np.log(np.array([0.7, 0.1, 0.1, 0.1])), [0, 1], YES_NO, {})
    assert not sure.unsure and sure.best == "yes" and sure.share == pytest.approx(0.875)
    close = unsure.reply(np.log(np.array([0.5, 0.4, 0.05, 0.05])), [0, 1], YES_NO, {})
    assert close.mass == pytest.approx(0.9) and close.unsure  # 0.56 of the mass


def test_facts_of_captions():
    text = "three people. two walk to the left, one stands. a white vehicle is parked. two vehicles are moving."
    facts = captions.stated(text + " there is a dog.")
    assert facts == {
        "people": (3, 3), "walking_left": True, "standing_still": True, "vehicle_parked": (1, 1),
        "vehicle_colour": "white", "vehicle_moving": (2, 2), "dog_present": True,
    }  # fmt: skip
    assert captions.stated("nobody is there now. it is dark.") == {"people": (0, 0), "light": "dark"}
    assert captions.stated("the camera is covered.") == {"blind": True}
    assert captions.stated("one person. one walks closer.") == {"people": (1, 1), "coming_closer": True}
    unsure_of = captions.stated("two or three people. one or two vehicles are parked.")
    assert unsure_of == {"people": (2, 3), "vehicle_parked": (1, 2)}


def test_facts_are_judged_by_what_a_looker_could_say():
    truth = {"people": [2, 3], "walking_left": True, "walking_right": None, "vehicle_parked": True, "vehicles": [2, 2]}
    assert captions.fits("people", (4, 4), truth) is False
    assert captions.fits("people", (3, 3), truth) is None and captions.fits("people", (3, 4), truth) is None
    assert captions.fits("people", (2, 3), truth) is True
    assert captions.fits("walking_left", True, truth) is True
    assert captions.fits("walking_right", True, truth) is None
    assert captions.fits("vehicle_parked", (1, 2), truth) is True
    assert captions.fits("vehicle_parked", (1, 1), truth) is False
    assert captions.fits("dog_present", True, truth) is False
    assert captions.salient(truth) == ["people", "walking_left", "vehicle_parked"]
    assert captions.said("people", {"people": (1, 2)}, truth) and not captions.said("people", {"people": (0, 0)}, truth)
    assert captions.salient({"people": [0, 1]}) == []


def test_the_truth_about_photographs_is_well_formed():
    document = photographs.document()
    names = [s["name"] for s in document["still"]]
    assert len(names) == len(set(names))
    assert len({s["path"] for s in document["still"]}) >= 50  # several stills of one photograph count as one
    words = {*stills.FACTS}
    for still in document["still"]:
        assert still["source"] in document["source"], still["name"]
        assert len(still["sha256"]) == 64
        least, most = still["people"]
        assert 0 <= least <= most
        unclear = still.get("unclear", [])
        assert {*still["has"], *unclear} <= words and not {*still["has"]} & {*unclear}, still["name"]
        worn = {*still.get("wears", [])}
        assert worn <= {*colours.NAMES} and {*still.get("wears_unclear", [])} <= {*colours.NAMES, "any"}, still["name"]
        assert {*still.get("edge", [])} <= {"people", "vehicle"}
        assert still.get("light", "bright") in ("bright", "dim", "dark")
        assert still.get("vehicle_colour", "red") in colours.NAMES
        if most == 0:
            assert not worn and not {*still["has"]} & {"left", "right", "near", "far", "standing"}, still["name"]
        if "crop" in still:
            x0, y0, x1, y1 = still["crop"]
            assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
    for kind, (_, version) in ((k, s.values()) for k, s in document["source"].items()):
        assert kind and version


def test_truth_of_a_photograph_follows_the_mode():
    facts = {"people": [2, 2], "has": ["left", "vehicle"], "unclear": ["near"], "edge": ["people"]}
    facts |= {"wears": ["red"], "wears_unclear": ["blue"]}
    still = stills.truth(facts, "still")
    assert still["person_present"] and still["count"] == 2 and still["at_least_three"] is False
    assert still["person_left_half"] and still["person_right_half"] is False and still["person_near"] is None
    assert still["wearing_red"] and still["wearing_blue"] is None and still["wearing_green"] is False
    assert still["came_in"] is False and still["light"] is None
    panned, dark = stills.truth(facts, "panned"), stills.truth(facts, "darkened")
    assert panned["person_present"] is None and panned["vehicle_present"] and "came_in" not in panned
    assert dark["wearing_red"] is None and dark["count"] == 2
    assert {*still} - {"people"} <= {*KINDS}


def test_every_kind_answers_its_truth():
    assert answer_of(KINDS["when_came"], 17) == "17" and answer_of(KINDS["when_came"], 3) == "three"
    assert answer_of(KINDS["when_left"], "none") == "none"
    assert answer_of(KINDS["count"], 4) == "four" and answer_of(KINDS["count"], 13) is None
    assert answer_of(KINDS["vehicle_colour"], "grey") == "gray"
    assert when.distance("13", 11) == 2 and when.distance("none", 3) is None


def test_closed_answers_are_known_by_kind():
    assert simulated.closed_answers("count", "three")[-1] == "twelve"
    assert simulated.closed_answers("when_came", "three")[-1] == "60"
    assert simulated.closed_answers("walking", "no") == YES_NO
    assert simulated.closed_answers("trend", "stays the same") == ("rises", "falls", "stays the same")
    assert simulated.closed_answers("vehicle_colour", "none") is None
    assert simulated.closed_answers("caption", "nobody is there.") is None


class Parrot:
    """A model that knows every word and always says the same."""

    beside: dict[str, int] = {}

    def __init__(self, says: str):
        self.says = says

    def knows(self, text: str) -> bool:
        return True

    def window(self, bank, index, seconds):
        return None

    def ask(self, questions, media, gate=1.0):
        return [
            unsure.Reply(answers, np.array([float(a == self.says) for a in answers]), 1.0, {})
            for _, answers in questions
        ]


class Nothing:
    """Views without pictures."""

    def features(self, view, times):
        return np.zeros((len(times), 25, 24), np.float32), np.array(times)

    def save(self):
        pass


def test_seconds_ago_are_judged_by_distance_and_gap():
    truths_of = [(2, 1.0), (5, 6.0), (6, 4.0), ("none", None), (None, None)]
    windows = [
        {"id": "w", "view": "v", "times": [0.0, 1.0], "truth": {"when_came": t, "when_left": t, "when_gap": [gap, gap]}}
        for t, gap in truths_of
    ]
    figures = when.judge(Parrot("two"), Nothing(), windows)["when_came"]
    assert figures["n"] == 3 and figures["n none"] == 1
    assert figures["mean error"] == pytest.approx((0 + 3 + 4) / 3)
    assert figures["within"] == pytest.approx(2 / 3)
    assert figures["none right"] == 0 and figures["said none"] == 0
    silent = when.judge(Parrot("none"), Nothing(), windows)["when_left"]
    assert silent["none right"] == 1 and silent["said none"] == 1 and silent["within"] == 0
    assert "when_left" in when.table({"when_left": silent})


def test_things_that_are_not_there_are_asked_for_only_then():
    windows = [
        {"id": "w", "view": "v", "times": [0.0], "truth": {"dog_present": False, "car_present": True}},
        {"id": "x", "view": "v", "times": [0.0], "truth": {"dog_present": None, "person_present": False}},
    ]
    figures = blind.judge_absent(Parrot("left"), [(Nothing(), windows)])
    assert figures["what colour is the dog?"]["n"] == 1 and "what colour is the car?" not in figures
    assert figures["which way does the person walk?"] == {"n": 1, "unsure": 0.0, "none": 0.0}
    assert figures["what colour is the dog?"]["unsure"] == 1.0


def test_windows_of_other_lengths_are_derived():
    lossy = truths.spread(16, 7.0, 1, np.random.default_rng(0))
    assert len(lossy) == len(truths.derive().T["view"])
    assert all(len(w["times"]) == 8 and w["times"] == sorted(w["times"]) for w in lossy)
    whole = truths.spread(8, 20.0, 2)
    assert all(w["times"][-1] - w["times"][0] == pytest.approx(20, abs=0.11) for w in whole)
    last = truths.derive().T["to"]
    assert all(w["times"][-1] <= last for w in whole)


def test_spoilt_pictures():
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    tint = blind.TINTS[0]
    assert blind.spoil(picture, "black", 0, tint).max() < 12
    assert blind.spoil(picture, "covered", 0, tint).std(axis=(0, 1)).max() < 8
    assert blind.spoil(picture, "blurred", 0, tint).std() < picture.std() / 5
    assert (blind.spoil(picture, "frozen", 0, tint) == picture).all()


def test_bars_tell_missed_from_not_measured():
    figures = {"captions": {"precision": 0.95, "recall": 0.7}, "footage": {"crowd": {"bias": -0.5}}}
    text = bars.table(figures)
    assert "| captions: stated facts that are right | 0.950 | ≥ 0.9 | met |" in text
    assert "| captions: salient facts that are stated | 0.700 | ≥ 0.75 | **missed** |" in text
    assert "| footage: bias of counts in crowds | 0.500 | ≤ 0.3 | **missed** |" in text
    assert "| simulated: closed questions | – | ≥ 0.95 | not measured |" in text
    wins = bars.rule_wins({"stills": {"kinds": {"ball_present": {"balanced": 0.5, "rule": 0.75}}}})
    assert "| stills | ball_present | 0.50 | 0.75 |" in wins


def test_the_shipped_card_has_every_part():
    shipped = (MODEL_DIR / "README.md").read_text()
    assert card.lacks(shipped) == []
    assert card.lacks(shipped.replace("### Precisions", "### Something else")) == ["variants"]


def test_the_card_keeps_what_is_written_by_hand():
    text = f"before\n{card.START}\nold\n{card.STOP}\nafter\n"
    assert card.replaced(text, "new") == f"before\n{card.START}\nnew\n{card.STOP}\nafter\n"


def test_diagrams_are_well_formed(tmp_path):
    from xml.etree import ElementTree

    drawn = svg.reliability({"a & b": metrics.calibration([0.9, 0.7, 0.7], [1, 1, 0])})
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    for log in sorted((EXPORT_DIR / "logs").glob("*.jsonl")):
        assert ElementTree.fromstring(svg.curves(log)).tag.endswith("svg")


def test_a_time_may_be_off_by_what_the_frames_cannot_tell():
    seconds = np.array([-60.0, -40.0, -4.0, -3.0, 0.0])
    for moment, slack in ((50, 10.0), (20, 18.0), (3.5, 1.0), (1, 1.5), (0, 1.5), (90, 10.0)):
        assert simulated.slack(seconds, moment) == slack, moment
    assert simulated.slack(np.array([0.0]), 0) == 1.0
