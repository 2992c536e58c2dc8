"""Llama-3.2-Vision (Meta, 2024; 11B and 90B) to a model folder: media rule `span`, no resampler, one frame at a time.

Trained on single pictures: `single` is the only frame mode to recommend. One folder is for one layout of tiles; of a
640x360 or 1280x720 camera's frame, 1x2 tiles use 89 %. Empty tiles are run all the same, so the layout does not change
what the encoder costs, only K and V.
"""

import torch
from torch import nn

from . import facts as facts_of
from . import int4, mllama_names, ruled_facts, ruled_goldens, tokenizer
from .checkpoint import CheckpointError, weight_files
from .family import Conversion, Options, folder_name
from .gated_layers import FrameProjection
from .mllama_config import MllamaShape, read
from .mllama_graphs import MllamaDecoder
from .mllama_vision import MllamaVisionEncoder
from .ports import Shapes
from .ruled_ports import SPAN, ruled_decoder
from .sources import Place
from .weights import Plan

NAME = "Llama-3.2-Vision"
TILES = (1, 2)  # down, across
IGNORED = [r".*rotary_emb\.inv_freq"]
BILINEAR = 2  # PIL's number
LICENCE = "LicenseRef-Llama-3.2-Community"
NOTICE = (
    "Built with Llama. Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright Meta Platforms, Inc. For "
    "its multimodal models that licence grants nothing to individuals domiciled in the European Union and to companies "
    "with their principal place of business there (end users of a product that contains them are excepted). The "
    "converted folder is a derivative: its name begins with Llama, and whoever passes it on passes the licence on. "
    "Function: Meta's rules (tokens that see no picture skip the cross layers; features tapped before the named "
    "layers), not those of transformers 4.57 and later."
)


def recognise(place: Place) -> bool:
    """Whether a checkpoint is one of these."""
    return place.config.get("model_type") == "mllama"


def convert(place: Place, options: Options) -> Conversion:
    """Everything that the folder is made of."""
    shape = read(place.config)
    tiles = parse_tiles(options.canvas)
    mean, std = pixel_values(place, shape)
    text_place = options.fetch(options.tokenizer) if options.tokenizer else place
    words = tokenizer.load(text_place)
    shape = ruled_facts.writing(shape, words)
    modules = modules_of(shape, tiles, mean, std)
    shapes, name = sizes(shape, tiles), folder_name(place)
    told = facts(shape, shapes, tiles, words, place)
    source, plan = place.checkpoint("checkpoint"), Plan()
    mllama_names.put(plan, modules, source, shape, tiles)
    return Conversion(
        name=name if name.lower().startswith("llama") else f"Llama-{name}",
        description=NOTICE,
        licence=options.licence or LICENCE,
        places=[
            (NAME, place, [place.folder / "config.json", *weight_files(place.folder)]),
            ("tokenizer", text_place, [text_place.folder / "tokenizer.json"]),
        ],
        modules=modules,
        weights=plan.finish(modules, [(source, IGNORED)]),
        shapes=shapes,
        tokenizer=words,
        facts=told,
        int4=matrices(modules["decoder"]),
        ports={"decoder": ruled_decoder(shapes, SPAN)},
        golden_cases=ruled_goldens.span,
    )


def modules_of(shape: MllamaShape, tiles: tuple[int, int], mean: list[float], std: list[float]) -> dict[str, nn.Module]:
    """All three, on the meta device."""
    with torch.device("meta"):
        return {
            "vision_encoder": MllamaVisionEncoder(shape, tiles, mean, std),
            "resampler": FrameProjection(shape.decoder),
            "decoder": MllamaDecoder(shape),
        }


def parse_tiles(canvas: str | None) -> tuple[int, int]:
    """`--canvas 1x2`: tiles down and across."""
    if canvas is None:
        return TILES
    down, _, across = canvas.partition("x")
    if not (down.isdecimal() and across.isdecimal()):
        raise CheckpointError(f"--canvas {canvas}: tiles down and across are expected, such as 1x2")
    return int(down), int(across)


