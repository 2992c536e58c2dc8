"""Kinds of question about people: who is there, how many, where, which way, what they wear, and when they came."""

from ..sim import blindness, colours
from ..sim.events import NEVER
from .captions import CAPTION_QUESTIONS, caption
from .kinds import CONTRARY, colourless, counted, draft, either_way, kind, known, yes_no
from .words import NONE, NUMBERS, SECONDS, UNCLEAR_ANSWER, article, written

CROWD = 6  # so many people, or more


def crowd(s) -> int:
    """How many people there are, as a key of a balance: where a yes is the likelier the more there are, their number alone would
    answer."""
    return min(s("ever"), CROWD)


PRESENCE = (
    "is there {who}?", "is {who} there?", "can you see {who}?", "do you see {who}?", "are there any people?",
    "are there people?", "is {who} in the picture?", "is {who} visible?", "is there {who} in the picture?",
    "is {who} here?", "are people visible?", "do you see any people?", "can you see any people?", "are people there?",
    "is {who} to be seen?", "does the picture show {who}?", "is {who} in view?", "have you seen {who}?",
    "are there any persons?", "is there any person?", "are people in the picture?", "can people be seen?",
    "did you see {who}?", "was {who} there?", "is {who} present?",
)  # fmt: skip
PRESENCE_NOW = (
    "is {who} there now?", "is there {who} now?", "is there {who} right now?", "is there {who} at the moment?",
    "are there people now?", "is {who} in the picture now?", "do you see {who} now?", "can you see {who} right now?",
    "is {who} currently there?", "are people there at the moment?", "is {who} visible now?", "is {who} there right now?",
    "are there any people right now?", "is there currently {who}?",
)  # fmt: skip
ABSENCE_NOW = (
    "is nobody there now?", "is no one there now?", "is it empty now?", "is nobody there at the moment?",
    "is the place empty right now?", "is no one there right now?", "is nobody in the picture now?",
)  # fmt: skip
ABSENCE = (
    "is nobody there?", "is no one there?", "is nobody in the picture?", "is there nobody?", "is the place empty?",
    "is the scene empty?", "is it empty?", "are there no people?", "is nobody here?", "is there no one?",
    "is no one in the picture?", "do you see nobody?", "is no person there?", "are no people there?",
    "is nobody visible?", "is no one to be seen?", "is there no person?",
)  # fmt: skip


@kind("presence", 1.4)
def presence(s, ask):
    return yes_no(ask.text(PRESENCE, place=True), s("ever") > 0, "presence") if known(s("ever")) else None


@kind("presence_now", 0.6)
def presence_now(s, ask):
    if not known(s("now")) or (s("sure_now") > 0) != (s("most_now") > 0):
        return None
    if ask.random.random() < 0.35:
        return yes_no(ask.text(ABSENCE_NOW), s("now") == 0, "absence now")
    return yes_no(ask.text(PRESENCE_NOW), s("now") > 0, "presence now")


@kind("absence", 1.3)
def absence(s, ask):
    return yes_no(ask.text(ABSENCE, place=True), s("ever") == 0, "absence") if known(s("ever")) else None


COUNT = (
    "how many people are there?", "how many people are there now?", "how many people do you see?",
    "how many people can you see?", "count the people.", "how many persons are there?",
    "how many people are in the picture?", "what is the number of people?", "how many people are visible?",
    "how many persons do you see?", "how many people does the picture show?", "tell me the number of people.",
    "count the persons.", "how many people are there at the moment?", "how many people can be seen?",
    "what is the number of persons?", "how many people are there right now?",
)  # fmt: skip
COUNT_SIDE = (
    "how many people are on the {side}?", "how many people are in the {side} half?",
    "how many people are on the {side} side?", "how many people do you see on the {side}?",
    "how many persons are on the {side}?", "how many people are in the {side} half of the picture?",
    "count the people on the {side}.",
)  # fmt: skip
AT_LEAST = (
    "are there at least {n} people?", "can you see at least {n} people?", "are {n} or more people there?",
    "do you see at least {n} people?", "are there {n} people or more?", "are at least {n} people there?",
    "are {n} or more people visible?", "are at least {n} people in the picture?",
)  # fmt: skip
EXACTLY = (
    "are there {n} people?", "are there exactly {n} people?", "do you see {n} people?", "can you see {n} people?",
    "are {n} people there?", "do you see exactly {n} people?", "are exactly {n} people there?", "are there only {n} people?",
)  # fmt: skip
EXACTLY_ONE = (
    "is there one person?", "is there only one person?", "is there exactly one person?", "do you see one person?",
    "is only one person there?", "can you see only one person?", "is one person there?", "is just one person there?",
)  # fmt: skip
AT_LEAST_ONE = (
    "is there at least {n} person?", "can you see at least {n} person?", "do you see at least {n} person?",
    "is at least {n} person there?",
)  # fmt: skip
MORE_THAN = (
    "are there more than {n} people?", "do you see more than {n} people?", "can you see more than {n} people?",
    "are more than {n} people there?", "are more than {n} people visible?",
)  # fmt: skip
FEWER_THAN = (
    "are there fewer than {n} people?", "are there less than {n} people?", "do you see fewer than {n} people?",
    "are fewer than {n} people there?",
)  # fmt: skip


