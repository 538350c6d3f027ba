"""Pooling: what a dense bottleneck reads is the same in every back end, and so are gradients."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae import LSTMAutoencoderTransformer, export_onnx
from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.in_keras import KerasOperations
from sklearn_lstmae.network.in_numpy import POOL as NUMPY_POOL
from sklearn_lstmae.network.in_tensorflow import POOL as TENSORFLOW_POOL
from sklearn_lstmae.network.in_tensorflow import TensorFlowOperations, initial_weights
from sklearn_lstmae.network.wiring import LEAST_VARIANCE, POOLINGS, Read, network_of

RNG = np.random.default_rng(0)
LENGTHS = np.array([7, 1, 4, 7, 2])
SERIES = RNG.normal(size=(5, 7, 3)).astype("f4")  # (n, K, D)
SERIES[0] = SERIES[0, 0]  # all frames tie
SERIES[2, 3] = SERIES[2, 1]
MASK = np.arange(7) < LENGTHS[:, np.newaxis]

STATISTICS = {
    "mean": lambda frames: frames.mean(0),
    "maximum": lambda frames: frames.max(0),
    "minimum": lambda frames: frames.min(0),
    "deviation": lambda frames: np.sqrt(frames.var(0) + LEAST_VARIANCE),
}


@pytest.mark.parametrize("kind", STATISTICS)
def test_a_statistic_is_one_of_the_real_frames(kind):
    """Whatever stands in the others."""
    series = np.where(MASK[:, :, np.newaxis], SERIES, 9)
    expected = [
        STATISTICS[kind](frames[:n].astype("f8")) for frames, n in zip(SERIES, LENGTHS, strict=True)
    ]
    in_numpy = NUMPY_POOL[kind](series.transpose(1, 2, 0), MASK.T).T
    time_major = tf.constant(series.transpose(1, 0, 2))
    in_tensorflow = TENSORFLOW_POOL[kind](time_major, MASK.T[:, :, np.newaxis])
    assert_allclose(in_numpy, expected, atol=1e-6)
    assert_allclose(in_tensorflow, expected, atol=1e-6)
    whole = NUMPY_POOL[kind](SERIES[[0, 3]].transpose(1, 2, 0), None)
    assert_array_equal(whole, in_numpy[[0, 3]].T)


@pytest.mark.parametrize("kind", STATISTICS)
def test_an_absent_sequence_pools_to_finite_numbers_and_no_gradient(kind):
    series, absent = tf.constant(SERIES.transpose(1, 0, 2)), tf.zeros([7, 5, 1], tf.bool)
    with tf.GradientTape() as tape:
        tape.watch(series)
        pooled = TENSORFLOW_POOL[kind](series, absent)
    assert np.isfinite(pooled).all()
    assert not tape.gradient(pooled, series).numpy().any()


def test_equal_frames_share_the_gradient_of_a_maximum_and_give_a_deviation_none():
    series, mask = tf.constant(SERIES.transpose(1, 0, 2)), MASK.T[:, :, np.newaxis]
    for kind, of_each in [("maximum", 1 / 7), ("minimum", 1 / 7), ("deviation", 0)]:
        with tf.GradientTape() as tape:
            tape.watch(series)
            pooled = TENSORFLOW_POOL[kind](series, mask)
        gradient = tape.gradient(pooled, series).numpy()
        assert_allclose(gradient[:, 0], of_each, atol=1e-6)
        assert np.isfinite(gradient).all()
        assert not gradient[~MASK.T].any()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_are_those_of_keras_layers(activation, bidirectional, make_architecture):
    """By automatic differentiation; relu outputs many zeros, which tie."""
    architecture = make_architecture(
        pooling="all",
        activation=activation,
        bidirectional=bidirectional,
        hidden_units=(4, 3),
        decoders=(),
    )
    network = network_of(architecture)
    weights = initial_weights(network.layers, np.random.default_rng(0))
    weights = [weight + RNG.normal(size=weight.shape, scale=0.3).astype("f4") for weight in weights]
    series = tf.constant(np.where(MASK[:, :, np.newaxis], SERIES[:, :, :2], 0))
    slopes = RNG.normal(size=(5, 2)).astype("f4")

    watched = [tf.constant(weight) for weight in weights]
    with tf.GradientTape() as tape:
        tape.watch([series, *watched])
        ops = TensorFlowOperations(architecture, watched)
        read = (tf.transpose(series, [1, 0, 2]),)
        code = network.encoder.encode(ops, read, tf.constant(MASK.T[:, :, np.newaxis]))
        total = tf.reduce_sum(code * slopes)
    of_series, *of_weights = tape.gradient(total, [series, *watched])

    ops = KerasOperations(architecture, weights)
    variables = [v.value for layer in network.layers for v in ops._layers[layer].trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(series)
        expected = network.encoder.encode(ops, (series,), tf.constant(MASK))
        total = tf.reduce_sum(expected * slopes)
    its_series, *its_weights = tape.gradient(total, [series, *variables])

    assert_allclose(code, expected, atol=1e-5)
    assert_allclose(of_series, its_series, atol=1e-5)
    for one, other in zip(of_weights, its_weights, strict=True):
        assert_allclose(one, other, atol=1e-5)
    if activation == "relu":
        [first, *_], *_ = network.encoder.hidden
        outputs, _ = ops.lstm(first, Read(series=(series,)), mask=tf.constant(MASK))
        assert ((np.asarray(outputs) == 0).sum(axis=1) > 1).any()


@pytest.mark.filterwarnings("ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_back_end_encodes_alike(pooling, tmp_path):
    """Sequences of one frame, too, all of whose statistics but the deviation are the same."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    X = [RNG.normal(size=(length, 2)).cumsum(0) for length in (1, 3, 7, 12, 2, 12)]
    model = LSTMAutoencoderTransformer(
        3,
        hidden_units=(5, 4),
        bidirectional=pooling == "all",  # which has all statistics, of both ways
        pooling=pooling,
        patch_size=3,
        epochs=2,
        random_state=0,
    )
    codes = model.fit_transform(X)
    padded = np.zeros((6, 12, 2), np.float32)
    mask = np.zeros((6, 12), bool)
    for row, sequence in enumerate(X):
        padded[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = True
    scaled = np.where(mask[:, :, np.newaxis], (padded - model.mean_) / model.scale_, 0)
    in_keras = model.to_keras("encoder")([scaled.astype("f4"), mask])
    assert_allclose(in_keras, codes, atol=1e-5)
    export_onnx(model, tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"))
    assert_allclose(session.run(None, {"x": padded, "mask": mask})[0], codes, atol=1e-5)
