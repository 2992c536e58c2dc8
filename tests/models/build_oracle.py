"""Builds tests/models/oracle: a Flamingo of the real contract whose logits say what it was given.

Nothing is learnt and nothing is random. Run it only to change the oracle; its output is committed, so that the Rust
tests need no Python:

    python3 -m venv ~/.cache/wader/oracle-venv
    ~/.cache/wader/oracle-venv/bin/pip install onnx numpy tokenizers onnxruntime
    ~/.cache/wader/oracle-venv/bin/python tests/models/build_oracle.py

How it knows (the words are explained in README.md beside this file):

- The vision encoder reads the barcode that the test camera draws into its frames (camera, frame number, checksum).
- The resampler puts one frame in each latent: K holds (camera, checksum fits, present), V holds the frame number in
  three parts and the time in seconds. An absent frame is present = 0, numbers -1, time +1 (a real time is <= 0).
- The decoder keeps each token's id, position and their product as the K and V of two layers, so that what it says about
  the text is right only if the cached K/V, the attention mask and the positions were right.
- A word's logit is its readout if the text asks for it, else OFF. So the allowed answers of a prompt that names them
  hold nearly all the probability, and log(share of word / share of `reference`) is the word's readout.
- Everything seen passes through `media_index` (-1 sees nothing) and `gate_scale` (0 sees nothing): both give readout 0.
- The appearance encoder gives the mean colour of each cell of 8x8 pixels, from 0 to 255; the comparer is the nearest mean:
  by how much nearer, in squared distance over the region, a window is to state 1's mean than to state 0's.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

FOLDER = Path(__file__).parent / "oracle"
WIDTH, HEIGHT = 64, 48
TOKENS, DIM = 1, 5  # features: camera, frame number's low 6, middle 6 and high 8 bits, checksum fits
SLOTS = 16  # frames a window may hold, one latent each
UNITS_PER_SECOND = 0.5  # of frame_pos; not 1, so that forgetting it shows
HEAD_DIM, CROSS_DIM, POSITIONS = 4, 4, 128
OFF, WRITE = -40.0, 400.0  # logit of a word nobody asked for; what lifts the next word of a text above all readouts

ROWS, COLUMNS = 6, 8  # cells of a picture, 8x8 pixels each
SHARPNESS = 1 / 256  # of the comparer: log-odds per squared step of a colour; a power of two, so that it is exact

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
SPECIAL = ["<pad>", "<image>", "<eoc>", "<unk>", "question:", "answer:", "output:"]
PLAIN = (
    "a an and any anybody anyone are at by camera's come describe do door else from frames happens here how i in is it "
    "many now of on person pictures please saw scene see than that the there these this to was what when where which "
    "who with . , ? !"
).split()
SEEN = (
    [f"{letter}{slot}" for letter in "fghtc" for slot in range(SLOTS)]
    + ["camera", "count", "valid", "yes", "no"]
    + NUMBERS
)
TEXT = ["prompt", "seq", "cached", "misplaced", "reference"]
VOCABULARY = SPECIAL + PLAIN + SEEN + TEXT
ID = {word: number for number, word in enumerate(VOCABULARY)}
assert len(ID) == len(VOCABULARY)
END = "<eoc>"  # ends a written text


class Graph:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self, name):
        self.name, self.nodes, self.constants = name, [], []

    def op(self, kind, *inputs, outputs=None, **attributes):
        inputs = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        outputs = outputs or [f"{kind.lower()}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def constant(self, value):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def float(self, value):
        return self.op("Cast", value, to=TensorProto.FLOAT)

    def cut(self, value, axis, start, end):
        return self.op("Slice", value, ints(start), ints(end), ints(axis))

    def column(self, value, axis, index):
        return self.op("Squeeze", self.cut(value, axis, index, index + 1), ints(axis))

    def dim(self, value, axis):
        return self.op("Shape", value, start=axis, end=axis + 1)

    def save(self, inputs, outputs):
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10, producer_name="build_oracle.py"
        )
        onnx.checker.check_model(model, full_check=True)
        (FOLDER / f"{self.name}.onnx").write_bytes(model.SerializeToString())


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


def tensor(name, kind, *shape):
    kinds = {"u8": TensorProto.UINT8, "i64": TensorProto.INT64, "f32": TensorProto.FLOAT}
    return helper.make_tensor_value_info(name, kinds[kind], shape)


def vision_encoder():
    g = Graph("vision_encoder")
    luma = g.op("MatMul", g.float("pixels"), floats(0.299, 0.587, 0.114))  # [n, H, W]
    strip = g.cut(luma, 1, 0, HEIGHT // 4)
    cells = g.op("Reshape", strip, ints(-1, 2, 6, 16, 4))  # a cell is 6 rows by 4 columns
    middle = g.cut(g.cut(cells, 2, 2, 4), 4, 1, 3)
    mean = g.op("ReduceMean", middle, ints(2, 4), keepdims=0)
    bits = g.float(g.op("GreaterOrEqual", g.op("Reshape", mean, ints(-1, 32)), floats(128.0)))
    # Bits in reading order: camera 0..6, frame 6..26 (19..0), checksum 26..32; most significant first.
    fields = np.zeros((32, 4), np.float32)
    for column, (first, last) in enumerate([(0, 6), (20, 26), (14, 20), (6, 14)]):  # camera, low, middle, high
        for bit in range(first, last):
            fields[bit, column] = 2 ** (last - 1 - bit)
    # checksum = camera ^ frame ^ frame>>6 ^ frame>>12 ^ frame>>18 ^ 0b101010, bit by bit a parity.
    parity = np.zeros((32, 6), np.float32)
    for bit in range(6):
        parity[[0 + bit, 20 + bit, 14 + bit, 8 + bit], bit] = 1
    parity[[6, 7], [4, 5]] = 1
    odd = g.op("Add", g.op("MatMul", bits, parity), floats(1, 0, 1, 0, 1, 0))
    expected = g.op("Mod", g.op("Cast", odd, to=TensorProto.INT64), ints(2))
    found = g.op("Cast", g.cut(bits, 1, 26, 32), to=TensorProto.INT64)
    fits = g.op("ReduceMin", g.float(g.op("Equal", expected, found)), ints(1), keepdims=1)
    features = g.op("Concat", g.op("MatMul", bits, fields), fits, axis=1)
    g.op("Reshape", features, ints(-1, TOKENS, DIM), outputs=["frame_features"])
    pixels = tensor("pixels", "u8", "frames", HEIGHT, WIDTH, 3)
    g.save([pixels], [tensor("frame_features", "f32", "frames", TOKENS, DIM)])


def resampler():
    g = Graph("resampler")
    # Windows shorter than SLOTS are filled up with absent frames.
    missing = g.op("Sub", ints(SLOTS), g.dim("frame_index", 1))
    pads = g.op("Concat", ints(0, 0, 0), missing, axis=0)
    index = g.op("Pad", "frame_index", pads, np.array(-1, np.int64))
    time = g.op("Div", g.op("Pad", "frame_pos", pads), floats(UNITS_PER_SECOND))
    present = g.op("GreaterOrEqual", index, ints(0))
    rows = g.op("Gather", "frame_bank", g.op("Max", index, ints(0)), axis=0)  # [media, SLOTS, 1, DIM]
    rows = g.op("Squeeze", rows, ints(2))
    seen = g.op("Unsqueeze", present, ints(2))
    rows = g.op("Where", seen, rows, floats(-1, -1, -1, -1, 0))
    time = g.op("Unsqueeze", g.op("Where", present, time, floats(1.0)), ints(2))
    flag = g.float(seen)
    nothing = g.op("Sub", flag, flag)
    key = g.op("Concat", g.cut(rows, 2, 0, 1), g.cut(rows, 2, 4, 5), flag, nothing, axis=2)
    value = g.op("Concat", g.cut(rows, 2, 1, 4), time, axis=2)
    both = g.op("Concat", g.op("Unsqueeze", key, ints(1)), g.op("Unsqueeze", value, ints(1)), axis=1)
    g.op("Unsqueeze", both, ints(1, 3), outputs=["media_kv"])
    g.save(
        [
            tensor("frame_bank", "f32", "bank", TOKENS, DIM),
            tensor("frame_index", "i64", "media", "frames"),
            tensor("frame_pos", "f32", "media", "frames"),
        ],
        [tensor("media_kv", "f32", "media", 1, 2, 1, SLOTS, CROSS_DIM)],
    )


def said(g, heads=1, advance=1):
    """What the decoder reads off the text: [B, L, T] attended, ids [B, T], the text's sum [B, L, 1], TEXT [B, L, 5].

    Each of the heads keeps the same; the last is read. A picture takes `advance` positions.
    """
    ids, places = g.float("input_ids"), g.float("position_ids")
    product = g.op("Mul", g.op("Add", ids, floats(1)), g.op("Add", places, floats(1)))
    nothing = g.op("Sub", ids, ids)
    one = g.op("Add", nothing, floats(1))
    kept = {
        "0.key": [ids, nothing, nothing, nothing],
        "0.value": [nothing, places, nothing, nothing],
        "1.key": [nothing, nothing, one, nothing],
        "1.value": [nothing, nothing, nothing, product],
    }
    columns = {}
    for column, (name, parts) in enumerate(kept.items()):
        new = g.op("Concat", *[g.op("Unsqueeze", part, ints(1, 3)) for part in parts], axis=3)
        if heads > 1:
            new = g.op("Concat", *[new] * heads, axis=1)
        full = g.op("Concat", f"past_key_values.{name}", new, axis=2, outputs=[f"present.{name}"])
        if heads > 1:
            full = g.cut(full, 1, heads - 1, heads)
        columns[name] = g.op("Squeeze", g.cut(full, 3, column, column + 1), ints(1, 3))  # [B, T]
    past = g.dim("past_key_values.0.key", 2)
    total = g.dim("attention_mask", 1)
    keys = g.op("Range", np.array(0, np.int64), g.op("Squeeze", total), np.array(1, np.int64))
    at = g.op("Unsqueeze", g.op("Add", "logits_index", past), ints(2))
    earlier = g.op("LessOrEqual", keys, at)  # [B, L, T]
    attended = g.op("Mul", g.float(earlier), g.float(g.op("Unsqueeze", "attention_mask", ints(1))))
    place = g.op("Sub", g.float(g.op("CumSum", "attention_mask", np.array(1, np.int64))), floats(1))
    if advance > 1:
        pictures = g.op("Mul", g.op("Cast", g.op("Equal", columns["0.key"], floats(ID["<image>"])), to=7), "attention_mask")
        jumps = g.float(g.op("CumSum", pictures, np.array(1, np.int64)))
        place = g.op("Add", place, g.op("Mul", jumps, floats(advance - 1)))
    wrong = g.float(g.op("Not", g.op("Equal", place, columns["0.value"])))

    def total_of(column):
        return g.op("MatMul", attended, g.op("Unsqueeze", column, ints(2)))  # [B, L, 1]

    length = total_of(columns["1.key"])
    whole = g.op("Cast", total_of(columns["1.value"]), to=TensorProto.INT64)
    prompt = g.float(g.op("Mod", whole, ints(61)))
    blank = g.op("Sub", length, length)
    cached = g.op("Add", blank, g.float(past))
    return attended, columns["0.key"], whole, g.op("Concat", prompt, length, cached, total_of(wrong), blank, axis=2)


def shown(g):
    """Readouts of SEEN [B, L, len(SEEN)], and the number of present frames [B, L, 1]."""
    medium = g.op("GatherElements", "media_index", "logits_index", axis=1)  # [B, L]
    visible = g.op("Mul", g.float(g.op("GreaterOrEqual", medium, ints(0))), "gate_scale")
    visible = g.op("Unsqueeze", visible, ints(2))
    media = g.op("Squeeze", "media_kv", ints(1, 3))  # [media, 2, SLOTS, CROSS_DIM]
    row = g.op("Gather", media, g.op("Max", medium, ints(0)), axis=0)  # [B, L, 2, SLOTS, CROSS_DIM]
    return told(g, row, visible)


def told(g, row, visible):
    """The readouts of what a token sees, [B, L, 2, SLOTS, CROSS_DIM], where it sees anything."""
    key, value = g.column(row, 2, 0), g.column(row, 2, 1)
    camera, fits, present = (g.column(key, 3, column) for column in range(3))
    low, middle, high, time = (g.column(value, 3, column) for column in range(4))

    def total(what):
        return g.op("ReduceSum", what, ints(2), keepdims=1)

    order = floats(*range(1, SLOTS + 1))
    last = g.op("ReduceMax", g.op("Mul", present, order), ints(2), keepdims=1)
    newest = g.op("Mul", g.float(g.op("Equal", last, order)), present)
    count = g.op("Mul", total(present), visible)
    odd = g.op("Mod", g.op("Cast", total(g.op("Mul", newest, middle)), to=TensorProto.INT64), ints(2))
    yes = g.op("Sub", g.op("Mul", g.float(odd), floats(8)), floats(4))
    number = g.op("Mul", g.float(g.op("Equal", total(present), floats(*range(len(NUMBERS))))), floats(8))
    readouts = g.op(
        "Concat",
        *[low, middle, high, time, camera, total(g.op("Mul", newest, camera)), total(present), total(fits)],
        *[yes, g.op("Neg", yes), number],
        axis=2,
    )
    return g.op("Mul", readouts, visible), count


def decoder():
    g = Graph("decoder")
    answer(g, said(g), shown(g))
    cache = [f"{layer}.{part}" for layer in range(2) for part in ("key", "value")]
    g.save(
        [
            tensor("input_ids", "i64", "batch", "seq"),
            tensor("attention_mask", "i64", "batch", "total"),
            tensor("position_ids", "i64", "batch", "seq"),
            tensor("media_index", "i64", "batch", "seq"),
            tensor("logits_index", "i64", "batch", "nlogits"),
            tensor("gate_scale", "f32"),
            tensor("media_kv", "f32", "media", 1, 2, 1, SLOTS, CROSS_DIM),
            *[tensor(f"past_key_values.{name}", "f32", "batch", 1, "past", HEAD_DIM) for name in cache],
        ],
        [
            tensor("logits", "f32", "batch", "nlogits", len(VOCABULARY)),
            *[tensor(f"present.{name}", "f32", "batch", 1, "total", HEAD_DIM) for name in cache],
        ],
    )


def answer(g, text_said, frames_shown):
    """The logits, out of what is read off the text and off the frames."""
    attended, ids, whole, text = text_said
    seen, count = frames_shown
    fixed = len(SPECIAL + PLAIN)
    blank = g.op("Mul", g.cut(text, 2, 0, 1), np.zeros((1, 1, fixed), np.float32))
    readouts = g.op("Concat", blank, seen, text, axis=2)  # [B, L, VOCABULARY]

    # A word is asked for when the text holds it; `is` asks for yes and no, `many` for the numbers.
    which = g.float(g.op("Equal", g.op("Unsqueeze", ids, ints(2)), floats(*range(len(VOCABULARY)))))
    held = g.op("MatMul", attended, which)
    asked = held
    for trigger, words in {"is": ["yes", "no"], "many": NUMBERS}.items():
        mask = np.zeros(len(VOCABULARY), np.float32)
        mask[[ID[word] for word in words]] = 1
        asked = g.op("Add", asked, g.op("Mul", g.column_of(held, ID[trigger]), mask))
    answerable = np.zeros(len(VOCABULARY), bool)
    answerable[fixed:] = True
    on = g.op("And", g.op("Greater", asked, floats(0)), answerable)
    logits = g.op("Where", on, readouts, floats(OFF))

    # Text: after `output:`, or after `answer:` when the question says `describe`: saw <count> frames, then the end, or
    # one word more that hangs on every token and position so far when the question also says `prompt`.
    last = g.op("GatherElements", "input_ids", "logits_index", axis=1)
    following = np.zeros((max(ID.values()) + 1, len(VOCABULARY)), np.uint8)
    following[:, ID[END]] = 1
    following[[ID[name] for name in SPECIAL + ["saw"] + NUMBERS]] = 0
    following[ID["output:"], ID["saw"]] = 1
    following[[ID[name] for name in NUMBERS], ID["frames"]] = 1
    lift = g.float(g.op("Gather", following, last, axis=0))
    described = g.op("Min", g.column_of(held, ID["describe"]), floats(1))
    begins = g.op("Mul", g.float(g.op("Unsqueeze", g.op("Equal", last, ints(ID["answer:"])), ints(2))), described)
    counts = g.float(g.op("Unsqueeze", g.op("Equal", last, ints(ID["saw"])), ints(2)))
    number = np.full(len(VOCABULARY), -1, np.float32)
    number[[ID[word] for word in NUMBERS]] = range(len(NUMBERS))
    written = g.op("Mul", g.float(g.op("Equal", g.op("Round", count), number)), counts)
    first = np.zeros(len(VOCABULARY), np.float32)
    first[ID["saw"]] = 1
    lift = g.op("Add", g.op("Add", lift, written), g.op("Mul", begins, first))
    ends = g.float(g.op("Unsqueeze", g.op("Equal", last, ints(ID["frames"])), ints(2)))
    ends = g.op("Mul", ends, g.op("Min", g.column_of(held, ID["prompt"]), floats(1)))
    slot = np.full(len(VOCABULARY), -1, np.int64)
    slot[[ID[f"f{number}"] for number in range(SLOTS)]] = range(SLOTS)
    checked = g.op("Mul", ends, g.float(g.op("Equal", g.op("Mod", whole, ints(SLOTS)), slot)))
    lift = g.op("Add", lift, g.op("Mul", checked, floats(2)))  # twice: above the end
    g.op("Add", logits, g.op("Mul", lift, floats(WRITE)), outputs=["logits"])


def column_of(self, value, index):
    """The last axis' one column, kept as an axis of length 1."""
    return self.cut(value, 2, index, index + 1)


