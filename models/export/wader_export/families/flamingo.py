"""What the Flamingos share: how a conversion is put together, and, of OpenFlamingo and Otter, CLIP's tower, the
Perceiver Resampler, gated layers of 8 heads of 64."""

import re

import torch
from tokenizers import Tokenizer
from torch import nn

from . import facts, int4
from .checkpoint import Checkpoint, CheckpointError
from .family import Conversion, Options, folder_name
from .language import llama
from .language.language import Language
from .nn.decoder import Decoder
from .nn.gated import Gated
from .nn.layers import Embedding, Linear
from .nn.perceiver import CrossConfig, PerceiverConfig, Resampler
from .nn.vision import VisionConfig, VisionEncoder
from .ports import Shapes
from .sources import Place, together
from .weights import Plan, Take, Weights

SINGLE = ("single", 1, [1], (0.0, 0.0))  # frame mode, most frames, trained numbers of them, trained seconds
GATE = ".gated_cross_attn_layer.attn_gate"


def clip_names(prefix: str = "") -> dict[str, str]:
    """CLIP's vision tower as `transformers` names it (`transformers/models/clip/modeling_clip.py`)."""
    block = prefix + "vision_model.encoder.layers.{i}."
    return {
        "class_embedding": prefix + "vision_model.embeddings.class_embedding",
        "patch": prefix + "vision_model.embeddings.patch_embedding",
        "positions": prefix + "vision_model.embeddings.position_embedding.weight",
        "norm": prefix + "vision_model.pre_layrnorm",  # sic
        "blocks.{i}.norm_1": block + "layer_norm1",
        "blocks.{i}.norm_2": block + "layer_norm2",
        **{f"blocks.{{i}}.{ours}": f"{block}self_attn.{theirs}_proj" for ours, theirs in
           (("query", "q"), ("key", "k"), ("value", "v"), ("out", "out"))},
        "blocks.{i}.up": block + "mlp.fc1",
        "blocks.{i}.down": block + "mlp.fc2",
    }  # fmt: skip


CLIP_IGNORED = [  # the other tower, what comes after the tokens, and numbers that were saved along
    r"text_model\..*", r"(text|visual)_projection\.weight", r"logit_scale",
    r"(.*\.)?vision_model\.post_layernorm\.(weight|bias)", r"(.*\.)?vision_model\.embeddings\.position_ids",
]  # fmt: skip


def clip_config(config: dict) -> VisionConfig:
    """From CLIP's `config.json`, of both towers or of this one."""
    config = config.get("vision_config", config)
    return VisionConfig(
        image_size=config.get("image_size", 224),
        patch_size=config.get("patch_size", 32),
        width=config.get("hidden_size", 768),
        layers=config.get("num_hidden_layers", 12),
        heads=config.get("num_attention_heads", 12),
        feed_forward=config.get("intermediate_size", 3072),
        activation=config.get("hidden_act", "quick_gelu"),
        class_token=False,
        eps=config.get("layer_norm_eps", 1e-5),
    )


def perceiver_names(block: str, feed: str) -> dict[str, str]:
    """`perceiver.*`; the two codes differ in the names inside a block."""
    inside, feed = "perceiver.layers.{i}" + block, "perceiver.layers.{i}" + feed
    return {
        "latents": "perceiver.latents",
        "frame_embeddings": "perceiver.frame_embs",
        "norm": "perceiver.norm",
        "blocks.{i}.norm_media": f"{inside}.norm_media",
        "blocks.{i}.norm_latents": f"{inside}.norm_latents",
        "blocks.{i}.query": f"{inside}.to_q",
        "blocks.{i}.key": f"{inside}.to_kv#0",
        "blocks.{i}.value": f"{inside}.to_kv#1",
        "blocks.{i}.out": f"{inside}.to_out",
        "blocks.{i}.norm": f"{feed}.0",
        "blocks.{i}.up": f"{feed}.1",
        "blocks.{i}.down": f"{feed}.3",
    }


def gated_names(layer: str, feed: str) -> tuple[dict[str, str], dict[str, str]]:
    """One gated layer (`layer` holds `{i}`): what the decoder has of it, and what the resampler."""
    decoder = {
        "gated.{i}.norm": f"{layer}.attn.norm",
        "gated.{i}.query": f"{layer}.attn.to_q",
        "gated.{i}.out": f"{layer}.attn.to_out",
        "gated.{i}.attention_gate": f"{layer}.attn_gate",
        "gated.{i}.feed_norm": f"{layer}.{feed}.0",
        "gated.{i}.up": f"{layer}.{feed}.1",
        "gated.{i}.down": f"{layer}.{feed}.3",
        "gated.{i}.feed_gate": f"{layer}.ff_gate",
    }
    return decoder, {"media_keys.{i}": f"{layer}.attn.to_kv#0", "media_values.{i}": f"{layer}.attn.to_kv#1"}


