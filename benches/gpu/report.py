"""Turns what `run.py` wrote into RESULTS.md: `report.py gpu.json [RESULTS.md]`. Figures of a processor are refused."""

import json
import sys
from pathlib import Path

GOALS = {"of_bare": 0.8, "saving": 0.8, "eager": 10.0, "p50": 250.0, "p99": 700.0}


class Told:
    """What the parts found."""

    def __init__(self, told: dict):
        self.told = told

    def findings(self, what: str, folder: str = "shipped", part: str | None = None) -> list[dict]:
        """Findings of a kind."""
        parts = [p for p in self.told["parts"] if p["folder"] == folder and part in (None, p["part"])]
        return [f["finding"] for p in parts for f in p["findings"] if f["what"] == what]

    def folders(self, what: str) -> list[str]:
        """The folders that there are findings of."""
        return [f for f in ("shipped", "fp32", "fp16") if self.findings(what, f)]


def table(heads: list[str], rows: list[list]) -> list[str]:
    """A table, and an empty line."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def number(value: float | None, digits: int = 3) -> str:
    """So many figures that count, without an exponent."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def head(told: dict) -> list[str]:
    """What was measured on what."""
    about = told["environment"]
    lines = [
        "# wader on a GPU",
        "",
        "Made by `benches/gpu/report.py` from one run of",
        "",
        f"    {told['command']}",
        "",
    ]
    lines += [f"in {told.get('seconds', '?')} s.", ""]
    lines += table(["", ""], [[key.replace("_", " "), value] for key, value in about.items()])
    return lines


def placement(told: Told) -> list[str]:
    """Whether CUDA was used, graph by graph."""
    verify = next((p for p in told.told["parts"] if p["part"] == "verify"), None)
    lines = ["## The provider, read back", ""]
    if verify:
        what = "; ".join(verify.get("said", [])) if verify.get("rc") == 0 else verify.get("error", "").strip()
        what = what.replace(what.split(":")[0], "models/wader-small", 1) if verify.get("rc") == 0 else what
        lines += [f"`wader models verify --device cuda`: {what}", ""]
    rows = []
    for folder in told.folders("parity"):
        for found in told.findings("parity", folder):
            nodes = found["nodes"]
            counts = [sum(nodes.get(p, {}).values()) for p in ("CUDAExecutionProvider", "CPUExecutionProvider")]
            cpu = ", ".join(f"{kind} {n}" for kind, n in sorted(nodes.get("CPUExecutionProvider", {}).items()))
            moved = sum(n for kinds in nodes.values() for kind, n in kinds.items() if kind.startswith("Memcpy"))
            rows.append([folder, found["graph"], *counts, moved, cpu or "–"])
    heads = ["folder", "graph", "nodes on CUDA", "nodes on the CPU", "copies between", "which on the CPU"]
    return lines + table(heads, rows)


def parity(told: Told) -> list[str]:
    """How far from the processor."""
    lines = ["## Parity with the CPU", ""]
    lines += [
        "`shipped` and `fp32` against themselves on the CPU, `fp16` against `fp32` on the CPU; TF32 is off. `drawn`:"
    ]
    lines += ["other numbers near the recorded ones. The tolerance is the package's, and binds `shipped` alone.", ""]
    rows = []
    for folder in told.folders("parity"):
        for found in told.findings("parity", folder):
            worst = {}
            for random in (False, True):
                cases = [c for c in found["cases"] if c["random"] == random]
                far = [float("inf") if c["largest"] is None else c["largest"] for c in cases]
                worst[random] = max(far, default=float("nan"))
            size = max(c["of"] for c in found["cases"])
            within = "" if folder != "shipped" else "yes" if max(worst.values()) <= found["tolerance"] else "**no**"
            limit = found["tolerance"] if folder == "shipped" else "–"
            rows.append(
                [folder, found["graph"], f"{worst[False]:.1e}", f"{worst[True]:.1e}", number(size), limit, within]
            )
    heads = ["folder", "graph", "largest difference, goldens", "drawn", "largest number", "tolerance", "within"]
    return lines + table(heads, rows)


