"""The `size` command: what a public checkpoint weighs and how much work it is, before anybody downloads it.

Reckoned on its modules without numbers (the meta device), so nothing is estimated by hand: weights are counted, and
PyTorch counts the operations of a forward pass. With `--export` the graphs are exported, too, as from a checkpoint of
zeros, which take no room on the disk, and opened by ONNX Runtime.
"""

import resource
import time
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from . import flamingo, graphs, mllama, mllama_config, moss_vl, moss_vl_config, ports, random_model
from . import language as languages
from .int4 import BLOCK
from .nn.decoder import every
from .nn.perceiver import CrossConfig
from .ports import Ports, Shapes
from .ruled_ports import POSITION, SPAN, ruled_decoder
from .weights import Weights

QUESTION = 60  # tokens of a question whose work is counted
GIB = 1 << 30
ANY = [0.5] * 3  # mean and spread of pixels: they cost nothing


@dataclass(frozen=True)
class Sized:
    """A checkpoint's modules on the meta device, and what is fixed about them."""

    modules: dict[str, nn.Module]
    ports: dict[str, Ports]
    shapes: Shapes
    int4: frozenset[str]  # decoder matrices that may have 4 bits

    def numbers(self, graph: str) -> int:
        """Weights of a graph."""
        return sum(parameter.numel() for parameter in self.modules[graph].parameters())

    def bytes(self, graph: str, small: bool) -> int:
        """What they take: two bytes each, or half a byte and their share of a scale."""
        packed = sum(p.numel() for n, p in self.modules[graph].named_parameters() if n in self.int4)
        packed = packed if small and graph == "decoder" else 0
        return (self.numbers(graph) - packed) * 2 + packed // 2 + packed // BLOCK * 2

    def medium(self) -> int:
        """Bytes of K and V of one medium in float16."""
        s = self.shapes
        return s.cross_layers * 2 * s.cross_kv_heads * s.latents * s.cross_head_dim * 2

    def past(self) -> int:
        """Bytes of K and V of one token of text in float16."""
        return self.shapes.self_layers * 2 * self.shapes.kv_heads * self.shapes.head_dim * 2

    def work(self, graph: str, **sizes: int) -> float:
        """Floating-point operations of one call whose open sizes are these."""
        given = self.ports[graph]
        inputs = [graphs.example(port, "float16", sizes) for port in given.inputs]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self.modules[graph].eval().half()(*graphs.handed_over(inputs, given))
        return counter.get_total_flops()


def open_flamingo(name: str) -> Sized:
    """OpenFlamingo in one of its sizes."""
    shape = random_model.SHAPES[name]
    language = languages.find(shape.language)
    layers = every(language.layers, shape.interval)
    made = flamingo.modules(
        language, shape.vision, shape.perceiver, layers, shape.rows, CrossConfig(len(layers), *shape.cross)
    )
    sizes = flamingo.shapes(language, made, shape.rows)
    return Sized(made, ports.plain(sizes), sizes, flamingo.four_bits(made["decoder"]))