@kind("count", 2.6)
def count(s, ask):
    now = counted(s, ask)
    return None if now is None else draft(ask.text(COUNT, place=True), NUMBERS[now], f"count={now}")


@kind("count_side", 1.0)
def count_side(s, ask):
    side = ask.random.choice(("left", "right"))
    value = s(side)
    if not known(value) or counted(s, ask) is None:
        return None
    return draft(ask.text(COUNT_SIDE, side=side), NUMBERS[value], f"count side={value}")


@kind("at_least", 1.6)
def at_least(s, ask):
    now = s("now")
    if not known(now):
        return None
    random = ask.random
    n = min(9, max(1, now + random.choice((-2, -1, 0, 1, 2, 3)))) if random.random() < 0.7 else random.randint(1, 7)
    dice = random.random()
    more = dice >= 0.6
    if (s("sure_now") >= n + (more and dice < 0.85)) != (s("most_now") >= n + (more and dice < 0.85)):
        return None
    word = ask.number(n)
    if dice < 0.6:
        return yes_no(ask.text(AT_LEAST_ONE if n == 1 else AT_LEAST, place=True, n=word), now >= n, f"at least {n}")
    if dice < 0.85:
        return yes_no(ask.text(MORE_THAN, place=True, n=word), now > n, f"more than {n}")
    return yes_no(ask.text(FEWER_THAN, place=True, n=word), now < n, f"fewer than {n}") if n > 1 else None


@kind("exactly", 0.6)
def exactly(s, ask):
    now, sure, most = s("now"), s("sure_now"), s("most_now")
    if not known(now):
        return None
    n = min(9, max(1, now + ask.random.choice((-1, 0, 0, 0, 1, 2))))
    if sure <= n <= most and sure != most:
        return None
    text = ask.text(EXACTLY_ONE) if n == 1 else ask.text(EXACTLY, place=True, n=ask.number(n))
    return yes_no(text, now == n, f"exactly {n}")


SIDE = (
    "is {who} on the {side}?", "is {who} on the {side} side?", "is {who} in the {side} half?",
    "is there {who} in the {side} half?", "do you see {who} on the {side}?", "is there {who} on the {side}?",
    "is {who} in the {side} half of the picture?", "are there people on the {side}?", "can you see {who} on the {side}?",
    "is {who} in the {side} part of the picture?", "are people on the {side} side?",
)  # fmt: skip
NEAR = (
    "is {who} near the camera?", "is {who} close to the camera?", "is {who} nearby?", "is {who} near?", "is {who} close?",
    "is there {who} near the camera?", "is there {who} close to the camera?", "do you see {who} close to the camera?",
    "are people near the camera?",
)  # fmt: skip
FAR = (
    "is {who} far away?", "is {who} in the distance?", "is {who} far from the camera?", "is there {who} far away?",
    "do you see {who} in the distance?",
)  # fmt: skip


NOBODY_SIDE = (
    "is nobody on the {side}?", "is no one on the {side} side?", "is nobody in the {side} half?", "are there no people on the {side}?",
)  # fmt: skip
NOBODY_NEAR = ("is nobody near the camera?", "is no one close to the camera?", "is nobody nearby?", "is nobody close?")


@kind("side", 1.2)
def side(s, ask):
    where = ask.random.choice(("left", "right"))
    return either_way(ask, SIDE, NOBODY_SIDE, s(where) > 0, f"side {where}", side=where) if known(s(where)) else None


