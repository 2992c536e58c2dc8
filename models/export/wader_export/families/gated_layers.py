"""Layers that Llama-3.2-Vision and MOSS-VL share: a Llama-like decoder with gated cross-attention layers between.

Stateless and written out, so that they export to standard operators: K and V of the past come in and go out, what the
pictures say comes in as finished K and V (`media_rules`). Matrices multiply in their own type; the residual stream,
norms, rotations and softmax are float32. Attribute names are those of the checkpoints.
Sources: Llama 3 (arXiv 2407.21783, section 7.4: cross-attention layers with tanh gates), transformers
`models/mllama/modeling_mllama.py`, MOSS-VL `modeling_moss_vl.py`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .nn.layers import Embedding, Linear, RMSNorm, chosen, parts


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a decoder; layers are counted as in the checkpoint, self-attention and cross-attention together."""

    width: int
    feed_width: int
    layers: int
    cross_layers: tuple[int, ...]
    heads: int
    kv_heads: int
    head_dim: int
    norm_eps: float
    vocab: int  # logits: rows of the head that are tokens
    head_rows: int  # of the checkpoint
    embed_rows: int
    qk_norm: bool  # RMSNorm on q and k of the self-attention layers (Qwen3); cross layers always have it

    @property
    def self_layers(self) -> int:
        """How many layers have a past."""
        return self.layers - len(self.cross_layers)


class GatedFeed(nn.Module):
    """SwiGLU feed-forward (arXiv 2002.05202)."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.gate_proj = Linear(shape.width, shape.feed_width, bias=False)
        self.up_proj = Linear(shape.width, shape.feed_width, bias=False)
        self.down_proj = Linear(shape.feed_width, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


def split_heads(x: Tensor, head_dim: int) -> Tensor:
    """[batch, seq, heads * head_dim] -> [batch, seq, heads, head_dim]."""
    return x.reshape(x.shape[0], x.shape[1], -1, head_dim)


def speeds(width: int, base: float, device: torch.device) -> Tensor:
    """Speeds of rotary positions [width / 2], from 1 down to almost 1 / base."""
    steps = torch.arange(0, width, 2, device=device).float() / width
    return torch.exp(steps * -torch.log(torch.full_like(steps, base)))


def rotation(positions: Tensor, inverse_frequency: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [..., head_dim / 2] of positions [...], in float32 (rotary positions, arXiv 2104.09864)."""
    angle = positions[..., None].float() * inverse_frequency
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns the halves of x [..., head_dim] against each other, in float32."""
    first, second = parts(x.float(), 2)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


def causal_bias(attention_mask: Tensor, length: int) -> Tensor:
    """Additive float32 mask [batch, 1, 1, seq, past + seq]; `attention_mask` [batch, past + seq] may have holes."""
    whole = attention_mask.shape[1]
    order = torch.arange(whole, device=attention_mask.device)
    asking = torch.arange(length, device=attention_mask.device) + (whole - length)
    allowed = (order[None, :] <= asking[:, None])[None] & (attention_mask[:, None, :] > 0)
    return chosen(allowed)[:, None, None]


def grouped_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Grouped-query attention (arXiv 2305.13245), query heads folded into rows: K and V are not repeated.

    `query` [batch, seq, heads, d], `key` and `value` [batch, kv_heads, keys, d], `bias` [batch, 1, 1, seq, keys]
    -> [batch, seq, heads * d]. Softmax in float32.
    """
    batch, length, heads, width = query.shape
    groups = key.shape[1]
    repeat = heads // groups
    rows = (query.float() * width**-0.5).to(key.dtype).transpose(1, 2)
    scores = torch.matmul(rows.reshape(batch, groups, repeat * length, width), key.transpose(2, 3)).float()
    scores = scores.reshape(batch, groups, repeat, length, -1) + bias
    weights = scores.softmax(-1).to(value.dtype).reshape(batch, groups, repeat * length, -1)
    read = torch.matmul(weights, value).reshape(batch, heads, length, width)
    return read.transpose(1, 2).reshape(batch, length, heads * width)


class SelfAttention(nn.Module):
    """Causal self-attention with rotary positions and a past."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.head_dim = shape.head_dim
        self.q_proj = Linear(shape.width, shape.heads * shape.head_dim, bias=False)
        self.k_proj = Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)
        self.v_proj = Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)
        self.o_proj = Linear(shape.heads * shape.head_dim, shape.width, bias=False)
        if shape.qk_norm:
            self.q_norm = RMSNorm(shape.head_dim, shape.norm_eps)
            self.k_norm = RMSNorm(shape.head_dim, shape.norm_eps)
        self.qk_norm = shape.qk_norm

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], bias: Tensor, past: tuple[Tensor, Tensor]):
        """`past` and what comes back with the output: K and V [batch, kv_heads, past (+ seq), head_dim]."""
        query, key = (split_heads(p(x), self.head_dim) for p in (self.q_proj, self.k_proj))
        if self.qk_norm:
            query, key = self.q_norm(query), self.k_norm(key)
        value = split_heads(self.v_proj(x), self.head_dim).transpose(1, 2)
        query, key = rotate(query, *turn), rotate(key, *turn).to(value.dtype).transpose(1, 2)
        key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        return self.o_proj(grouped_attention(query, key, value, bias)), key, value


class SelfLayer(nn.Module):
    """A block of the language model."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape.width, shape.norm_eps)
        self.self_attn = SelfAttention(shape)
        self.post_attention_layernorm = RMSNorm(shape.width, shape.norm_eps)
        self.mlp = GatedFeed(shape)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], bias: Tensor, past: tuple[Tensor, Tensor]):
        read, key, value = self.self_attn(self.input_layernorm(x), turn, bias, past)
        x = x + read
        return x + self.mlp(self.post_attention_layernorm(x)), key, value


