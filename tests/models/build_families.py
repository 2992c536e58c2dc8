"""Builds tests/models/span and tests/models/position: oracles of the families whose media are single frames.

Nothing is learnt and nothing is random. Run it as build_oracle.py beside it, only to change them:

    ~/.cache/wader/oracle-venv/bin/python tests/models/build_families.py

They say what the oracle says (README.md beside this file), of the frames that a token sees, oldest first:

- The resampler takes one frame: both of its layers and heads hold what the oracle's slot holds.
- `span`, as Llama-3.2-Vision: `media_index` and `media_span` say which rows of media a token sees, in the order they lie.
- `position`, as MOSS-VL: `media_pos` says where each medium begins; a token sees those at or before its own position, in
  the order of where they begin, and slot n's `t` is that position. A picture takes ADVANCE positions.
- Both keep their past K/V in fewer heads than they have (KV_HEADS), their picture token lies beyond the logits, and a text
  ends with the second of their end tokens.
"""

import numpy as np

import build_oracle as oracle
from build_oracle import CROSS_DIM, DIM, HEAD_DIM, ID, SLOTS, TOKENS, Graph, floats, ints, tensor

LAYERS, HEADS, CROSS_HEADS, KV_HEADS = 2, 4, 2, 2
ADVANCE, FRAMES = 3, 4
SPECIAL = ["<pad>", "<eoc>", "<end>", "<unk>", "question:", "answer:", "output:", "<time>", "</time>"]


def speak():
    """Gives the oracle's words these families' numbers: times can be written, and the picture token comes last."""
    oracle.SPECIAL[:] = SPECIAL
    oracle.PLAIN.extend(["seconds", *map(str, range(31))])
    oracle.VOCABULARY[:] = oracle.SPECIAL + oracle.PLAIN + oracle.SEEN + oracle.TEXT
    ID.clear()
    ID.update({word: number for number, word in enumerate([*oracle.VOCABULARY, "<image>"])})
    oracle.END = "<end>"


def tokenizer():
    words = list(oracle.VOCABULARY)
    oracle.VOCABULARY.append("<image>")
    oracle.SPECIAL.append("<image>")
    oracle.tokenizer()
    oracle.VOCABULARY[:] = words
    oracle.SPECIAL.pop()


def resampler():
    g = Graph("resampler")
    rows = g.op("Squeeze", g.op("Gather", "frame_bank", "frame_index", axis=0), ints(2))  # [media, 1, DIM]
    time = g.op("Unsqueeze", g.op("Div", "frame_pos", floats(oracle.UNITS_PER_SECOND)), ints(2))
    flag = g.op("Add", g.op("Mul", time, floats(0)), floats(1))
    key = g.op("Concat", g.cut(rows, 2, 0, 1), g.cut(rows, 2, 4, 5), flag, g.op("Sub", flag, flag), axis=2)
    value = g.op("Concat", g.cut(rows, 2, 1, 4), time, axis=2)
    both = g.op("Concat", g.op("Unsqueeze", key, ints(1)), g.op("Unsqueeze", value, ints(1)), axis=1)
    both = g.op("Unsqueeze", both, ints(1, 3))  # [media, 1, 2, 1, 1, CROSS_DIM]
    g.op("Tile", both, ints(1, LAYERS, 1, CROSS_HEADS, 1, 1), outputs=["media_kv"])
    g.save(
        [
            tensor("frame_bank", "f32", "bank", TOKENS, DIM),
            tensor("frame_index", "i64", "media", 1),
            tensor("frame_pos", "f32", "media", 1),
        ],
        [tensor("media_kv", "f32", "media", LAYERS, 2, CROSS_HEADS, 1, CROSS_DIM)],
    )


ABSENT = np.array([[[-1, 0, 0, 0]], [[-1, -1, -1, -1]]], np.float32)  # [2, 1, CROSS_DIM]


def media_of(g):
    """What the last layer's last head holds of each medium: [media, 2, CROSS_DIM]."""
    last = g.cut(g.cut("media_kv", 1, LAYERS - 1, LAYERS), 3, CROSS_HEADS - 1, CROSS_HEADS)
    return g.op("Squeeze", last, ints(1, 3, 4))


