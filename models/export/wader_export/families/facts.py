"""The parts of the manifest that say how a model is used."""

from .language.language import Language
from .ports import Shapes

NUMBERS = 31  # 0 to 30 can be answered
YES, NO = ("yes", "Yes"), ("no", "No")


def vision(shapes: Shapes, fit: str) -> dict:
    """`vision`."""
    return {
        "width": shapes.width, "height": shapes.height, "fit": fit, "tokens": shapes.tokens, "dim": shapes.dim,
    }  # fmt: skip


def canvas(tiles: tuple[int, int], resize: str, multiple: int) -> dict:
    """`vision.canvas`: tiles down and across, the filter that pictures were resized with in training, and what the sides of a
    tile are multiples of. What a picture leaves free is black."""
    return {"tiles": list(tiles), "resize": resize, "padding": [0, 0, 0], "multiple": multiple}


def squared(fit: str) -> str:
    """For the description of a model that was trained on the middle of pictures, what is done to them here."""
    if fit == "crop":
        return ""
    shown = "stretched to its square" if fit == "stretch" else "shown with borders above and below"
    return f" Whole pictures are {shown}; it was trained on the middle of each, with true proportions."


def resampler(shapes: Shapes, frame_mode: str, max_frames: int, trained: list[int], span: tuple[float, float]) -> dict:
    """`resampler`. Positions are counted from the oldest frame, one a second: the n-th frame of a window at one frame a
    second has position n, as in training by index."""
    return {
        "kind": "perceiver",
        "scope": "window",
        "latents": shapes.latents,
        "frame_mode": frame_mode,
        "max_frames": max_frames,
        "trained_frames": trained,
        "time": {"origin": "oldest", "units_per_second": 1.0, "trained_span_s": list(span)},
    }


def decoder(shapes: Shapes, language: Language, rows: int) -> dict:
    """`decoder`; `rows` are the embedding's, of which the output has those that are tokens."""
    return {
        "arch": language.arch,
        "media_rule": "latest",
        "self_layers": shapes.self_layers,
        "cross_layers": shapes.cross_layers,
        "heads": language.heads,
        "kv_heads": language.kv_heads,
        "head_dim": language.head_dim,
        "cross_kv_heads": shapes.cross_kv_heads,
        "cross_head_dim": shapes.cross_head_dim,
        "vocab": shapes.vocab,
        "embed_rows": rows,
        "max_positions": language.max_positions,
    }


def prompt(question: list[dict], caption: list[dict], spaced: bool) -> dict:
    """`prompt`; `spaced`: a word after other text is written with its space (byte-level vocabularies)."""
    space = " " if spaced else ""
    forms = lambda words: [*(space + word for word in words), *(words if spaced else ())]  # noqa: E731
    return {
        "question": question,
        "caption": caption,
        "yes": forms(YES),
        "no": forms(NO),
        "numbers": [f"{space}{number}" for number in range(NUMBERS)],
        "words": None,
    }


LIMITS = {"max_media_per_call": 16, "max_new_tokens": 64}
