"""IDEFICS (`HuggingFaceM4/idefics-9b`, `-instruct`): `transformers/models/idefics/modeling_idefics.py`.

A Flamingo on LLaMA: gated layers before block i where `i % cross_layer_interval == 0`, with the language model's own
number of heads and norms of every head; ViT-H/14 with its class token kept. Trained on single pictures: no time.
"""

import torch

from . import facts, flamingo
from . import tokenizer as tokens
from .checkpoint import weight_files
from .family import Conversion, Options
from .language import llama
from .language.language import refuse
from .nn.gated import IdeficsGated
from .nn.layers import Embedding, Linear
from .nn.perceiver import CrossConfig, PerceiverConfig, Resampler
from .nn.vision import VisionConfig, VisionEncoder
from .sources import Place
from .weights import Plan, Take

NAME = "idefics"
IMAGE, FAKE, UTTERANCE = "<image>", "<fake_token_around_image>", "<end_of_utterance>"
LAYER = "model.gated_cross_attn_layers.{i}"
GATED = {
    "gated.{i}.norm": f"{LAYER}.input_layernorm",
    "gated.{i}.query": f"{LAYER}.cross_attn.q_proj",
    "gated.{i}.query_norm": f"{LAYER}.cross_attn.q_layer_norm",
    "gated.{i}.out": f"{LAYER}.cross_attn.o_proj",
    "gated.{i}.attention_gate": f"{LAYER}.alpha_cross_attn",
    "gated.{i}.feed_norm": f"{LAYER}.post_attention_layernorm",
    "gated.{i}.gate": f"{LAYER}.mlp.gate_proj",
    "gated.{i}.up": f"{LAYER}.mlp.up_proj",
    "gated.{i}.down": f"{LAYER}.mlp.down_proj",
    "gated.{i}.feed_gate": f"{LAYER}.alpha_dense",
}
BLOCK = "model.perceiver_resampler.blocks.{i}"
RESAMPLER = {
    "latents": "model.perceiver_resampler.latents",
    "norm": "model.perceiver_resampler.layer_norm",
    "blocks.{i}.norm_media": f"{BLOCK}.0.context_layer_norm",
    "blocks.{i}.norm_latents": f"{BLOCK}.0.latents_layer_norm",
    "blocks.{i}.query": f"{BLOCK}.0.q_proj",
    "blocks.{i}.key": f"{BLOCK}.0.k_proj",
    "blocks.{i}.value": f"{BLOCK}.0.v_proj",
    "blocks.{i}.out": f"{BLOCK}.0.output_proj",
    "blocks.{i}.query_norm": f"{BLOCK}.0.q_layer_norm",
    "blocks.{i}.key_norm": f"{BLOCK}.0.k_layer_norm",
    "blocks.{i}.norm": f"{BLOCK}.1.ln",
    "blocks.{i}.up": f"{BLOCK}.1.fc",
    "blocks.{i}.down": f"{BLOCK}.1.c_proj",
    "media_keys.{i}": f"{LAYER}.cross_attn.k_proj",
    "media_values.{i}": f"{LAYER}.cross_attn.v_proj",
    "media_key_norms.{i}": f"{LAYER}.cross_attn.k_layer_norm",
}


def recognise(place: Place) -> bool:
    """By its configuration."""
    return place.config.get("model_type") == "idefics"


