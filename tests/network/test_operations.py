"""Each back end computes the operations of the wiring, and so whole networks, as a plain reference.

Arrays are here as tests have them, and a back end brings them into its own layout and back: a
vector is (n, D), a series (n, K, D), a mask (n, K). Letters: n sequences, K frames, D columns of
whatever.
"""

from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network import in_keras, in_numpy, in_onnx, in_tensorflow
from sklearn_lstmae.network.onnx_graph import Graph
from sklearn_lstmae.network.wiring import POOLINGS, TIMES, Read, network_of

N, K = 3, 5
MASKS = {
    "no mask": None,
    "padded": np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]], bool),
    "gaps": np.array([[1, 0, 1, 0, 1], [0, 1, 1, 1, 0], [1, 1, 0, 1, 1]], bool),
}
PADDED = MASKS["padded"]
KINDS = sorted({kind for kinds in POOLINGS.values() for kind in kinds} - {"last"})


# Back ends -------------------------------------------------------------------------------


class InNumPy:
    """Arrays with a sequence in each of the last places."""

    table = in_numpy.POOL
    masks = ("no mask", "padded", "gaps")

    def __init__(self, architecture, weights):
        self.operations = in_numpy.NumpyOperations(architecture, weights)

    def run(self, function, *arrays):
        """Results of ``function(operations, *tensors)``, a list: each a vector or a series."""
        tensors = [None if array is None else np.moveaxis(array, 0, -1) for array in arrays]
        with np.errstate(all="ignore"):
            results = function(self.operations, *tensors)
        assert {result.dtype for result in results} == {np.dtype("f4")}
        return [np.moveaxis(result, -1, 0) for result in results]

    @staticmethod
    def count(n_frames):
        """A number of frames as `Operations.time` takes it."""
        return n_frames

    def time(self, n_frames, kind):
        """(K, D)."""
        return self.operations.time(n_frames, kind)


class InTensorFlow(InNumPy):
    """Time-major tensors. Training has padding only, and no first states with it."""

    table = in_tensorflow.POOL
    masks = ("no mask", "padded")

    def __init__(self, architecture, weights, **options):
        weights = [tf.constant(weight) for weight in weights]
        self.operations = in_tensorflow.TensorFlowOperations(architecture, weights, **options)

    def run(self, function, *arrays):
        results = function(self.operations, *map(self.to_tensor, arrays))
        assert {result.dtype for result in results} == {tf.float32}
        return [np.moveaxis(result, -2, 0) for result in results]

    @staticmethod
    def to_tensor(array):
        if array is None:
            return None
        if array.dtype == bool:
            array = array[:, :, np.newaxis]
        return tf.constant(np.moveaxis(array, 0, -2))


class InKeras(InNumPy):
    """Tensors as the tests have them."""

    table = in_keras.POOL

    def __init__(self, architecture, weights):
        self.operations = in_keras.KerasOperations(architecture, weights)

    def run(self, function, *arrays):
        tensors = [None if array is None else tf.constant(array) for array in arrays]
        results = function(self.operations, *tensors)
        assert {result.dtype for result in results} == {tf.float32}
        return [np.asarray(result) for result in results]


class InOnnx(InNumPy):
    """A graph, run by onnxruntime; a mask is the lengths."""

    table = in_onnx.POOL
    masks = ("no mask", "padded")

    def __init__(self, architecture, weights):
        self.parts = architecture, weights

    def run(self, function, *arrays):
        graph = Graph(onnx)
        operations = in_onnx.OnnxOperations(graph, *self.parts)
        given = {f"input_{place}": array for place, array in enumerate(arrays) if array is not None}
        feeds = {name: self.to_tensor(array) for name, array in given.items()}
        tensors = [None if array is None else f"input_{p}" for p, array in enumerate(arrays)]
        inputs = [graph.describe(name, a.dtype, a.shape) for name, a in feeds.items()]
        results = function(operations, *tensors)
        outputs = [graph.output(f"result_{p}", name, None) for p, name in enumerate(results)]
        results = run_graph(graph.finish("test", inputs, outputs), feeds)
        return [np.moveaxis(result, -2, 0) for result in results]

    @staticmethod
    def to_tensor(array):
        return array.sum(1) if array.dtype == bool else np.moveaxis(array, 0, -2)

    @staticmethod
    def count(n_frames):
        return np.array([n_frames])

    def time(self, n_frames, kind):
        [time] = self.run(lambda ops: [ops.time(self.count(n_frames), kind)])  # (1, K, D)
        return time[0]


