"""Llama-3.2-Vision: the three graphs of the contract flamingo-onnx/1."""

import torch
from torch import Tensor, nn

from .gated_layers import GatedDecoder, MediaProjection
from .media_rules import Span
from .mllama_config import MllamaShape, inverse_frequency


class MllamaResampler(nn.Module):
    """There is none: K and V of every cross layer are projections of one frame's features (`projection`, `frame`)."""

    def __init__(self, shape: MllamaShape):
        super().__init__()
        self.layers = nn.ModuleList([MediaProjection(shape.decoder) for _ in shape.decoder.cross_layers])

    def forward(self, frame_bank: Tensor, frame_index: Tensor, frame_pos: Tensor) -> Tensor:
        """`frame_bank` [bank, N, width], `frame_index` [media, 1] -> `media_kv` [media, cross, 2, kv_heads, N, d].

        Of several frames the last counts; an absent one (-1) gives zeros, and no token may name its row. `frame_pos` is
        not looked at: pictures have no place in time.
        """
        newest = frame_index[:, -1]
        frames = frame_bank[newest.clamp(min=0)]
        rows = [torch.stack([key.to(value.dtype), value], 1) for key, value in (layer(frames) for layer in self.layers)]
        media_kv = torch.stack(rows, 1)
        return media_kv * (newest >= 0).to(media_kv.dtype)[:, None, None, None, None, None]


class MllamaDecoder(GatedDecoder):
    """One prefill or step; see the contract for every input."""

    def __init__(self, shape: MllamaShape):
        super().__init__(shape.decoder)
        self.whole = shape

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        media_index: Tensor,
        media_span: Tensor,
        logits_index: Tensor,
        gate_scale: Tensor,
        media_kv: Tensor,
        past: list[Tensor],
    ) -> tuple[Tensor, ...]:
        media = Span(media_kv, media_index, media_span)
        speed = inverse_frequency(self.whole, position_ids.device)
        return self.run(input_ids, attention_mask, position_ids, logits_index, gate_scale, media, past, speed)
