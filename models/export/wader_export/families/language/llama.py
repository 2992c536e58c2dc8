"""LLaMA (under Otter): `transformers/models/llama/modeling_llama.py`, arXiv 2302.13971. Grouped queries included."""

from torch import Tensor, cat, nn

from ..nn.decoder import Context
from ..nn.layers import Linear, RMSNorm, activation, attend, merge_heads, rotate, split_heads
from .gpt_neox import RotaryDecoder
from .language import Language, refuse, rope_base


class Block(nn.Module):
    """RMSNorm, rotary attention without biases, SwiGLU."""

    def __init__(self, width: int, heads: int, kv_heads: int, head_dim: int, inner: int, act: str, eps: float):
        super().__init__()
        self.heads, self.kv_heads, self.act = heads, kv_heads, activation(act)
        self.norm_1, self.norm_2 = RMSNorm(width, eps), RMSNorm(width, eps)
        self.query = Linear(width, heads * head_dim, bias=False)
        self.key, self.value = (Linear(width, kv_heads * head_dim, bias=False) for _ in range(2))
        self.out = Linear(heads * head_dim, width, bias=False)
        self.gate, self.up = (Linear(width, inner, bias=False) for _ in range(2))
        self.down = Linear(inner, width, bias=False)

    def forward(self, x: Tensor, context: Context, past_key: Tensor, past_value: Tensor):
        normed = self.norm_1(x)
        query = rotate(split_heads(self.query(normed), self.heads), *context.rotation)
        key = rotate(split_heads(self.key(normed), self.kv_heads), *context.rotation)
        value = split_heads(self.value(normed), self.kv_heads)
        key, value = cat([past_key, key], 2), cat([past_value, value], 2)
        x = x + self.out(merge_heads(attend(query, key, value, context.bias))).float()
        normed = self.norm_2(x)
        return x + self.down(self.act(self.gate(normed)) * self.up(normed)).float(), key, value


LIMIT = (  # a later Llama's licence is another, and a model of the same form may be nobody's but its makers'
    "the language model is a LLaMA; the licence of the first LLaMA (Meta, 2023), which binds all that is made of its "
    "weights, is for non-commercial research only: read it, and that of the checkpoint, before this watches anything"
)

NAMES = {
    "norm": "model.norm",
    "blocks.{i}.norm_1": "model.layers.{i}.input_layernorm",
    "blocks.{i}.norm_2": "model.layers.{i}.post_attention_layernorm",
    "blocks.{i}.query": "model.layers.{i}.self_attn.q_proj",
    "blocks.{i}.key": "model.layers.{i}.self_attn.k_proj",
    "blocks.{i}.value": "model.layers.{i}.self_attn.v_proj",
    "blocks.{i}.out": "model.layers.{i}.self_attn.o_proj",
    "blocks.{i}.gate": "model.layers.{i}.mlp.gate_proj",
    "blocks.{i}.up": "model.layers.{i}.mlp.up_proj",
    "blocks.{i}.down": "model.layers.{i}.mlp.down_proj",
}


def read(config: dict) -> Language:
    """From a `config.json`."""
    refuse(config, {"attention_bias": (False,), "mlp_bias": (False,)})
    width, heads, eps = config["hidden_size"], config["num_attention_heads"], config.get("rms_norm_eps", 1e-6)
    kv_heads = config.get("num_key_value_heads") or heads
    head_dim = config.get("head_dim") or width // heads
    arguments = (width, heads, kv_heads, head_dim, config["intermediate_size"], config.get("hidden_act", "silu"), eps)
    return Language(
        arch="llama",
        width=width,
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        max_positions=config.get("max_position_embeddings", 2048),
        rows=config["vocab_size"],
        embedding="model.embed_tokens.weight",
        head=None if config.get("tie_word_embeddings", False) else "lm_head.weight",
        block=lambda: Block(*arguments),
        norm=lambda: RMSNorm(width, eps),
        names=NAMES,
        blocks="model.layers",
        ignored=[r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq"],
        decoder=RotaryDecoder,
        options={"rotary": head_dim, "base": rope_base(config)},
    )
