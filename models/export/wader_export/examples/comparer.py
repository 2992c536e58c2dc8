"""The comparer: which cells tell the two states apart in the examples, and what the query shows there.

Each cell is embedded, relative to its whole picture (so that night shifts everything alike and little is left). From
the examples alone a small convolution weighs the cells: how far the states are apart there, against how much they
vary. In the query each cell votes by its distance to both states' means: antisymmetric, so that exchanging the states
exchanges the sign. The weighted votes are the log-odds of state 1. Nothing depends on the order of the examples, and
absent ones (state -1) have no effect, whatever they hold.
"""

import torch
from torch import Tensor, nn

from ..nn.layers import MASKED
from . import layout

WIDTH, GROUPS = 40, 4
CONTEXT, HIDDEN = 32, 32
KEY = 8
SMALL = 1e-3


def group_mean(x: Tensor) -> Tensor:
    """[..., WIDTH] -> [..., GROUPS]: mean over the directions of each group."""
    return x.reshape(*x.shape[:-1], GROUPS, WIDTH // GROUPS).mean(-1)


class Embedding(nn.Module):
    """Cells [n, cells, dim] -> embedded cells [n, cells, WIDTH] and a key of the whole picture [n, KEY]."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(layout.DIM, WIDTH)
        self.context = nn.Sequential(nn.Linear(2 * WIDTH, CONTEXT), nn.ReLU())
        self.shift = nn.Linear(2 * WIDTH + CONTEXT, 2 * WIDTH)
        self.key = nn.Linear(2 * WIDTH + CONTEXT, KEY)
        self.rest = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        with torch.no_grad():
            self.shift.weight.zero_()
            self.shift.bias.zero_()
            self.rest[2].weight.zero_()
            self.rest[2].bias.zero_()

    def forward(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(cells)
        mean = x.mean(1)
        spread = torch.sqrt(((x * x).mean(1) - mean * mean).clamp(min=0.0) + SMALL)
        whole = torch.cat([mean, spread], -1)
        whole = torch.cat([whole, self.context(whole)], -1)
        scale, offset = self.shift(whole)[:, None].chunk(2, -1)
        x = x * (1 + scale) + offset
        return x + self.rest(x), self.key(whole)


class Comparer(nn.Module):
    """Queries [batch, queries, cells, dim], examples [batch, K, cells, dim], states [batch, K], region [batch, cells]
    -> log-odds of state 1 [batch, queries] and the cells' weights [batch, cells]."""

    def __init__(self):
        super().__init__()
        self.embed = Embedding()
        self.weigh = nn.Sequential(
            nn.Conv2d(GROUPS + 6, 24, 3, padding=1), nn.ReLU(),
            nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 1, 1),
        )  # fmt: skip
        self.vote = nn.Sequential(
            nn.Linear(8 * GROUPS + 1, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)
        )
        self.hidden = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1))
        self.log_scale = nn.Parameter(torch.tensor(0.7))
        self.log_sharpness = nn.Parameter(torch.tensor(0.0))

    def forward(self, query: Tensor, examples: Tensor, states: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
        batch, queries, cells, dim = query.shape
        count = examples.shape[1]
        z, keys = self.embed(examples.reshape(-1, cells, dim))
        present = (states >= 0)[:, :, None]
        keys = torch.where(present, keys.reshape(batch, count, KEY), torch.zeros(()))
        z = torch.where(present[..., None], z.reshape(batch, count, cells, WIDTH), torch.zeros(()))
        q, asks = self.embed(query.reshape(-1, cells, dim))
        q, asks = q.reshape(batch, queries, cells, WIDTH), asks.reshape(batch, queries, KEY)

        member = torch.stack([states == 0, states == 1], 1).to(z.dtype)  # [batch, 2, K]
        number = member.sum(-1)  # [batch, 2]
        scarce = (1 / number.clamp(min=1.0)).sum(-1) / 2  # 1: one example of each
        flat = z.reshape(batch, count, cells * WIDTH)
        means = torch.matmul(member / number.clamp(min=1.0)[..., None], flat).reshape(batch, 2, cells, WIDTH)
        apart = group_mean((means[:, 1] - means[:, 0]) ** 2) + SMALL  # [batch, cells, GROUPS]
        squares = torch.matmul(member, flat * flat).reshape(batch, 2, cells, WIDTH)
        squares = group_mean((squares - means * means * number[:, :, None, None]).sum(1)).clamp(min=0.0)
        freedom = number.sum(-1) - 2
        varies = squares / freedom.clamp(min=1.0)[:, None, None] + SMALL
        varies = torch.where(freedom[:, None, None] > 0, varies, torch.ones_like(varies))

        weights = self.weights(apart, varies, scarce, region)
        near = self.nearest(asks, keys, member, flat).reshape(batch, queries, 2, cells, WIDTH)
        votes, distance = self.votes(q, means[:, None], near, apart, varies, scarce)
        total = apart.mean(-1)
        facts = torch.stack([distance, total.log()[:, None].expand_as(distance)], -1)
        level = total.mean(1).log()[:, None, None, None].expand(-1, queries, cells, 1)
        facts = torch.cat([facts, level, scarce[:, None, None, None].expand(-1, queries, cells, 1)], -1)
        share = (weights[:, None] + self.hidden(facts)[..., 0]).softmax(-1)
        both = (number.min(-1).values > 0).to(z.dtype)[:, None]
        return (share * votes).sum(-1) * self.log_scale.exp() * both, weights

    def weights(self, apart: Tensor, varies: Tensor, scarce: Tensor, region: Tensor) -> Tensor:
        """How much each cell counts, from the examples alone [batch, cells]; outside the region next to nothing."""
        inside = (region > 0.5).to(apart.dtype)
        outside = (1 - inside) * MASKED
        distance, spread = apart.mean(-1).log(), varies.mean(-1).log()
        most = (distance + outside).max(-1, keepdim=True).values
        mean = (distance * inside).sum(-1, keepdim=True) / inside.sum(-1, keepdim=True).clamp(min=1.0)
        few = scarce[:, None].expand_as(distance)
        below = (distance - most).clamp(-12, 12)
        maps = torch.stack([distance - mean, below, spread, distance - spread, few, inside], 1)
        maps = torch.cat([apart.log().transpose(1, 2), maps], 1).reshape(-1, GROUPS + 6, layout.ROWS, layout.COLUMNS)
        return self.weigh(maps).flatten(1) + outside

    def nearest(self, asks: Tensor, keys: Tensor, member: Tensor, flat: Tensor) -> Tensor:
        """Means of each state that prefer the examples whose whole picture is like the query's (night with night)."""
        far = ((asks[:, :, None] - keys[:, None]) ** 2).sum(-1) * self.log_sharpness.exp()  # [batch, queries, K]
        closed = (1 - member)[:, None] * MASKED
        share = (closed - far[:, :, None]).softmax(-1) * member[:, None]  # [batch, queries, 2, K]
        return torch.matmul(share.reshape(asks.shape[0], -1, flat.shape[1]), flat)

    def votes(self, q, means, near, apart, varies, scarce) -> tuple[Tensor, Tensor]:
        """Each cell's vote for state 1 [batch, queries, cells], and how far the query is from both states there."""
        wide = lambda x: x[:, None].expand(-1, q.shape[1], -1, -1)  # noqa: E731
        known = [wide(apart.log()), wide(varies.log())]
        pairs = []
        for reference in (means, near):
            zero, one = reference[:, :, 0], reference[:, :, 1]
            distances = [(group_mean((q - r) ** 2) + SMALL) for r in (zero, one)]
            between = one - zero
            along = group_mean((q - (zero + one) / 2) * between) * 2 / (group_mean(between**2) + SMALL)
            pairs.append((distances[0], distances[1], along.clamp(-3, 3)))
        few = scarce[:, None, None, None].expand(-1, q.shape[1], q.shape[2], 1)

        def speak(a: int, b: int, sign: float) -> Tensor:
            parts = [p for pair in pairs for p in (pair[a].log(), pair[b].log(), pair[2] * sign)]
            return self.vote(torch.cat([*parts, *known, few], -1))[..., 0]

        lesser = torch.minimum(pairs[0][0].mean(-1), pairs[0][1].mean(-1))
        return speak(0, 1, 1.0) - speak(1, 0, -1.0), lesser.log()


class ComparerGraph(nn.Module):
    """The comparer with exactly the inputs and the output of the contract: one query a row."""

    def __init__(self, comparer: Comparer):
        super().__init__()
        self.comparer = comparer

    def forward(self, query: Tensor, examples: Tensor, example_state: Tensor, region: Tensor) -> Tensor:
        return self.comparer(query[:, None], examples, example_state, region)[0][:, 0]
