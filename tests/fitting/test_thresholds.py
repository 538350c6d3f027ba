"""Laws of the detector's arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.fitting.thresholds import (
    center_and_spread,
    conformal_offset,
    conformal_p_values,
    describe_codes,
    drop_unjudged,
    mahalanobis,
    quantile_offset,
    share_errors,
)

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(50, 3))

scores = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=30).map(np.array)
shares = st.one_of(st.sampled_from([0.05, 0.1, 0.2, 0.25, 1 / 3, 0.5]), st.floats(1e-3, 0.5))


def distance(codes, of=NORMAL):
    return mahalanobis(codes, *describe_codes(of))


# Distances of codes ----------------------------------------------------------------------


def test_the_distance_does_not_depend_on_the_units_of_a_column():
    units, zeros = np.array([1e-3, 1.0, 1e4]), np.array([5.0, -1.0, 3e5])
    assert_allclose(distance(units * NORMAL + zeros, units * NORMAL + zeros), distance(NORMAL))


def test_the_distance_counts_deviations_along_and_across_the_cloud():
    cloud = RNG.normal(size=(5000, 2)) @ np.array([[2.0, 1.9], [0.0, 0.5]])
    along, across = distance(np.array([[2.0, 1.9], [2.0, -1.9]]), cloud)
    assert along == pytest.approx(1.0, rel=0.1)
    assert across > 5 * along
    assert distance(cloud.mean(axis=0, keepdims=True), cloud) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "codes", [NORMAL[:2], NORMAL @ np.ones((3, 5)), NORMAL * [1.0, 1.0, 0.0]],
    ids=["fewer rows than columns", "columns go together", "a column is constant"],
)  # fmt: skip
def test_the_distance_is_finite_where_the_covariance_has_no_inverse(codes):
    assert np.isfinite(distance(codes, codes)).all()


def test_rounding_of_a_column_is_no_spread():
    """A last digit of a code is no distance of thousands."""
    digit = np.float64(np.spacing(np.float32(14.62)))
    codes = NORMAL * [1, 0, 1] + [0, 14.62, 0]
    codes[::3, 1] += digit
    moved = codes.copy()
    moved[:, 1] += 5 * digit
    assert_allclose(distance(moved, codes), distance(codes, codes), rtol=1e-4)


def test_one_code_has_no_spread():
    with pytest.raises(ValueError, match=r"at least 2 sequences .* n_samples=1: .*reconstruction"):
        describe_codes(NORMAL[:1])


# Thresholds ------------------------------------------------------------------------------


def test_the_quantile_leaves_its_share_below():
    values = RNG.normal(size=300)
    assert (values < quantile_offset(values, 0.1)).sum() == 30


@given(scores, shares)
def test_a_p_value_is_at_most_a_with_a_probability_of_at_most_a(values, a):
    """The bound itself: any of exchangeable values may be the new one, with equal chances."""
    p = [conformal_p_values(values[i : i + 1], np.delete(values, i))[0] for i in range(len(values))]
    assert np.mean(np.array(p) <= a) <= a
    if len(set(values)) == len(values):  # and no smaller bound holds
        assert_allclose(np.sort(p), np.arange(1, len(values) + 1) / len(values))


@given(scores, scores, shares)
def test_a_score_is_below_the_offset_where_its_p_value_is_at_most_the_contamination(new, old, a):
    assert_array_equal(new < conformal_offset(old, a), conformal_p_values(new, old) <= a)


def test_the_p_value_of_nan_is_nan():
    assert_array_equal(conformal_p_values(np.array([np.nan, 0.0]), np.zeros(3)), [np.nan, 1.0])


def test_scores_without_judgement_are_dropped():
    assert_array_equal(drop_unjudged(np.array([np.nan, 2.0, np.nan, 1.0])), [2.0, 1.0])
    with pytest.raises(ValueError, match=r"No threshold can be computed from 2 sequences"):
        drop_unjudged(np.full(2, np.nan))


def test_center_and_spread_are_of_each_column_and_hold_up_to_outliers():
    table = np.column_stack([np.arange(101.0), np.full(101, 7.0), np.full(101, np.nan)])
    table[:50, 2], table[100, 0] = np.arange(50), 1e9
    center, spread = center_and_spread(table)
    assert_allclose(center, [50, 7, 24.5])
    assert_allclose(spread, [50, 1, 24.5])


# Shares ----------------------------------------------------------------------------------


def test_shares_are_parts_of_the_sum_and_the_largest_come_first():
    errors = np.array([[[1.0, 6.0], [2.0, np.nan]], [[0.0, 0.0], [0.0, 0.0]]])
    errors = np.concatenate([errors, [[[np.nan, 1.0], [np.nan, 3.0]]]])
    columns = share_errors(errors)
    assert_array_equal(columns["sample"], [0, 0, 1, 1, 2])
    assert_array_equal(columns["feature"], [1, 0, 0, 1, 1])
    assert_array_equal(columns["step"], [0, 1, 0, 0, 1])
    assert_allclose(columns["error"], [6, 1.5, 0, 0, 2])
    assert_allclose(columns["share"], [2 / 3, 1 / 3, 0, 0, 1])


def test_codes_that_are_all_equal_leave_others_far_away():
    center, precision = describe_codes(np.full((5, 3), 2.0))
    assert_array_equal(precision, np.eye(3))
    assert_allclose(mahalanobis(np.array([[2.0, 2, 2], [2, 2, 7]]), center, precision), [0, 5])
