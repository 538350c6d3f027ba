"""Errors along a record -> the stretches of it that stand out."""

from itertools import pairwise
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_lstmae._sklearn import Interval, positive_int, validate_params
from sklearn_lstmae.records.tables import Source, Table, is_pandas, with_index
from sklearn_lstmae.records.times import as_times, has_frequency, is_gap
from sklearn_lstmae.records.windows import WindowIndex

if TYPE_CHECKING:
    import pandas


@validate_params(
    {
        "errors": ["array-like"],
        "threshold": [Interval(Real, None, None, closed="both")],
        "feature_errors": ["array-like", None],
        "max_gap": [Interval(Integral, 0, None, closed="left")],
        "min_length": [positive_int],
        "index": [WindowIndex, None],
    },
    prefer_skip_nested_validation=True,
)
def find_events(
    errors: Any,
    threshold: float,
    *,
    feature_errors: Any = None,
    max_gap: int = 0,
    min_length: int = 1,
    index: WindowIndex | None = None,
) -> "pandas.DataFrame":
    """Find the intervals of a record in which errors are above a threshold.

    An event is a run of consecutive steps whose errors are above ``threshold``. It does not cross a
    gap in the times of the record. If there are several records, pass the ``index`` of
    `sliding_windows`.

    Parameters
    ----------
    errors : Series or array of shape (S,), or list of them
        Error of each step: the higher, the more abnormal. `unwind` returns it for
        ``errors(X, per="step")``. NaN is not above the threshold. A list contains the errors of
        several records.

    threshold : float
        Threshold in units of ``errors``. A quantile of the errors of a normal record determines the
        rate of false alarms. With the 0.99 quantile, one in a hundred normal steps is above it.
        Many of these false events are single steps, which ``min_length`` leaves out. With an
        infinite threshold there are no events.

    feature_errors : DataFrame or array of shape (S, F), or list of them, default=None
        Error of each step and feature, from which the worst feature of an event is computed. The
        rows of a pandas DataFrame are matched with those of a Series by their labels.

    max_gap : int, default=0
        Events with at most ``max_gap`` steps between them are joined, whatever the errors of these
        steps are.

    min_length : int, default=1
        Smallest number of steps of an event. Shorter ones are left out.

    index : WindowIndex, default=None
        The index that `sliding_windows` returned for the windows of the errors. No event crosses
        one of its groups, records or gaps. If None, an event ends at a gap in the time index of a
        Series. It also ends where numbers or times in that index decrease, because another record
        begins there.

    Returns
    -------
    events : pandas.DataFrame
        One row per event, in the order of the record, with the columns

        - "group", if there are several records: the group of the event, or the number of its record
          in a list;
        - "start", "end": first and last step of the event, in the index of a Series (such as
          times), or counted from 0 for an array;
        - "peak", "peak_at": largest error of the event, and the step with that error;
        - "worst_feature", with ``feature_errors``: feature with the largest mean error in the
          event, as the name of its column, or as its number if it has no name.

    Raises
    ------
    ValueError
        If ``errors`` does not have one axis, or does not fit the records of ``index``; if ``index``
        is needed to separate records, because a time occurs twice in a row in the index of
        ``errors``, or a time or number is missing there; if the rows of
        ``feature_errors`` do not match those of ``errors``, or records differ in their features.

    See Also
    --------
    unwind : Map errors of windows back to the steps of the record.
    ErrorDisplay : Draw errors along a record, with events.
    LSTMAutoencoderDetector : Find outliers among whole sequences.

    Examples
    --------
    >>> from sklearn_lstmae import find_events
    >>> print(find_events([0.1, 0.9, 1.2, 0.1, 0.1, 0.8], threshold=0.5))
       start  end  peak  peak_at
    0      1    2   1.2        2
    1      5    5   0.8        5
    """
    import pandas as pd

    is_list = isinstance(errors, (list, tuple)) and any(np.ndim(item) for item in errors)
    records = [with_index(record) for record in (errors if is_list else [errors])]
    indexes = [record.index if is_pandas(record) else None for record in records]
    parts = [_read_errors(record) for record in records]
    if index is None:
        source = _source_of(parts, indexes, is_list)
    else:
        source = index.source
        _check_agrees(source, parts, indexes, is_list)
    columns = ["start", "end", "peak", "peak_at"]
    names = table = None
    if feature_errors is not None:
        columns.append("worst_feature")
        tables = [with_index(table) for table in (feature_errors if is_list else [feature_errors])]
        names, table = _read_features(tables, parts, indexes)
        if not is_pandas(tables[0]) and source.feature_names is not None:
            names = source.feature_names if len(source.feature_names) == len(names) else names
        table = source.arrange(table)
    values = source.arrange(np.concatenate(parts))  # (S,)

    rows = []
    for number, (begin, end) in enumerate(pairwise(source.bounds)):
        labels = _labels_of(source, number, indexes)
        for first, last in _events(values[begin:end] > threshold, source, number, max_gap):
            if last - first < min_length - 1:
                continue
            stretch = slice(begin + first, begin + last + 1)
            peak = first + np.nanargmax(values[stretch])
            row = [labels[first], labels[last], values[begin + peak], labels[peak]]
            if table is not None:
                row.append(_largest_mean(table[stretch], names))
            rows.append(row if source.labels is None else [source.labels[number], *row])
    return pd.DataFrame(rows, columns=columns if source.labels is None else ["group", *columns])


