"""The language model with gated cross-attention (Flamingo, arXiv 2204.14198, section 2.2).

One code path serves training and the exported graph. Before every block of the language model stands a gated
cross-attention block whose tanh gates start at 0. Masks are finite; what a token without a picture reads is
multiplied by 0, because a fully masked softmax is uniform and not zero.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import resampler
from .layers import MASKED, Heads, attend, feed_forward, rotate, rotation

WIDTH, HEADS, LAYERS = 160, 5, 4
HEAD_WIDTH = WIDTH // HEADS


class Block(nn.Module):
    """Self-attention and feed-forward of the language model."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.heads = Heads(WIDTH, HEADS)
        self.feed = feed_forward(WIDTH, 4)


class Gated(nn.Module):
    """Gated cross-attention to the media."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.heads = Heads(WIDTH, HEADS, resampler.WIDTH)
        self.attention_gate = nn.Parameter(torch.zeros(1))
        self.feed = feed_forward(WIDTH, 2)
        self.feed_gate = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, key: Tensor, value: Tensor, bias: Tensor, open_: Tensor) -> Tensor:
        """`open_` [B, S, 1]: 0 where a token has no medium or the gates are shut."""
        read = self.heads.merge(attend(self.heads.split(self.heads.query(self.norm(x))), key, value, bias))
        x = x + self.attention_gate.tanh() * read * open_
        return x + self.feed_gate.tanh() * self.feed(x) * open_


class Decoder(nn.Module):
    """Word embeddings (tied with the output), gated blocks, language blocks."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.gated = nn.ModuleList([Gated() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)

    def media(self, latents: Tensor) -> Tensor:
        """Latents [M, N, 128] -> media_kv [M, layers, 2, heads, N, head width]."""
        return torch.stack([torch.stack(g.heads.keys_values(latents), 1) for g in self.gated], 1)

    def run(
        self,
        input_ids: Tensor,
        causal: Tensor,
        positions: Tensor,
        media_kv: Tensor | None,
        media_bias: Tensor | None,
        open_: Tensor | None,
        past: list[tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Hidden states. `media_kv` [rows or 1, layers, 2, heads, keys, width] is laid out as keys of each row."""
        x = self.embedding(input_ids)
        cosine, sine = rotation(positions, HEAD_WIDTH)
        present = []
        for i, (block, gated) in enumerate(zip(self.blocks, self.gated)):
            if media_kv is not None:
                x = gated(x, media_kv[:, i, 0], media_kv[:, i, 1], media_bias, open_)
            heads, normed = block.heads, block.norm(x)
            query = rotate(heads.split(heads.query(normed)), cosine, sine)
            key, value = heads.keys_values(normed)
            key = rotate(key, cosine, sine)
            if past is not None:
                key, value = torch.cat([past[i][0], key], 2), torch.cat([past[i][1], value], 2)
            present.append((key, value))
            x = x + heads.merge(attend(query, key, value, causal))
            x = x + block.feed(x)
        return self.norm(x), present

    def forward(
        self, input_ids: Tensor, media_kv: Tensor | None = None, media_index: Tensor | None = None, gate: float = 1.0
    ) -> Tensor:
        """Training: rows with their own media. `media_kv` [rows, media, layers, 2, heads, N, w], `media_index` [rows, S]
        counts within the row (-1: none). Returns logits at every position."""
        rows, length = input_ids.shape
        order = torch.arange(length)
        causal = (order[None, :] > order[:, None]).float() * MASKED
        positions = order.expand(rows, length)
        bias = open_ = None
        if media_kv is not None:
            media, latents = media_kv.shape[1], media_kv.shape[5]
            owner = torch.arange(media).repeat_interleave(latents)
            bias = (media_index[:, None, :, None] != owner).float() * MASKED if media > 1 else None
            open_ = (media_index >= 0).float()[..., None] * gate
            media_kv = media_kv.permute(0, 2, 3, 4, 1, 5, 6).flatten(4, 5)
        hidden, _ = self.run(input_ids, causal, positions, media_kv, bias, open_)
        return functional.linear(hidden, self.embedding.weight)
