"""What a host gives the decoder about a text's pictures, from its token numbers: the rules `span` and `position`."""

import numpy as np


def span(ids: list[int], image_token: int, first_row: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`media_index` and `media_span` [seq]: pictures lie in the bank in the text's order, from `first_row` on.

    The span counts the pictures that follow each other with no token between, up to this one. What is generated repeats
    the last token's values.
    """
    index, count, last = -1, 0, -2
    found = []
    for place, token in enumerate(ids):
        if token == image_token:
            index = first_row if index < 0 else index + 1
            count = count + 1 if last == place - 1 else 1
            last = place
        found.append((index, max(count, 1)))
    both = np.array(found, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def position(ids: list[int], image_token: int, advance: int) -> tuple[np.ndarray, np.ndarray, int]:
    """`position_ids` [seq], `media_pos` [pictures] and the position of the next token.

    A picture stands where the counter is before its token; the token itself stands at the end of the jump.
    """
    counter, places, media = 0, [], []
    for token in ids:
        if token == image_token:
            media.append(counter)
            counter += advance
            places.append(counter - 1)
        else:
            places.append(counter)
            counter += 1
    return np.array(places, np.int64), np.array(media, np.int64), counter
