"""What a caption says of a scene, and what it leaves open in training."""

from collections import Counter
from random import Random

import numpy as np

from wader_export.questions.captions import caption
from wader_export.sim.truth import INDEX


def scene(**values) -> np.ndarray:
    """A state in which all else is zero."""
    state = np.zeros(max(INDEX.values()) + 1, int)
    for name, value in values.items():
        state[INDEX[name]] = value
    return state


def test_a_whole_caption_states_everything():
    state = scene(now=2, ever=1, walk_left=1, still=1, parked=1, paint_red=1, other_dog=1)
    assert caption(state) == "two people. one walks to the left, one stands. a red vehicle is parked. there is a dog."


def test_hedged_captions_name_neighbours_and_leave_facts_out():
    random = Random(3)
    texts = Counter(caption(scene(now=3, ever=1), random) for _ in range(4000))
    assert set(texts) == {"three people.", "two or three people.", "three or four people."}
    assert abs(texts["two or three people."] / 4000 - 0.31) < 0.03
    one = {caption(scene(now=1, ever=1), random) for _ in range(200)}
    assert one == {"one person.", "one or two people."}  # never "nobody or one"
    dog = [caption(scene(other_dog=1), random) for _ in range(2000)]
    assert abs(sum("dog" in text for text in dog) / 2000 - 0.58) < 0.04
    three = {caption(scene(parked=3), random) for _ in range(200)}
    assert "three or four" not in " ".join(three)
