"""What the comparer is judged beside: the nearest example, and a rule written by hand on the most different cells."""

import numpy as np

TOP_CELLS = 6


def nearest(query: np.ndarray, examples: np.ndarray, states: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Queries [n, cells, dim] -> a score above 0 for state 1: the state of the most similar example (cosine)."""
    inside = region > 0.5
    flat = lambda x: x[:, inside].reshape(len(x), -1)  # noqa: E731
    a, b = flat(query), flat(examples)
    centre = b.mean(0)
    a, b = a - centre, b - centre
    like = (a @ b.T) / (np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1) + 1e-9)
    return like[:, states == 1].max(1) - like[:, states == 0].max(1)


def most_different(query: np.ndarray, examples: np.ndarray, states: np.ndarray, region: np.ndarray) -> np.ndarray:
    """A score above 0 for state 1: nearer to its mean, in the cells where the states differ most for their spread."""
    means = [examples[states == s].mean(0) for s in (0, 1)]
    spread = sum(((examples[states == s] - m) ** 2).sum((0, 2)) for s, m in enumerate(means))
    apart = ((means[1] - means[0]) ** 2).sum(-1)
    freedom = max(len(states) - 2, 1)
    order = np.where(region > 0.5, apart / (spread / freedom + np.median(apart)), -1).argsort()[::-1]
    cells = order[: min(TOP_CELLS, int((region > 0.5).sum()))]
    far = [((query[:, cells] - m[cells]) ** 2).sum((1, 2)) for m in means]
    return far[0] - far[1]
