"""The training command: stages by time, resumable at any moment, every figure in one JSON-lines log.

Stages (the recipe of Flamingo's frozen language model, with a state head before it so that the resampler already
carries the scene when the words come): ``state`` resampler against the state head; ``text`` language model on
question and answer text alone; ``bridge`` cross-attention with the language model frozen; ``joint`` everything.
A run that starts from an earlier model needs two: ``adapt`` a new state head and gently the resampler (a run folder has its
head, and goes without), ``joint``.
Or one: ``words`` language model and cross-attention, with the resampler frozen.
"""

import json
import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from .. import tokens
from ..nn.flamingo import Flamingo
from . import earlier
from .check import HeldOut, by_kind
from .data import Batch, Feeder, Feeding
from .device import on_gpu, quick
from .losses import near_times, state_loss, tensors, text_loss


@dataclass(frozen=True)
class Stage:
    """One stage: its part of the whole time, learning rate, and what is trained."""

    name: str
    share: float
    rate: float
    final: float  # part of the rate that is left at the end
    text: bool
    state_weight: float
    watched: bool = True  # questions are about clips, not about text alone


STAGES = (
    Stage("state", 0.22, 1.6e-3, 0.15, False, 1.0),
    Stage("text", 0.04, 2.0e-3, 0.1, True, 0.0, watched=False),
    Stage("bridge", 0.04, 1.2e-3, 0.8, True, 0.5),
    Stage("joint", 0.70, 1.0e-3, 0.0, True, 0.4),
)
CONTINUED = (
    Stage("adapt", 0.08, 1.6e-3, 0.5, False, 1.0),
    Stage("joint", 0.92, 8.0e-4, 0.0, True, 0.4),
)
TUNED = (Stage("joint", 1.0, 4.0e-4, 0.0, True, 0.4),)  # a short run after a change of the simulator
WORDS = (Stage("words", 1.0, 6.0e-4, 0.0, True, 0.0),)  # what is seen stays as it is, what is said of it is learnt anew
WARM_STEPS = 80
ADAPTING_RATE = 0.25  # of the rate, for a resampler that already sees
RESAMPLER_RATE = 0.6  # of the rate, once words are trained
GATE_RATE = 5.0
WEIGHT_DECAY = 0.02
SAVE_EVERY, CHECK_EVERY = 45.0, 240.0
LONGEST_STEP = 10.0  # seconds; what is longer was a pause of the machine, and no training