def seen(g, present, row):
    """Readouts of the slots that are present [B, L, SLOTS], out of [B, L, SLOTS, 2, CROSS_DIM]."""
    row = g.op("Transpose", row, perm=[0, 1, 3, 2, 4])
    row = g.op("Where", g.op("Unsqueeze", present, ints(2, 4)), row, ABSENT)
    any_seen = g.op("ReduceMax", g.float(present), ints(2), keepdims=1)
    return oracle.told(g, row, g.op("Mul", any_seen, "gate_scale"))


def shown_by_span(g):
    slots = ints(*range(SLOTS))
    latest = g.op("Unsqueeze", g.op("GatherElements", "media_index", "logits_index", axis=1), ints(2))
    span = g.op("Unsqueeze", g.op("GatherElements", "media_span", "logits_index", axis=1), ints(2))
    present = g.op("And", g.op("Less", slots, span), g.op("GreaterOrEqual", latest, ints(0)))
    first = g.op("Add", g.op("Sub", latest, span), ints(1))
    index = g.op("Where", present, g.op("Add", first, slots), ints(0))
    return seen(g, present, g.op("Gather", media_of(g), index, axis=0))


def shown_by_position(g):
    own = g.op("Unsqueeze", g.op("GatherElements", "position_ids", "logits_index", axis=1), ints(2))  # [B, L, 1]
    begins = g.op("Unsqueeze", "media_pos", ints(1))  # [B, 1, media]
    visible = g.op("And", g.op("GreaterOrEqual", begins, ints(0)), g.op("LessOrEqual", begins, own))  # [B, L, media]
    # A medium's slot is the number of visible ones that begin before it.
    before = g.op("Less", g.op("Unsqueeze", "media_pos", ints(1)), g.op("Unsqueeze", "media_pos", ints(2)))
    before = g.op("And", g.op("Unsqueeze", before, ints(1)), g.op("Unsqueeze", visible, ints(2)))  # [B, L, media, media]
    rank = g.op("ReduceSum", g.float(before), ints(3), keepdims=1)
    slot = g.op("And", g.op("Equal", rank, floats(*range(SLOTS))), g.op("Unsqueeze", visible, ints(3)))
    slot = g.op("Transpose", g.float(slot), perm=[0, 1, 3, 2])  # [B, L, SLOTS, media]
    present = g.op("Greater", g.op("ReduceSum", slot, ints(3), keepdims=0), floats(0.5))
    flat = g.op("Reshape", media_of(g), ints(-1, 2 * CROSS_DIM))
    row = g.op("MatMul", slot, flat)  # [B, L, SLOTS, 2 x CROSS_DIM]
    place = g.op("MatMul", slot, g.op("Unsqueeze", g.float("media_pos"), ints(1, 3)))  # [B, L, SLOTS, 1]
    row = g.op("Concat", g.cut(row, 3, 0, 2 * CROSS_DIM - 1), place, axis=3)
    shape = g.op("Concat", g.dim(row, 0), g.dim(row, 1), ints(SLOTS, 2, CROSS_DIM), axis=0)
    return seen(g, present, g.op("Reshape", row, shape))