Graph.column_of = column_of


def appearance_encoder():
    g = Graph("appearance_encoder")
    height, width = HEIGHT // ROWS, WIDTH // COLUMNS
    cells = g.op("Reshape", g.float("pixels"), ints(-1, ROWS, height, COLUMNS, width, 3))
    means = g.op("ReduceMean", cells, ints(2, 4), keepdims=0)  # [frames, ROWS, COLUMNS, 3]
    g.op("Reshape", means, ints(-1, ROWS * COLUMNS, 3), outputs=["cells"])
    pixels = tensor("pixels", "u8", "frames", HEIGHT, WIDTH, 3)
    g.save([pixels], [tensor("cells", "f32", "frames", ROWS * COLUMNS, 3)])


def comparer():
    g = Graph("comparer")

    def distance(state):
        member = g.float(g.op("Equal", "example_state", ints(state)))  # [batch, K]
        count = g.op("Max", g.op("ReduceSum", member, ints(1), keepdims=1), floats(1))
        member = g.op("Unsqueeze", g.op("Div", member, count), ints(2, 3))
        mean = g.op("ReduceSum", g.op("Mul", "examples", member), ints(1), keepdims=0)  # [batch, cells, 3]
        step = g.op("Sub", "query", mean)
        each = g.op("ReduceSum", g.op("Mul", step, step), ints(2), keepdims=0)  # [batch, cells]
        return g.op("ReduceSum", g.op("Mul", each, "region"), ints(1), keepdims=0)

    nearer = g.op("Sub", distance(0), distance(1))
    looked_at = g.op("ReduceSum", "region", ints(1), keepdims=0)
    g.op("Mul", g.op("Div", nearer, looked_at), floats(SHARPNESS), outputs=["logit"])
    cells = ROWS * COLUMNS
    g.save(
        [
            tensor("query", "f32", "batch", cells, 3),
            tensor("examples", "f32", "batch", "K", cells, 3),
            tensor("example_state", "i64", "batch", "K"),
            tensor("region", "f32", "batch", cells),
        ],
        [tensor("logit", "f32", "batch")],
    )


