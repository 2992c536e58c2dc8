"""tokenizer.json of a language model with its Flamingo's own tokens, under the ids that were trained."""

from tokenizers import AddedToken, Tokenizer

from .checkpoint import CheckpointError
from .sources import Place


def load(place: Place) -> Tokenizer:
    """The tokenizer of a checkpoint's folder."""
    if not place.has("tokenizer.json"):
        raise CheckpointError(
            f"{place.folder} has no tokenizer.json; name a tokenizer with --tokenizer, or write one with "
            "`transformers`: AutoTokenizer.from_pretrained(...).save_pretrained(...)"
        )
    tokenizer = Tokenizer.from_file(str(place.file("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def special(place: Place, name: str) -> str | None:
    """The text of a special token such as `pad_token`, as `transformers` would read it."""
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        if place.has(file) and (value := place.json(file).get(name)):
            return value["content"] if isinstance(value, dict) else value
    return None


def add(tokenizer: Tokenizer, names: list[str]) -> None:
    """Adds special tokens in this order, each with the next free id; those that are there keep theirs."""
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])


def id_of(tokenizer: Tokenizer, name: str, rows: int) -> int:
    """A token's id, which must be a row of the embedding."""
    found = tokenizer.token_to_id(name)
    if found is None or found >= rows:
        raise CheckpointError(
            f"the token `{name}` has id {found}, and the checkpoint's embedding has {rows} rows: "
            "this is not the tokenizer that the checkpoint was trained with; name another with --tokenizer"
        )
    return found


def same_size(tokenizer: Tokenizer, rows: int) -> None:
    """The embedding was resized to the tokenizer; another number means another tokenizer, and so other ids."""
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    if size != rows:
        raise CheckpointError(
            f"the tokenizer has {size} tokens with those added, and the checkpoint's embedding {rows} rows: "
            "special tokens would get ids that they were not trained with; name another tokenizer with --tokenizer"
        )
    writable(tokenizer, rows, rows)


def writable(tokenizer: Tokenizer, logits: int, rows: int) -> int:
    """How many of so many logits are tokens; `rows` are the embedding's.

    A vocabulary may be filled up to a round number: rows of the head that no token has were never trained, what they
    say is noise, and a model must not be able to write them. So they are left out of the graph.
    """
    end = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
    if end > rows:
        raise CheckpointError(
            f"the tokenizer has ids up to {end - 1}, and the checkpoint's embedding {rows} rows: this is not the "
            "tokenizer that the checkpoint was trained with; name another with --tokenizer"
        )
    return min(logits, end)


def has_words(tokenizer: Tokenizer) -> bool:
    """Whether a text gets a leading space by itself (SentencePiece), so that none is written before a word."""
    return tokenizer.encode("a", add_special_tokens=False).tokens[0].startswith("\u2581")


def joins(tokenizer: Tokenizer, parts: list[dict], question: str = "is the gate open?") -> bool:
    """Whether a prompt's parts, encoded one by one, give the ids of the whole text that the model was trained with."""
    ids, text, space = [], "", "" if not has_words(tokenizer) else " "
    before = ""
    for part, following in zip(parts, [*parts[1:], {}], strict=True):
        if "token" in part:
            ids.append(tokenizer.token_to_id(part["token"]))
            text += part["token"]
            continue
        piece = part.get("text", question)
        text += piece if text.endswith(">") or not text else space + piece
        piece, before = before + piece, ""
        if following.get("slot") == "question" and piece.endswith(" "):  # the service encodes it with the question
            piece, before = piece[:-1], " "
        ids += tokenizer.encode(piece, add_special_tokens=False).ids
    return ids == tokenizer.encode(text, add_special_tokens=False).ids
