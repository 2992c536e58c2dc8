"""Folders in int4 on ONNX Runtime against the original classes with every weight rounded as the folder stores it.

The originals' weights go through `int4.rounded` and `float16`, never through the packed bytes: so what is held is the
order of the nibbles, the scales, the runtime's reading of both, and which matrices are packed at all. What is left is
the arithmetic of float16.
"""

import copy

import families_languages
import families_oracles as oracles
import mllama_reference
import moss_vl_reference
import numpy as np
import onnx
import pytest
import torch
from families_bench import Bench as LatestBench
from families_bench import owners
from ruled_bench import Bench, Text, far, plain_greedy
from safetensors.torch import load_file, save_file

from wader_export.families import folder as folders
from wader_export.families import hub, int4, mllama, mllama_original, moss_vl, open_flamingo
from wader_export.families.family import PRECISIONS, Conversion, Options, Precision
from wader_export.families.mllama_names import RowTake
from wader_export.families.streamed import stored, streamed

CLOSE, CLOSE_HALF, STEPS = 1e-4, 5e-2, 5
FAR = 0.5  # by so much the rounding itself moves logits, or a wrong reading of it would go unseen
EXACT = Precision("int4-fp32", "float32", "int4 decoder, the rest fp32", "1.28", int4=True)
WIDE = {"hidden_size": 64, "intermediate_size": 96}  # two and three blocks of 32 a row: every matrix can be packed
FEED = {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}
SELF = {f"self_attn.{part}_proj" for part in "qkvo"} | FEED
CROSS = {f"cross_attn.{part}_proj" for part in "qo"} | FEED


def roundings(conversion: Conversion, precision: Precision, graphs: tuple = folders.GRAPHS):
    """Each weight as the folder stores it, and where the checkpoint has it."""
    for graph in graphs:
        weights, small = conversion.weights.under(graph), conversion.int4 if graph == "decoder" else frozenset()
        for name, take in weights.takes.items():
            yield take, stored(weights, name, precision.float_type, small)


def put(whole: torch.Tensor, take, value: torch.Tensor) -> None:
    """Writes a weight back to where it was taken from."""
    part = whole[take.row] if isinstance(take, RowTake) else whole[slice(*take.rows)] if take.rows else whole
    part.copy_(value.reshape(part.shape))


