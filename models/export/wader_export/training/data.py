"""Training batches: simulated clips with their targets, questions packed into rows. Made in a worker process."""

import multiprocessing
import os
from dataclasses import dataclass
from queue import Full
from random import Random

import numpy as np

from .. import tokens
from ..questions import Question, Writer
from ..questions.words import NONE
from ..sim import PEOPLE, Backdrops, blindness, simulate, sources
from ..sim.truth import INDEX, UNCLEAR, UNKNOWN, truth
from . import bank, restaged
from .bank import Bank

CAPTION_WEIGHT = 0.5
TIMES = ("when_came", "when_left")  # kinds that answer a number of seconds
FRAMES = (8, 4, 16)
FRAMES_SHARE = (0.70, 0.13, 0.17)
INTERLEAVED = 4  # every so many steps the rows hold three media each
WORKER_SEEDS = 1_000_003  # from the seed of one worker to the next one's: no two stages of two workers meet
PHOTOGRAPHS = 9  # one clip in so many is a real photograph of the half for training ...
OF_CLOTHES = 0.4  # ... and such a part of the questions about it is of clothes, where their answers are balanced ...
OF_CLOTHES_OF_NOBODY = 0.04  # ... or such a part, where nobody is
STUDIED = {"wearing": 2.0, "still": 2.0}  # what is learnt slowest, asked so many times more often than in tests
# Real pictures show less of clothes and of a pause than simulated scenes do, and more that is like a person: answers are held
# towards so many yes to one no, and the model says yes on so much less.
ODDS = {"wearing": 4.0, "top": 4.0, "trousers": 4.0, "still": 3.0, "presence": 0.35, "absence": 2.8}
BUCKETS = (0.0, 0.6, 0.88, 1.0)  # rows sorted by length are run in these groups


@dataclass(frozen=True)
class Feeding:
    """How a run is fed: clips a step, questions a clip, and processes that make them."""

    clips: int = 64
    questions: int = 4
    workers: int = 1


@dataclass
class Rows:
    """Text rows of about equal length."""

    ids: np.ndarray  # [R, L]
    weight: np.ndarray  # [R, L] loss weight of each token
    media: np.ndarray  # [R, M] clip of each medium
    media_index: np.ndarray  # [R, L]
    time: np.ndarray  # [R, L] the token is an answer in seconds, to which its neighbours are near


@dataclass
class Segment:
    """A question and its answer in ids."""

    prompt: list[int]
    answer: list[int]
    weight: float  # of the answer's loss
    time: bool  # the answer is a number of seconds

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass
class Batch:
    """Clips, their targets and the text rows about them."""

    frames: np.ndarray
    seconds: np.ndarray
    present: np.ndarray
    state: np.ndarray  # for the state head
    told: np.ndarray  # for questions: of a photograph it is known whether people are on the left, but not how many
    photograph: np.ndarray  # [B] what is no simulated scene
    token_targets: dict[str, np.ndarray]
    rows: list[Rows]
    questions: list[list[Question]]


