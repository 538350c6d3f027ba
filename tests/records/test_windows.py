"""Windows cover the record, and `unwind` inverts them."""

import mmap
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from sklearn_lstmae import LSTMAutoencoderTransformer, sliding_windows, unwind
from sklearn_lstmae.sequences.batch import Sequences

RNG = np.random.default_rng(0)
RECORD = RNG.normal(size=(20, 2))
MINUTES = pd.date_range("2020-01-01", periods=20, freq="min")
FRAME = pd.DataFrame(RECORD, index=MINUTES, columns=["u", "v"])
GAPPY = FRAME.drop(MINUTES[7:9])  # pieces of 7 and 11 steps


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
    given_values = [[] for _ in record]
    for start, row in zip(index.starts[rows], values[rows], strict=True):
        for step, value in enumerate(row, start):
            given_values[step] += [value] if value == value else []
    expected = [np.mean(each) if each else np.nan for each in given_values]
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


@pytest.mark.parametrize("codes", [np.ones((17, 4), "f4"), pd.DataFrame(np.ones((17, 4), "f4"))])
def test_codes_as_wide_as_windows_need_a_per(codes):
    """They are float32, which errors of steps are not."""
    _, index = sliding_windows(RECORD, 4)
    with pytest.raises(ValueError, match=r"codes of 4 columns and values of 4 steps.*per=.window"):
        unwind(codes, index)
    assert unwind(codes, index, per="window").shape == (20, 4)
    assert unwind(codes, index, per="step").shape == (20,)
    assert unwind(np.ones((17, 4, 2), "f4"), index).shape == (20, 2)
    assert unwind(np.ones(17, "f4"), index).shape == (20,)


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


def test_a_single_row_of_an_index_is_refused():
    with pytest.raises(TypeError, match=r"index\[3:4\] is the index of one window"):
        sliding_windows(RECORD, 5)[1][3]


def test_windows_that_were_not_unpacked_are_told_so():
    with pytest.raises(TypeError, match=r"returns \(windows, index\), and X is the windows"):
        LSTMAutoencoderTransformer(epochs=1).fit(sliding_windows(RECORD, 5))


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
