"""The replay of goldens: a graph whose numbers are not finite never passes."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from wader_export.graphs import goldens

NAN = float("nan")


def folder_of_roots(target, *cases):
    """A folder whose only graph gives square roots, with a golden call for each pair of an input and what is wanted."""
    port = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"}
    graph = helper.make_graph([helper.make_node("Sqrt", ["x"], ["y"])], "root", [port["x"]], [port["y"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (target / "decoder.onnx").write_bytes(model.SerializeToString())
    store = goldens.Store()
    calls = [({"x": np.float32([given])}, {"y": np.float32([wanted])}) for given, wanted in cases]
    goldens.save(target, store, [goldens.case(store, "decoder", *call) for call in calls])
    return target


@pytest.mark.parametrize("bad", [(-1, 1), (-1, NAN), (1, NAN), (float("inf"), float("inf"))])
@pytest.mark.parametrize("relative", [False, True])
def test_what_is_not_finite_is_an_error(tmp_path, bad, relative):
    folder = folder_of_roots(tmp_path, (4, 2.25), bad)
    with pytest.raises(RuntimeError, match="golden case 1 of decoder: `y` holds numbers that are not finite"):
        goldens.replay(folder, relative)


def test_the_worst_difference_is_given(tmp_path):
    folder = folder_of_roots(tmp_path, (4, 2.25), (1, 1))
    assert goldens.replay(folder) == {"decoder": 0.25}
