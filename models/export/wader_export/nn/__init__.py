"""The Flamingo's trained parts: Perceiver Resampler, gated cross-attention decoder, training-only state head."""
