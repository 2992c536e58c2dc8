"""Where each weight of the MOSS-VL graphs stands in a checkpoint."""

from torch import nn

from .checkpoint import Checkpoint
from .mllama_names import BLOCK, CROSS, MEDIA, SELF, put_head, text_layers
from .moss_vl_config import MossShape
from .weights import Plan, Take

VISION, TEXT = "model.visual.", "model.language_model."
QK_NORM = ("self_attn.q_norm", "self_attn.k_norm")
VISION_BLOCK = ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.linear_fc1", "mlp.linear_fc2")


def put(plan: Plan, modules: dict[str, nn.Module], source: Checkpoint, shape: MossShape) -> None:
    """Maps all three graphs; the separator is part of the vision encoder's."""
    encoder = modules["vision_encoder"]
    table = {f"blocks.{{i}}.{part}": f"{VISION}blocks.{{i}}.{part}" for part in VISION_BLOCK}
    table |= {name: VISION + name for name in ("merger.norms.{i}", "merger.linear_fc1", "merger.linear_fc2")}
    table |= {"patch_embed.bias": VISION + "patch_embed.proj.bias", "pos_embed": VISION + "pos_embed.weight"}
    plan.map("vision_encoder", encoder, source, table | {"separator_token": "model.separator_token"})
    # A 3-D convolution over one frame and one patch is a linear layer on the patch, channel by channel.
    kernel = encoder.patch_embed.weight
    take = Take(source, (VISION + "patch_embed.proj.weight",), shape=tuple(kernel.shape))
    plan.put("vision_encoder.patch_embed.weight", kernel, take)

    cross = shape.decoder.cross_layers
    media = {f"layers.{{i}}.{part}": f"{TEXT}layers.{{i}}.cross_attn.{part}" for part in MEDIA}
    plan.map("resampler", modules["resampler"], source, media, lambda i: cross[i])
    decoder = modules["decoder"]
    plan.map("decoder", decoder, source, text_layers(TEXT, (*BLOCK, *SELF, *QK_NORM, *CROSS)))
    put_head(plan, decoder, source, "lm_head", shape.decoder)