def token_targets(world, facts, thing: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """Targets of single tokens [B, T, K]; UNCLEAR where there is none."""
    clip, frame = np.arange(len(thing))[:, None, None], np.arange(thing.shape[1])[None, :, None]
    who = thing.clip(0)
    sees = (world.blindness == blindness.SEES)[:, None]
    valid = (present & present.any(1, keepdims=True) & sees)[:, :, None]
    person = (thing >= 0) & (thing < PEOPLE) & valid
    direction = facts.direction[clip, who]
    return {
        "real": np.where(valid, thing >= 0, UNCLEAR).astype(np.int64),
        "direction": np.where(person & (direction < UNKNOWN), direction, UNCLEAR).astype(np.int64),
        "enters": np.where(person, facts.enters[clip, who], UNCLEAR).astype(np.int64),
        "leaves": np.where(person, facts.leaves[clip, who], UNCLEAR).astype(np.int64),
        "velocity": facts.velocity[clip, who, frame].astype(np.float32),
    }


def segment(words: tokens.Words, question: Question, random: Random) -> Segment:
    """A question in ids; a caption is asked for in words or by its own token."""
    caption = question.kind == "caption"
    bare = caption and random.random() < 0.3
    prompt = list(tokens.CAPTION_IDS) if bare else tokens.question_ids(words, question.text)
    answer = [*words.encode(question.answer), tokens.END]
    return Segment(
        prompt, answer, CAPTION_WEIGHT if caption else 1.0, question.kind in TIMES and question.answer != NONE
    )


def pack(items: list[tuple[list[Segment], list[int]]]) -> list[Rows]:
    """Rows (segments, their media) sorted by length and cut into groups."""
    items = sorted(items, key=lambda item: sum(map(len, item[0])))
    groups = []
    for low, high in zip(BUCKETS, BUCKETS[1:]):
        group = items[int(low * len(items)) : int(high * len(items))]
        if not group:
            continue
        length = max(sum(map(len, segments)) for segments, _ in group)
        ids = np.zeros((len(group), length), np.int64)
        weight = np.zeros((len(group), length), np.float32)
        time = np.zeros((len(group), length), bool)
        index = np.full((len(group), length), -1, np.int64)
        for row, (segments, _) in enumerate(group):
            at = 0
            for number, piece in enumerate(segments):
                first, end = at + len(piece.prompt), at + len(piece)
                ids[row, at:end] = piece.prompt + piece.answer
                weight[row, first:end] = piece.weight
                time[row, first] = piece.time
                index[row, at:] = number
                at = end
        groups.append(Rows(ids, weight, np.array([media for _, media in group]), index, time))
    return groups


class Maker:
    """Makes batches of a split from a seed; with a bank some clips are photographs, and some scenes stand before one."""

    def __init__(
        self, tokenizer, seed: int, split: str = "train", questions: int = Feeding.questions, photographs: Bank | None = None
    ):
        self.photographs = photographs
        self.backdrops = photographs and Backdrops(photographs.tokens, photographs.backdrop)
        self.words = tokens.Words(tokenizer)
        self.rng, self.random = sources(split, seed)
        trained = split == "train"
        self.writer = Writer(self.random, multiples=STUDIED if trained else None, odds=ODDS if trained else None)
        # few photographs show one of ten colours: where all questions share one balance, a real picture means that none is worn
        self.clothes_writer = Writer(self.random, odds=ODDS if trained else None)
        self.questions = questions
        self.step = 0

    def clips(self, count: int, frames: int) -> Batch:
        """Clips without text."""
        world, features = simulate(count, frames, self.rng, backdrops=self.backdrops)
        facts = truth(world)
        present = world.present
        targets = token_targets(world, facts, features.thing, present)
        times = world.times.astype(np.float32)
        photograph = np.zeros(count, bool)
        batch = Batch(features.tokens, times, present, facts.state, facts.state.copy(), photograph, targets, [], [])
        if self.photographs is not None:
            self.show_photographs(batch)
        return batch

    def show_photographs(self, batch: Batch) -> None:
        """Photographs in the place of the last clips; nothing but questions is asked about them."""
        count, frames = len(batch.frames) // PHOTOGRAPHS, batch.frames.shape[1]
        last = slice(len(batch.frames) - count, None)
        batch.photograph[last] = True
        which = self.rng.choice(len(self.photographs.tokens), count, p=self.photographs.chance)
        shown = np.sort(self.rng.permutation(self.photographs.tokens.shape[1])[:frames])
        tokens, free = self.photographs.tokens[which][:, shown], self.photographs.backdrop[which][:, shown]
        false = self.photographs.chance * (self.photographs.backdrop.sum(-1).mean(-1) + 0.5)
        beside = self.rng.choice(len(self.photographs.tokens), count, p=false / false.sum())
        other, other_free = self.photographs.tokens[beside][:, shown], self.photographs.backdrop[beside][:, shown]
        anew = (self.rng.random(count) < restaged.SHARE)[:, None, None, None]
        batch.frames[last] = np.where(anew, restaged.restaged(tokens, free, other, other_free, self.rng), tokens)
        batch.told[last], batch.state[last] = self.photographs.state[which], UNCLEAR
        for name in ("real", "direction", "enters", "leaves"):
            batch.token_targets[name][last] = UNCLEAR

    def batch(self, count: int, text: bool) -> Batch:
        """One training batch."""
        frames = int(self.rng.choice(FRAMES, p=FRAMES_SHARE))
        batch = self.clips(count if frames <= 8 else count // 2, frames)
        self.step += 1
        if text:
            interleaved = self.step % INTERLEAVED == 0
            batch.rows = self.interleaved(batch) if interleaved else self.single(batch)
        return batch

    def ask(self, batch: Batch, clip: int) -> Question:
        """One question about a clip."""
        of_clothes = None
        somebody = batch.told[clip, INDEX["ever"]] != 0
        if batch.photograph[clip] and self.random.random() < (OF_CLOTHES if somebody else OF_CLOTHES_OF_NOBODY):
            of_clothes = self.clothes_writer.one(batch.told[clip], "wearing")
        return of_clothes or self.writer.one(batch.told[clip])

    def single(self, batch: Batch) -> list[Rows]:
        """Each row one clip and one question."""
        items = []
        for clip in range(len(batch.told)):
            asked = [self.ask(batch, clip) for _ in range(self.questions)]
            batch.questions.append(asked)
            items += [([segment(self.words, q, self.random)], [clip]) for q in asked]
        return pack(items)

    def interleaved(self, batch: Batch) -> list[Rows]:
        """Each row two or three clips, each with its question: a token sees the latest medium only."""
        items = []
        for _ in range(len(batch.told)):
            media = self.random.sample(range(len(batch.told)), self.random.choice((2, 3, 3)))
            segments = [segment(self.words, self.ask(batch, m), self.random) for m in media]
            items.append((segments, media + [media[-1]] * (3 - len(media))))
        return pack(items)


def work(queue, tokenizer_json: str, seed: int, feeding: Feeding, text: bool) -> None:
    """A worker: fills the queue for ever."""
    from tokenizers import Tokenizer

    os.nice(3)
    queue.cancel_join_thread()  # nor wait at its end for somebody who takes the last batch
    parent = os.getppid()
    maker = Maker(Tokenizer.from_str(tokenizer_json), seed, questions=feeding.questions, photographs=bank.load())
    while os.getppid() == parent:  # a trainer that was killed must not leave its worker behind
        batch = maker.batch(feeding.clips, text)
        while os.getppid() == parent:
            try:
                queue.put(batch, timeout=2.0)
                break
            except Full:
                continue


class Feeder:
    """Batches from worker processes; stop it with `close`."""

    def __init__(self, tokenizer, seed: int, feeding: Feeding, text: bool):
        context = multiprocessing.get_context("spawn")
        self.queue = context.Queue(maxsize=4 * feeding.workers)
        self.processes = [
            context.Process(target=work, args=(self.queue, tokenizer.to_str(), one, feeding, text), daemon=True)
            for one in range(seed, seed + WORKER_SEEDS * feeding.workers, WORKER_SEEDS)
        ]
        for process in self.processes:
            process.start()

    def next(self) -> Batch:
        return self.queue.get()

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join()
