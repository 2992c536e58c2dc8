"""Inputs and outputs of the three graphs as the contract flamingo-onnx/1 fixes them."""

from dataclasses import dataclass

FLOAT = "F"  # the float type of a folder, float32 or float16

SIZES = {  # for tracing only: all different, none 0 or 1, so that no two sizes are taken for one
    "batch": 2, "seq": 5, "past": 4, "past_and_seq": 9, "nlogits": 3, "media": 6, "frames": 7, "bank": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Port:
    """A tensor: its element type (`F`, `float32`, `int64` or `uint8`) and its sizes; names are open sizes."""

    name: str
    kind: str
    dims: tuple[int | str, ...]


@dataclass(frozen=True)
class Ports:
    """What goes into a graph and what comes out. The last `listed` inputs are handed over as one list."""

    inputs: list[Port]
    outputs: list[Port]
    listed: int = 0


@dataclass(frozen=True)
class Shapes:
    """The numbers that the manifest and the graphs share."""

    height: int
    width: int
    tokens: int  # V
    dim: int  # D
    latents: int  # N
    cross_layers: int  # X
    cross_kv_heads: int  # Hx
    cross_head_dim: int  # dx
    self_layers: int
    kv_heads: int
    head_dim: int
    vocab: int


def vision_encoder(shapes: Shapes) -> Ports:
    """Each frame once."""
    pixels = Port("pixels", "uint8", ("frames", shapes.height, shapes.width, 3))
    return Ports([pixels], [Port("frame_features", FLOAT, ("frames", shapes.tokens, shapes.dim))])


def plain(shapes: Shapes) -> dict[str, Ports]:
    """Of all three graphs, by name, where the latest picture is seen."""
    return {"vision_encoder": vision_encoder(shapes), "resampler": resampler(shapes), "decoder": decoder(shapes)}


def media_kv(shapes: Shapes) -> Port:
    """Keys and values of every gated layer, one block a medium."""
    dims = ("media", shapes.cross_layers, 2, shapes.cross_kv_heads, shapes.latents, shapes.cross_head_dim)
    return Port("media_kv", FLOAT, dims)


def resampler(shapes: Shapes) -> Ports:
    """Frames of a window to its media K/V."""
    inputs = [
        Port("frame_bank", FLOAT, ("bank", shapes.tokens, shapes.dim)),
        Port("frame_index", "int64", ("media", "frames")),
        Port("frame_pos", "float32", ("media", "frames")),
    ]
    return Ports(inputs, [media_kv(shapes)])


def decoder(shapes: Shapes) -> Ports:
    """Text."""
    rows = [
        Port("input_ids", "int64", ("batch", "seq")),
        Port("attention_mask", "int64", ("batch", "past_and_seq")),
        Port("position_ids", "int64", ("batch", "seq")),
        Port("media_index", "int64", ("batch", "seq")),
        Port("logits_index", "int64", ("batch", "nlogits")),
        Port("gate_scale", "float32", ()),
        media_kv(shapes),
    ]
    layers = [(i, part) for i in range(shapes.self_layers) for part in ("key", "value")]
    cache = lambda stem, length: [  # noqa: E731
        Port(f"{stem}.{i}.{part}", FLOAT, ("batch", shapes.kv_heads, length, shapes.head_dim)) for i, part in layers
    ]
    past = cache("past_key_values", "past")
    logits = Port("logits", "float32", ("batch", "nlogits", shapes.vocab))
    return Ports([*rows, *past], [logits, *cache("present", "past_and_seq")], len(past))
