"""The losses: state of the scene, single tokens, words of the answers."""

import torch
from torch import Tensor
from torch.nn import functional

from .. import layout
from ..nn.flamingo import Flamingo
from ..nn.resampler import READ_OBJECTS, READ_TOKENS
from ..nn.state_head import VALUES
from ..questions.words import SECONDS
from ..sim.truth import HEADS, UNCLEAR
from ..tokens import Words
from .data import Batch, Rows
from .device import placed

TOKEN_WEIGHT = 0.25
NEAR_SECONDS, NEAR_SHARE = 0.35, 0.06  # how far a time may be off: in seconds, and as a part of it


def tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of the resampler."""
    return placed(batch.frames), placed(batch.seconds), placed(batch.present)


def state_loss(model: Flamingo, latents: Tensor, mixed: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the state head, and of what each token is and does."""
    target = placed(batch.state[:, : len(HEADS)])
    logits = model.head(latents)
    state = functional.cross_entropy(logits.reshape(-1, VALUES), target.reshape(-1), ignore_index=UNCLEAR)
    count = batch.frames.shape[1]
    objects = mixed.reshape(len(target), count, READ_TOKENS, -1)[:, :, :READ_OBJECTS]
    outputs = model.head.tokens(objects)
    valid = placed(batch.frames[:, :, :READ_OBJECTS, layout.VALID] > 0)
    token = torch.zeros(())
    for name in ("real", "direction", "enters", "leaves"):
        wanted = torch.where(valid, placed(batch.token_targets[name][:, :, :READ_OBJECTS]), UNCLEAR)
        keep = wanted != UNCLEAR
        if keep.any():
            token = token + functional.cross_entropy(outputs[name][keep], wanted[keep])
    moving = valid & placed(batch.token_targets["direction"][:, :, :READ_OBJECTS] != UNCLEAR)
    if moving.any():
        speed = placed(batch.token_targets["velocity"][:, :, :READ_OBJECTS])
        token = token + (outputs["velocity"] - speed)[moving].abs().mean()
    with torch.no_grad():
        known = target != UNCLEAR
        right = ((logits.argmax(-1) == target) & known).sum() / known.sum()
    return state + TOKEN_WEIGHT * token, {"state": state.item(), "token": token.item(), "right": right.item()}


def media_of(model: Flamingo, latents: Tensor, rows: Rows) -> Tensor:
    """Keys and values of the media of each row [R, M, layers, 2, heads, N, w]."""
    media = model.decoder.media(latents)
    chosen = media.index_select(0, placed(rows.media).reshape(-1))
    return chosen.reshape(*rows.media.shape, *media.shape[1:])


def near_times(words: Words) -> Tensor:
    """[vocabulary, vocabulary]: what to expect at each word of an answer: of a time also its neighbours, else itself."""
    ids, seconds = torch.tensor([words.ids[w] for w in SECONDS]), torch.arange(len(SECONDS)).float()
    off = (seconds[:, None] - seconds[None, :]).abs() / (NEAR_SECONDS + NEAR_SHARE * seconds[:, None])
    result = torch.eye(words.size)
    result[ids[:, None], ids[None, :]] = (-off).softmax(-1)
    return result


def text_loss(model: Flamingo, latents: Tensor | None, batch: Batch, near: Tensor, everything: bool = False) -> Tensor:
    """Cross-entropy on the answers' words (`everything`: on all words, for the language model alone).

    `near`: from `near_times`; a time of three seconds that is taken for four is less wrong than nine.
    """
    total, weight = torch.zeros(()), 0.0
    for rows in batch.rows:
        ids = placed(rows.ids)
        index = placed(rows.media_index)[:, :-1]
        if latents is None:
            logits = model.decoder(ids[:, :-1])
        else:
            logits = model.decoder(ids[:, :-1], media_of(model, latents, rows), index)
        share = (ids[:, 1:] > 0).float() if everything else placed(rows.weight)[:, 1:]
        keep = share > 0
        chosen, wanted, time = logits[keep].float(), ids[:, 1:][keep], placed(rows.time)[:, 1:][keep]
        loss = functional.cross_entropy(chosen, wanted, reduction="none")
        if time.any():
            loss[time] = functional.cross_entropy(chosen[time], near[wanted[time]], reduction="none")
        total = total + (loss * share[keep]).sum()
        weight += float(share.sum())
    return total / max(weight, 1.0)