def run_graph(graph, feeds):
    """Outputs of a graph: list of arrays."""
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=providers)
    return session.run(None, feeds)


BACKENDS = {"numpy": InNumPy, "tensorflow": InTensorFlow, "keras": InKeras, "onnx": InOnnx}
# Training knows the frames before each one.
FREE = {name: backend for name, backend in BACKENDS.items() if name != "tensorflow"}

each_backend = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
free_backend = pytest.mark.parametrize("backend", FREE.values(), ids=FREE)
each_mask = pytest.mark.parametrize(
    ("backend", "mask"),
    [
        pytest.param(backend, MASKS[mask], id=f"{name}-{mask}")
        for name, backend in BACKENDS.items()
        for mask in backend.masks
    ],
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


def close(got, expected, **options):
    assert_allclose(got, expected, rtol=1e-5, atol=1e-5, **options)


def stack(results):
    """Results of each sequence -> arrays of all sequences."""
    return [np.stack(result) for result in zip(*results, strict=True)]


# LSTM ------------------------------------------------------------------------------------

STATES = {"zero": "", "hidden": "h", "cell": "c", "both": "hc"}
each_state = pytest.mark.parametrize("state", STATES.values(), ids=STATES)
# What the first layer of a decoder can read.
READS = {
    f"{start}, {'encoded' if time else 'no'} time{', previous' if conditional else ''}": {
        "decoder_start": start,
        "time_encoding": time,
        "conditional": conditional,
    }
    for start, time, conditional in product(("input", "state"), (True, False), (True, False))
}


def draw_state(state, units):
    """Hidden and cell, (n, U) or None each, and the pair for each row."""
    pair = [normal(N, units, seed=7 + p) if name in state else None for p, name in enumerate("hc")]
    rows = [[None if vector is None else vector[row] for vector in pair] for row in range(N)]
    return pair, rows


def check_lstm(backend, got, expected, real):
    """Compare outputs, hidden and cell state with those of each row."""
    expected = stack(expected)
    if backend is not InNumPy:
        # Nothing reads outputs of masked frames: some are zeros here.
        got = [np.where(real[:, :, np.newaxis], got[0], expected[0]), *got[1:]]
    for result, each in zip(got, expected, strict=True):
        close(result, each)


@pytest.mark.parametrize(
    ("parts", "state"),
    [pytest.param(1, state, id=name) for name, state in STATES.items()]
    + [pytest.param(2, "", id="two series")],
)
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@each_mask
def test_lstm_over_series(
    backend, mask, parts, backwards, state, make_architecture, make_reference, draw_weights
):
    architecture = make_architecture(bidirectional=True, n_features=4)
    weights = draw_weights(architecture)
    layer = network_of(architecture).encoder.hidden[0][backwards]
    columns = normal(N, K, 4)
    if backend is InTensorFlow and mask is not None:
        state = ""
    pair, rows = draw_state(state, layer.units)

    def run(ops, mask, hidden, cell, *series):
        first = (hidden, cell) if state else None
        outputs, after = ops.lstm(layer, Read(series=series), mask=mask, state=first)
        return [outputs, *after]

    got = backend(architecture, weights).run(run, mask, *pair, *np.split(columns, parts, axis=2))
    real = np.ones((N, K), bool) if mask is None else mask
    reference = make_reference(architecture, weights)
    expected = [
        reference.lstm(layer.name, columns[n], rows[n], backwards=backwards, real=real[n])
        for n in range(N)
    ]
    check_lstm(backend, got, expected, real)


@each_state
@pytest.mark.parametrize("read", READS.values(), ids=READS)
@each_backend
def test_lstm_over_time_series_and_code(
    backend, read, state, make_architecture, make_reference, draw_weights
):
    architecture = make_architecture(**read)
    weights, decoder = draw_weights(architecture), network_of(architecture).decoders["reconstruct"]
    [layer] = decoder.hidden
    code = normal(N, architecture.code_width) if decoder.reads_code else None
    previous = normal(N, K, architecture.frame_width, seed=1) if architecture.conditional else None
    if code is None and previous is None:
        state = state or "h"  # else it would not be known of how many sequences
    pair, rows = draw_state(state, layer.units)

    def run(ops, code, previous, hidden, cell):
        series = () if previous is None else (previous,)
        read = Read(ops.time(backend.count(K), decoder.time), series, code)
        outputs, after = ops.lstm(layer, read, state=(hidden, cell) if state else None)
        return [outputs, *after]

    got = backend(architecture, weights).run(run, code, previous, *pair)
    reference, expected = make_reference(architecture, weights), []
    for n in range(N):
        columns = [reference.time(K, decoder.time)]
        columns += [] if previous is None else [previous[n]]
        columns += [] if code is None else [np.tile(code[n], (K, 1))]
        expected.append(reference.lstm(layer.name, np.hstack(columns), rows[n]))
    check_lstm(backend, got, expected, np.ones((N, K), bool))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@each_backend
def test_lstm_with_either_activation(
    backend, activation, make_architecture, make_reference, draw_weights
):
    architecture = make_architecture(activation=activation)
    weights, [[layer]] = draw_weights(architecture), network_of(architecture).encoder.hidden
    columns = 3 * normal(N, K, 2)

    def run(ops, mask, columns):
        outputs, after = ops.lstm(layer, Read(series=(columns,)), mask=mask)
        return [outputs, *after]

    got = backend(architecture, weights).run(run, PADDED, columns)
    reference = make_reference(architecture, weights)
    expected = [reference.lstm(layer.name, columns[n], real=PADDED[n]) for n in range(N)]
    check_lstm(backend, got, expected, PADDED)


@pytest.mark.parametrize("garbage", [7.0, np.nan, np.inf])
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@each_backend
def test_masked_frames_are_not_read(backend, backwards, garbage, make_architecture, draw_weights):
    architecture = make_architecture(bidirectional=True)
    layer = network_of(architecture).encoder.hidden[0][backwards]
    ends = backend(architecture, draw_weights(architecture))
    columns = normal(N, K, 2)

    def run(ops, mask, columns):
        outputs, after = ops.lstm(layer, Read(series=(columns,)), mask=mask)
        return [outputs, *after]

    clean = ends.run(run, PADDED, columns)
    dirty = np.where(PADDED[:, :, np.newaxis], columns, np.float32(garbage))
    for result, expected in zip(ends.run(run, PADDED, dirty), clean, strict=True):
        assert_array_equal(result, expected)


# Dense, join, halves ---------------------------------------------------------------------


@pytest.mark.parametrize("frames", [(), (K,)], ids=["vector", "series"])
@each_backend
def test_dense(backend, frames, make_architecture, make_reference, draw_weights):
    architecture = make_architecture()
    weights = draw_weights(architecture)
    layer = network_of(architecture).encoder.bottleneck
    columns = normal(N, *frames, layer.width)
    [got] = backend(architecture, weights).run(lambda ops, x: [ops.dense(layer, x)], columns)
    close(got, make_reference(architecture, weights).dense("bottleneck", columns))


@each_backend
def test_join_and_halves(backend, make_architecture, draw_weights):
    architecture = make_architecture()
    one, two = normal(N, 4), normal(N, 2, seed=1)

    def run(ops, one, two):
        return [ops.join([one, two]), ops.join([two]), *ops.halves(one)]

    got = backend(architecture, draw_weights(architecture)).run(run, one, two)
    expected = np.hstack([one, two]), two, one[:, :2], one[:, 2:]
    for result, each in zip(got, expected, strict=True):
        assert_array_equal(result, each)


# Pooling ---------------------------------------------------------------------------------


@each_backend
def test_each_statistic_is_known(backend, make_reference):
    assert sorted(backend.table) == KINDS == sorted(make_reference.statistics)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", [1, 2], ids=["one series", "two series"])
@each_mask
def test_pool(backend, mask, parts, kind, make_architecture, make_reference, draw_weights):
    if mask is None and backend is not InNumPy:
        mask = np.ones((N, K), bool)  # all but NumPy always have one
    architecture, columns = make_architecture(), normal(N, K, 4)

    def run(ops, mask, *series):
        return [ops.pool(kind, series, mask)]

    ends = backend(architecture, draw_weights(architecture))
    [got] = ends.run(run, mask, *np.split(columns, parts, axis=2))
    real = np.ones((N, K), bool) if mask is None else mask
    close(got, [make_reference.statistics[kind](columns[n, real[n]]) for n in range(N)])


@pytest.mark.parametrize("kind", KINDS)
@each_backend
def test_masked_frames_are_not_pooled(backend, kind, make_architecture, draw_weights):
    architecture, columns = make_architecture(), normal(N, K, 4)
    ends = backend(architecture, draw_weights(architecture))

    def run(ops, mask, columns):
        return [ops.pool(kind, (columns,), mask)]

    [clean] = ends.run(run, PADDED, columns)
    dirty = np.where(PADDED[:, :, np.newaxis], columns, np.float32(9.0))
    assert_array_equal(ends.run(run, PADDED, dirty)[0], clean)


# Time, dropout ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_frames", [1, 5, 600])
@pytest.mark.parametrize("kind", TIMES)
@each_backend
def test_time(backend, kind, n_frames, make_architecture, make_reference, draw_weights):
    architecture = make_architecture()
    time = backend(architecture, draw_weights(architecture)).time(n_frames, kind)
    assert time.shape == (n_frames, TIMES[kind])
    # The angles of late frames are large, and so is their error.
    assert_allclose(time, make_reference.time(n_frames, kind), atol=2e-7 * max(n_frames, 10))


@each_backend
def test_the_encoded_time_never_repeats(backend, make_architecture, draw_weights):
    architecture = make_architecture()
    time = backend(architecture, draw_weights(architecture)).time(512, "encoded")
    differences = np.abs(time[:, np.newaxis] - time).max(2)
    assert differences[~np.eye(512, dtype=bool)].min() > 1e-3


@pytest.mark.parametrize(
    "operations", [in_numpy.NumpyOperations, in_keras.KerasOperations], ids=["numpy", "keras"]
)
def test_nothing_is_dropped_in_use(operations, make_architecture, draw_weights):
    architecture, read = make_architecture(), Read(series=(normal(K, 2, N),), code=normal(2, N))
    assert operations(architecture, draw_weights(architecture)).drop(read) is read
    on_graph = in_onnx.OnnxOperations(Graph(onnx), architecture, draw_weights(architecture))
    assert on_graph.drop(read) is read


# Networks --------------------------------------------------------------------------------

STATEFUL = ("hidden", "cell", "hidden_cell")
ENCODERS = [
    *({"pooling": pooling} for pooling in POOLINGS),
    *({"pooling": pooling, "bidirectional": True, "hidden_units": (4, 3)} for pooling in POOLINGS),
    *({"bottleneck": kind} for kind in STATEFUL),
    *({"bottleneck": kind, "hidden_units": ()} for kind in STATEFUL),
    {"bottleneck": "hidden_cell", "hidden_units": (4, 3), "bidirectional": True},
    {"activation": "relu", "hidden_units": (4, 3)},
    {"activation": "relu", "bottleneck": "cell"},
    {"patch_size": 2},
    {"tells_missing": True},
    {"patch_size": 3, "tells_missing": True, "bidirectional": True},
    {"variational": True},
]
DECODERS = [
    {
        "bottleneck": bottleneck,
        "hidden_units": (3, 2),
        "decoder_start": start,
        "time_encoding": time,
        "conditional": conditional,
    }
    for bottleneck, start, time, conditional in product(
        ("dense", *STATEFUL), ("input", "state"), (False, True), (False, True)
    )
] + [
    *({"bottleneck": kind, "hidden_units": (3, 2)} for kind in ("dense", *STATEFUL)),
    *({"bottleneck": kind, "hidden_units": ()} for kind in STATEFUL),
    {"activation": "relu", "conditional": True},
    {"patch_size": 2, "conditional": True, "decoders": ("reconstruct", "predict")},
    {"bottleneck": "hidden_cell", "decoder_start": "input_state", "conditional": True},
]
CONDITIONAL = [changes for changes in DECODERS if changes.get("conditional")]


def describe(changes):
    return ", ".join(f"{name} {value}" for name, value in changes.items())


class Case:
    """A network with weights, what its encoder reads, and codes of their own."""

    def __init__(self, architecture, weights):
        self.architecture, self.weights = architecture, weights
        width = architecture.frame_width
        self.columns = normal(N, K, architecture.input_width)
        # The values, and which of them are real: series of different kinds.
        self.series = [part for part in np.split(self.columns, [width], axis=2) if part.size]
        self.codes = normal(N, architecture.code_width, seed=1)
        self.previous = normal(N, K, width, seed=2) if architecture.conditional else None

    def encode(self, backend, mask):
        encoder = network_of(self.architecture).encoder
        [codes] = backend(self.architecture, self.weights).run(
            lambda ops, mask, *series: [encoder.encode(ops, series, mask)], mask, *self.series
        )
        return codes

    def decode(self, backend, task, n_frames=K, previous=None):
        decoder = network_of(self.architecture).decoders[task]

        def run(ops, code, previous):
            return [decoder.decode(ops, code, backend.count(n_frames), previous)]

        [frames] = backend(self.architecture, self.weights).run(run, self.codes, previous)
        return frames


@pytest.fixture(scope="module")
def make_case(make_architecture, draw_weights):
    def make(**changes):
        architecture = make_architecture(**changes)
        return Case(architecture, draw_weights(architecture))

    return make


@pytest.mark.parametrize("changes", ENCODERS, ids=describe)
@each_backend
def test_codes(backend, changes, make_case, make_reference):
    case = make_case(**changes)
    reference = make_reference(case.architecture, case.weights)
    got = case.encode(backend, PADDED)
    assert got.shape == (N, case.architecture.code_width)
    close(got, [reference.encode(case.columns[n, PADDED[n]]) for n in range(N)])


@pytest.mark.parametrize("changes", DECODERS, ids=describe)
@each_backend
def test_frames_after_known_ones(backend, changes, make_case, make_reference):
    case = make_case(**changes)
    reference = make_reference(case.architecture, case.weights)
    known = [None] * N if case.previous is None else case.previous
    for task in case.architecture.decoders:
        got = case.decode(backend, task, previous=case.previous)
        assert got.shape == (N, K, case.architecture.frame_width)
        close(got, [reference.decode(task, case.codes[n], K, known[n]) for n in range(N)])


@pytest.mark.parametrize("changes", CONDITIONAL, ids=describe)
@free_backend
def test_frames_after_its_own(backend, changes, make_case, make_reference):
    case = make_case(**changes)
    reference = make_reference(case.architecture, case.weights)
    for task in case.architecture.decoders:
        got = case.decode(backend, task)
        close(got, [reference.decode(task, case.codes[n], K) for n in range(N)])


@free_backend
def test_a_decoder_reads_its_own_frames_as_known_ones(backend, make_case):
    case = make_case(conditional=True, hidden_units=(3, 2))
    frames = case.decode(backend, "reconstruct")
    previous = np.pad(frames[:, :-1], ((0, 0), (1, 0), (0, 0)))
    close(case.decode(backend, "reconstruct", previous=previous), frames)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("n_frames", [1, 4])
@free_backend
def test_more_frames_begin_with_the_fewer(backend, n_frames, conditional, make_case):
    case = make_case(conditional=conditional)
    longest = case.decode(backend, "reconstruct", K)
    close(case.decode(backend, "reconstruct", n_frames), longest[:, :n_frames])


@pytest.mark.parametrize("garbage", [7.0, np.nan])
@pytest.mark.parametrize(
    "changes",
    [{"bidirectional": True}, {"bottleneck": "hidden_cell", "hidden_units": (4, 3)}],
    ids=describe,
)
@each_backend
def test_padding_has_no_effect_on_a_code(backend, changes, garbage, make_case):
    case = make_case(**changes)
    codes = case.encode(backend, PADDED)
    for part in case.series:
        part[~PADDED] = garbage
    assert_array_equal(case.encode(backend, PADDED), codes)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("backend", [InNumPy, InTensorFlow, InKeras])
def test_a_row_without_a_frame_has_a_finite_code(backend, pooling, make_case):
    assert np.isfinite(make_case(pooling=pooling).encode(backend, np.zeros((N, K), bool))).all()
