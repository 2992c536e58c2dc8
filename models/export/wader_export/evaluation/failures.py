"""A sheet of the pictures that were answered wrongly with the greatest confidence, for looking at; never committed."""

from collections import Counter
from pathlib import Path

import numpy as np

from .metrics import Asked
from .real import Views

TILE, COLUMNS, MOST = (240, 180), 6, 48


def sheet(path: Path, sources: list[tuple[Views, list[dict], list[Asked]]]) -> None:
    """Newest pictures of the windows with the most confident wrong answers, three of a kind and of a window at most."""
    import cv2

    wrong = [(one, views, times) for views, windows, asked in sources for one, times in late(windows, asked)]
    wrong.sort(key=lambda w: -w[0].share)
    shown: Counter[str] = Counter()
    tiles = []
    for one, views, times in wrong:
        both = f"{one.window} {one.kind}"
        if shown[both] or max(shown[one.kind], shown[one.window]) >= 3 or len(tiles) == MOST:
            continue
        shown.update((one.kind, one.window, both))
        known = np.array([e["time"] for e in views.index[one.view]])
        picture = views.picture(one.view, int(np.abs(known - times[-1]).argmin()))[:, :, ::-1]
        tile = np.full((TILE[1] + 30, TILE[0], 3), 255, np.uint8)
        tile[: TILE[1]] = cv2.resize(picture, TILE, interpolation=cv2.INTER_AREA)
        for row, words in enumerate(
            (one.window, f"{one.kind}: {one.guesses['model']} ({one.share:.2f}), true {one.truth}")
        ):
            cv2.putText(
                tile,
                words[:44],
                (2, TILE[1] + 11 + 13 * row),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.33,
                (0, 0, 0),
                1,
                cv2.LINE_AA,
            )
        tiles.append(tile)
    if not tiles:
        return
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows))


def late(windows: list[dict], asked: list[Asked]):
    """Wrong answers with the times of their windows."""
    times = {w["id"]: w["times"] for w in windows}
    for one in asked:
        if not one.right:
            yield one, times[one.window]
