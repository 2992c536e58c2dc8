#!/usr/bin/env python3
"""vtest.toml (tracks made by hand) -> vtest-windows.json and vtest-demo.json (true answers).

    python3 tests/footage/derive.py          write the files, print a table of kinds
    python3 tests/footage/derive.py --check  exit 1 if a file is not up to date

vtest-windows.json is what a model is judged by; vtest-demo.json says of the demo's view, for each half
second, what a person saw in the seven seconds before it.

A window is 8 source times of one view. A value is true, false, a number, a word, or
null where a person looking at it would say "unclear". "now" is the newest picture.
A person's state in one picture of a view:
  yes    at least 50 % of the body box inside the view and not hidden
  no     less than 8 % inside, or hidden behind something
  maybe  in between, marked unclear in the toml, or smaller than 7.5 % of the view
A maybe never makes an answer true or false where the other way would differ.

person_present  someone is there (yes) now or in >= 2 pictures; false: in none, not
                even maybe.  nobody_there is the opposite
person_now      someone is there now
count, at_least_three, person_left_half, person_right_half  now; within 5 % of the
                view's middle line neither half is sure
person_near     now, body >= 28 % of the view's height; 22..28 % is null
person_far      now, body < 12 % of the view's height; 12..15 % is null
walking_left, walking_right  net way > 0.3 body heights, more sideways than up or
                down; null from 0.2, or when it turns round in between
coming_closer   at the end foot > 0.3 body heights lower and body > 10 % taller
standing_still  seen in >= 3 pictures, and all of these or three quarters of the
                window in a row are within 0.15 body heights; null: within 0.35, or
                half of the window in a row only
anyone_moving   someone moves > 0.3 body heights, comes in or goes out; null from
                0.12 or for gestures
came_in, went_out  not in the first picture but later; there before but not now
                (behind the sign or another person: null)
more_people, fewer_people, count_change  now against the first picture
when_came, when_left  whole seconds from the latest such moment to now: the middle
                between the pictures around it; "none" where nobody did; null where
                another may have come or gone. when_gap: [seconds between these
                pictures] of both
people, vehicles  [fewest, most] now
wearing_X       upper or lower clothes (not shoes) of someone seen now or in >= 2
                pictures; null if it is only one of maybe_colours
vehicle_*       >= 50 % of its box inside; vehicle_colour null unless exactly one
caption_facts   short true statements about the window
"""
import json, math, pathlib, sys, tomllib
HERE = pathlib.Path(__file__).resolve().parent
T = tomllib.loads((HERE / "vtest.toml").read_text())
OUT, DEMO = HERE / "vtest-windows.json", HERE / "vtest-demo.json"
DEMO_VIEW = "grass"  # people come and go there, and often nobody is
DEMO_KINDS = ["person_present", "count", "walking_left", "came_in", "wearing_red", "caption_facts"]
ASPECT = T["width"] / T["height"]
YES, NO, TINY = 0.5, 0.08, 0.075
NUMBERS = "no one two three four five six seven eight nine ten".split()
FACTS = {"wearing_red": "in red", "wearing_blue": "in blue", "wearing_black": "in black",
         "walking_left": "walks left", "walking_right": "walks right", "came_in": "came in",
         "went_out": "went out", "standing_still": "stands still", "coming_closer": "comes closer"}

def within(spans, t):
    return any(a - 1e-6 <= t <= b + 1e-6 for a, b in spans)

def at(track, t):
    """x, y, h on the straight line between readings (kept beyond the ends)."""
    if t <= track[0][0]:
        return track[0][1:]
    for p, q in zip(track, track[1:]):
        if t <= q[0] + 1e-6:
            f = (t - p[0]) / (q[0] - p[0])
            return [u + (v - u) * f for u, v in zip(p[1:], q[1:])]
    return track[-1][1:]

def part(box, crop):
    """Share of a box inside a crop (and the picture)."""
    w = min(box[2], crop[2], 1.0) - max(box[0], crop[0], 0.0)
    h = min(box[3], crop[3], 1.0) - max(box[1], crop[1], 0.0)
    return max(w, 0.0) * max(h, 0.0) / ((box[2] - box[0]) * (box[3] - box[1]))

def see(p, t, crop):
    """One person in one picture of a view; state is True (yes), False (no) or None (maybe)."""
    x, y, h = at(p["track"], t)
    half, size = 0.15 * h / ASPECT, crop[3] - crop[1]
    inside = part([x - half, y - h, x + half, y], crop)
    hidden = within(p["hidden"], t)
    if not p["first"] - 0.25 <= t <= p["last"] + 0.25 or hidden or inside < NO:
        state = False
    elif (not within([[p["first"], p["last"]]], t) or within(p["unclear"], t)
          or inside < YES or h / size < TINY):
        state = None
    else:
        state = True
    return {"state": state, "hidden": hidden and inside >= NO, "x": x * ASPECT, "y": y, "h": h,
            "vx": (min(max(x, crop[0]), crop[2]) - crop[0]) / (crop[2] - crop[0]), "vh": h / size,
            "upper": part([x - half, y - h, x + half, y - h / 2], crop) >= 0.5,
            "lower": part([x - half, y - h / 2, x + half, y], crop) >= 0.5}

