"""Losses count observed values and nothing else; decoders output in their own order."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.sequences import scoring
from sklearn_lstmae.training.losses import (
    LOSSES,
    in_decoder_order,
    mix_own,
    previous_frames,
    sample_code,
    summed_divergence,
    summed_loss,
)

LENGTHS = np.array([5, 1, 6, 0], np.int32)  # the last one is absent
STEPS = 6
REAL = np.arange(STEPS) < LENGTHS[:, np.newaxis]  # (B, T)

PATCHES = pytest.mark.parametrize("patch_size", [1, 2, 3, 6])


def make_steps(missing=False):
    """(B, T, 2), zero in the padding, NaN where missing."""
    steps = np.random.default_rng(0).normal(size=(4, STEPS, 2)).astype("f4")
    if missing:
        steps[0, 1, 0] = steps[2, 5, 1] = np.nan
        steps[1, 0] = np.nan  # all that the sequence has
    return np.where(REAL[:, :, np.newaxis], steps, np.float32(0))


# The order of a decoder ------------------------------------------------------------------


@PATCHES
def test_the_decoder_order_is_its_own_inverse(patch_size, make_architecture):
    architecture = make_architecture(patch_size=patch_size)
    frames = np.arange(4.0 * STEPS * 2).reshape(4, STEPS // patch_size, -1)
    turned = in_decoder_order(architecture, "reconstruct", frames, LENGTHS)
    assert_array_equal(in_decoder_order(architecture, "reconstruct", turned, LENGTHS), frames)
    for row, length in enumerate(LENGTHS):
        n_frames = architecture.n_frames(length)
        assert_array_equal(turned[row, :n_frames], frames[row, :n_frames][::-1])
        assert_array_equal(turned[row, n_frames:], frames[row, n_frames:])


def test_a_prediction_comes_in_the_order_of_time(make_architecture):
    frames = np.arange(24.0).reshape(4, 3, 2)
    architecture = make_architecture(decoders=("reconstruct", "predict"))
    assert_array_equal(in_decoder_order(architecture, "predict", frames, LENGTHS), frames)


def test_without_reversal_the_order_is_that_of_time(make_architecture):
    frames = np.arange(24.0).reshape(4, 3, 2)
    architecture = make_architecture(reverse_target=False)
    assert_array_equal(in_decoder_order(architecture, "reconstruct", frames, LENGTHS), frames)


# Losses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_sums_errors_of_observed_values(loss):
    generator = np.random.default_rng(0)
    target, output = generator.normal(scale=2, size=(2, 3, 4, 2)).astype("f4")
    observed = generator.random((3, 4, 2)) < 0.6
    total = summed_loss(loss, target, output, observed)
    expected = scoring.errors(target - output, observed, loss, "value")
    assert_allclose(total, np.nansum(expected), rtol=1e-5)


def test_training_knows_the_losses_that_scoring_knows():
    assert LOSSES.keys() == scoring.LOSSES.keys()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_slope_of_the_loss_is_that_of_observed_values(loss):
    target = tf.constant([[[-3.0, 0.5, 2.0, 1.0]]])
    observed = tf.constant([[[True, True, False, True]]])
    output = tf.Variable(tf.zeros_like(target))
    with tf.GradientTape() as tape:
        total = summed_loss(loss, target, output, observed)
    [[gradient]] = tape.gradient(total, output).numpy()
    slopes = {"mse": [6, -1, 0, -2], "mae": [1, -1, 0, -1], "huber": [1, -0.5, 0, -1]}
    assert gradient.tolist() == slopes[loss]


def test_the_loss_of_nothing_observed_is_zero_and_has_no_slope():
    output = tf.Variable(tf.ones((1, 2, 2)))
    with tf.GradientTape() as tape:
        total = summed_loss("mse", tf.zeros((1, 2, 2)), output, tf.zeros((1, 2, 2), bool))
    assert float(total) == 0
    assert not tape.gradient(total, output).numpy().any()


def test_the_frame_before_the_first_is_zero():
    frames = tf.constant(make_steps().transpose(1, 0, 2))
    before = previous_frames(frames).numpy()
    assert not before[0].any()
    assert_array_equal(before[1:], frames[:-1])


def test_some_frames_are_replaced_as_a_whole_and_have_no_slope():
    true, own = tf.zeros((20, 50, 3)), tf.Variable(tf.ones((20, 50, 3)))
    with tf.GradientTape() as tape:
        mixed = mix_own(true, own, 0.25, tf.constant([1, 2]))
    assert_allclose(mixed.numpy().mean(), 0.25, atol=0.05)
    assert_array_equal(mixed[:, :, :1] == mixed, True)
    assert tape.gradient(mixed, own) is None
    for share, expected in ((0.0, true), (1.0, own)):
        assert_array_equal(mix_own(true, own, share, tf.constant([1, 2])), expected)


def test_codes_are_drawn_from_the_distribution_that_the_encoder_describes():
    mean = tf.constant([[1.0, -2.0]] * 20000)
    log_variance = tf.constant([[0.0, 2.0]] * 20000)
    drawn = sample_code(mean, log_variance, tf.constant([1, 2])).numpy()
    assert_allclose(drawn.mean(axis=0), [1, -2], atol=0.1)
    assert_allclose(drawn.var(axis=0), np.exp([0, 2]), rtol=0.05)


def test_the_divergence_is_that_of_two_normal_distributions():
    """Compared with the mean of log p(z) - log q(z) over codes that were drawn."""
    mean, log_variance = tf.constant([[0.5, -1.0]]), tf.constant([[0.3, -0.7]])
    many = tf.ones((100000, 1))
    drawn = sample_code(mean * many, log_variance * many, tf.constant([1, 2])).numpy()
    deviation = np.exp(0.5 * log_variance)
    posterior = -0.5 * np.square((drawn - mean.numpy()) / deviation) - np.log(deviation)
    expected = (posterior + 0.5 * np.square(drawn)).sum(axis=1).mean()
    assert_allclose(summed_divergence(mean, log_variance, [True]), expected, rtol=0.02)


def test_only_present_rows_diverge():
    mean, log_variance = tf.constant([[1.0], [np.inf]]), tf.zeros((2, 1))
    assert summed_divergence(mean, log_variance, [True, False]) == 0.5
    assert summed_divergence(0 * mean[:1], log_variance[:1], [True]) == 0