# what transformers' defaults, which are the 11B's otherwise, have differently or not at all
LLAMA_11B = {
    "model_type": "mllama",
    "vision_config": {"image_size": 560},
    "text_config": {
        "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
}  # fmt: skip


def llama(canvas: str | None) -> Sized:
    """Llama-3.2-Vision 11B."""
    shape, tiles = mllama_config.read(LLAMA_11B), mllama.parse_tiles(canvas)
    made = mllama.modules_of(shape, tiles, ANY, ANY)
    return ruled(made, mllama.sizes(shape, tiles), SPAN, mllama.matrices(made["decoder"]))


# `config.json` of MOSS-VL-Instruct, as the technical report (arXiv 2608.15045) and its public code give it
MOSS_11B = {
    "model_type": "moss_vl",
    "image_token_id": 151655,
    "vision_config": {
        "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "depth": 27, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 1, "hidden_act": "gelu_pytorch_tanh",
        "num_position_embeddings": 2304, "deepstack_visual_indexes": [8, 16, 24], "out_hidden_size": 4096,
    },
    "text_config": {
        "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 48,
        "cross_attention_layers": list(range(2, 48, 4)), "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "rms_norm_eps": 1e-6, "vocab_size": 151936, "rope_theta": 5e6,
        "rope_scaling": {"mrope_section": [24, 20, 20]}, "max_position_embeddings": 262144,
    },
}  # fmt: skip


def moss(canvas: str | None) -> Sized:
    """MOSS-VL 11B."""
    shape = moss_vl.read_shape(MOSS_11B, canvas or moss_vl.CANVAS)
    made = moss_vl.modules_of(shape, ANY, ANY)
    return ruled(made, moss_vl.sizes(shape), POSITION, moss_vl.matrices(made["decoder"]))


def ruled(made: dict[str, nn.Module], sizes: Shapes, rule: list, int4: frozenset[str]) -> Sized:
    """A family without a resampler, whose media are frames."""
    return Sized(made, ports.plain(sizes) | {"decoder": ruled_decoder(sizes, rule)}, sizes, int4)


SIZES = {
    "OpenFlamingo-3B": lambda _: open_flamingo("3B"),
    "OpenFlamingo-4B": lambda _: open_flamingo("4B"),
    "OpenFlamingo-9B": lambda _: open_flamingo("9B"),
    "Llama-3.2-11B-Vision": llama,
    "MOSS-VL-11B": moss,
}


def reckoned(sized: Sized) -> list[str]:
    """The arithmetic, a line each."""
    whole = {small: sum(sized.bytes(part, small) for part in sized.modules) for small in (False, True)}
    text = dict(batch=1, seq=QUESTION, past=1, past_and_seq=QUESTION + 1, nlogits=1, media=1)
    return [
        "weights: " + ", ".join(f"{part} {sized.numbers(part) / 1e9:.3f} B" for part in sized.modules),
        f"in fp16 {whole[False] / GIB:.2f} GiB, with the decoder in int4 {whole[True] / GIB:.2f} GiB",
        f"K and V of a medium {sized.medium() / 1e6:.1f} MB, of a token of text {sized.past() / 1024:.0f} KiB (fp16)",
        f"a frame {sized.work('vision_encoder', frames=1) / 1e12:.2f} TFLOP, "
        f"a medium {sized.work('resampler', media=1, frames=1, bank=1) / 1e12:.3f} TFLOP, "
        f"a question of {QUESTION} tokens {sized.work('decoder', **text) / 1e12:.2f} TFLOP",
    ]


class Zeros:
    """A weight of zeros; stands where `weights.Take` stands for one of a checkpoint."""

    def __init__(self, parameter: nn.Parameter):
        self.shape = tuple(parameter.shape)

    def size(self) -> tuple[int, ...]:
        return self.shape

    def read(self) -> torch.Tensor:
        return torch.zeros(self.shape)


def export(sized: Sized, graph: str, folder: Path, small: bool) -> str:
    """Exports a graph with weights of zeros and opens it; says what both took."""
    module, begun = sized.modules[graph], time.process_time()
    weights = Weights({name: Zeros(parameter) for name, parameter in module.named_parameters()})
    packed = sized.int4 if small and graph == "decoder" else frozenset()
    files = graphs.export(module, sized.ports[graph], weights, folder / f"{graph}.onnx", "float16", packed)
    exported = time.process_time() - begun
    options = onnxruntime.SessionOptions()
    # As it lies: optimising would turn and copy the weights of a whole model on a processor that has no float16.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    begun = time.process_time()
    session = onnxruntime.InferenceSession(str(files[0]), options, providers=["CPUExecutionProvider"])
    opened, peak = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"{graph}: exported in {exported:.0f} s, {sum(file.stat().st_size for file in files) / 1e9:.2f} GB; opened in "
        f"{opened:.1f} s with {len(session.get_inputs())} inputs and {len(session.get_outputs())} outputs; "
        f"peak {peak:.2f} GB"
    )


def run(arguments) -> None:
    """The `size` command."""
    torch.set_num_threads(arguments.threads)
    sized = SIZES[arguments.checkpoint](arguments.canvas)
    print("\n".join(reckoned(sized)), flush=True)
    if arguments.export is not None:
        arguments.export.mkdir(parents=True, exist_ok=True)
        for graph in sized.modules:
            print(export(sized, graph, arguments.export, arguments.precision == "int4"), flush=True)
