"""The `parity` command: a converted folder against its checkpoint's own class, on random pictures and token numbers.

It needs memory for the whole original beside the folder, and for MOSS-VL the checkpoint's code. The project's tests do
the same with small random models; for the real ones it is run by whoever has them.
"""

from pathlib import Path

import numpy as np
import torch

from ..graphs.goldens import session
from . import hub, media_inputs
from .checkpoint import CheckpointError, read_json
from .sources import WEIGHTS

FRAMES = 3
LIMIT = {"float32": 1e-3, "float16": 5e-2}  # absolute below 1, relative to the largest logit above


class Folder:
    """A converted folder, asked one text at a time."""

    def __init__(self, folder: Path):
        self.manifest = read_json(folder, "manifest.json")
        self.graphs = {name: session(folder / file) for name, file in self.manifest["graphs"].items()}

    def media(self, frames: np.ndarray) -> np.ndarray:
        """K and V of each frame."""
        features = self.graphs["vision_encoder"].run(None, {"pixels": frames})[0]
        index = np.arange(len(frames))[:, None]
        given = {"frame_bank": features, "frame_index": index, "frame_pos": np.zeros(index.shape, np.float32)}
        return self.graphs["resampler"].run(None, given)[0]

    def logits(self, ids: list[int], media_kv: np.ndarray) -> np.ndarray:
        """Logits [seq, vocab] of a text whose pictures are the bank's first ones."""
        decoder, image = self.manifest["decoder"], self.manifest["tokens"]["image"]
        order = np.arange(len(ids))
        if decoder["media_rule"] == "span":
            index, span = media_inputs.span(ids, image)
            given = {"position_ids": order, "media_index": index, "media_span": span}
        else:
            places, media, _ = media_inputs.position(ids, image, self.manifest["positions"]["image_advance"])
            absent = np.full(len(media_kv) - len(media), -1)
            given = {"position_ids": places, "media_pos": np.concatenate([media, absent])}
        given |= {"input_ids": np.array(ids), "attention_mask": np.ones(len(ids)), "logits_index": order}
        given = {name: np.asarray(value, np.int64)[None] for name, value in given.items()}
        empty = np.zeros((1, decoder["kv_heads"], 0, decoder["head_dim"]), self.manifest["float"])
        past = [f"past_key_values.{i}.{part}" for i in range(decoder["self_layers"]) for part in ("key", "value")]
        given |= {"gate_scale": np.array(1, np.float32), "media_kv": media_kv} | dict.fromkeys(past, empty)
        return self.graphs["decoder"].run(["logits"], given)[0][0]


def texts(manifest: dict) -> dict[str, list[int]]:
    """Random ordinary tokens around pictures."""
    image, known = manifest["tokens"]["image"], min(manifest["decoder"]["vocab"], manifest["tokens"]["image"])
    words = np.random.default_rng(0).integers(0, known, 24).tolist()
    return {
        "one picture, text before and after": [*words[:4], image, *words[4:10]],
        "pictures with text between": [*words[:2], image, *words[2:5], image, *words[5:8], image, *words[8:12]],
        "pictures side by side": [words[0], *[image] * FRAMES, *words[1:9]],
        "no picture": words,
    }


def compare(folder: Folder, original, model, said: dict) -> dict[str, tuple[float, float, bool]]:
    """For each text: the largest difference, how much is allowed, whether the next token is the same."""
    vision = folder.manifest["vision"]
    shape = (FRAMES, vision["height"], vision["width"], 3)
    frames = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    media, found = folder.media(frames), {}
    for name, ids in texts(folder.manifest).items():
        count = ids.count(folder.manifest["tokens"]["image"])
        ours, theirs = folder.logits(ids, media), original.logits(model, ids, frames[:count], said)
        theirs = theirs[:, : ours.shape[-1]]  # a head may be filled up with rows that no token has
        limit = LIMIT[folder.manifest["float"]] * max(1.0, float(np.abs(theirs).max()))
        found[name] = float(np.abs(ours - theirs).max()), limit, int(ours[-1].argmax()) == int(theirs[-1].argmax())
    return found


def run(arguments) -> None:
    """Loads both, prints the comparison, fails where they differ."""
    from . import mllama_original, moss_vl_original

    try:
        folder = Folder(arguments.folder)
        arch = folder.manifest["decoder"]["arch"]
        original = {"mllama": mllama_original, "moss_vl": moss_vl_original}.get(arch)
        if original is None:
            told = f"{arguments.folder}: `{arch}` is compared in the exporter's tests"
            raise CheckpointError(f"{told}, not by this command")
        place = hub.fetch(arguments.checkpoint, arguments.revision)
        place.need("*.json", "*.jinja", "*.py", WEIGHTS)  # the checkpoint's code, too: it is run only if told to
        dtype = getattr(torch, arguments.dtype)
        model = original.load(str(place.folder), dtype, arguments.trust_remote_code).to(arguments.device)
        found = compare(folder, original, model, place.json("preprocessor_config.json"))
    except (CheckpointError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    for name, (difference, limit, same) in found.items():
        print(f"{name}: {difference:.2e} (limit {limit:.2e}), next token {'the same' if same else 'ANOTHER'}")
    if not all(difference <= limit and same for difference, limit, same in found.values()):
        raise SystemExit(f"error: {arguments.folder} is not what {arguments.checkpoint} computes")
