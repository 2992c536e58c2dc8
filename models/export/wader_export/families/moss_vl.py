"""MOSS-VL (OpenMOSS, 2026; 11B, Instruct and Realtime) to a model folder: media rule `position`, frames with times.

Trained on video with each frame's time written before it (`stamped`). Instruct: frames first, then the question.
Realtime: question first, then frames in the open answer, after each of which the model keeps silent or responds. One
folder is for one size of frame: 640x352 has 221 tokens and 10.4 MiB of K and V in float16.
"""

import torch
from torch import nn

from . import facts as facts_of
from . import int4, moss_vl_names, ruled_facts, ruled_goldens, tokenizer
from .checkpoint import CheckpointError, weight_files
from .family import Conversion, Options, folder_name
from .moss_vl_config import MossShape, read
from .moss_vl_graphs import MossDecoder, MossResampler
from .moss_vl_vision import MossVisionEncoder
from .ports import Shapes
from .ruled_ports import POSITION, ruled_decoder
from .sources import UNSTATED, Place
from .weights import Plan

NAME = "MOSS-VL"
CANVAS = "640x352"
MAX_FRAMES = 16
IGNORED = [r".*rotary_(pos_)?emb\.inv_freq"]
STREAM_SYSTEM = (  # `modeling_moss_vl.py`; `<|silence|>` stands between the two
    "You are a helpful AI assistant specializing in real-time video analysis. The video streams to you frame by frame. "
    "At every frame, you decide independently whether to respond or stay silent \u2014 output `",
    "` when nothing relevant has happened, and respond when the visual content warrants it.",
)
NOTICE = (
    "MOSS-VL is licensed under Apache-2.0 by its authors' word (OpenMOSS/MOSS-VL, docs/blog.md). Its own classes are "
    "remote code of the checkpoint. These graphs were written from them and compared, on small random weights, with a "
    "plain forward of the same description, not with those classes; `python -m wader_export parity` repeats the "
    "comparison with the real ones."
)


def recognise(place: Place) -> bool:
    """Whether a checkpoint is one of these."""
    return place.config.get("model_type") == "moss_vl"


def convert(place: Place, options: Options) -> Conversion:
    """Everything that the folder is made of."""
    shape = read_shape(place.config, options.canvas or CANVAS)
    said = place.json("preprocessor_config.json")
    if missing := [key for key in ("image_mean", "image_std") if key not in said]:
        raise CheckpointError(f"{place.folder}/preprocessor_config.json lacks {', '.join(missing)}; fetch it again")
    text_place = options.fetch(options.tokenizer) if options.tokenizer else place
    words = tokenizer.load(text_place)
    shape = ruled_facts.writing(shape, words)
    modules = modules_of(shape, said["image_mean"], said["image_std"])
    shapes, stated = sizes(shape), options.licence or place.stated_licence
    told = facts(shape, shapes, words, realtime(place))
    source, plan = place.checkpoint("checkpoint"), Plan()
    moss_vl_names.put(plan, modules, source, shape)
    return Conversion(
        name=folder_name(place),
        description=NOTICE,
        licence="Apache-2.0" if stated == UNSTATED else stated,
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
        ports={"decoder": ruled_decoder(shapes, POSITION)},
        golden_cases=ruled_goldens.position,
    )


def read_shape(config: dict, canvas: str) -> MossShape:
    """Sizes for frames of `canvas` (`--canvas WIDTHxHEIGHT`)."""
    width, _, height = canvas.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise CheckpointError(f"--canvas {canvas}: width and height in pixels are expected, such as {CANVAS}")
    return read(config, int(width), int(height))


def realtime(place: Place) -> bool:
    """Which of the two trained layouts of text a checkpoint has; config.json does not say it, its name does."""
    name = folder_name(place).lower()
    found = [kind for kind in ("realtime", "instruct", "base") if kind in name]
    if len(found) != 1:
        raise CheckpointError(
            f"{place.origin}: is it MOSS-VL Realtime, Instruct or Base? They were trained with texts laid out "
            "differently; say it in the folder's name"
        )
    return found == ["realtime"]


