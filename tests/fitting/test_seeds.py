"""Chance in a fit: one seed, and the rows that it holds out."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.fitting.seeds import draw_seed, hold_out, split_rows


def test_parts_are_all_rows_in_their_order():
    learning, validation = split_rows(20, 0.25, 0)
    assert len(validation) == 5
    assert_array_equal(np.sort([*learning, *validation]), np.arange(20))
    for part in (learning, validation):
        assert (np.diff(part) > 0).all()


def test_parts_follow_the_seed():
    drawn = [split_rows(20, 0.25, seed)[1].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_each_class_is_held_out_in_part():
    classes = np.repeat([0, 1, 2], [8, 8, 4])
    learning, validation = split_rows(20, 0.25, 0, classes)
    assert_array_equal(np.bincount(classes[validation]), [2, 2, 1])
    assert_array_equal(np.bincount(classes[learning]), [6, 6, 3])


@pytest.mark.parametrize(
    ("n_rows", "fraction", "message"),
    [
        (
            1,
            0.5,
            r"validation_fraction=0\.5 splits n_samples=1 into 0 training and 1 validation seq",
        ),
        (
            9,
            0.999999999,
            r"into 0 training and 9 validation .* choose another validation_fr",
        ),
        (
            3,
            0.7,
            "splits n_samples=3 into 0 training and 3 validation sequences, but each part ne",
        ),
    ],
)
def test_too_few_rows_to_divide_are_refused_naming_the_parameters(n_rows, fraction, message):
    with pytest.raises(ValueError, match=message):
        split_rows(n_rows, fraction, 0)


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_each_side_needs_one_row_of_each_class(fraction):
    classes = np.repeat([0, 1, 2], 4)
    with pytest.raises(
        ValueError, match="needs at least 3, one of each of the 3 classes: pass more"
    ):
        split_rows(12, fraction, 0, classes)
    with pytest.raises(
        ValueError, match=r"two sequences of each class, .* number 2 of y, .* has 1:"
    ):
        split_rows(12, 0.5, 0, np.repeat([0, 1, 2], [6, 5, 1]))


def test_no_class_may_be_held_out_as_a_whole():
    with pytest.raises(ValueError, match=r"=0\.9 leaves no training sequence of class number 2 of"):
        split_rows(102, 0.9, 0, np.repeat([0, 1, 2], [50, 50, 2]))


def test_rows_are_held_out_for_early_stopping_only(make_sequences, make_reader):
    reader = make_reader(make_sequences(range(1, 13)))
    estimator = LSTMAutoencoderTransformer(validation_fraction=0.25)
    assert hold_out(estimator, reader, 3) == (reader, None)
    parts = hold_out(estimator.set_params(early_stopping=True), reader, 3)
    for part, rows in zip(parts, split_rows(12, 0.25, 3), strict=True):
        assert_array_equal(part.lengths, rows + 1)


def test_an_int_gives_its_seed_and_a_generator_moves_on():
    generator = np.random.RandomState(0)
    assert draw_seed(0) == draw_seed(0) == draw_seed(generator) != draw_seed(generator)


@pytest.mark.parametrize("random_state", [None, 0])
def test_seeds_fit_an_int32_and_no_global_generator_moves(random_state, keeps_random_states):
    with keeps_random_states():
        seeds = [draw_seed(random_state) for _ in range(50)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert len(set(seeds)) == (50 if random_state is None else 1)
