"""MOSS-VL: the three graphs of the contract flamingo-onnx/1."""

import torch
from torch import Tensor, nn

from .gated_layers import GatedDecoder, MediaProjection, rotate
from .media_rules import Position
from .moss_vl_config import MossShape, in_frame_rotation, inverse_frequency


class MossResampler(nn.Module):
    """K and V of every cross layer are projections of one frame's features (`projection`, `frame`).

    K is turned only by the place inside the frame. Turned by the frame's place in the text, too, it would serve one
    prompt alone, and lose precision with a stream's age; the decoder turns the query instead (`media_rules.Position`).
    """

    def __init__(self, shape: MossShape):
        super().__init__()
        self.layers = nn.ModuleList([MediaProjection(shape.decoder) for _ in shape.decoder.cross_layers])
        self.shape = shape

    def forward(self, frame_bank: Tensor, frame_index: Tensor, frame_pos: Tensor) -> Tensor:
        """`frame_bank` [bank, N, width], `frame_index` [media, 1] -> `media_kv` [media, cross, 2, kv_heads, N, d].

        Of several frames the last counts; an absent one (-1) gives zeros, and its `media_pos` must be -1. `frame_pos`
        is not looked at: a frame's time is written in the text.
        """
        newest = frame_index[:, -1]
        frames = frame_bank[newest.clamp(min=0)]
        turn = in_frame_rotation(self.shape, frame_index.device)
        projected = [layer(frames) for layer in self.layers]
        rows = [torch.stack([rotate(key, *turn).to(value.dtype), value], 1) for key, value in projected]
        media_kv = torch.stack(rows, 1)
        return media_kv * (newest >= 0).to(media_kv.dtype)[:, None, None, None, None, None]


class MossDecoder(GatedDecoder):
    """One prefill or step; see the contract for every input."""

    def __init__(self, shape: MossShape):
        super().__init__(shape.decoder)
        self.whole = shape

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        media_pos: Tensor,
        logits_index: Tensor,
        gate_scale: Tensor,
        media_kv: Tensor,
        past: list[Tensor],
    ) -> tuple[Tensor, ...]:
        speed = inverse_frequency(self.whole, position_ids.device)
        media = Position(media_kv, position_ids, media_pos, speed)
        return self.run(input_ids, attention_mask, position_ids, logits_index, gate_scale, media, past, speed)
