"""MPT: `transformers/models/mpt/modeling_mpt.py` (MPT-7B), and MPT-1B, whose own code is `mosaic_gpt`.

ALiBi (arXiv 2108.12409) instead of positions, no biases. MPT-1B normalises queries and keys over the whole width before
the heads are split (`Luodian/Otter:src/otter_ai/models/mpt_redpajama/attention.py`), which the class of `transformers`
reads from the configuration and then does not do.
"""

import math

import torch
from torch import Tensor, nn

from ..checkpoint import CheckpointError
from ..nn.decoder import Context, Decoder
from ..nn.layers import LayerNorm, Linear, activation, attend, merge_heads, parts, split_heads
from .language import Language, refuse


class Block(nn.Module):
    """Attention under linear biases, GELU."""

    def __init__(self, width: int, heads: int, inner: int, eps: float, norms: bool, clip: float | None, scale):
        super().__init__()
        self.heads, self.clip, self.scale = heads, clip, scale
        self.norm_1, self.norm_2 = (LayerNorm(width, eps, bias=False) for _ in range(2))
        self.query_key_value, self.out = Linear(width, 3 * width, bias=False), Linear(width, width, bias=False)
        self.query_norm, self.key_norm = ((LayerNorm(width, bias=False) if norms else None) for _ in range(2))
        self.up, self.down = Linear(width, inner, bias=False), Linear(inner, width, bias=False)
        self.act = activation("gelu")

    def forward(self, x: Tensor, context: Context, past_key: Tensor, past_value: Tensor):
        mixed = self.query_key_value(self.norm_1(x))
        if self.clip is not None:
            mixed = mixed.clamp(-self.clip, self.clip)
        query, key, value = parts(mixed, 3)
        if self.query_norm is not None:
            query, key = self.query_norm(query).to(value.dtype), self.key_norm(key).to(value.dtype)
        query, key, value = (split_heads(part, self.heads) for part in (query, key, value))
        key, value = torch.cat([past_key, key], 2), torch.cat([past_value, value], 2)
        x = x + self.out(merge_heads(attend(query, key, value, context.bias, self.scale))).float()
        return x + self.down(self.act(self.up(self.norm_2(x)))).float(), key, value


class AlibiDecoder(Decoder):
    """A decoder whose masks carry ALiBi."""

    def __init__(self, *modules, heads: int, largest: float):
        super().__init__(*modules)
        self.heads, self.largest = heads, largest

    def prepare(self, context: Context) -> Context:
        device = context.position_ids.device
        context.bias = context.linear_bias(torch.stack([torch.full((), s, device=device) for s in self.slopes()]))
        return context

    def slopes(self) -> list[float]:
        """One a head; where their number is no power of two, as `build_mpt_alibi_tensor` orders them."""
        whole = 2 ** math.ceil(math.log2(self.heads))
        slopes = [2.0 ** (-(i + 1) * self.largest / whole) for i in range(whole)]
        return slopes if whole == self.heads else (slopes[1::2] + slopes[::2])[: self.heads]


def names(norm: str, norm_1: str, norm_2: str, up: str, down: str) -> dict[str, str]:
    """The map, with the names that MPT-7B and MPT-1B do not share."""
    block = "transformer.blocks.{i}."
    return {
        "norm": f"transformer.{norm}",
        "blocks.{i}.norm_1": block + norm_1,
        "blocks.{i}.norm_2": block + norm_2,
        "blocks.{i}.query_key_value": block + "attn.Wqkv",
        "blocks.{i}.query_norm": block + "attn.q_ln",
        "blocks.{i}.key_norm": block + "attn.k_ln",
        "blocks.{i}.out": block + "attn.out_proj",
        "blocks.{i}.up": block + up,
        "blocks.{i}.down": block + down,
    }


def language(config: dict, attention: dict, norms: bool, ratio: int, table: dict[str, str]) -> Language:
    """Either of the two; `attention` holds what both call alike."""
    width, heads, eps = config["d_model"], config["n_heads"], config.get("layer_norm_epsilon", 1e-5)
    if not attention.get("alibi", False):
        raise CheckpointError("this MPT has `alibi` false, and only MPT with ALiBi can be converted")
    if math.log2(heads) % 1 and table["norm"].endswith("ln_f"):
        raise CheckpointError(f"MPT-1B's slopes are known for powers of two, not for `n_heads` {heads}")
    arguments = (
        width, heads, ratio * width, eps, norms, attention.get("clip_qkv"), attention.get("softmax_scale")
    )  # fmt: skip
    return Language(
        arch="mpt",
        width=width,
        layers=config["n_layers"],
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        max_positions=config.get("max_seq_len", 2048),
        rows=config["vocab_size"],
        embedding="transformer.wte.weight",
        head=None,
        block=lambda: Block(*arguments),
        norm=lambda: LayerNorm(width, eps, bias=False),
        names=table,
        blocks="transformer.blocks",
        ignored=[r"lm_head\.weight"],
        decoder=AlibiDecoder,
        options={"heads": heads, "largest": float(attention.get("alibi_bias_max", 8))},
    )


def read(config: dict) -> Language:
    """MPT-7B and its like, from a `config.json` of `transformers` or of MosaicML."""
    refuse(config, {"no_bias": (True,), "logit_scale": (None,), "tie_word_embeddings": (True,)})
    attention = config.get("attn_config") or {}
    refuse(attention, {"prefix_lm": (False,), "attn_type": ("multihead_attention",)})
    table = names("norm_f", "norm_1", "norm_2", "ffn.up_proj", "ffn.down_proj")
    ratio = config.get("expansion_ratio", 4)
    return language(config, attention, attention.get("qk_ln", False), ratio, table)


def read_mosaic_gpt(config: dict) -> Language:
    """MPT-1B, from its `config.json` (`model_type` mosaic_gpt)."""
    refuse(config, {"no_bias": (True,), "logit_scale": (None,), "prefix_lm": (False,)})
    attention = {**config, "clip_qkv": config.get("attn_clip_qkv")}
    table = names("ln_f", "ln_1", "ln_2", "mlp.mlp_up", "mlp.mlp_down")
    return language(config, attention, config.get("attn_qk_ln", False), config.get("mlp_ratio", 4), table)