def convert(place: Place, options: Options) -> Conversion:
    """One checkpoint holds everything."""
    config = place.config
    refuse(config, {"use_resampler": (True,)})
    language = llama.read(config)
    layers = [i for i in range(language.layers) if i % config["cross_layer_interval"] == 0]
    rows = config["vocab_size"] + config.get("additional_vocab_size", 0)
    tokenizer = tokens.load(place)
    made = modules(config, language, layers, rows, tokens.writable(tokenizer, rows, rows))

    own, plan, decoder = place.checkpoint("checkpoint"), Plan(), made["decoder"]
    plan.map("vision_encoder", made["vision_encoder"], own, flamingo.clip_names("model."))
    plan.map("resampler", made["resampler"], own, RESAMPLER)
    plan.map("decoder", decoder, own, GATED)
    plan.map("decoder", decoder, own, language.names)
    extra = config.get("additional_vocab_size", 0) > 0
    table = ("model.embed_tokens.weight", *(["model.embed_tokens.additional_embedding.weight"] if extra else []))
    plan.put("decoder.embedding.weight", decoder.embedding.weight, Take(own, table))
    if language.head is not None:
        head = ("lm_head.weight", *(["lm_head.additional_fc.weight"] if extra else []))
        plan.head("decoder.head.weight", decoder.head.weight, Take(own, head), rows)
    passed = [r"model\..*\.rotary_emb\.inv_freq", r"lm_head\.(additional_fc\.)?weight"]
    weights = plan.finish(made, [(own, [*(passed if language.head is None else passed[:1]), *flamingo.CLIP_IGNORED])])

    ends = [tokens.special(place, "eos_token") or "</s>", *([UTTERANCE] if tokenizer.token_to_id(UTTERANCE) else [])]
    pad = tokens.special(place, "pad_token") or "<unk>"
    start = tokens.special(place, "bos_token") or "<s>"
    places = [
        ("IDEFICS", place, [place.folder / "config.json", *weight_files(place.folder)]),
        ("tokenizer", place, [place.folder / "tokenizer.json"]),
    ]
    special = {
        "image": tokens.id_of(tokenizer, IMAGE, rows),
        "bos": tokens.id_of(tokenizer, start, rows),
        "pad": tokens.id_of(tokenizer, pad, rows),
        "unknown": tokenizer.token_to_id("<unk>"),
        "eos": [tokens.id_of(tokenizer, end, rows) for end in ends],
    }
    return flamingo.conversion(
        place, options, language, made, weights, tokenizer,
        description="IDEFICS, an open Flamingo on LLaMA. Trained on single pictures: it knows no time.",
        places=places, fit="stretch", time=flamingo.SINGLE, special=special,
        prompt=prompt(start, UTTERANCE if len(ends) > 1 else None),
    )  # fmt: skip


def modules(config: dict, language, layers: list[int], rows: int, vocab: int) -> dict:
    """All three, on the meta device; `vocab` of the embedding's rows are tokens."""
    eye, sees = config["vision_config"], config["perceiver_config"]
    width, heads, eps = language.width, language.heads, config.get("rms_norm_eps", 1e-6)
    vision = VisionConfig(
        eye["image_size"], eye["patch_size"], eye.get("embed_dim") or eye["hidden_size"], eye["num_hidden_layers"],
        eye["num_attention_heads"], eye["intermediate_size"], eye.get("hidden_act", "gelu"), class_token=True,
        eps=eye.get("layer_norm_eps", 1e-5),
    )  # fmt: skip
    perceiver = PerceiverConfig(
        vision.width, sees["resampler_depth"], sees["resampler_n_heads"], sees["resampler_head_dim"],
        sees["resampler_n_latents"], activation="relu", head_norms=sees.get("qk_layer_norms_perceiver", False),
    )  # fmt: skip
    norms = config.get("qk_layer_norms", False)
    cross = CrossConfig(len(layers), heads, width // heads, eps if norms else None)
    gates = width if config.get("alpha_type", "float") == "vector" else 1
    act, inner = config.get("hidden_act", "silu"), config["intermediate_size"]
    with torch.device("meta"):
        gated = [IdeficsGated(width, heads, inner, act, eps, norms, gates) for _ in layers]
        head = None if language.head is None else Linear(width, vocab, bias=False)
        blocks = [language.block() for _ in range(language.layers)]
        embedding = Embedding(rows, width, vocab)
        return {
            "vision_encoder": VisionEncoder(vision),
            "resampler": Resampler(perceiver, cross),
            "decoder": language.decoder(embedding, blocks, gated, layers, language.norm(), head, **language.options),
        }


def prompt(start: str, utterance: str | None) -> dict:
    """Pictures stand between two fake tokens (`processing_idefics.py`); the instructed ones take turns."""
    picture = [{"token": FAKE}, {"token": IMAGE}, {"token": FAKE}]
    if utterance is None:
        head, tail = [{"token": start}, *picture], [{"text": "Answer:"}]
        question = [*head, {"text": "Question:"}, {"slot": "question"}, *tail]
        return facts.prompt(question, [*head, {"text": "Caption:"}], spaced=False)
    head = [{"token": start}, {"text": "User:"}, *picture]
    tail = [{"token": utterance}, {"text": "\nAssistant:"}]
    return facts.prompt([*head, {"slot": "question"}, *tail], [*head, {"text": "Describe this image."}, *tail], False)
