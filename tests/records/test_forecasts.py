"""Steps after a window have the labels that the record has there, or that would come next."""

import datetime

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from sklearn_lstmae import label_forecast, sliding_windows

HOURS = pd.date_range("2024-01-01", periods=30, freq="h", name="time")
DAYS = pd.date_range("2024-03-25", periods=6)
TRADING = pd.bdate_range("2024-01-01", periods=10)  # ends on a Friday


def forecast(n_windows, n_steps, n_features=1):
    return np.arange(1.0 * n_windows * n_steps * n_features).reshape(n_windows, n_steps, n_features)


def labels_after(index, n_steps=2, rows=slice(-1, None), freq=None, **options):
    """Labels of a forecast of windows of a record with this index."""
    record = pd.Series(np.arange(float(len(index))), index)
    _, windows = sliding_windows(record, 4, **options)
    windows = windows[rows]
    table = label_forecast(forecast(len(windows), n_steps), windows, freq=freq)
    return list(table.index.get_level_values(-1))


def forget_freq(times):
    return times._with_freq(None)


# The table -------------------------------------------------------------------------------


def test_a_table_continues_its_record():
    record = pd.DataFrame({"u": np.arange(30.0), "v": -np.arange(30.0)}, HOURS)
    _, index = sliding_windows(record[:-3], 6)
    table = label_forecast(record[-3:].to_numpy()[np.newaxis], index[-1:])
    assert table.index.names == ["origin", "time"]
    assert set(table.index.get_level_values("origin")) == {HOURS[-4]}
    whole = pd.concat([record[:-3], table.droplevel("origin")])
    assert_frame_equal(whole, record, check_freq=False)


def test_each_window_has_its_rows():
    _, index = sliding_windows(np.zeros((9, 2)), 4, stride=2)
    table = label_forecast(forecast(4, 2, 2), index)
    assert table.index.names == ["origin", "step"]
    labels = [(3, 4), (3, 5), (5, 6), (5, 7), (7, 8), (7, 9), (8, 9), (8, 10)]
    assert list(table.index) == labels
    assert_array_equal(table, np.arange(16).reshape(8, 2))
    assert list(table.columns) == [0, 1]


def test_windows_may_come_in_any_order():
    _, index = sliding_windows(pd.Series(np.zeros(30), HOURS), 4)
    values, rows = forecast(27, 3), [7, 26, 0, 7]
    whole = label_forecast(values, index)
    parts = [whole.loc[[HOURS[row + 3]]] for row in rows]
    assert_frame_equal(label_forecast(values[rows], index[rows]), pd.concat(parts))


def test_forecasts_may_differ_in_length():
    _, index = sliding_windows(pd.Series(np.zeros(30), HOURS), 4)
    table = label_forecast([np.ones((1, 1)), np.zeros((3, 1))], index[-2:])
    assert list(table.index) == [
        (HOURS[28], HOURS[29]), *((HOURS[29], HOURS[29] + pd.Timedelta(k, "h")) for k in (1, 2, 3))
    ]  # fmt: skip
    assert_array_equal(table, [[1], [0], [0], [0]])


def test_columns_have_names_where_there_are_as_many_as_features():
    _, index = sliding_windows(pd.DataFrame({"u": np.zeros(9), "v": 0.0}), 4)
    assert list(label_forecast(forecast(1, 2, 2), index[-1:]).columns) == ["u", "v"]
    assert list(label_forecast(forecast(1, 2, 1), index[-1:]).columns) == [0]


@pytest.mark.parametrize("as_level", [False, True], ids=["column", "level"])
def test_each_group_goes_on_by_itself(as_level):
    record = pd.DataFrame({"m": list("bbbbaaaaaa"), "x": np.zeros(10)})
    record.index = DAYS[:4].append(DAYS + pd.Timedelta(365, "D"))
    if as_level:
        record = record.set_index("m", append=True)
    _, index = sliding_windows(record, 4, group="m")
    table = label_forecast(forecast(2, 1), index[[0, -1]])
    assert table.index.names == ["group", "origin", "step"]
    assert list(table.index) == [
        ("b", DAYS[3], DAYS[4]),
        ("a", pd.Timestamp("2025-03-30"), pd.Timestamp("2025-03-31")),
    ]


