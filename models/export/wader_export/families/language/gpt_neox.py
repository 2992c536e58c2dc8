"""GPT-NeoX (RedPajama-INCITE-3B under OpenFlamingo-4B): `transformers/models/gpt_neox/modeling_gpt_neox.py`."""

from torch import Tensor, cat, nn

from ..nn.decoder import Context, Decoder
from ..nn.layers import LayerNorm, Linear, activation, attend, merge_heads, parts, rotate, rotation
from .language import Language, refuse, rope_base


class Block(nn.Module):
    """Sequential or parallel residuals; queries, keys and values of a head lie side by side in one projection."""

    def __init__(self, width: int, heads: int, inner: int, act: str, eps: float, parallel: bool, bias: bool):
        super().__init__()
        self.heads, self.parallel, self.act = heads, parallel, activation(act)
        self.norm_1, self.norm_2 = LayerNorm(width, eps), LayerNorm(width, eps)
        self.query_key_value, self.out = Linear(width, 3 * width, bias), Linear(width, width, bias)
        self.up, self.down = Linear(width, inner), Linear(inner, width)

    def forward(self, x: Tensor, context: Context, past_key: Tensor, past_value: Tensor):
        mixed = self.query_key_value(self.norm_1(x))
        mixed = mixed.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
        query, key, value = parts(mixed, 3)
        query, key = rotate(query, *context.rotation), rotate(key, *context.rotation)
        key, value = cat([past_key, key], 2), cat([past_value, value], 2)
        read = self.out(merge_heads(attend(query, key, value, context.bias))).float()
        if self.parallel:
            return x + read + self.feed(x), key, value
        x = x + read
        return x + self.feed(x), key, value

    def feed(self, x: Tensor) -> Tensor:
        """The feed-forward."""
        return self.down(self.act(self.up(self.norm_2(x)))).float()


class RotaryDecoder(Decoder):
    """A decoder whose blocks share one rotation of `rotary` numbers a head."""

    def __init__(self, *modules, rotary: int, base: float):
        super().__init__(*modules)
        self.rotary, self.base = rotary, base

    def prepare(self, context: Context) -> Context:
        context.rotation = rotation(context.position_ids, self.rotary, self.base)
        return context


NAMES = {
    "norm": "gpt_neox.final_layer_norm",
    "blocks.{i}.norm_1": "gpt_neox.layers.{i}.input_layernorm",
    "blocks.{i}.norm_2": "gpt_neox.layers.{i}.post_attention_layernorm",
    "blocks.{i}.query_key_value": "gpt_neox.layers.{i}.attention.query_key_value",
    "blocks.{i}.out": "gpt_neox.layers.{i}.attention.dense",
    "blocks.{i}.up": "gpt_neox.layers.{i}.mlp.dense_h_to_4h",
    "blocks.{i}.down": "gpt_neox.layers.{i}.mlp.dense_4h_to_h",
}


def read(config: dict) -> Language:
    """From a `config.json`."""
    refuse(config, {"attention_bias": (True, False), "tie_word_embeddings": (False, True)})
    width, heads, eps = config["hidden_size"], config["num_attention_heads"], config.get("layer_norm_eps", 1e-5)
    share = (config.get("rope_parameters") or {}).get("partial_rotary_factor", config.get("rotary_pct", 0.25))
    arguments = (
        width, heads, config["intermediate_size"], config.get("hidden_act", "gelu"), eps,
        config.get("use_parallel_residual", True), config.get("attention_bias", True),
    )  # fmt: skip
    return Language(
        arch="gpt_neox",
        width=width,
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        max_positions=config.get("max_position_embeddings", 2048),
        rows=config["vocab_size"],
        embedding="gpt_neox.embed_in.weight",
        head=None if config.get("tie_word_embeddings", False) else "embed_out.weight",
        block=lambda: Block(*arguments),
        norm=lambda: LayerNorm(width, eps),
        names=NAMES,
        blocks="gpt_neox.layers",
        ignored=[r"gpt_neox\.layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)"],
        decoder=RotaryDecoder,
        options={"rotary": int(width // heads * share), "base": rope_base(config)},
    )