def modules_of(shape: MossShape, mean: list[float], std: list[float]) -> dict[str, nn.Module]:
    """All three, on the meta device."""
    with torch.device("meta"):
        return {
            "vision_encoder": MossVisionEncoder(shape, mean, std),
            "resampler": MossResampler(shape),
            "decoder": MossDecoder(shape),
        }


def sizes(shape: MossShape) -> Shapes:
    """The numbers of the ports."""
    return ruled_facts.shapes(shape.decoder, shape.width, shape.height, shape.tokens)


def matrices(decoder: torch.nn.Module) -> frozenset[str]:
    """What may have 4 bits: self-attention layers. Cross layers and head stay, as in the authors' own 4-bit weights."""
    cross = tuple(f"layers.{i}." for i in decoder.shape.cross_layers)
    own = [name for name, weight in decoder.named_parameters() if int4.fits(tuple(weight.shape))]
    return frozenset(name for name in own if name.startswith("layers.") and not name.startswith(cross))


def facts(shape: MossShape, shapes: Shapes, words, streams: bool) -> dict:
    """The manifest's part about the model."""
    decoder = shape.decoder
    token = lambda name: tokenizer.id_of(words, f"<|{name}|>", decoder.embed_rows)  # noqa: E731
    if token("image_pad") != shape.image_token:
        told = f"tokenizer.json: <|image_pad|> is {token('image_pad')} and not {shape.image_token}, as config.json says"
        raise CheckpointError(f"{told}; take the checkpoint's own")
    step = shape.vision.patch * shape.vision.merge
    canvas = facts_of.canvas((1, 1), "bicubic_antialias", step)
    return {
        "vision": facts_of.vision(shapes, "stretch") | {"canvas": canvas},
        "resampler": ruled_facts.resampler(shapes, "stamped", MAX_FRAMES, [1, 768], (0.0, 768.0)),
        "decoder": ruled_facts.decoder(shapes, decoder, "moss_vl", "position", shape.max_positions),
        "tokens": {
            "image": shape.image_token,
            "bos": None,
            "pad": token("endoftext"),
            "unknown": None,
            "eos": [token("im_end"), token("endoftext")],
        },
        "positions": {"image_advance": shape.image_advance},
        "prompt": prompt(streams),
        "limits": {"max_media_per_call": MAX_FRAMES, "max_new_tokens": 512},
    }


def prompt(streams: bool) -> dict:
    """Texts as trained: a frame is its time, to one decimal, and its token.

    Realtime chooses after each frame whether to keep silent or to respond. wader asks when an answer is wanted, so that
    choice is made for it: its texts end with the token of a response.
    """
    named = lambda *names: [{"token": f"<|{name}|>"} for name in names]  # noqa: E731
    end = [*named("im_end"), {"text": "\n"}]
    turn = lambda who, *what: [*named("im_start"), {"text": f"{who}\n"}, *what]  # noqa: E731
    stamped = [*named("time_start"), {"slot": "time"}, {"text": " seconds"}, *named("time_end", "image_pad")]
    told = [{"text": STREAM_SYSTEM[0]}, *named("silence"), {"text": STREAM_SYSTEM[1]}]

    def asked(what: dict) -> list[dict]:
        if streams:
            answer = turn("assistant", {"slot": "frames"}, *named("response"))
            return [*turn("system", *told), *end, *turn("user", what), *end, *answer]
        frames = [*named("vision_start"), {"slot": "frames"}, *named("vision_end")]
        return [*turn("user", *frames, what), *end, *turn("assistant")]

    caption = asked({"text": "Describe what happens in one sentence."})
    return facts_of.prompt(asked({"slot": "question"}), caption, spaced=False) | {
        "frame": [*named("vision_start"), *stamped, *named("vision_end")] if streams else stamped,
        "time": {"origin": "oldest", "decimals": 1},
    }
