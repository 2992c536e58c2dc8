"""Inputs of the decoder where another rule than `latest` says which pictures a token sees."""

from .ports import Port, Ports, Shapes, decoder

SPAN = [Port("media_index", "int64", ("batch", "seq")), Port("media_span", "int64", ("batch", "seq"))]
POSITION = [Port("media_pos", "int64", ("batch", "media"))]


def ruled_decoder(shapes: Shapes, rule: list[Port]) -> Ports:
    """The decoder's ports with those of the rule in place of `media_index`, in the order of the modules' `forward`."""
    plain = decoder(shapes)
    at = [port.name for port in plain.inputs].index("media_index")
    return Ports([*plain.inputs[:at], *rule, *plain.inputs[at + 1 :]], plain.outputs, plain.listed)
