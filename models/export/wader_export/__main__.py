"""The command line: ``python -m wader_export encoder|statistics|train|export|evaluate``."""

import argparse
from pathlib import Path

from . import paths


def main() -> None:
    """Parses the arguments and runs one command."""
    parser = argparse.ArgumentParser(prog="wader_export", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)

    encoder = commands.add_parser("encoder", help="convert, quantise and cache the frozen vision encoder")
    encoder.add_argument("--float", action="store_true", help="keep float32 instead of int8")

    commands.add_parser("statistics", help="measure the encoder on the first half of the footage, beside the simulator")

    train = commands.add_parser(
        "train", help="train (resumes by itself); progress on the terminal, figures in log.jsonl"
    )
    train.add_argument("--folder", type=Path, default=None, help="run folder (default: train/run in the cache)")
    train.add_argument("--start", type=Path, default=None, help="go on from the weights of a model or run folder")
    train.add_argument("--minutes", type=float, default=65.0, help="whole training time")
    train.add_argument("--batch", type=int, default=64, help="clips a step")
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--seed", type=int, default=1)

    export = commands.add_parser("export", help="write the model folder from a run folder")
    export.add_argument("--folder", type=Path, default=None, help="run folder (default: train/run in the cache)")
    export.add_argument("--target", type=Path, default=paths.MODEL_DIR)

    evaluate = commands.add_parser("evaluate", help="judge a model folder and write the tables of its README.md")
    evaluate.add_argument("--model", type=Path, default=paths.MODEL_DIR)
    evaluate.add_argument("--truth", type=Path, default=None, help="windows with hand-written truth (JSON)")
    evaluate.add_argument(
        "--frames", type=Path, default=None, help="folder with one folder of received frames per view"
    )
    evaluate.add_argument("--simulated", type=int, default=1024, help="held-out simulated clips")

    arguments = parser.parse_args()
    if arguments.command == "encoder":
        from .encoder.command import run
    elif arguments.command == "statistics":
        from .statistics import run
    elif arguments.command == "train":
        from .training.command import run
    elif arguments.command == "export":
        from .graphs.command import run
    else:
        from .evaluation.command import run
    run(arguments)


if __name__ == "__main__":
    main()
