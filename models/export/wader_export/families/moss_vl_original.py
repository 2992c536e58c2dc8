"""MOSS-VL's own class, remote code of its checkpoint, to compare a folder with. Only `parity` runs it, if told to.

How the model is called: OpenMOSS/MOSS-VL `processing_moss_vl.py`, `modeling_moss_vl.py` (`MossVLModel.forward`).
"""

import numpy as np
import torch


def load(folder: str, dtype: torch.dtype, trust_remote_code: bool):
    """The real model."""
    if not trust_remote_code:
        raise ValueError("MOSS-VL's classes are code of the checkpoint; read it, then say --trust-remote-code")
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", trust_remote_code=True
    )
    return model.eval()


def packed(frames: np.ndarray, patch: int, merge: int, said: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames [n, h, w, 3] as the processor packs them: patches [n * patches, 3 * patch * patch], grids [n, 3]."""
    mean, std = torch.tensor(said["image_mean"]), torch.tensor(said["image_std"])
    scaled = (torch.from_numpy(frames).float() / 255 - mean) / std
    count, height, width, _ = frames.shape
    rows, columns = height // patch // merge, width // patch // merge
    cut = scaled.permute(0, 3, 1, 2).reshape(count, 3, rows, merge, patch, columns, merge, patch)
    flat = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(-1, 3 * patch * patch)
    return flat, torch.tensor([[1, rows * merge, columns * merge]] * count)


@torch.no_grad()
def logits(model, ids: list[int], frames: np.ndarray, said: dict) -> np.ndarray:
    """Logits [seq, vocab] of one text and its frames, everything computed anew. A text without frames has no mask."""
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if len(frames):
        vision = model.config.vision_config
        values, grids = packed(frames, vision.patch_size, vision.spatial_merge_size, said)
        shown = torch.tensor(ids).eq(model.config.image_token_id).cumsum(0)
        hidden = torch.arange(len(frames)) >= shown[:, None]  # True: a frame that comes later
        inputs |= {"pixel_values": values.to(model.dtype), "grid_thw": grids}
        inputs["cross_attention_mask"] = hidden[None, None]
    inputs = {name: value.to(model.device) for name, value in inputs.items()}
    extra = {"media_nums_per_sample": [len(frames)]} if len(frames) else {}
    return model(**inputs, **extra, use_cache=False).logits[0].float().cpu().numpy()