def tokenizer():
    made = Tokenizer(models.WordLevel(ID, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"[.,?!]"), "isolated")]
    )
    made.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    made.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIAL])
    made.save(str(FOLDER / "tokenizer.json"))
    assert made.get_vocab_size() == len(VOCABULARY)


def barcode(camera, frame):
    """A picture as the test camera draws it (64x48, RGB)."""
    checksum = (camera ^ frame ^ (frame >> 6) ^ (frame >> 12) ^ (frame >> 18) ^ 0b101010) & 63
    word = camera << 26 | frame << 6 | checksum
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for bit in range(32):
        row, column = divmod(bit, 16)
        picture[row * 6 : row * 6 + 6, column * 4 : column * 4 + 4] = 255 if word >> (31 - bit) & 1 else 0
    return picture


class Goldens:
    """Inputs and the outputs that ONNX Runtime's CPU provider gave, for golden/."""

    def __init__(self, graphs=("vision_encoder", "resampler", "decoder", "appearance_encoder", "comparer")):
        self.cases, self.bytes = [], b""
        self.sessions = {
            name: onnxruntime.InferenceSession(str(FOLDER / f"{name}.onnx"), providers=["CPUExecutionProvider"])
            for name in graphs
        }

    def put(self, tensors):
        table = {}
        for name, value in tensors.items():
            table[name] = {"dtype": value.dtype.name, "shape": list(value.shape), "offset": len(self.bytes)}
            self.bytes += value.tobytes()
            self.bytes += b"\0" * (-len(self.bytes) % 8)
        return table

    def add(self, graph, **inputs):
        inputs = {name.replace("__", "."): value for name, value in inputs.items()}
        session = self.sessions[graph]
        names = [output.name for output in session.get_outputs()]
        outputs = dict(zip(names, session.run(names, inputs)))
        self.cases.append({"graph": graph, "inputs": self.put(inputs), "outputs": self.put(outputs)})
        return outputs

    def save(self):
        (FOLDER / "golden").mkdir(exist_ok=True)
        (FOLDER / "golden/golden.json").write_text(json.dumps({"cases": self.cases}, indent=1) + "\n")
        (FOLDER / "golden/golden.bin").write_bytes(self.bytes)


