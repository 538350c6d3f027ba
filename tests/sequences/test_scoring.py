"""Errors are means over observed values, and scores are made of sums."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from sklearn_lstmae.sequences.scoring import LOSSES, errors, explained_variance, loss_sums


@pytest.fixture
def difference():
    return np.random.default_rng(0).normal(scale=2, size=(4, 5, 3)).astype("f4")


@pytest.fixture
def mask():
    mask = np.random.default_rng(1).random((4, 5, 3)) < 0.6
    mask[1] = False
    mask[:, 2] = False
    mask[0, :, 1] = False
    return mask


@pytest.mark.parametrize(
    ("loss", "expected"), [("mse", [4, 0.25]), ("mae", [2, 0.5]), ("huber", [1.5, 0.125])]
)
def test_losses(loss, expected):
    assert LOSSES[loss](np.array([-2.0, 0.5])).tolist() == expected
    assert LOSSES[loss](np.array([2.0, -0.5])).tolist() == expected


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("per", "axes"), [("sequence", (1, 2)), ("step", 2), ("feature", 1), ("value", ())]
)
def test_errors_are_means_over_observed_values(per, axes, loss, difference, mask):
    expected = np.ma.array(LOSSES[loss](difference), mask=~mask)
    expected = np.ma.filled(expected.mean(axis=axes) if axes else expected, np.nan)
    got = errors(difference, mask, loss, per)
    assert got.dtype == np.float64
    assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("per", ["sequence", "step", "feature", "value"])
def test_what_is_not_observed_is_irrelevant(per, difference, mask):
    garbage = np.where(mask, difference, np.float32(np.nan))
    assert_array_equal(errors(garbage, mask, "mse", per), errors(difference, mask, "mse", per))


def test_errors_of_large_differences_are_finite():
    large = np.full((1, 2, 1), 3e38, "f4")
    assert np.isfinite(errors(large, np.ones_like(large, bool), "mse", "sequence")).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_sums_of_blocks_add_up(loss, difference, mask):
    prediction = np.arange(3.0)
    total, count = loss_sums(difference, prediction, mask, loss)
    halves = [
        loss_sums(difference[rows], prediction, mask[rows], loss)
        for rows in (slice(2), slice(2, 4))
    ]
    assert_allclose(total, halves[0][0] + halves[1][0])
    assert count == halves[0][1] + halves[1][1] == mask.sum()
    per_value = errors(difference - prediction, mask, loss, "value")
    assert_allclose(total / count, np.nanmean(per_value))


@pytest.mark.parametrize("prediction", [[1.0, 2, 4], [1.5, 2, 3], [9.0, 9, 9]])
@pytest.mark.parametrize("values", [[1.0, 2, 4], [2.0, 2, 2]])
def test_explained_variance_is_r2_score(values, prediction):
    values, prediction = np.array(values), np.array(prediction)
    mask = np.ones(3, bool)
    squared_error, _ = loss_sums(values, prediction, mask, "mse")
    squared_deviation, _ = loss_sums(values, values.mean(), mask, "mse")
    score = explained_variance(squared_error, squared_deviation)
    assert_allclose(score, r2_score(values, prediction))


def test_explained_variance_of_a_constant_predicted_exactly_is_one():
    assert explained_variance(0.0, 0.0) == 1


def test_nothing_to_judge_has_no_score():
    assert np.isnan(explained_variance(np.nan, np.nan))
