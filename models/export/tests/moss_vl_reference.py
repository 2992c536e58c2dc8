"""A small random MOSS-VL and a plain forward to compare with, written from the architecture's description.

Not the original class: that is remote code of a checkpoint. This forward keeps the original's *form*, which the graphs
do not have: packed patches, three-axis absolute positions, K turned absolutely, a frame mask spread over tokens, K and
V repeated, everything computed anew. Sources: OpenMOSS/MOSS-VL `modeling_moss_vl.py` (`compute_vision_position_ids`,
`apply_interleaved_mrope`, `convert_packed_to_batch`, `fast_pos_embed_interpolate`), `processing_moss_vl.py`
(`_create_cross_attention_mask`). A misreading of the source would be on both sides; `python -m wader_export parity`
repeats the comparison with the real files.
"""

import json
from pathlib import Path

import numpy as np
import torch
from ruled_bench import write_tokenizer
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from wader_export.families.sources import Place

IMAGE, VOCAB, HEIGHT, WIDTH = 150, 160, 24, 40
MEAN, STD = [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]
CONFIG = {
    "model_type": "moss_vl",
    "image_token_id": IMAGE,
    "tie_word_embeddings": False,
    "vision_config": {
        "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "depth": 2, "deepstack_visual_indexes": [0],
        "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 1, "num_position_embeddings": 36,
        "out_hidden_size": 32, "hidden_act": "gelu_pytorch_tanh", "in_channels": 3,
    },
    "text_config": {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "vocab_size": VOCAB,
        "rope_scaling": {"rope_type": "default", "mrope_section": [3, 3, 2]}, "cross_attention_layers": [1, 3],
        "max_position_embeddings": 4096,
    },
}  # fmt: skip

SPECIAL = ["endoftext", "im_start", "im_end", "vision_start", "vision_end", "time_start", "time_end", "image_pad",
           "silence", "response"]  # fmt: skip
TOKENS = IMAGE - SPECIAL.index("image_pad") + len(SPECIAL)  # the other rows of embedding and head are filling


