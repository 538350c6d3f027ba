"""A long record <-> windows: `sliding_windows` cuts it, `unwind` leads back to its own steps."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from sklearn_lstmae._sklearn import StrOptions, positive_int, validate_params
from sklearn_lstmae.records.tables import Source, read_records
from sklearn_lstmae.records.times import (
    advise_on_gaps,
    as_times,
    count_steps,
    find_gaps,
    read_duration,
    warn_of_strings,
)
from sklearn_lstmae.sequences.numbers import capitalized

durations = [str, timedelta, np.timedelta64]


@dataclass(frozen=True, eq=False, repr=False)
class WindowIndex:
    """Positions of windows in their records, as `sliding_windows` returns them.

    ``len(index)`` is the number of windows. ``index[rows]`` is the index of some of them, where
    rows is a slice, a mask or an array of row numbers.

    .. versionadded:: 0.1

    Attributes
    ----------
    length : int
        Number of steps T of each window.

    starts : ndarray of shape (N,), int
        First step of each window in its record, from 0.

    records : ndarray of shape (N,), int
        Number of the record from which each window was cut, from 0.

    groups : ndarray of shape (N,) or None
        Group of each window: a value of the group column, or the number of the record in a list.
        `WindowSplit` keeps the windows of a group together. None for a single record.

    source : Source
        Lengths, indexes, gaps and column names of the records, for `unwind` and `find_events`.

    feature_names : list of F str or None
        Names of the columns of the record. Windows are an array, which has no names: pass these as
        ``feature_names`` to `LSTMAutoencoderDetector.explain` and to displays.

    See Also
    --------
    sliding_windows : Cut a long record into windows.
    """

    length: int
    starts: np.ndarray
    records: np.ndarray
    groups: np.ndarray | None
    source: Source

    @property
    def places(self) -> np.ndarray:
        """First step of each window on the long axis of all records: (N,)."""
        return self.source.bounds[self.records] + self.starts

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the columns of the record, None if it has none."""
        return self.source.feature_names

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> "WindowIndex":
        rows = np.arange(len(self))[rows]
        if rows.ndim != 1:
            raise TypeError(
                "A WindowIndex is indexed with a slice, a mask or a 1-D array of row numbers: "
                "index[3:4] is the index of one window. If you passed the index as X: "
                "sliding_windows returns (windows, index), and X is the windows."
            )
        groups = None if self.groups is None else self.groups[rows]
        return WindowIndex(self.length, self.starts[rows], self.records[rows], groups, self.source)

    def __repr__(self) -> str:
        n_records = len(self.source.bounds) - 1
        return f"<WindowIndex: {len(self)} windows of {self.length} steps, {n_records} record(s)>"


