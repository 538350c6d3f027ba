"""How sequences are divided into shards."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from helpers import assert_same, make_transformer
from sklearn_lstmae.training.shards import Shards, sharing, split_evenly


@pytest.mark.parametrize(("n_rows", "n_parts"), [(10, 1), (10, 3), (3, 3), (1, 2)])
def test_parts_are_as_equal_as_can_be(n_rows, n_parts):
    bounds = split_evenly(n_rows, n_parts)
    sizes = np.diff(bounds)
    assert (bounds[0], bounds[-1]) == (0, n_rows)
    assert sizes.max() - sizes.min() <= 1


def test_each_row_left_belongs_to_the_shard_it_was_in(make_reader):
    reader = make_reader([np.ones((3, 2))] * 10).subset(np.array([0, 3, 4, 5, 9]))
    first, second = Shards(2, range(2)).rows(reader)
    assert_array_equal(first, [0, 1, 2])
    assert_array_equal(second, [3, 4])


def test_a_fit_of_one_shard_is_any_fit():
    X = np.random.default_rng(0).normal(size=(12, 9, 2))
    expected = make_transformer().fit(X)
    with sharing(Shards()):
        assert_same(vars(make_transformer().fit(X)), vars(expected))
