"""Whatever a record is, windows are cut at its gaps, and results have its type and index."""

import numpy as np
import pandas as pd
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from sklearn_lstmae import find_events, sliding_windows, unwind

RECORD = np.random.default_rng(0).normal(size=(20, 2))
MINUTES = pd.date_range("2020-01-01", periods=20, freq="min")
FRAME = pd.DataFrame(RECORD, index=MINUTES, columns=["u", "v"])
GAPPY = FRAME.drop(MINUTES[7:9])  # pieces of 7 and 11 steps
MACHINES = FRAME.assign(machine=list("abbaa" * 4)).reset_index(drop=True)  # 12 rows and 8
POLARS = polars.DataFrame({name: MACHINES[name].to_list() for name in MACHINES})


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


@pytest.mark.parametrize(
    ("record", "group"),
    [
        (MACHINES, MACHINES["machine"]),  # is the column, and so no feature
        (MACHINES[["u", "v"]], MACHINES["machine"]),
        (MACHINES[["u", "v"]], MACHINES["machine"].astype("category").array),
        (MACHINES[["u", "v"]], list("abbaa" * 4)),
        (MACHINES.set_index("machine"), "machine"),
        (MACHINES.set_index("machine", append=True), "machine"),
        (RECORD, np.array(list("abbaa" * 4))),
        (RECORD, polars.Series(list("abbaa" * 4))),
        (POLARS, "machine"),
        (POLARS, POLARS["machine"]),
    ],
    ids=[
        "column", "series", "array", "list", "index", "level",
        "of array", "of array, polars", "polars", "polars column",
    ],
)  # fmt: skip
def test_a_group_is_a_column_a_level_or_values_for_the_rows(record, group):
    windows, index = sliding_windows(record, 5, 2, group=group)
    expected, of_column = sliding_windows(MACHINES, 5, 2, group="machine")
    assert_array_equal(windows, expected)
    assert_array_equal(index.groups, of_column.groups)
    assert_allclose(unwind(windows, index), RECORD, rtol=1e-14)


def test_a_level_of_the_index_is_a_group_and_the_others_label_steps():
    panel = pd.concat({"a": GAPPY, "b": FRAME}, names=["machine", "time"])
    windows, index = sliding_windows(panel, 5, group="machine")
    assert np.bincount(index.records).tolist() == [3 + 7, 16]
    assert_frame_equal(unwind(windows, index), panel)


def test_polars_comes_back_as_polars():
    frame = POLARS.drop("machine")
    windows, index = sliding_windows(frame, 5, 5)
    assert unwind(windows, index).equals(frame)
    assert unwind(windows[:, :, 0], index).equals(frame["u"])
    codes = unwind(np.ones((len(index), 3)), index, per="window")
    assert codes.columns == ["column_0", "column_1", "column_2"]
    grouped = unwind(*sliding_windows(POLARS, 4, 4, group="machine"))
    assert grouped.equals(frame)
    one, other = unwind(*sliding_windows([frame["u"], frame["v"][:10]], 5, 5))
    assert one.equals(frame["u"])
    assert other.name == "v"


def test_polars_without_values_has_nan():
    windows, _ = sliding_windows(polars.Series([1, None, 3]), 2)
    assert_array_equal(windows[:, :, 0], [[1, np.nan], [np.nan, 3]])


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (FRAME, ["u", "v"]),
        (FRAME["u"], ["u"]),
        (FRAME["u"].rename(None), None),
        (pd.DataFrame(RECORD), ["0", "1"]),
        (RECORD, None),
        ([RECORD, FRAME], ["u", "v"]),
        (POLARS.drop("machine"), ["u", "v"]),
    ],
    ids=["frame", "series", "nameless", "numbered", "array", "list", "polars"],
)
def test_an_index_keeps_the_names_of_features(record, names):
    assert sliding_windows(record, 5)[1][:2].feature_names == names