@kind("near", 0.9)
def near(s, ask):
    name = "near" if ask.random.random() < 0.65 else "far"
    if not known(s(name)):
        return None
    if name == "near":
        return either_way(ask, NEAR, NOBODY_NEAR, s(name) > 0, name)
    return yes_no(ask.text(FAR), s(name) > 0, name)


WALKING = (
    "is {who} walking to the {side}?", "is {who} walking {side}?", "is {who} moving to the {side}?",
    "does {who} walk to the {side}?", "is {who} going to the {side}?", "did {who} walk to the {side}?",
    "does {who} move {side}?", "are people walking to the {side}?", "is {who} heading {side}?",
    "does {who} go to the {side}?", "did {who} go {side}?", "is there {who} walking to the {side}?",
    "do you see {who} walking {side}?", "is {who} moving {side}?",
)  # fmt: skip
WHICH_WAY = (
    "does the person walk left or right?", "is the person walking left or right?", "which way does the person walk?",
    "do people walk to the left or to the right?", "is somebody walking left or right?", "which way is the person going?",
    "which way do people walk?", "is the person moving left or right?",
)  # fmt: skip
COUNT_WALKING = (
    "how many people walk to the {side}?", "how many people are walking to the {side}?",
    "how many people are walking {side}?", "how many people move to the {side}?", "how many persons walk to the {side}?",
)  # fmt: skip
APPROACHING = (
    "is {who} coming closer?", "is {who} walking toward the camera?", "is {who} coming toward the camera?",
    "does {who} come closer?", "is {who} walking towards the camera?", "is {who} moving closer?",
    "does {who} walk toward the camera?", "is {who} approaching?",
)  # fmt: skip
RETREATING = (
    "is {who} walking away from the camera?", "is {who} walking away?", "is {who} going away?",
    "does {who} walk away?", "does {who} walk away from the camera?", "is {who} moving away from the camera?",
)  # fmt: skip
STILL = (
    "is {who} standing still?", "is {who} standing?", "does {who} stand still?", "does {who} stay in place?",
    "is {who} not moving?", "is {who} waiting?", "is {who} standing around?", "does {who} wait?", "is there {who} waiting?",
    "is there {who} standing still?", "do you see {who} standing?", "does {who} stand around?", "is {who} just standing?",
)  # fmt: skip
MOVING = (
    "is {who} walking?", "is {who} moving?", "are people walking around?", "are people moving?", "does {who} walk?",
    "is {who} walking around?", "is there {who} walking?", "does {who} move?", "do you see {who} walking?",
    "are people walking?",
)  # fmt: skip


@kind("walking", 2.0)
def walking(s, ask):
    where = ask.random.choice(("left", "right"))
    value = s(f"walk_{where}")
    return yes_no(ask.text(WALKING, side=where), value > 0, f"walking {where}") if known(value) else None


@kind("which_way", 0.7)
def which_way(s, ask):
    left, right = s("walk_left"), s("walk_right")
    if not known(left, right) or (left > 0 and right > 0):
        return None
    if left == right and (s("still") < s("now") or s("most_walk_left") + s("most_walk_right") > 0):
        return None  # somebody moves, but neither way
    answer = "left" if left else "right" if right else NONE
    return draft(ask.text(WHICH_WAY), answer, f"which way={answer}")


@kind("count_walking", 1.0)
def count_walking(s, ask):
    where = ask.random.choice(("left", "right"))
    value = s(f"walk_{where}")
    if not known(value) or (s(f"most_walk_{where}") != value and not ask.doubtful()):
        return None
    return draft(ask.text(COUNT_WALKING, side=where), NUMBERS[value], f"count walking={value}")


@kind("depth", 0.8)
def depth(s, ask):
    name, templates = ask.random.choice((("approaching", APPROACHING), ("retreating", RETREATING)))
    return yes_no(ask.text(templates), s(name) > 0, name) if known(s(name)) else None


NOBODY_STILL = (
    "is nobody standing?", "is no one standing still?", "is nobody waiting?", "is no one waiting?", "is nobody standing around?",
)  # fmt: skip
NOBODY_MOVING = (
    "is nobody moving?", "is no one moving?", "is nobody walking?", "is no one walking?", "is nobody walking around?",
)  # fmt: skip
STILL_THROUGHOUT = 0.85  # of the scenes in which somebody stands all the time are not asked about: others are harder


@kind("still", 1.6)
def still(s, ask):
    if not known(s("paused")) or (s("still") > 0 and ask.random.random() < STILL_THROUGHOUT):
        return None
    return either_way(ask, STILL, NOBODY_STILL, s("paused") > 0, f"still {crowd(s)}", place=True)


