"""MOSS-VL: resampler and decoder of the contract flamingo-onnx/1."""

import torch
from torch import Tensor

from .gated_layers import FrameProjection, GatedDecoder
from .media_rules import Position
from .moss_vl_config import MossShape, in_frame_rotation, inverse_frequency


class MossResampler(FrameProjection):
    """K is turned only by the place inside the frame.

    Turned by the frame's place in the text, too, it would serve one prompt alone, and lose precision with a stream's
    age; the decoder turns the query instead (`media_rules.Position`). An absent frame's `media_pos` must be -1.
    """

    def __init__(self, shape: MossShape):
        super().__init__(shape.decoder)
        self.shape = shape

    def rotation(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return in_frame_rotation(self.shape, device)


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