def checkpoint(home: Path, weights: dict[str, Tensor], config: dict = CONFIG) -> Place:
    """A checkpoint's folder; its name says whether it is Instruct or Realtime."""
    home.mkdir(parents=True)
    save_file({name: weight.contiguous() for name, weight in weights.items()}, home / "model.safetensors")
    (home / "config.json").write_text(json.dumps(config))
    (home / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    write_tokenizer(home / "tokenizer.json", TOKENS - len(SPECIAL), [f"<|{name}|>" for name in SPECIAL])
    return Place(home, f"OpenMOSS-Team/{home.name}")


def build(seed: int = 0, std: float = 0.3, config: dict = CONFIG) -> dict[str, Tensor]:
    """A random checkpoint; gates, 0 at the start of training, are opened."""
    torch.manual_seed(seed)
    vision, text = config["vision_config"], config["text_config"]
    width, feed, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    weights = {"model.separator_token": torch.randn(text["hidden_size"])}
    weights["model.visual.pos_embed.weight"] = torch.randn(36, width)

    def linear(name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        weights[f"{name}.weight"] = torch.randn(outputs, inputs) * std
        if bias:
            weights[f"{name}.bias"] = torch.randn(outputs) * std

    def norm(name: str, size: int, bias: bool = False) -> None:
        weights[f"{name}.weight"] = 1 + 0.1 * torch.randn(size)
        if bias:
            weights[f"{name}.bias"] = 0.1 * torch.randn(size)

    weights["model.visual.patch_embed.proj.weight"] = torch.randn(width, 3, 1, patch, patch) * std
    weights["model.visual.patch_embed.proj.bias"] = torch.randn(width) * std
    for i in range(vision["depth"]):
        at = f"model.visual.blocks.{i}."
        norm(at + "norm1", width, True)
        norm(at + "norm2", width, True)
        linear(at + "attn.qkv", width, 3 * width)
        linear(at + "attn.proj", width, width)
        linear(at + "mlp.linear_fc1", width, feed)
        linear(at + "mlp.linear_fc2", feed, width)
    depths = 1 + len(vision["deepstack_visual_indexes"])
    joined = width * 4 * depths
    for i in range(depths):
        norm(f"model.visual.merger.norms.{i}", width, True)
    linear("model.visual.merger.linear_fc1", joined, joined)
    linear("model.visual.merger.linear_fc2", joined, text["hidden_size"])
    inner = text["intermediate_size"]
    size, dim = text["hidden_size"], text["head_dim"]
    heads, groups = text["num_attention_heads"], text["num_key_value_heads"]
    for i in range(text["num_hidden_layers"]):
        at, cross = f"model.language_model.layers.{i}.", i in text["cross_attention_layers"]
        kind = at + ("cross_attn." if cross else "self_attn.")
        linear(kind + "q_proj", size, heads * dim, False)
        linear(kind + "k_proj", size, groups * dim, False)
        linear(kind + "v_proj", size, groups * dim, False)
        linear(kind + "o_proj", heads * dim, size, False)
        norm(kind + "q_norm", dim)
        norm(kind + "k_norm", dim)
        norm(at + "input_layernorm", size)
        norm(at + "post_attention_layernorm", size)
        for part, ins, outs in (("gate", size, inner), ("up", size, inner), ("down", inner, size)):
            linear(f"{at}mlp.{part}_proj", ins, outs, False)
        if cross:
            weights[at + "cross_attn_attn_gate"] = 0.5 + 0.5 * torch.rand(1)
            weights[at + "cross_attn_mlp_gate"] = 0.5 + 0.5 * torch.rand(1)
    weights["model.language_model.embed_tokens.weight"] = torch.randn(VOCAB, size)
    norm("model.language_model.norm", size)
    linear("lm_head", size, VOCAB, False)
    weights["lm_head.weight"][TOKENS:] *= 8  # as nobody trained them, they may say anything
    return weights


def grid() -> tuple[int, int, int]:
    """Merged rows, merged columns, merge."""
    step = CONFIG["vision_config"]["patch_size"] * 2
    return HEIGHT // step, WIDTH // step, 2


def half(x: Tensor) -> Tensor:
    """The half turn of rotary positions."""
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)


def packed(frame: np.ndarray) -> Tensor:
    """One frame [h, w, 3] as the processor packs it: [patches, 3 * 1 * patch * patch], merged patches together."""
    patch, (rows, columns, merge) = CONFIG["vision_config"]["patch_size"], grid()
    x = (torch.from_numpy(frame).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    x = x.permute(2, 0, 1).reshape(3, rows, merge, patch, columns, merge, patch)
    return x.permute(1, 4, 2, 5, 0, 3, 6).reshape(-1, 3 * patch * patch)


def stretched(table: Tensor) -> Tensor:
    """The table of positions over the frame's patches [rows * merge, columns * merge, width], corners on corners."""
    rows, columns, merge = grid()
    square = table.reshape(1, 6, 6, -1).permute(0, 3, 1, 2)
    wide = F.interpolate(square, (rows * merge, columns * merge), mode="bilinear", align_corners=True)
    return wide[0].permute(1, 2, 0)


@torch.no_grad()
def features(weights: dict[str, Tensor], frame: np.ndarray, separator: bool = True) -> Tensor:
    """Merged tokens of one frame [N, width], its separator last."""
    v = {k.removeprefix("model.visual."): w for k, w in weights.items() if k.startswith("model.visual.")}
    rows, columns, merge = grid()
    line = lambda x, name: F.linear(x, v[f"{name}.weight"], v[f"{name}.bias"])  # noqa: E731
    norm = lambda x, name: F.layer_norm(x, x.shape[-1:], v[f"{name}.weight"], v[f"{name}.bias"], 1e-6)  # noqa: E731
    split = lambda t: t.reshape(rows, merge, columns, merge, -1)  # noqa: E731
    together = lambda t: split(t).transpose(1, 2).reshape(rows * columns * 4, -1)  # noqa: E731
    x = F.linear(packed(frame), v["patch_embed.proj.weight"].flatten(1), v["patch_embed.proj.bias"])
    x = x + together(stretched(v["pos_embed.weight"]))
    places = torch.stack(torch.meshgrid(torch.arange(rows * 2), torch.arange(columns * 2), indexing="ij"), -1)
    speed = 1.0 / (10000.0 ** (torch.arange(0, 4, 2).float() / 4))
    angle = (together(places).float()[..., None] * speed).flatten(1)
    cosine, sine = torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()
    taps = []
    for i in range(CONFIG["vision_config"]["depth"]):
        joined = line(norm(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn.qkv")
        query, key, value = joined.reshape(len(x), 3, 2, 8).unbind(1)
        query, key = (t * cosine[:, None] + half(t) * sine[:, None] for t in (query, key))
        weights_ = (torch.einsum("qhd,khd->hqk", query, key) / 8**0.5).softmax(-1)
        x = x + line(torch.einsum("hqk,khd->qhd", weights_, value).flatten(1), f"blocks.{i}.attn.proj")
        fed = F.gelu(line(norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.linear_fc1"), approximate="tanh")
        x = x + line(fed, f"blocks.{i}.mlp.linear_fc2")
        if i in CONFIG["vision_config"]["deepstack_visual_indexes"]:
            taps.append(x)
    joined = torch.cat([norm(t, f"merger.norms.{i}") for i, t in enumerate([x, *taps])], -1).reshape(rows * columns, -1)
    merged = line(F.gelu(line(joined, "merger.linear_fc1")), "merger.linear_fc2")
    return torch.cat([merged, weights["model.separator_token"][None]]) if separator else merged


def places(ids: list[int], tokens: bool = True, jump: bool = True) -> tuple[Tensor, Tensor]:
    """Positions of the text [seq] and of all frames' tokens [frames * N, 3]."""
    rows, columns, _ = grid()
    longer = max(rows, columns)
    text, frames, counter = [], [], 0
    for token in ids:
        if token != IMAGE:
            text.append(counter)
            counter += 1
            continue
        frames += [(counter, counter + y, counter + x) for y in range(rows) for x in range(columns)]
        frames += [(counter + longer,) * 3] * tokens
        text.append(counter + longer if jump else counter)
        counter += longer + 1 if jump else 1
    return torch.tensor(text), torch.tensor(frames).reshape(-1, 3)


def turned(positions: Tensor, blocks: bool = False) -> tuple[Tensor, Tensor]:
    """Cosines and sines [n, head_dim] of three-axis positions [n, 3], interleaved as t h w t h w ... t t.

    `blocks`: as t ... t h ... h w ... w instead, which is wrong.
    """
    speed = 1.0 / (5000000.0 ** (torch.arange(0, 16, 2).float() / 16))
    angle = positions.T[..., None].float() * speed
    mixed = angle[0].clone()
    for axis in (1, 2):
        count = CONFIG["text_config"]["rope_scaling"]["mrope_section"][axis]
        own = slice(3 * axis, 3 * axis + count) if blocks else slice(axis, 3 * count, 3)
        mixed[:, own] = angle[axis][:, own]
    mixed = torch.cat([mixed, mixed], -1)
    return mixed.cos(), mixed.sin()


@torch.no_grad()
def logits(
    weights: dict[str, Tensor], ids: list[int], frames: list[np.ndarray], *, start: int = 0, rule: str = "all",
    separator: bool = True, jump: bool = True, image_place: bool = False, zeroed: bool = True,
    blocks: bool = False,
) -> np.ndarray:  # fmt: skip
    """Logits [seq, vocab] of one text and its frames.

    The switches spring a trap each: `rule` "latest" shows the latest frame only, `image_place` puts frames where their
    image token stands, `zeroed` False lets tokens before the first frame read, `blocks` gives each axis a run of pairs;
    `start` moves everything, which is harmless.
    """
    w = {k.removeprefix("model.language_model."): t for k, t in weights.items()}
    norm = lambda x, name: F.rms_norm(x, x.shape[-1:], w[f"{name}.weight"], 1e-6)  # noqa: E731
    line = lambda x, name: F.linear(x, w[f"{name}.weight"])  # noqa: E731
    text, spots = places(ids, separator, jump)
    if image_place and frames:
        spots = spots + (max(grid()[:2]))
    cosine, sine = turned((text + start)[:, None].expand(-1, 3))
    turn = lambda x, c, s: x * c[:, None] + half(x) * s[:, None]  # noqa: E731
    states = torch.cat([features(weights, f, separator) for f in frames]) if frames else None
    shown = torch.tensor(ids).eq(IMAGE).cumsum(0)
    number = torch.arange(len(frames))
    sees = number < shown[:, None] if rule == "all" else number == shown[:, None] - 1
    if frames:
        sees_tokens = sees.repeat_interleave(len(states) // len(frames), 1)
        any_ = sees.any(1, keepdim=True).float() if zeroed else torch.ones(len(ids), 1)
        blocked = torch.where(sees_tokens | ~sees.any(1, keepdim=True), 0.0, -torch.inf)
        frame_turn = turned(spots + start, blocks)
    causal = torch.where(torch.ones(len(ids), len(ids)).tril().bool(), 0.0, -torch.inf)
    x = w["embed_tokens.weight"][torch.tensor(ids)]
    for i in range(CONFIG["text_config"]["num_hidden_layers"]):
        at, cross = f"layers.{i}.", i in CONFIG["text_config"]["cross_attention_layers"]
        if cross and not frames:
            continue
        kind = at + ("cross_attn" if cross else "self_attn")
        y = norm(x, at + "input_layernorm")
        source = states if cross else y
        query = norm(line(y, f"{kind}.q_proj").reshape(len(y), 4, 16), f"{kind}.q_norm")
        key = norm(line(source, f"{kind}.k_proj").reshape(len(source), 2, 16), f"{kind}.k_norm")
        value = line(source, f"{kind}.v_proj").reshape(len(source), 2, 16).repeat_interleave(2, 1)
        query = turn(query, cosine, sine)
        key = turn(key, *(frame_turn if cross else (cosine, sine))).repeat_interleave(2, 1)
        scores = torch.einsum("qhd,khd->hqk", query, key) / 16**0.5 + (blocked if cross else causal)
        read = line(torch.einsum("hqk,khd->qhd", scores.softmax(-1), value).flatten(1), f"{kind}.o_proj")
        gate = w[at + "cross_attn_attn_gate"].tanh() * any_ if cross else 1.0
        x = x + gate * read
        y = norm(x, at + "post_attention_layernorm")
        fed = line(F.silu(line(y, at + "mlp.gate_proj")) * line(y, at + "mlp.up_proj"), at + "mlp.down_proj")
        x = x + (w[at + "cross_attn_mlp_gate"].tanh() * any_ if cross else 1.0) * fed
    return F.linear(norm(x, "norm"), weights["lm_head.weight"]).numpy()