@validate_params(
    {
        "length": [*durations, positive_int],
        "stride": [*durations, positive_int],
        "max_gap": [*durations, None],
        "short": [StrOptions({"error", "drop"})],
    },
    prefer_skip_nested_validation=True,
)
def sliding_windows(
    record: Any,
    length: int | str | timedelta | np.timedelta64,
    stride: int | str | timedelta | np.timedelta64 = 1,
    *,
    group: Any = None,
    max_gap: str | timedelta | np.timedelta64 | None = "auto",
    short: Literal["error", "drop"] = "error",
) -> tuple[np.ndarray, WindowIndex]:
    """Cut a long record into windows of equal length.

    The last window ends where the record ends, even if it then begins less than ``stride`` steps
    after the previous one.

    Parameters
    ----------
    record : array, Series or DataFrame of shape (S,) or (S, F), or list of them
        One record of S steps, or several, whose lengths may differ, with the same features. Values
        are numbers or NaN. Series and DataFrames may come from pandas or polars. A DataArray of
        xarray and a DataFrame or Series of Dask are read as their counterparts in pandas.

        If the index of a record contains times (time stamps, dates, durations or periods, also as
        Arrow types or objects), no window crosses a gap between them: see ``max_gap``. Labels of
        any other index are not times: all rows follow each other. Strings that look like times are
        labels, with a warning.

    length : int, str or timedelta
        Number of steps T of a window, or its duration, such as "24h". A duration needs an index
        with regular times; gaps are allowed.

    stride : int, str or timedelta, default=1
        Number of steps, or duration, from the beginning of a window to the beginning of the next.

    group : label, or array of shape (S,), default=None
        Column of a DataFrame, or level of the index of a pandas object, that contains the record
        (machine, person) of each row; or an array or Series of these values. The rows of a record
        keep their order and need not be adjacent. The column is not a feature, even if it is passed
        as a Series.

    max_gap : str, timedelta or None, default="auto"
        Longest difference between consecutive times that is not a gap, such as "5min". "auto" is
        1.5 times the median difference; an index whose ``freq`` is set has no gaps, unless it is a
        PeriodIndex. If None, there are no gaps, whatever the times are, as for trading days.

    short : {"error", "drop"}, default="error"
        Whether a record, or a piece of one between gaps, with fewer steps than ``length`` raises an
        error or is left out.

    Returns
    -------
    windows : ndarray of shape (N, T, F)
        The windows, in the dtype of the record. F is 1 for a record of shape (S,). If ``stride``
        divides S - T, as 1 always does, the windows of one record without gaps are a read-only view
        of it, even of a memory map. Otherwise they are a copy, about T / ``stride`` times as large
        as the record.

    index : WindowIndex
        Positions of the windows, for `unwind`, `find_events` and `WindowSplit`. It also contains
        the column names of the record, ``index.feature_names``, because windows have none.

    Raises
    ------
    TypeError
        If the record is a dict, a groupby object or another collection that is not a list; if a
        column holds times or categories.
    ValueError
        If a record, or a piece of one between two gaps, is shorter than ``length`` and ``short`` is
        "error", or if all are; if its times do not increase (unless ``max_gap`` is None); if its
        values are not numbers.

    Warns
    -----
    UserWarning
        If the index contains strings that look like times.

    See Also
    --------
    unwind : Map values of windows back to the steps of the record.
    WindowSplit : Cross-validation without steps on both sides.
    find_events : Turn errors along a record into intervals.

    Notes
    -----
    The following lines turn labels of steps into labels of windows, and back::

        label_windows, index = sliding_windows(labels, length, stride)  # (N, T, 1)
        y = label_windows.any(axis=(1, 2))  # (N,): does the window have a labeled step?
        labels = unwind(y, index) > 0  # (S,): is the step in a labeled window?

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import sliding_windows, unwind
    >>> windows, index = sliding_windows(np.arange(8.0), 4, stride=3)
    >>> windows[:, :, 0]
    array([[0., 1., 2., 3.],
           [3., 4., 5., 6.],
           [4., 5., 6., 7.]])
    >>> unwind(windows, index)
    array([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    values, source = read_records(record, group)  # (S, F)
    if max_gap is not None:
        first = source.tables[0]
        labels = first.index if first.steps is None else first.steps
        warn_of_strings(labels, "the record", "so that its gaps are not seen", stacklevel=3)
        max_gap = max_gap if max_gap == "auto" else read_duration(max_gap, "max_gap")
    length = _in_steps(length, "length", source)
    stride = _in_steps(stride, "stride", source, length)
    pieces, owners = _find_pieces(source, max_gap)
    source = replace(source, pieces=pieces)
    starts, records = _cut(source, owners, length, stride, short)
    groups = None if source.labels is None else source.labels[records]
    index = WindowIndex(length, starts, records, groups, source)
    return _take_windows(values, index.places, length), index


@validate_params(
    {"index": [WindowIndex], "per": [StrOptions({"step", "window"}), None]},
    prefer_skip_nested_validation=True,
)
def unwind(
    values: npt.ArrayLike, index: WindowIndex, *, per: Literal["step", "window"] | None = None
) -> Any:
    """Map values of windows back to the steps of the record, as means over the windows.

    Parameters
    ----------
    values : array of shape (N, T), (N, T, F), (N,) or (N, L)
        One value or row per step of each window (errors, reconstructions), or per window (scores,
        labels, codes). NaN is left out of means.

    index : WindowIndex
        The index of the windows, as `sliding_windows` returned it. For some of the windows, pass
        ``index[rows]``.

    per : {"step", "window"}, default=None
        What values belong to: "step" for (N, T) and (N, T, F), "window" for (N,) and (N, L). If
        None, "window" for one axis and "step" for more, so that codes (N, L) need
        ``per="window"``. Values of shape (N, T) in float32, the type of codes, require it.

    Returns
    -------
    values : ndarray, Series or DataFrame of shape (S,) or (S, K), float64, or list of them
        The mean, at each step, over the windows that have a value there; NaN if there is none.
        The type is that of the record: an ndarray for an array, a Series or DataFrame (of pandas,
        with the same index, or of polars) for a Series or DataFrame, a list for a list. With a
        ``group``, rows and their order are those of the record, without the group's column.

        ``unwind(*sliding_windows(record, length, stride))`` equals the record up to rounding if
        ``stride`` is at most ``length``, and exactly at steps that only one window covers.

    Raises
    ------
    ValueError
        If the shape of values does not fit the windows of the index, or fits in two ways.

    TypeError
        If values are not numbers.

    See Also
    --------
    sliding_windows : Cut a long record into windows; with an example.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"values has dtype {values.dtype}, but unwind takes means of numbers.")
    if per is None:
        per = "window" if values.ndim == 1 else "step"
        if values.dtype == np.float32 and values.shape == (len(index), index.length):
            raise ValueError(
                f"values has shape {values.shape} and dtype float32, as codes of {index.length} "
                f'columns and values of {index.length} steps may have. Pass per="window" for '
                'codes, per="step" for values of steps.'
            )
    _check_shape(values, index, per)
    axes = values.ndim
    if per == "window":  # the same at each step
        shape = (len(index), index.length, *values.shape[1:])
        values = np.broadcast_to(values[:, np.newaxis], shape)
    if values.ndim == 2:
        values = values[:, :, np.newaxis]  # (N, T, K)
    means = _mean_over_windows(values, index.places, index.source.bounds[-1])  # (S, K)
    is_scalar = axes == {"step": 2, "window": 1}[per]
    return index.source.restore(means[:, 0] if is_scalar else means, axes == 3)


