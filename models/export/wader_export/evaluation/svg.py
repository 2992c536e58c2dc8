"""Small diagrams for the model card, written as SVG by hand."""

import json
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 320, 46, 14, 30, 38
COLOURS = ("#1f6fb4", "#d9731a", "#2a8f4d", "#9a3fa0", "#b03a3a", "#555555")
GRID, TEXT = "#cccccc", "#333333"


class Plot:
    """One pair of axes with lines, points and bars inside a larger picture."""

    def __init__(self, title: str, x: tuple[float, float], y: tuple[float, float], at=(0, 0), legend="bottom-left"):
        self.x, self.y, self.at, self.names, self.legend = x, y, at, [], legend
        self.parts = [self.text(WIDTH / 2, 18, title, "middle", 13)]

    def text(self, x: float, y: float, words: str, anchor: str = "start", size: int = 11, colour: str = TEXT) -> str:
        """Words at a place of the picture."""
        style = f'text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
        return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a value."""
        across = (x - self.x[0]) / max(self.x[1] - self.x[0], 1e-9)
        up = (y - self.y[0]) / max(self.y[1] - self.y[0], 1e-9)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def axes(self, x_ticks, y_ticks, x_label: str) -> None:
        """Grid, numbers and the label below."""
        for value in y_ticks:
            left, y = self.place(self.x[0], value)
            right, _ = self.place(self.x[1], value)
            self.parts.append(f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{GRID}" stroke-width="0.7"/>')
            self.parts.append(self.text(left - 5, y + 4, f"{value:g}", "end"))
        for value in x_ticks:
            x, bottom = self.place(value, self.y[0])
            self.parts.append(self.text(x, bottom + 14, f"{value:g}", "middle"))
        self.parts.append(self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "middle"))

    def line(self, points, colour: str, dashed: bool = False) -> None:
        """A line through points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*p) for p in points))
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')

    def dots(self, points, colour: str) -> None:
        """Discs (x, y, radius in pixels)."""
        for x, y, radius in points:
            a, b = self.place(x, y)
            self.parts.append(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.75"/>'
            )

    def name(self, words: str, colour: str) -> None:
        """A line of the legend."""
        self.names.append((words, colour))

    def key(self) -> list[str]:
        """The legend in its corner."""
        across, down = "left" in self.legend, "top" in self.legend
        x = LEFT + 8 if across else WIDTH - RIGHT - 130
        first = TOP + 14 if down else HEIGHT - BOTTOM - 15 * len(self.names) + 7
        parts = []
        for number, (words, colour) in enumerate(self.names):
            y = first + 15 * number
            parts.append(f'<rect x="{x}" y="{y - 8}" width="10" height="10" fill="{colour}"/>')
            parts.append(self.text(x + 15, y + 1, words))
        return parts

    def draw(self) -> str:
        """The axes with all that was put into them."""
        return (
            f'<g transform="translate({self.at[0] * WIDTH} {self.at[1] * HEIGHT})">'
            + "\n".join(self.parts + self.key())
            + "</g>"
        )


def picture(plots: list[Plot]) -> str:
    """The whole SVG."""
    width = WIDTH * (1 + max(p.at[0] for p in plots))
    height = HEIGHT * (1 + max(p.at[1] for p in plots))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif">\n<rect width="{width}" height="{height}" fill="white"/>\n'
        + "\n".join(p.draw() for p in plots)
        + "\n</svg>\n"
    )


def reliability(parts: dict[str, tuple[float, list[tuple[float, float, int]]]]) -> str:
    """Share of the answer against how often it is right: name -> (calibration error, bins)."""
    plot = Plot("How sure it is, and how often it is right", (0, 1), (0, 1), legend="top-left")
    ticks = (0, 0.2, 0.4, 0.6, 0.8, 1)
    plot.axes(ticks, ticks, "share of the answer (size of a disc: number of questions)")
    plot.line([(0, 0), (1, 1)], "#888888", dashed=True)
    for (name, (error, rows)), colour in zip(parts.items(), COLOURS):
        total = max(1, sum(n for _, _, n in rows))
        plot.line([(a, b) for a, b, _ in rows], colour)
        plot.dots([(a, b, 2.2 + 9 * (n / total) ** 0.5) for a, b, n in rows], colour)
        plot.name(f"{name}: error {error:.3f}", colour)
    return picture([plot])


