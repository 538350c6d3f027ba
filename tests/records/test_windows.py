"""Windows cover the record, `unwind` inverts them, and `WindowSplit` keeps them apart."""

import mmap
import pickle
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_lstmae import LSTMAutoencoderTransformer, WindowSplit, sliding_windows, unwind
from sklearn_lstmae.sequences.batch import Sequences

RNG = np.random.default_rng(0)
RECORD = RNG.normal(size=(20, 2))
MINUTES = pd.date_range("2020-01-01", periods=20, freq="min")
FRAME = pd.DataFrame(RECORD, index=MINUTES, columns=["u", "v"])
GAPPY = FRAME.drop(MINUTES[7:9])  # pieces of 7 and 11 steps
MACHINES = FRAME.assign(machine=list("abbaa" * 4)).reset_index(drop=True)  # 12 rows and 8


@st.composite
def cut_records(draw, max_records=3):
    """A list of records of shape (S_i, F), and a length and a stride that fit all of them."""
    length = draw(st.integers(1, 6))
    stride = draw(st.integers(1, 8))
    n_features = draw(st.integers(1, 2))
    n_steps = draw(st.lists(st.integers(length, 25), min_size=1, max_size=max_records))
    numbers = st.floats(-1e6, 1e6, width=32) | st.just(np.nan)
    shapes = [(steps, n_features) for steps in n_steps]
    return [draw(hnp.arrays(np.float64, shape, elements=numbers)) for shape in shapes], (
        length,
        stride,
    )


def covered(index):
    """For each step of a single record, the number of windows that cover it."""
    steps = np.zeros(index.source.bounds[-1], int)
    for start in index.places:
        steps[start : start + index.length] += 1
    return steps


# Windows ---------------------------------------------------------------------------------


@given(cut_records(max_records=1))
def test_windows_are_pieces_of_the_record_up_to_its_end(drawn):
    [record], (length, stride) = drawn
    windows, index = sliding_windows(record, length, stride)
    assert windows.shape == (len(index), length, record.shape[1])
    for window, start in zip(windows, index.starts, strict=True):
        assert_array_equal(window, record[start : start + length])
    assert index.starts[0] == 0
    assert index.starts[-1] == len(record) - length
    steps = np.diff(index.starts)
    assert (steps[:-1] == stride).all()
    assert (steps <= stride).all()


@given(cut_records())
def test_no_window_reaches_from_one_record_into_another(drawn):
    records, (length, stride) = drawn
    windows, index = sliding_windows(records, length, stride)
    assert_array_equal(index.groups, index.records)
    for number, record in enumerate(records):
        alone, of_record = sliding_windows(record, length, stride)
        assert_array_equal(windows[index.records == number], alone)
        assert_array_equal(index.starts[index.records == number], of_record.starts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int64, bool])
@pytest.mark.parametrize("stride", [1, 4, 3])
def test_the_dtype_is_that_of_the_record(dtype, stride):
    record = (RECORD > 0).astype(dtype)
    assert sliding_windows(record, 4, stride)[0].dtype == dtype
    assert sliding_windows([record, record], 4, stride)[0].dtype == dtype


@pytest.mark.parametrize(("stride", "is_view"), [(1, True), (4, True), (16, True), (3, False)])
def test_windows_are_a_read_only_view_where_the_stride_leaves_no_rest(stride, is_view):
    windows, _ = sliding_windows(RECORD, 4, stride)
    assert np.shares_memory(windows, RECORD) == is_view
    assert windows.flags.writeable != is_view