def throughput(told: Told) -> list[str]:
    """P4."""
    lines = ["## P4: closed answers a second, closed loop", ""]
    lines += [
        "Through the engine's worker, beside bare runs of the least calls in turn (median and middle 80 % of the rounds"
    ]
    lines += [
        "of each shape); naive: eight frames, resampler and one row for each answer. Each window brings one new frame.",
        "",
    ]
    for folder in told.folders("throughput"):
        rows = []
        for f in told.findings("throughput", folder):
            low, high = f["of_bare_spread"]
            saved = f["answers_per_second"] / f["naive_answers_per_second"]
            met = "yes" if f["of_bare"] >= GOALS["of_bare"] else "**no**"
            bare = f["bare_ms"]
            rows.append([
                f["cameras"], f["prompts"], number(f["answers_per_second"]), number(f["bare_answers_per_second"]),
                f"{f['of_bare']:.2f} ({low:.2f}–{high:.2f})", met, f"{saved:.1f}x",
                " + ".join(number(bare[g]) for g in ("encoder", "resampler", "decoder")),
            ])  # fmt: skip
        heads = ["cameras", "prompts", "answers/s", "bare", "of bare", "≥ 80 %", "naive", "bare ms a batch"]
        lines += [f"`{folder}`:", "", *table(heads, rows)]
    return lines + peer(told)


def peer(told: Told) -> list[str]:
    """PyTorch eager."""
    ours = {(f["cameras"], f["prompts"]): f["answers_per_second"] for f in told.findings("throughput")}
    rows = []
    for f in told.findings("peer_answers"):
        mine, rate = ours.get((f["cameras"], f["prompts"])), f["answers_per_second"]
        best = max(ours.values(), default=None)
        shape = f"{f['arm']}, {f['cameras']} windows, {f['prompts']} prompts"
        rows.append([shape, number(rate), number(mine), number(mine and mine / rate), number(best and best / rate)])
    if not rows:
        return []
    lines = [
        "PyTorch eager of the same resampler and decoder, **without the vision encoder**, which has no PyTorch form:",
        "",
    ]
    heads = ["PyTorch", "its answers/s", "wader, same shape, encoder included", "ratio", "wader's best over it"]
    return lines + table(heads, rows)


def latency(told: Told) -> list[str]:
    """P5."""
    lines = ["## P5: from a frame in hand to its answer", ""]
    for f in told.findings("capacity"):
        rate = number(f["windows_per_second"])
        lines += [
            f"Through the engine's thread: {f['cameras']} cameras, {f['prompts']} prompts a window; 100 % is {rate}"
        ]
        lines += [
            "windows a second, measured in the closed loop. Overload comes twice: its sizes of batches are new at first.",
            "Windows that are replaced below 100 % waited for batches of sizes that had not been met before; an age says",
            "nothing of windows that were never answered.",
            "",
        ]
    rows = []
    for f in told.findings("latency"):
        ms = f["ms"]
        counts = [f["offered_windows"], f["replaced_windows"], "yes" if f["counted"] else "**no**"]
        times = [number(ms[key]) for key in ("p50", "p95", "p99", "most")]
        rows.append([f"{f['load_percent']} %", *times, number(f["stride_ms"]), *counts])
    heads = ["load", "p50 ms", "p95", "p99", "most", "stride ms", "windows offered", "replaced", "each counted"]
    lines += table(heads, rows)
    lines += ["", "A new size of a batch, encoder alone:", ""] if told.findings("search") else []
    rows = [[f["search"], f["frames"], number(f["first_ms"]), number(f["later_ms"])] for f in told.findings("search")]
    return lines + (table(["choice of algorithms", "frames", "first run, ms", "later, ms"], rows) if rows else [])


