"""One graph of a network serves sequences of any number and length.

What the operations compute is tested for all back ends at once, in test_operations. Letters: n
sequences, K frames, C columns of the code.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.in_onnx import OnnxOperations
from sklearn_lstmae.network.onnx_graph import Graph
from sklearn_lstmae.network.wiring import network_of

VARIANTS = [
    {"bidirectional": True, "hidden_units": (3, 2)},
    {"bottleneck": "cell", "time_encoding": False, "decoder_start": "state"},
    {"bottleneck": "hidden", "hidden_units": (), "decoder_start": "input"},
    {"conditional": True, "hidden_units": (3, 2), "activation": "relu"},
    {"conditional": True, "bottleneck": "hidden_cell", "time_encoding": False},
]


def describe(changes):
    return ", ".join(f"{name} {value}" for name, value in changes.items())


class Model:
    """Encoder and decoder in one graph, which passes the checker of ONNX."""

    def __init__(self, architecture, weights):
        graph, network = Graph(onnx), network_of(architecture)
        self.width = architecture.input_width
        operations = OnnxOperations(graph, architecture, weights)
        inputs = [
            graph.describe("series", np.float32, ["K", "n", self.width]),
            graph.describe("lengths", np.int64, ["n"]),
        ]
        code = network.encoder.encode(operations, ("series",), "lengths")
        [decoder] = network.decoders.values()
        frames = decoder.decode(operations, code, graph.size("series", 0))
        outputs = [
            graph.output("code", code, ["n", architecture.code_width]),
            graph.output("frames", frames, ["K", "n", architecture.frame_width]),
        ]
        self.graph = graph.finish("test", inputs, outputs)
        opset = [onnx.helper.make_opsetid("", 17)]
        model = onnx.helper.make_model(self.graph, opset_imports=opset, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def run(self, series, lengths):
        """(K, n, D), (n,) -> codes (n, C), frames (K, n, P * F)."""
        return self.session.run(None, {"series": series, "lengths": np.asarray(lengths)})


@pytest.fixture(params=VARIANTS, ids=describe)
def model_and_reference(request, make_architecture, draw_weights, make_reference):
    architecture = make_architecture(**request.param)
    weights = draw_weights(architecture)
    return Model(architecture, weights), make_reference(architecture, weights)


@pytest.mark.parametrize(("n_frames", "lengths"), [(1, [1]), (4, [2, 4, 1]), (9, [9, 3, 1, 5, 8])])
def test_number_and_lengths_are_free(n_frames, lengths, model_and_reference):
    model, reference = model_and_reference
    series = np.random.default_rng(0).normal(size=(n_frames, len(lengths), model.width))
    series = series.astype("f4")
    codes, frames = model.run(series, lengths)
    for row, length in enumerate(lengths):
        code = reference.encode(series[:length, row])
        assert_allclose(codes[row], code, rtol=1e-5, atol=1e-5)
        expected = reference.decode("reconstruct", code, n_frames)
        assert_allclose(frames[:, row], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("garbage", [7.0, np.nan, np.inf])
def test_padding_is_not_read(garbage, model_and_reference):
    model, _ = model_and_reference
    series = np.random.default_rng(0).normal(size=(5, 3, model.width)).astype("f4")
    lengths = np.array([2, 5, 3])
    clean = model.run(series, lengths)
    series[np.arange(5)[:, np.newaxis] >= lengths] = garbage
    for got, expected in zip(model.run(series, lengths), clean, strict=True):
        assert_array_equal(got, expected)


def test_weights_are_float32_and_stand_in_the_file_once(make_architecture, draw_weights):
    architecture = make_architecture(conditional=True)
    weights = draw_weights(architecture)
    graph = Model(architecture, weights).graph
    arrays = [onnx.numpy_helper.to_array(constant) for constant in graph.initializer]
    [scan] = [node for node in graph.node if node.op_type == "Scan"]
    [body] = [each.g for each in scan.attribute if each.name == "body"]
    arrays += [onnx.numpy_helper.to_array(constant) for constant in body.initializer]
    assert {array.dtype for array in arrays if array.dtype.kind == "f"} == {np.dtype("f4")}
    kernels = [weight for weight in weights if weight.ndim == 2]
    for kernel in kernels:
        sorted_values = np.sort(kernel, axis=None)
        same = [a for a in arrays if a.size == kernel.size]
        assert sum(np.array_equal(np.sort(a, axis=None), sorted_values) for a in same) == 1
