"""What the service is asked, with and without policy, as its configuration."""

from dataclasses import dataclass
from pathlib import Path

EVERY, FRAMES, SPAN = 2, 8, 7  # seconds, pictures, seconds: the service's defaults, written down since truth needs them

VIEWS = ("full", "grass", "path_left", "front_right", "back_lawn")  # nobody ever comes to the last


@dataclass(frozen=True)
class Question:
    """A standing question, and the kind of the hand-made truth that answers it."""

    name: str
    ask: str
    kind: str
    answer: str = "yes_no"

    def says(self, truth) -> str | None:
        """The truth in the answer's words; None where it is unclear."""
        if truth is None or self.answer == "number":
            return None if truth is None else str(truth)
        return "yes" if truth else "no"


QUESTIONS = (
    Question("anybody", "Is anybody there?", "person_present"),
    Question("now", "Is a person there now?", "person_now"),
    Question("to_the_left", "Is somebody walking to the left?", "walking_left"),
    Question("came_in", "Did somebody come in?", "came_in"),
    Question("red", "Is anyone wearing red?", "wearing_red"),
    Question("how_many", "How many people are there now?", "count", "number"),
)


@dataclass(frozen=True)
class Variant:
    """One way to make events of answers."""

    name: str
    title: str
    min_probability: float
    keep_probability: float
    hold: int
    cooldown: int  # seconds

    @property
    def tolerance(self) -> float:
        """How long after a true change its event may come, in seconds.

        A prompt is due every `EVERY`, each further answer of its row as much later; one more is for the way. The
        window's span is not in it: the truth looks back over the same span.
        """
        return 2 * EVERY + (self.hold - 1) * EVERY


# The second and third are README's example of a policy, without its cooldown and with it.
VARIANTS = (
    Variant("bare", "no policy", 0.6, 0.6, 1, 0),
    Variant("held", "hold, keep", 0.7, 0.5, 2, 0),
    Variant("cooled", "hold, keep, cooldown", 0.7, 0.5, 2, 30),
)
LONGEST = max(variant.tolerance for variant in VARIANTS)
MORE = (2, SPAN)  # seconds of tolerance with which the sums are told again: how much hangs on it


def prompt(question: Question, variant: Variant) -> str:
    """The name of a question's prompt in a variant."""
    return f"{question.name}-{variant.name}"


def configuration(port: int, model: Path, cameras: dict[str, str]) -> str:
    """All variants of all questions on all cameras; those of one camera share their windows.

    Each answer is published, which changes no event: it tells what picture an event is about.
    """
    lines = [
        f'[mqtt]\nurl = "embedded"\nlisten = "127.0.0.1:{port}"\n',
        f'[model]\npath = "{model}"\n',
        "[history]\nenabled = false\n\n[homeassistant]\ndiscovery = false\n",
        "[cameras]",
        *(f'{name} = "{url}"' for name, url in cameras.items()),
        "\n[defaults.prompt]",
        f'every = "{EVERY}s"\nwindow = {{ frames = {FRAMES}, span = "{SPAN}s" }}\npublish = "always"',
    ]
    for question in QUESTIONS:
        for variant in VARIANTS:
            lines += [
                f"\n[prompts.{prompt(question, variant)}]",
                f'ask = "{question.ask}"\nanswer = "{question.answer}"',
                *(["max = 9"] if question.answer == "number" else []),
                f"min_probability = {variant.min_probability}\nkeep_probability = {variant.keep_probability}",
                f'hold = {variant.hold}\ncooldown = "{variant.cooldown}s"',
            ]
    return "\n".join(lines) + "\n"
