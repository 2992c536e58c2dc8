"""Llama-3.2-Vision: the decoder of the contract flamingo-onnx/1. Its resampler is `FrameProjection`."""

from torch import Tensor

from .gated_layers import GatedDecoder
from .media_rules import Span
from .mllama_config import MllamaShape, inverse_frequency


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
