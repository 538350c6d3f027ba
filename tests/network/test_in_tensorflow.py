"""The network that trains: its gradients, its dropout and the weights it starts from.

What the operations compute is tested for all back ends at once, in test_operations. Letters: B
sequences, K frames, D columns of whatever.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.in_tensorflow import TensorFlowOperations, initial_weights
from sklearn_lstmae.network.wiring import POOLINGS, Lstm, Read, network_of
from sklearn_lstmae.training.minibatch import make_drop

LENGTHS = [4, 1, 3]
K, B = 4, 3
MASK = tf.constant(np.arange(K)[:, np.newaxis, np.newaxis] < np.array(LENGTHS)[:, np.newaxis])
RATE = 0.4

LEARNING = [
    *({"pooling": pooling, "bidirectional": True} for pooling in POOLINGS),
    {"hidden_units": (3, 2), "patch_size": 2, "variational": True},
    {"decoder_start": "state", "time_encoding": False},
    {"decoder_start": "input", "time_encoding": False, "tells_missing": True},
    *({"bottleneck": kind, "hidden_units": ()} for kind in ("hidden", "cell", "hidden_cell")),
    {"bottleneck": "hidden_cell", "decoder_start": "state", "time_encoding": False},
    {"bottleneck": "cell", "decoder_start": "input", "bidirectional": True, "activation": "relu"},
    {"conditional": True, "decoders": ("reconstruct", "predict")},
    {"conditional": True, "time_encoding": False, "decoder_start": "state"},
]


def describe(changes):
    return ", ".join(f"{name} {value}" for name, value in changes.items())


def normal(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


class PlainOperations(TensorFlowOperations):
    """With an LSTM as a loop over the frames, for automatic differentiation."""

    def __init__(self, architecture, weights, **options):
        super().__init__(architecture, weights, **options)
        self.weights = network_of(architecture).by_layer(weights)
        self.function = {"tanh": tf.tanh, "relu": tf.nn.relu}[architecture.activation]

    def lstm(self, layer, read, *, mask=None, state=None):
        kernel, recurrent, bias = self.weights[layer]
        parts = [] if read.time is None else [tf.repeat(read.time[:, tf.newaxis], B, axis=1)]
        parts += read.series
        parts += [] if read.code is None else [tf.repeat(read.code[tf.newaxis], K, axis=0)]
        columns = tf.concat(parts, -1)
        hidden, cell = (
            tf.zeros([B, layer.units]) if vector is None else vector
            for vector in state or (None, None)
        )
        outputs = [None] * K
        for k in reversed(range(K)) if layer.backwards else range(K):
            gates = columns[k] @ kernel + hidden @ recurrent + bias
            entry, forget, candidate, exit_ = tf.split(gates, 4, axis=1)
            new_cell = tf.sigmoid(forget) * cell + tf.sigmoid(entry) * self.function(candidate)
            new_hidden = tf.sigmoid(exit_) * self.function(new_cell)
            if mask is not None:
                new_hidden = tf.where(mask[k], new_hidden, hidden)
                new_cell = tf.where(mask[k], new_cell, cell)
            outputs[k], hidden, cell = new_hidden, new_hidden, new_cell
        return tf.stack(outputs), (hidden, cell)


def learn(operations, architecture, weights, drop_rate=RATE, **options):
    """Code and frames, and the gradients of what is read and of the weights."""
    network = network_of(architecture)
    drop = make_drop(drop_rate, tf.constant([1, 2])) if drop_rate else None
    weights = [tf.constant(weight) for weight in weights]
    series = normal(K, B, architecture.input_width)
    previous = normal(K, B, architecture.frame_width, seed=1) if architecture.conditional else None
    given = [each for each in (series, previous) if each is not None]
    with tf.GradientTape() as tape:
        tape.watch([given, weights])
        ops = operations(architecture, weights, drop=drop, **options)
        code = network.encoder.encode(ops, (series,), MASK)
        results = {"code": code}
        if architecture.variational:
            results["spread"] = ops.dense(
                network.encoder.spread, network.encoder.pool(ops, (series,), MASK)
            )
        for task, decoder in network.decoders.items():
            results[task] = decoder.decode(ops, code, K, previous)
        objective = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in results.values()])
    of_given, of_weights = tape.gradient(objective, [given, weights])
    layers = network.by_layer(of_weights)
    gradients = {
        f"{layer.name} {place}": gradient
        for layer, arrays in layers.items()
        for place, gradient in enumerate(arrays)
    }
    return results, gradients | {f"given {p}": each for p, each in enumerate(of_given)}


def assert_same(got, expected):
    for results, reference in zip(got, expected, strict=True):
        assert results.keys() == reference.keys()
        for name, each in reference.items():
            assert_allclose(results[name], each, rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("drop_rate", [0.0, RATE], ids=["all", "dropout"])
@pytest.mark.parametrize("changes", LEARNING, ids=describe)
def test_gradients_are_those_of_automatic_differentiation(
    changes, drop_rate, make_architecture, draw_weights
):
    architecture = make_architecture(**changes)
    weights = draw_weights(architecture)
    got, expected = (
        learn(operations, architecture, weights, drop_rate)
        for operations in (TensorFlowOperations, PlainOperations)
    )
    assert_same(got, expected)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_compiled_they_are_the_same(xla, make_architecture, draw_weights):
    architecture = make_architecture(conditional=True)
    weights = draw_weights(architecture)
    compiled = tf.function(
        lambda: learn(TensorFlowOperations, architecture, weights, 0.0),
        jit_compile=xla,
        autograph=False,
    )
    assert_same(compiled(), learn(PlainOperations, architecture, weights, 0.0))


def test_frames_that_are_not_needed_may_be_left_out(make_architecture, draw_weights):
    """All lengths are less than the frames there are; outputs after the last are not compared."""
    architecture = make_architecture(bidirectional=True, conditional=True)
    network, weights = network_of(architecture), draw_weights(architecture)
    series, previous = normal(K + 2, B, 2), normal(K + 2, B, 2, seed=1)
    mask = tf.concat([MASK, tf.zeros([2, B, 1], tf.bool)], 0)

    def run(n_frames):
        ops = TensorFlowOperations(architecture, weights, n_frames=n_frames)
        code = network.encoder.encode(ops, (series,), mask)
        return code, network.decoders["reconstruct"].decode(ops, code, K + 2, previous)[:K]

    for got, expected in zip(run(tf.constant(K)), run(None), strict=True):
        assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


# Dropout ---------------------------------------------------------------------------------


def drop_operations(architecture, weights, drop):
    return TensorFlowOperations(architecture, [tf.constant(w) for w in weights], drop=drop)


@pytest.fixture
def dropping(make_architecture, draw_weights):
    architecture = make_architecture()
    return drop_operations(
        architecture, draw_weights(architecture), make_drop(RATE, tf.constant([1, 2]))
    )


def test_one_mask_is_drawn_for_all_frames(dropping):
    [dropped] = dropping.drop(Read(series=(tf.ones([K, 50, 20]),))).series
    dropped = dropped.numpy()
    assert_array_equal(dropped, np.broadcast_to(dropped[:1], dropped.shape))
    assert len(np.unique(dropped[0], axis=0)) == 50


def test_a_share_is_dropped_and_the_mean_is_kept(dropping):
    read = dropping.drop(Read(series=(tf.ones([1, 100, 100]),), code=tf.ones([100, 100])))
    for dropped in (read.series[0], read.code):
        assert_allclose(np.unique(dropped), [0.0, 1 / (1 - RATE)], rtol=1e-6)
        assert_allclose(np.mean(dropped == 0), RATE, atol=0.03)
        assert_allclose(np.mean(dropped), 1.0, atol=0.05)


def test_the_time_is_not_dropped(dropping):
    time = normal(K, 3)
    read = dropping.drop(Read(time, (tf.ones([K, B, 2]),), tf.ones([B, 4])))
    assert read.time is time
    assert dropping.drop(Read(time)) == Read(time)


def test_series_are_joined_before_they_are_dropped(dropping):
    one, two = normal(K, B, 2), normal(K, B, 3, seed=1)
    [dropped] = dropping.drop(Read(series=(one, two))).series
    kept = dropped.numpy() != 0
    expected = np.concatenate([one, two], -1) / (1 - RATE)
    assert_allclose(dropped.numpy()[kept], expected[kept], rtol=1e-6)


def test_each_place_draws_a_mask_of_its_own(dropping):
    read = Read(series=(tf.ones([1, 20, 20]),), code=tf.ones([20, 20]))
    first, again = dropping.drop(read), dropping.drop(read)
    masks = [each.numpy() for each in (first.series[0][0], first.code, again.series[0][0])]
    assert all(not np.array_equal(*pair) for pair in itertools.combinations(masks, 2))


def test_each_layer_but_the_dense_ones_reads_after_dropout(make_architecture, draw_weights):
    architecture = make_architecture(hidden_units=(3, 2), conditional=True)
    widths = []

    def drop(inputs):
        widths.append(inputs.shape[-1])
        return inputs

    ops = drop_operations(architecture, draw_weights(architecture), drop)
    network = network_of(architecture)
    code = network.encoder.encode(ops, (normal(K, B, 2),), MASK)
    assert widths == [2, 3]
    widths.clear()
    network.decoders["reconstruct"].decode(ops, code, K, normal(K, B, 2))
    assert widths == [2, architecture.code_width, 2]


# Initial weights -------------------------------------------------------------------------


def test_initial_weights_follow_the_rules_of_keras(make_architecture):
    network = network_of(make_architecture(hidden_units=(16, 8), latent_dim=4))
    weights = initial_weights(network.layers, np.random.default_rng(0))
    assert [weight.shape for weight in weights] == network.shapes
    assert {weight.dtype for weight in weights} == {np.dtype("f4")}
    for layer, arrays in network.by_layer(weights).items():
        for name, weight in zip(layer.shapes, arrays, strict=True):
            if name == "recurrent_kernel":
                assert_allclose(weight @ weight.T, np.eye(len(weight)), atol=1e-5)
            elif name == "kernel":
                limit = np.sqrt(6 / sum(weight.shape))
                assert 0.7 * limit < np.abs(weight).max() <= limit
                assert abs(weight.mean()) < 0.3 * limit
            elif name == "gate_bias":
                entry, forget, candidate, exit_ = np.split(weight, 4)
                assert_array_equal(forget, 1)
                assert not np.any([entry, candidate, exit_])
            else:
                assert name == "bias"
                assert not weight.any()


def test_initial_values_are_distributed_like_those_of_keras():
    """Deviation of each kind of weight, compared with Keras' own initializers."""
    layer = keras.layers.LSTM(32, seed=0)
    layer.build((None, None, 16))
    kernel, recurrent, bias = layer.get_weights()
    mine = initial_weights([Lstm("lstm", 16, 32)], np.random.default_rng(0))
    assert_allclose(mine[0].std(), kernel.std(), rtol=0.1)
    assert_allclose(mine[1].std(), recurrent.std(), rtol=0.1)
    assert_allclose(mine[1] @ mine[1].T, recurrent @ recurrent.T, atol=1e-5)
    assert_array_equal(mine[2], bias)


def test_one_seed_gives_the_same_weights_and_another_does_not(make_architecture):
    network = network_of(make_architecture())
    first, again, other = (
        initial_weights(network.layers, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    for one, two in zip(first, again, strict=True):
        assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


def test_neither_weights_nor_operations_draw_from_a_global_generator(
    make_architecture, keeps_random_states
):
    architecture = make_architecture(bidirectional=True)
    with keeps_random_states():
        weights = initial_weights(network_of(architecture).layers, np.random.default_rng(0))
        learn(TensorFlowOperations, architecture, weights)