def check_nodes(path, conversion: Conversion, packed: set[str], exact: set[str]) -> None:
    """What the graph multiplies in 4 bits, and what it has as it was."""
    graph = onnx.load(path).graph
    named = {node.input[1].removesuffix(".int4") for node in graph.node if node.op_type == "MatMulNBits"}
    assert named == packed == conversion.int4
    initial = {one.name: one for one in graph.initializer}
    for name in packed:
        rows, columns = conversion.weights.under("decoder").takes[name].size()
        assert initial[f"{name}.int4"].dims == [rows, columns // int4.BLOCK, int4.BLOCK // 2]
        assert initial[f"{name}.scales"].dims == [rows, columns // int4.BLOCK] and name not in initial
    for name in exact:
        size = conversion.weights.under("decoder").takes[name].size()
        assert sorted(initial[name].dims) == sorted(size) and f"{name}.int4" not in initial
        assert initial[name].data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT)


# OpenFlamingo on GPT-NeoX


class Flamingo:
    """An oracle whose decoder was rounded, and the conversion of what it was before."""

    def __init__(self, folder):
        count = families_languages.byte_tokenizer(folder / "language").get_vocab_size()
        self.image = count + 1
        self.plain = oracles.Oracle("gpt_neox", 4, 2, count + 3, self.image, count)
        places = self.plain.save(folder)
        options = Options(language=places["language"], vision=places["vision"], fetch=hub.fetch)
        self.conversion = open_flamingo.convert(hub.fetch(places["flamingo"]), options)

    @torch.no_grad()
    def rounded(self, precision: Precision) -> oracles.Oracle:
        """The original, computing with the decoder's weights as the folder stores them."""
        oracle = copy.deepcopy(self.plain)
        head = oracle.lm.get_output_embeddings().weight
        for take, value in roundings(self.conversion, precision, ("decoder",)):
            name = take.names[0]
            if take.source.what == "language model":
                name = "lang_encoder." + under_gated(name)
            put(head if name.endswith("embed_out.weight") else oracle.model.get_parameter(name), take, value)
        return oracle

    def media(self, bank: torch.Tensor, rows: list[list[int]]) -> np.ndarray:
        """Media K/V in float32, from PyTorch: the decoder is what is rounded."""
        weights = self.conversion.weights.under("resampler")
        with streamed(self.conversion.modules["resampler"], weights, "float32", frozenset()) as resampler:
            return resampler(bank, torch.tensor(rows), torch.zeros(len(rows), 1)).numpy()


def under_gated(name: str) -> str:
    """A block's parameter as it is called under a gated layer."""
    head, layers, rest = name.partition(".layers.")
    number, _, rest = rest.partition(".")
    return f"{head}.layers.{number}.decoder_layer.{rest}" if layers else name


@pytest.fixture(scope="module")
def flamingo(tmp_path_factory):
    return Flamingo(tmp_path_factory.mktemp("flamingo"))


@pytest.mark.parametrize(
    ("precision", "limit"), [(PRECISIONS["int4"], CLOSE_HALF), (EXACT, CLOSE)], ids=["float16", "float32"]
)
def test_open_flamingo(flamingo, tmp_path, precision, limit):
    oracle = flamingo.rounded(precision)
    bench = LatestBench(flamingo.conversion, tmp_path, precision, ("decoder",))
    pixels = np.random.default_rng(0).integers(0, 256, (2, oracles.SIZE, oracles.SIZE, 3), np.uint8)
    with torch.no_grad():
        bank = oracle.tower(oracles.normalised(pixels)).last_hidden_state[:, 1:]
    media = flamingo.media(bank, [[0], [1]])
    for ids in ([12, flamingo.image, 30, 31, 32], [7, flamingo.image, 20, 21, flamingo.image, 40], [5, 6, 7]):
        clips = [pixels[i][None] for i in range(max(1, ids.count(flamingo.image)))]
        seen = [owners(ids, flamingo.image)]
        logits, past = bench.run([ids], media, seen)
        assert far(logits[0], oracle.logits(ids, clips).numpy()) < limit
        assert far(flamingo.plain.logits(ids, clips).numpy(), oracle.logits(ids, clips).numpy()) > FAR
        made = bench.greedy(logits, past, [[1] * len(ids)], seen, media, [len(ids)], STEPS)
        assert made[0] == oracle.generate(ids, clips, STEPS)
    blocks = {"query_key_value", "out", "up", "down"}
    packed = {f"blocks.{i}.{part}.weight" for i in range(4) for part in blocks}
    packed |= {f"gated.{i}.{part}.weight" for i in range(2) for part in ("query", "out", "up", "down")}
    path = tmp_path / f"decoder-{precision.name}.onnx"
    check_nodes(path, flamingo.conversion, packed, {"embedding.weight", "head.weight"})


# Llama-3.2-Vision and MOSS-VL: the whole folder, as `convert --precision int4` writes it


def check(bench: Bench, frames: np.ndarray, texts: list[Text], right, plain) -> None:
    """Logits and greedy tokens of a folder against the rounded original; the original as it was is another."""
    media = bench.media(bench.features(frames), list(range(len(frames))))
    for text in texts:
        wanted = right(text.ids, frames[text.rows])
        assert far(bench.logits(text, media), wanted) < CLOSE_HALF
        assert far(plain(text.ids, frames[text.rows]), wanted) > FAR
        told, _ = plain_greedy(lambda ids, rows=text.rows: right(ids, frames[rows])[-1], text.ids, STEPS)
        assert bench.greedy([text], media, STEPS)[0][0].tolist() == told


def test_mllama(tmp_path):
    image, side = mllama_reference.IMAGE, mllama_reference.TILE
    config = mllama_reference.CONFIG
    model = mllama_reference.build(config=config | {"text_config": config["text_config"] | WIDE})
    place = mllama_reference.checkpoint(tmp_path / "tiny-Instruct", model)
    conversion = mllama.convert(place, Options())
    tensors = load_file(place.folder / "model.safetensors")
    for take, value in roundings(conversion, PRECISIONS["int4"]):
        put(tensors[take.names[0]], take, value)
    rounded = mllama_reference.checkpoint(tmp_path / "rounded", model).folder
    save_file(tensors, rounded / "model.safetensors", metadata={"format": "pt"})
    right, plain = mllama_original.load(str(rounded), torch.float32, False), mllama_original.correct(model)

    bench = Bench(folders.write(conversion, tmp_path / "int4", PRECISIONS["int4"]))
    pictures = np.random.default_rng(5).integers(0, 256, (3, side, 2 * side, 3), np.uint8)
    texts = [Text([7, 8, image, 9, 10], [1]), Text([5, image, image, image, 6, 12], [0, 1, 2]), Text([5, 6, 7], [])]
    logits = mllama_reference.logits
    check(bench, pictures, texts, lambda *of: logits(right, *of), lambda *of: logits(plain, *of))
    layers = {i: CROSS if i in (1, 3) else SELF for i in range(4)}
    packed = {f"layers.{i}.{part}.weight" for i, parts in layers.items() for part in parts}
    check_nodes(tmp_path / "int4" / "decoder.onnx", conversion, packed, {"embed_tokens.weight", "lm_head.weight"})


def test_moss_vl(tmp_path):
    image, config = moss_vl_reference.IMAGE, copy.deepcopy(moss_vl_reference.CONFIG)
    config["text_config"] |= WIDE
    config["vision_config"]["out_hidden_size"] = WIDE["hidden_size"]
    weights = moss_vl_reference.build(config=config)
    place = moss_vl_reference.checkpoint(tmp_path / "MOSS-VL-Instruct", weights, config)
    canvas = f"{moss_vl_reference.WIDTH}x{moss_vl_reference.HEIGHT}"
    conversion = moss_vl.convert(place, Options(canvas=canvas))
    rounded = {name: weight.clone() for name, weight in weights.items()}
    for take, value in roundings(conversion, PRECISIONS["int4"]):
        put(rounded[take.names[0]], take, value)

    bench = Bench(folders.write(conversion, tmp_path / "int4", PRECISIONS["int4"]))
    shape = (3, moss_vl_reference.HEIGHT, moss_vl_reference.WIDTH, 3)
    frames = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    stamped = [token for i in range(3) for token in (30, 20 + i, 31, image)]
    texts = [Text([*stamped, 7, 8], [2, 0, 1]), Text([7, image, 9], [1]), Text([5, 6, 7], [])]

    def logits(values: dict, ids: list[int], seen: np.ndarray) -> np.ndarray:
        return moss_vl_reference.logits(values, ids, list(seen))[:, : moss_vl_reference.TOKENS]

    check(bench, frames, texts, lambda *of: logits(rounded, *of), lambda *of: logits(weights, *of))
    packed = {f"layers.{i}.{part}.weight" for i in (0, 2) for part in SELF}
    exact = {"embed_tokens.weight", "lm_head.weight"} | {f"layers.{i}.{part}.weight" for i in (1, 3) for part in CROSS}
    check_nodes(tmp_path / "int4" / "decoder.onnx", conversion, packed, exact)
