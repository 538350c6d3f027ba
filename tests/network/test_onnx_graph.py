"""A graph is a list of operators: what it is asked for, it computes."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae.network.onnx_graph import Graph


def run(graph, inputs, outputs, **feeds):
    """Outputs, a list, of a finished graph that passes the checker of ONNX."""
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(
        graph.finish("test", inputs, outputs), opset_imports=opset, ir_version=8
    )
    onnx.checker.check_model(model, full_check=True)
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=providers)
    return session.run(None, feeds)


def run_int(make, *shape):
    """What ``make(graph)`` makes, through float32, which all outputs are."""
    graph = Graph(onnx)
    output = graph.output("result", graph.cast(make(graph), np.float32), shape)
    [result] = run(graph, [], [output])
    return result


def test_operators_take_tensors_and_arrays_and_give_names():
    graph = Graph(onnx)
    x = graph.describe("x", np.float32, ["n", 4])
    total = graph.add("Add", "x", np.ones(4, np.float32))
    assert isinstance(total, str)
    halves = graph.add("Split", total, n_outputs=2, axis=1)
    assert len(halves) == 2
    outputs = [graph.output(f"half_{p}", half, ["n", 2]) for p, half in enumerate(halves)]
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    first, second = run(graph, [x], outputs, x=values)
    assert_array_equal(np.hstack([first, second]), values + 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.bool_])
def test_a_constant_keeps_its_dtype_and_its_values(dtype):
    graph, values = Graph(onnx), np.array([[0, 1, 3]]).astype(dtype)
    graph.add("Identity", values)
    [constant] = graph.finish("test", [], []).initializer
    back = onnx.numpy_helper.to_array(constant)
    assert back.dtype == dtype
    assert_array_equal(back, values)


def test_numbers_in_a_list_are_integers():
    graph = Graph(onnx)
    graph.add("Identity", [1, 2])
    [constant] = graph.finish("test", [], []).initializer
    assert onnx.numpy_helper.to_array(constant).dtype == np.int64


def test_an_absent_input_is_an_empty_name():
    graph = Graph(onnx)
    graph.add("Clip", "x", "", np.float32(1))
    [node] = graph.finish("test", [], []).node
    assert list(node.input[:2]) == ["x", ""]


def test_names_differ_in_a_graph_and_its_parts():
    graph = Graph(onnx)
    part = Graph(onnx, outer=graph)
    names = [each.add("Identity", np.zeros(1)) for each in (graph, part, graph, part)]
    made = [each.finish("test", [], []) for each in (graph, part)]
    names += [constant.name for each in made for constant in each.initializer]
    assert len(set(names)) == len(names) == 8
    assert [len(each.node) for each in made] == [2, 2]


def test_a_part_reads_tensors_of_its_outer_graph():
    graph = Graph(onnx)
    x = graph.describe("x", np.float32, [3])
    twice = graph.add("Mul", "x", np.float32(2))
    part = Graph(onnx, outer=graph)
    total = part.add("Add", "before", twice)
    body = part.finish(
        "body",
        [part.describe("before", np.float32, [3]), part.describe("turn", np.float32, [])],
        [part.output("after", total, [3])],
    )
    final = graph.add("Scan", np.zeros(3, "f4"), np.zeros(4, "f4"), body=body, num_scan_inputs=1)
    [result] = run(graph, [x], [graph.output("result", final, [3])], x=np.arange(3, dtype="f4"))
    assert_array_equal(result, 4 * 2 * np.arange(3))


@pytest.mark.parametrize("axis", [0, 1])
def test_size_is_the_length_of_an_axis(axis):
    assert_array_equal(run_int(lambda graph: graph.size(np.zeros((2, 3)), axis), 1), [[2, 3][axis]])


@pytest.mark.parametrize("size", [1, 4])
def test_range_counts(size):
    assert_array_equal(run_int(lambda graph: graph.range(np.array([size])), None), np.arange(size))


def test_mask_is_true_within_the_lengths():
    lengths = np.array([3, 0, 5])
    got = run_int(lambda graph: graph.mask(np.array([4]), lengths), None, 3)
    assert_array_equal(got, np.arange(4)[:, np.newaxis] < lengths)