class CrossQuery(nn.Module):
    """The half of cross-attention that the text has; K and V are the resampler's."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.head_dim = shape.head_dim
        self.q_proj = Linear(shape.width, shape.heads * shape.head_dim, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, shape.norm_eps)
        self.o_proj = Linear(shape.heads * shape.head_dim, shape.width, bias=False)

    def forward(self, x: Tensor, media, layer: int) -> Tensor:
        return self.o_proj(media.read(self.q_norm(split_heads(self.q_proj(x), self.head_dim)), layer))


class CrossLayer(nn.Module):
    """Gated cross-attention and feed-forward. `gate` [batch, seq, 1] shuts both where a token sees no picture.

    transformers (as of 5.23) shuts only the feed-forward for Llama-3.2-Vision, so that its tokens before a picture
    read it all the same (huggingface/transformers issue 39379); Meta's own code, vLLM and MOSS-VL shut both.
    """

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape.width, shape.norm_eps)
        self.cross_attn = CrossQuery(shape)
        self.cross_attn_attn_gate = nn.Parameter(torch.zeros(1))
        self.post_attention_layernorm = RMSNorm(shape.width, shape.norm_eps)
        self.mlp = GatedFeed(shape)
        self.cross_attn_mlp_gate = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, media, layer: int, gate: Tensor) -> Tensor:
        read = self.cross_attn(self.input_layernorm(x), media, layer)
        x = x + self.cross_attn_attn_gate.float().tanh() * gate * read
        return x + self.cross_attn_mlp_gate.float().tanh() * gate * self.mlp(self.post_attention_layernorm(x))


class MediaProjection(nn.Module):
    """The half of a cross layer's attention that the pictures have: features to K and V."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.head_dim = shape.head_dim
        self.k_proj = Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)
        self.k_norm = RMSNorm(shape.head_dim, shape.norm_eps)
        self.v_proj = Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """[media, N, width] -> K (float32, for it may be turned yet) and V [media, kv_heads, N, head_dim]."""
        key = self.k_norm(split_heads(self.k_proj(frames), self.head_dim))
        return key.transpose(1, 2), split_heads(self.v_proj(frames), self.head_dim).transpose(1, 2)


class FrameProjection(nn.Module):
    """In a resampler's place: K and V of every cross layer, projected from a frame's features (`projection`, `frame`)."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.layers = nn.ModuleList([MediaProjection(shape) for _ in shape.cross_layers])

    def rotation(self, device: torch.device) -> tuple[Tensor, Tensor] | None:
        """Cosine and sine by which K is turned before it is stored, if it is."""
        return None

    def forward(self, frame_bank: Tensor, frame_index: Tensor, frame_pos: Tensor) -> Tensor:
        """`frame_bank` [bank, N, width], `frame_index` [media, 1] -> `media_kv` [media, cross, 2, kv_heads, N, d].

        Of several frames the last counts; an absent one (-1) gives zeros, and no token may name its row. `frame_pos` is
        not looked at: what is known of a frame's time stands in the text.
        """
        newest = frame_index[:, -1]
        frames = frame_bank[newest.clamp(min=0)]
        turn = self.rotation(frame_index.device)
        rows = []
        for layer in self.layers:
            key, value = layer(frames)
            key = key if turn is None else rotate(key, *turn)
            rows.append(torch.stack([key.to(value.dtype), value], 1))
        media_kv = torch.stack(rows, 1)
        return media_kv * (newest >= 0).to(media_kv.dtype)[:, None, None, None, None, None]


class GatedDecoder(nn.Module):
    """The language model with its gated cross-attention layers."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = Embedding(shape.embed_rows, shape.width)
        cross = set(shape.cross_layers)
        self.layers = nn.ModuleList(
            [CrossLayer(shape) if i in cross else SelfLayer(shape) for i in range(shape.layers)]
        )
        self.norm = RMSNorm(shape.width, shape.norm_eps)
        self.lm_head = Linear(shape.width, shape.vocab, bias=False)

    def run(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        logits_index: Tensor,
        gate_scale: Tensor,
        media,
        past: list[Tensor],
        inverse_frequency: Tensor,
    ) -> tuple[Tensor, ...]:
        """`logits` [batch, nlogits, vocab] in float32, then K and V of each self-attention layer."""
        x = self.embed_tokens(input_ids)
        bias = causal_bias(attention_mask, input_ids.shape[1])
        cosine, sine = rotation(position_ids, inverse_frequency)
        turn = (cosine[:, :, None], sine[:, :, None])
        gate = media.sees_any.float()[..., None] * gate_scale
        present: list[Tensor] = []
        crossed = 0
        for layer in self.layers:
            if isinstance(layer, CrossLayer):
                x = layer(x, media, crossed, gate)
                crossed += 1
            else:
                i = len(present)
                x, key, value = layer(x, turn, bias, (past[i], past[i + 1]))
                present += [key, value]
        picked = x.gather(1, logits_index[..., None].expand(-1, -1, x.shape[-1]))
        return (self.lm_head(self.norm(picked)).float(), *present)
