"""Transformers' Llama-3.2-Vision, set right where it differs from its authors' code, to compare a folder with.

transformers (5.23) differs from Meta's code in two places:
- tokens that see no picture: only the feed-forward's output is zeroed, not the attention's (huggingface/transformers
  issue 39379), so text before a picture reads it all the same;
- the intermediate features are taken after the layers named, not before (4.53 and earlier: before).
Goldens or quality figures must not be taken from it as it is.
"""

import numpy as np
import torch
from transformers import MllamaForConditionalGeneration
from transformers.models.mllama import modeling_mllama as theirs
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)


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


def correct(model: MllamaForConditionalGeneration, rows: bool = True, taps: bool = True):
    """Sets the model right in place and returns it; `rows` or `taps` False leave one as transformers has it."""
    for layer in model.model.language_model.layers:
        if isinstance(layer, theirs.MllamaCrossAttentionDecoderLayer):
            layer.__class__ = CrossLayer if rows else theirs.MllamaCrossAttentionDecoderLayer
    model.model.vision_model.transformer.__class__ = Encoder if taps else theirs.MllamaVisionEncoder
    return model


def load(folder: str, dtype: torch.dtype, trust_remote_code: bool) -> MllamaForConditionalGeneration:
    """The real model; its class is transformers' own and runs no code of the checkpoint."""
    model = MllamaForConditionalGeneration.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    return correct(model.eval())


def pixel_values(model: MllamaForConditionalGeneration, canvases: np.ndarray, said: dict) -> dict[str, torch.Tensor]:
    """What the image processor gives for pictures that fill their canvas [frames, h, w, 3]; `said`: its settings."""
    vision = model.config.vision_config
    side = vision.image_size
    down, across = canvases.shape[1] // side, canvases.shape[2] // side
    mean, std = torch.tensor(said["image_mean"]), torch.tensor(said["image_std"])
    scaled = (torch.from_numpy(canvases).float() / 255 - mean) / std
    cut = scaled.reshape(-1, down, side, across, side, 3).permute(0, 1, 3, 5, 2, 4).flatten(1, 2)
    values = torch.zeros(len(canvases), vision.max_num_tiles, 3, side, side)
    values[:, : down * across] = cut
    mask = torch.zeros(1, len(canvases), vision.max_num_tiles, dtype=torch.long)
    mask[..., : down * across] = 1
    number = 1 + vision.supported_aspect_ratios.index([down, across])
    return {
        "pixel_values": values[None].to(model.dtype),
        "aspect_ratio_ids": torch.full((1, len(canvases)), number),
        "aspect_ratio_mask": mask,
    }


@torch.no_grad()
def logits(model: MllamaForConditionalGeneration, ids: list[int], canvases: np.ndarray, said: dict) -> np.ndarray:
    """Logits [seq, vocab] of one text and its pictures, everything computed anew."""
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if len(canvases):
        pictures = pixel_values(model, canvases, said)
        tiles = int(pictures["aspect_ratio_mask"][0, 0].sum())
        seen = convert_sparse_cross_attention_mask_to_dense(
            [get_cross_attention_token_mask(ids, model.config.image_token_index)],
            [[tiles] * len(canvases)],
            model.config.vision_config.max_num_tiles,
            len(ids),
        )
        inputs |= pictures | {"cross_attention_mask": torch.from_numpy(seen)}
    inputs = {name: value.to(model.device) for name, value in inputs.items()}
    return model(**inputs, use_cache=False).logits[0].float().cpu().numpy()
