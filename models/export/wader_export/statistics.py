"""The `statistics` command: the encoder on the first half of the footage beside the simulator, figure by figure."""

import json

import cv2
import numpy as np

from . import footage, layout, standing
from .encoder.command import code, encoder_file
from .graphs.goldens import session
from .measure import VIEWS, measure
from .paths import cache_dir
from .sim import simulate
from .sim.world import BRIGHT

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EDGES = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95)
QUALITY = 70  # JPEG, in place of a camera's compression


def first_half_features() -> dict[str, np.ndarray]:
    """Features of every frame of the first half in several views; kept in the cache."""
    target = cache_dir("statistics") / f"first_half-{code()}.npz"
    if target.exists():
        return dict(np.load(target))
    encoder, result = session(encoder_file()), {}
    for view, crop in VIEWS.items():
        frames = []
        for _, picture in footage.first_half(1, crop):
            if crop is not None:
                picture = cv2.resize(picture, (640, 480))
            coded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
            pixels = footage.shrink(np.ascontiguousarray(cv2.imdecode(coded, 1)[:, :, ::-1]))
            frames.append(encoder.run(None, {"pixels": pixels[None]})[0][0])
        result[view] = np.stack(frames)
    np.savez(target, **result)
    return result


def describe(tokens: np.ndarray) -> dict[str, list[float]]:
    """Quantiles of every input: object tokens [n, 24, DIM] of frames."""
    heats = tokens[..., layout.HEATS]
    high, group, valid = heats.max(-1), heats.argmax(-1), tokens[..., layout.VALID] > 0
    rounded = lambda v: [round(float(x), 3) for x in v]  # noqa: E731
    result = {
        "tokens a frame": [round(float(valid.sum(-1).mean()), 1)],
        "heights, a frame": rounded(np.histogram(high[valid], EDGES)[0] / len(tokens)),
        "person heights": rounded(np.histogram(high[valid & (group == 0)], EDGES)[0] / len(tokens)),
    }
    for name, keep in (("clear people", high > 0.55), ("weak people", high < 0.45)):
        box = tokens[valid & (group == layout.PERSON) & keep]
        tall = (box[:, 3] - box[:, 1]).clip(0.01)
        for label, values in (
            ("height", tall), ("width/height", (box[:, 2] - box[:, 0]) / tall), ("foot", box[:, 3]),
            ("upper colour", box[:, layout.UPPER]), ("lower colour", box[:, layout.LOWER]),
        ):  # fmt: skip
            result[f"{name}: {label}"] = rounded(np.quantile(values, QUANTILES))
        result[f"{name}: other heats"] = rounded((box[:, 5:16] > 0).mean(0))
    return result


def run(arguments) -> None:
    """Prints both sides."""
    real = first_half_features()
    print("measured on tracks (first half of the footage)")
    for view, frames in real.items():
        print(view, json.dumps(measure(frames)))
    world, features = simulate(512, 8, np.random.default_rng(0))
    busy = (world.visible[:, :11].sum(1) >= 2) & (world.light == BRIGHT)[:, None]
    sides = {"simulated": features.tokens[:, :, : layout.OBJECTS].reshape(-1, layout.OBJECTS, layout.DIM)}
    sides["simulated, bright, two people or more"] = features.tokens[:, :, : layout.OBJECTS][busy]
    sides |= {view: frames[:, : layout.OBJECTS] for view, frames in real.items()}
    described = {name: describe(tokens) for name, tokens in sides.items()}
    for figure in described["simulated"]:
        print(f"\n{figure}")
        for name, values in described.items():
            print(f"  {name:40s} {values[figure]}")
    print("\nwhat stands still and is weak: false things, nearly all")
    windows = [window for frames in real.values() for window in standing.windows(frames)]
    standing.tell("first half", [thing for window in windows for thing in standing.standing(window)])
    standing.tell("simulated", standing.simulated(world, features))
