"""The resampler and the decoder with exactly the inputs and outputs of the contract flamingo-onnx/1."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..nn import decoder as decoder_parts
from ..nn.decoder import Decoder
from ..nn.layers import MASKED
from ..nn.resampler import Resampler


class ResamplerGraph(nn.Module):
    """``frame_bank`` [bank,V,D], ``frame_index`` [media,frames], ``frame_pos`` [media,frames] -> ``media_kv``."""

    def __init__(self, resampler: Resampler, decoder: Decoder):
        super().__init__()
        self.resampler, self.gated = resampler, decoder.gated

    def forward(self, frame_bank: Tensor, frame_index: Tensor, frame_pos: Tensor) -> Tensor:
        present = frame_index >= 0
        frames = frame_bank[frame_index.clamp(min=0)]
        seconds = torch.where(present, frame_pos, torch.zeros_like(frame_pos))
        latents, _ = self.resampler(frames, seconds, present)
        return torch.stack([torch.stack(g.heads.keys_values(latents), 1) for g in self.gated], 1)


class DecoderGraph(nn.Module):
    """One step or prefill of the language model; see the contract for every input."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        media_index: Tensor,
        logits_index: Tensor,
        gate_scale: Tensor,
        media_kv: Tensor,
        past: list[Tensor],
    ):
        length, whole = input_ids.shape[1], attention_mask.shape[1]
        order = torch.arange(whole)
        queries = order[None, :] + 0 * order[:1, None]
        start = whole - length
        allowed = queries <= (torch.arange(length)[:, None] + start)
        allowed = allowed[None] & (attention_mask[:, None, :] > 0)
        causal = torch.where(allowed, 0.0, MASKED)[:, None]
        media, _, _, _, latents, _ = media_kv.shape
        owner = torch.arange(media)[:, None].expand(media, latents).reshape(-1)
        bias = torch.where(media_index[:, None, :, None] == owner, 0.0, MASKED)
        open_ = (media_index >= 0).to(media_kv.dtype)[..., None] * gate_scale
        keys = media_kv.permute(1, 2, 3, 0, 4, 5)
        keys = keys.reshape(*keys.shape[:3], media * latents, keys.shape[5])[None]
        pairs = [(past[2 * i], past[2 * i + 1]) for i in range(len(past) // 2)]
        hidden, present = self.decoder.run(input_ids, causal, position_ids, keys, bias, open_, pairs)
        picked = hidden.gather(1, logits_index[..., None].expand(-1, -1, hidden.shape[-1]))
        logits = functional.linear(picked, self.decoder.embedding.weight)
        return (logits, *(t for pair in present for t in pair))


LAYERS = decoder_parts.LAYERS
PAST_NAMES = [f"past_key_values.{i}.{part}" for i in range(LAYERS) for part in ("key", "value")]
PRESENT_NAMES = [f"present.{i}.{part}" for i in range(LAYERS) for part in ("key", "value")]
DECODER_INPUTS = [
    "input_ids", "attention_mask", "position_ids", "media_index", "logits_index", "gate_scale", "media_kv",
]  # fmt: skip
RESAMPLER_INPUTS = ["frame_bank", "frame_index", "frame_pos"]
