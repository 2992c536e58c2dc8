"""Training-only heads: the state of the scene from the latents, and per token what it is and does."""

import torch
from torch import Tensor, nn

from ..sim.truth import HEADS as NAMES
from ..sim.truth import MOST
from .layers import Heads, feed_forward
from .resampler import HEADS, WIDTH

VALUES = MOST + 1
TOKEN_OUTPUTS = {"real": 2, "direction": 5, "enters": 2, "leaves": 2, "velocity": 2}


class StateHead(nn.Module):
    """One learned question per state value, answered by attention to the latents."""

    def __init__(self):
        super().__init__()
        self.asks = nn.Parameter(torch.randn(len(NAMES), WIDTH) * 0.5)
        self.heads = Heads(WIDTH, HEADS)
        self.feed = feed_forward(WIDTH, 2)
        self.norm = nn.LayerNorm(WIDTH)
        self.weight = nn.Parameter(torch.randn(len(NAMES), WIDTH, VALUES) * 0.05)
        self.bias = nn.Parameter(torch.zeros(len(NAMES), VALUES))
        self.token = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, sum(TOKEN_OUTPUTS.values())))

    def forward(self, latents: Tensor) -> Tensor:
        """[B, heads, VALUES] logits."""
        x = self.asks.expand(latents.shape[0], -1, -1)
        x = x + self.heads(x, latents)
        x = self.norm(x + self.feed(x)).float()
        return torch.einsum("bqd,qdk->bqk", x, self.weight) + self.bias

    def tokens(self, mixed: Tensor) -> dict[str, Tensor]:
        """Outputs for single tokens."""
        return dict(zip(TOKEN_OUTPUTS, self.token(mixed).float().split(list(TOKEN_OUTPUTS.values()), -1)))
