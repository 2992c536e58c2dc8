"""Checks wader on a machine with a GPU, without Rust or GStreamer there; writes one JSON file as it goes.

    python3 benches/gpu/run.py --device cuda --out gpu.json && python3 benches/gpu/report.py gpu.json

Needs `wader` and the bench built (`cargo build --release --bin wader --bench gpu`), and beside them:

- ONNX Runtime with CUDA: `pip install onnxruntime-gpu[cuda,cudnn]==1.31.1`; its `libonnxruntime.so.1.31.1` is named by
  `--ort` or ORT_DYLIB_PATH, and `libonnxruntime_providers_{shared,cuda}.so` lie beside it;
- CUDA's libraries: those of the `nvidia` wheels of this Python are found by themselves, others belong into LD_LIBRARY_PATH;
- for other precisions (`variants.py`): onnx, and the Python side of onnxruntime; for the peer (`peer.py`): torch.

What is missing costs its part, no more. Each part is a process with a time of its own; the whole ends within `--budget`.
"""

import argparse
import glob
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = ("torch", "onnx", "numpy", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cuda-runtime")
# part, folder, seconds to measure, most seconds of its process; the most important ones first
PLAN = [
    ("parity", "shipped", 0, 25),
    ("throughput", "shipped", 13, 40),
    ("decode", "shipped", 6, 20),
    ("latency", "shipped", 12, 35),
    ("parity", "fp32", 0, 20),
    ("throughput", "fp32", 4, 20),
    ("parity", "fp16", 0, 20),
    ("throughput", "fp16", 4, 20),
    ("peer", "shipped", 5, 30),
    ("decode", "fp16", 3, 15),
    ("search", "shipped", 5, 15),
]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "wader-small")
    parser.add_argument("--bin", type=Path, default=ROOT / "target" / "release", help="where `wader` and the bench are")
    parser.add_argument("--ort", type=Path, help="libonnxruntime.so.1.31.1 of the GPU build")
    parser.add_argument("--lib", type=Path, action="append", default=[], help="a folder of more shared libraries")
    parser.add_argument("--export", type=Path, default=ROOT / "models" / "export", help="where `wader_export` is")
    parser.add_argument("--budget", type=float, default=108, help="seconds for everything")
    parser.add_argument("--parts", help="only these, by name, with commas between")
    return parser.parse_args()


def bench(folder: Path) -> Path:
    """The newest build of the Rust bench."""
    if (folder / "gpu").is_file():
        return folder / "gpu"
    built = [p for p in (folder / "deps").glob("gpu-*") if p.suffix == "" and os.access(p, os.X_OK)]
    if not built:
        raise SystemExit(f"no `gpu` in {folder} or its `deps`: cargo build --release --bench gpu")
    return max(built, key=lambda p: p.stat().st_mtime)


def environment(options: argparse.Namespace) -> dict[str, str]:
    """The environment of wader and the bench: where ONNX Runtime and the CUDA libraries are."""
    libraries: list[str] = [os.environ.get("LD_LIBRARY_PATH", "")]
    if options.ort:
        libraries.append(str(options.ort.resolve().parent))
    for place in sys.path:
        libraries += sorted(glob.glob(os.path.join(place, "nvidia", "*", "lib")))
    libraries += [str(folder.resolve()) for folder in options.lib]
    result = os.environ | {"LD_LIBRARY_PATH": ":".join(p for p in libraries if p), "RUST_BACKTRACE": "0"}
    if options.ort:
        result["ORT_DYLIB_PATH"] = str(options.ort.resolve())
    return result