def decode(told: Told) -> list[str]:
    """P7."""
    lines = ["## P7: the decode loop", ""]
    lines += [
        "Of the shipped model, which is small: the goal's shapes (3B) are not measured. `pass`: prefill and steps alike.",
        "",
    ]
    eager = {f["rows"]: f for f in told.findings("peer_decode")}
    for folder in told.folders("decode"):
        rows = []
        for f in told.findings("decode", folder):
            torch = eager.get(f["rows"], {})
            rows.append([
                f["rows"], f["passes"], number(f["ms_per_pass"]), number(f["tokens_per_second"]), f"{f['of_bare']:.2f}",
                number(f["bare_ms_per_step"]), number(f["bare_tokens_per_second"]), number(torch.get("ms_per_step")),
            ])  # fmt: skip
        heads = [
            "rows",
            "passes",
            "ms a pass",
            "tokens/s",
            "of bare",
            "bare ms a step",
            "bare tokens/s",
            "PyTorch eager, ms",
        ]
        lines += [f"`{folder}`:", "", *table(heads, rows)]
    return lines


def memory(told: Told) -> list[str]:
    """P10, and P12's load."""
    rows = []
    for part in told.told["parts"]:
        found = {f["what"]: f["finding"] for f in part["findings"]}
        if "memory" in found:
            m, load = found["memory"], found.get("load", {}).get("seconds")
            name = [part["folder"], part["part"]]
            rows.append([*name, number(load), m["device_mib"], m["rss_mib"], m["rss_peak_mib"]])
    heads = ["folder", "part", "load s", "device MiB in use", "RSS MiB", "RSS peak MiB"]
    return [
        "## Memory and load",
        "",
        "Of whole processes; `throughput` and `decode` hold bare sessions too.",
        "",
        *table(heads, rows),
    ]


def goals(told: Told) -> list[str]:
    """Met or missed."""
    shipped = told.findings("throughput")
    loads = {f["load_percent"]: f for f in told.findings("latency")}
    alone = next((f for f in told.findings("peer_answers") if f["arm"] == "alone"), None)
    rows = []

    def goal(name: str, wanted: str, found: float | None, met: bool, unit: str = "") -> None:
        rows.append(
            [
                name,
                wanted,
                "not measured" if found is None else number(found) + unit,
                "–" if found is None else "met" if met else "**missed**",
            ]
        )

    worst = min((f["of_bare"] for f in shipped), default=None)
    goal("P4, of bare, the worst shape", "≥ 0.80", worst, (worst or 0) >= GOALS["of_bare"])
    four = [f for f in shipped if f["prompts"] == 4]
    saving = max((f["answers_per_second"] / f["naive_answers_per_second"] for f in four), default=None)
    goal("P4, over naive at 4 prompts, the best number of cameras", "≥ 7.7x", saving, (saving or 0) >= 7.7, "x")
    ratio = alone and shipped and max(f["answers_per_second"] for f in shipped) / alone["answers_per_second"]
    goal("P4, over PyTorch eager, question by question", "≥ 10x", ratio or None, (ratio or 0) >= GOALS["eager"], "x")
    half = loads.get(50)
    for key in ("p50", "p99"):
        value = half and half["ms"][key]
        goal(f"P5, {key} at 50 %, service part", f"≤ {GOALS[key]:.0f} ms", value, (value or 1e9) <= GOALS[key], " ms")
    over = loads.get(200)
    value = over and over["ms"]["p99"]
    limit = over["stride_ms"] + 1000 if over else 0
    goal("P5, p99 at 200 %", f"≤ stride + 1 s = {limit:.0f} ms", value, (value or 1e9) <= limit, " ms")
    return ["## Goals", "", *table(["goal", "wanted", "found", ""], rows)]


def missing(told: Told) -> list[str]:
    """Parts that ended early."""
    rows = [
        [p["part"], p["folder"], p["error"].strip().replace("\n", " ")[-300:].replace("|", "/")]
        for p in told.told["parts"]
        if "error" in p
    ]
    return ["## Parts without all their figures", "", *table(["part", "folder", "why"], rows)] if rows else []


def main() -> None:
    """Writes the file."""
    told = Told(json.loads(Path(sys.argv[1]).read_text()))
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("RESULTS.md")
    if told.told["device"] != "cuda" and "--anyway" not in sys.argv:
        raise SystemExit("these are figures of a processor, which are not for RESULTS.md")
    lines = head(told.told)
    for part in (goals, placement, parity, throughput, latency, decode, memory, missing):
        lines += part(told)
    target.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