def some(values):
    """Three-valued "any"."""
    values = list(values)
    return True if True in values else None if None in values else False

def walks(seen, sign):
    """Net way to one side, in body heights."""
    if len(seen) < 2:
        return False
    h = sum(s["h"] for s in seen) / len(seen)
    dx = sign * (seen[-1]["x"] - seen[0]["x"]) / h
    dy = abs(seen[-1]["y"] - seen[0]["y"]) / h
    most = max(sign * (b["x"] - a["x"]) / h for i, a in enumerate(seen) for b in seen[i:])
    if dx > 0.3 and dx > dy:
        return True
    return None if most > 0.2 and (most > dx + 0.1 or dx > 0.5 * dy) else False

def closer(seen):
    best = False
    for i, a in enumerate(seen):
        for b in seen[i + 1:]:
            dy, ratio = (b["y"] - a["y"]) / a["h"], b["h"] / a["h"]
            if dy > 0.3 and ratio > 1.10 and a is seen[0] and b is seen[-1]:
                return True
            if dy > 0.12 and ratio > 1.05:
                best = None
    return best

def spread(seen):
    h = sum(s["h"] for s in seen) / len(seen)
    return max(max(s[k] for s in seen) - min(s[k] for s in seen) for k in "xy") / h

def stands(seen, pictures):
    def runs(part):
        n = max(3, math.ceil(part * pictures))
        return [seen[i:i + n] for i in range(len(seen) - n + 1)]
    if len(seen) < 3:
        return False
    if any(spread(r) <= 0.15 for r in [seen] + runs(0.75)):
        return True
    return None if spread(seen) <= 0.35 or any(spread(r) <= 0.18 for r in runs(0.5)) else False

def both(rule, rows, *more):
    """A rule over the sure pictures of each person; null where the unsure ones matter."""
    out = []
    for row in rows:
        sure = rule([s for s in row if s["state"]], *more)
        wide = rule([s for s in row if s["state"] is not False], *more)
        out.append(sure if sure == wide or sure else None)
    return some(out)

def moves(p, row, times):
    seen = [s for s in row if s["state"]]
    wide = [s for s in row if s["state"] is not False]
    if len(seen) > 1 and spread(seen) > 0.3:
        return True
    unsure = any(within(p["gesture"], t) for t in times) or len(seen) != len(wide) or len(seen) < 2
    return None if wide and (unsure or spread(seen) > 0.12) else False

def wears(p, row, colour):
    clear = [k for k in ("upper", "lower") if p[k] == colour]
    for k in clear:
        shown = [bool(s["state"] and s[k]) for s in row]
        if shown[-1] or sum(shown) >= 2:
            return True
    perhaps = (clear or colour in p["maybe_colours"]) and any(s["state"] is not False for s in row)
    return None if perhaps else False

def came(row):
    """Absent in the first picture, there later (with the row reversed: went out)."""
    first, later = row[0], [s["state"] for s in row[1:]]
    if first["state"] or (True not in later and None not in later):
        return False
    return None if first["state"] is None or first["hidden"] or True not in later else True

def when(rows, times, back):
    """Seconds ago and the gap around the latest coming (back: going), "none", or null."""
    answers = [came(r[::-1] if back else r) for r in rows]
    if True not in answers:
        return (None if None in answers else "none"), None
    if None in answers:
        return None, None
    latest = None
    for row, yes in zip(rows, answers):
        states = [s["state"] for s in row]
        if not yes:
            continue
        if back:
            a = max(i for i, s in enumerate(states) if s)
            b = next(i for i in range(a + 1, len(states)) if states[i] is False)
        else:
            b = states.index(True)
            a = max(i for i in range(b) if states[i] is False)
        ago = times[-1] - (times[a] + times[b]) / 2
        if latest is None or ago < latest[0]:
            latest = (ago, round(times[b] - times[a], 2))
    return math.floor(latest[0] + 0.5), latest[1]