def decoder(rule):
    g = Graph("decoder")
    if rule == "span":
        advance, frames_shown = 1, shown_by_span(g)
        inputs = [tensor(name, "i64", "batch", "seq") for name in ("media_index", "media_span")]
    else:
        advance, frames_shown = ADVANCE, shown_by_position(g)
        inputs = [tensor("media_pos", "i64", "batch", "media")]
    oracle.answer(g, oracle.said(g, KV_HEADS, advance), frames_shown)
    cache = [f"{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]
    g.save(
        [
            tensor("input_ids", "i64", "batch", "seq"),
            tensor("attention_mask", "i64", "batch", "total"),
            tensor("position_ids", "i64", "batch", "seq"),
            *inputs,
            tensor("logits_index", "i64", "batch", "nlogits"),
            tensor("gate_scale", "f32"),
            tensor("media_kv", "f32", "media", LAYERS, 2, CROSS_HEADS, 1, CROSS_DIM),
            *[tensor(f"past_key_values.{name}", "f32", "batch", KV_HEADS, "past", HEAD_DIM) for name in cache],
        ],
        [
            tensor("logits", "f32", "batch", "nlogits", len(oracle.VOCABULARY)),
            *[tensor(f"present.{name}", "f32", "batch", KV_HEADS, "total", HEAD_DIM) for name in cache],
        ],
    )


def goldens(rule):
    made = oracle.Goldens(("vision_encoder", "resampler", "decoder"))
    pictures = np.stack([oracle.barcode(5, 1234), oracle.barcode(63, 1048575)])
    features = made.add("vision_encoder", pixels=pictures)["frame_features"]
    media = made.add(
        "resampler",
        frame_bank=features,
        frame_index=np.array([[1], [0]], np.int64),
        frame_pos=np.zeros((2, 1), np.float32),
    )["media_kv"]
    text = np.array([[ID[word] for word in ("<image>", "<image>", "question:", "f0", "f1", "reference", "answer:")]])
    length = text.shape[1]
    if rule == "span":
        places = np.arange(length)[None]
        sees = {"media_index": np.array([[0] + [1] * 6]), "media_span": np.array([[1] + [2] * 6])}
    else:
        places = np.array([[2, 5, 6, 7, 8, 9, 10]])
        sees = {"media_pos": np.array([[3, 0]])}  # the second row of media stands first
    empty = {
        f"past_key_values__{layer}__{part}": np.zeros((1, KV_HEADS, 0, HEAD_DIM), np.float32)
        for layer in range(LAYERS)
        for part in ("key", "value")
    }
    for gate in (1.0, 0.0):
        logits = made.add(
            "decoder",
            input_ids=text,
            attention_mask=np.ones_like(text),
            position_ids=places,
            logits_index=np.array([[length - 1]], np.int64),
            gate_scale=np.array(gate, np.float32),
            media_kv=media,
            **sees,
            **empty,
        )["logits"]
        frames = [logits[0, 0, ID[word]] for word in ("f0", "f1")]
        assert frames == [gate * number for number in ([63, 18] if rule == "span" else [18, 63])], frames
    made.save()


def manifest(rule):
    content = oracle.manifest()
    content["name"] = rule
    content["provenance"]["description"] = f"Built by hand for tests: an oracle of the media rule `{rule}`."
    content["graphs"] = {name: f"{name}.onnx" for name in ("vision_encoder", "resampler", "decoder")}
    del content["examples"]
    for graph in ("appearance_encoder", "comparer"):
        del content["golden"]["tolerance"][graph]
    content["resampler"].update(
        kind="projection",
        scope="frame",
        latents=1,
        frame_mode="grouped" if rule == "span" else "stamped",
        max_frames=FRAMES,
        trained_frames=[1] if rule == "span" else [2, FRAMES],
    )
    content["decoder"].update(
        media_rule=rule,
        self_layers=LAYERS,
        cross_layers=LAYERS,
        heads=HEADS,
        kv_heads=KV_HEADS,
        cross_kv_heads=CROSS_HEADS,
        embed_rows=len(oracle.VOCABULARY) + 1,
        max_positions=192,
    )
    content["tokens"]["eos"] = [ID["<eoc>"], ID["<end>"]]
    scene = {"text": "these frames come from a scene ."}
    frames, question = {"slot": "frames"}, [{"token": "question:"}, {"slot": "question"}, {"token": "answer:"}]
    content["prompt"].update(question=[scene, frames, *question], caption=[scene, frames, {"token": "output:"}])
    if rule == "span":
        content["prompt"]["frame"] = [{"token": "<image>"}]
    else:
        stamp = [{"token": "<time>"}, {"slot": "time"}, {"text": " seconds"}, {"token": "</time>"}]
        content["prompt"].update(frame=[*stamp, {"token": "<image>"}], time={"origin": "oldest", "decimals": 1})
        content["positions"] = {"image_advance": ADVANCE}
    content["limits"]["max_media_per_call"] = 2 * FRAMES if rule == "span" else FRAMES + 2
    return content


if __name__ == "__main__":
    speak()
    for rule in ("span", "position"):
        oracle.FOLDER = oracle.Path(__file__).parent / rule
        oracle.FOLDER.mkdir(exist_ok=True)
        oracle.vision_encoder()
        resampler()
        decoder(rule)
        tokenizer()
        goldens(rule)
        names = ["vision_encoder.onnx", "resampler.onnx", "decoder.onnx", "tokenizer.json"]
        names += ["golden/golden.json", "golden/golden.bin"]
        oracle.save_manifest(manifest(rule), names)
