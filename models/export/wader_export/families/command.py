"""The `convert` command: a public checkpoint to a model folder."""

from pathlib import Path

import torch

from . import folder, hub, registry
from . import tokenizer as tokens
from .checkpoint import CheckpointError
from .family import PRECISIONS, Options, find
from .sources import UNSTATED


def run(arguments) -> None:
    """Recognises, fetches, converts, writes."""
    torch.set_num_threads(arguments.threads)
    try:
        place = hub.fetch(arguments.checkpoint, arguments.revision)
        family = find(place, registry.FAMILIES)
        if family is None:
            names = ", ".join(one.NAME for one in registry.FAMILIES)
            raise CheckpointError(f"{arguments.checkpoint} is of no known family; known are {names}")
        options = Options(
            arguments.language, arguments.vision, arguments.tokenizer, arguments.licence, arguments.fit, hub.fetch,
            arguments.canvas,
        )  # fmt: skip
        print(f"{arguments.checkpoint}: {family.NAME}")
        conversion = family.convert(place, options)
        print(f"licence: {conversion.licence}. {conversion.description}")
        for limit in conversion.limits:
            print(f"limit: {limit}")
        if UNSTATED in conversion.licence:
            print("warning: a source states no licence; find it out and say it with --licence")
        # Frames end with a special token, which is all that matters for the seam after them.
        image = {"token": conversion.tokenizer.id_to_token(conversion.facts["tokens"]["image"])}
        parts = [image if part.get("slot") == "frames" else part for part in conversion.facts["prompt"]["question"]]
        if not tokens.joins(conversion.tokenizer, parts):
            print("note: the prompt, put together from its parts, has other tokens at its seams than in training")
        target: Path = arguments.target or Path(conversion.name)
        folder.write(conversion, target, PRECISIONS[arguments.precision], arguments.check)
    except KeyError as error:
        raise SystemExit(f"error: a config.json of {arguments.checkpoint} does not say {error}") from error
    except (CheckpointError, RuntimeError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"{target}: {size / 1e9:.2f} GB; try it with `wader models verify {target}`")
