"""The `judge-examples` command: features of all real tasks, every figure, EXAMPLES.md and examples.png."""

import cv2
import numpy as np

from .. import layout as picture_size
from ..evaluation.card import write as write_between_marks
from ..evaluation.speed import median_ms
from . import bench, card, judge, layout, picture, shipped, tasks
from .ask import Asker
from .encoder import encoder

SHOWN = 6  # tasks in the picture: the worst ones, and some others


def times(encode, asker: Asker) -> dict[str, float]:
    """Milliseconds of a frame and of one question."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (1, picture_size.HEIGHT, picture_size.WIDTH, 3), np.uint8)
    result = {"appearance_encoder, one frame": median_ms(lambda: encode(pixels))}
    cells = np.repeat(encode(pixels), 16, 0)
    for count in (2, 4, 8):
        states, whole = np.arange(2 * count) % 2, np.ones(layout.CELLS, np.float32)
        ask = lambda n=count, s=states: asker.logits(cells[:1], cells[: 2 * n], s, whole)  # noqa: E731
        result[f"comparer, one question, {count} examples a state"] = median_ms(ask)
    return result


def worst_and_others(answers: judge.Answers, every: list[tasks.Task]) -> list[tuple[int, tasks.Task, list[str]]]:
    """The tasks to show: half of them those with the fewest right answers at two examples."""
    right = [answers.of_task(((2, 2), "all", False), n) for n in range(len(every))]
    order = np.argsort(right)
    chosen = sorted({*order[: SHOWN // 2], *order[SHOWN // 2 :: max(1, len(order) // (SHOWN // 2))][: SHOWN // 2]})
    rows = []
    for number in chosen:
        name, _, place = every[number].name.partition(" (")
        said = [f"{n}: {answers.of_task(((n, n), 'all', False), number):.2f}" for n in judge.COUNTS]
        room = f"({place}" if place else "(street)"
        lines = [name, room, "right by examples", " ".join(said[:2]), " ".join(said[2:])]
        rows.append((int(number), every[number], lines))
    return rows


def run(arguments) -> None:
    """Judges a model folder."""
    cv2.setNumThreads(1)
    folder = arguments.model
    path = folder / shipped.GRAPHS["appearance_encoder"]
    encode, asker = encoder(path), Asker(folder / shipped.GRAPHS["comparer"])
    cache, every = bench.cache_for(path), tasks.all_tasks()
    seen = []
    for number, task in enumerate(every):
        print(f"{number + 1:2d} of {len(every)}: {task.name}", flush=True)
        seen.append((task, bench.features(task, number, encode, cache)))
    answers = judge.judge(asker, seen)
    tables = card.write(answers, judge.refusals(asker, seen), every, times(encode, asker))
    write_between_marks(folder / "EXAMPLES.md", tables)
    picture.draw(worst_and_others(answers, every), folder / "examples.png")
    print(tables)
