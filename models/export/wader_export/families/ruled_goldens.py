"""Golden calls of decoders with the rules `span` and `position`."""

import numpy as np

from . import media_inputs
from .family import Conversion

MEDIA = 2


def texts(tokens: dict, count: int) -> list[list[int]]:
    """Two ragged texts: pictures side by side and apart, a text before the first and after the last; one picture."""
    image, special = tokens["image"], {tokens["image"], tokens["pad"], *tokens["eos"]}
    plain = [i for i in np.random.default_rng(2).permutation(count).tolist() if i not in special][:6]
    return [[*plain[:2], image, image, *plain[2:4]], [plain[4], image, plain[5]]]


def filled(rows: list, pad: int) -> np.ndarray:
    """Rows of one length, filled up on the right."""
    length = max(map(len, rows))
    return np.array([[*row, *[pad] * (length - len(row))] for row in rows])


def span(conversion: Conversion, call, results: dict) -> None:
    """Rows that see both pictures and one; the same with gates shut; no picture; a step on top of the first."""
    tokens, rows = conversion.facts["tokens"], texts(conversion.facts["tokens"], conversion.shapes.vocab)
    seen = [media_inputs.span(row, tokens["image"]) for row in rows]
    lengths = np.array([[len(row)] for row in rows])
    given = {
        "position_ids": filled([list(range(len(row))) for row in rows], 0),
        "media_index": filled([list(index) for index, _ in seen], -1),
        "media_span": filled([list(count) for _, count in seen], 1),
    }
    step = {
        "position_ids": lengths,
        "media_index": np.array([[index[-1]] for index, _ in seen]),
        "media_span": np.array([[count[-1]] for _, count in seen]),
    }
    blind = {**given, "media_index": np.full_like(given["media_index"], -1)}
    calls(conversion, call, results, rows, given, step, blind)


def position(conversion: Conversion, call, results: dict) -> None:
    """Rows with both pictures and with one; the same with gates shut; no picture; a step on top of the first."""
    tokens, rows = conversion.facts["tokens"], texts(conversion.facts["tokens"], conversion.shapes.vocab)
    advance = conversion.facts["positions"]["image_advance"]
    laid = [media_inputs.position(row, tokens["image"], advance) for row in rows]
    media = filled([list(media) for _, media, _ in laid], -1)
    given = {"position_ids": filled([list(places) for places, _, _ in laid], 0), "media_pos": media}
    step = {"position_ids": np.array([[following] for _, _, following in laid]), "media_pos": media}
    calls(conversion, call, results, rows, given, step, {**given, "media_pos": np.full_like(media, -1)})


def calls(conversion: Conversion, call, results: dict, rows: list, given: dict, step: dict, blind: dict) -> None:
    """Four calls."""
    shapes, tokens = conversion.shapes, conversion.facts["tokens"]
    count, longest = len(rows), max(map(len, rows))
    mask = filled([[1] * len(row) for row in rows], 0)
    caches = [port.name for port in call.ports.inputs[-call.ports.listed :]]
    empty = dict.fromkeys(caches, np.zeros((count, shapes.kv_heads, 0, shapes.head_dim)))
    same = {"gate_scale": 1.0, "media_kv": results["resampler"]["media_kv"]}
    prefill = {
        **same,
        **empty,
        "input_ids": filled(rows, tokens["pad"]),
        "attention_mask": mask,
        "logits_index": mask.sum(1, keepdims=True) - 1,
    }
    first = call(**prefill, **given)
    call(**{**prefill, "gate_scale": 0.0}, **given)
    call(**prefill, **blind)
    presents = [first[port.name] for port in call.ports.outputs[1:]]
    results["decoder"] = call(
        **same,
        **step,
        **dict(zip(caches, presents, strict=True)),
        input_ids=first["logits"].argmax(-1),
        attention_mask=np.concatenate([mask, np.ones((count, 1))], 1),
        logits_index=np.zeros((count, 1)),
    )
    assert presents[0].shape[2] == longest
