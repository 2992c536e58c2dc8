"""OPT (arXiv 2205.01068): `transformers/models/opt/modeling_opt.py`. Learned positions, of which two are reserved."""

from torch import Tensor, cat, nn

from ..nn.decoder import Context, Decoder
from ..nn.layers import Embedding, LayerNorm, Linear, activation, attend, merge_heads, split_heads
from .language import Language, refuse

RESERVED = 2  # rows of the position table before position 0


class Block(nn.Module):
    """Norms before attention and feed-forward, biases everywhere."""

    def __init__(self, width: int, heads: int, inner: int, act: str, bias: bool):
        super().__init__()
        self.heads, self.act = heads, activation(act)
        self.norm_1, self.norm_2 = LayerNorm(width), LayerNorm(width)
        self.query, self.key, self.value, self.out = (Linear(width, width, bias) for _ in range(4))
        self.up, self.down = Linear(width, inner, bias), Linear(inner, width, bias)

    def forward(self, x: Tensor, context: Context, past_key: Tensor, past_value: Tensor):
        normed = self.norm_1(x)
        query, key, value = (split_heads(part(normed), self.heads) for part in (self.query, self.key, self.value))
        key, value = cat([past_key, key], 2), cat([past_value, value], 2)
        x = x + self.out(merge_heads(attend(query, key, value, context.bias))).float()
        return x + self.down(self.act(self.up(self.norm_2(x)))).float(), key, value


class LearnedPositions(Decoder):
    """A decoder that adds a learned vector of each token's position."""

    def __init__(self, *modules, positions: int):
        super().__init__(*modules)
        self.positions = Embedding(positions + RESERVED, modules[0].embedding_dim)

    def embed(self, input_ids: Tensor, position_ids: Tensor) -> Tensor:
        return self.embedding(input_ids) + self.positions(position_ids + RESERVED)


NAMES = {
    "positions": "model.decoder.embed_positions",
    "norm": "model.decoder.final_layer_norm",
    "blocks.{i}.norm_1": "model.decoder.layers.{i}.self_attn_layer_norm",
    "blocks.{i}.norm_2": "model.decoder.layers.{i}.final_layer_norm",
    "blocks.{i}.query": "model.decoder.layers.{i}.self_attn.q_proj",
    "blocks.{i}.key": "model.decoder.layers.{i}.self_attn.k_proj",
    "blocks.{i}.value": "model.decoder.layers.{i}.self_attn.v_proj",
    "blocks.{i}.out": "model.decoder.layers.{i}.self_attn.out_proj",
    "blocks.{i}.up": "model.decoder.layers.{i}.fc1",
    "blocks.{i}.down": "model.decoder.layers.{i}.fc2",
}


def read(config: dict) -> Language:
    """From a `config.json`. OPT-350m (norms after, projected embeddings) is refused."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    refuse(
        config,
        {
            "do_layer_norm_before": (True,),
            "word_embed_proj_dim": (width, None),
            "layer_norm_elementwise_affine": (True,),
            "_remove_final_layer_norm": (False,),
            "tie_word_embeddings": (True,),
        },
    )
    positions = config.get("max_position_embeddings", 2048)
    arguments = (
        width, heads, config["ffn_dim"], config.get("activation_function", "relu"), config.get("enable_bias", True)
    )  # fmt: skip
    return Language(
        arch="opt",
        width=width,
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        max_positions=positions,
        rows=config["vocab_size"],
        embedding="model.decoder.embed_tokens.weight",
        head=None,
        block=lambda: Block(*arguments),
        norm=lambda: LayerNorm(width),
        names=NAMES,
        blocks="model.decoder.layers",
        ignored=[r"lm_head\.weight"],
        decoder=LearnedPositions,
        options={"positions": positions},
    )
