"""Measures the detector's habits on the first half of the footage: what the simulator has to imitate.

There are no labels. Strong person tokens of neighbouring frames (10 a second) are linked into tracks; a track
that lasts and moves, or that is high on the whole, is a real person, everything else a false peak.
"""

import numpy as np

from . import layout

VIEWS = {
    "full": None,
    "left": (0.0, 0.0, 0.55, 0.55),
    "right": (0.4, 0.1, 1.0, 0.7),
    "low": (0.1, 0.35, 0.7, 0.95),
}
STRONG = 0.5  # a real person is above this in most frames
MAX_GAP = 5  # frames a track may miss


def height_of(tokens: np.ndarray) -> np.ndarray:
    """Peak height (best class group) of tokens."""
    return tokens[..., layout.HEATS].max(-1)


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Overlap (IoU) of one box with many."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = (high - low).clip(0).prod(-1)
    area = lambda b: (b[..., 2:] - b[..., :2]).clip(1e-6).prod(-1)  # noqa: E731
    return common / (area(box) + area(boxes) - common)


def link(frames: np.ndarray, lowest: float = 0.2) -> list[list[tuple[int, int]]]:
    """Tracks as lists of (frame, token), by best overlap with the last two boxes moved on."""
    tracks, live = [], []
    for number, tokens in enumerate(frames):
        objects = tokens[: layout.OBJECTS]
        free = {i for i in range(layout.OBJECTS) if objects[i, layout.VALID] and height_of(objects[i]) > lowest}
        live = [t for t in live if number - t[-1][0] <= MAX_GAP]
        for track in sorted(live, key=len, reverse=True):
            last = frames[track[-1][0], track[-1][1], layout.BOX]
            speed = np.zeros(4)
            if len(track) > 4:
                earlier = track[-5]
                speed = (last - frames[earlier[0], earlier[1], layout.BOX]) / (track[-1][0] - earlier[0])
            options = sorted(free)
            if not options:
                break
            score = overlap(last + speed * (number - track[-1][0]), objects[options][:, layout.BOX])
            if score.max() > 0.35:
                pick = options[int(score.argmax())]
                track.append((number, pick))
                free.discard(pick)
        for i in free:
            tracks.append([(number, i)])
            live.append(tracks[-1])
    return tracks


def is_person(frames: np.ndarray, track: list[tuple[int, int]]) -> bool:
    """A track of a real, moving or clearly seen person."""
    if len(track) < 12:
        return False
    tokens = np.stack([frames[f, i] for f, i in track])
    heights = tokens[:, layout.HEATS.start + layout.PERSON]
    centre = tokens[:, [0, 3]] + np.stack([(tokens[:, 2] - tokens[:, 0]) / 2, np.zeros(len(track))], 1)
    size = (tokens[:, 3] - tokens[:, 1]).mean()
    moved = np.ptp(centre, axis=0).max() > 0.5 * size
    return bool(np.median(heights) > STRONG or (moved and np.median(heights) > 0.35))


def smooth(values: np.ndarray, reach: int = 3) -> np.ndarray:
    """Local straight-line fit of a series, to tell jitter from motion."""
    result = np.empty_like(values)
    for i in range(len(values)):
        j = np.arange(max(0, i - reach), min(len(values), i + reach + 1))
        result[i] = np.polyval(np.polyfit(j - i, values[j], 1), 0) if len(j) > 2 else values[i]
    return result


