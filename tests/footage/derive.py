#!/usr/bin/env python3
"""vtest.toml (tracks made by hand) -> vtest-windows.json and vtest-demo.json (true answers).

    python3 tests/footage/derive.py          write the files, print a table of kinds
    python3 tests/footage/derive.py --check  exit 1 if a file is not up to date

vtest-windows.json is what a model is judged by; vtest-demo.json says of the demo's view, for each half
second, what a person saw in the seven seconds before it.

A window is 8 source times of one view. All values are true, false, a number, a
word, or null where a person looking at it would say "unclear". "now" is the
newest picture. A person's state in a picture of a view:
  yes    at least 45 % of the body box inside the view and not hidden
  no     less than 8 % inside, or hidden behind something
  maybe  in between, marked unclear in the toml, or smaller than 7.5 % of the view
A maybe never makes an answer true or false where the other way would differ.

person_present  someone is there (yes) in >= 2 pictures; false: in none, not even maybe
nobody_there    the opposite of person_present
person_now      someone is there now
count, at_least_three, person_left_half, person_right_half: now; within 3 % of
                the view's middle line neither half is sure
person_near     now, body >= 28 % of the view's height; 22..28 % is null
person_far      now, body < 12 % of the view's height; 12..15 % is null
walking_left, walking_right  net way > 0.3 body heights, more sideways than up or
                down; null from 0.2, or when it turns round in between
coming_closer   foot > 0.3 body heights lower and body > 10 % taller at the end
standing_still  seen in >= 3 pictures, and all of these or 6 in a row are within
                0.15 body heights; null: within 0.35, or 4 in a row only
anyone_moving   someone moves > 0.3 body heights, comes in or goes out; null from
                0.12 or for gestures
came_in         not in the first picture, there later (from behind the sign: null)
went_out        there before, not there now
more_people, fewer_people, count_change: now against the first picture
wearing_X       upper or lower clothes (not shoes) of someone seen; null if only maybe_colours
vehicle_*       >= 45 % of its box inside; vehicle_colour null unless exactly one
caption_facts   short true sentences about the window
"""
import json, pathlib, sys, tomllib

HERE = pathlib.Path(__file__).resolve().parent
T = tomllib.loads((HERE / "vtest.toml").read_text())
OUT, DEMO = HERE / "vtest-windows.json", HERE / "vtest-demo.json"
DEMO_VIEW = "grass"  # people come and go there, and often nobody is
DEMO_KINDS = ["person_present", "count", "walking_left", "came_in", "wearing_red", "caption_facts"]
ASPECT = T["width"] / T["height"]
YES, NO, TINY = 0.45, 0.08, 0.075
NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


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
    """One person in one picture of a view."""
    x, y, h = at(p["track"], t)
    half, size = 0.15 * h / ASPECT, crop[3] - crop[1]
    inside = part([x - half, y - h, x + half, y], crop)
    hidden = within(p["hidden"], t)
    if t < p["first"] - 0.25 or t > p["last"] + 0.25 or hidden or inside < NO:
        state = False
    elif (t < p["first"] - 0.01 or t > p["last"] + 0.01 or within(p["unclear"], t)
          or inside < YES or h / size < TINY):
        state = None
    else:
        state = True
    return {"state": state, "hidden": hidden and inside >= NO, "t": t,
            "x": x * ASPECT, "y": y, "h": h,
            "vx": (min(max(x, crop[0]), crop[2]) - crop[0]) / (crop[2] - crop[0]),
            "vh": h / size,
            "upper": part([x - half, y - h, x + half, y - h / 2], crop) >= 0.5,
            "lower": part([x - half, y - h / 2, x + half, y], crop) >= 0.5}


def some(values):
    values = list(values)
    return True if True in values else None if None in values else False


def opposite(v):
    return None if v is None else not v


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
    if len(seen) < 2:
        return False
    best = False
    for i, a in enumerate(seen):
        for b in seen[i + 1:]:
            dy, ratio = (b["y"] - a["y"]) / a["h"], b["h"] / a["h"]
            if dy > 0.3 and ratio > 1.10:
                if a is seen[0] and b is seen[-1]:
                    return True
                best = None
            elif dy > 0.12 and ratio > 1.05:
                best = None
    return best