# Reading ---------------------------------------------------------------------------------


def _read_errors(errors):
    """Errors of one record as float64: (S,)."""
    if np.ndim(errors) != 1:
        raise ValueError(
            f"errors has {np.ndim(errors)} axes, but one error per step is expected, shape (T,): "
            "map the errors of windows to their record with unwind first."
        )
    if is_pandas(errors):
        return errors.to_numpy(np.float64, na_value=np.nan)
    return np.asarray(errors, dtype=np.float64)


def _source_of(parts, indexes, is_list):
    """Records of errors that come without an index of windows."""
    bounds = np.cumsum([0, *map(len, parts)])
    starts = [
        first + np.append(0, _find_cuts(index))
        for first, index in zip(bounds[:-1], indexes, strict=True)
    ]
    return Source(
        tables=tuple(Table(index, None, True) for index in indexes),
        bounds=bounds,
        is_list=is_list,
        labels=np.arange(len(parts)) if is_list else None,
        pieces=np.append(np.concatenate(starts), bounds[-1]),
    )


def _find_cuts(index):
    """Steps at which an event cannot go on, from the labels of the steps alone."""
    import pandas as pd

    none = np.empty(0, dtype=int)
    if index is None or len(index) < 2:
        return none
    if index.nlevels > 1:
        raise ValueError(
            f"The index of errors has {index.nlevels} levels, so it contains several records: pass "
            "index=, the index of the windows, or the errors of one record."
        )
    times = as_times(index)
    if times is not None:
        labels, steps = times, np.diff(times.asi8)
        if not steps.all() and not times.hasnans:
            raise ValueError(
                f"errors has several rows with the time {times[np.argmin(steps != 0)]}, so it "
                "contains several records: pass index=, the index of the windows, or the errors of "
                "one record."
            )
    elif pd.api.types.is_numeric_dtype(index.dtype):
        labels = index
        steps = np.diff(index.to_numpy(np.float64, na_value=np.nan))
    else:
        return none
    if labels.hasnans:
        raise ValueError(
            f"The index of errors has no value at step {np.argmax(labels.isna())}: pass index=, "
            "the index of the windows, or errors.reset_index(drop=True) if its rows follow each "
            "other."
        )
    if not steps.any():
        return none
    steps = steps * np.sign(np.median(steps[steps != 0]))  # records may run backwards, too
    is_cut = steps < 0
    if times is not None and not has_frequency(times):
        is_cut |= is_gap(steps)
    return np.flatnonzero(is_cut) + 1