def smooth(values: list[float], window: int = 5) -> list[float]:
    """Running means."""
    return [sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))]


def curves(log: Path) -> str:
    """What a training run's log.jsonl says: words and answers right, and the held-out figures."""
    rows = [json.loads(line) for line in log.read_text().splitlines() if line.strip()]
    stages = list(dict.fromkeys(r["stage"] for r in rows if "stage" in r))
    begun, minutes = 0.0, {}
    for stage in stages:  # `elapsed` counts from the start of each stage
        minutes[stage] = begun
        begun += max((r["elapsed"] / 60 for r in rows if r.get("stage") == stage and "elapsed" in r), default=0.0)
    clock, timed, held = {s: 0.0 for s in stages}, [], []
    for row in rows:
        stage = row.get("stage")
        if "elapsed" in row:
            clock[stage] = minutes[stage] + row["elapsed"] / 60
            timed.append((clock[stage], row))
        elif "held_out" in row:
            held.append((clock[stage], stage, row["held_out"]))
    last = max([m for m, _ in timed] + [1e-9])
    ticks = [round(last * k / 5) for k in range(6)]
    share = (0, 0.2, 0.4, 0.6, 0.8, 1)
    right = Plot("Right while training", (0, last), (0, 1), (0, 0))
    right.axes(ticks, share, "minutes")
    most = max((r[loss] for _, r in timed for loss in ("words", "state") if loss in r), default=3)
    top = next(high for high in (0.3, 1.5, 3) if high >= min(most, 3))  # what goes on from a trained model has little left
    losses = Plot("Loss while training", (0, last), (0, top), (1, 0), legend="top-right")
    losses.axes(ticks, [round(k * top / 3, 1) for k in range(4)], "minutes")
    for stage, colour in zip(stages, COLOURS):
        rows_of = [(m, r) for m, r in timed if r["stage"] == stage]
        if points := [(m, r["right"]) for m, r in rows_of if "right" in r]:
            right.line(list(zip([m for m, _ in points], smooth([v for _, v in points]))), colour)
            right.name(stage, colour)
        if points := [(m, min(r["words"], 3)) for m, r in rows_of if "words" in r]:
            losses.line(list(zip([m for m, _ in points], smooth([v for _, v in points]))), colour)
            losses.name(f"words, {stage}", colour)
    if points := [(m, min(r["state"], 3)) for m, r in timed if "state" in r]:
        losses.line(list(zip([m for m, _ in points], smooth([v for _, v in points]))), COLOURS[5])
        losses.name("state", COLOURS[5])
    answers = Plot("Held-out clips: answers right", (0, last), (0, 1), (0, 1))
    answers.axes(ticks, share, "minutes")
    told = [(m, h["answers"]) for m, _, h in held if h.get("answers")]
    wanted = ("MEAN", "count", "wearing", "trend", "walking", "caption")
    for kind, colour in zip(wanted, COLOURS):
        if points := [(m, a[kind]) for m, a in told if kind in a]:
            answers.line(points, colour)
            answers.name("mean of kinds" if kind == "MEAN" else kind, colour)
    states = Plot("Held-out clips: state of the scene", (0, last), (0, 1), (1, 1))
    states.axes(ticks, share, "minutes")
    if points := [(m, h["state_mean"]) for m, _, h in held if "state_mean" in h]:
        states.line(points, COLOURS[0])
        states.name("mean of heads", COLOURS[0])
    for name, colour in (("now", COLOURS[1]), ("walk_left", COLOURS[2]), ("entered", COLOURS[3])):
        if points := [(m, h["state"][name]) for m, _, h in held if name in h.get("state", {})]:
            states.line(points, colour)
            states.name(name, colour)
    # a run of the decoder alone tells no state
    plots = [plot for plot in (right, losses, answers, states) if plot.names] or [losses]
    for number, plot in enumerate(plots):
        plot.at = (number % 2, number // 2)
    return picture(plots)
