"""Events: where errors along a record are above a threshold."""

import numpy as np
import pandas as pd
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_lstmae import find_events, sliding_windows, unwind

ERRORS = [0.0, 3.0, 5.0, 1.0, np.nan, 4.0, 2.0]
HOURS = pd.date_range("2024-01-01", periods=12, freq="h")
PANEL = pd.MultiIndex.from_product([["a", "b"], HOURS[:6]], names=["machine", "time"])


def test_an_event_is_a_run_above_the_threshold():
    expected = {"start": [1, 5], "end": [2, 5], "peak": [5.0, 4.0], "peak_at": [2, 5]}
    pd.testing.assert_frame_equal(find_events(ERRORS, 2.0), pd.DataFrame(expected))


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_events_cover_what_is_above_and_nothing_else(above):
    covered = np.zeros(len(above), dtype=bool)
    for event in find_events(np.array(above, dtype=float), 0.5).itertuples():
        covered[event.start : event.end + 1] = True
    assert_array_equal(covered, above)


def test_an_event_stands_in_the_index_of_the_series():
    times = pd.date_range("2024-05-01", periods=7, freq="h")
    events = find_events(pd.Series(ERRORS, index=times), 2.0)
    assert list(events["start"]) == [times[1], times[5]]
    assert list(events["end"]) == [times[2], times[5]]
    assert list(events["peak_at"]) == [times[2], times[5]]


@pytest.mark.parametrize(("max_gap", "ends"), [(0, [2, 5]), (1, [2, 5]), (2, [5]), (9, [5])])
def test_events_with_a_short_gap_between_them_are_one(max_gap, ends):
    events = find_events(ERRORS, 2.0, max_gap=max_gap)
    assert list(events["end"]) == ends
    assert events["peak"][0] == 5.0


@pytest.mark.parametrize("names", [[0, 1], ["pressure", "flow"]])
def test_the_worst_feature_has_the_largest_mean_error_within_the_event(names):
    table = np.array([[9, 0], [4, 2], [3, np.nan], [9, 0], [9, 0], [1, 7], [9, 0]])
    series = pd.Series(ERRORS, index=np.arange(10, 17))
    frame = pd.DataFrame(table, series.index, names).sample(frac=1, random_state=0)
    feature_errors = table if names == [0, 1] else frame  # arrays go by position, tables by label
    events = find_events(series, 2.0, feature_errors=feature_errors)
    assert list(events["worst_feature"]) == names


@pytest.mark.parametrize("threshold", [9.0, np.inf])  # a detector may have the latter
@pytest.mark.parametrize("feature_errors", [None, np.zeros((7, 2))])
def test_without_events_there_are_no_rows(feature_errors, threshold):
    events = find_events(ERRORS, threshold, feature_errors=feature_errors)
    expected = ["start", "end", "peak", "peak_at"]
    assert list(events) == expected + ["worst_feature"] * (feature_errors is not None)
    assert len(events) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 3)), 1.0), r"errors has 2 axes, .* to their record"),
        ((ERRORS, np.nan), "'threshold' parameter"),
        ((ERRORS, "high"), "'threshold' parameter"),
        ((0.0, 1.0), "'errors' parameter"),
        (([np.zeros((2, 3))], 1.0), r"errors has 2 axes"),
        (
            (pd.Series(1.0, HOURS.repeat(2)), 0.5),
            "several rows with the time 2024-01-01 00.*index=",
        ),
        ((pd.Series(1.0, PANEL), 0.5), r"index of errors has 2 levels.*index="),
    ],
)
def test_what_is_no_record_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_events(*arguments)


def test_features_of_another_record_are_refused():
    with pytest.raises(ValueError, match="feature_errors has 3 rows, but errors has 7 steps"):
        find_events(ERRORS, 1.0, feature_errors=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="'max_gap' parameter"):
        find_events(ERRORS, 1.0, max_gap=-1)
    with pytest.raises(ValueError, match="'min_length' parameter"):
        find_events(ERRORS, 1.0, min_length=0)
    series = pd.Series(ERRORS, index=np.arange(10, 17))
    with pytest.raises(ValueError, match=r"other labels than errors.*to_numpy\(\)"):
        find_events(series, 1.0, feature_errors=pd.DataFrame(np.zeros((7, 2))))
    with pytest.raises(ValueError, match="feature_errors has 1 records, but errors has 2"):
        find_events([ERRORS, ERRORS], 1.0, feature_errors=[np.zeros((7, 2))])


