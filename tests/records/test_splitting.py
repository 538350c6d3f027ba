"""`WindowSplit` keeps steps, and records, on one side of each fold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_lstmae import LSTMAutoencoderTransformer, WindowSplit, sliding_windows

RECORD = np.random.default_rng(0).normal(size=(20, 2))
MINUTES = pd.date_range("2020-01-01", periods=20, freq="min")
GAPPY = pd.DataFrame(RECORD, MINUTES, ["u", "v"]).drop(MINUTES[7:9])  # pieces of 7 and 11 steps


def steps_of(index, rows):
    return {(r, s + t) for r, s in zip(index.records[rows], index.starts[rows], strict=True)
            for t in range(index.length)}  # fmt: skip


def check_split(index, folds):
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(index)))
    for train, test in folds:
        assert train.size
        assert test.size
        assert not steps_of(index, train) & steps_of(index, test)
        if index.groups is not None:
            assert not {*index.groups[train]} & {*index.groups[test]}


@given(
    st.lists(st.integers(0, 19), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(1, 8),
    st.integers(2, 5),
    st.data(),
)
def test_no_step_is_in_training_and_in_test_and_each_window_is_tested_once(
    further_steps, length, stride, n_splits, data
):
    records = [np.arange(length + further) for further in further_steps]
    windows, index = sliding_windows(records, length, stride)
    if data.draw(st.booleans()):
        index = replace(index, groups=None)
    rows = data.draw(st.permutations(range(len(index))))
    index = index[rows]
    try:
        folds = list(WindowSplit(index, n_splits).split(windows))
    except ValueError as error:
        assert "n_splits" in str(error)  # noqa: PT017
        return
    assert len(folds) == n_splits == WindowSplit(index, n_splits).get_n_splits()
    check_split(index, folds)


@pytest.mark.parametrize("n_splits", [2, 3])
@pytest.mark.parametrize("keep_groups", [True, False])
@pytest.mark.parametrize("stride", [1, 3])
def test_interleaved_groups_with_gaps_are_split_like_any_record(stride, keep_groups, n_splits):
    names = [name for name in "abc" for _ in range(len(GAPPY))]
    machines = pd.concat([GAPPY] * 3).assign(machine=names).sort_index(kind="stable")
    _, index = sliding_windows(machines, 4, stride, group="machine")
    if not keep_groups:
        index = replace(index, groups=None)
    check_split(index, list(WindowSplit(index, n_splits).split()))


@pytest.mark.parametrize("n_splits", [2, 3])
@pytest.mark.parametrize("stride", [1, 3])
def test_a_record_with_gaps_is_split_like_any_record(stride, n_splits):
    _, index = sliding_windows(GAPPY, 3, stride)
    check_split(index, list(WindowSplit(index, n_splits).split()))


def test_only_what_overlaps_is_left_out():
    _, index = sliding_windows(np.arange(30), 4, 2)
    folds = list(WindowSplit(index, 3).split())
    assert [test.tolist() for _, test in folds] == [
        [0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13]]  # fmt: skip
    assert folds[1][0].tolist() == [0, 1, 2, 3, 11, 12, 13]


def test_records_split_in_time_do_not_lose_windows_of_their_neighbors():
    _, index = sliding_windows([np.arange(9), np.arange(9)], 3)
    [(train, test), _] = WindowSplit(replace(index, groups=None), 2).split()
    assert (len(train), len(test)) == (7, 7)


def test_groups_are_folds_of_about_equal_size():
    lengths = [30, 20, 10, 10, 10, 20]
    _, index = sliding_windows([np.arange(n) for n in lengths], 1)
    assert [len(test) for _, test in WindowSplit(index, 3).split()] == [40, 30, 30]


def test_other_groups_than_records_are_kept_together():
    _, index = sliding_windows([np.arange(10)] * 4, 4)
    sites = np.array(["north", "south", "south", "north"])[index.records]
    folds = list(WindowSplit(replace(index, groups=sites), 2).split())
    check_split(replace(index, groups=sites), folds)
    assert [len({*sites[test]}) for _, test in folds] == [1, 1]
    assert [len(train) for train, _ in folds] == [14, 14]


def test_groups_within_a_record_do_not_share_steps():
    _, index = sliding_windows(np.arange(24), 4)
    index = replace(index, groups=index.starts // 7)  # three "days"
    check_split(index, list(WindowSplit(index, 3).split()))


def test_the_split_goes_into_scikit_learn():
    windows, index = sliding_windows(np.sin(np.arange(60.0)), 6)
    model = LSTMAutoencoderTransformer(
        hidden_units=(4,), epochs=4, learning_rate=0.05, random_state=0
    )
    split = WindowSplit(index, n_splits=3)
    scores = cross_val_score(model, windows, cv=split)
    search = GridSearchCV(model, {"latent_dim": [16]}, cv=split).fit(windows)
    assert_array_equal([search.cv_results_[f"split{i}_test_score"][0] for i in range(3)], scores)
    with sklearn.config_context(enable_metadata_routing=True):
        assert_array_equal(cross_val_score(model, windows, cv=split), scores)


@pytest.mark.parametrize("n_splits", [1, 2.5, "3", None])
def test_a_wrong_number_of_splits_is_refused(n_splits):
    with pytest.raises(ValueError, match="'n_splits' parameter of WindowSplit"):
        WindowSplit(sliding_windows(RECORD, 5)[1], n_splits)


def test_a_split_wants_an_index():
    with pytest.raises(TypeError, match="'index' parameter of WindowSplit"):
        WindowSplit(RECORD)


def test_a_split_in_too_many_parts_is_refused():
    _, index = sliding_windows([RECORD, RECORD], 19)
    with pytest.raises(ValueError, match="n_splits=5 is more than the 4 windows"):
        WindowSplit(index)
    with pytest.raises(ValueError, match=r"n_splits=3 is more than the 2 groups .* groups=None"):
        WindowSplit(index, 3)
    split = WindowSplit(replace(index, groups=None)[:2], 2)
    with pytest.raises(ValueError, match=r"In fold 0 each .* n_splits=2, .* length=19"):
        list(split.split())


def test_a_split_of_other_windows_is_refused():
    windows, index = sliding_windows(RECORD, 5)
    with pytest.raises(ValueError, match=r"X has 4 samples, but .* has 16 windows"):
        list(WindowSplit(index).split(windows[:4]))


def test_a_split_names_the_number_of_its_folds():
    _, index = sliding_windows([RECORD, RECORD], 5)
    assert "n_splits=2" in repr(WindowSplit(index, n_splits=2))