# From the long axis to windows, and back -------------------------------------------------


def _in_steps(size: Any, parameter: str, source: Source, length: int = 2) -> int:
    """Return a number of steps as it is, and a duration as one; ``length`` as in `count_steps`."""
    if not isinstance(size, tuple(durations)):
        return int(size)
    numbers = range(len(source.bounds) - 1)
    indexes = [(source.name_of(number), source.index_of(number)) for number in numbers]
    return count_steps(size, parameter, indexes, length)


def _find_pieces(source: Source, max_gap: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places at which pieces without a gap begin, and the end; and the record of each piece."""
    starts = [
        first + np.append(0, find_gaps(source.index_of(number), source.name_of(number), max_gap))
        for number, first in enumerate(source.bounds[:-1])
    ]
    owners = np.repeat(np.arange(len(starts)), [len(each) for each in starts])
    return np.append(np.concatenate(starts), source.bounds[-1]), owners


def _cut(
    source: Source, owners: np.ndarray, length: int, stride: int, short: str
) -> tuple[np.ndarray, np.ndarray]:
    """First step of each window in its record, and the number of that record: (N,), (N,)."""
    pieces = source.cuts
    is_short = np.less(np.diff(pieces), length)
    if is_short.all() or (short == "error" and is_short.any()):
        raise ValueError(_too_short(source, owners, is_short, length))
    starts, records = [], []
    for place in np.flatnonzero(~is_short):
        number = owners[place]
        begin, end = pieces[place : place + 2] - source.bounds[number]
        last = end - length
        starts.append(np.append(np.arange(begin, last, stride), last))
        records.append(np.full(len(starts[-1]), number))
    return np.concatenate(starts), np.concatenate(records)


def _too_short(source: Source, owners: np.ndarray, is_short: np.ndarray, length: int) -> str:
    """Message that counts the records, or pieces of them, with fewer steps than a window."""
    pieces, bounds = source.cuts, source.bounds
    has_gaps = np.bincount(owners)[owners] > 1  # the record of each piece
    places = np.flatnonzero(is_short)
    first = int(places[np.argmax(has_gaps[places])])  # where gaps can be filled, if anywhere
    number = int(owners[first])
    name, n_steps = source.name_of(number), pieces[first + 1] - pieces[first]
    may_drop = ', or leave what is shorter out with short="drop"' * (not is_short.all())
    remedy = f"Choose shorter windows{may_drop}."
    if not has_gaps[first]:
        size = f"{capitalized(name)} has {n_steps} steps, fewer than length={length}"
        what = "pieces" if has_gaps.any() else "records"
        among = f", as have {is_short.sum()} of {len(is_short)} {what}" * (len(is_short) > 1)
        return f"{size}{among}. {remedy}"
    index = source.index_of(number)
    begin, end = pieces[first : first + 2] - bounds[number]
    owner, of_record = "The record has", ""
    if len(bounds) > 2:
        owner, of_record = "The records have", f", of {name}"
    return (
        f"{owner} {len(pieces) - len(bounds)} gap(s) in the index, and {is_short.sum()} of "
        f"{len(is_short)} pieces have fewer steps than length={length}: the first{of_record}, from "
        f"{index[begin]} to {index[end - 1]} has {n_steps}. {advise_on_gaps(as_times(index))} "
        f"{remedy}"
    )


def _take_windows(values: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
    """(S, F), (N,) -> (N, T, F): a view if windows begin at equal distances."""
    windows = np.moveaxis(sliding_window_view(values, length, axis=0), -1, 1)
    steps = np.unique(np.diff(places))
    if len(steps) > 1:
        return windows[places]
    return windows[places[0] : places[-1] + 1 : steps[0] if steps.size else 1]


def _check_shape(values: np.ndarray, index: WindowIndex, per: str) -> None:
    """Raise unless there is a value for each step, or for the whole, of each window."""
    n, length = len(index), index.length
    fits = {
        "step": values.ndim in (2, 3) and values.shape[:2] == (n, length),
        "window": values.ndim in (1, 2) and values.shape[:1] == (n,),
    }
    if not fits[per]:
        raise ValueError(
            f"values has shape {values.shape}, but the index is of {n} windows of {length} steps. "
            f'Expected ({n}, {length}) or ({n}, {length}, F) with per="step", and ({n},) or '
            f'({n}, L) with per="window"; got per={per!r}. The index of some of the windows is '
            "index[rows]."
        )


def _mean_over_windows(values: np.ndarray, places: np.ndarray, n_steps: int) -> np.ndarray:
    """(N, T, K), (N,) -> (S, K): mean of the values at each step, NaN if there are none."""
    n_values = values.shape[2]
    total = np.zeros(n_steps * n_values)
    count = np.zeros_like(total)
    # add.at is ten times as fast on one axis, and with floats for both.
    cells = (places[:, np.newaxis] * n_values + np.arange(n_values)).ravel()
    with np.errstate(invalid="ignore"):  # 0 / 0 where there is no value, inf - inf
        for step in range(values.shape[1]):  # not a window at a time: there are more of them
            here = values[:, step].astype(np.float64).ravel()
            has_value = ~np.isnan(here)
            np.add.at(total, cells + step * n_values, np.where(has_value, here, 0.0))
            np.add.at(count, cells + step * n_values, has_value.astype(np.float64))
        return (total / count).reshape(n_steps, n_values)
