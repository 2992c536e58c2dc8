"""The commands `evaluate` and `variants`: run parts, write the model card."""

import json
import sys
import time
from dataclasses import asdict

from ..paths import EXPORT_DIR
from . import card, failures, svg, variants
from .model import Model
from .parts import PARTS, Context, rule_part


def chosen(names: str | None, without: str | None) -> list[str]:
    """The parts to run."""
    wanted = list(PARTS) if names is None else names.split(",")
    skipped = [] if without is None else without.split(",")
    unknown = sorted({*wanted, *skipped} - set(PARTS))
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)})")
    return [name for name in wanted if name not in skipped]


def written(model: Model, store: card.Store) -> str:
    """Writes the card; gives its tables, and says on the terminal what was never measured of this model."""
    path, tables = model.folder / "README.md", store.tables(rule_part(store.figures))
    card.write(path, tables)
    lacking = card.lacks(path.read_text())
    if lacking:
        print(f"not measured, so not in {path}: {', '.join(lacking)}", file=sys.stderr)
    return tables


def run(arguments) -> None:
    """Evaluates and writes the card."""
    model = Model(arguments.model)
    store = card.Store(model)
    context = Context(model, arguments.truth, arguments.frames, arguments.simulated)
    for name in chosen(arguments.parts, arguments.skip):
        start = time.process_time()
        store.put(name, *PARTS[name](context))
        print(f"{name}: {time.process_time() - start:.0f} s of CPU time", file=sys.stderr)
    logs = sorted((EXPORT_DIR / "logs").glob("*.jsonl"))
    if logs:
        (model.folder / "training.svg").write_text(svg.curves(logs[-1]))
        store.put("training", f"### Training\n\n![Curves of {logs[-1].stem}](training.svg)", {})
    if context.asked:
        places = {"footage": lambda: context.windows, "stills": lambda: context.still_windows}
        sources = [(getattr(context, place), places[place](), asked) for place, asked in context.asked.items()]
        failures.sheet(store.path.with_suffix(".failures.jpg"), sources)
        for place, asked in context.asked.items():
            lines = [json.dumps(asdict(one)) for one in asked]
            store.path.with_suffix(f".{place}.jsonl").write_text("\n".join(lines) + "\n")
        print(f"every answer, and the most confident wrong ones: {store.path.parent}", file=sys.stderr)
    print(written(model, store))


def run_variants(arguments) -> None:
    """Judges other precisions and writes their table into the card."""
    model = Model(arguments.model)
    store = card.Store(model)
    context = Context(model, arguments.truth, arguments.frames, arguments.simulated)
    figures = variants.judge(arguments.model, context.footage.folder, context.windows, arguments.simulated)
    text = f"### Precisions\n\nCPU time on one thread.\n\n{variants.table(figures)}"
    store.put("variants", text, figures)
    written(model, store)
    print(text)
