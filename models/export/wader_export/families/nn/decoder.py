"""``decoder.onnx``: a language model's blocks, with gated cross-attention before some of them."""

import torch
from torch import Tensor, nn

from .gated import Media
from .layers import Embedding, Linear, chosen


class Context:
    """What every self-attention block of one call needs."""

    def __init__(self, attention_mask: Tensor, position_ids: Tensor, length: int):
        whole = attention_mask.shape[1]
        order = torch.arange(whole, device=attention_mask.device)
        asking = torch.arange(length, device=attention_mask.device) + (whole - length)
        allowed = (order[None, :] <= asking[:, None])[None] & (attention_mask[:, None, :] > 0)
        self.position_ids = position_ids
        self.bias = chosen(allowed)[:, None]  # [batch, 1, seq, total]
        # Keys count real tokens only: a hole between a padded prompt and what was generated is no distance.
        self.key_positions = attention_mask.cumsum(1) - 1

    def linear_bias(self, slopes: Tensor) -> Tensor:
        """ALiBi [batch, heads, seq, total], relative to the last key, so that large numbers never meet (float16)."""
        away = (self.key_positions - self.key_positions[:, -1:]).float()
        return self.bias + away[:, None, None, :] * slopes[None, :, None, None]


class Decoder(nn.Module):
    """One step or prefill; see the contract for every input.

    `blocks[i](x, context, past)` is a block of the language model, `gated[j]` stands before block `cross_layers[j]`.
    """

    def __init__(self, embedding, blocks, gated, cross_layers: list[int], norm: nn.Module, head: Linear | None):
        super().__init__()
        self.embedding: Embedding = embedding
        self.blocks, self.gated = nn.ModuleList(blocks), nn.ModuleList(gated)
        self.before = {block: j for j, block in enumerate(cross_layers)}
        self.norm, self.head = norm, head

    def embed(self, input_ids: Tensor, position_ids: Tensor) -> Tensor:
        """Token embeddings, float32."""
        return self.embedding(input_ids)

    def prepare(self, context: Context) -> Context:
        """Adds what the blocks of this language model share (rotations, slopes)."""
        return context

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        media_index: Tensor,
        logits_index: Tensor,
        gate_scale: Tensor,
        media_kv: Tensor,
        past: list[Tensor],
    ):
        context = self.prepare(Context(attention_mask, position_ids, input_ids.shape[1]))
        rows = torch.arange(media_kv.shape[0], device=media_kv.device)
        owner = rows[:, None].expand(media_kv.shape[0], media_kv.shape[4]).flatten()
        sees = (media_index >= 0).float()[..., None]
        media = Media(media_kv, chosen(media_index[:, None, :, None] == owner), sees, gate_scale)
        x, present = self.embed(input_ids, position_ids), []
        for i, block in enumerate(self.blocks):
            if i in self.before:
                x = self.gated[self.before[i]](x, self.before[i], media)
            x, key, value = block(x, context, past[2 * i], past[2 * i + 1])
            present += [key, value]
        picked = x.gather(1, logits_index[..., None].expand(-1, -1, x.shape[-1]))
        normed = self.norm(picked)
        logits = self.embedding.logits(normed) if self.head is None else self.head(normed)
        return (logits.float(), *present)


def every(layers: int, interval: int) -> list[int]:
    """The blocks that OpenFlamingo and Otter put a gated layer before: `(i + 1) % interval == 0`."""
    return [i for i in range(layers) if (i + 1) % interval == 0]
