"""The tokenizer: whole words, lower case, punctuation apart; written by the `tokenizers` library."""

from random import Random

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from .questions import Writer
from .questions.words import NONE, PLACES, SECONDS, UNCLEAR_ANSWER
from .sim import colours, simulate
from .sim.truth import truth

SPECIAL = ("<pad>", "<image>", "<eoc>", "<unk>", "question:", "answer:", "output:")
PAD, IMAGE, END, UNKNOWN, QUESTION, ANSWER, OUTPUT = range(7)


def text_words(text: str) -> list[str]:
    """The words and marks of a text, as the tokenizer cuts them."""
    pieces = pre_tokenizers.Whitespace().pre_tokenize_str(text.lower())
    return [piece for piece, _ in pieces]


def vocabulary(scenes: int = 3000, questions: int = 40) -> list[str]:
    """Every word the question writer uses, found by letting it write; sorted, so that it is reproducible."""
    rng, writer = np.random.default_rng(5), Writer(Random(5))
    words = {"yes", "no", "rises", "falls", "left", "right", NONE, UNCLEAR_ANSWER, *SECONDS, *colours.NAMES}
    words |= {str(n) for n in range(13)} | {w for place in PLACES for w in text_words(place)}
    for start in range(0, scenes, 250):
        frames = (8, 16, 4)[start // 250 % 3]
        for state in truth(simulate(250, frames, rng)[0]).state:
            for _ in range(questions):
                question = writer.one(state)
                words.update(text_words(question.text))
                words.update(text_words(question.answer))
    return sorted(words)


def build(words: list[str]) -> Tokenizer:
    """The tokenizer with special tokens first."""
    ids = {word: i for i, word in enumerate((*SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=SPECIAL[UNKNOWN]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    return tokenizer


class Words:
    """Quick word-to-id table for training (the same cuts as the tokenizer's)."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.ids = tokenizer.get_vocab()
        self.size = tokenizer.get_vocab_size()
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Ids of a plain text."""
        if text not in self.known:
            if len(self.known) > 50000:
                self.known.clear()
            self.known[text] = [self.ids.get(w, UNKNOWN) for w in text_words(text)]
        return self.known[text]

    def decode(self, ids) -> str:
        """The text of ids."""
        return self.tokenizer.decode([int(i) for i in ids], skip_special_tokens=True)


def question_ids(words: Words, text: str) -> list[int]:
    """``<image> question: TEXT answer:``"""
    return [IMAGE, QUESTION, *words.encode(text), ANSWER]


CAPTION_IDS = [IMAGE, OUTPUT]