@kind("moving", 0.8)
def moving(s, ask):
    values = [s(k) for k in ("walk_left", "walk_right", "closer", "away", "entered", "gone")]
    if not known(*values) or (sum(values) == 0 and s("still") < s("now")):
        return None
    return either_way(ask, MOVING, NOBODY_MOVING, sum(values) > 0, "moving", place=True)


CAME = (
    "did {who} come in?", "did {who} enter?", "did {who} appear?", "has {who} arrived?", "did {who} arrive?",
    "has {who} come in?", "did a new person appear?", "did {who} come into the picture?", "has {who} entered?",
    "has {who} appeared?", "did {who} come into view?", "has a new person come in?", "did {who} show up?",
    "is {who} coming in?", "is {who} walking in?", "are people coming in?", "is {who} arriving?", "have people come in?",
    "is {who} entering?", "did people come in?",
)  # fmt: skip
NOBODY_CAME = (
    "did nobody come in?", "has nobody come in?", "did no one enter?", "has no one come in?", "did nobody enter?",
    "did nobody arrive?", "did no one appear?",
)  # fmt: skip
WENT = (
    "did {who} leave?", "did {who} go out?", "has {who} left?", "did {who} go away?", "did {who} disappear?",
    "did {who} go out of the picture?", "did {who} leave the picture?", "has {who} gone?", "has {who} gone away?",
    "has {who} disappeared?", "has {who} left the picture?", "did {who} go out of view?",
    "is {who} going out?", "has {who} gone out?", "is {who} leaving?", "are people leaving?", "did people leave?",
    "have people left?", "have people gone away?",
)  # fmt: skip
NOBODY_WENT = (
    "did nobody leave?", "has no one left?", "has nobody left?", "did no one leave?", "did nobody go out?", "did no one go away?",
    "has nobody gone away?",
)  # fmt: skip
CAME_WHEN = (
    "how many seconds ago did {who} come in?", "how many seconds ago did {who} enter?",
    "how many seconds ago did {who} appear?", "how many seconds ago did {who} arrive?", "when did {who} come in?",
    "when did {who} appear?", "when did the last person come in?", "how long ago did {who} come in?",
    "how long ago did {who} enter?", "how many seconds ago did the last person come in?",
)  # fmt: skip
WENT_WHEN = (
    "how many seconds ago did {who} leave?", "how many seconds ago did {who} go out?", "when did {who} leave?",
    "how many seconds ago did {who} disappear?", "when did {who} disappear?", "when did the last person leave?",
    "how long ago did {who} leave?", "how long ago did {who} go away?",
    "how many seconds ago did the last person leave?",
)  # fmt: skip


@kind("came_in", 1.4)
def came_in(s, ask):
    return either_way(ask, CAME, NOBODY_CAME, s("came") > 0, "came in", place=True) if known(s("came")) else None


@kind("went_out", 1.4)
def went_out(s, ask):
    return either_way(ask, WENT, NOBODY_WENT, s("went") > 0, "went out") if known(s("went")) else None


def seconds_ago(s, ask, name: str, templates):
    """A question after a time; hardly asked where nothing happened."""
    value = s(f"{name}_ago")
    if not known(value) or (value == NEVER and ask.random.random() < 0.5):
        return None
    answer = NONE if value == NEVER else SECONDS[value]
    return draft(ask.text(templates), answer, f"{name} when={answer}")


@kind("when_came", 2.4)
def when_came(s, ask):
    return seconds_ago(s, ask, "came", CAME_WHEN)


@kind("when_left", 2.4)
def when_left(s, ask):
    return seconds_ago(s, ask, "went", WENT_WHEN)


TREND = (
    "does the number of people rise, fall or stay the same?", "does the number of people rise or fall?",
    "how does the number of people change?", "did the number of people rise, fall or stay the same?",
    "how did the number of people change?", "did the number of people rise or fall?",
)  # fmt: skip
RISE = (
    "are there more people now than at the start?", "did the number of people rise?", "are there more people now?",
    "is the number of people rising?", "are there more people than before?", "does the number of people rise?",
    "are there now more people than at the start?", "has the number of people risen?", "are more people there now?",
    "do you see more people now than before?",
)  # fmt: skip
FALL = (
    "are there fewer people now than at the start?", "did the number of people fall?", "are there fewer people now?",
    "is the number of people falling?", "are there fewer people than before?", "does the number of people fall?",
    "are there now fewer people than at the start?", "has the number of people fallen?", "are fewer people there now?",
    "do you see fewer people now than before?", "are there less people now?",
)  # fmt: skip