def test_what_is_short_may_be_left_out():
    records = [RECORD[:3], FRAME, RECORD[:0], GAPPY.iloc[:12]]
    windows, index = sliding_windows(records, 6, short="drop")
    assert_array_equal(index.records, [1] * 15 + [3] * 2)
    short, whole, empty, gappy = unwind(windows, index)
    assert_frame_equal(whole, FRAME, check_freq=False)
    assert np.isnan(short).all()
    assert empty.shape == (0, 2)
    assert_array_equal(gappy.isna().all(axis=1), np.arange(12) >= 7)


def test_an_error_counts_what_is_short():
    with pytest.raises(ValueError, match=r"Record 1 has 5 steps.* as have 2 of 3 .*short=.drop"):
        sliding_windows([RECORD, RECORD[:5], RECORD[:4]], 6)
    with pytest.raises(ValueError, match=r"as have 2 of 2 records\. Choose shorter windows\.$"):
        sliding_windows([RECORD[:5], RECORD[:4]], 6, short="drop")
    with pytest.raises(ValueError, match=r"The records have 2 gap.*2 of 5 .* of record 1, from"):
        sliding_windows([FRAME, GAPPY, GAPPY], 8)


@pytest.mark.parametrize(
    "short", [FRAME[:1], FRAME[:0], FRAME[:3].reset_index(drop=True), RECORD[:3]], ids=len
)
@pytest.mark.parametrize("is_first", [True, False])
def test_an_error_tells_gaps_from_short_records(is_first, short):
    def with_short(*records):
        return [short, *records] if is_first else [*records, short]

    with pytest.raises(ValueError, match=rf"1 gap.*2 of 3 .* of record {int(is_first)}, from"):
        sliding_windows(with_short(GAPPY), 8)
    n_steps, number = len(short), 0 if is_first else 1
    message = rf"Record {number} has {n_steps} steps, fewer than length=6, as have 1 of 3 pieces"
    with pytest.raises(ValueError, match=message):
        sliding_windows(with_short(GAPPY), 6)
    windows, _ = sliding_windows(with_short(GAPPY), 6, short="drop")
    assert_array_equal(windows, sliding_windows(GAPPY, 6)[0])


def test_tables_with_labels_elsewhere_are_read_as_those_of_pandas():
    dataframe = pytest.importorskip("dask.dataframe")
    xarray = pytest.importorskip("xarray")
    expected, index = sliding_windows(GAPPY, 5)
    array = xarray.DataArray(GAPPY.to_numpy(), [("time", GAPPY.index), ("x", ["u", "v"])])
    for record in (array, dataframe.from_pandas(GAPPY, npartitions=2)):
        windows, its_index = sliding_windows(record, 5)
        assert_array_equal(windows, expected)
        assert_array_equal(its_index.starts, index.starts)
        assert its_index.feature_names == ["u", "v"]
        assert_frame_equal(unwind(windows, its_index), GAPPY, check_names=False, check_freq=False)
        pair, _ = sliding_windows([record, GAPPY], 5)
        assert len(pair) == 2 * len(expected)
    machines = dataframe.from_pandas(MACHINES, npartitions=2)
    assert_array_equal(
        sliding_windows(machines, 5, group="machine")[0],
        sliding_windows(MACHINES, 5, group="machine")[0],
    )
    errors = GAPPY.abs()
    expected = find_events(errors["u"], 0.5, feature_errors=errors, max_gap=20)
    theirs = xarray.DataArray(errors["u"]), xarray.DataArray(errors)
    got = find_events(theirs[0], 0.5, feature_errors=theirs[1], max_gap=20)
    assert_frame_equal(got, expected)
    with pytest.raises(TypeError, match=r"Dataset of xarray.*record\.to_dataframe\(\)"):
        sliding_windows(array.to_dataset(dim="x"), 5)


