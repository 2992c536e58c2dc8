"""The command line: ``python -m wader_export COMMAND``."""

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
    short = train.add_mutually_exclusive_group()
    short.add_argument("--tune", action="store_true", help="one stage at a low rate, from a run folder: its head stays")
    short.add_argument("--words", action="store_true", help="one stage in which only the decoder learns: the resampler stays")
    train.add_argument("--minutes", type=float, default=65.0, help="whole training time")
    train.add_argument("--batch", type=int, default=64, help="clips a step")
    train.add_argument("--questions", type=int, default=4, help="questions a clip")
    train.add_argument("--workers", type=int, default=1, help="processes that simulate: one a core for a GPU")
    train.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--compile", action="store_true", help="fuse the steps: quicker, and needs a C++ compiler")
    train.add_argument("--seed", type=int, default=1)

    export = commands.add_parser("export", help="write the model folder from a run folder")
    export.add_argument("--folder", type=Path, default=None, help="run folder (default: train/run in the cache)")
    export.add_argument(
        "--mean", type=Path, nargs="+", default=[], metavar="FOLDER",
        help="take the mean with the weights of these run or model folders; one that is named twice counts twice",
    )  # fmt: skip
    export.add_argument("--resampler", type=Path, metavar="FOLDER", help="take the resampler of this run or model folder")
    export.add_argument("--target", type=Path, default=paths.MODEL_DIR)

    truth = paths.REPOSITORY / "tests" / "footage" / "vtest-windows.json"
    for name, what, clips in (
        ("evaluate", "judge a model folder and write the tables and diagrams of its README.md", 4096),
        ("variants", "judge other precisions of a model folder, for the same README.md", 256),
    ):
        judge = commands.add_parser(name, help=what)
        judge.add_argument("--model", type=Path, default=paths.MODEL_DIR)
        judge.add_argument("--truth", type=Path, default=truth, help="windows with hand-written truth (JSON)")
        judge.add_argument(
            "--frames", type=Path, help="folder with one folder of received frames per view of the footage"
        )
        judge.add_argument("--simulated", type=int, default=clips, help="held-out simulated clips")
        if name == "evaluate":
            judge.add_argument(
                "--parts", help="only these, with commas: see evaluation/parts.py (others keep their text)"
            )
            judge.add_argument("--skip", help="not these")

    examples = commands.add_parser("examples", help="train the comparer of examples and put both its graphs in place")
    examples.add_argument("--minutes", type=float, default=46.0, help="training time of the comparer")
    examples.add_argument("--parts", type=int, default=26, help="synthetic episodes, in fifties")
    examples.add_argument("--target", type=Path, default=paths.MODEL_DIR)

    judge = commands.add_parser("judge-examples", help="judge both graphs on the real tasks and write EXAMPLES.md")
    judge.add_argument("--model", type=Path, default=paths.MODEL_DIR)

    convert = commands.add_parser(
        "convert", help="a public checkpoint (OpenFlamingo, Otter, IDEFICS, Llama-3.2-Vision, MOSS-VL) to a folder"
    )
    convert.add_argument("checkpoint", help="its name on the hub (owner/model), or its folder")
    convert.add_argument("--revision", help="commit, branch or tag; what it means is pinned and written down")
    convert.add_argument("--language", help="language model under it (hub name or folder), where it is not known")
    convert.add_argument("--vision", help="vision tower (hub name or folder), where it is not known")
    convert.add_argument("--tokenizer", help="tokenizer (hub name or folder), where it has none of its own")
    convert.add_argument("--canvas", help="Llama-3.2-Vision: tiles down x across (1x2); MOSS-VL: pixels (640x352)")
    convert.add_argument(
        "--fit", choices=("stretch", "letterbox", "crop"), default="stretch",
        help="whole pictures, stretched to the model's square or with borders; or their middle, as OpenFlamingo and Otter "
        "were trained",
    )  # fmt: skip
    convert.add_argument("--licence", help="SPDX expression of the whole, where the sources state none")
    random = commands.add_parser("random", help="a model folder of random weights in the shape of a real one")
    random.add_argument("shape", choices=("3B", "4B", "9B", "tiny", "tiny-video"))
    for one in (convert, random):
        one.add_argument("--target", type=Path, help="model folder to write (default: by the name)")
        one.add_argument("--precision", choices=("fp32", "fp16", "int4"), default="fp16")
        one.add_argument(
            "--no-check", dest="check", action="store_false", help="do not replay the goldens on ONNX Runtime here"
        )
        one.add_argument("--threads", type=int, default=1)

    size = commands.add_parser("size", help="what a public checkpoint weighs and how much work it is, without it")
    size.add_argument("checkpoint", choices=("OpenFlamingo-3B", "OpenFlamingo-4B", "OpenFlamingo-9B",
                                             "Llama-3.2-11B-Vision", "MOSS-VL-11B"))  # fmt: skip
    size.add_argument("--canvas", help="as of `convert`")
    size.add_argument("--export", type=Path, help="folder to export its graphs to, with weights of zeros, and open them")
    size.add_argument("--precision", choices=("fp16", "int4"), default="fp16")
    size.add_argument("--threads", type=int, default=1)
    parity = commands.add_parser("parity", help="a folder of Llama-3.2-Vision or MOSS-VL against its original class")
    parity.add_argument("folder", type=Path, help="model folder that `convert` wrote")
    parity.add_argument("checkpoint", help="what it was converted from: name on the hub, or folder")
    parity.add_argument("--revision", help="commit, branch or tag")
    parity.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of the original")
    parity.add_argument("--device", default="cpu", help="of the original: cpu, cuda or cuda:N")
    parity.add_argument("--trust-remote-code", action="store_true", help="run the checkpoint's own code (MOSS-VL)")

    release = paths.REPOSITORY / "target" / "release" / "wader"
    transitions = commands.add_parser(
        "transitions", help="false and missed transitions an hour of the running service, with and without policy"
    )
    transitions.add_argument("--minutes", type=float, default=30.0, help="how long to watch")
    transitions.add_argument("--json", type=Path, help="write all figures to this file, too")
    transitions.add_argument("--views", help="views of the footage, with commas (default: transitions/asked.py)")
    transitions.add_argument("--wader", type=Path, default=release, help="the program to measure")
    transitions.add_argument("--model", type=Path, default=paths.MODEL_DIR, help="the model that answers")
    transitions.add_argument("--footage", type=Path, help="default: what `./x setup` put into the cache")

    arguments = parser.parse_args()
    if arguments.command == "encoder":
        from .encoder.command import run
    elif arguments.command == "statistics":
        from .statistics import run
    elif arguments.command == "train":
        from .training.command import run
    elif arguments.command == "export":
        from .graphs.command import run
    elif arguments.command == "variants":
        from .evaluation.command import run_variants as run
    elif arguments.command == "examples":
        from .examples.command import run
    elif arguments.command == "parity":
        from .families.parity import run
    elif arguments.command == "judge-examples":
        from .examples.judge_command import run
    elif arguments.command == "convert":
        from .families.command import run
    elif arguments.command == "size":
        from .families.real_sizes import run
    elif arguments.command == "random":
        from .families.random_model import run
    elif arguments.command == "transitions":
        from .transitions.command import run
    else:
        from .evaluation.command import run
    run(arguments)


if __name__ == "__main__":
    main()
