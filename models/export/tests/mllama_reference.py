"""A small random Llama-3.2-Vision of transformers' own class, corrected to the authors' rules; the forward to compare with.

transformers (5.23) differs from Meta's code in two places, and here it is set right:
- tokens that see no picture: the attention's output is zeroed as the feed-forward's is (huggingface/transformers 39379);
- the intermediate features are taken before the layers named, not after.
"""

import numpy as np
import torch
from transformers import MllamaConfig, MllamaForConditionalGeneration
from transformers.models.mllama import modeling_mllama as theirs
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

TILE, IMAGE, VOCAB = 28, 160, 160
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
CONFIG = {
    "model_type": "mllama",
    "image_token_index": IMAGE,
    "vision_config": {
        "hidden_size": 32, "intermediate_size": 48, "attention_heads": 2, "num_hidden_layers": 3,
        "num_global_layers": 1, "intermediate_layers_indices": [0, 2], "image_size": TILE, "patch_size": 7,
        "vision_output_dim": 96, "max_num_tiles": 4,
    },
    "text_config": {
        "vocab_size": VOCAB, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "cross_attention_layers": [1, 3],
        "pad_token_id": 3, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 512,
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
        },
    },
}  # fmt: skip


class CrossLayer(theirs.MllamaCrossAttentionDecoderLayer):
    """With the attention's output zeroed where a token sees no picture, as in Meta's code."""

    def forward(self, hidden_states, cross_attention_states, cross_attention_mask, attention_mask,
                full_text_row_masked_out_mask, past_key_values=None, **_):  # fmt: skip
        read, _ = self.cross_attn(
            hidden_states=self.input_layernorm(hidden_states),
            attention_mask=cross_attention_mask,
            cross_attention_states=cross_attention_states,
            past_key_values=past_key_values,
        )
        seen = full_text_row_masked_out_mask[:, 0]
        hidden_states = hidden_states + self.cross_attn_attn_gate.tanh() * seen * read
        fed = self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states + self.cross_attn_mlp_gate.tanh() * seen * fed


class Encoder(theirs.MllamaVisionEncoder):
    """With what goes into each layer as its hidden state."""

    def forward(self, hidden_states, attention_mask=None):
        before = []
        for layer in self.layers:
            before.append(hidden_states)
            hidden_states = layer(hidden_states=hidden_states, attention_mask=attention_mask)
        return theirs.BaseModelOutput(last_hidden_state=hidden_states, hidden_states=tuple(before))


def build(seed: int = 0, std: float = 0.2) -> MllamaForConditionalGeneration:
    """Random weights; gates, 0 at the start of training, are opened: else a picture has no effect."""
    torch.manual_seed(seed)
    config = MllamaConfig(**CONFIG)
    config._attn_implementation = "eager"
    model = MllamaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif "gate" in name.rsplit(".", 1)[-1] and parameter.numel() == 1:
                parameter.copy_(0.5 + 0.5 * torch.rand(1))
            else:
                parameter.normal_(std=std)
    return model


def correct(model: MllamaForConditionalGeneration, rows: bool = True, taps: bool = True) -> MllamaForConditionalGeneration:
    """Sets the model right in place (the same weights); `rows` and `taps` leave one of the two as transformers has it."""
    for layer in model.model.language_model.layers:
        if isinstance(layer, theirs.MllamaCrossAttentionDecoderLayer):
            layer.__class__ = CrossLayer if rows else theirs.MllamaCrossAttentionDecoderLayer
    model.model.vision_model.transformer.__class__ = Encoder if taps else theirs.MllamaVisionEncoder
    return model


def pixel_values(canvases: np.ndarray, tiles: tuple[int, int]) -> dict[str, torch.Tensor]:
    """What transformers' image processor gives for pictures that fill their canvas [frames, h, w, 3]."""
    down, across = tiles
    scaled = (torch.from_numpy(canvases).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    cut = scaled.reshape(-1, down, TILE, across, TILE, 3).permute(0, 1, 3, 5, 2, 4).flatten(1, 2)
    values = torch.zeros(len(canvases), 4, 3, TILE, TILE)
    values[:, : down * across] = cut
    ratios = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
    mask = torch.zeros(1, len(canvases), 4, dtype=torch.long)
    mask[..., : down * across] = 1
    return {
        "pixel_values": values[None],
        "aspect_ratio_ids": torch.full((1, len(canvases)), 1 + ratios.index([down, across])),
        "aspect_ratio_mask": mask,
    }


@torch.no_grad()
def features(model: MllamaForConditionalGeneration, canvases: np.ndarray, tiles: tuple[int, int]) -> np.ndarray:
    """Projected features of the real tiles [frames, tokens, width]."""
    inner = model.model
    seen = inner.vision_model(**pixel_values(canvases, tiles)).last_hidden_state[0]
    return inner.multi_modal_projector(seen)[:, : tiles[0] * tiles[1]].flatten(1, 2).numpy()


@torch.no_grad()
def logits(model, ids: list[int], canvases: np.ndarray | None, tiles: tuple[int, int]) -> np.ndarray:
    """Logits [seq, vocab] of one text and its pictures, everything computed anew."""
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if canvases is not None and len(canvases):
        seen = convert_sparse_cross_attention_mask_to_dense(
            [get_cross_attention_token_mask(ids, IMAGE)], [[tiles[0] * tiles[1]] * len(canvases)], 4, len(ids)
        )
        inputs |= pixel_values(canvases, tiles) | {"cross_attention_mask": torch.from_numpy(seen)}
    return model(**inputs, use_cache=False).logits[0].float().numpy()
