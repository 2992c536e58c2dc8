"""OpenFlamingo (arXiv 2308.01390): `mlfoundations/open_flamingo`.

`checkpoint.pt` holds the resampler, the gated layers and the embeddings only; the language model and CLIP come from
where they were published. No released weight knows time: every medium is one frame, `frame_mode` is `single`.
"""

import re

from . import facts, flamingo
from . import language as languages
from . import tokenizer as tokens
from .checkpoint import CheckpointError, weight_files
from .family import Conversion, Options
from .nn.perceiver import PerceiverConfig
from .sources import Place
from .weights import Plan, Take

NAME = "open_flamingo"
CLIP = "openai/clip-vit-large-patch14"
RELEASES = {  # name of the checkpoint -> its language model, from the table in the repository's README.md
    "openflamingo/OpenFlamingo-3B-vitl-mpt1b": "anas-awadalla/mpt-1b-redpajama-200b",
    "openflamingo/OpenFlamingo-3B-vitl-mpt1b-langinstruct": "anas-awadalla/mpt-1b-redpajama-200b-dolly",
    "openflamingo/OpenFlamingo-4B-vitl-rpj3b": "togethercomputer/RedPajama-INCITE-Base-3B-v1",
    "openflamingo/OpenFlamingo-4B-vitl-rpj3b-langinstruct": "togethercomputer/RedPajama-INCITE-Instruct-3B-v1",
    "openflamingo/OpenFlamingo-9B-vitl-mpt7b": "anas-awadalla/mpt-7b",
}
IMAGE, END, PAD = "<image>", "<|endofchunk|>", "<PAD>"


def recognise(place: Place) -> bool:
    """A checkpoint of its own, without a configuration."""
    return place.has("checkpoint.pt") and not place.has("config.json")


def convert(place: Place, options: Options) -> Conversion:
    """The checkpoint together with its language model and CLIP."""
    name = options.language or RELEASES.get(place.origin)
    if name is None:
        raise CheckpointError(
            f"{place.origin} is no release whose language model is known; name it with --language NAME|FOLDER"
        )
    body, eye = options.fetch(name), options.fetch(options.vision or CLIP)
    speller = options.fetch(options.tokenizer) if options.tokenizer else body
    language, vision = languages.find(body.json("config.json")), flamingo.clip_config(eye.json("config.json"))
    tokenizer = tokens.load(speller)

    own = place.checkpoint("checkpoint")
    layer = f"lang_encoder.{language.blocks}"
    layers = flamingo.cross_layers(own, layer, language)
    embedding = f"lang_encoder.{language.embedding}"
    rows = flamingo.embedding_rows(own, embedding)
    pad = tokens.special(speller, "pad_token")
    tokens.add(tokenizer, [END, IMAGE, *([] if pad else [PAD])])
    tokens.same_size(tokenizer, rows)

    lm, clip = body.checkpoint("language model"), eye.checkpoint("vision tower")
    made = flamingo.modules(language, vision, PerceiverConfig(vision.width), layers, rows)
    plan, decoder = Plan(), made["decoder"]
    plan.map("vision_encoder", made["vision_encoder"], clip, flamingo.clip_names())
    flamingo.put_own(plan, made, own, layer, layers, embedding, flamingo.perceiver_names(".0", ".1"), "ff")
    plan.map("decoder", decoder, lm, language.names)
    if language.head is not None:
        resized = f"lang_encoder.{language.head}"
        # Resizing cuts rows that no token had; a head that was saved with the checkpoint is the one it ended with.
        head = Take(own, (resized,)) if resized in own.names else Take(lm, (language.head,), (0, rows))
        plan.put("decoder.head.weight", decoder.head.weight, head)
    twice = r"lang_encoder\.gated_cross_attn_layers\..*"  # the gated layers again, under their other name
    # Saved along because of their names, unchanged: the tied output, and a table of positions.
    same = [rf"lang_encoder\.{pattern}" for pattern in language.ignored if "head" in pattern]
    same += [rf"lang_encoder\.{re.escape(name)}\.weight" for name in language.names.values() if "embed" in name]
    own_embeddings = [r for r in (language.embedding, language.head) if r]
    weights = plan.finish(
        made,
        [(own, [twice, *same]), (lm, [*language.ignored, *own_embeddings]), (clip, flamingo.CLIP_IGNORED)],
    )
    places = [
        ("OpenFlamingo", place, weight_files(place.folder)),
        (f"language model {language.arch}", body, [body.folder / "config.json", *weight_files(body.folder)]),
        ("vision tower CLIP", eye, [eye.folder / "config.json", *weight_files(eye.folder)]),
        ("tokenizer", speller, [speller.folder / "tokenizer.json"]),
    ]
    return flamingo.conversion(
        place, options, language, made, weights, tokenizer,
        description=f"OpenFlamingo on {body.origin} and {eye.origin}. Trained on single pictures: it knows no time."
        + facts.squared(options.fit),
        places=places, fit=options.fit, time=flamingo.SINGLE,
        special=special_tokens(tokenizer, speller, pad or PAD, rows), prompt=prompt(tokenizer),
    )  # fmt: skip


def special_tokens(tokenizer, speller: Place, pad: str, rows: int) -> dict:
    """`tokens`: a text ends at the end of its chunk, or where the language model itself ends it."""
    ends = [END, *([eos] if (eos := tokens.special(speller, "eos_token")) else [])]
    unknown = tokens.special(speller, "unk_token") if tokens.has_words(tokenizer) else None
    return {
        "image": tokens.id_of(tokenizer, IMAGE, rows),
        "bos": None,
        "pad": tokens.id_of(tokenizer, pad, rows),
        "unknown": None if unknown is None else tokens.id_of(tokenizer, unknown, rows),
        "eos": [tokens.id_of(tokenizer, end, rows) for end in ends],
    }


def prompt(tokenizer) -> dict:
    """As its evaluation writes them: `open_flamingo/eval/models/open_flamingo.py`."""
    spaced = not tokens.has_words(tokenizer)
    answer = " Short answer:" if spaced else "Short answer:"
    question = [{"token": IMAGE}, {"text": "Question:"}, {"slot": "question"}, {"text": answer}]
    return facts.prompt(question, [{"token": IMAGE}, {"text": "Output:"}], spaced)
