"""Writes `random-mllama/` and `random-moss-vl/`: converted from small seeded checkpoints of those families.

    cd models/export && PYTHONPATH=.:tests python ../../tests/models/build_random_ruled.py

Needs what the exporter's tests need (PyTorch, transformers for `random-mllama`). Run it again after a change of the
exporter; the numbers are the same as long as PyTorch's random ones are.
"""

import tempfile
from pathlib import Path

import mllama_reference
import moss_vl_reference

from wader_export.families import folder, mllama, moss_vl
from wader_export.families.family import PRECISIONS, Options

HERE = Path(__file__).parent
MAX_BYTES = 700_000


def main() -> None:
    """Both folders."""
    with tempfile.TemporaryDirectory() as home:
        llama = mllama_reference.checkpoint(Path(home) / "Llama-random-Instruct", mllama_reference.build())
        moss = moss_vl_reference.checkpoint(Path(home) / "MOSS-VL-Instruct", moss_vl_reference.build())
        canvas = f"{moss_vl_reference.WIDTH}x{moss_vl_reference.HEIGHT}"
        for name, conversion, family in (
            ("random-mllama", mllama.convert(llama, Options()), mllama.NAME),
            ("random-moss-vl", moss_vl.convert(moss, Options(canvas=canvas)), moss_vl.NAME),
        ):
            conversion.name, conversion.places, conversion.licence = name, [], "Apache-2.0"
            conversion.description = f"Random weights in the shape of a very small {family}, for tests."
            target = folder.write(conversion, HERE / name, PRECISIONS["fp32"])
            size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
            print(f"{name}: {size} bytes")
            if size > MAX_BYTES:
                raise SystemExit(f"{name} holds more than {MAX_BYTES} bytes")


if __name__ == "__main__":
    main()