def put_own(
    plan: Plan, made: dict[str, nn.Module], own: Checkpoint, layer: str, layers: list[int], embedding: str,
    perceiver: dict[str, str], feed: str,
) -> None:  # fmt: skip
    """What is in OpenFlamingo's own checkpoint and in Otter's: the resampler, the gated layers, the embedding."""
    decoder, media = gated_names(f"{layer}.{{i}}.gated_cross_attn_layer", feed)
    plan.map("resampler", made["resampler"], own, perceiver)
    plan.map("resampler", made["resampler"], own, media, layers.__getitem__)
    plan.map("decoder", made["decoder"], own, decoder, layers.__getitem__)
    plan.put("decoder.embedding.weight", made["decoder"].embedding.weight, Take(own, (embedding,)))


def embedding_rows(own: Checkpoint, embedding: str) -> int:
    """Rows of the embedding; it must be the Flamingo's, for the language model's own has none for the tokens added."""
    if embedding not in own.names:
        told = "the tokens it was trained with have no embedding"
        raise CheckpointError(f"{own.what}: `{embedding}` is missing: {told}")
    return own.shape(embedding)[0]


def cross_layers(checkpoint: Checkpoint, blocks: str, language: Language) -> list[int]:
    """The blocks with a gated layer before them, as the checkpoint has them; they must be every n-th."""
    pattern = re.compile(re.escape(blocks) + r"\.(\d+)" + re.escape(GATE))
    found = sorted(int(match[1]) for name in checkpoint.names if (match := pattern.fullmatch(name)))
    if not found:
        raise CheckpointError(f"{checkpoint.what}: no gated layer is there (`{blocks}.N{GATE}`)")
    interval = found[0] + 1
    wanted = [i for i in range(language.layers) if (i + 1) % interval == 0]
    if found != wanted:
        raise CheckpointError(
            f"{checkpoint.what}: gated layers stand before blocks {found}, and a language model of "
            f"{language.layers} blocks would have them before {wanted}: give the language model that belongs to it"
        )
    return found


def modules(
    language: Language, vision: VisionConfig, perceiver: PerceiverConfig, layers: list[int], rows: int,
    cross: CrossConfig | None = None, vocab: int | None = None,
) -> dict[str, nn.Module]:  # fmt: skip
    """All three, on the meta device; `rows` are the embedding's, `vocab` those of them that are tokens (or all)."""
    cross, vocab = cross or CrossConfig(len(layers)), vocab or rows
    with torch.device("meta"):
        head = None if language.head is None else Linear(language.width, vocab, bias=False)
        gated = [Gated(language.width, cross.heads, cross.head_dim) for _ in layers]
        blocks = [language.block() for _ in range(language.layers)]
        embedding = Embedding(rows, language.width, vocab)
        parts: list = [embedding, blocks, gated, layers, language.norm(), head]
        return {
            "vision_encoder": VisionEncoder(vision),
            "resampler": Resampler(perceiver, cross),
            "decoder": language.decoder(*parts, **language.options),
        }


def shapes(language: Language, made: dict[str, nn.Module], vocab: int) -> Shapes:
    """The numbers that the manifest and the graphs share."""
    vision, resampler = made["vision_encoder"].config, made["resampler"]
    return Shapes(
        height=vision.image_size,
        width=vision.image_size,
        tokens=vision.tokens,
        dim=vision.width,
        latents=resampler.config.latents,
        cross_layers=resampler.cross.layers,
        cross_kv_heads=resampler.cross.heads,
        cross_head_dim=resampler.cross.head_dim,
        self_layers=language.layers,
        kv_heads=language.kv_heads,
        head_dim=language.head_dim,
        vocab=vocab,
    )


def four_bits(decoder: Decoder) -> frozenset[str]:
    """The matrices that may have 4 bits: those of the blocks and gated layers; embedding and output stay exact."""
    return frozenset(
        name
        for name, parameter in decoder.named_parameters()
        if name.startswith(("blocks.", "gated.")) and int4.fits(tuple(parameter.shape))
    )


def conversion(
    place: Place, options: Options, language: Language, made: dict[str, nn.Module], weights: Weights,
    tokenizer: Tokenizer, *, description: str, places: list, fit: str, time: tuple, special: dict, prompt: dict,
) -> Conversion:  # fmt: skip
    """Everything that the folder is made of; `time` is what `facts.resampler` wants to know."""
    embedding = made["decoder"].embedding
    sizes = shapes(language, made, embedding.vocab)
    return Conversion(
        name=folder_name(place),
        description=description,
        licence=options.licence or together([one.stated_licence for _, one, _ in places]),
        limits=(llama.LIMIT,) if language.arch == "llama" else (),
        places=places,
        modules=made,
        weights=weights,
        shapes=sizes,
        tokenizer=tokenizer,
        int4=four_bits(made["decoder"]),
        facts={
            "vision": facts.vision(sizes, fit),
            "resampler": facts.resampler(sizes, *time),
            "decoder": facts.decoder(sizes, language, embedding.num_embeddings),
            "tokens": special,
            "prompt": prompt,
            "limits": facts.LIMITS,
        },
    )
