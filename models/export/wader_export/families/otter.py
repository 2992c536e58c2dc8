"""Otter (arXiv 2305.03726, 2306.05425): `Luodian/Otter`, OpenFlamingo's blocks in one whole checkpoint.

Otter-Video is the one public Flamingo with trained frame embeddings (`max_num_frames`): `frame_mode` is `timed`. They
are indexed by a frame's place in the clip, not by seconds, and were trained with 16 to 32 frames; the rest are noise.
"""

from . import facts, flamingo
from . import language as languages
from . import tokenizer as tokens
from .checkpoint import CheckpointError, weight_files
from .family import Conversion, Options
from .nn.perceiver import PerceiverConfig
from .open_flamingo import special_tokens
from .sources import Place
from .weights import Plan, Take

NAME = "otter"
IMAGE, END, ANSWER, PAD = "<image>", "<|endofchunk|>", "<answer>", "<PAD>"
TRAINED_FRAMES = [16, 32]  # pipeline/benchmarks/models/otter_video.py; pipeline/train/train_args.py
LLAMA = "huggyllama/llama-7b"  # its vocabulary, where the checkpoint brings none
PREFIX = "lang_encoder."


def recognise(place: Place) -> bool:
    """By its configuration."""
    return place.config.get("model_type") == "otter"


def convert(place: Place, options: Options) -> Conversion:
    """One checkpoint holds everything but, sometimes, the tokenizer."""
    config = place.config
    text = config["text_config"]
    language = languages.find({**text, "model_type": text.get("model_type") or "llama"})
    vision, entries = flamingo.clip_config(config), config.get("max_num_frames") or 0
    speller = options.fetch(options.tokenizer) if options.tokenizer else place
    if not speller.has("tokenizer.json"):
        speller = options.fetch(LLAMA)
    tokenizer = tokens.load(speller)
    own, layer = place.checkpoint("checkpoint"), PREFIX + language.blocks
    layers = flamingo.cross_layers(own, layer, language)
    wanted = config.get("cross_attn_every_n_layers", layers[0] + 1)
    if wanted != layers[0] + 1:
        raise CheckpointError(f"config.json says cross_attn_every_n_layers {wanted}, the weights {layers[0] + 1}")
    embedding = PREFIX + language.embedding
    rows = flamingo.embedding_rows(own, embedding)
    perceiver = PerceiverConfig(vision.width, frame_embeddings=entries)
    pad = tokens.special(speller, "pad_token")
    tokens.add(tokenizer, [END, IMAGE, ANSWER, *([] if pad else [PAD])])
    if language.arch == "llama":  # only there the embedding was resized to the tokenizer
        tokens.same_size(tokenizer, rows)
    vocab = tokens.writable(tokenizer, rows, rows)
    made = flamingo.modules(language, vision, perceiver, layers, rows, vocab=vocab)

    plan, decoder = Plan(), made["decoder"]
    plan.map("vision_encoder", made["vision_encoder"], own, flamingo.clip_names("vision_encoder."))
    names = flamingo.perceiver_names("", ".feed_forward")
    flamingo.put_own(plan, made, own, layer, layers, embedding, names, "feed_forward")
    inside = {ours: PREFIX + theirs.replace(".{i}.", ".{i}.decoder_layer.") for ours, theirs in language.names.items()}
    plan.map("decoder", decoder, own, inside)
    if language.head is not None:
        plan.head("decoder.head.weight", decoder.head.weight, Take(own, (PREFIX + language.head,)), rows)
    twice = r"lang_encoder\.(gated_cross_attn_layers|old_decoder_blocks)\..*"  # the same tensors, other names
    passed = [r"lang_encoder\." + p.replace(r"\.\d+\.", r"\.\d+\.(decoder_layer\.)?", 1) for p in language.ignored]
    weights = plan.finish(made, [(own, [twice, *passed, *flamingo.CLIP_IGNORED])])

    places = [
        ("Otter", place, [place.folder / "config.json", *weight_files(place.folder)]),
        ("tokenizer", speller, [speller.folder / "tokenizer.json"]),
    ]
    timed = entries > 1
    trained = [number for number in TRAINED_FRAMES if number <= entries] or [entries]
    return flamingo.conversion(
        place, options, language, made, weights, tokenizer,
        description=f"Otter on {language.arch}. "
        + ("Trained frame embeddings, by place in the clip." if timed else "Trained on single pictures: no time.")
        + facts.squared(options.fit),
        places=places, fit=options.fit,
        time=("timed", max(trained), trained, (0.0, max(trained) - 1.0)) if timed else flamingo.SINGLE,
        special=special_tokens(tokenizer, speller, pad or PAD, rows), prompt=prompt(tokenizer),
    )  # fmt: skip


def prompt(tokenizer) -> dict:
    """``<image>User: {question} GPT:<answer>`` (`pipeline/benchmarks/models/otter_video.py`).

    In a byte-level vocabulary (MPT) the question's first word takes the space before it into its token: the service
    encodes a space that stands before the slot together with what fills it.
    """
    spaced = not tokens.has_words(tokenizer)
    first, last = ("User: ", " GPT:") if spaced else ("User:", "GPT:")
    start, end = [{"token": IMAGE}, {"text": first}], [{"text": last}, {"token": ANSWER}]
    caption = [*start[:1], {"text": first + ("" if spaced else " ") + "please describe the video." + " GPT:"}, end[1]]
    return facts.prompt([*start, {"slot": "question"}, *end], caption, spaced)
