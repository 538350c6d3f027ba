"""What a network reads in training and what its loss counts: observed values, and nothing else."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.training.losses import mix_own, sample_code
from sklearn_lstmae.training.minibatch import (
    count_observed,
    frame_arrays,
    frame_specs,
    make_drop,
    take_minibatch,
)

LENGTHS = np.array([5, 1, 6, 0], np.int32)  # the last one is absent
STEPS = 6
REAL = np.arange(STEPS) < LENGTHS[:, np.newaxis]  # (B, T)

PATCHES = pytest.mark.parametrize("patch_size", [1, 2, 3, 6])
MISSING = pytest.mark.parametrize("tells_missing", [False, True])


def make_steps(missing=False):
    """(B, T, 2), zero in the padding, NaN where missing."""
    steps = np.random.default_rng(0).normal(size=(4, STEPS, 2)).astype("f4")
    if missing:
        steps[0, 1, 0] = steps[2, 5, 1] = np.nan
        steps[1, 0] = np.nan  # all that the sequence has
    return np.where(REAL[:, :, np.newaxis], steps, np.float32(0))


def make_arrays(architecture, steps):
    """`frame_arrays` of steps (B, T, 2), made with NumPy."""
    observed = REAL[:, :, np.newaxis] & ~np.isnan(steps)
    n_frames = STEPS // architecture.patch_size
    indicators = observed if architecture.tells_missing else REAL
    if architecture.patch_size == 1 and not architecture.tells_missing:
        indicators = REAL[:, :0]
    values = np.nan_to_num(steps).reshape(4, n_frames, -1)
    width = architecture.input_width - architecture.frame_width
    return [values, indicators.reshape(4, n_frames, width), LENGTHS]


def as_steps(frames):
    """(B, K, P * D) -> (B, T, D)."""
    return np.reshape(frames, (4, STEPS, -1))


# Minibatches -----------------------------------------------------------------------------


@PATCHES
@MISSING
def test_arrays_are_as_specified(
    patch_size, tells_missing, make_architecture, make_sequences, make_reader
):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    reader = make_reader(make_sequences([5, 1, 6]), patch_size=patch_size, has_missing=True)
    if not tells_missing:
        reader = make_reader(make_sequences([5, 1, 6]), patch_size=patch_size)
    block = reader.read(slice(None), STEPS // patch_size)
    arrays = frame_arrays(block.frames(block.past))
    for array, spec in zip(arrays, frame_specs(architecture), strict=True):
        assert spec.is_compatible_with(tf.constant(array))
    assert arrays[0].shape[2] + arrays[1].shape[2] == architecture.input_width


@PATCHES
@MISSING
@pytest.mark.parametrize("xla", [False, True])
def test_what_is_observed_is_known_step_by_step(patch_size, tells_missing, xla, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    steps = make_steps(missing=tells_missing)
    minibatch = take_minibatch(architecture, make_arrays(architecture, steps), xla)
    observed = REAL[:, :, np.newaxis] & ~np.isnan(steps)
    assert_array_equal(np.broadcast_to(as_steps(minibatch.observed), steps.shape), observed)
    assert_array_equal(as_steps(minibatch.values), np.nan_to_num(steps))
    assert_array_equal(minibatch.mask, REAL[:, ::patch_size])
    assert_array_equal(minibatch.time_major_mask[:, :, 0], REAL[:, ::patch_size].T)


@PATCHES
@MISSING
def test_the_encoder_reads_values_and_indicators(patch_size, tells_missing, make_architecture):
    """Which are missing; else, in frames of several steps, which steps are real."""
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    arrays = make_arrays(architecture, make_steps(missing=tells_missing))
    inputs = take_minibatch(architecture, arrays, xla=False).inputs()
    assert inputs.shape == (STEPS // patch_size, 4, architecture.input_width)
    expected = np.concatenate(arrays[:2], axis=2).transpose(1, 0, 2)
    assert_array_equal(inputs, expected)


@PATCHES
@MISSING
def test_noise_falls_on_observed_values_only(patch_size, tells_missing, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    steps = make_steps(missing=tells_missing)
    arrays = make_arrays(architecture, steps)
    minibatch = take_minibatch(architecture, arrays, xla=False)
    noise = np.random.default_rng(1).normal(size=arrays[0].shape).astype("f4")
    difference = (minibatch.inputs(noise) - minibatch.inputs()).numpy().transpose(1, 0, 2)
    observed = REAL[:, :, np.newaxis] & ~np.isnan(steps)
    values, indicators = np.split(difference, [architecture.frame_width], axis=2)
    assert_allclose(as_steps(values), np.where(observed, as_steps(noise), 0), atol=1e-6)
    assert not indicators.any()


@PATCHES
@pytest.mark.parametrize("longest", [0, 1, 3])
def test_frames_that_no_sequence_has_are_not_computed(patch_size, longest, make_architecture):
    """The plain graph cuts them off; under XLA a number is where the loops end."""
    architecture = make_architecture(patch_size=patch_size)
    values, indicators, lengths = make_arrays(architecture, make_steps())
    arrays = [values, indicators, np.minimum(lengths, longest)]
    needed = max(1, -(-longest // patch_size))
    plain, compiled = (take_minibatch(architecture, arrays, xla) for xla in (False, True))
    assert plain.values.shape[1] == needed
    assert plain.n_frames is None
    assert compiled.n_frames == needed
    assert_array_equal(compiled.values, values)
    for name in ("values", "indicators", "mask", "observed"):
        assert_array_equal(getattr(plain, name), getattr(compiled, name)[:, :needed])
    assert not compiled.mask[:, needed:].numpy().any()


@PATCHES
@MISSING
def test_observed_values_are_counted(patch_size, tells_missing, make_architecture):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    steps = make_steps(missing=tells_missing)
    _, indicators, lengths = make_arrays(architecture, steps)
    observed = REAL[:, :, np.newaxis] & ~np.isnan(steps)
    assert count_observed(architecture, indicators, lengths) == observed.sum()


def test_more_values_are_counted_than_an_int32_can_hold(make_architecture):
    lengths = tf.fill([32], 70_000)
    count = count_observed(make_architecture(n_features=1000), None, lengths)
    assert float(count) == pytest.approx(32 * 70_000 * 1000)


# Chance ----------------------------------------------------------------------------------


def test_no_dropout_changes_nothing():
    inputs = tf.ones((2, 3, 4))
    assert_array_equal(make_drop(0.0, tf.constant([1, 2]))(inputs), inputs)


@pytest.mark.parametrize("shape", [(5, 400, 8), (400, 8)])
def test_dropout_keeps_its_share_and_the_mean(shape):
    dropped = make_drop(0.25, tf.constant([1, 2]))(tf.ones(shape)).numpy()
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert_allclose(dropped.mean(), 1.0, atol=0.05)
    rows = dropped if dropped.ndim == 2 else dropped[0]
    assert len(np.unique(rows, axis=0)) > 50  # rows and columns differ


def test_dropout_is_the_same_at_each_frame():
    dropped = make_drop(0.5, tf.constant([1, 2]))(tf.ones((6, 4, 8))).numpy()
    assert_array_equal(dropped, np.repeat(dropped[:1], 6, axis=0))


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


def test_nothing_draws_from_a_global_generator(keeps_random_states):
    with keeps_random_states():
        make_drop(0.5, tf.constant([1, 2]))(tf.ones((2, 3)))
        sample_code(tf.zeros((1, 2)), tf.zeros((1, 2)), tf.constant([1, 2]))
        mix_own(tf.zeros((1, 2, 3)), tf.ones((1, 2, 3)), 0.5, tf.constant([1, 2]))


def test_a_rate_that_rounds_to_one_drops_all_and_has_a_gradient():
    inputs = tf.ones((2, 3, 4))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        dropped = make_drop(tf.constant(1 - 1e-9, tf.float32), tf.constant([1, 2]))(inputs)
    assert_array_equal(dropped, np.zeros((2, 3, 4)))
    assert_array_equal(tape.gradient(dropped, inputs), np.zeros((2, 3, 4)))
