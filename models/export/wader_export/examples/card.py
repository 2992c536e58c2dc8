"""EXAMPLES.md: the tables of the judgement, as text."""

from . import conditions, judge, tasks
from .judge import Answers

SHOW = {
    "comparer": "**comparer**",
    "most different cells": "most different cells (rule)",
    "nearest example": "nearest example (cosine)",
}
PLAIN = [((n, n), "all", False) for n in judge.COUNTS]


def row(cells: list) -> str:
    """One line of a table."""
    return "| " + " | ".join(c if isinstance(c, str) else f"{c:.3f}" for c in cells) + " |"


def table(head: list[str], rows: list[list]) -> str:
    """A whole table."""
    return "\n".join([row(head), "|" + "---|" * len(head), *map(row, rows)])


def bars(answers: Answers, refusals: dict) -> str:
    """The acceptance bars."""

    def of(count: int, marked: bool = False, condition: str | None = None) -> float:
        return answers.accuracy(((count, count), "all", marked), condition=condition)

    wanted = [
        ("2 examples a state", of(2), 0.90, True),
        ("4 examples a state", of(4), 0.96, True),
        ("8 examples a state", of(8), 0.975, True),
        ("night, 4 examples a state", of(4, condition="night"), 0.92, True),
        ("1 example a state and a marked region", of(1, True), 0.92, True),
        ("expected calibration error, 1 to 8 examples", answers.calibration(PLAIN), 0.05, False),
    ]
    rows = []
    for name, value, limit, least in wanted:
        met = value >= limit if least else value <= limit
        rows.append([name, value, f"{'≥' if least else '≤'} {limit}", "met" if met else "**missed**"])
    return table(["bar (mean over tasks, all conditions)", "reached", "wanted", ""], rows)


def by_count(answers: Answers) -> str:
    """Systems by number of examples, from all conditions | from clean and other light only."""
    rows = []
    for system in judge.SYSTEMS:
        for marked in (False, True):
            cells = [SHOW[system] + (", region marked" if marked else "")]
            for n in judge.COUNTS:
                known = ((n, n), "all", marked) in answers.settings()
                both = [answers.accuracy(((n, n), pool, marked), system) for pool in judge.POOLS] if known else []
                cells.append(" \\| ".join(f"{v:.3f}" for v in both) or "–")
            rows.append(cells)
    return table(["examples a state", *map(str, judge.COUNTS)], rows)


def by_condition(answers: Answers) -> str:
    """The comparer and the rule, by the query's condition."""
    rows = []
    for name in conditions.NAMES:
        cells = [name]
        for setting in [*PLAIN, ((1, 1), "all", True)]:
            cells.append(answers.accuracy(setting, condition=name))
        cells.append(answers.accuracy(((4, 4), "all", False), "most different cells", name))
        rows.append(cells)
    return table(["query", *(f"{n}" for n in judge.COUNTS), "1, marked", "rule, 4"], rows)


def by_task(answers: Answers, every: list[tasks.Task]) -> str:
    """Every task."""
    rows = []
    for number, task in enumerate(every):
        cells = [task.name, f"{100 * task.share():.1f} %"]
        for setting in (((1, 1), "all", True), ((2, 2), "all", False), ((4, 4), "all", False), ((8, 8), "all", False)):
            cells.append(f"{answers.of_task(setting, number):.2f}")
        rows.append(cells)
    return table(["task", "box", "1, marked", "2", "4", "8"], rows)


def refused(refusals: dict) -> str:
    """How often example sets are refused."""
    rows = []
    for kind in judge.KINDS:
        cells = [kind]
        for count in (4, 8):
            share, mean = refusals[kind, count]
            cells += [f"{100 * share:.0f} %", f"{mean:.2f}"]
        rows.append(cells)
    head = [f"{n} a state: {what}" for n in (4, 8) for what in ("refused", "left-out probability")]
    return table(["examples", *head], rows)


def write(answers: Answers, refusals: dict, every: list[tasks.Task], times: dict[str, float]) -> str:
    """All tables."""
    said = [[claim, right, f"{n}"] for claim, right, n in answers.reliability(PLAIN)]
    honest = table(["said (surer side)", "right", "answers"], said)
    unequal = table(
        ["examples of state 0 and 1", "accuracy"],
        [[f"{a} and {b}", answers.accuracy(((a, b), "all", False))] for a, b in judge.UNEQUAL],
    )
    count = sum(len(r[1]) for r in answers.rows[PLAIN[0], "comparer"])
    asked = (
        f"{len(every)} tasks, {count} answers a figure. "
        "In pairs: examples from all conditions | from clean and other light only."
    )
    ece = f"Expected calibration error: {answers.calibration(PLAIN):.3f} over 1 to 8 examples; " + ", ".join(
        f"{answers.calibration([s]):.3f} at {s[0][0]}" for s in PLAIN
    )
    return "\n\n".join(
        [
            bars(answers, refusals),
            f"### By number of examples\n\n{asked}\n\n{by_count(answers)}\n\n{unequal}",
            f"### By condition of the query (examples from all conditions)\n\n{by_condition(answers)}",
            f"### Are the probabilities true?\n\n{ece}.\n\n{honest}",
            f"### Refusal: one pair left out, mean probability under 0.8\n\n{refused(refusals)}",
            f"### By task\n\n{by_task(answers, every)}",
            f"### Time on one CPU thread\n\n{table(['', 'ms'], [[k, f'{v:.2f}'] for k, v in times.items()])}",
        ]
    )