def test_a_memory_map_is_not_copied(tmp_path):
    record = np.memmap(tmp_path / "record", np.float32, "w+", shape=(30, 2))
    record[:] = RNG.normal(size=(30, 2))
    windows, index = sliding_windows(record, 7)
    assert np.shares_memory(windows, record)
    assert_allclose(unwind(windows, index), record, rtol=1e-6)


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_reading_windows_of_a_memory_map_does_not_keep_it_in_memory(tmp_path):
    n_bytes = 2**24
    np.memmap(tmp_path / "record", np.float32, "w+", shape=(n_bytes // 4, 1))[:] = 1
    record = np.memmap(tmp_path / "record", np.float32, "r", shape=(n_bytes // 4, 1))
    windows, index = sliding_windows(record, 64, 64)
    sequences = Sequences(windows, np.full(len(index), 64), "3d")
    before = file_bytes()
    for rows in sequences.blocks(2**20):
        sequences.read(rows).values.sum()
    assert file_bytes() - before < n_bytes / 4


def file_bytes():
    """Resident memory of this process that belongs to files."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[2]) * mmap.PAGESIZE


def test_a_frame_of_one_dtype_is_not_copied():
    assert np.shares_memory(sliding_windows(FRAME, 4)[0], FRAME.to_numpy())


def test_a_record_of_one_axis_has_one_feature():
    windows, _ = sliding_windows(RECORD[:, 0], 4)
    assert_array_equal(windows, sliding_windows(RECORD[:, :1], 4)[0])


def test_nan_and_missing_values_pass():
    windows, _ = sliding_windows(pd.Series([1, None, 3], dtype="Int64"), 2)
    assert_array_equal(windows[:, :, 0], [[1, np.nan], [np.nan, 3]])


def test_a_list_of_lists_is_several_records():
    windows, index = sliding_windows([[1, 2, 3], (4, 5)], 2)
    assert_array_equal(windows[:, :, 0], [[1, 2], [2, 3], [4, 5]])
    assert_array_equal(index.records, [0, 0, 1])


# Gaps ------------------------------------------------------------------------------------


def test_a_gap_cuts_the_record():
    windows, index = sliding_windows(GAPPY, 5, 3)
    assert_array_equal(index.starts, [0, 2, 7, 10, 13])
    assert_array_equal(index.records, 0)
    assert index.groups is None
    assert_array_equal(windows, [GAPPY.iloc[start : start + 5] for start in index.starts])
    assert_frame_equal(unwind(windows, index), GAPPY)


TIMES = pd.date_range("2020-03-01", periods=40, tz="Europe/Berlin")  # clocks change on March 29


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2020-01-31", periods=40, freq="ME"),  # 28 to 31 days
        pd.date_range("2020-01-01", periods=40, freq="h") + pd.to_timedelta([0, 9] * 20, "min"),
        pd.timedelta_range("0s", periods=40, freq="s"),
        pd.period_range("2020-01", periods=40, freq="M"),
        TIMES,
        pd.Index([0.5 * step for step in range(40)]),
    ],
    ids=["months", "jitter", "timedelta", "period", "time zone", "float"],
)
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_any_time_index_is_cut_where_a_step_or_more_is_missing(times, gap):
    keep = np.delete(np.arange(40), slice(20, 20 + gap))
    record = pd.Series(np.arange(40.0), times).iloc[keep]  # no longer knows its freq
    windows, index = sliding_windows(record, 18)
    is_cut = gap > 0 and not isinstance(times[0], float)
    bridging = windows[(windows[:, 0, 0] < 20) & (windows[:, -1, 0] >= 20)]
    assert (len(bridging) == 0) == is_cut
    assert_series_equal(unwind(windows, index), record)


def test_an_index_that_knows_its_frequency_has_no_gaps():
    days = pd.bdate_range("2020-01-01", periods=20)  # weekends are no gap
    assert len(sliding_windows(pd.Series(range(20), days), 10)[1]) == 11
    with pytest.raises(ValueError, match="gap"):
        sliding_windows(pd.Series(range(20), days._with_freq(None)), 10)


def test_filling_a_gap_with_missing_values_bridges_it():
    windows, index = sliding_windows(GAPPY.asfreq("min"), 5)
    assert len(index) == 16
    assert np.isnan(windows).any()


@pytest.mark.parametrize("labels", [[3, 1, 1, 2], list("abca"), [0, 1, 100, 101]], ids=str)
def test_labels_that_are_no_times_say_nothing(labels):
    record = pd.Series([1.0, 2.0, 3.0, 4.0], labels, name="x")
    windows, index = sliding_windows(record, 2)
    assert len(windows) == 3
    assert_series_equal(unwind(windows, index), record)


pieces_and_gaps = st.lists(st.tuples(st.integers(5, 12), st.integers(1, 9)), min_size=1, max_size=4)


@given(pieces_and_gaps, st.integers(1, 5), st.integers(1, 7))
def test_pieces_between_gaps_are_cut_as_if_they_were_alone(drawn, length, stride):
    pieces, minute = [], 0
    for n_steps, gap in drawn:
        pieces.append(np.arange(minute, minute + n_steps))
        minute += n_steps + gap
    minutes = np.concatenate(pieces)
    record = pd.Series(minutes, MINUTES[0] + pd.to_timedelta(minutes, "min"))
    windows, index = sliding_windows(record, length, stride)
    alone = [sliding_windows(piece, length, stride)[0] for piece in pieces]
    assert_array_equal(windows, np.concatenate(alone))
    assert_array_equal(unwind(windows, index).index, record.index)


# Unwind ----------------------------------------------------------------------------------


@given(cut_records())
def test_unwind_inverts_sliding_windows(drawn):
    records, (length, stride) = drawn
    if len(records) == 1:
        pairs = [(unwind(*sliding_windows(records[0], length, stride)), records[0])]
    else:
        results = unwind(*sliding_windows(records, length, stride))
        assert isinstance(results, list)
        pairs = zip(results, records, strict=True)
    for result, record in pairs:
        times = covered(sliding_windows(record, length, stride)[1])
        assert (times > 0).all() or stride > length
        assert_allclose(result[times > 0], record[times > 0], rtol=1e-15)
        assert_array_equal(result[times == 1], record[times == 1])
        assert np.isnan(result[times == 0]).all()


@given(cut_records(max_records=1), st.data())
def test_a_step_gets_the_mean_of_what_windows_say_of_it(drawn, data):
    [record], (length, stride) = drawn
    _, index = sliding_windows(record, length, stride)
    numbers = st.integers(-9, 9) | st.just(np.nan)
    values = data.draw(hnp.arrays(float, (len(index), length), elements=numbers))
    rows = np.array(data.draw(st.lists(st.integers(0, len(index) - 1))), int)
    said = [[] for _ in record]
    for start, row in zip(index.starts[rows], values[rows], strict=True):
        for step, value in enumerate(row, start):
            said[step] += [value] if value == value else []
    expected = [np.mean(each) if each else np.nan for each in said]
    assert_allclose(unwind(values[rows], index[rows]), expected, rtol=1e-15)


@given(cut_records(max_records=1))
def test_a_value_of_a_window_is_one_of_each_of_its_steps(drawn):
    [record], (length, stride) = drawn
    windows, index = sliding_windows(record, length, stride)
    scores = np.arange(len(index))
    at_steps = np.repeat(scores[:, np.newaxis], length, axis=1)
    assert_array_equal(unwind(scores, index), unwind(at_steps, index))
    codes = windows[:, 0]
    expected = unwind(np.repeat(codes[:, np.newaxis], length, axis=1), index)
    assert_array_equal(unwind(codes, index, per="window"), expected)


def test_per_tells_codes_as_wide_as_windows_from_values_of_steps():
    windows, index = sliding_windows(RECORD, 4)
    codes = windows[:, :, 0]
    assert unwind(codes, index, per="window").shape == (20, 4)
    assert_allclose(unwind(codes, index, per="step"), RECORD[:, 0], rtol=1e-15)
    assert_array_equal(unwind(codes, index), unwind(codes, index, per="step"))
    scores = np.arange(17)
    assert_array_equal(unwind(scores, index), unwind(scores, index, per="window"))


def test_labels_of_steps_become_labels_of_windows_and_back():
    labels = pd.Series(np.isin(range(20), [6, 7]), MINUTES)
    windows, index = sliding_windows(labels, 4, 4)
    y = windows.any(axis=(1, 2))
    assert_array_equal(y, [False, True, False, False, False])
    expected = pd.Series(np.isin(range(20), [4, 5, 6, 7]), MINUTES)
    assert_series_equal(unwind(y, index) > 0, expected)


def test_infinite_values_stay_where_they_are():
    record = np.array([1.0, np.inf, 2.0, -np.inf, 3.0])
    assert_array_equal(unwind(*sliding_windows(record, 2)), record)


# What a record was, its result is --------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [RECORD, RECORD[:, 0], RECORD[:, :1], FRAME, FRAME[["u"]], FRAME["u"], FRAME["u"].rename(None)],
    ids=["array", "flat", "column", "frame", "frame of one", "series", "nameless"],
)
def test_a_result_has_the_type_and_the_index_of_its_record(record):
    windows, index = sliding_windows(record, 5, 2)
    per_step, per_window = windows[:, :, 0], windows[:, 0, 0]
    codes = unwind(np.ones((len(index), 3)), index, per="window")
    if isinstance(record, np.ndarray):
        result = unwind(windows, index)
        assert (result.shape, result.dtype) == (record.shape, record.dtype)
        assert_allclose(result, record, rtol=1e-15)
        assert codes.shape == (20, 3)
    else:
        equal = assert_series_equal if record.ndim == 1 else assert_frame_equal
        equal(unwind(windows, index), record, check_freq=False)
        assert_frame_equal(codes, pd.DataFrame(np.ones((20, 3)), MINUTES))
    for values in (per_step, per_window):
        result = unwind(values, index)
        assert type(result) is (np.ndarray if isinstance(record, np.ndarray) else pd.Series)
        assert result.shape == (20,)
    if isinstance(record, pd.Series):
        several = unwind(np.ones((len(index), 5, 3)), index)
        assert_frame_equal(several, pd.DataFrame(np.ones((20, 3)), MINUTES))


def test_codes_do_not_take_the_names_of_features():
    _, index = sliding_windows(FRAME, 5)
    assert list(unwind(np.ones((16, 2)), index, per="window").columns) == [0, 1]
    assert list(unwind(np.ones((16, 5, 2)), index).columns) == ["u", "v"]
    assert list(unwind(np.ones((16, 5, 3)), index).columns) == [0, 1, 2]


def test_each_record_of_a_list_gets_back_what_it_was():
    array, frame = unwind(*sliding_windows([RECORD[:7], GAPPY], 5))
    assert isinstance(array, np.ndarray)
    assert_allclose(array, RECORD[:7])
    assert_frame_equal(frame, GAPPY)
    [only] = unwind(*sliding_windows([RECORD], 5))
    assert_allclose(only, RECORD)


def test_a_group_column_makes_records_of_interleaved_rows():
    windows, index = sliding_windows(MACHINES, 5, 2, group="machine")
    assert_array_equal(index.groups, ["a"] * 5 + ["b"] * 3)
    features = MACHINES[["u", "v"]]
    parts = [features[MACHINES["machine"] == name].to_numpy() for name in "ab"]
    assert_array_equal(windows, sliding_windows(parts, 5, 2)[0])
    assert_frame_equal(unwind(windows, index), features)
    assert_series_equal(unwind(windows[:, :, 0], index), features["u"].rename(None))


def test_each_group_has_its_own_times_and_gaps():
    slow = FRAME.assign(m=0).set_axis(pd.date_range("2020-01-01", periods=20, freq="5min"))
    both = pd.concat([GAPPY.assign(m=1), slow]).sort_index(kind="stable")
    windows, index = sliding_windows(both, 5, group="m")
    assert np.bincount(index.records).tolist() == [3 + 7, 16]
    assert set(index.groups[index.records == 1]) == {0}
    assert_frame_equal(unwind(windows, index), both[["u", "v"]])


# The index -------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [slice(1, 4), [3, 1], np.arange(6) % 2 == 0], ids=str)
def test_some_rows_of_an_index_are_the_index_of_these_windows(rows):
    windows, index = sliding_windows([RECORD[:10], RECORD], 7, 5)
    some = index[rows]
    assert len(some) == len(windows[rows])
    for name in ("starts", "records", "groups"):
        assert_array_equal(getattr(some, name), getattr(index, name)[rows])
    results = unwind(windows[rows], some)
    for number, record in enumerate([RECORD[:10], RECORD]):
        is_covered = ~np.isnan(results[number][:, 0])
        assert is_covered.sum() > 0
        assert_allclose(results[number][is_covered], record[is_covered], rtol=1e-15)


def test_an_index_of_no_window_leaves_every_step_open():
    windows, index = sliding_windows(RECORD, 7)
    assert np.isnan(unwind(windows[:0], index[:0])).all()


def test_a_pickled_index_unwinds():
    windows, index = sliding_windows(GAPPY, 5, 3)
    assert_frame_equal(unwind(windows, pickle.loads(pickle.dumps(index))), GAPPY)


def test_an_index_says_what_it_is_of():
    _, index = sliding_windows([RECORD, RECORD], 5)
    assert repr(index) == "<WindowIndex: 32 windows of 5 steps, 2 record(s)>"
    assert "n_splits=2" in repr(WindowSplit(index, n_splits=2))


def test_a_single_row_of_an_index_is_refused():
    with pytest.raises(TypeError, match=r"index\[3:4\] is the index of one window"):
        sliding_windows(RECORD, 5)[1][3]


def test_windows_that_were_not_unpacked_are_told_so():
    with pytest.raises(TypeError, match=r"returns \(windows, index\), and X is the windows"):
        LSTMAutoencoderTransformer(epochs=1).fit(sliding_windows(RECORD, 5))


# WindowSplit -----------------------------------------------------------------------------


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


@given(cut_records(), st.integers(2, 5), st.data())
def test_no_step_is_in_training_and_in_test_and_each_window_is_tested_once(drawn, n_splits, data):
    records, (length, stride) = drawn
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
    with pytest.raises(ValueError, match=r"n_splits=3 is more than the 2 records .* groups=None"):
        WindowSplit(index, 3)
    split = WindowSplit(replace(index, groups=None)[:2], 2)
    with pytest.raises(ValueError, match=r"In fold 0 each .* n_splits=2, .* length=19"):
        list(split.split())


def test_a_split_of_other_windows_is_refused():
    windows, index = sliding_windows(RECORD, 5)
    with pytest.raises(ValueError, match=r"X has 4 samples, but .* of 16 windows"):
        list(WindowSplit(index).split(windows[:4]))


# A record that the estimator sees --------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "record"),
    [("error", FRAME), ("mask", FRAME.drop(MINUTES[3]).asfreq("min"))],
    ids=["complete", "missing"],
)
@pytest.mark.filterwarnings("ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning")
def test_errors_of_a_record_are_a_series_on_its_own_index(missing, record):
    windows, index = sliding_windows(record, 5)
    model = LSTMAutoencoderTransformer(hidden_units=(4,), epochs=1, missing=missing, random_state=0)
    errors = unwind(model.fit(windows).errors(windows, per="step"), index)
    assert isinstance(errors, pd.Series)
    assert errors.index.equals(record.index)
    assert_array_equal(errors.isna(), record.isna().all(axis=1))


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("length", (0,)), ("length", (2.5,)), ("stride", (2, 0)), ("stride", (2, None))],
    ids=str,
)
def test_a_wrong_length_or_stride_is_refused(name, arguments):
    with pytest.raises(ValueError, match=f"'{name}' parameter of sliding_windows"):
        sliding_windows(RECORD, *arguments)


def with_index(index):
    return pd.Series(range(len(index)), index)


WEEK = pd.date_range("2020-01-01", periods=7)
PANEL = pd.MultiIndex.from_product([["a", "b"], range(3)], names=["machine", "step"])


@pytest.mark.parametrize(
    ("record", "options", "error", "message"),
    [
        (RECORD, {"length": 21}, ValueError, "The record has 20 steps, fewer than length=21"),
        ([RECORD, RECORD[:3]], {}, ValueError, "Record 1 has 3 steps, fewer than length=5"),
        (MACHINES, {"length": 9, "group": "machine"}, ValueError, "Record b has 8 steps"),
        (
            GAPPY, {"length": 8}, ValueError,
            r"The record has 1 gap\(s\) .* from 2020-01-01 00:00:00 to 2020-01-01 00:06:00 has 7",
        ),
        (RECORD[:0], {}, ValueError, "has 0 steps"),
        (with_index(WEEK[[0, 2, 1]]), {}, ValueError, r"2020-01-03 .* 2020-01-02 .* at step 2"),
        (with_index(WEEK[[0, 1, 1]]), {}, ValueError, "does not increase: .* tell records apart"),
        (with_index(WEEK[::-1]), {}, ValueError, "Sort it"),
        (with_index(WEEK[:2].append(pd.DatetimeIndex([None]))), {}, ValueError, "time at step 2"),
        ([FRAME, with_index(WEEK[[1, 0]]).to_frame()], {}, ValueError, "record 0 has 2"),
        (with_index(PANEL), {}, ValueError, r"2 levels.*reset_index\(level\).*group="),
        (FRAME.assign(name="x"), {}, ValueError, "Column 'name' of the record has dtype"),
        (FRAME.reset_index(), {}, ValueError, r"'index' .* dtype datetime64.*set_index"),
        (pd.Series(list("abcdef"), name="s"), {}, ValueError, "Column 's' of the record"),
        (np.array(list("abcdef")), {}, ValueError, "could not convert string to float"),
        (WEEK.to_numpy(), {}, TypeError, "the record has dtype datetime64"),
        (np.ma.masked_array(RECORD), {}, TypeError, "masked array"),
        (RECORD + 1j, {}, ValueError, "Complex data not supported"),
        (RECORD[:, :0], {}, ValueError, r"0 feature\(s\)"),
        (RECORD[np.newaxis], {}, ValueError, "The record has ndim=3"),
        ([1.0, 2.0, 3.0], {}, ValueError, "Record 0 has ndim=0.*passed as a list"),
        ([], {}, ValueError, "list of records is empty"),
        ([RECORD, RECORD[:, :1]], {}, ValueError, "Record 1 has 1 features, but record 0 has 2"),
        ([FRAME, FRAME[["v", "u"]]], {}, ValueError, r"Record 1 has columns \['v', 'u'\]"),
        (MACHINES, {"group": "pump"}, ValueError, r"group='pump' names 0 of the columns \['u'"),
        (MACHINES.set_axis(["u", "m", "m"], axis=1), {"group": "m"}, ValueError, "names 2 of"),
        (MACHINES[:0], {"group": "machine"}, ValueError, "no rows"),
        (MACHINES[["machine"]], {"group": "machine"}, ValueError, "has no column of numbers"),
        (MACHINES.reindex([0, 1, 2, 30]), {"group": "machine"}, ValueError, "value in row 3"),
        (RECORD, {"group": "machine"}, TypeError, "column of a pandas DataFrame.* type ndarray"),
        ([MACHINES], {"group": "machine"}, TypeError, "passed as a list"),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(record, options, error, message):
    with pytest.raises(error, match=message):
        sliding_windows(record, **{"length": 5} | options)


@pytest.mark.parametrize(
    ("values", "per"),
    [
        (np.ones(15), None),
        (np.ones((16, 4)), None),
        (np.ones((15, 5)), None),
        (np.ones((16, 5, 2, 1)), None),
        (np.ones(16), "step"),
        (np.ones((16, 5, 2)), "window"),
        (np.float64(1), None),
    ],
    ids=lambda case: str(np.shape(case)),
)
def test_values_of_another_shape_are_refused(values, per):
    _, index = sliding_windows(RECORD, 5)
    with pytest.raises(ValueError, match=r'of 16 windows of 5 steps.*\(16, 5\).*per="window"'):
        unwind(values, index, per=per)


def test_unwind_wants_numbers_an_index_and_a_known_per():
    windows, index = sliding_windows(RECORD, 5)
    with pytest.raises(TypeError, match="takes means of numbers"):
        unwind(np.full(16, "normal"), index)
    with pytest.raises(TypeError, match="'index' parameter of unwind"):
        unwind(windows, FRAME.index)
    with pytest.raises(ValueError, match="'per' parameter of unwind"):
        unwind(windows, index, per="value")
