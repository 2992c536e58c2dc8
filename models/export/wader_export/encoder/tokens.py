"""Object tokens: from the detector's maps and the picture to the 25 tokens of a frame, inside the graph.

The strongest cells of the class-group maps go through an overlap removal that ignores the class (no 3x3 peak
keeping before it: at stride 8 that loses one of two people who walk side by side), and each that survives
becomes a token: heats of its class groups with the floors cut, its box, the median colours of
its upper and lower half (a mean would mix a jacket with hands, bags and the street), and how much of each half looks
like each colour word. One more token describes the picture as a whole. No state, no control flow.
The box is the expectation over 11 bins per side (Generalized Focal Loss, arXiv 2006.04388, section 3.2).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import layout
from . import colour_words
from .convert import BINS, STRIDES

CANDIDATES = 160  # cells that enter the overlap removal
ROUNDS = 5  # settles chains of boxes that hide one another
GRID = 5  # colour samples per side of half a box
UPPER_ROWS, LOWER_ROWS = (0.18, 0.48), (0.52, 0.85)  # parts of the box's height
EDGE_BLOCK, EDGE_BLOCKS = 16, 8  # the best edge of a block of so many pixels; the mean of so many blocks
SIDE = 0.27  # part of the width left out on each side


class ObjectTokens(nn.Module):
    """``rgb`` f32 [n,3,H,W] in 0..255, scores and bins of three strides -> [n, 25, 46]."""

    def __init__(self, height: int = layout.HEIGHT, width: int = layout.WIDTH):
        super().__init__()
        self.height, self.width = height, width
        self.sizes = [(height // s, width // s) for s in STRIDES]
        centres, strides = [], []
        for stride, (rows, columns) in zip(STRIDES, self.sizes):
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            centres.append(torch.stack([x, y], -1).reshape(-1, 2).float().add(0.5).mul(stride))
            strides.append(torch.full((rows * columns,), float(stride)))
        self.register_buffer("cells", torch.cat([torch.cat(centres), torch.cat(strides)[:, None]], 1))
        # the mean of 2x2 pixels, in 0..1: as a convolution it takes a part of the time that pooling takes
        self.register_buffer("halving", torch.full((3, 1, 2, 2), 1 / (4 * 255.0)))
        self.register_buffer("bins", torch.arange(BINS).float())
        self.register_buffer("earlier", torch.ones(CANDIDATES, CANDIDATES).tril(-1))
        self.members = [[layout.COCO.index(n) for n in names] for names in layout.GROUPS.values()]

    def forward(self, rgb, scores_8, bins_8, scores_16, bins_16, scores_32, bins_32) -> Tensor:
        scores = torch.cat([s.flatten(2) for s in (scores_8, scores_16, scores_32)], 2)
        bins = torch.cat([b.flatten(2) for b in (bins_8, bins_16, bins_32)], 2)
        heats = torch.stack([scores[:, m].amax(1) if len(m) > 1 else scores[:, m[0]] for m in self.members], 1)
        top, index = heats.amax(1).topk(CANDIDATES, 1)
        boxes = self.boxes(bins, index)
        top = top * self.unhidden(boxes, top)
        strongest, order = top.topk(layout.OBJECTS, 1)
        boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
        index = index.gather(1, order)
        heats = heats.gather(2, index[:, None].expand(-1, len(self.members), -1)).transpose(1, 2)
        heats = heats * (heats >= layout.FLOOR_CUT * strongest[..., None]).to(heats.dtype)
        valid = (strongest > layout.MIN_HEIGHT).to(heats.dtype)[..., None]
        half = functional.conv2d(rgb, self.halving, stride=2, groups=3)
        upper, lower = self.samples(half, boxes, UPPER_ROWS), self.samples(half, boxes, LOWER_ROWS)
        scale = torch.tensor([self.width, self.height, self.width, self.height], dtype=boxes.dtype)
        looks = [self.median(upper), self.median(lower), torch.ones_like(valid), torch.zeros_like(valid)]
        objects = torch.cat([boxes / scale, heats, *looks, self.words(upper), self.words(lower)], 2) * valid
        return torch.cat([objects, self.picture(half)[:, None]], 1)

    def boxes(self, bins: Tensor, index: Tensor) -> Tensor:
        """Boxes x0, y0, x1, y1 in pixels of the cells `index`."""
        cell = self.cells[index]
        picked = bins.gather(2, index[:, None].expand(-1, 4 * BINS, -1)).transpose(1, 2)
        sides = (picked.reshape(*index.shape, 4, BINS).softmax(-1) * self.bins).sum(-1) * cell[..., 2:]
        x, y = cell[..., 0:1], cell[..., 1:2]
        left, top, right, bottom = sides.split(1, -1)
        corners = torch.cat([x - left, y - top, x + right, y + bottom], -1)
        slack = 8.0
        high = torch.tensor([self.width, self.height, self.width, self.height], dtype=corners.dtype) + slack
        return corners.clamp(min=-slack).minimum(high)

    def unhidden(self, boxes: Tensor, heights: Tensor) -> Tensor:
        """1 for boxes that no stronger kept box hides: by overlap, or as a weak part inside it."""

        def common_length(start: Tensor, end: Tensor) -> Tensor:
            """How much of a side each two boxes share; a side at a time, since the runtime is slow along short axes."""
            low = torch.maximum(start[:, :, None], start[:, None])
            return (torch.minimum(end[:, :, None], end[:, None]) - low).clamp(min=0)

        left, top, right, bottom = boxes.unbind(-1)
        common = common_length(left, right) * common_length(top, bottom)
        area = (right - left).clamp(min=1) * (bottom - top).clamp(min=1)
        overlap = common / (area[:, :, None] + area[:, None] - common)
        inside = common / area[:, :, None]
        weak = heights[:, :, None] < layout.PART_HEIGHT * heights[:, None]
        hides = ((overlap > layout.OVERLAP) | ((inside > layout.PART_INSIDE) & weak)).to(boxes.dtype)
        hides = hides * self.earlier
        keep = torch.ones_like(area)
        for _ in range(ROUNDS):
            keep = 1 - (hides * keep[:, None]).amax(2)
        return keep

    def samples(self, half: Tensor, boxes: Tensor, rows: tuple[float, float]) -> Tensor:
        """Colours [n, 3, K, GRID * GRID] on a grid in a part of each box; `half` is the picture at half size."""
        x0, y0, x1, y1 = boxes.split(1, -1)
        width, height = x1 - x0, y1 - y0
        steps = torch.linspace(0, 1, GRID)
        x = x0 + width * (SIDE + (1 - 2 * SIDE) * steps)
        y = y0 + height * (rows[0] + (rows[1] - rows[0]) * steps)
        column = (x / 2).floor().clamp(0, self.width // 2 - 1)
        row = (y / 2).floor().clamp(0, self.height // 2 - 1)
        flat = (row[..., :, None] * (self.width // 2) + column[..., None, :]).flatten(1).long()
        samples = half.flatten(2).gather(2, flat[:, None].expand(-1, 3, -1))
        return samples.reshape(-1, 3, boxes.shape[1], GRID * GRID)

    def median(self, samples: Tensor) -> Tensor:
        """Median of each channel [n, K, 3]."""
        return samples.topk(GRID * GRID // 2 + 1).values[..., -1].transpose(1, 2)

    def words(self, samples: Tensor) -> Tensor:
        """How much of the samples looks like each colour word [n, K, COLOUR_WORDS]."""
        return colour_words.shares(samples.permute(0, 2, 3, 1)).mean(2)

    def picture(self, half: Tensor) -> Tensor:
        """Mean and spread of colour, a coarse grid of brightness, sharpness."""
        mean = half.mean((2, 3))
        spread = (half * half).mean((2, 3)).sub(mean * mean).clamp(min=0).sqrt()
        grey = half.mean(1, keepdim=True)
        coarse = functional.avg_pool2d(grey, (self.height // 6, self.width // 8)).flatten(1)
        steps = (grey[..., 1:] - grey[..., :-1]).abs()
        sharp = steps.mean((1, 2, 3))[:, None] * 10
        strongest = functional.max_pool2d(steps, EDGE_BLOCK).flatten(1).topk(EDGE_BLOCKS, 1).values
        token = torch.cat([mean, spread, coarse, sharp, strongest.mean(1, keepdim=True)], 1)
        token = functional.pad(token, (0, layout.PICTURE - token.shape[1]))
        return functional.pad(torch.cat([token, torch.ones_like(sharp)], 1), (0, layout.DIM - layout.PICTURE - 1))
