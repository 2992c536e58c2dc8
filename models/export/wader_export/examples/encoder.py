"""``appearance_encoder.onnx``: the trunk, and one linear map that keeps 95 directions and whitens them.

Whitened means: within one state of one scene (other light, night, blur, noise, passers-by) every direction of a cell
varies by about one; what is left over one is a change of state. Fitted on synthetic episodes.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .. import layout as picture
from ..graphs import names
from ..graphs.goldens import session
from ..paths import cache_dir
from . import episodes, layout, trunk

DEEP_KEPT, FINE_KEPT = 48, 32
FIT_EPISODES = 64
CALIBRATION = 72
SHRINKAGE = 0.02


def directions(covariance: np.ndarray, kept: int) -> np.ndarray:
    """The strongest principal directions [n, kept], scaled to variance one."""
    values, vectors = np.linalg.eigh(covariance)
    order = values.argsort()[::-1][:kept]
    return vectors[:, order] / np.sqrt(values[order])


def fit(cells: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Raw cells [episodes, windows, cells, 287] -> weight [287, 95], bias [95]."""
    flat = cells.reshape(-1, layout.RAW).astype(np.float64)
    mean = flat.mean(0)
    whole = np.cov(flat[::7].T)
    first = np.zeros((layout.RAW, layout.DIM))
    deep, fine, plain = (
        slice(0, layout.DEEP),
        slice(layout.DEEP, layout.DEEP + layout.FINE),
        slice(layout.DEEP + layout.FINE, None),
    )
    first[deep, :DEEP_KEPT] = directions(whole[deep, deep], DEEP_KEPT)
    first[fine, DEEP_KEPT : DEEP_KEPT + FINE_KEPT] = directions(whole[fine, fine], FINE_KEPT)
    first[plain, DEEP_KEPT + FINE_KEPT :] = np.diag(1 / np.sqrt(np.diag(whole[plain, plain])))
    within, count = np.zeros((layout.DIM, layout.DIM)), 0
    for episode, state in zip(cells, states):
        kept = (episode.astype(np.float64) - mean) @ first
        code = state[:, 0] * 2 + state[:, 1]
        for value in np.unique(code):
            group = kept[code == value]
            if len(group) > 1:
                apart = (group - group.mean(0)).reshape(-1, layout.DIM)
                within += apart.T @ apart
                count += (len(group) - 1) * layout.CELLS
    within /= count
    within += SHRINKAGE * np.trace(within) / layout.DIM * np.eye(layout.DIM)
    values, vectors = np.linalg.eigh(within)
    weight = first @ (vectors / np.sqrt(values))
    return weight.astype(np.float32), (-mean @ weight).astype(np.float32)


def append_map(source: Path, weight: np.ndarray, bias: np.ndarray, target: Path) -> None:
    """The trunk's graph with the linear map behind it."""
    model = onnx.load(source)
    model.graph.initializer.extend([numpy_helper.from_array(weight, "whiten"), numpy_helper.from_array(bias, "centre")])
    model.graph.node.extend(
        [
            helper.make_node("MatMul", ["raw", "whiten"], ["whitened"]),
            helper.make_node("Add", ["whitened", "centre"], ["cells"]),
        ]
    )
    del model.graph.output[:]
    shape = ["frames", layout.CELLS, layout.DIM]
    model.graph.output.append(helper.make_tensor_value_info("cells", TensorProto.FLOAT, shape))
    pixels = ["frames", picture.HEIGHT, picture.WIDTH, 3]
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, pixels))
    model.graph.name, model.producer_name = "appearance_encoder", "wader_export"
    names.forget_code(model)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def encoder_file() -> Path:
    """The encoder in the cache; made when it is not there yet (two minutes)."""
    folder = cache_dir("examples", f"encoder-{layout.DIM}")
    target = folder / "appearance_encoder.onnx"
    if target.exists():
        return target
    raw = folder / "trunk.onnx"
    if not raw.exists():
        trunk.build(folder / "trunk.tmp", episodes.pictures(CALIBRATION, 0), folder)
        (folder / "trunk.tmp").rename(raw)
    encode, rng = encoder(raw), np.random.default_rng([37])
    cells, states = [], []
    for _ in range(FIT_EPISODES):
        windows, state, _ = episodes.draw(rng)
        cells.append(episodes.encode_windows(windows, encode).astype(np.float32))
        states.append(state)
    append_map(raw, *fit(np.stack(cells), np.stack(states)), target)
    return target


def encoder(path: Path) -> episodes.Encode:
    """Frames u8 [n,H,W,3] -> cells, one CPU thread."""
    run = session(path)
    return lambda frames: run.run(None, {"pixels": frames})[0]