# Records, groups and gaps ----------------------------------------------------------------


def events_of(values, threshold=0.5, **options):
    """Each event as (group, start, end)."""
    events = find_events(values, threshold, **options)
    names = [name for name in ("group", "start", "end") if name in events]
    return list(events[names].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "times",
    [HOURS.delete([3, 4]), HOURS.delete([3, 4]).astype("timestamp[ns][pyarrow]"),
     HOURS.delete([3, 4]).astype(object), HOURS.to_period("h").delete([3, 4]),
     (HOURS - HOURS[0]).delete([3, 4])],
    ids=["datetime", "arrow", "objects", "period", "timedelta"],
)  # fmt: skip
@pytest.mark.parametrize("max_gap", [0, 9])
def test_a_gap_in_a_time_index_ends_an_event(times, max_gap):
    errors = pd.Series(np.ones(10), times)
    expected = [(times[0], times[2]), (times[3], times[9])]
    assert events_of(errors, max_gap=max_gap) == expected
    windows, index = sliding_windows(errors, 2)
    assert events_of(unwind(windows[:, :, 0], index), index=index) == expected
    _, bridging = sliding_windows(errors, 2, max_gap=None)
    assert events_of(errors, index=bridging) == [(times[0], times[9])]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1, 2, 0, 1, 2], [(0, 2), (0, 2)]),
        ([9, 8, 7, 9, 8, 7], [(9, 7), (9, 7)]),
        ([0.5, 1.5, 7.0, 0.1, 0.2, 0.3], [(0.5, 7.0), (0.1, 0.3)]),
        ([0, 0, 0, 1, 1, 1], [(0, 1)]),
        ([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1], [(0, 1), (0, 1)]),
        ([0, 1, 5, 20, 21, 22], [(0, 22)]),  # numbers have no gaps
        (list("badcef"), [("b", "f")]),
        (HOURS[[0, 1, 2, 0, 1, 2]], [(HOURS[0], HOURS[2])] * 2),
        (HOURS[[0, 1, 2, 3, 4, 5]], [(HOURS[0], HOURS[5])]),
    ],
    ids=str,
)
def test_an_event_ends_where_labels_turn_back(labels, expected):
    assert events_of(pd.Series(1.0, labels)) == expected


INTERLEAVED = pd.DataFrame({"machine": list("abbaab" * 2), "x": 1.0}, HOURS.repeat(2)[:12])
STACKED = INTERLEAVED.sort_values("machine", kind="stable")
NUMBERED = STACKED.reset_index(drop=True)


@pytest.mark.parametrize("max_gap", [0, 9])
@pytest.mark.parametrize("frame", [INTERLEAVED, STACKED, NUMBERED], ids=["by turns", "", "numbers"])
def test_no_event_crosses_a_group(frame, max_gap):
    windows, index = sliding_windows(frame, 2, group="machine", max_gap=None)
    errors = unwind(windows[:, :, 0], index)
    expected = [(name, rows.index[0], rows.index[-1]) for name, rows in frame.groupby("machine")]
    assert events_of(errors, index=index, max_gap=max_gap) == expected
    assert events_of(errors.to_numpy(), index=index) == expected


@pytest.mark.parametrize("kind", ["level", "array", "polars"])
def test_events_of_groups_stand_in_what_labels_steps(kind):
    panel = pd.DataFrame({"x": np.r_[np.zeros(4), np.ones(5), np.zeros(3)]}, PANEL)
    if kind == "level":
        windows, index = sliding_windows(panel, 2, group="machine")
        expected = [("a", HOURS[4], HOURS[5]), ("b", HOURS[0], HOURS[2])]
    else:
        values = panel["x"].to_numpy() if kind == "array" else polars.Series("x", panel["x"])
        names = panel.index.get_level_values(0).to_numpy()
        windows, index = sliding_windows(values, 2, group=names)
        expected = [("a", 4, 5), ("b", 6, 8)]  # rows of the whole
    assert events_of(unwind(windows[:, :, 0], index), index=index, threshold=0.9) == expected