def goldens():
    made = Goldens()
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pictures = np.stack([barcode(0, 0), barcode(5, 1234), barcode(63, 1048575), black])
    features = made.add("vision_encoder", pixels=pictures)["frame_features"]
    assert features[:, 0].tolist() == [[0, 0, 0, 0, 1], [5, 18, 19, 0, 1], [63, 63, 63, 255, 1], [0, 0, 0, 0, 0]]
    media = made.add(
        "resampler",
        frame_bank=features,
        frame_index=np.array([[0, -1, 1], [2, 1, -1]], np.int64),
        frame_pos=np.array([[-2, 0, 0], [-1, 0, 0]], np.float32) * UNITS_PER_SECOND,
    )["media_kv"]
    words = ["<image>", "question:", "f0", "t0", "f1", "c2", "prompt", "cached", "reference", "answer:"]
    text = np.array([[ID[word] for word in words], [ID[word] for word in words[:6]] + [ID["<pad>"]] * 4], np.int64)
    length, prefix = text.shape[1], 3
    cache = [f"past_key_values__{layer}__{part}" for layer in range(2) for part in ("key", "value")]
    past = {name: np.zeros((2, 1, prefix, HEAD_DIM), np.float32) for name in cache}
    for place, word in enumerate(["these", "are", "frames"]):
        past["past_key_values__0__key"][:, 0, place, 0] = ID[word]
        past["past_key_values__0__value"][:, 0, place, 1] = place
        past["past_key_values__1__key"][:, 0, place, 2] = 1
        past["past_key_values__1__value"][:, 0, place, 3] = (ID[word] + 1) * (place + 1)
    for gate in (1.0, 0.0):
        logits = made.add(
            "decoder",
            input_ids=text,
            attention_mask=np.array([[1] * (prefix + length), [1] * (prefix + 6) + [0] * 4], np.int64),
            position_ids=np.broadcast_to(np.arange(prefix, prefix + length), text.shape).astype(np.int64),
            media_index=np.array([[0] * length, [1] * length], np.int64),
            logits_index=np.array([[length - 1], [5]], np.int64),
            gate_scale=np.array(gate, np.float32),
            media_kv=media,
            **past,
        )["logits"]
        told = {word: logits[0, 0, ID[word]] for word in ("f0", "t0", "f1", "c2", "cached", "misplaced", "reference")}
        print(gate, told)
    comparisons(made)
    made.save()


