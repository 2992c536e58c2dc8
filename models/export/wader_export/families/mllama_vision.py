"""Vision encoder of Llama-3.2-Vision as one graph for one layout of tiles.

Source: transformers `models/mllama/modeling_mllama.py`, `MllamaVisionModel`; Llama 3, arXiv 2407.21783, section 7.1.
Three things that the function hangs on and that are easily lost:
- All tiles are run, the empty ones too, and every tile's padding rows: real tokens attend to them. Only padding that
  would attend to padding is masked. So the real tokens' attention needs no mask at all; they come first, padding last.
- Features are tapped *before* the layers of `intermediate_layers_indices`, as Meta's code and transformers up to 4.53
  do; transformers 4.57 and later take them one layer later, which is another function on the same weights.
- The taps are interleaved, not appended one after the other: width outside, tap inside.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mllama_config import MllamaShape, VisionShape
from .nn.layers import LayerNorm, Linear, attend


class VisionAttention(nn.Module):
    """Attention of real tokens to everything, of padding to real tokens."""

    def __init__(self, shape: VisionShape):
        super().__init__()
        self.heads = shape.heads
        self.q_proj = Linear(shape.width, shape.width, bias=False)
        self.k_proj = Linear(shape.width, shape.width, bias=False)
        self.v_proj = Linear(shape.width, shape.width, bias=False)
        self.o_proj = Linear(shape.width, shape.width, bias=False)

    def split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, tiles: int, tokens: int) -> Tensor:
        query, key, value = self.split(self.q_proj(x)), self.split(self.k_proj(x)), self.split(self.v_proj(x))
        real = tiles * tokens
        # A tile at a time: the scores of all tiles at once are 2.6 GB for one picture.
        parts = [attend(query[:, :, i * tokens : (i + 1) * tokens], key, value, None) for i in range(tiles)]
        if real < x.shape[1]:
            parts.append(attend(query[:, :, real:], key[:, :, :real], value[:, :, :real], None))
        read = torch.cat(parts, 2).transpose(1, 2)
        return self.o_proj(read.reshape(x.shape[0], x.shape[1], -1))


class VisionFeed(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, shape: VisionShape):
        super().__init__()
        self.fc1 = Linear(shape.width, shape.feed_width)
        self.fc2 = Linear(shape.feed_width, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class VisionLayer(nn.Module):
    """One layer; the layers of the global encoder have tanh gates."""

    def __init__(self, shape: VisionShape, gated: bool):
        super().__init__()
        self.self_attn = VisionAttention(shape)
        self.mlp = VisionFeed(shape)
        self.input_layernorm = LayerNorm(shape.width, eps=shape.norm_eps)
        self.post_attention_layernorm = LayerNorm(shape.width, eps=shape.norm_eps)
        self.gated = gated
        if gated:
            self.gate_attn = nn.Parameter(torch.zeros(1))
            self.gate_ffn = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, tiles: int, tokens: int) -> Tensor:
        read = self.self_attn(self.input_layernorm(x), tiles, tokens)
        x = x + (self.gate_attn.float().tanh() * read if self.gated else read)
        fed = self.mlp(self.post_attention_layernorm(x))
        return x + (self.gate_ffn.float().tanh() * fed if self.gated else fed)


class MllamaVisionEncoder(nn.Module):
    """`pixels` u8 [frames, down * tile, across * tile, 3] -> `frame_features` [frames, down * across * tokens, width].

    The picture lies in the upper left, as large as fits, the rest is black (0); tiles that the layout does not have are
    zero *after* normalisation. `tile_embedding` and its like hold the one row of the layout (`mllama_names`).
    """

    def __init__(self, shape: MllamaShape, tiles: tuple[int, int], mean: list[float], std: list[float]):
        super().__init__()
        vision = self.shape = shape.vision
        vision.aspect_id(tiles)
        self.tiles, self.mean, self.std = tiles, mean, std
        self.patch_embedding = nn.Conv2d(3, vision.width, vision.patch, vision.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(vision.width))
        self.position_gate = nn.Parameter(torch.zeros(1))
        self.position_embedding = nn.Parameter(torch.zeros(vision.tokens, vision.width))
        self.tile_embedding = nn.Parameter(torch.zeros(vision.max_tiles, vision.tokens, vision.width))
        self.pre_tile_embedding = nn.Parameter(torch.zeros(vision.max_tiles, 1, vision.width))
        self.pre_tile_gate = nn.Parameter(torch.zeros(1))
        self.post_tile_embedding = nn.Parameter(torch.zeros(vision.max_tiles, 1, vision.width))
        self.post_tile_gate = nn.Parameter(torch.zeros(1))
        self.layernorm_pre = LayerNorm(vision.width)
        self.layernorm_post = LayerNorm(vision.width)
        self.transformer = nn.ModuleList([VisionLayer(vision, False) for _ in range(vision.layers)])
        self.global_transformer = nn.ModuleList([VisionLayer(vision, True) for _ in range(vision.global_layers)])
        self.projector = Linear(vision.out_width, shape.decoder.width)

    def patches(self, pixels: Tensor) -> Tensor:
        """[frames, max_tiles, patches, width]; a tile that is zero has patches that are zero (no bias)."""
        down, across = self.tiles
        tile, frames, width = self.shape.tile, pixels.shape[0], self.shape.width
        channels = [(pixels[..., i].float() / 255 - self.mean[i]) / self.std[i] for i in range(3)]
        picture = torch.stack(channels, 1).reshape(frames, 3, down, tile, across, tile)
        picture = picture.permute(0, 2, 4, 1, 3, 5).reshape(frames * down * across, 3, tile, tile)
        seen = self.patch_embedding(picture.to(self.patch_embedding.weight.dtype)).flatten(2).transpose(1, 2)
        seen = seen.reshape(frames, down * across, self.shape.tokens - 1, width)
        return functional.pad(seen, (0, 0, 0, 0, 0, self.shape.max_tiles - down * across))

    def real_first(self, x: Tensor) -> Tensor:
        """[frames, max_tiles, tokens + padding, width] -> [frames, all, width]: real tokens, then padding."""
        count, tokens = self.tiles[0] * self.tiles[1], self.shape.tokens
        parts = (x[:, :count, :tokens], x[:, :count, tokens:], x[:, count:])
        return torch.cat([part.flatten(1, 2) for part in parts], 1)

    def by_tile(self, x: Tensor) -> Tensor:
        """The way back of `real_first`."""
        count, tokens, padding = self.tiles[0] * self.tiles[1], self.shape.tokens, self.shape.padding
        real, rest = x[:, : count * tokens], x[:, count * tokens : count * (tokens + padding)]
        empty = x[:, count * (tokens + padding) :].reshape(x.shape[0], -1, tokens + padding, self.shape.width)
        filled = [r.reshape(x.shape[0], count, -1, self.shape.width) for r in (real, rest)]
        return torch.cat([torch.cat(filled, 2), empty], 1)

    def forward(self, pixels: Tensor) -> Tensor:
        vision, frames = self.shape, pixels.shape[0]
        count, tokens = self.tiles[0] * self.tiles[1], vision.tokens
        x = self.patches(pixels).float() + self.pre_tile_gate.float().tanh() * self.pre_tile_embedding.float()
        first = self.class_embedding.float().expand(frames, vision.max_tiles, 1, vision.width)
        gate = self.position_gate.float().tanh()
        x = torch.cat([first, x], 2) + (1 - gate) * self.position_embedding.float() + gate * self.tile_embedding.float()
        x = self.real_first(functional.pad(self.layernorm_pre(x), (0, 0, 0, vision.padding)))
        taps = []
        for i, layer in enumerate(self.transformer):
            if i in vision.taps:
                taps.append(x[:, : count * tokens])
            x = layer(x, count, tokens)
        after = self.post_tile_gate.float().tanh() * self.post_tile_embedding.float()
        x = self.real_first(self.by_tile(self.layernorm_post(x)) + after)
        for layer in self.global_transformer:
            x = layer(x, count, tokens)
        features = torch.cat([x[:, : count * tokens], torch.stack(taps, -1).flatten(2)], -1)
        return self.projector(features)