# What is refused -------------------------------------------------------------------------


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
            r"The record has 1 gap\(s\) .* 1 of 2 pieces .* from 2020-01-01 00:00:00 to "
            r"2020-01-01 00:06:00 has 7.*short=.drop",
        ),
        (RECORD[:0], {}, ValueError, "has 0 steps"),
        (with_index(WEEK[[0, 2, 1]]), {}, ValueError, r"2020-01-03 .* 2020-01-02 .* at step 2"),
        (with_index(WEEK[[0, 1, 1]]), {}, ValueError, "does not increase: .* several records"),
        (with_index(WEEK[::-1]), {}, ValueError, "Sort it"),
        (with_index(WEEK[:2].append(pd.DatetimeIndex([None]))), {}, ValueError, "time at step 2"),
        ([FRAME, with_index(WEEK[[1, 0]]).to_frame()], {}, ValueError, "record 0 has 2"),
        (with_index(PANEL), {}, ValueError, r"2 levels, \['machine', 'step'\].*as group="),
        (with_index(PANEL.set_names([None, None])), {}, ValueError, r"rename_axis\(\['level_0'"),
        (FRAME.assign(name="x"), {}, ValueError, "'x', at step 0 of column 'name' of the record"),
        (FRAME.assign(name="x"), {}, ValueError, "If it identifies the record, name it with"),
        (FRAME.reset_index(), {}, TypeError, r"'index' .* dtype datetime64.*set_index.*group="),
        (
            MACHINES.astype({"machine": "category"}), {}, TypeError,
            "Column 'machine' of the record has dtype category.*OneHotEncoder.*group=",
        ),
        ([FRAME, FRAME.assign(v=WEEK[0].date())], {}, TypeError, "'v' of record 1 holds a time"),
        (pd.Series(list("abcdef"), name="s"), {}, ValueError, "'a', at step 0 of the record"),
        (np.array(list("abcdef")), {}, ValueError, "could not convert string to float"),
        (WEEK.to_numpy(), {}, TypeError, "The record has dtype datetime64"),
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
        (RECORD, {"group": "machine"}, TypeError, "column of a DataFrame.* type ndarray: pass"),
        (MACHINES, {"group": ["u", "v"]}, ValueError, r"shape \(2,\).* 20 rows.*ngroup\(\)"),
        (MACHINES, {"group": MACHINES[["u", "v"]]}, ValueError, r"group has shape \(20, 2\)"),
        (MACHINES, {"group": ("u", "v")}, ValueError, r"names 0 of .* of the index \[None\]"),
        (MACHINES["u"], {"group": MACHINES["machine"][::-1]}, ValueError, "another index than"),
        (RECORD, {"group": [None] + [1.0] * 19}, ValueError, "value in row 0"),
        (FRAME[["u", "u"]], {}, ValueError, "The record has two columns 'u'"),
        ({"a": FRAME}, {}, TypeError, r"is a dict.*list\(records.values\(\)\).*group=.record"),
        ({"a": FRAME}.values(), {}, TypeError, r"is a dict_values.*list\(records\)"),
        (iter([FRAME]), {}, TypeError, r"is a list_iterator.*list\(records\)"),
        (MACHINES.groupby("machine"), {}, TypeError, "is a groupby object. Pass the DataFrame"),
        (POLARS.group_by("machine"), {}, TypeError, "is a groupby object. Pass the DataFrame"),
        (list(MACHINES.groupby("machine")), {}, TypeError, "0 is a pair .*for _, table in groupby"),
        (POLARS, {}, ValueError, "'a', at step 0 of column 'machine' of the record.*group="),
        (
            polars.DataFrame({"t": WEEK.to_numpy()}), {}, TypeError,
            r"drop the column, or, .* Times show gaps only in the index of a pandas DataFrame\.$",
        ),
        ([MACHINES], {"group": "machine"}, TypeError, "passed as a list"),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(record, options, error, message):
    with pytest.raises(error, match=message):
        sliding_windows(record, **{"length": 5} | options)


def test_a_group_without_a_value_is_named_whatever_it_is():
    group = pd.Series(["a"] * 5 + ["b"] * 4 + [pd.NA], dtype="string", name="m")
    frame = pd.DataFrame({"m": group, "x": np.arange(10.0)})
    for record, by in ((frame, "m"), (frame, group), (frame[["x"]], group.to_numpy())):
        with pytest.raises(ValueError, match="The group has no value in row 9"):
            sliding_windows(record, 3, group=by)
    full = frame.fillna({"m": "b"})
    windows, index = sliding_windows(full, 3, group=full["m"])
    assert windows.shape == (6, 3, 1)  # the group is a column of the record, and so no feature
    assert index.feature_names == ["x"]
