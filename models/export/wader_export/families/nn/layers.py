"""Layers that compute in the type of their weights, and everything delicate in float32.

The residual stream, LayerNorm and softmax are float32 whatever the weights are: float16 graphs then neither overflow in
deep layers nor lose small differences, and cost next to nothing more.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...nn.layers import MASKED

ACTIVATIONS = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_fast": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),  # CLIP by OpenAI, not GELU
    "relu": functional.relu,
    "silu": functional.silu,
}


def activation(name: str):
    """The function that a configuration names; an unknown one is an error and not GELU."""
    if name not in ACTIVATIONS:
        raise ValueError(f"the activation `{name}` is not known; known are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


class Linear(nn.Linear):
    """[..., inputs] of any type to [..., outputs] in the weights' type."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Embedding(nn.Embedding):
    """Rows of a table, in float32. Where it is the output, too, the first `vocab` of them are tokens."""

    def __init__(self, rows: int, width: int, vocab: int | None = None):
        super().__init__(rows, width)
        self.vocab = vocab or rows

    def forward(self, ids: Tensor) -> Tensor:
        return functional.embedding(ids, self.weight).float()

    def logits(self, x: Tensor) -> Tensor:
        """The table as the weights of the output, where the two are tied."""
        logits = functional.linear(x.to(self.weight.dtype), self.weight)
        return logits if self.vocab == self.num_embeddings else logits[..., : self.vocab]


class LayerNorm(nn.LayerNorm):
    """LayerNorm in float32."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.float()
        return functional.layer_norm(x.float(), self.normalized_shape, self.weight.float(), bias, self.eps)


class RMSNorm(nn.Module):
    """Root mean square norm in float32 (LLaMA, arXiv 1910.07467)."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.empty(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight.float()


def parts(x: Tensor, count: int) -> list[Tensor]:
    """Equal parts of the last axis; by slices, for a split becomes a sequence in ONNX, which no accelerator runs."""
    width = x.shape[-1] // count
    return [x[..., i * width : (i + 1) * width] for i in range(count)]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, length, heads * width] to [batch, heads, length, width]."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """[batch, heads, length, width] to [batch, length, heads * width]."""
    return x.transpose(1, 2).flatten(2)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None = None) -> Tensor:
    """Attention [..., length, width]. Queries are scaled before the product, so that it stays small in float16.

    Fewer key heads than query heads: each serves a run of them (grouped queries).
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = torch.matmul((query.float() * scale).to(key.dtype), key.transpose(-1, -2)).float()
    if bias is not None:
        scores = scores + bias
    return torch.matmul(scores.softmax(-1).to(value.dtype), value)


def chosen(condition: Tensor) -> Tensor:
    """Additive float32 mask: 0 where true, else a number that is finite in float16, too."""
    zero = torch.zeros((), device=condition.device)
    return torch.where(condition, zero, zero + MASKED)


def rotation(positions: Tensor, width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [batch, 1, length, width] of positions [batch, length], halves alike (arXiv 2104.09864)."""
    steps = torch.arange(0, width, 2, device=positions.device).float() / width
    angle = positions[:, None, :, None].float() * torch.exp(steps * -torch.log(torch.full_like(steps, base)))
    return torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns the first `width` numbers of each head [batch, heads, length, any]; the rest, if any, passes."""
    width, kind = cosine.shape[-1], x.dtype
    turned, rest = x[..., :width].float(), x[..., width:]
    first, second = parts(turned, 2)
    turned = turned * cosine + torch.cat([-second, first], -1) * sine
    return turned.to(kind) if width == x.shape[-1] else torch.cat([turned.to(kind), rest], -1)
