"""What the network reads and what its loss counts: observed values, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.sequences import scoring
from sklearn_lstmae.training.targets import (
    LOSSES,
    add_noise,
    count_observed,
    in_decoder_order,
    make_drop,
    mix_own,
    previous_frames,
    read_frames,
    sample_code,
    summed_divergence,
    summed_loss,
)

LENGTHS = np.array([5, 1, 6, 0], np.int32)
STEPS = 6
REAL = np.arange(STEPS) < LENGTHS[:, np.newaxis]  # (B, T)


def make_steps(missing=False):
    """(B, T, 2), zero in the padding, NaN where missing."""
    steps = np.random.default_rng(0).normal(size=(4, STEPS, 2)).astype("f4")
    if missing:
        steps[0, 1, 0] = steps[2, 5, 1] = np.nan
        steps[1, 0] = np.nan  # all that the sequence has
    return np.where(REAL[:, :, np.newaxis], steps, np.float32(0))


def as_steps(frames):
    """(B, K, P * D) -> (B, T, D)."""
    return np.reshape(frames, (4, STEPS, -1))


def read(architecture, steps):
    frames = steps.reshape(4, STEPS // architecture.patch_size, -1)
    return [part.numpy() for part in read_frames(architecture, frames, LENGTHS)]


PATCHES = pytest.mark.parametrize("patch_size", [1, 2, 3, 6])


@PATCHES
@pytest.mark.parametrize("tells_missing", [False, True])
def test_what_is_observed_is_known_step_by_step(patch_size, tells_missing, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    steps = make_steps(missing=tells_missing)
    values, observed, indicators, mask = read(architecture, steps)
    assert_array_equal(as_steps(observed), REAL[:, :, np.newaxis] & ~np.isnan(steps))
    assert_array_equal(as_steps(values), np.nan_to_num(steps))
    assert_array_equal(mask, REAL[:, ::patch_size])
    assert values.shape[-1] + indicators.shape[-1] == architecture.input_width


@PATCHES
def test_indicators_tell_what_is_missing(patch_size, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=True)
    _, observed, indicators, _ = read(architecture, make_steps(missing=True))
    assert_array_equal(indicators, observed.astype("f4"))


@PATCHES
def test_indicators_tell_which_steps_of_a_frame_are_real(patch_size, make_architecture):
    architecture = make_architecture(patch_size=patch_size)
    *_, indicators, _ = read(architecture, make_steps())
    if patch_size == 1:  # the mask says it already
        assert indicators.shape[-1] == 0
    else:
        assert_array_equal(as_steps(indicators)[:, :, 0], REAL)


@PATCHES
@pytest.mark.parametrize("tells_missing", [False, True])
@pytest.mark.parametrize("garbage", [7.0, np.nan, np.inf])
def test_padding_is_not_read(patch_size, tells_missing, garbage, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    steps = make_steps(missing=tells_missing)
    dirty = np.where(REAL[:, :, np.newaxis], steps, np.float32(garbage))
    for clean, same in zip(read(architecture, steps), read(architecture, dirty), strict=True):
        assert_array_equal(clean, same)


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


def test_a_prediction_is_said_in_the_order_of_time(make_architecture):
    frames = np.arange(24.0).reshape(4, 3, 2)
    architecture = make_architecture(decoders=("reconstruct", "predict"))
    assert_array_equal(in_decoder_order(architecture, "predict", frames, LENGTHS), frames)


def test_without_reversal_the_order_is_that_of_time(make_architecture):
    frames = np.arange(24.0).reshape(4, 3, 2)
    architecture = make_architecture(reverse_target=False)
    assert_array_equal(in_decoder_order(architecture, "reconstruct", frames, LENGTHS), frames)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_sums_errors_of_observed_values(loss):
    generator = np.random.default_rng(0)
    target, output = generator.normal(scale=2, size=(2, 3, 4, 2)).astype("f4")
    observed = generator.random((3, 4, 2)) < 0.6
    total = summed_loss(loss, target, output, observed)
    expected = scoring.errors(target - output, observed, loss, "value")
    assert_allclose(total, np.nansum(expected), rtol=1e-5)


@PATCHES
@pytest.mark.parametrize("tells_missing", [False, True])
def test_observed_values_are_counted(patch_size, tells_missing, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    steps = make_steps(missing=tells_missing)
    _, observed, _, _ = read(architecture, steps)
    frames = tf.constant(steps.reshape(4, STEPS // patch_size, -1))
    assert count_observed(architecture, frames, tf.constant(LENGTHS)) == observed.sum()


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


def test_no_dropout_changes_nothing():
    inputs = tf.ones((2, 3, 4))
    assert_array_equal(make_drop(0.0, tf.constant([1, 2]))(inputs), inputs)


@pytest.mark.parametrize("shape", [(400, 5, 8), (400, 8)])
def test_dropout_keeps_its_share_and_the_mean(shape):
    dropped = make_drop(0.25, tf.constant([1, 2]))(tf.ones(shape)).numpy()
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert_allclose(dropped.mean(), 1.0, atol=0.05)
    assert len(np.unique(dropped, axis=0)) > 50  # rows and columns differ


def test_dropout_is_the_same_at_each_step():
    dropped = make_drop(0.5, tf.constant([1, 2]))(tf.ones((4, 6, 8))).numpy()
    assert_array_equal(dropped, np.repeat(dropped[:, :1], 6, axis=1))


def test_dropout_follows_its_seed_and_differs_between_layers():
    def draw(seed):
        drop = make_drop(0.5, tf.constant(seed))
        return [drop(tf.ones((8, 8))).numpy() for _ in range(3)]

    first, again = draw([1, 2]), draw([1, 2])
    assert_array_equal(first, again)
    others = [*first, draw([1, 3])[0], draw([100, 2])[0]]
    assert len({array.tobytes() for array in others}) == len(others)


def test_the_gradient_of_dropout_is_its_mask():
    inputs = tf.Variable(tf.ones((4, 3, 2)))
    with tf.GradientTape() as tape:
        dropped = make_drop(0.5, tf.constant([1, 2]))(inputs)
        total = tf.reduce_sum(dropped)
    assert_array_equal(tape.gradient(total, inputs), dropped)


def test_noise_falls_on_observed_values_only():
    values = tf.zeros((200, 4, 5))
    observed = np.random.default_rng(0).random(values.shape) < 0.5
    noisy = add_noise(values, observed, 0.3, tf.constant([1, 2])).numpy()
    assert not noisy[~observed].any()
    assert_allclose(noisy[observed].std(), 0.3, rtol=0.1)
    assert_allclose(noisy[observed].mean(), 0.0, atol=0.02)
    assert_array_equal(add_noise(values, observed, 0.0, tf.constant([1, 2])), values)


def test_the_frame_before_the_first_is_zero():
    frames = tf.constant(make_steps())
    before = previous_frames(frames).numpy()
    assert not before[:, 0].any()
    assert_array_equal(before[:, 1:], frames[:, :-1])


def test_some_frames_are_replaced_as_a_whole_and_have_no_slope():
    true, own = tf.zeros((50, 20, 3)), tf.Variable(tf.ones((50, 20, 3)))
    with tf.GradientTape() as tape:
        mixed = mix_own(true, own, 0.25, tf.constant([1, 2]))
    assert_allclose(mixed.numpy().mean(), 0.25, atol=0.05)
    assert_array_equal(mixed[:, :, :1] == mixed, True)
    assert tape.gradient(mixed, own) is None
    for share, expected in ((0.0, true), (1.0, own)):
        assert_array_equal(mix_own(true, own, share, tf.constant([1, 2])), expected)


def test_codes_are_drawn_from_the_distribution_that_the_encoder_says():
    mean = tf.constant([[1.0, -2.0]] * 20000)
    log_variance = tf.constant([[0.0, 2.0]] * 20000)
    drawn = sample_code(mean, log_variance, tf.constant([1, 2])).numpy()
    assert_allclose(drawn.mean(axis=0), [1, -2], atol=0.1)
    assert_allclose(drawn.var(axis=0), np.exp([0, 2]), rtol=0.05)


def test_the_divergence_is_that_of_two_normal_distributions():
    """Beside the mean of log p(z) - log q(z) over codes that were drawn."""
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


def test_dropout_and_noise_draw_from_no_global_generator(keeps_random_states):
    with keeps_random_states():
        make_drop(0.5, tf.constant([1, 2]))(tf.ones((2, 3)))
        add_noise(tf.zeros((1, 2, 3)), np.ones((1, 2, 3), bool), 1.0, tf.constant([1, 2]))
        sample_code(tf.zeros((1, 2)), tf.zeros((1, 2)), tf.constant([1, 2]))
        mix_own(tf.zeros((1, 2, 3)), tf.ones((1, 2, 3)), 0.5, tf.constant([1, 2]))