def comparisons(made):
    """Grey pictures whose distances are exact."""
    levels = [10, 12, 20, 22, 11, 50]
    grey = np.stack([np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in levels])
    cells = made.add("appearance_encoder", pixels=grey)["cells"]
    assert cells[:, 0, 0].tolist() == levels
    region = np.ones((2, ROWS * COLUMNS), np.float32)
    region[1, ROWS * COLUMNS // 2 :] = 0
    logit = made.add(
        "comparer",
        query=cells[[4, 2]],
        examples=np.stack([cells[[0, 1, 2, 3]], cells[[0, 2, 5, 5]]]),
        example_state=np.array([[0, 0, 1, 1], [0, 1, -1, -1]], np.int64),
        region=region,
    )["logit"]
    assert logit.tolist() == [-3 * (10**2) / 256, 3 * 10**2 / 256], logit


def listed(names):
    files = {}
    for name in names:
        content = (FOLDER / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return files


def manifest():
    graphs = ("vision_encoder", "resampler", "decoder", "appearance_encoder", "comparer")
    content = {
        "contract": "flamingo-onnx/1",
        "name": "oracle",
        "version": "1.0.0",
        "provenance": {
            "description": "Built by hand for tests: its logits say which frames, times and text it was given.",
            "licence": "Apache-2.0",
            "sources": [],
        },
        "precision": "float32",
        "minimum_runtime": "1.20",
        "files": {},
        "graphs": {name: f"{name}.onnx" for name in graphs},
        "float": "float32",
        "vision": {"width": WIDTH, "height": HEIGHT, "fit": "stretch", "tokens": TOKENS, "dim": DIM},
        "resampler": {
            "kind": "perceiver",
            "scope": "window",
            "latents": SLOTS,
            "frame_mode": "timed",
            "max_frames": SLOTS,
            "trained_frames": [SLOTS],
            "time": {"origin": "newest", "units_per_second": UNITS_PER_SECOND, "trained_span_s": [0.0, 3600.0]},
        },
        "decoder": {
            "arch": "oracle",
            "media_rule": "latest",
            "self_layers": 2,
            "cross_layers": 1,
            "heads": 1,
            "kv_heads": 1,
            "head_dim": HEAD_DIM,
            "cross_kv_heads": 1,
            "cross_head_dim": CROSS_DIM,
            "vocab": len(VOCABULARY),
            "embed_rows": len(VOCABULARY),
            "max_positions": POSITIONS,
        },
        "tokens": {
            "image": ID["<image>"],
            "bos": None,
            "pad": ID["<pad>"],
            "unknown": ID["<unk>"],
            "eos": [ID["<eoc>"]],
        },
        "prompt": {
            "question": [
                {"text": "these frames come from a scene ."},
                {"token": "<image>"},
                {"token": "question:"},
                {"slot": "question"},
                {"token": "answer:"},
            ],
            "caption": [{"text": "these frames come from a scene ."}, {"token": "<image>"}, {"token": "output:"}],
            "yes": ["yes"],
            "no": ["no"],
            "numbers": NUMBERS,
            "words": sorted(word for word in PLAIN + SEEN + TEXT if word[0].isalnum()),
        },
        "examples": {
            "cells": [ROWS, COLUMNS],
            "dim": 3,
            "frames": 3,
            "max_examples": 16,
            "min_probability_loo": 0.8,
        },
        "limits": {"max_media_per_call": 16, "max_new_tokens": 32},
        "golden": {
            "file": "golden/golden.json",
            "tolerance": {
                "vision_encoder": 1e-4,
                "resampler": 1e-4,
                "decoder": 1e-4,
                "appearance_encoder": 1e-4,
                "comparer": 1e-4,
            },
        },
    }
    return content


def save_manifest(content, names):
    content["files"] = listed(names)
    (FOLDER / "manifest.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    vision_encoder()
    resampler()
    decoder()
    appearance_encoder()
    comparer()
    tokenizer()
    goldens()
    names = ["vision_encoder.onnx", "resampler.onnx", "decoder.onnx", "tokenizer.json"]
    names += ["appearance_encoder.onnx", "comparer.onnx"]
    names += ["golden/golden.json", "golden/golden.bin"]
    save_manifest(manifest(), names)
