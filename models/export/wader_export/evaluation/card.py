"""The model card: what stands between marks in README.md is written anew, the text around it is by hand.

Every part's text and figures are kept in the cache under the model's hash: a run of some parts leaves the others.
"""

import hashlib
import json
from pathlib import Path

from ..paths import cache_dir
from . import bars
from .model import Model

FRAME = """\
# wader-small: model card

<!-- tables -->
<!-- /tables -->
"""
START, STOP = "<!-- tables -->", "<!-- /tables -->"
HEADINGS = {  # of the parts, in their order
    "footage": "Real footage",
    "stills": "Real photographs",
    "captions": "Captions",
    "unsure": "Whether it knows what it does not see",
    "time": "Frames, lost frames, and spans",
    "calibration": "Calibration",
    "rule": "Where a hand-written rule is better",
    "simulated": "Simulated held-out clips",
    "variants": "Precisions",
    "speed": "Time on one CPU thread",
    "training": "Training",
}


def replaced(text: str, tables: str) -> str:
    """The card with new tables between the marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(STOP)
    return f"{before}{START}\n{tables.strip()}\n{STOP}{after}"


def write(path: Path, tables: str) -> None:
    """Replaces what stands between the marks."""
    path.write_text(replaced(path.read_text() if path.exists() else FRAME, tables))


def lacks(text: str) -> list[str]:
    """The parts that a card does not have."""
    return [name for name, heading in HEADINGS.items() if f"\n### {heading}" not in text]


class Store:
    """Text and figures of the parts of one model."""

    def __init__(self, model: Model):
        digest = hashlib.sha256()
        for name in sorted(model.files):
            digest.update(model.files[name].read_bytes())
        self.path = cache_dir("evaluation") / f"{digest.hexdigest()[:16]}.json"
        read = json.loads(self.path.read_text()) if self.path.is_file() else {}
        self.texts, self.figures = read.get("texts", {}), read.get("figures", {})

    def put(self, name: str, text: str, figures: dict) -> None:
        """Keeps a part."""
        self.texts[name], self.figures[name] = text, json.loads(json.dumps(figures))
        self.path.write_text(json.dumps({"texts": self.texts, "figures": self.figures}, indent=1) + "\n")

    def tables(self, rule: str) -> str:
        """The whole: bars first, then every part that is known."""
        texts = self.texts | {"rule": rule}
        pieces = [f"### What was wanted and what was reached\n\n{bars.table(self.figures)}"]
        return "\n\n".join(pieces + [texts[name] for name in HEADINGS if name in texts])