def about() -> dict:
    """The card, its driver, and the versions at hand."""
    result: dict = {"python": platform.python_version(), "libc": " ".join(platform.libc_ver()), "cores": os.cpu_count()}
    for name in PACKAGES:
        try:
            result[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    query = "name,driver_version,memory.total,memory.used,clocks.max.sm,compute_cap"
    try:
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        values = told.stdout.strip().splitlines()[0].split(", ")
        result |= dict(zip(("card", "driver", "memory", "memory_before", "clock", "compute_capability"), values))
    except (OSError, IndexError, subprocess.SubprocessError):
        result["card"] = None
    return result


class Run:
    """Parts one after another, each a process, and what they said."""

    def __init__(self, options: argparse.Namespace, work: Path):
        self.options, self.work, self.begun = options, work, time.monotonic()
        self.environment = environment(options)
        self.told: dict = {"device": options.device, "command": " ".join(["python3", "benches/gpu/run.py", *shown()])}
        self.told |= {"environment": about(), "parts": []}
        self.save()
        print(json.dumps(self.told["environment"]), flush=True)

    def left(self) -> float:
        """Seconds of the budget."""
        return self.options.budget - (time.monotonic() - self.begun)

    def save(self) -> None:
        """Writes all that is known."""
        fresh = self.options.out.with_suffix(".new")
        fresh.write_text(json.dumps(self.told, indent=1))
        fresh.replace(self.options.out)

    def part(self, name: str, folder: str, command: list, most: float) -> dict:
        """Runs a command; each line of JSON that it prints is a finding, whatever becomes of it."""
        row: dict = {"part": name, "folder": folder, "findings": []}
        self.told["parts"].append(row)
        if self.left() < 5:
            row["error"] = "left out: no time was left"
        else:
            begun = time.monotonic()
            row["rc"], output, errors = self.process([str(word) for word in command], min(most, self.left()))
            row["seconds"] = round(time.monotonic() - begun, 2)
            for line in output.splitlines():
                try:
                    row["findings"].append(json.loads(line))
                except ValueError:
                    row.setdefault("said", []).append(line[:500])
            if row["rc"] != 0:
                row["error"] = errors[-1500:] or f"ended with {row['rc']}"
            elif errors.strip():
                row["warnings"] = errors[-800:]
        self.save()
        print(json.dumps(row), flush=True)
        return row

    def process(self, command: list[str], most: float) -> tuple[int | str, str, str]:
        """Its exit status or `timeout`, its output and its errors."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            try:
                child = subprocess.Popen(
                    command, stdout=output, stderr=errors, cwd=self.work, start_new_session=True,
                    # Python finds its libraries by itself
                    env=None if command[0] == sys.executable else self.environment,
                )  # fmt: skip
            except OSError as error:
                return "no start", "", str(error)
            try:
                status: int | str = child.wait(most)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                status = "timeout"
            output.seek(0)
            errors.seek(0)
            return status, output.read(), errors.read()


def shown() -> list[str]:
    """The command line, without the folders of one machine."""
    return [Path(word).name if word.startswith("/") else word for word in sys.argv[1:]]


def opened(source: Path, target: Path) -> Path:
    """A copy that differences from its goldens do not stop, so that it can be measured by how much."""
    shutil.copytree(source, target)
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["golden"]["tolerance"] = {key: 1e6 for key in manifest["golden"]["tolerance"]}
    (target / "manifest.json").write_text(json.dumps(manifest))
    return target


def main() -> None:
    """All parts, the most important ones first."""
    options = arguments()
    options.out, options.model, options.bin = options.out.resolve(), options.model.resolve(), options.bin.resolve()
    options.export = options.export.resolve()
    program = bench(options.bin)
    with tempfile.TemporaryDirectory(prefix="wader-gpu-") as work:
        run = Run(options, Path(work))
        folders = {"shipped": options.model, "fp32": Path(work) / "fp32", "fp16": Path(work) / "fp16"}
        wader = [options.bin / "wader", "models", "verify", options.model, "--device", options.device]
        wanted = options.parts.split(",") if options.parts else None
        if wanted is None or "verify" in wanted:
            verified = run.part("verify", "shipped", wader, 40)
            if verified.get("rc") != 0:
                folders["shipped"] = opened(options.model, Path(work) / "opened")
        if wanted is None or "variants" in wanted:
            command = [sys.executable, HERE / "variants.py", options.model, work, options.export]
            run.part("variants", "shipped", command, 25)
        for name, folder, seconds, most in PLAN:
            if wanted is not None and name not in wanted or not folders[folder].is_dir():
                continue
            if name == "peer":
                command = [sys.executable, HERE / "peer.py", options.export, options.model, options.device, seconds]
            else:
                command = [program, name, "--device", options.device, "--folder", folders[folder]]
                reference = folders["fp32" if folder == "fp16" else folder] if folder != "shipped" else options.model
                command += ["--reference", reference, "--seconds", seconds]
                command += ["--short"] if folder != "shipped" else []
            run.part(name, folder, command, most)
        run.told["seconds"] = round(time.monotonic() - run.begun, 1)
        run.save()
        print(f"{options.out}: {len(run.told['parts'])} parts in {run.told['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
