"""Draws questions: by the weight of their kind, only answerable ones, with balanced answers."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from ..sim import blindness
from ..sim.truth import INDEX
from . import people, things  # noqa: F401 (they register their kinds)
from .asking import Wording
from .kinds import KINDS
from .words import UNCLEAR_ANSWER

TRIES = 60
STRICT = 3  # how hard the frequent answer of a yes/no question is held back
TOLD_BLIND = ("light", "camera", "caption")  # what can be asked of a camera that shows nothing
ASKED_BLIND = 0.5  # of the questions about such a camera are these


@dataclass
class Question:
    """A question with its answer."""

    kind: str
    text: str
    answer: str


class Lookup:
    """State values of one scene by name."""

    def __init__(self, state):
        self.state = state

    def __call__(self, name: str) -> int:
        return int(self.state[INDEX[name]])


class Writer:
    """Writes questions and remembers what it wrote, so that no answer of a wording's meaning prevails.

    `held_out`: asks in the wordings that training never sees, and only in these. `clear`: asks only what is clear.
    `multiples`: kinds that are drawn so many times more often than their weight says. `odds`: towards how many yes to
    one no answers are held, by the first word of what they are balanced with; towards one where nothing is said.
    """

    def __init__(
        self,
        random: Random,
        held_out: bool = False,
        clear: bool = False,
        multiples: Mapping[str, float] | None = None,
        odds: Mapping[str, float] | None = None,
    ):
        self.random, self.wording = random, Wording(random, held_out, clear)
        self.last = None  # a scene that shows something: its questions are what a blind camera cannot answer
        self.asked: dict[str, list[float]] = defaultdict(lambda: [1.0, 1.0])
        self.values: dict[str, dict[str, float]] = defaultdict(dict)
        self.odds = odds or {}
        self.names = list(KINDS)
        multiples = multiples or {}
        self.weights = [weight * multiples.get(name, 1.0) for name, (_, weight) in KINDS.items()]

    def accept(self, draft) -> bool:
        """Keeps rare answers, and frequent ones as often as the rare ones come."""
        if draft.balance is None:
            return True
        if "=" in draft.balance:
            return self.accept_value(*draft.balance.split("=", 1))
        seen = self.asked[draft.balance]
        mine = int(draft.answer == "yes")
        odds = self.odds.get(draft.balance.split()[0], 1.0) ** (1 if mine else -1)
        if self.random.random() > min(1.0, (seen[1 - mine] + 2) * odds / (seen[mine] + 2)) ** STRICT:
            return False
        seen[mine] += 1
        return True

    def accept_value(self, key: str, value: str) -> bool:
        """For answers with several values: none above one and a half times the mean."""
        counts = self.values[key]
        counts.setdefault(value, 0)
        if counts[value] > 1.5 * (sum(counts.values()) / max(len(counts), 2) + 4):
            return False
        counts[value] += 1
        return True

    def one(self, state, kind: str | None = None) -> Question | None:
        """One question about a scene, of a given kind when one is named (None: not answerable)."""
        if int(state[INDEX["blind"]]) != blindness.SEES:
            return self.blind(state, kind)
        question = self.clear(state, kind)
        self.last = state
        return question

    def clear(self, state, kind: str | None) -> Question | None:
        """A question with its answer in the picture."""
        lookup = Lookup(state)
        for _ in range(TRIES if kind is None else 12):
            name = kind or self.random.choices(self.names, self.weights)[0]
            draft = KINDS[name][0](lookup, self.wording)
            if draft is not None and self.accept(draft):
                return Question(name, draft.text, draft.answer)
        return None if kind or self.wording.held_out else self.clear(state, "caption") or self.camera(state)

    def blind(self, state, kind: str | None) -> Question | None:
        """A question about a camera that shows nothing: of the camera itself, or any other, which is unclear."""
        if kind in TOLD_BLIND or (kind is None and self.random.random() < ASKED_BLIND):
            told = self.clear(state, kind or self.random.choice(TOLD_BLIND))
            return told or (None if kind else self.camera(state))
        question = None if self.last is None else self.clear(self.last, kind)
        if question is None or question.kind in TOLD_BLIND:
            return None if kind else self.camera(state)
        return Question(UNCLEAR_ANSWER, question.text, UNCLEAR_ANSWER)

    def camera(self, state) -> Question | None:
        """A question about the camera itself, however often it was asked: what remains when nothing else can be asked."""
        drafts = (KINDS["camera"][0](Lookup(state), self.wording) for _ in range(TRIES))
        draft = next((d for d in drafts if d is not None), None)
        return draft and Question("camera", draft.text, draft.answer)
