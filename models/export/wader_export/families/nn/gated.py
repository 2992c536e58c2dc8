"""Gated cross-attention before a block of the language model.

`Gated` is `open_flamingo/src/helpers.py:GatedCrossAttentionBlock` (and Otter's, which is the same), `IdeficsGated` is
`transformers/models/idefics/modeling_idefics.py:IdeficsGatedCrossAttentionLayer`. Keys and values come ready from the
resampler graph. A token without a medium reads exactly 0 there, but still passes the gated feed-forward.
"""

import torch
from torch import Tensor, nn

from .layers import LayerNorm, Linear, RMSNorm, activation, attend, merge_heads, split_heads


class Media:
    """What every gated layer of one decoder call needs: the whole bank, who sees which row, and the gates' scale."""

    def __init__(self, media_kv: Tensor, bias: Tensor, sees: Tensor, scale: Tensor):
        self.media_kv, self.bias, self.sees, self.scale = media_kv, bias, sees, scale

    def read(self, layer: int, query: Tensor) -> Tensor:
        """[batch, Hx, seq, dx] to [batch, seq, Hx * dx]: rows share the bank, nothing is copied."""
        key, value = (
            part.transpose(0, 1).flatten(1, 2)[None]  # [media, Hx, N, dx] to [1, Hx, media * N, dx]
            for part in (self.media_kv[:, layer, 0], self.media_kv[:, layer, 1])
        )
        return merge_heads(attend(query, key, value, self.bias))


class Gated(nn.Module):
    """Scalar gates, LayerNorm on the text alone, GELU."""

    def __init__(self, width: int, heads: int, head_dim: int, feed_forward: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = LayerNorm(width)
        self.query = Linear(width, heads * head_dim, bias=False)
        self.out = Linear(heads * head_dim, width, bias=False)
        self.attention_gate, self.feed_gate = (nn.Parameter(torch.empty(1)) for _ in range(2))
        self.feed_norm = LayerNorm(width)
        self.up = Linear(width, feed_forward * width, bias=False)
        self.down = Linear(feed_forward * width, width, bias=False)
        self.act = activation("gelu")

    def forward(self, x: Tensor, layer: int, media: Media) -> Tensor:
        read = self.out(media.read(layer, split_heads(self.query(self.norm(x)), self.heads))).float() * media.sees
        x = x + read * (self.attention_gate.float().tanh() * media.scale)
        fed = self.down(self.act(self.up(self.feed_norm(x)))).float()
        return x + fed * (self.feed_gate.float().tanh() * media.scale)


class IdeficsGated(nn.Module):
    """RMSNorm, norms of the query heads, SwiGLU; gates ("alphas") are scalars or vectors."""

    def __init__(self, width: int, heads: int, feed_forward: int, act: str, eps: float, norms: bool, gates: int):
        super().__init__()
        self.heads = heads
        self.norm, self.feed_norm = RMSNorm(width, eps), RMSNorm(width, eps)
        self.query, self.out = Linear(width, width, bias=False), Linear(width, width, bias=False)
        self.query_norm = RMSNorm(width // heads, eps) if norms else None
        self.attention_gate, self.feed_gate = (nn.Parameter(torch.empty(gates)) for _ in range(2))
        self.gate, self.up = (Linear(width, feed_forward, bias=False) for _ in range(2))
        self.down, self.act = Linear(feed_forward, width, bias=False), activation(act)

    def forward(self, x: Tensor, layer: int, media: Media) -> Tensor:
        query = split_heads(self.query(self.norm(x)), self.heads)
        if self.query_norm is not None:
            query = self.query_norm(query).to(self.query.weight.dtype)
        read = self.out(media.read(layer, query)).float() * media.sees
        x = x + read * (self.attention_gate.float().tanh() * media.scale)
        normed = self.feed_norm(x)
        fed = self.down(self.act(self.gate(normed)) * self.up(normed)).float()
        return x + fed * (self.feed_gate.float().tanh() * media.scale)