def test_rows_of_polars_are_counted_in_their_record():
    record = polars.DataFrame({"m": list("aabbaabbaabb"), "x": np.zeros(12)})
    _, index = sliding_windows(record, 4, group="m")
    table = label_forecast(forecast(2, 2), index[[2, 5]])
    assert list(table.index) == [("a", 5, 6), ("a", 5, 7), ("b", 5, 6), ("b", 5, 7)]


def test_sequences_of_a_list_are_labelled_like_records():
    first = pd.DataFrame({"u": np.zeros(6), "v": 0.0}, DAYS.rename("day"))
    second = first.set_axis(pd.RangeIndex(6, name="other"))
    table = label_forecast([np.ones((1, 2)), np.ones((2, 2))], [first, second])
    assert table.index.names == ["group", "origin", "day"]
    assert list(table.index) == [(0, DAYS[5], pd.Timestamp("2024-03-31")), (1, 5, 6), (1, 5, 7)]
    assert list(table.columns) == ["u", "v"]


def test_records_that_were_left_out_have_no_labels():
    records = [pd.Series(np.zeros(n), HOURS[:n]) for n in (0, 5, 3, 0, 6)]
    _, index = sliding_windows(records, 5, short="drop")
    table = label_forecast(forecast(3, 1), index)
    assert list(table.index) == [
        (1, HOURS[4], HOURS[5]), (4, HOURS[4], HOURS[5]), (4, HOURS[5], HOURS[6])
    ]  # fmt: skip


def test_an_index_may_have_the_name_of_a_level():
    _, index = sliding_windows(pd.Series(np.zeros(6), DAYS.rename("origin")), 4)
    table = label_forecast(forecast(1, 1), index[-1:])
    assert list(table.index) == [(DAYS[5], pd.Timestamp("2024-03-31"))]


# Labels ----------------------------------------------------------------------------------

NEXT = {
    "hours": (forget_freq(HOURS), ["2024-01-02 06:00", "2024-01-02 07:00"]),
    "known frequency": (pd.date_range("2024", periods=4, freq="2D"), ["2024-01-09", "2024-01-11"]),
    "trading days": (forget_freq(TRADING), ["2024-01-15", "2024-01-16"]),
    "ends of months": (
        forget_freq(pd.date_range("2024-01-31", periods=6, freq="ME")),
        ["2024-07-31", "2024-08-31"],
    ),
    "seconds": (forget_freq(HOURS.as_unit("s")), ["2024-01-02 06:00", "2024-01-02 07:00"]),
    "arrow": (
        HOURS.astype(pd.ArrowDtype(pyarrow.timestamp("us"))),
        ["2024-01-02 06:00", "2024-01-02 07:00"],
    ),
    "dates": (pd.Index(DAYS.date, dtype=object), ["2024-03-31", "2024-04-01"]),
    "categories": (pd.CategoricalIndex(DAYS), ["2024-03-31", "2024-04-01"]),
}


@pytest.mark.parametrize("make", NEXT)
def test_times_go_on_after_the_end(make):
    index, expected = NEXT[make]
    assert labels_after(index) == list(pd.to_datetime(expected))


def test_days_go_on_at_the_same_time_when_clocks_change():
    after = labels_after(forget_freq(DAYS.tz_localize("Europe/Berlin")))
    assert after == list(pd.date_range("2024-03-31", periods=2, tz="Europe/Berlin"))
    hours = pd.date_range("2024-03-30 20:00", periods=6, freq="h", tz="Europe/Berlin")
    after = labels_after(forget_freq(hours), n_steps=1)
    assert after == [pd.Timestamp("2024-03-31 03:00", tz="Europe/Berlin")]