def measure(frames: np.ndarray) -> dict:
    """Every figure of one view."""
    tracks = link(frames)
    people = [t for t in tracks if is_person(frames, t)]
    used = {(f, i) for t in people for f, i in t}
    report: dict = {"people_tracks": len(people), "people_a_frame": len(used) / len(frames)}
    means, within, lag, gaps, spans, jitter = [], [], {1: [], 3: [], 10: []}, 0, 0, {k: [] for k in "xywh"}
    ratio, colour, floors, by_size = [], [], [], []
    missed_after = [0, 0]
    for track in people:
        tokens = np.stack([frames[f, i] for f, i in track])
        heat = tokens[:, layout.HEATS.start + layout.PERSON]
        box = tokens[:, layout.BOX]
        inner = (box[:, 0] > 0.02) & (box[:, 2] < 0.98) & (box[:, 3] < 0.98)
        h, w = box[:, 3] - box[:, 1], box[:, 2] - box[:, 0]
        means.append(float(heat.mean()))
        within.append(float(heat.std()))
        by_size.append((float(np.median(h) * layout.HEIGHT), float(np.median(heat))))
        z = (heat - heat.mean()) / max(heat.std(), 1e-3)
        for k in lag:
            if len(z) > k + 5:
                lag[k].append(float((z[k:] * z[:-k]).mean()))
        numbers = {f for f, _ in track}
        missed = [f not in numbers for f in range(track[0][0], track[-1][0] + 1)]
        gaps, spans = gaps + sum(missed), spans + len(missed)
        for a, b in zip(missed, missed[1:]):
            if a:
                missed_after[0] += b
                missed_after[1] += 1
        for key, series in (("x", (box[:, 0] + box[:, 2]) / 2), ("y", box[:, 3])):
            jitter[key].extend(((series - smooth(series)) / h)[inner])
        for key, series in (("w", np.log(w)), ("h", np.log(h))):
            jitter[key].extend((series - smooth(series))[inner])
        ratio.extend((w / h)[inner])
        colour.append(tokens[:, 16:22].std(0).mean())
        floors.append((tokens[:, 5:16] > 0).mean(0))
    quantiles = lambda v: [round(float(q), 3) for q in np.quantile(v, (0.05, 0.25, 0.5, 0.75, 0.95))]  # noqa: E731
    report |= {
        "height_mean_of_tracks": quantiles(means),
        "height_std_within": quantiles(within),
        "lag": {k: round(float(np.mean(v)), 2) for k, v in lag.items()},
        "miss_rate": round(gaps / max(spans, 1), 3),
        "miss_after_miss": round(missed_after[0] / max(missed_after[1], 1), 2),
        "jitter": {k: round(float(np.median(np.abs(v)) * 1.48), 4) for k, v in jitter.items()},
        "width_over_height": quantiles(ratio),
        "colour_std_within": round(float(np.mean(colour)), 3),
        "floor_share": [round(float(v), 3) for v in np.mean(floors, 0)],
        "size_and_height": [(round(a), round(b, 2)) for a, b in sorted(by_size)],
    }
    report |= false_peaks(frames, used, quantiles)
    return report


def false_peaks(frames: np.ndarray, used: set, quantiles) -> dict:
    """Tokens that belong to no person: how many, how high, which group, how many stand still."""
    rest = [
        (f, frames[f, i])
        for f in range(len(frames))
        for i in range(layout.OBJECTS)
        if frames[f, i, layout.VALID] and (f, i) not in used
    ]
    tokens = np.stack([t for _, t in rest])
    heat, group = tokens[:, layout.HEATS].max(1), tokens[:, layout.HEATS].argmax(1)
    cell = [tuple((t[:4] * 24).round().astype(int)) for t in tokens]
    names, counts = np.unique(np.array(cell), axis=0, return_counts=True)
    standing = {tuple(n) for n, c in zip(names, counts) if c > 0.25 * len(frames)}
    still = np.array([c in standing for c in cell])
    h, w = tokens[:, 3] - tokens[:, 1], tokens[:, 2] - tokens[:, 0]
    return {
        "false_a_frame": round(len(rest) / len(frames), 2),
        "false_standing_share": round(float(still.mean()), 2),
        "false_height": quantiles(heat),
        "false_by_group": {
            layout.GROUP_NAMES[g]: [round(float((group == g).sum() / len(frames)), 2), quantiles(heat[group == g])]
            for g in range(12)
            if (group == g).any()
        },
        "false_h": quantiles(h),
        "false_w_over_h": quantiles(w / h.clip(1e-3)),
        "false_foot": quantiles(tokens[:, 3]),
    }
