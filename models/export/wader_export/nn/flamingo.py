"""The trained parts together."""

from torch import nn

from .decoder import Decoder
from .resampler import Resampler
from .state_head import StateHead


class Flamingo(nn.Module):
    """Resampler, decoder, and the head that only training uses."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.resampler = Resampler()
        self.decoder = Decoder(vocabulary)
        self.head = StateHead()
