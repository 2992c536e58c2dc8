"""The Perceiver Resampler and the keys and values of all gated cross-attention layers: ``resampler.onnx``.

Sources: `open_flamingo/src/helpers.py` (PerceiverResampler), `otter/modeling_otter.py` (the same blocks with trained
frame embeddings), `transformers/models/idefics/perceiver.py` (norms of queries and keys, ReLU).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import LayerNorm, Linear, RMSNorm, activation, attend, chosen, split_heads, merge_heads


@dataclass(frozen=True)
class PerceiverConfig:
    """Shapes of a resampler; the defaults are OpenFlamingo's, which its factory never overrides."""

    width: int
    layers: int = 6
    heads: int = 8
    head_dim: int = 64
    latents: int = 64
    feed_forward: int = 4  # times the width
    activation: str = "gelu"
    head_norms: bool = False  # LayerNorm of every head's queries and keys
    frame_embeddings: int = 0  # trained entries of the time embedding; 0: the model knows no time


@dataclass(frozen=True)
class CrossConfig:
    """What the media keys and values of the gated layers look like."""

    layers: int
    heads: int = 8
    head_dim: int = 64
    key_norm_eps: float | None = None  # RMSNorm of every key head (IDEFICS); constant for a medium, so done here


class PerceiverBlock(nn.Module):
    """Latents read features and themselves, then feed-forward."""

    def __init__(self, config: PerceiverConfig):
        super().__init__()
        width, inner = config.width, config.heads * config.head_dim
        self.heads, self.act = config.heads, activation(config.activation)
        self.norm_media, self.norm_latents = LayerNorm(width), LayerNorm(width)
        self.query, self.key, self.value = (Linear(width, inner, bias=False) for _ in range(3))
        self.out = Linear(inner, width, bias=False)
        norms = [LayerNorm(config.head_dim) for _ in range(2)] if config.head_norms else [None, None]
        self.query_norm, self.key_norm = norms
        self.norm = LayerNorm(width)
        self.up = Linear(width, config.feed_forward * width, bias=False)
        self.down = Linear(config.feed_forward * width, width, bias=False)

    def forward(self, latents: Tensor, features: Tensor, bias: Tensor) -> Tensor:
        asking = self.norm_latents(latents)
        source = torch.cat([self.norm_media(features), asking], 1)
        query, key, value = (
            split_heads(part(x), self.heads)
            for part, x in ((self.query, asking), (self.key, source), (self.value, source))
        )
        if self.query_norm is not None:
            query, key = self.query_norm(query).to(value.dtype), self.key_norm(key).to(value.dtype)
        latents = latents + self.out(merge_heads(attend(query, key, value, bias))).float()
        return latents + self.down(self.act(self.up(self.norm(latents)))).float()


class Resampler(nn.Module):
    """``frame_bank`` [bank,V,D], ``frame_index`` [media,frames], ``frame_pos`` [media,frames] -> ``media_kv``.

    An index of -1 is an absent frame: fully masked, so that it equals leaving it out.
    """

    def __init__(self, config: PerceiverConfig, cross: CrossConfig):
        super().__init__()
        self.config, self.cross = config, cross
        inner = cross.heads * cross.head_dim
        self.latents = nn.Parameter(torch.empty(config.latents, config.width))
        entries = config.frame_embeddings
        self.frame_embeddings = nn.Parameter(torch.empty(entries, config.width)) if entries else None
        self.blocks = nn.ModuleList([PerceiverBlock(config) for _ in range(config.layers)])
        self.norm = LayerNorm(config.width)
        self.media_keys = nn.ModuleList([Linear(config.width, inner, bias=False) for _ in range(cross.layers)])
        self.media_values = nn.ModuleList([Linear(config.width, inner, bias=False) for _ in range(cross.layers)])
        eps = cross.key_norm_eps
        norms = [RMSNorm(cross.head_dim, eps) for _ in range(cross.layers)] if eps is not None else []
        self.media_key_norms = nn.ModuleList(norms)

    def times(self, positions: Tensor) -> Tensor:
        """Time embeddings [media, frames, D], interpolated between the two nearest entries (Flamingo, App. B.1.2)."""
        table = self.frame_embeddings.float()
        at = positions.clamp(0, len(table) - 1)
        below = at.floor().clamp(max=max(len(table) - 2, 0))
        low, share = below.long(), (at - below)[..., None]
        high = (low + 1).clamp(max=len(table) - 1)
        return table[low] * (1 - share) + table[high] * share

    def forward(self, frame_bank: Tensor, frame_index: Tensor, frame_pos: Tensor) -> Tensor:
        present = frame_index >= 0
        features = frame_bank[frame_index.clamp(min=0)].float()
        if self.frame_embeddings is not None:
            seconds = torch.where(present, frame_pos, torch.zeros_like(frame_pos))
            features = features + self.times(seconds)[:, :, None]
        media, frames, tokens, width = features.shape
        seen = present[:, :, None].expand(media, frames, tokens).reshape(media, frames * tokens)
        bias = torch.cat([chosen(seen), seen[:, :1].float().expand(media, self.config.latents) * 0], 1)
        features = features.reshape(media, frames * tokens, width)
        latents = self.latents.float().expand(media, -1, -1)
        for block in self.blocks:
            latents = block(latents, features, bias[:, None, None])
        latents = self.norm(latents)
        return torch.stack([self.keys_values(j, latents) for j in range(self.cross.layers)], 1)

    def keys_values(self, layer: int, latents: Tensor) -> Tensor:
        """Keys and values [media, 2, Hx, N, dx] of one gated layer."""
        key = split_heads(self.media_keys[layer](latents), self.cross.heads)
        value = split_heads(self.media_values[layer](latents), self.cross.heads)
        if len(self.media_key_norms):
            key = self.media_key_norms[layer](key).to(value.dtype)
        return torch.stack([key, value], 1)
