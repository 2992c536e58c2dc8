"""Trains the comparer on synthetic episodes; stops and goes on where it stopped; every figure goes to log.jsonl."""

import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from . import draws
from .comparer import Comparer

BATCH, RATE, DECAY, WARM_STEPS = 12, 3e-3, 0.02, 60
HELD_OUT = 100  # the last episodes are for validation
FIND = 0.1  # how much finding the changed cells counts beside the answer
REPORT_SECONDS = 40


def loss_of(model: Comparer, batch: draws.Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross entropy of the answers, and of the cells' weights against the cells that truly change."""
    logits, weights = model(batch.query, batch.examples, batch.states, batch.region)
    answer = functional.binary_cross_entropy_with_logits(logits, batch.target)
    truth = batch.where & (batch.region > 0.5)
    found = (weights.softmax(-1) * truth).sum(-1).clamp(min=1e-4).log()
    find = -(found * (batch.sound & truth.any(-1))).mean()
    return answer, find


def calibration_error(probability: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of the probability of state 1, over equal bins of the surer side."""
    sure, right = np.maximum(probability, 1 - probability), (probability > 0.5) == (truth > 0.5)
    place = ((sure - 0.5) * 2 * bins).astype(int).clip(0, bins - 1)
    parts = [(place == b) for b in range(bins)]
    return float(sum(p.sum() * abs(sure[p].mean() - right[p].mean()) for p in parts if p.any()) / len(sure))


def validate(model: Comparer, episodes: draws.Episodes, rounds: int = 3) -> dict:
    """Accuracy on held-out episodes by examples a state, with one example and a region, and the calibration error."""
    rng, result = np.random.default_rng(9), {}
    every: list[tuple[np.ndarray, np.ndarray]] = []
    model.eval()
    for most, marked in ((1, 0.0), (1, 1.0), (2, 0.0), (4, 0.0), (8, 0.0)):
        right = []
        for _ in range(rounds):
            batch = draws.draw(episodes, rng, 16, most, marked, 0.0, 0.0, False)
            with torch.no_grad():
                logits, _ = model(batch.query, batch.examples, batch.states, batch.region)
            right.append(((logits > 0) == (batch.target > 0.5)).float().mean().item())
            every.append((logits.sigmoid().numpy().ravel(), batch.target.numpy().ravel()))
        result[f"{most}{' marked' if marked else ''}"] = round(float(np.mean(right)), 4)
    result["calibration"] = round(calibration_error(*(np.concatenate(v) for v in zip(*every))), 4)
    model.train()
    return result


def train(data: tuple, folder: Path, minutes: float, seed: int = 1) -> Comparer:
    """Trains for so many minutes of processor time in all; the result is `comparer.pt` in the run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    final, checkpoint = folder / "comparer.pt", folder / "checkpoint.pt"
    torch.manual_seed(seed)
    model, step, spent = Comparer(), 0, 0.0
    if final.exists():
        model.load_state_dict(torch.load(final))
        return model.eval()
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        step, spent = saved["step"], saved["spent"]
    teach = draws.Episodes(*(d[:-HELD_OUT] for d in data))
    check = draws.Episodes(*(d[-HELD_OUT:] for d in data))
    rng, start, shown, losses = np.random.default_rng([seed, step]), time.process_time() - spent, spent, []
    while (spent := time.process_time() - start) < minutes * 60:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_STEPS) * max(0.01, 1 - spent / (minutes * 60))
        most = int(rng.choice(draws.COUNTS, p=draws.SHARES))
        answer, find = loss_of(model, draws.draw(teach, rng, BATCH, most))
        optimiser.zero_grad()
        (answer + FIND * find).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        losses.append((answer.item(), find.item()))
        if spent - shown > REPORT_SECONDS:
            shown = spent
            mean = np.mean(losses, 0)
            losses = []
            report(folder, step, spent, answer=round(mean[0], 4), find=round(mean[1], 4), **validate(model, check))
            saved = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": spent}
            torch.save(saved, checkpoint)
    report(folder, step, spent, **validate(model, check, 16))
    torch.save(model.state_dict(), final)
    return model.eval()


def report(folder: Path, step: int, spent: float, **figures) -> None:
    """One line for the log and the terminal."""
    facts = {"at": round(time.time(), 1), "stage": "examples", "step": step, "elapsed": round(spent, 1)}
    line = json.dumps(facts | figures)
    with open(folder / "log.jsonl", "a") as log:
        log.write(line + "\n")
    print(line, flush=True)
