"""The compiled gradient of a code is that of the plain Keras encoder."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.in_keras import build_model
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.training import saliency as module
from sklearn_lstmae.training.saliency import mean_saliency, rows_at_a_time

LENGTHS = [7, 1, 4, 6, 3]
CASES = {
    "default": {},
    "frames of 3, both ways": {"patch_size": 3, "bidirectional": True, "pooling": "mean"},
    "missing, two states": {"tells_missing": True, "bottleneck": "hidden_cell"},
}


@pytest.fixture(scope="module")
def encoder(make_architecture, draw_weights):
    """An architecture without decoders, and weights."""
    architecture = make_architecture(decoders=())
    return architecture, draw_weights(network_of(architecture).shapes)


@pytest.mark.parametrize("case", CASES)
def test_saliency_is_the_gradient_of_the_plain_encoder(
    case, make_architecture, make_sequences, make_reader, draw_weights
):
    architecture = make_architecture(decoders=(), **CASES[case])
    weights = draw_weights(network_of(architecture).shapes)
    sequences = make_sequences(LENGTHS)
    if architecture.tells_missing:
        sequences[0][2, 1] = np.nan
    reader = make_reader(
        sequences,
        patch_size=architecture.patch_size,
        has_missing=architecture.tells_missing,
    )
    saliency = mean_saliency(architecture, weights, reader)

    padded = [np.pad(sequence, ((0, 7 - len(sequence)), (0, 0))) for sequence in sequences]
    x = tf.constant(np.stack(padded))
    mask = tf.sequence_mask(LENGTHS, 7)
    encoder = build_model(architecture, weights, "encoder", 7)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        columns = keras.ops.unstack(encoder([x, mask]), axis=1)
    gradients = np.stack([tape.gradient(column, x) for column in columns])  # (C, n, T, F)
    assert_allclose(saliency[:, :7], np.abs(gradients).mean(axis=1), rtol=1e-4, atol=1e-7)
    assert_array_equal(saliency[:, 7:], 0)  # steps of the last frame that no sequence has


def test_rows_in_one_call_or_in_several_have_the_same_mean(
    encoder, make_sequences, make_reader, monkeypatch
):
    reader = make_reader(make_sequences(LENGTHS * 8))
    whole = mean_saliency(*encoder, reader)
    monkeypatch.setattr(module, "LARGEST_CALL", 0)
    assert rows_at_a_time(encoder[0], 7) < len(reader)
    assert_allclose(mean_saliency(*encoder, reader), whole, rtol=1e-5)


def test_long_sequences_come_in_smaller_calls(make_architecture):
    """A call is never so small that it is slow, nor so large that memory is in danger."""
    architecture = make_architecture(hidden_units=(64,))
    sizes = [rows_at_a_time(architecture, 2**power) for power in range(20)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] > 1


def test_weights_and_lengths_are_arguments_in_any_thread(
    encoder, make_sequences, make_reader, traces
):
    """A second use compiles nothing, and nothing of the first one stays."""
    architecture, weights = encoder
    reader = make_reader(make_sequences(LENGTHS))
    copies = [weight.copy() for weight in weights]
    expected = mean_saliency(architecture, weights, reader)
    traces.clear()
    other = mean_saliency(architecture, [weight + 1 for weight in weights], reader)
    assert not np.array_equal(other, expected)
    mean_saliency(architecture, weights, make_reader(make_sequences([3, 9])))
    with ThreadPoolExecutor(2) as threads:
        again = list(threads.map(lambda _: mean_saliency(architecture, weights, reader), range(2)))
    assert traces == []
    assert_array_equal(again, [expected] * 2)
    for weight, same in zip(weights, copies, strict=True):
        assert_array_equal(weight, same)


def test_extreme_values_have_no_saliency_and_do_no_harm(encoder, make_sequences, make_reader):
    """The encoder reads them as no larger than `LARGEST`, so that a change has no effect."""
    sequences = make_sequences(LENGTHS)
    sequences[0][2, 1] = 1e30
    saliency = mean_saliency(*encoder, make_reader(sequences[:1]))
    assert np.isfinite(saliency).all()
    assert not saliency[:, 2, 1].any()
