"""Times in the index of a record, whatever their make: gaps, durations and advice that works."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pyarrow
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae import sliding_windows, unwind
from sklearn_lstmae.records.times import as_times

HOURS = pd.date_range("2024-01-01", periods=40, freq="h").delete(slice(20, 23))  # 20 and 17
DAYS = pd.date_range("2024-01-01", periods=40).delete(slice(20, 23))
BERLIN = HOURS.tz_localize("UTC").tz_convert("Europe/Berlin")


def series(index):
    return pd.Series(np.arange(float(len(index))), index)


def arrow(kind, *options):
    return pd.ArrowDtype(getattr(pyarrow, kind)(*options))


MAKES = {
    "datetime": HOURS,
    "seconds": HOURS.as_unit("s"),
    "period": HOURS.to_period("h"),
    "timedelta": HOURS - HOURS[0],
    "arrow": HOURS.astype(arrow("timestamp", "ns")),
    "arrow zone": BERLIN.astype(arrow("timestamp", "us", "Europe/Berlin")),
    "arrow date32": pd.Index(DAYS.date, dtype=arrow("date32")),
    "arrow date64": pd.Index(DAYS.date, dtype=arrow("date64")),
    "arrow duration": (HOURS - HOURS[0]).astype(arrow("duration", "ms")),
    "objects": HOURS.astype(object),
    "objects of datetime": pd.Index(HOURS.to_pydatetime(), dtype=object),
    "objects of numpy": pd.Index(list(HOURS.to_numpy()), dtype=object),
    "objects of timedelta": pd.Index((HOURS - HOURS[0]).to_pytimedelta(), dtype=object),
    "objects of period": HOURS.to_period("h").astype(object),
    "dates": pd.Index(DAYS.date, dtype=object),
    "mixed offsets": pd.Index(
        [
            stamp.tz_convert(datetime.timezone(datetime.timedelta(hours=number % 2)))
            for number, stamp in enumerate(BERLIN)
        ],
        dtype=object,
    ),
    "categories": pd.CategoricalIndex(HOURS),
    "intervals": pd.IntervalIndex.from_breaks(pd.date_range("2024", periods=38, freq="h"))[
        np.delete(np.arange(37), [20, 21])
    ],
}


@pytest.mark.parametrize("make", MAKES)
def test_times_of_every_make_have_gaps(make):
    record = series(MAKES[make])
    windows, index = sliding_windows(record, 10)
    assert len(windows) == 11 + len(record) - 20 - 9
    assert not ((windows[:, 0, 0] < 20) & (windows[:, -1, 0] >= 20)).any()
    pd.testing.assert_series_equal(unwind(windows, index), record)


@pytest.mark.parametrize("make", MAKES)
def test_times_of_every_make_must_increase(make):
    with pytest.raises(ValueError, match=r"does not increase: .* at step 1"):
        sliding_windows(series(MAKES[make][::-1]), 10)


@pytest.mark.parametrize("make", MAKES)
def test_without_gaps_rows_follow_each_other_whatever_the_times_are(make):
    windows, _ = sliding_windows(series(MAKES[make][::-1]), 10, max_gap=None)
    assert len(windows) == len(MAKES[make]) - 9


@pytest.mark.parametrize(
    "labels",
    [[3, 1, 2], [0.5, 2.0, 1.0], ["b", "a", "c"], [datetime.time(2), datetime.time(1)], [None, 1j]],
    ids=str,
)
def test_other_labels_are_no_times(labels):
    assert as_times(pd.Index(labels)) is None


@pytest.mark.parametrize("make", ["arrow", "objects", "dates"])
def test_a_missing_time_is_named(make):
    index = MAKES[make][:3].append(pd.Index([None], dtype=MAKES[make].dtype))
    with pytest.raises(ValueError, match="no time at step 3"):
        sliding_windows(series(index), 2)


@pytest.mark.parametrize(
    "labels",
    [HOURS.astype(str), HOURS.strftime("%d.%m.%Y %H:%M"), HOURS.strftime("%m/%d/%y"),
     HOURS.strftime("%Y%m%dT%H%M%S"), HOURS.strftime("%H:%M"), HOURS.strftime("%Y-%m")],
    ids=lambda labels: labels[0],
)  # fmt: skip
def test_strings_that_look_like_times_get_a_warning(labels):
    with pytest.warns(UserWarning, match=r"such as '.*record.index = pandas.to_datetime") as caught:
        assert len(sliding_windows(series(labels), 10)[1]) == 28
    assert caught[0].filename == __file__
    sliding_windows(series(labels), 10, max_gap=None)


@pytest.mark.parametrize(
    "labels", [list("abcd"), ["1", "2", "10"], ["may", "june"], ["id-2024-01"]]
)
def test_other_strings_get_none(labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sliding_windows(series(labels), 1)


# What a gap is ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["datetime", "period", "timedelta", "arrow", "objects"])
@pytest.mark.parametrize(
    ("max_gap", "is_cut"),
    [("3h", True), ("4h", False), (datetime.timedelta(hours=3), True), (pd.Timedelta("5h"), False),
     (np.timedelta64(200, "m"), True), ("auto", True), (None, False)],
    ids=str,
)  # fmt: skip
def test_a_gap_is_longer_than_max_gap(make, max_gap, is_cut):
    windows, _ = sliding_windows(series(MAKES[make]), 10, max_gap=max_gap)
    assert len(windows) == (19 if is_cut else 28)


def test_max_gap_counts_where_the_frequency_is_known():
    days = pd.bdate_range("2024-01-01", periods=20)
    assert len(sliding_windows(series(days), 5, max_gap="1D")[1]) == 4


@pytest.mark.parametrize(
    ("record", "max_gap", "message"),
    [
        (np.arange(9.0), "1h", r"max_gap='0 days 01:00:00' .* has no index: .* count steps"),
        (series([1, 2, 3]), "1h", "its index has dtype int64"),
        (series(HOURS), "often", "max_gap='often' is not a duration: pass a number and its unit"),
        (series(HOURS), "0s", "max_gap='0s' must be longer than 0"),
        (series(HOURS), 2, "'max_gap' parameter of sliding_windows"),
    ],
)
def test_what_is_no_gap_is_refused(record, max_gap, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(record, 2, max_gap=max_gap)


# Advice ----------------------------------------------------------------------------------

MORE_HOURS = pd.date_range("2024", periods=300, freq="h")
SECONDS = pd.date_range("2024", periods=300, freq="s").delete(np.arange(20, 300, 20))
STAMPS = pd.Timestamp("2024") + pd.to_timedelta(
    np.cumsum(np.random.default_rng(0).integers(120, 900, 300)), "s"
)
FAST = pd.Timestamp("2024") + pd.to_timedelta(
    np.cumsum(np.random.default_rng(0).integers(12, 90, 300)), "ms"
)
SLOW = pd.Timestamp("2024") + pd.to_timedelta(
    np.cumsum(np.random.default_rng(0).integers(9, 90, 300)), "h"
)
TRADING = pd.bdate_range("2024-01-01", periods=99).delete([10, 60])
SESSIONS = MORE_HOURS[(MORE_HOURS.hour >= 9) & (MORE_HOURS.hour < 16)]
PERIODS = MORE_HOURS.to_period("h")[np.arange(300) % 20 > 0]


@pytest.mark.parametrize(
    ("times", "advice", "follow"),
    [
        (SECONDS, r'asfreq\("s"\)', lambda record: record.asfreq("s")),
        (
            SECONDS - SECONDS[0], r'resample\("s"\)',
            lambda record: record.resample("s").mean(),
        ),
        (STAMPS, r'resample\("10min"\)', lambda record: record.resample("10min").mean()),
        (FAST, r'resample\("5\dms"\)', lambda record: record.resample("52ms").mean()),
        (SLOW, r'resample\("3D"\)', lambda record: record.resample("3D").mean()),
        (TRADING, "follow each other", lambda record: record.reset_index(drop=True)),
        (TRADING, r'asfreq\("B"\)', lambda record: record.asfreq("B")),
        (SESSIONS, "as those of sessions do", lambda record: record.reset_index(drop=True)),
        (
            PERIODS, r"reindex\(pandas.period_range\(",
            lambda record: record.reindex(pd.period_range(record.index[0], record.index[-1])),
        ),
    ],
    ids=["seconds", "timedelta", "stamps", "fast", "slow", "days", "days", "sessions", "periods"],
)  # fmt: skip
def test_advice_fits_the_record_and_works(times, advice, follow):
    record = series(times)
    with pytest.raises(ValueError, match=rf"gap\(s\).*{advice}.*Choose shorter windows"):
        sliding_windows(record, 24)
    filled = follow(record)
    assert filled.notna().sum() > 0.5 * len(record)
    assert len(sliding_windows(filled, 24)[1]) == len(filled) - 23
    assert len(sliding_windows(record, 24, max_gap=None)[1]) == len(record) - 23


# Durations -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["datetime", "period", "timedelta", "arrow", "arrow zone"])
@pytest.mark.parametrize(
    "length", ["10h", "600min", datetime.timedelta(hours=10), np.timedelta64(10, "h")], ids=str
)
def test_a_length_may_be_a_duration(make, length):
    record = series(MAKES[make])
    windows, index = sliding_windows(record, length, "2h")
    expected, of_steps = sliding_windows(record, 10, 2)
    assert_array_equal(windows, expected)
    assert_array_equal(index.starts, of_steps.starts)


DAYS_OF_BERLIN = pd.date_range("2024-03-20", periods=30, tz="Europe/Berlin")  # one has 23 hours


def test_days_on_which_clocks_change_are_days():
    record = series(DAYS_OF_BERLIN)
    assert_array_equal(sliding_windows(record, "7D")[0], sliding_windows(record, 7)[0])
    assert len(sliding_windows(record, 7, max_gap="1D")[0]) == 24
    autumn = series(pd.date_range("2024-10-20", periods=30, tz="Europe/Berlin"))  # 25 hours
    assert len(sliding_windows(autumn, 7, max_gap="1D")[0]) == 24
    hours = series(pd.date_range("2024-10-26", periods=72, freq="h", tz="Europe/Berlin"))
    assert len(sliding_windows(hours, "24h", max_gap="1h")[0]) == 49


def test_advice_counts_days_on_which_clocks_change():
    trading = DAYS_OF_BERLIN[DAYS_OF_BERLIN.day_of_week < 5]
    with pytest.raises(ValueError, match="It has no weekends"):
        sliding_windows(series(trading), 7)
    with pytest.raises(ValueError, match=r'Fill gaps with NaN, asfreq\("D"\)'):
        sliding_windows(series(DAYS_OF_BERLIN.delete(3)), 7)


def test_clocks_that_were_set_back_need_a_time_zone():
    night = pd.DatetimeIndex([f"2024-10-27 0{hour}:00" for hour in (1, 2, 2, 3)])
    with pytest.raises(ValueError, match=r"does not increase.*tz_localize\(zone, ambiguous"):
        sliding_windows(series(night), 2)
    zoned = series(night.tz_localize("Europe/Berlin", ambiguous="infer"))
    assert len(sliding_windows(zoned, 2)[0]) == 3
    with pytest.raises(ValueError, match=r"does not increase.*with group=\.$"):
        sliding_windows(zoned[::-1], 2)


def test_a_duration_has_as_many_steps_in_all_records():
    long = pd.concat({"a": series(HOURS), "b": series(HOURS[:1])}, names=["id", "time"])
    windows, _ = sliding_windows(long.to_frame("x"), "10h", group="id", short="drop")
    assert windows.shape == (19, 10, 1)


@pytest.mark.parametrize("hours", [[0, 168], [0, 1, 3]], ids=["a week apart", "not regular"])
def test_a_record_that_is_too_short_needs_no_regular_times(hours):
    short = series(HOURS[0] + pd.to_timedelta(hours, unit="h"))
    records = [short, series(HOURS)]
    windows, _ = sliding_windows(records, "10h", "2h", short="drop")
    assert_array_equal(windows, sliding_windows(records, 10, 2, short="drop")[0])
    with pytest.raises(ValueError, match=r"Record 0 has [23] steps, .* shorter out with"):
        sliding_windows(records, "10h", max_gap="200h")
    with pytest.raises(ValueError, match=r"not regular|has a time each"):
        sliding_windows(records, "2h")


@pytest.mark.parametrize(
    ("record", "length", "message"),
    [
        (np.arange(9.0), "1D", r"length='1D' is a duration.* has no index: .* count steps"),
        (series([1, 2, 3]), "1D", "its index has dtype int64"),
        (series(HOURS), "90min", "not a multiple of the step of the record, 0 days 01:00:00"),
        (series(HOURS), "D", "length='D' is not a duration: pass a number and its unit"),
        (series(HOURS), "-1D", "must be longer than 0"),
        (series(STAMPS), "1D", "not regular: they differ by 0 days 00:02:"),
        ([series(HOURS), series(DAYS)], "1D", "record 0 has a time each 0 days 01:00:00 and rec"),
        (series(HOURS[:1]), "1D", "no record has two steps"),
        (series(HOURS[::-1]), "1D", "does not increase"),
    ],
)  # fmt: skip
def test_a_duration_that_is_no_number_of_steps_is_refused(record, length, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(record, length)