def groups(model: Flamingo, stage: Stage) -> list[dict]:
    """Parameter groups of a stage with their multiple of the rate; everything else is frozen."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    gates = [p for n, p in model.decoder.gated.named_parameters() if n.endswith("_gate")]
    crossing = [p for n, p in model.decoder.gated.named_parameters() if not n.endswith("_gate")]
    language = [p for n, p in model.decoder.named_parameters() if not n.startswith("gated.")]
    seeing = list(model.resampler.parameters())
    head = list(model.head.parameters())
    chosen = {
        "state": [(seeing, 1.0, True), (head, 1.0, True)],
        "adapt": [(seeing, ADAPTING_RATE, True), (head, 1.0, True)],
        "text": [(language, 1.0, True)],
        "words": [(crossing + language, 1.0, True), (gates, GATE_RATE, False)],
        "bridge": [(crossing, 1.0, True), (gates, GATE_RATE, False), (seeing, RESAMPLER_RATE, True), (head, 1.0, True)],
        "joint": [
            (crossing + language, 1.0, True), (gates, GATE_RATE, False),
            (seeing, RESAMPLER_RATE, True), (head, 1.0, True),
        ],
    }[stage.name]  # fmt: skip
    result = []
    for parameters, multiple, decay in chosen:
        for parameter in parameters:
            parameter.requires_grad_(True)
        result.append({"params": parameters, "multiple": multiple, "weight_decay": WEIGHT_DECAY if decay else 0.0})
    return result


class Run:
    """A training run in a folder: checkpoint.pt, tokenizer.json, log.jsonl."""

    def __init__(self, folder: Path, minutes: float, feeding: Feeding, seed: int, stages=None, start: Path | None = None):
        self.folder, self.minutes, self.feeding, self.seed = folder, minutes, feeding, seed
        folder.mkdir(parents=True, exist_ok=True)
        words = folder / "tokenizer.json"
        if not words.exists():
            tokens.build(tokens.vocabulary()).save(str(words))
        self.tokenizer = Tokenizer.from_file(str(words))
        self.near = near_times(tokens.Words(self.tokenizer))
        torch.manual_seed(seed)
        self.model = Flamingo(self.tokenizer.get_vocab_size())
        self.stages = stages or (CONTINUED if start else STAGES)
        self.stage, self.elapsed, self.step, self.optimiser_state = 0, 0.0, 0, None
        if (folder / "checkpoint.pt").exists():
            self.load()
        elif start is not None:
            taken = earlier.take(self.model, self.tokenizer, start)
            print(f"starting from {start}: {taken}", flush=True)
            if self.stages is CONTINUED and "head" not in taken.new:
                self.stage = 1  # the head reads what the resampler writes

    def load(self) -> None:
        saved = torch.load(self.folder / "checkpoint.pt", map_location=torch.get_default_device())
        self.model.load_state_dict(saved["model"])
        self.stage, self.elapsed, self.step = saved["stage"], saved["elapsed"], saved["step"]
        self.optimiser_state = saved["optimiser"]
        print(f"resumed: stage {self.stage}, {self.elapsed:.0f} s into it, step {self.step}", flush=True)

    def save(self, optimiser) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "stage": self.stage,
            "elapsed": self.elapsed,
            "step": self.step,
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def log(self, **figures) -> None:
        with open(self.folder / "log.jsonl", "a") as handle:
            handle.write(json.dumps({"at": round(time.time(), 1), **figures}) + "\n")

    def train(self) -> None:
        counts = {n: sum(p.numel() for p in m.parameters()) for n, m in self.model.named_children()}
        print("parameters", counts, "words", self.tokenizer.get_vocab_size(), flush=True)
        held_out = HeldOut(self.tokenizer)
        while self.stage < len(self.stages):
            self.run_stage(self.stages[self.stage], held_out)
            self.stage, self.elapsed, self.optimiser_state = self.stage + 1, 0.0, None
        torch.save({name: value.cpu() for name, value in self.model.state_dict().items()}, self.folder / "final.pt")
        print("finished", flush=True)

    def run_stage(self, stage: Stage, held_out: HeldOut) -> None:
        optimiser = torch.optim.AdamW(groups(self.model, stage), lr=stage.rate, betas=(0.9, 0.97), fused=on_gpu())
        if self.optimiser_state is not None:
            optimiser.load_state_dict(self.optimiser_state)
        trained = [p for g in optimiser.param_groups for p in g["params"]]
        budget = stage.share * self.minutes * 60
        feeder = Feeder(self.tokenizer, self.seed + 1000 * self.stage + self.step, self.feeding, stage.text)
        recent, first_step = deque(maxlen=60), self.step
        last, saved, checked, said = time.time(), time.time(), time.time(), 0.0
        warm_steps = WARM_STEPS if self.elapsed == 0 else 1
        try:
            while self.elapsed < budget:
                part = self.elapsed / budget
                warm = min(1.0, (self.step - first_step + 1) / warm_steps)
                fall = stage.final + (1 - stage.final) * min(1.0, (1 - part) / 0.7)
                for group in optimiser.param_groups:
                    group["lr"] = stage.rate * warm * fall * group["multiple"] + 1e-7
                recent.append(self.one_step(stage, feeder.next(), optimiser, trained))
                self.step += 1
                now = time.time()
                self.elapsed, last = self.elapsed + min(now - last, LONGEST_STEP), now
                if now - said > 20:
                    said = now
                    self.tell(stage, recent, budget)
                if now - saved > SAVE_EVERY:
                    self.save(optimiser)
                    saved = time.time()
                if now - checked > CHECK_EVERY:
                    self.check(stage, held_out)
                    checked = last = time.time()
            self.check(stage, held_out)
            self.save(optimiser)
        finally:
            feeder.close()

    def one_step(self, stage: Stage, batch: Batch, optimiser, trained) -> dict[str, float]:
        figures: dict[str, float] = {}
        loss = torch.zeros(())
        latents = None
        if stage.state_weight:
            with quick():
                latents, mixed = self.model.resampler(*tensors(batch))
            state, figures = state_loss(self.model, latents.float(), mixed.float(), batch)
            loss = loss + stage.state_weight * state
        elif stage.watched:
            with quick(), torch.no_grad():
                latents, _ = self.model.resampler(*tensors(batch))
        if stage.text:
            with quick():
                words = text_loss(self.model, latents, batch, self.near, everything=latents is None)
            figures["words"] = words.item()
            loss = loss + words
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        if math.isfinite(loss.item()):
            optimiser.step()
        return figures

    def tell(self, stage: Stage, recent, budget: float) -> None:
        names = sorted({k for f in recent for k in f})
        mean = {n: round(sum(f.get(n, 0.0) for f in recent) / len(recent), 4) for n in names}
        done = f"{stage.name} {self.elapsed:.0f}/{budget:.0f} s step {self.step}"
        print(done, mean, flush=True)
        self.log(stage=stage.name, step=self.step, elapsed=round(self.elapsed, 1), **mean)

    def check(self, stage: Stage, held_out: HeldOut) -> None:
        figures: dict = {}
        if stage.state_weight:
            state = held_out.state(self.model)
            figures["state_mean"] = round(sum(state.values()) / len(state), 4)
            figures["state"] = state
        if stage.text and stage.watched:
            figures["answers"] = by_kind(held_out.answers(self.model))
        short = {k: v for k, v in figures.get("state", {}).items() if k in SHOWN}
        print("held out", figures.get("state_mean"), short, figures.get("answers"), flush=True)
        self.log(stage=stage.name, step=self.step, held_out=figures)


SHOWN = ("now", "first", "left", "walk_left", "walk_right", "still", "entered", "gone", "near", "parked", "upper_black", "paint_white")  # fmt: skip