@kind("trend", 2.4)
def trend(s, ask):
    before, now = s("first"), s("now")
    if not known(before, now):
        return None
    low, high = s("sure_now") - s("most_first"), s("most_now") - s("sure_first")  # least and most that were added
    dice = ask.random.random()
    rise_clear, fall_clear = (low > 0) == (high > 0), (low < 0) == (high < 0)
    if not (rise_clear or 0.65 <= dice) or not (fall_clear or 0.3 <= dice < 0.65):
        return None
    if dice < 0.3:
        answer = "rises" if now > before else "falls" if now < before else "stays the same"
        return draft(ask.text(TREND), answer, f"trend={answer}")
    if dice < 0.65:
        return yes_no(ask.text(RISE), now > before, "rise")
    return yes_no(ask.text(FALL), now < before, "fall")


WEARING = (
    "is {who} wearing {colour}?", "is {who} dressed in {colour}?", "do you see {who} in {colour}?",
    "does {who} wear {colour}?", "is there {who} in {colour}?", "does {who} wear {colour} clothes?",
    "is {who} wearing {colour} clothes?", "can you see {who} in {colour}?", "is there {who} wearing {colour}?",
    "do you see {who} wearing {colour}?", "is {who} in {colour}?",
)  # fmt: skip
TOP = (
    "is {who} wearing {a_colour} top?", "does {who} wear {a_colour} jacket?", "is {who} wearing {a_colour} jacket?",
    "is there a person with {a_colour} jacket?", "is {who} wearing {a_colour} shirt?", "does {who} wear {a_colour} shirt?",
    "do you see {who} with {a_colour} jacket?",
)  # fmt: skip
TROUSERS = (
    "is {who} wearing {colour} trousers?", "does {who} wear {colour} trousers?", "is {who} wearing {colour} pants?",
    "is there {who} in {colour} trousers?", "does {who} wear {colour} pants?",
)  # fmt: skip


NOBODY_WEARING = (
    "is nobody wearing {colour}?", "is no one wearing {colour}?", "is nobody in {colour}?", "does nobody wear {colour}?",
    "is nobody dressed in {colour}?",
)  # fmt: skip
NOBODYS_CLOTHES = 0.05  # so many questions about clothes are of scenes without people: more would only teach that people wear all


@kind("wearing", 3.0)
def wearing(s, ask):
    random = ask.random
    if colourless(s, ask) or (s("ever") == 0 and random.random() >= NOBODYS_CLOTHES):
        return None
    colour = random.choice(colours.NAMES)
    upper, lower, dice = s(f"upper_{colour}"), s(f"lower_{colour}"), random.random()
    word = written(random, colour)
    slots = {"colour": word, "a_colour": article(word)}
    if s("infrared") > 0:  # what is gray there may have any colour
        text = ask.text(WEARING, place=True, **slots) if dice < 0.6 else ask.text(TOP if dice < 0.82 else TROUSERS, **slots)
        return draft(text, UNCLEAR_ANSWER) if s("ever") > 0 else None
    balance = lambda of: None if s("ever") == 0 else f"{of} {colour} {crowd(s)}"  # noqa: E731
    if dice < 0.6:
        if max(upper, lower) <= 0 and not known(upper, lower):
            return None
        if random.random() < CONTRARY:
            return yes_no(ask.text(NOBODY_WEARING, **slots), max(upper, lower) <= 0, balance("nobody wearing"))
        return yes_no(ask.text(WEARING, place=True, **slots), max(upper, lower) > 0, balance("wearing"))
    if dice < 0.82:
        return yes_no(ask.text(TOP, **slots), upper > 0, balance("top")) if known(upper) else None
    return yes_no(ask.text(TROUSERS, **slots), lower > 0, balance("trousers")) if known(lower) else None


@kind("caption", 1.4)
def describe(s, ask):
    if ask.clear or s("blind") == blindness.FROZEN:
        return None  # no single caption is the right one; a frozen picture still shows a scene that is not known here
    if s("blind") == blindness.SEES and not known(s("now"), s("vehicles")):
        return None  # a photograph of which not all is known
    return draft(ask.text(CAPTION_QUESTIONS), caption(s.state, ask.random))