def pixel_values(place: Place, shape: MllamaShape) -> tuple[list[float], list[float]]:
    """Mean and spread; the image processor's class has other defaults (0.5, size 224), so the file must say them."""
    said = place.json("preprocessor_config.json")
    missing = [key for key in ("image_mean", "image_std", "size", "max_image_tiles") if key not in said]
    if missing:
        raise CheckpointError(f"{place.folder}/preprocessor_config.json lacks {', '.join(missing)}; fetch it again")
    side = shape.vision.tile
    for key, found, expected in (
        ("size", said["size"], {"height": side, "width": side}),
        ("max_image_tiles", said["max_image_tiles"], shape.vision.max_tiles),
        ("resample", said.get("resample", BILINEAR), BILINEAR),
    ):
        if found != expected:
            raise CheckpointError(f"preprocessor_config.json: {key} is {found}, where {expected} fits config.json")
    return said["image_mean"], said["image_std"]


def sizes(shape: MllamaShape, tiles: tuple[int, int]) -> Shapes:
    """The numbers of the ports."""
    down, across = tiles
    side, tokens = shape.vision.tile, shape.vision.tokens
    return ruled_facts.shapes(shape.decoder, across * side, down * side, down * across * tokens)


def matrices(decoder: torch.nn.Module) -> frozenset[str]:
    """What may have 4 bits: the matrices of all layers, not the embedding and not the head."""
    own = [name for name, weight in decoder.named_parameters() if int4.fits(tuple(weight.shape))]
    return frozenset(name for name in own if name.startswith("layers."))


def facts(shape: MllamaShape, shapes: Shapes, tiles: tuple[int, int], words, place: Place) -> dict:
    """The manifest's part about the model."""
    decoder = shape.decoder
    token = lambda name: tokenizer.id_of(words, name, decoder.embed_rows)  # noqa: E731
    if token("<|image|>") != shape.image_token:
        told = f"tokenizer.json: <|image|> is {token('<|image|>')} and not {shape.image_token}, as config.json says"
        raise CheckpointError(f"{told}; take the checkpoint's own")
    canvas = facts_of.canvas(tiles, "bilinear_antialias", shape.vision.tile)
    return {
        "vision": facts_of.vision(shapes, "letterbox_topleft") | {"canvas": canvas},
        "resampler": ruled_facts.resampler(shapes, "single", 1, [1], (0.0, 0.0)),
        "decoder": ruled_facts.decoder(shapes, decoder, "mllama", "span", shape.max_positions),
        "tokens": {
            "image": shape.image_token,
            "bos": token("<|begin_of_text|>"),
            "pad": token("<|finetune_right_pad_id|>"),
            "unknown": None,
            "eos": [token(name) for name in ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")],
        },
        "positions": {"image_advance": 1},
        "prompt": prompt(chats(place)),
        "limits": {"max_media_per_call": 1, "max_new_tokens": 512},
    }


def chats(place: Place) -> bool:
    """Whether a checkpoint was tuned to chat: it then has a template for it."""
    if place.has("chat_template.json") or place.has("chat_template.jinja"):
        return True
    return place.has("tokenizer_config.json") and "chat_template" in place.json("tokenizer_config.json")


def prompt(chat: bool) -> dict:
    """Picture first, then the question, as trained; no system text beside a picture."""
    named = lambda *names: [{"token": f"<|{name}|>"} for name in names]  # noqa: E731
    turn = lambda who: [*named("start_header_id"), {"text": who}, *named("end_header_id"), {"text": "\n\n"}]  # noqa: E731

    def asked(*what: dict) -> list[dict]:
        if not chat:
            return [*named("begin_of_text", "image"), *what]
        said = [*named("begin_of_text"), *turn("user"), *named("image"), *what, *named("eot_id")]
        return [*said, *turn("assistant")]

    caption = {"text": "Describe the picture in one sentence." if chat else "The picture shows"}
    return facts_of.prompt(asked({"slot": "question"}), asked(caption), spaced=not chat)