def test_periods_and_durations_go_on():
    assert labels_after(pd.period_range("2024-01", periods=6, freq="M")) == [
        pd.Period("2024-07"), pd.Period("2024-08")
    ]  # fmt: skip
    assert labels_after(forget_freq(HOURS - HOURS[0])) == [
        pd.Timedelta(30, "h"), pd.Timedelta(31, "h")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.RangeIndex(3, 23, 2), [23, 25]),
        (pd.RangeIndex(4, 0, -1), [0, -1]),
        (pd.Index([1, 2, 3, 4, 5], dtype="Int64"), [6, 7]),
        (pd.Index([10, 20, 30, 40], dtype="uint8"), [50, 60]),
        (pd.Index([1, 2, 3, 4, 5], dtype="int64[pyarrow]"), [6, 7]),
        (pd.Index([0.5, 1.0, 1.5, 2.0]), [2.5, 3.0]),
    ],
    ids=["range", "backwards", "Int64", "uint8", "arrow", "float"],
)
def test_numbers_go_on_by_their_difference(index, expected):
    assert labels_after(index) == expected


def test_within_a_record_labels_are_its_own_and_in_a_gap_they_go_on():
    gappy = HOURS.delete([12, 13, 14])
    assert labels_after(gappy, 3, rows=[0, 7]) == [*HOURS[4:7], *HOURS[11:14]]
    assert labels_after(gappy, 3, rows=[7], max_gap=None) == [HOURS[11], HOURS[15], HOURS[16]]
    names = pd.Index(list("abcdefgh"))
    assert labels_after(names, 2, rows=[2]) == ["g", "h"]


def test_a_missing_month_does_not_hide_the_step():
    months = pd.date_range("2024-01-01", periods=12, freq="MS").delete(3)
    with pytest.raises(ValueError, match=r"The times of the record have no regular step"):
        labels_after(months, max_gap=None)
    assert labels_after(months, max_gap="40D", short="drop", n_steps=1) == [
        pd.Timestamp("2025-01-01")
    ]


def test_freq_says_which_times_follow():
    with_holiday = TRADING.delete(3)
    with pytest.raises(ValueError, match=r'no regular step.* pass freq, such as freq="h" or'):
        labels_after(with_holiday, max_gap=None)
    after = labels_after(with_holiday, max_gap=None, freq="B")
    assert after == [pd.Timestamp("2024-01-15"), pd.Timestamp("2024-01-16")]
    saturday = TRADING[-1] + pd.Timedelta(1, "D")  # off the grid
    after = labels_after(TRADING.append(pd.DatetimeIndex([saturday])), max_gap=None, freq="B")
    assert after == [pd.Timestamp("2024-01-15"), pd.Timestamp("2024-01-16")]
    after = labels_after(HOURS, n_steps=1, freq=datetime.timedelta(minutes=5))
    assert after == [HOURS[-1] + pd.Timedelta(5, "min")]


# Errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "match"),
    [
        (pd.Index([1, 2, 3, 4, 7]), "has numbers without a regular step.* set_index"),
        (pd.Index([0, 10**6, 2 * 10**6, 3 * 10**6 + 1]), "has numbers without a regular step"),
        (pd.Index([0.0, 0.1, 0.2, 0.4]), "has numbers without a regular step"),
        (pd.Index([True, False] * 3), "has labels of dtype bool"),
        (pd.Index(list("abcde"), dtype=object), "has labels of dtype object.*pandas.to_datetime"),
    ],
    ids=["numbers", "nearly regular", "floats", "bool", "words"],
)
def test_labels_that_do_not_go_on_are_an_error_only_where_they_are_needed(index, match):
    with pytest.raises(ValueError, match=f"The index of the record {match}"):
        labels_after(index)
    if len(index) > 4:
        assert labels_after(index, n_steps=1, rows=[0]) == [index[4]]


@pytest.mark.parametrize(
    "index", [pd.RangeIndex(6), pd.period_range("2024-01", periods=6, freq="M")], ids=str
)
def test_freq_needs_time_stamps(index):
    with pytest.raises(ValueError, match=r"freq='h' is a step between times, but .* dtype"):
        labels_after(index, freq="h")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.zeros((3, 2, 1)), "forecast has 3 sequences, but index has 6 windows"),
        (np.zeros((6, 2)), r"forecast\[0\] has 1 axes"),
        (np.zeros((0, 2, 1)), "forecast has no sequences"),
    ],
    ids=["windows", "axes", "none"],
)
def test_a_forecast_of_other_windows_is_refused(values, match):
    _, index = sliding_windows(np.zeros(9), 4)
    with pytest.raises(ValueError, match=match):
        label_forecast(values, index)
