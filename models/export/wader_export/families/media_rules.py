"""Which pictures a token sees and how it reads their K and V: the rules `span` and `position` of flamingo-onnx/1.

`media_kv` [media, cross_layers, 2, kv_heads, N, d] is the bank of all pictures of the call, shared by all rows.
Query heads and rows are folded together, so the bank is neither repeated nor copied for a row.
"""

import torch
from torch import Tensor

from .gated_layers import rotate, rotation
from .nn.layers import chosen


class Span:
    """A token sees the run of `media_span` rows of the bank that ends at `media_index` (Llama-3.2-Vision).

    Pictures with no text between them are one group that all later text sees, up to the next picture after text:
    transformers `processing_mllama.py`, `get_cross_attention_token_mask`. -1 = no picture.
    """

    def __init__(self, media_kv: Tensor, media_index: Tensor, media_span: Tensor):
        rows = torch.arange(media_kv.shape[0], device=media_kv.device)
        last = media_index[..., None]
        sees = (rows <= last) & (rows > last - media_span[..., None])
        self.sees_any, self.bias, self.media_kv = sees.any(-1), chosen(sees), media_kv

    def read(self, query: Tensor, layer: int) -> Tensor:
        """`query` [batch, seq, heads, d] -> [batch, seq, heads * d]."""
        key, value = banks(self.media_kv, layer)
        groups, media, tokens, width = key.shape
        rows = fold(query, groups).to(key.dtype)
        scores = torch.matmul(rows, key.reshape(groups, media * tokens, width).transpose(1, 2))
        scores = scores.reshape(groups, query.shape[0], -1, query.shape[1], media, tokens)
        return weigh(scores, self.bias, value, query)


class Position:
    """A token sees every picture whose position is not after its own (MOSS-VL); the query turns by the difference.

    K is stored turned only by the place inside the frame. Rotations add up, <R(p) q, R(t) k> = <R(p - t) q, k>, so one
    stored K serves every prompt and every window, wherever the picture stands in its text. `media_pos` [batch, media]:
    position of the picture in this row's text, before the jump that its image token makes; -1 = not in this row.
    """

    def __init__(self, media_kv: Tensor, position_ids: Tensor, media_pos: Tensor, inverse_frequency: Tensor):
        distance = position_ids[:, :, None] - media_pos[:, None, :]
        sees = (media_pos[:, None, :] >= 0) & (distance >= 0)
        self.sees_any, self.bias, self.media_kv = sees.any(-1), chosen(sees), media_kv
        cosine, sine = rotation(distance, inverse_frequency)
        self.turn = (cosine[:, :, :, None], sine[:, :, :, None])

    def read(self, query: Tensor, layer: int) -> Tensor:
        """`query` [batch, seq, heads, d] -> [batch, seq, heads * d]."""
        key, value = banks(self.media_kv, layer)
        groups, media, tokens, width = key.shape
        batch, length, heads = query.shape[:3]
        turned = rotate(query[:, :, None], *self.turn) * width**-0.5  # [batch, seq, media, heads, d]
        rows = turned.reshape(batch, length, media, groups, heads // groups, width).permute(3, 2, 0, 4, 1, 5)
        rows = rows.reshape(groups, media, batch * (heads // groups) * length, width)
        scores = torch.matmul(rows.to(key.dtype), key.transpose(2, 3))
        scores = scores.reshape(groups, media, batch, heads // groups, length, tokens).permute(0, 2, 3, 4, 1, 5)
        return weigh(scores, self.bias, value, query)


def banks(media_kv: Tensor, layer: int) -> tuple[Tensor, Tensor]:
    """K and V [kv_heads, media, N, d] of one cross layer."""
    return media_kv[:, layer, 0].transpose(0, 1), media_kv[:, layer, 1].transpose(0, 1)


def fold(query: Tensor, groups: int) -> Tensor:
    """[batch, seq, heads, d] -> [kv_heads, batch * heads / kv_heads * seq, d], scaled."""
    batch, length, heads, width = query.shape
    rows = (query.float() * width**-0.5).reshape(batch, length, groups, heads // groups, width)
    return rows.permute(2, 0, 3, 1, 4).reshape(groups, batch * (heads // groups) * length, width)


def weigh(scores: Tensor, bias: Tensor, value: Tensor, query: Tensor) -> Tensor:
    """Softmax in float32 over all tokens of all pictures.

    `scores` [kv_heads, batch, repeat, seq, media, N], `bias` [batch, seq, media] -> [batch, seq, heads * d].
    """
    groups, media, tokens, width = value.shape
    batch, length, heads = query.shape[:3]
    scores = scores.float() + bias[:, None, :, :, None]
    scores = scores.reshape(groups, batch * (heads // groups) * length, media * tokens)
    weights = scores.softmax(-1).to(value.dtype)
    read = torch.matmul(weights, value.reshape(groups, media * tokens, width))
    read = read.reshape(groups, batch, heads // groups, length, width)
    return read.permute(1, 3, 0, 2, 4).reshape(batch, length, heads * width)
