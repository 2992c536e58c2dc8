"""Wordings that several kinds of question share."""

NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()

SOMEBODY = ("a person", "somebody", "someone", "anybody", "anyone")

OTHER_NAMES = {
    "bicycle": ("bicycle", "bike"),
    "motorcycle": ("motorcycle", "motorbike"),
    "bird": ("bird",),
    "cat": ("cat",),
    "dog": ("dog",),
    "animal": ("large animal", "horse or cow"),
    "bag": ("bag",),
    "umbrella": ("umbrella",),
    "ball": ("ball",),
}


def article(noun: str) -> str:
    """The noun with a or an."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(count: int, one: str, many: str) -> str:
    """'one person', 'three people'."""
    return f"{NUMBERS[count]} {one if count == 1 else many}"
