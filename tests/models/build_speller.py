"""Builds tests/models/speller: the oracle with a vocabulary that can spell any text, and so write JSON under a grammar.

Nothing is learnt and nothing is random. Run it as build_oracle.py beside it, only to change the speller:

    ~/.cache/wader/oracle-venv/bin/python tests/models/build_speller.py

Its vision encoder and resampler are the oracle's. Its tokens are those of a byte-level BPE (as of GPT-2, GPT-NeoX, Llama
3): the 256 bytes, and some pieces of several bytes, so that a text has more spellings than one.

- A token's logit is a number from 0 to RANGE that looks random and hangs on the sum of (id + 1)(position + 1) over all
  tokens so far, so that what it writes is right only if ids, positions, cached K/V and holes were right. It would never
  write JSON by itself.
- The digit that is the window's oldest frame's number modulo 64, modulo 10, is lifted by LIFT where a frame is seen: what
  it writes into a number tells which frame it was given.
"""

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

import build_oracle as oracle
from build_oracle import Graph, floats, ints, tensor

SPECIAL = ["<pad>", "<image>", "<eoc>"]
PIECES = ["{\"", "\":", "\":\"", "\",\"", ",\"", "\"}", "frame", "colour", "red", "green", "true", "false", "null"]
POSITIONS, RANGE, LIFT, MODULUS = 256, 6.0, 40.0, 1009


def letters():
    """The letter of each byte in the tokens of a byte-level BPE."""
    seen = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + place) for place, byte in enumerate(unseen)}


def vocabulary():
    """Token numbers, and the merges that make the pieces, each from the left."""
    ids = {token: number for number, token in enumerate(SPECIAL)}
    for byte in range(256):
        ids[letters()[byte]] = len(ids)
    merges = []
    for piece in PIECES:
        for end in range(2, len(piece) + 1):
            merge = (piece[: end - 1], piece[end - 1])
            if merge not in merges:
                merges.append(merge)
            ids.setdefault(piece[:end], len(ids))
    return ids, merges


IDS, MERGES = vocabulary()


def tokenizer():
    made = Tokenizer(models.BPE(IDS, MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    made.save(str(oracle.FOLDER / "tokenizer.json"))
    assert made.get_vocab_size() == len(IDS)
    assert made.encode("{\"frame\":\"red\"}", add_special_tokens=False).tokens == ["{\"", "frame", "\":\"", "red", "\"}"]


def decoder():
    g = Graph("decoder")
    _, _, whole, _ = oracle.said(g)
    seen, count = oracle.shown(g)
    number = np.arange(len(IDS), dtype=np.int64)
    factor, offset = (number * number * 31 + number * 17 + 5) % MODULUS, (number * 7919 + 13) % MODULUS
    mixed = g.op("Mod", g.op("Add", g.op("Mul", g.op("Mod", whole, ints(MODULUS)), factor), offset), ints(MODULUS))
    logits = g.op("Mul", g.float(mixed), floats(RANGE / MODULUS))
    # The readout `f0` stands first among those of what is seen.
    oldest = g.op("Cast", g.op("Round", g.cut(seen, 2, 0, 1)), to=7)
    digit = g.op("Mod", oldest, ints(10))
    digits = np.full(len(IDS), -1, np.int64)
    digits[[IDS[str(one)] for one in range(10)]] = range(10)
    told = g.op("Mul", g.float(g.op("Equal", digit, digits)), g.op("Min", count, floats(1)))
    g.op("Add", logits, g.op("Mul", told, floats(LIFT)), outputs=["logits"])
    cache = [f"{layer}.{part}" for layer in range(2) for part in ("key", "value")]
    g.save(
        [
            tensor("input_ids", "i64", "batch", "seq"),
            tensor("attention_mask", "i64", "batch", "total"),
            tensor("position_ids", "i64", "batch", "seq"),
            tensor("media_index", "i64", "batch", "seq"),
            tensor("logits_index", "i64", "batch", "nlogits"),
            tensor("gate_scale", "f32"),
            tensor("media_kv", "f32", "media", 1, 2, 1, oracle.SLOTS, oracle.CROSS_DIM),
            *[tensor(f"past_key_values.{name}", "f32", "batch", 1, "past", oracle.HEAD_DIM) for name in cache],
        ],
        [
            tensor("logits", "f32", "batch", "nlogits", len(IDS)),
            *[tensor(f"present.{name}", "f32", "batch", 1, "total", oracle.HEAD_DIM) for name in cache],
        ],
    )


def goldens():
    made = oracle.Goldens(("vision_encoder", "resampler", "decoder"))
    features = made.add("vision_encoder", pixels=np.stack([oracle.barcode(5, 1237)]))["frame_features"]
    media = made.add(
        "resampler",
        frame_bank=features,
        frame_index=np.array([[0, -1]], np.int64),
        frame_pos=np.array([[0, 0]], np.float32),
    )["media_kv"]
    text = np.array([[IDS[token] for token in ("<image>", "{\"", "frame", "\":")]], np.int64)
    empty = {
        f"past_key_values__{layer}__{part}": np.zeros((1, 1, 0, oracle.HEAD_DIM), np.float32)
        for layer in range(2)
        for part in ("key", "value")
    }
    for gate in (1.0, 0.0):
        logits = made.add(
            "decoder",
            input_ids=text,
            attention_mask=np.ones_like(text),
            position_ids=np.arange(4)[None].astype(np.int64),
            media_index=np.zeros_like(text),
            logits_index=np.array([[3]], np.int64),
            gate_scale=np.array(gate, np.float32),
            media_kv=media,
            **empty,
        )["logits"]
        best = [token for token, number in IDS.items() if number == logits[0, 0].argmax()]
        print(gate, best)
        assert (best == ["1"]) == (gate == 1), "1237 modulo 64 is 21, modulo 10 it is 1"
    made.save()


def manifest():
    content = oracle.manifest() | {"name": "speller"}
    graphs = ("vision_encoder", "resampler", "decoder")
    content["graphs"] = {name: f"{name}.onnx" for name in graphs}
    content["decoder"] |= {"vocab": len(IDS), "embed_rows": len(IDS), "max_positions": POSITIONS}
    content["tokens"] = {
        "image": IDS["<image>"],
        "bos": None,
        "pad": IDS["<pad>"],
        "unknown": None,
        "eos": [IDS["<eoc>"]],
    }
    content["prompt"] = {
        "question": [{"text": "A scene. "}, {"token": "<image>"}, {"slot": "question"}, {"text": " Answer: "}],
        "caption": [{"text": "A scene. "}, {"token": "<image>"}, {"text": "Output: "}],
        "yes": ["yes"],
        "no": ["no"],
        "numbers": [str(number) for number in range(21)],
        "words": None,
    }
    del content["examples"]
    content["limits"]["max_new_tokens"] = 128
    tolerance = content["golden"]["tolerance"]
    content["golden"]["tolerance"] = {graph: tolerance[graph] for graph in graphs}
    return content


if __name__ == "__main__":
    oracle.FOLDER = oracle.FOLDER.parent / "speller"
    oracle.FOLDER.mkdir(exist_ok=True)
    oracle.vision_encoder()
    oracle.resampler()
    decoder()
    tokenizer()
    goldens()
    names = ["vision_encoder.onnx", "resampler.onnx", "decoder.onnx", "tokenizer.json"]
    oracle.save_manifest(manifest(), [*names, "golden/golden.json", "golden/golden.bin"])
