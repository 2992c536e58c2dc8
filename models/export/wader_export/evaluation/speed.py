"""Times of the three graphs on one CPU thread, as CPU time, so that a busy machine does not blur them."""

import time

import numpy as np

from .. import layout, tokens
from .model import Model


def median_ms(run, repeats: int = 60) -> float:
    """Median CPU time of a call in milliseconds (the sessions have one thread)."""
    run()
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        spent.append((time.process_time() - start) * 1e3)
    return float(np.median(spent))


def measure(model: Model) -> dict[str, float]:
    """Milliseconds of a frame, a window of 8 frames, a closed question."""
    pixels = np.random.default_rng(0).integers(0, 255, (1, layout.HEIGHT, layout.WIDTH, 3), np.uint8)
    bank = model.encode(np.repeat(pixels, 8, 0))
    index, seconds = np.arange(8)[None], np.linspace(-7, 0, 8)[None]
    media = model.window(bank, index, seconds)
    question = tokens.question_ids(model.words, "is somebody walking to the left?")
    return {
        "frame": median_ms(lambda: model.encode(pixels)),
        "window of 8 frames": median_ms(lambda: model.window(bank, index, seconds)),
        "closed question": median_ms(lambda: model.decode([question], [[len(question) - 1]], media, [0], 1.0)),
        "eight closed questions": median_ms(
            lambda: model.decode([question] * 8, [[len(question) - 1]] * 8, media, [0] * 8, 1.0)
        ),
    }