def spread(seen):
    h = sum(s["h"] for s in seen) / len(seen)
    return max(max(s[k] for s in seen) - min(s[k] for s in seen) for k in "xy") / h


def stands(seen):
    if len(seen) < 3:
        return False
    if any(spread(r) <= 0.15 for r in [seen] + [seen[i:i + 6] for i in range(len(seen) - 5)]):
        return True
    runs = [seen[i:i + 4] for i in range(len(seen) - 3)] or [seen]
    return None if spread(seen) <= 0.35 or any(spread(r) <= 0.18 for r in runs) else False


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
    if not wide:
        return False
    if any(within(p["gesture"], t) for t in times) or len(seen) != len(wide) or len(seen) < 2:
        return None
    return None if spread(seen) > 0.12 else False


def wears(p, row, colour):
    seen = [s for s in row if s["state"]]
    clear = [part for part in ("upper", "lower") if p[part] == colour]
    if any(sum(s[part] for s in seen) >= 2 for part in clear):
        return True
    possible = clear or colour in p["maybe_colours"]
    return None if possible and any(s["state"] is not False for s in row) else False


def came(row):
    """Absent in the first picture, there later."""
    first, later = row[0], [s["state"] for s in row[1:]]
    if first["state"] or (True not in later and None not in later):
        return False
    return None if first["state"] is None or first["hidden"] or True not in later else True


def window(view, times):
    crop, people = view["crop"], T["person"]
    rows = [[see(p, t, crop) for t in times] for p in people]
    now = [r[-1] for r in rows if r[-1]["state"] is not False]
    sure = [s for s in now if s["state"]]

    def of_now(test):
        """test of one person -> true/false/null; unsure people never make it true."""
        return some(v if s["state"] else (None if v is not False else False)
                    for s in now for v in [test(s)])

    def people_at(i):
        states = [r[i]["state"] for r in rows]
        return states.count(True), states.count(True) + states.count(None)

    a, b = people_at(0), people_at(-1)
    per_picture = [people_at(i) for i in range(len(times))]
    some_there = sum(lo > 0 for lo, _ in per_picture) >= 2
    present = True if some_there else False if all(hi == 0 for _, hi in per_picture) else None
    cars = [(v, part(v["box"], crop)) for v in T["vehicle"]]
    there = some(True if f >= YES else None if f >= NO else False for _, f in cars)
    shown = [v for v, f in cars if f >= NO]
    t0, t1 = times[0], times[-1]
    value = {
        "person_present": present,
        "nobody_there": opposite(present),
        "person_now": of_now(lambda s: True),
        "count": b[0] if b[0] == b[1] else None,
        "at_least_three": True if b[0] >= 3 else False if b[1] < 3 else None,
        "person_left_half": of_now(lambda s: s["vx"] < 0.5 if abs(s["vx"] - 0.5) > 0.03 else None),
        "person_right_half": of_now(lambda s: s["vx"] > 0.5 if abs(s["vx"] - 0.5) > 0.03 else None),
        "person_near": of_now(lambda s: s["vh"] >= 0.28 if not 0.22 <= s["vh"] < 0.28 else None),
        "person_far": of_now(lambda s: s["vh"] < 0.12 if not 0.12 <= s["vh"] < 0.15 else None),
        "walking_left": both(walks, rows, -1),
        "walking_right": both(walks, rows, 1),
        "coming_closer": both(closer, rows),
        "standing_still": both(stands, rows),
        "anyone_moving": some(moves(p, r, times) for p, r in zip(people, rows)),
        "came_in": some(came(r) for r in rows),
        "went_out": some(came(r[::-1]) for r in rows),
        "more_people": True if b[0] > a[1] else False if b[1] <= a[0] else None,
        "fewer_people": True if b[1] < a[0] else False if b[0] >= a[1] else None,
    }
    if value["came_in"] or value["went_out"]:
        value["anyone_moving"] = True
    exact = a[0] == a[1] and b[0] == b[1]
    value["count_change"] = (None if not exact else "rises" if b[0] > a[0]
                             else "falls" if b[0] < a[0] else "stays the same")
    for colour in ("red", "white", "black", "blue"):
        value["wearing_" + colour] = some(wears(p, r, colour) for p, r in zip(people, rows))
    value["vehicle_present"] = there
    value["vehicle_parked"] = there if all(within(v["parked"], t0) and within(v["parked"], t1)
                                           for v in shown) else None
    value["vehicle_moving"] = some(not within(v["parked"], t) for v in shown for t in times)
    value["vehicle_colour"] = (shown[0]["colour"] if len(shown) == 1 and there else None)
    value["light"] = T["light"]
    value["caption_facts"] = facts(value, [v for v, f in cars if f >= YES])
    return value