def _check_agrees(source, parts, indexes, is_list):
    """Raise unless errors are those of all steps of the records of an index of windows."""
    lengths = [len(part) for part in parts]
    expected = np.diff(source.bounds).tolist() if source.is_list else [int(source.bounds[-1])]
    if is_list != source.is_list or lengths != expected:
        got, wanted = (
            f"{'a list of records of' if listed else 'one record of'} {sizes} steps"
            for listed, sizes in [(is_list, lengths), (source.is_list, expected)]
        )
        raise ValueError(
            f"errors is {got}, but index is of {wanted}: pass what unwind returned for this index."
        )
    for index, table in zip(indexes, source.tables, strict=True):
        if index is not None and table.index is not None and not index.equals(table.index):
            raise ValueError(
                "errors has other labels than the record of index: pass what unwind returned for "
                "this index, in the same order."
            )


def _read_features(tables, parts, indexes):
    """Names of the features, and their errors in the order of the errors of steps: (S, F)."""
    if len(tables) != len(parts):
        raise ValueError(
            f"feature_errors has {len(tables)} records, but errors has {len(parts)}: both must "
            "be of the same records."
        )
    arrays = []
    names = _columns_of(tables[0])
    for number, (table, part, index) in enumerate(zip(tables, parts, indexes, strict=True)):
        if len(table) != len(part):
            raise ValueError(
                f"feature_errors has {len(table)} rows, but errors has {len(part)} steps: both "
                "must be of one record."
            )
        if is_pandas(table) and index is not None and not table.index.equals(index):
            if (
                not index.is_unique
                or not table.index.is_unique
                or len(table.index.difference(index))
            ):
                raise ValueError(
                    "feature_errors has other labels than errors: both must be of one record. If "
                    "only the labels differ, pass feature_errors.to_numpy()."
                )
            table = table.reindex(index)
        columns = _columns_of(table)
        if columns and names and set(columns) == set(names):
            table, columns = table[names], names
        arrays.append(np.asarray(table, dtype=np.float64).reshape(len(part), -1))
        if columns != names or arrays[-1].shape[1] != arrays[0].shape[1]:
            got, expected = (
                columns or f"{array.shape[1]} columns without names"
                for columns, array in [(columns, arrays[-1]), (names, arrays[0])]
            )
            raise ValueError(
                f"feature_errors has {got} in record {number}, but {expected} in record 0: pass "
                "the same features for all records."
            )
    values = np.concatenate(arrays)
    return names or list(range(values.shape[1])), values


def _columns_of(table):
    """Names of the columns of a table, None for an array."""
    return list(table.columns) if hasattr(table, "columns") else None


def _labels_of(source, number, indexes):
    """Labels of the steps of one record: those of the record, of its errors, or numbers."""
    import pandas as pd

    labels = source.index_of(number)
    if labels is not None:
        return labels
    begin, end = source.bounds[number : number + 2]
    if source.is_list:
        return pd.RangeIndex(end - begin) if indexes[number] is None else indexes[number]
    [labels] = [pd.RangeIndex(source.bounds[-1]) if each is None else each for each in indexes]
    return labels[begin:end] if source.order is None else labels[source.order[begin:end]]


# Events ----------------------------------------------------------------------------------


def _events(is_above, source, number, max_gap):
    """Yield first and last step of each event of a record, counted in it."""
    begin, end = source.bounds[number : number + 2]
    cuts = source.cuts
    cuts = cuts[(cuts >= begin) & (cuts <= end)] - begin
    for first, stop in pairwise(cuts):
        for start, last in _runs(np.flatnonzero(is_above[first:stop]), max_gap):
            yield first + start, first + last


def _largest_mean(errors, names):
    """Name of the feature with the largest mean over steps (S, F), NaN aside; None if all are."""
    counts = (~np.isnan(errors)).sum(axis=0)
    means = np.where(counts, np.nansum(errors, axis=0) / np.maximum(counts, 1), -np.inf)
    return names[np.argmax(means)] if counts.any() else None


def _runs(steps, max_gap):
    """First and last of each run of increasing steps (K,); gaps up to ``max_gap`` do not end it."""
    if not steps.size:
        return []
    ends = np.flatnonzero(np.diff(steps) > 1 + max_gap)
    firsts = steps[np.append(0, ends + 1)]
    lasts = steps[np.append(ends, len(steps) - 1)]
    return zip(firsts, lasts, strict=True)
