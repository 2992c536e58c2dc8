"""A small random Llama-3.2-Vision of transformers' own class, corrected to its authors' rules; what to compare with."""

import json
from pathlib import Path

import numpy as np
import torch
from ruled_bench import write_tokenizer
from transformers import MllamaConfig, MllamaForConditionalGeneration

from wader_export.families import mllama_original as original
from wader_export.families.sources import Place

TILE, IMAGE, VOCAB = 28, 160, 160
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
CONFIG = {
    "model_type": "mllama",
    "image_token_index": IMAGE,
    "vision_config": {
        "hidden_size": 16, "intermediate_size": 24, "attention_heads": 2, "num_hidden_layers": 2,
        "num_global_layers": 1, "intermediate_layers_indices": [0, 1], "image_size": TILE, "patch_size": 7,
        "vision_output_dim": 48, "max_num_tiles": 4,
    },
    "text_config": {
        "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "cross_attention_layers": [1, 3],
        "pad_token_id": 3, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 512,
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
        },
    },
}  # fmt: skip

SIDE = {"height": TILE, "width": TILE}
SAID = {"image_mean": MEAN, "image_std": STD, "max_image_tiles": 4, "resample": 2, "size": SIDE}
SPECIAL = ["begin_of_text", "start_header_id", "end_header_id", "eot_id", "eom_id", "end_of_text",
           "finetune_right_pad_id", "image"]  # fmt: skip


def build(seed: int = 0, std: float = 0.3, config: dict = CONFIG) -> MllamaForConditionalGeneration:
    """Random weights; gates, 0 at the start of training, are opened: else a picture has no effect."""
    torch.manual_seed(seed)
    sizes = MllamaConfig(**config)
    sizes._attn_implementation = "eager"
    model = MllamaForConditionalGeneration(sizes).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif "gate" in name.rsplit(".", 1)[-1] and parameter.numel() == 1:
                parameter.copy_(0.5 + 0.5 * torch.rand(1))
            else:
                parameter.normal_(std=std)
    return model


def checkpoint(home: Path, model: MllamaForConditionalGeneration) -> Place:
    """A checkpoint's folder, as one tuned to chat."""
    model.save_pretrained(home)
    write_tokenizer(home / "tokenizer.json", IMAGE + 1 - len(SPECIAL), [f"<|{name}|>" for name in SPECIAL])
    (home / "preprocessor_config.json").write_text(json.dumps(SAID))
    (home / "chat_template.json").write_text("{}")
    return Place(home, f"meta-llama/{home.name}")


@torch.no_grad()
def features(model: MllamaForConditionalGeneration, canvases: np.ndarray, tiles: tuple[int, int]) -> np.ndarray:
    """Projected features of the real tiles [frames, tokens, width]."""
    inner = model.model
    seen = inner.vision_model(**original.pixel_values(model, canvases, SAID)).last_hidden_state[0]
    return inner.multi_modal_projector(seen)[:, : tiles[0] * tiles[1]].flatten(1, 2).numpy()


def logits(model: MllamaForConditionalGeneration, ids: list[int], canvases: np.ndarray) -> np.ndarray:
    """Logits [seq, vocab] of one text and its pictures."""
    return original.logits(model, ids, canvases, SAID)
