"""Photographs varied as cameras and scenes vary, coded as H.264 and decoded again, and encoded.

A picture that stands still flickers as its coding makes it; so each variant is a short film. Made once, and kept in the
cache: the truth about the photographs may change without that.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from .. import footage, h264, photographs, pixels
from ..encoder.command import code, encoder_file
from ..grain import noisy
from ..graphs.goldens import session
from ..paths import cache_dir
from ..photographs import Still
from . import clothes

WIDTH, HEIGHT = 640, 480
STREAMS, VARIANTS = 2, 10  # streams of each photograph, and variants that follow one another in a stream
STREAMS_PAINTED = 4  # of a photograph whose clothes are painted
SETTLE, FRAMES = 6, 16  # pictures of each variant that the coder needs to settle, and those that are kept
LIGHT_KEPT = 0.85  # a picture darkened below this is no sure "bright"
LEAST_SATURATION = 0.5
LEAST_SATURATION_PAINTED = 0.75  # a colour that is known must keep its name


@dataclass
class Variants:
    """Variants of one photograph; arrays over their number n."""

    tokens: np.ndarray  # [n, FRAMES, layout.TOKENS, layout.DIM] float32
    mirrored: np.ndarray  # [n]
    as_light: np.ndarray  # [n] what is known of the photograph's light holds here, too
    worn: np.ndarray  # [n, garments] colour's number of each, see `clothes`


def vary(
    picture: np.ndarray, at_the_edge: bool, least_saturation: float, rng: np.random.Generator
) -> tuple[np.ndarray, bool, bool]:
    """A variant at the size that is sent, whether it is mirrored, and whether it is about as light.

    `at_the_edge`: something that counts stands at the picture's edge, which is then not cut.
    """
    mirrored = bool(rng.random() < 0.5)
    if not at_the_edge:
        rows, columns = picture.shape[:2]
        keep = 1 - rng.uniform(0, 0.06)
        top, left = ((1 - keep) * rng.random() * size for size in (rows, columns))
        picture = picture[round(top) : round(top + keep * rows), round(left) : round(left + keep * columns)]
    shown = footage.resized(picture, WIDTH, HEIGHT).astype(np.float32) / 255
    shown = shown[:, ::-1] if mirrored else shown
    gain = rng.uniform(0.6, 1.25)
    shown = (shown.clip(0, 1) ** np.exp(rng.normal(0, 0.15))) * gain * np.exp(rng.normal(0, 0.05, 3))
    grey = shown.mean(-1, keepdims=True)
    shown = grey + (shown - grey) * rng.uniform(least_saturation, 1.25)
    shown = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), rng.uniform(0.1, 1.0))
    return np.clip(255 * shown, 0, 255), mirrored, gain >= LIGHT_KEPT


def stream(still: Still, encoder, rng: np.random.Generator) -> Variants:
    """The variants of one stream."""
    picture, garments = still.picture(), clothes.garments(still.facts)
    least = LEAST_SATURATION_PAINTED if garments else LEAST_SATURATION
    told, worn, sent = [], [], []
    for _ in range(VARIANTS):
        dressed, numbers = clothes.painted(picture, garments, rng)
        worn.append(numbers)
        shown, *facts = vary(dressed, bool(still.facts.get("edge")), least, rng)
        told.append(facts)
        grain = rng.uniform(0.5, 5.0)
        for _ in range(SETTLE + FRAMES):
            sent.append(noisy(shown, rng, grain))
    got = h264.coded(np.stack(sent), round(np.exp(rng.uniform(np.log(300), np.log(3000)))), to_model=True)
    kept = got.reshape(VARIANTS, SETTLE + FRAMES, *got.shape[1:])[:, SETTLE:].reshape(-1, *got.shape[1:])
    tokens = np.concatenate([encoder.run(None, {"pixels": p[None]})[0] for p in kept]).astype(np.float32)
    mirrored, as_light = np.array(told).T
    return Variants(tokens.reshape(VARIANTS, FRAMES, *tokens.shape[1:]), mirrored, as_light, np.array(worn, int))


def of(still: Still, encoder) -> Variants:
    """All variants of a photograph; made where they are not there yet, in some ten seconds."""
    garments = clothes.garments(still.facts)
    depends = (still.facts["sha256"], still.crop, still.frame, garments, pixels.to_model())
    made_by = sha256(Path(__file__).read_bytes() + Path(clothes.__file__).read_bytes() + repr(depends).encode())
    target = cache_dir("variants", code()) / f"{still.name}-{made_by.hexdigest()[:12]}.npz"
    if not target.exists():
        print(f"photographs to train on: {still.name}", flush=True)
        streams = STREAMS_PAINTED if garments else STREAMS
        parts = [stream(still, encoder(), np.random.default_rng([still.number, n])) for n in range(streams)]
        joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in Variants.__dataclass_fields__}
        unfinished = target.with_suffix(".tmp.npz")
        np.savez(unfinished, **joined)
        unfinished.replace(target)
    return Variants(**np.load(target))


def of_all() -> list[tuple[Still, Variants]]:
    """Every photograph of the half for training with its variants."""
    stills, missing = photographs.load(training=True)
    if missing:
        raise RuntimeError(f"photographs to train on that cannot be had: {', '.join(missing)}")
    encoder = cache(lambda: session(encoder_file()))
    return [(still, of(still, encoder)) for still in stills]
