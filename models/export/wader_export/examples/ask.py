"""Asks the comparer's graph: rows of questions, and the check of the examples against each other."""

from pathlib import Path

import numpy as np

from ..graphs.goldens import session
from . import layout

ROWS_A_CALL = 16


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """Probability of state 1."""
    return 1 / (1 + np.exp(-logit))


class Asker:
    """The comparer on one CPU thread."""

    def __init__(self, path: Path):
        self.session = session(path)

    def logits(self, query: np.ndarray, examples: np.ndarray, states: np.ndarray, region: np.ndarray) -> np.ndarray:
        """query [n, cells, dim]; the rest for all queries alike, or one row each -> [n]."""
        count, found = len(query), []
        spread = lambda x, rank: x if x.ndim == rank else np.broadcast_to(x, (count, *x.shape))  # noqa: E731
        examples, states, region = spread(examples, 4), spread(states, 2), spread(region, 2)
        for start in range(0, count, ROWS_A_CALL):
            part = slice(start, start + ROWS_A_CALL)
            feeds = {
                "query": query[part].astype(np.float32),
                "examples": np.ascontiguousarray(examples[part], np.float32),
                "example_state": np.ascontiguousarray(states[part], np.int64),
                "region": np.ascontiguousarray(region[part], np.float32),
            }
            found.append(self.session.run(["logit"], feeds)[0])
        return np.concatenate(found)

    def left_out(self, examples: np.ndarray, states: np.ndarray, region: np.ndarray) -> np.ndarray:
        """Leave one pair out: pair i is the i-th example of each state, as many as the scarcer state has. Both are
        asked about with the others as examples; returns the probability of the true state of each [2 * pairs]."""
        places = [np.nonzero(states == s)[0] for s in (0, 1)]
        queries, known, truth = [], [], []
        for pair in zip(*places):
            others = states.copy()
            others[list(pair)] = layout.ABSENT
            for state, place in enumerate(pair):
                queries.append(examples[place])
                known.append(others)
                truth.append(state)
        logits = self.logits(np.stack(queries), examples, np.stack(known), region)
        return sigmoid(np.where(np.array(truth) == 1, logits, -logits))


def refused(probabilities: np.ndarray) -> bool:
    """Whether the examples contradict each other: with four pairs or more, the mean is too low."""
    return len(probabilities) >= 2 * layout.MIN_PAIRS and probabilities.mean() < layout.MIN_PROBABILITY
