"""The compiled gradient of a code is that of the plain Keras encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.plain import build_plain_model
from sklearn_lstmae.training.program import get_program
from sklearn_lstmae.training.saliency import mean_saliency

LENGTHS = [7, 1, 4, 6, 3]
CASES = {
    "default": {},
    "frames of 3, both ways": {"patch_size": 3, "bidirectional": True, "pooling": "mean"},
    "missing, two states": {"tells_missing": True, "bottleneck": "hidden_cell"},
}


@pytest.mark.parametrize("case", CASES)
def test_saliency_is_the_gradient_of_the_plain_encoder(
    case, make_architecture, make_sequences, make_reader
):
    architecture = make_architecture(**CASES[case])
    weights = get_program(architecture).initial_weights(np.random.default_rng(0))
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
    encoder = build_plain_model(architecture, weights, "encoder", 7)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        columns = keras.ops.unstack(encoder([x, mask]), axis=1)
    gradients = np.stack([tape.gradient(column, x) for column in columns])  # (C, n, T, F)
    assert_allclose(saliency[:, :7], np.abs(gradients).mean(axis=1), rtol=1e-4, atol=1e-7)
    assert_array_equal(saliency[:, 7:], 0)  # steps of the last frame that no sequence has
