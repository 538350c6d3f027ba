"""Scaling looks at observed values only, loses no digits, and has an inverse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences
from sklearn_lstmae.sequences.scaling import (
    EPS,
    Moments,
    Scaling,
    is_rounding,
    mean_and_deviation,
    observe,
    scaling_of,
)

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


@pytest.mark.parametrize("cuts", [[3], [1, 2, 3, 4, 5]])
def test_the_smallest_deviation_does_not_depend_on_the_pieces(cuts, X):
    X[2, :, 0] = 5.1
    whole = observe(sequences_of(X))
    merged = Moments.of_nothing(3)
    for piece in np.split(X, cuts):
        merged = merged.merge(observe(sequences_of(piece)))
    deviations = np.nanstd(X, axis=1)
    deviations[2, 0] = np.inf
    assert_allclose(whole.least, deviations.min(axis=0))
    assert_array_equal(merged.least, whole.least)


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


DECIMALS = [14.62, 518.67, 1.3, 0.03, -0.1, 273.15, 2e9 + 0.7, 1e-7]


@pytest.mark.parametrize("shape", [(10, 5), (200, 24), (1, 4800), (2000, 24)], ids=str)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_constant_is_seen_next_to_other_features(dtype, shape):
    X = np.full((*shape, 9), [*DECIMALS, 0], dtype)
    X[..., -1] = np.random.default_rng(0).normal(size=shape)
    scaling, _, scaled, _ = scale("feature", X)
    assert scaling.scale[:-1].tolist() == [1] * 8
    assert_array_equal(scaling.mean[:-1], X[0, 0, :-1])
    assert not scaled.values[..., :-1].any()
    assert 0.5 < scaling.scale[-1] < 1.5
    _, _, scaled, statistics = scale("sequence", X)
    assert not scaled.values[..., :-1].any()
    assert_array_equal(statistics[:, 9:-1], 0)


def test_a_constant_of_sequences_with_gaps_is_seen():
    X = np.full((40, 30, 2), 14.62)
    X[..., 1] = np.random.default_rng(0).normal(size=(40, 30))
    X[np.random.default_rng(1).uniform(size=X.shape) < 0.3] = np.nan
    scaling, *_ = scale("feature", X, np.arange(40) % 29 + 1)
    assert (scaling.mean[0], scaling.scale[0]) == (14.62, 1)
    moments = Moments.of_nothing(2)
    for row in range(40):
        moments = moments.merge(observe(sequences_of(X[row : row + 1])))
    assert scaling_of("feature", moments).scale[0] == 1


NEARLY = {
    "sums": np.array([0.1 + 0.2, 0.3]),
    "products": 0.1 * np.array([3, 3.0000000000000004, 3]),
    "float32": np.array([14.62, np.nextafter(np.float32(14.62), np.float32(99))], "f4"),
    "float16": np.array([20, np.nextafter(np.float16(20), np.float16(99))], "f2"),
    "large float32": np.array([1e9, np.nextafter(np.float32(1e9), np.float32(2e9))], "f4"),
}


@pytest.mark.parametrize("few", NEARLY.values(), ids=NEARLY)
def test_a_constant_up_to_rounding_is_not_blown_up(few):
    X = np.stack([np.resize(few, (30, 24)), np.random.default_rng(0).normal(size=(30, 24))], 2)
    X = X.astype(few.dtype)
    scaling, _, scaled, _ = scale("feature", X)
    assert_allclose(scaling.scale[0], max(1, X[..., 0].std(dtype=np.float64)))
    assert np.abs(scaled.values[..., 0]).max() < 1.01
    X[0, :, 0] = np.arange(24)
    _, _, _, statistics = scale("sequence", X)
    assert_allclose(statistics[1:, 2], np.log(0.1 * X[0, :, 0].std(dtype=np.float64)), rtol=1e-6)


def test_a_list_is_as_coarse_as_its_coarsest_array():
    arrays = [np.full((5, 1), 14.62), np.full((7, 1), 14.62, "f4")]
    moments = observe(Sequences(arrays, np.array([5, 7]), "list"))
    assert moments.resolution == np.finfo("f4").eps
    assert scaling_of("feature", moments).scale == 1
    whole = Sequences([np.arange(5)[:, np.newaxis]], np.array([5]), "list")
    assert observe(whole).resolution == EPS


@pytest.mark.parametrize("count", [1, 10**4, 10**9])
def test_changes_on_a_large_level_are_no_rounding(count):
    """Whatever the number of values, seconds since 1970 may change by a tenth."""
    deviation, mean = np.array([0.1, 1e-9]), np.array([1.7e9, 7.0])
    assert not is_rounding(deviation, mean, np.array([count]), EPS).any()


@pytest.mark.parametrize("n_values", [100, 10**4])
@pytest.mark.parametrize("noise", [0.1, 0.9, 30])
def test_rounding_is_what_standard_scaler_takes_for_it(n_values, noise):
    level = 77.7
    X = level * (1 + noise * n_values * EPS * np.resize([-1.0, 1.0], (n_values, 1)))
    [expected] = StandardScaler().fit(X).scale_
    [got] = scale("feature", X[:, np.newaxis])[0].scale
    assert (got == 1) == (expected == 1) == (noise < 1)


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


def test_a_feature_without_a_value_has_the_level_of_fit(X):
    X[0, :, 2] = np.nan
    scaling, _, _, statistics = scale("sequence", X)
    assert abs(scaling.mean[2] - 300) < 1
    assert statistics[0, 2] == scaling.mean[2]
    assert_allclose(np.exp(statistics[0, 5]), scaling.scale[2], rtol=1e-6)


@pytest.mark.parametrize("level", [1e7, 1.7e9, 1e12])
def test_the_level_of_a_sequence_costs_no_digits_of_its_shape(level):
    waves = np.sin(np.arange(20) + np.arange(5)[:, np.newaxis])[:, :, np.newaxis]
    own = level * np.random.default_rng(0).uniform(1, 2, size=(5, 1, 1))
    _, _, expected, low = scale("sequence", waves)
    scaling, _, scaled, statistics = scale("sequence", waves + own)
    rounding = max(1e-6, level * 1e-15)
    assert_allclose(scaled.values, expected.values, atol=rounding)
    assert_allclose(statistics[:, 1], low[:, 1], atol=rounding)
    assert_allclose(scaling.invert(scaled.values, statistics) - own, waves, atol=rounding)


@pytest.mark.parametrize("unit", [1e-30, 1e-4, 1, 1e6, 1e30])
def test_a_constant_sequence_is_the_least_lively_in_any_unit(unit):
    """One of a single step, or of a single observed value, is constant too."""
    X = np.sin(np.arange(12) + np.arange(6)[:, np.newaxis])[:, :, np.newaxis].repeat(2, axis=2)
    X *= np.array([1, 1e3, 1e-3, 1, 1, 1]).reshape(6, 1, 1)
    X[3] = [0.3, -77.7]
    X[5, 1:] = np.nan
    scaling, batch, scaled, statistics = scale("sequence", unit * X, [12, 12, 12, 12, 1, 12])
    deviations = statistics[:, 2:]
    assert_allclose(np.exp(deviations[3:]) / unit, 0.1 * X[2].std(axis=0).min(), rtol=1e-4)
    assert (deviations[:3] > deviations[3:].max() + 2).all()
    back = scaling.invert(scaled.values, statistics) / unit
    assert_allclose(back[3:][batch.mask[3:]], X[3:][batch.mask[3:]], rtol=1e-12)
    assert_allclose(back[:3], X[:3], rtol=1e-6, atol=1e-6)


def test_a_constant_sequence_counts_as_one_where_fit_did_not_tell():
    """As in files of earlier versions."""
    scaling = Scaling("sequence", np.zeros(1), np.ones(1))
    batch = sequences_of(np.full((2, 5, 1), 0.1)).read(slice(None), dtype=np.float64)
    assert_array_equal(scaling.apply(batch)[1], [[0.1, 0.0]] * 2)


def test_columns_of_codes_that_are_constant_up_to_rounding_are_not_blown_up():
    codes = np.full((7, 3), [3.3, 0.0, 3.3], "f4")
    codes[:, 2] += np.arange(7) * np.spacing(np.float32(3.3))
    mean, deviation = mean_and_deviation(codes)
    assert_allclose(mean, [3.3, 0, 3.3], rtol=1e-6)
    assert_array_equal(deviation, 1.0)


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