def test_a_list_has_events_by_record():
    records = [pd.Series(np.ones(4), HOURS[:4]), np.r_[0, 1.0, 1, 0, 1]]
    windows, index = sliding_windows(records, 2, 2)
    errors = unwind(windows[:, :, 0], index)
    expected = [(0, HOURS[0], HOURS[3]), (1, 1, 2), (1, 4, 4)]
    assert events_of(errors, threshold=0.9) == expected
    assert events_of(errors, threshold=0.9, index=index) == expected
    assert events_of(errors, threshold=0.9, index=index, min_length=2) == expected[:2]
    tables = [np.c_[np.zeros(4), np.ones(4)], np.c_[np.ones(5), np.zeros(5)]]
    events = find_events(errors, 0.9, index=index, feature_errors=tables)
    assert list(events["worst_feature"]) == [1, 0, 0]


def test_an_index_names_the_worst_feature_of_an_array():
    frame = pd.DataFrame({"u": [0, 0, 1.0, 0], "v": [1.0, 1, 0, 0]})
    windows, index = sliding_windows(frame, 2)
    errors = unwind(windows, index)
    events = find_events([1.0, 0, 1, 0], 0.5, index=index, feature_errors=errors.to_numpy())
    assert list(events["worst_feature"]) == ["v", "u"]
    events = find_events([1.0, 0, 1, 0], 0.5, feature_errors=polars.from_dict(dict(errors)))
    assert list(events["worst_feature"]) == ["v", "u"]


def test_short_events_are_left_out_after_neighbors_were_joined():
    errors = [1, 0, 1, 0, 0, 0, 1]
    assert events_of(errors, min_length=2) == []
    assert events_of(errors, min_length=2, max_gap=1) == [(0, 2)]
    assert events_of(errors, -np.inf, min_length=7) == [(0, 6)]


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (np.ones(5), r"one record of \[5\] steps, but index is of one record of \[6\] steps"),
        ([np.ones(6)], r"a list of records of \[6\] steps, but index is of one record"),
        (pd.Series(np.ones(6), HOURS[:6]), "errors has other labels than the record of index"),
    ],
)
def test_errors_of_another_index_are_refused(errors, message):
    _, index = sliding_windows(pd.Series(np.ones(6), HOURS[6:]), 2)
    with pytest.raises(ValueError, match=message):
        find_events(errors, 0.5, index=index)


def test_features_of_all_records_are_those_of_the_first():
    errors = [pd.Series([1.0, 1.0])] * 2
    tables = [pd.DataFrame({"a": [9.0, 9], "b": [0.0, 0]}), pd.DataFrame({"b": [0.0, 0], "a": 9.0})]
    events = find_events(errors, 0.5, feature_errors=tables)
    assert events["worst_feature"].tolist() == ["a", "a"]
    other = tables[1].rename(columns={"b": "c"})
    with pytest.raises(ValueError, match=r"\['c', 'a'\] in record 1, but \['a', 'b'\] in record 0"):
        find_events(errors, 0.5, feature_errors=[tables[0], other])
    with pytest.raises(ValueError, match="3 columns without names in record 1, but 2 columns with"):
        find_events(errors, 0.5, feature_errors=[np.ones((2, 2)), np.ones((2, 3))])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.DatetimeIndex([*HOURS[:5], None]), "has no value at step 5"),
        ([0.0, 1.0, np.nan, 3.0, 4.0, 5.0], "has no value at step 2"),
    ],
)
def test_a_label_that_is_missing_is_named(index, message):
    errors = pd.Series(np.ones(6), index)
    with pytest.raises(ValueError, match=f"{message}.*reset_index"):
        find_events(errors, 0.5)
    assert len(find_events(errors.reset_index(drop=True), 0.5)) == 1
