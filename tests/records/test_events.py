"""Events: where errors along a record are above a threshold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_lstmae import find_events

ERRORS = [0.0, 3.0, 5.0, 1.0, np.nan, 4.0, 2.0]


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
    feature_errors = table if names == [0, 1] else pd.DataFrame(table, columns=names)
    series = pd.Series(ERRORS, index=np.arange(10, 17))  # rows go by position, not by index
    events = find_events(series, 2.0, feature_errors=feature_errors)
    assert list(events["worst_feature"]) == names


@pytest.mark.parametrize("feature_errors", [None, np.zeros((7, 2))])
def test_without_events_there_are_no_rows(feature_errors):
    events = find_events(ERRORS, 9.0, feature_errors=feature_errors)
    expected = ["start", "end", "peak", "peak_at"]
    assert list(events) == expected + ["worst_feature"] * (feature_errors is not None)
    assert len(events) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 3)), 1.0), r"errors has 2 axes, .* back on their record"),
        ((ERRORS, np.nan), "'threshold' parameter"),
        ((ERRORS, "high"), "'threshold' parameter"),
        ((0.0, 1.0), "'errors' parameter"),
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