def facts(v, cars):
    out = ["a parked %s %s" % (c["colour"], c["kind"]) for c in cars]
    if v["nobody_there"]:
        out.append("nobody there")
    if v["count"]:
        out.append("%s %s" % (NUMBERS[v["count"]], "person" if v["count"] == 1 else "people"))
    for kind, words in (("wearing_red", "someone in red"), ("wearing_blue", "someone in blue"),
                        ("wearing_black", "someone in black"), ("walking_left", "someone walks left"),
                        ("walking_right", "someone walks right"), ("standing_still", "someone stands still"),
                        ("coming_closer", "someone comes closer"), ("came_in", "someone came in"),
                        ("went_out", "someone went out")):
        if v[kind]:
            out.append(words)
    return out


def windows():
    """Per view 10 windows of 3.5 s and 5 of 7 s; those of one length never overlap."""
    out = []
    for n, view in enumerate(T["view"]):
        shift = (3 * n) % 7
        for step, every, number in ((5, 39, 10), (10, 80, 5)):  # tenths of a second
            for k in range(number):
                start = round(T["from"] * 10) + shift + every * k
                times = [(start + step * i) / 10 for i in range(8)]
                assert times[-1] <= T["to"]
                out.append({"id": "%s-%s-%02d" % (view["name"], "short" if step == 5 else "long", k),
                            "view": view["name"], "crop": view["crop"], "times": times,
                            "truth": window(view, times)})
    return out


def demo():
    """One view, each half second: the truth of the seven seconds that end there."""
    view = next(v for v in T["view"] if v["name"] == DEMO_VIEW)
    first, last = round(T["from"] * 10) + 70, round(T["to"] * 10)
    out = []
    for newest in range(first, last + 1, 5):
        truth = window(view, [(newest - 10 * back) / 10 for back in range(7, -1, -1)])
        out.append({"newest": newest / 10, **{kind: truth[kind] for kind in DEMO_KINDS}})
    return {"crop": view["crop"], "from": T["from"], "to": T["to"], "span": 7.0, "moments": out}


def lines(rows):
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def main():
    made = windows()
    files = {OUT: lines(made), DEMO: json.dumps(demo(), indent=1) + "\n"}
    if "--check" in sys.argv:
        stale = [path.name for path, text in files.items() if not path.exists() or path.read_text() != text]
        print("not what vtest.toml gives: " + ", ".join(stale) if stale else "up to date")
        sys.exit(1 if stale else 0)
    for path, text in files.items():
        path.write_text(text)
    print("%d windows, %d views" % (len(made), len(T["view"])))
    print("%-18s %4s %5s %6s %5s  %s" % ("kind", "n", "true", "false", "null", "other values"))
    for kind in made[0]["truth"]:
        if kind == "caption_facts":
            continue
        vals = [w["truth"][kind] for w in made]
        other = {}
        for x in vals:
            if x is not None and not isinstance(x, bool):
                other[x] = other.get(x, 0) + 1
        print("%-18s %4d %5d %6d %5d  %s" % (kind, len(vals), sum(x is True for x in vals),
              sum(x is False for x in vals), sum(x is None for x in vals),
              ", ".join("%s: %d" % i for i in sorted(other.items(), key=str)) or ""))


main()
