"""The peer: the same resampler and decoder in PyTorch, eager, on the same device. Its weights are random, its cost is not.

    peer.py EXPORT MODEL DEVICE SECONDS

The vision encoder has no PyTorch form and is left out, which is to the peer's advantage. `alone` is how Flamingo is
mostly served: each question by itself, its window through the resampler again; `batched` gives the peer wader's batches.
"""

import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import torch

FRAMES, WORDS, TOKENS = 8, 9, 20


def say(what: str, **finding) -> None:
    """One finding."""
    print(json.dumps({"what": what, "finding": finding}), flush=True)


def timed(call, device: str, seconds: float) -> float:
    """The median of a call's seconds, to the end of the device's work."""
    finish = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    times, begun = [], time.perf_counter()
    for turn in range(1000):
        finish()
        before = time.perf_counter()
        call()
        finish()
        if turn >= 2:
            times.append(time.perf_counter() - before)
        if len(times) >= 5 and time.perf_counter() - begun > seconds:
            break
    return statistics.median(times)


class Peer:
    """Resampler and decoder, eager."""

    def __init__(self, vocabulary: int):
        from wader_export.graphs.modules import DecoderGraph, ResamplerGraph
        from wader_export.nn.decoder import Decoder
        from wader_export.nn.resampler import Resampler

        decoder = Decoder(vocabulary)
        self.layers, self.heads = len(decoder.blocks), decoder.blocks[0].heads.heads
        self.width = decoder.embedding.weight.shape[1] // self.heads
        self.resampler, self.decoder = ResamplerGraph(Resampler(), decoder).eval(), DecoderGraph(decoder).eval()

    def media(self, windows: int) -> torch.Tensor:
        """Media K/V of so many windows of drawn features."""
        bank = torch.rand(windows * FRAMES, 25, 24)
        index = torch.arange(windows * FRAMES).reshape(windows, FRAMES)
        return self.resampler(bank, index, (torch.arange(FRAMES) - 7.0).expand(windows, FRAMES))

    def call(self, media: torch.Tensor, rows: int, width: int, past: list | None = None) -> tuple:
        """One decoder call of so many rows and tokens."""
        before = past[0].shape[2] if past else 0
        past = past or [torch.zeros(rows, self.heads, 0, self.width)] * (2 * self.layers)
        ids = torch.full((rows, width), 5)
        mask = torch.ones(rows, before + width, dtype=torch.long)
        place = (torch.arange(width) + before).expand(rows, width)
        index = (torch.arange(rows) % media.shape[0])[:, None].expand(rows, width)
        last = torch.full((rows, 1), width - 1)
        return self.decoder(ids, mask, place, index, last, torch.tensor(1.0), media, past)

    def answers(self, windows: int, prompts: int) -> None:
        """Closed answers: one pass, and the numbers fetched."""
        self.call(self.media(windows), windows * prompts, WORDS)[0].cpu()

    def text(self, media: torch.Tensor, rows: int) -> None:
        """A text of each row, K/V kept."""
        logits, *past = self.call(media, rows, WORDS)
        for _ in range(TOKENS - 1):
            logits.argmax(-1).cpu()
            logits, *past = self.call(media, rows, 1, past)
        logits.argmax(-1).cpu()


def main() -> None:
    """Measures what wader is measured by."""
    export, model, device, seconds = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    sys.path.insert(0, str(export))
    torch.set_default_device(device)
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    vocabulary = json.loads((model / "manifest.json").read_text())["decoder"]["vocab"]
    share = seconds / 7
    with torch.inference_mode():
        peer = Peer(vocabulary)
        say("peer", torch=torch.__version__, cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version())
        alone = timed(partial(peer.answers, 1, 1), device, share)
        say("peer_answers", arm="alone", cameras=1, prompts=1, answers_per_second=1 / alone)
        for windows, prompts in ((16, 4), (16, 16)):
            batch = timed(partial(peer.answers, windows, prompts), device, share)
            rate = windows * prompts / batch
            say("peer_answers", arm="batched", cameras=windows, prompts=prompts, answers_per_second=rate)
        for rows in (1, 4, 16, 64):
            media = peer.media(min(rows, 16))
            whole = timed(partial(peer.text, media, rows), device, share)
            say("peer_decode", rows=rows, ms_per_step=whole / TOKENS * 1e3, tokens_per_second=rows * TOKENS / whole)


if __name__ == "__main__":
    main()
