"""A conversion to a whole model folder: three graphs, tokenizer, goldens, manifest."""

import json
import shutil
from pathlib import Path

from .. import __version__
from . import goldens, graphs
from .checkpoint import sha256
from .family import Conversion, Precision

GRAPHS = ("vision_encoder", "resampler", "decoder")
SPARE = 1.1  # of the expected size, which must be free on the disk


def write(conversion: Conversion, target: Path, precision: Precision, check: bool = True) -> Path:
    """Writes `target`, and only when everything is whole: until then it is called `target.partial`."""
    room(conversion, target, precision)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    files: list[Path] = []
    for graph in GRAPHS:
        print(f"{graph}: exporting")
        small = conversion.int4 if precision.int4 and graph == "decoder" else frozenset()
        files += graphs.export(
            conversion.modules[graph],
            conversion.ports[graph],
            conversion.weights.under(graph),
            partial / f"{graph}.onnx",
            precision.float_type,
            small,
        )
    conversion.tokenizer.save(str(partial / "tokenizer.json"))
    print("goldens: computing in PyTorch, layer by layer")
    goldens.write(conversion, partial, precision)
    if check:
        goldens.check(partial, precision)
    files += [partial / "tokenizer.json", partial / "golden" / "golden.json", partial / "golden" / "golden.bin"]
    document = manifest(conversion, partial, files, precision)
    (partial / "manifest.json").write_text(json.dumps(document, indent=2) + "\n")
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)
    return target


def room(conversion: Conversion, target: Path, precision: Precision) -> None:
    """Asks for the space before hours of download and export are lost to a full disk."""
    numbers = {name: count(take.size()) for name, take in conversion.weights.takes.items()}
    width = 4 if precision.float_type == "float32" else 2
    small = sum(n for name, n in numbers.items() if precision.int4 and name.removeprefix("decoder.") in conversion.int4)
    needed = int(((sum(numbers.values()) - small) * width + small * 5 / 8) * SPARE)
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise RuntimeError(f"{target.parent} has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed")


def count(shape: tuple[int, ...]) -> int:
    """Numbers of a tensor."""
    result = 1
    for size in shape:
        result *= size
    return result


def manifest(conversion: Conversion, folder: Path, files: list[Path], precision: Precision) -> dict:
    """What the folder says about itself."""
    tolerance = goldens.TOLERANCE[precision.float_type]
    limits = {"licence_limits": list(conversion.limits)} if conversion.limits else {}
    return {
        "contract": "flamingo-onnx/1",
        "name": conversion.name,
        "version": __version__,
        "provenance": {
            "description": conversion.description,
            "licence": conversion.licence,
            **limits,
            "sources": [entry for what, place, used in conversion.places for entry in place.sources(what, used)],
        },
        "precision": precision.told,
        "minimum_runtime": precision.minimum_runtime,
        "files": {
            str(file.relative_to(folder)): {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in files
        },
        "graphs": {graph: f"{graph}.onnx" for graph in GRAPHS},
        "float": precision.float_type,
        **conversion.facts,
        "golden": {"file": "golden/golden.json", "tolerance": dict.fromkeys(GRAPHS, tolerance)},
    }