def window(view, times):
    crop, people = view["crop"], T["person"]
    rows = [[see(p, t, crop) for t in times] for p in people]

    def now(test):
        """A test of each person in the newest picture; a maybe makes true to null."""
        last = [(r[-1]["state"], r[-1]) for r in rows if r[-1]["state"] is not False]
        return some(test(s) if sure else None if test(s) is not False else False for sure, s in last)

    def half(s):
        return None if abs(s["vx"] - 0.5) <= 0.05 else s["vx"] < 0.5

    bounds = []  # per picture: people surely there, people perhaps there
    for i in range(len(times)):
        states = [r[i]["state"] for r in rows]
        bounds.append((states.count(True), states.count(True) + states.count(None)))
    a, b = bounds[0], bounds[-1]
    present = True if b[0] or sum(low > 0 for low, _ in bounds) >= 2 else None
    present = False if all(high == 0 for _, high in bounds) else present
    inside = [(v, part(v["box"], crop)) for v in T["vehicle"]]
    there = some(True if f >= YES else None if f >= NO else False for _, f in inside)
    shown = [v for v, f in inside if f >= NO]
    v = {
        "person_present": present,
        "nobody_there": None if present is None else not present,
        "person_now": now(lambda s: True),
        "count": b[0] if b[0] == b[1] else None,
        "at_least_three": True if b[0] >= 3 else False if b[1] < 3 else None,
        "person_left_half": now(half),
        "person_right_half": now(lambda s: None if half(s) is None else not half(s)),
        "person_near": now(lambda s: None if 0.22 <= s["vh"] < 0.28 else s["vh"] >= 0.28),
        "person_far": now(lambda s: None if 0.12 <= s["vh"] < 0.15 else s["vh"] < 0.12),
        "walking_left": both(walks, rows, -1),
        "walking_right": both(walks, rows, 1),
        "coming_closer": both(closer, rows),
        "standing_still": both(stands, rows, len(times)),
        "anyone_moving": some(moves(p, r, times) for p, r in zip(people, rows)),
        "came_in": some(came(r) for r in rows),
        "went_out": some(came(r[::-1]) for r in rows),
        "more_people": True if b[0] > a[1] else False if b[1] <= a[0] else None,
        "fewer_people": True if b[1] < a[0] else False if b[0] >= a[1] else None,
        "count_change": None,
    }
    if v["more_people"] or v["fewer_people"]:
        v["count_change"] = "rises" if v["more_people"] else "falls"
    elif a[0] == a[1] == b[0] == b[1]:
        v["count_change"] = "stays the same"
    if v["came_in"] or v["went_out"]:
        v["anyone_moving"] = True
    for colour in ("red", "white", "black", "blue"):
        v["wearing_" + colour] = some(wears(p, r, colour) for p, r in zip(people, rows))
    parked = all(within(c["parked"], t) for c in shown for t in times)
    v["vehicle_present"] = there
    v["vehicle_parked"] = there if parked else None
    v["vehicle_moving"] = some(within(c["moving"], t) for c in shown for t in times)
    v["vehicle_colour"] = shown[0]["colour"] if len(shown) == 1 and there else None
    v["light"] = T["light"]
    (v["when_came"], gap_came), (v["when_left"], gap_left) = when(rows, times, False), when(rows, times, True)
    v["when_gap"] = [gap_came, gap_left]
    v["people"] = list(b)
    v["vehicles"] = [sum(f >= YES for _, f in inside), len(shown)]
    v["caption_facts"] = (
        ["a parked %s %s" % (c["colour"], c["kind"]) for c, f in inside if f >= YES and parked]
        + (["nobody there"] if v["nobody_there"] else [])
        + ([NUMBERS[b[0]] + (" person" if b[0] == 1 else " people")] if v["count"] else [])
        + ["someone " + words for kind, words in FACTS.items() if v[kind]])
    return v

def windows():
    """Per view 10 windows of 3.5 s and 5 of 7 s; those of one length never overlap."""
    for n, view in enumerate(T["view"]):
        for name, step, every, number in (("short", 5, 39, 10), ("long", 10, 80, 5)):
            for k in range(number):  # step, every, start: tenths of a second
                start = round(T["from"] * 10) + (3 * n) % 7 + every * k
                times = [(start + step * i) / 10 for i in range(8)]
                yield {"id": "%s-%s-%02d" % (view["name"], name, k), "view": view["name"],
                       "crop": view["crop"], "times": times, "truth": window(view, times)}

def demo():
    """One view, each half second: the truth of the seven seconds that end there."""
    view = next(v for v in T["view"] if v["name"] == DEMO_VIEW)
    first, last = round(T["from"] * 10) + 70, round(T["to"] * 10)
    out = []
    for newest in range(first, last + 1, 5):
        truth = window(view, [(newest - 10 * back) / 10 for back in range(7, -1, -1)])
        out.append({"newest": newest / 10, **{kind: truth[kind] for kind in DEMO_KINDS}})
    return {"crop": view["crop"], "from": T["from"], "to": T["to"], "span": 7.0, "moments": out}


def main():
    made = list(windows())
    files = {OUT: "[\n" + ",\n".join(json.dumps(w) for w in made) + "\n]\n",
             DEMO: json.dumps(demo(), indent=1) + "\n"}
    if "--check" in sys.argv:
        stale = [path.name for path, text in files.items() if not path.exists() or path.read_text() != text]
        print("not what vtest.toml gives: " + ", ".join(stale) if stale else "up to date")
        sys.exit(1 if stale else 0)
    for path, text in files.items():
        path.write_text(text)
    print("%d windows, %d views" % (len(made), len(T["view"])))
    print("%-18s %4s %5s %6s %5s  other values" % ("kind", "n", "true", "false", "null"))
    for kind in [k for k in made[0]["truth"] if k not in ("caption_facts", "when_gap", "people", "vehicles")]:
        values = [w["truth"][kind] for w in made]
        other = [x for x in values if x is not None and not isinstance(x, bool)]
        print("%-18s %4d %5d %6d %5d  %s" % (
            kind, len(values), *(sum(x is c for x in values) for c in (True, False, None)),
            ", ".join("%s: %d" % (x, other.count(x)) for x in sorted(set(other), key=str))))

if __name__ == "__main__":
    main()
