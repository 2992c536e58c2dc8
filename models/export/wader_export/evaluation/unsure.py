"""When a closed answer counts as unsure. The service applies the same rule (`unsure` in its answers)."""

from dataclasses import dataclass

import numpy as np

from ..graphs.manifest import MIN_MASS as LEAST_MASS  # probability of all allowed answers together

LEAST_SHARE = 0.6  # of the chosen answer among the allowed ones
BESIDE = ("unclear", "none")  # what the model may say instead of an allowed answer


@dataclass(frozen=True)
class Reply:
    """The model's answer to a closed question."""

    answers: tuple[str, ...]
    shares: np.ndarray  # of the allowed answers, normalised over them
    mass: float  # probability of the allowed answers in the whole vocabulary
    beside: dict[str, float]  # probability of the words of BESIDE that the model knows

    @property
    def best(self) -> str:
        """The likeliest allowed answer."""
        return self.answers[int(self.shares.argmax())]

    @property
    def share(self) -> float:
        """Its share."""
        return float(self.shares.max())

    @property
    def unsure(self) -> bool:
        """Whether the service would not give the answer."""
        return self.mass < LEAST_MASS or self.share < LEAST_SHARE


def reply(logits: np.ndarray, ids: list[int], answers: tuple[str, ...], beside: dict[str, int]) -> Reply:
    """From the logits at the answer position; `ids` are the tokens of the answers, `beside` of other words."""
    whole = np.exp(logits.astype(np.float64) - logits.max())
    whole /= whole.sum()
    chosen = whole[ids]
    mass = float(chosen.sum())
    shares = chosen / max(mass, 1e-30)
    return Reply(answers, shares, mass, {word: float(whole[i]) for word, i in beside.items() if i not in ids})
