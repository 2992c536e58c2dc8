"""The model card: tables between marks in README.md are written anew, the text around them is by hand."""

from pathlib import Path

FRAME = """\
# wader-small: model card

{intro}

<!-- tables -->
<!-- /tables -->
"""
START, STOP = "<!-- tables -->", "<!-- /tables -->"


def write(path: Path, tables: str) -> None:
    """Replaces what stands between the marks."""
    text = path.read_text() if path.exists() else FRAME.format(intro="")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(STOP)
    path.write_text(f"{before}{START}\n{tables.strip()}\n{STOP}{after}")
