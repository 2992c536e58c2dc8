"""The command `transitions`: run the service on the looped footage, then say which of its events were right."""

import json
import sys
import time
from pathlib import Path
from statistics import median

from ..paths import cache_dir
from . import heard, stage, truth
from .asked import LONGEST, SPAN, VARIANTS, VIEWS
from .figures import lag_of, measure_all, number, table
from .matching import EARLY


def run(arguments) -> None:
    """Measures for so many minutes; Ctrl-C ends it early with what there is."""
    stage.end_on_signals()
    try:
        measured = measure(arguments)
    except stage.Failed as failure:
        sys.exit(f"transitions: {failure}")
    except KeyboardInterrupt:
        sys.exit("transitions: ended before there was anything to measure")
    print(table(measured["rows"]))
    print(notes(measured))
    if arguments.json:
        rows = [{**row, "figures": row["figures"].summary()} for row in measured["rows"]]
        arguments.json.write_text(json.dumps({**measured, "rows": rows}, indent=1) + "\n")


# Above these the machine was too busy to be a camera and a service at once.
MOST_LOST, MOST_AGE_MS, MOST_LAG = 0.01, 500, 1.0
LOST = ("camera_offline", "no_frames", "late")


def measure(arguments) -> dict:
    """Runs everything; the figures of each camera, question and variant, and of the run."""
    views = tuple(arguments.views.split(",")) if arguments.views else VIEWS
    strange = set(views) - set(truth.crops())
    if strange:
        raise stage.Failed(f"no view is called {', '.join(sorted(strange))}; there are {', '.join(truth.crops())}")
    footage = arguments.footage or cache_dir("footage") / "vtest.avi"
    with stage.build(arguments.wader, arguments.model, footage, views) as built:
        print(f"{len(views)} cameras for {arguments.minutes:g} minutes; Ctrl-C ends it early", file=sys.stderr)
        end = time.time() + 60 * arguments.minutes
        try:
            while time.time() < end:
                built.check()
                time.sleep(min(1, max(end - time.time(), 0)))
        except KeyboardInterrupt:
            end = time.time()
        with open(built.record) as lines:
            said = heard.read(lines)
        manifest = json.loads((arguments.model / "manifest.json").read_text())
        return {
            "model": f"{manifest['name']} {manifest['version']}",
            "minutes": (end - min(camera.began for camera in built.cameras)) / 60,
            "tolerance_s": {variant.title: variant.tolerance for variant in VARIANTS},
            "outcomes": dict(said.outcomes.most_common()),
            "median_age_ms": median(said.ages_ms) if said.ages_ms else None,
            "lag_s": lag_of(built.cameras, said, end),
            "rows": measure_all(built.cameras, said, end),
        }


BUSY = """THESE FIGURES SAY MORE OF A BUSY MACHINE THAN OF THE MODEL: pictures came late or not at all.
Fewer --views need less.

"""


def notes(measured: dict) -> str:
    """How to read the table."""
    first, last = truth.stretch()
    outcomes, age, lag = measured["outcomes"], measured["median_age_ms"], measured["lag_s"]
    answers = sum(outcomes.values())
    shares = ", ".join(f"{name} {count / answers:.1%}" for name, count in outcomes.items()) or "none"
    tolerances = ", ".join(f"{seconds:g} s ({title})" for title, seconds in measured["tolerance_s"].items())
    lost = sum(outcomes.get(name, 0) for name in LOST) > MOST_LOST * answers
    busy = lost or (age or 0) > MOST_AGE_MS or abs(lag) > MOST_LAG
    return f"""
{BUSY if busy else ""}{measured["model"]}, {measured["minutes"]:.1f} minutes, {answers} answers: {shares}.
The newest picture was {number(age, ".0f")} ms old at the median; most answers would be right were pictures {lag:g} s older.
Seconds {first:g} to {last:g} of the footage, over and over: its {last - first:.1f} s are all there is, however long it runs.
Hours: of one question on one camera, in which a state was published and the truth is clear; rates are an hour of these.
Transitions: true changes between two clear states. An event is right that says the new state from {EARLY:g} s before the
change until so long after: {tolerances}.
Delay: seconds from the middle of the change to the event. Answers right: each about its own pictures.
The loop's seam is no change of the scene: what is about pictures of both its sides ({SPAN} s after it) is left out, and so
are changes in the {LONGEST:g} s before it and events that only catch up after it. Events that are neither right nor false
count as events and as nothing else."""
