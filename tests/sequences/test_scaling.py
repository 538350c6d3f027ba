"""Scaling looks at observed values only, loses no digits, and has an inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences
from sklearn_lstmae.sequences.scaling import Moments, Scaling, observe, scaling_of

KINDS = ["feature", "sequence", None]


def sequences_of(X, lengths=None):
    lengths = np.full(len(X), X.shape[1]) if lengths is None else np.asarray(lengths)
    return Sequences(X, lengths, "3d", has_missing=bool(np.isnan(X).any()))


def scale(kind, X, lengths=None, seen=None):
    sequences = sequences_of(X, lengths)
    scaling = scaling_of(kind, observe(sequences))
    batch = sequences.read(slice(None), dtype=np.float64)
    return scaling, batch, *scaling.apply(batch, seen)


@pytest.fixture
def X():
    X = np.random.default_rng(0).normal([1, -20, 300], [1, 5, 0.1], size=(6, 8, 3))
    X[0, 3, 1] = X[2, 0, 0] = np.nan
    return X


LENGTHS = [8, 5, 8, 2, 7, 8]
VALUES = st.floats(-1e6, 1e6, width=32)


@pytest.mark.parametrize("kind", KINDS)
@given(X=arrays_of.arrays("f4", (2, 4, 2), elements=VALUES), length=st.integers(1, 4))
def test_invert_inverts_apply(kind, X, length):
    scaling, batch, scaled, statistics = scale(kind, X, [4, length])
    back = scaling.invert(scaled.values, statistics)
    assert (scaled.values.dtype, back.dtype) == (np.float32, np.float64)
    size = np.abs(X).max()
    assert_allclose(back[batch.mask], batch.values[batch.mask], atol=1e-6 * size + 1e-30)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_observed_stays_zero_and_is_irrelevant(kind, X):
    _, batch, scaled, statistics = scale(kind, X, LENGTHS)
    assert not scaled.values[~batch.mask].any()
    assert_array_equal(scaled.mask, batch.mask)
    garbage = np.where(batch.step_mask[:, :, np.newaxis], X, 1e9)
    _, _, again, its_statistics = scale(kind, garbage, LENGTHS)
    assert_array_equal(scaled.values, again.values)
    assert_array_equal(statistics, its_statistics)


def test_feature_scaling_is_that_of_standard_scaler(X):
    scaling, batch, scaled, statistics = scale("feature", X)
    reference = StandardScaler().fit(X.reshape(-1, 3))
    assert_allclose(scaling.mean, reference.mean_)
    assert_allclose(scaling.scale, reference.scale_)
    expected = reference.transform(X.reshape(-1, 3)).reshape(X.shape)
    assert_allclose(scaled.values[batch.mask], expected[batch.mask], rtol=1e-5)
    assert statistics is None


def parts_of(moments):
    return [moments.count, moments.mean, moments.variance]


@pytest.mark.parametrize("cuts", [[3], [1, 2, 3, 4, 5], [0, 6]])
def test_moments_do_not_depend_on_the_pieces(cuts, X):
    whole = observe(sequences_of(X, LENGTHS))
    merged = Moments.of_nothing(3)
    for rows in np.split(np.arange(6), cuts):
        if len(rows):
            merged = merged.merge(observe(sequences_of(X[rows], np.array(LENGTHS)[rows])))
    assert_allclose(parts_of(merged), parts_of(whole), rtol=1e-9)
    assert whole.count.tolist() == [37, 37, 38]


def test_moments_of_a_feature_that_is_observed_late_are_those_of_its_values(X):
    unseen = X.copy()
    unseen[:, :, 1] = np.nan
    before, after = (observe(sequences_of(values)) for values in (unseen, X))
    merged = before.merge(after)
    assert_array_equal(merged.count, before.count + after.count)
    assert_allclose(merged.mean[1], after.mean[1])
    assert_allclose(merged.variance[1], after.variance[1])


def test_nothing_changes_no_moments(X):
    moments = observe(sequences_of(X))
    nothing = Moments.of_nothing(3)
    for merged in (moments.merge(nothing), nothing.merge(moments)):
        assert_array_equal(parts_of(merged), parts_of(moments))


def test_merged_moments_keep_small_deviations_on_a_large_offset():
    noise = 1e6 + 1e-2 * np.random.default_rng(0).normal(size=(50, 20, 1))
    halves = [observe(sequences_of(half)) for half in np.split(noise, 2)]
    merged = halves[0].merge(halves[1])
    assert_allclose(np.sqrt(merged.variance), noise.std(), rtol=1e-6)


def test_small_changes_on_a_large_offset_survive():
    noise = np.random.default_rng(0).normal(size=(50, 20, 1))
    scaling, _, scaled, _ = scale("feature", 1e6 + 1e-2 * noise)
    assert_allclose(scaling.scale, 1e-2 * noise.std(), rtol=1e-6)
    assert_allclose(scaled.values, (noise - noise.mean()) / noise.std(), atol=1e-6)


@pytest.mark.parametrize("kind", ["feature", "sequence"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 3.4e38, 1e-40])
def test_a_constant_has_deviation_one(kind, value):
    X = np.full((7, 11, 1), value)
    scaling, _, scaled, statistics = scale(kind, X)
    assert scaling.scale.tolist() == [1]
    assert_allclose(scaled.values, 0, atol=abs(value) * 1e-7)
    if kind == "sequence":
        assert_array_equal(statistics[:, 1], 0)


@pytest.mark.parametrize("kind", ["feature", "sequence"])
def test_a_feature_never_observed_has_mean_zero_and_scale_one(kind, X):
    X[:, :, 1] = np.nan
    scaling, _, scaled, statistics = scale(kind, X)
    assert (scaling.mean[1], scaling.scale[1]) == (0, 1)
    assert not scaled.values[:, :, 1].any()
    if kind == "sequence":
        assert not statistics[:, [1, 4]].any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_and_smallest_numbers_stay_finite(kind):
    largest = np.finfo("f4").max
    X = np.array([largest, -largest, 1e-45, -0.0], "f4").reshape(1, 4, 1).repeat(3, axis=0)
    scaling, _, scaled, statistics = scale(kind, X)
    assert np.isfinite(scaled.values).all()
    assert_allclose(scaling.invert(scaled.values, statistics), X, rtol=1e-5, atol=1e-5 * largest)


def test_what_scales_beyond_float32_is_clipped():
    scaling = Scaling("feature", np.zeros(1), np.full(1, 1e-3))
    batch = SequenceBatch(np.full((1, 1, 1), -3e38, "f4"), np.array([1]))
    assert scaling.apply(batch)[0].values == np.finfo("f4").min


def test_statistics_are_mean_and_log_deviation_of_each_sequence(X):
    _, _, scaled, statistics = scale("sequence", X, LENGTHS)
    for row, length in enumerate(LENGTHS):
        own = X[row, :length]
        assert_allclose(statistics[row, :3], np.nanmean(own, axis=0), rtol=1e-6)
        assert_allclose(statistics[row, 3:], np.log(np.nanstd(own, axis=0)), rtol=1e-4)
        assert_allclose(scaled.values[row].sum(axis=0), 0, atol=1e-2)


def test_statistics_come_from_the_steps_seen(X):
    seen = np.array([8, 5, 8, 2, 7, 8]) - 1
    scaling, _, _, statistics = scale("sequence", X, LENGTHS, seen)
    _, expected = scaling.apply(sequences_of(X, seen).read(slice(None), dtype=np.float64))
    assert_array_equal(statistics, expected)


def test_no_scaling_leaves_values_as_they_are(X):
    scaling, batch, scaled, statistics = scale(None, X)
    assert_array_equal(scaled.values, batch.values.astype("f4"))
    assert statistics is None
    assert (scaling.mean.tolist(), scaling.scale.tolist()) == (scaling.center.tolist(), [1, 1, 1])
