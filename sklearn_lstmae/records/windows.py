"""A long record <-> windows, and results back on the record's own steps."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    num_samples,
    positive_int,
    validate_parameter_constraints,
    validate_params,
)
from sklearn_lstmae.sequences.validation import as_numbers, refuse_types

# Two time stamps that are further apart than this many median differences have a gap between
# them. Months, quarters and the days on which clocks change differ by less.
GAP = 1.5


@dataclass(frozen=True, eq=False)
class Table:
    """What an array, Series or DataFrame is besides its values.

    Attributes
    ----------
    index : pandas.Index or None
        Labels of its steps; None for an array.

    columns : pandas.Index or None
        Names of its features, the one of a Series too; None for an array.

    is_flat : bool
        It has the shape (T,), not (T, F).
    """

    index: Any
    columns: Any
    is_flat: bool

    def dress(self, values: np.ndarray, are_features: bool) -> Any:
        """Make values (T,) or (T, K) an array, Series or DataFrame, as this one is.

        ``are_features``: the K columns belong to the features of the windows.
        """
        if are_features and self.is_flat and values.shape[1] == 1:
            values = values[:, 0]
        if self.index is None:
            return values
        import pandas

        if values.ndim == 1:
            return pandas.Series(values, self.index, name=self.columns[0] if are_features else None)
        are_features = are_features and len(self.columns) == values.shape[1]
        return pandas.DataFrame(values, self.index, self.columns if are_features else None)


@dataclass(frozen=True, eq=False)
class Source:
    """What windows were cut from, without its values.

    The steps of all records, one record after the other, make one long axis.

    Attributes
    ----------
    tables : tuple of Table
        What the user passed: one, or the items of a list.

    bounds : ndarray of int
        Record r has the places ``bounds[r]`` to ``bounds[r + 1] - 1`` on the long axis.

    order : ndarray of int or None
        With a group column: the row of the DataFrame at each place of the long axis.

    is_list : bool
        The user passed a list.
    """

    tables: tuple[Table, ...]
    bounds: np.ndarray
    order: np.ndarray | None = None
    is_list: bool = False

    def restore(self, values: np.ndarray, are_features: bool) -> Any:
        """Give the user back what lies along the long axis: (S,) or (S, K), S all steps."""
        if self.is_list:
            parts = np.split(values, self.bounds[1:-1])
            return [
                table.dress(part, are_features)
                for table, part in zip(self.tables, parts, strict=True)
            ]
        if self.order is not None:
            values = values[np.argsort(self.order)]
        [table] = self.tables
        return table.dress(values, are_features)


@dataclass(frozen=True, eq=False, repr=False)
class WindowIndex:
    """Where windows come from.

    `sliding_windows` makes it. ``len(index)`` is the number of windows, and ``index[rows]`` the
    index of some of them; rows is a slice, a mask or an array of row numbers.

    Attributes
    ----------
    length : int
        Steps T of each window.

    starts : ndarray of shape (N,), int
        First step of each window, from 0, counted in its record.

    records : ndarray of shape (N,), int
        Number of the record, from 0, that each window was cut from.

    groups : ndarray of shape (N,) or None
        What `WindowSplit` keeps together: the value of the group column, or the number of the
        record in a list. None for a single record.

    source : Source
        Lengths, indexes and column names of the records, for `unwind`.
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

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, rows: Any) -> "WindowIndex":
        rows = np.arange(len(self))[rows]
        if rows.ndim != 1:
            raise TypeError(
                "A WindowIndex is indexed with a slice, a mask or a 1-D array of row numbers: "
                "index[3:4] is the index of one window. If this came of X: sliding_windows returns "
                "(windows, index), and X is the windows."
            )
        groups = None if self.groups is None else self.groups[rows]
        return WindowIndex(self.length, self.starts[rows], self.records[rows], groups, self.source)

    def __repr__(self) -> str:
        n_records = len(self.source.bounds) - 1
        return f"<WindowIndex: {len(self)} windows of {self.length} steps, {n_records} record(s)>"


@validate_params(
    {"length": [positive_int], "stride": [positive_int]}, prefer_skip_nested_validation=True
)
def sliding_windows(
    record: Any, length: int, stride: int = 1, *, group: Any = None
) -> tuple[np.ndarray, WindowIndex]:
    """Cut a long record into windows of equal length.

    The last window ends where the record ends, even if it then begins less than ``stride`` steps
    after the one before.

    Parameters
    ----------
    record : array, Series or DataFrame of shape (S,) or (S, F), or list of them
        One record of S steps, or several of their own length with the same features. Numbers, NaN
        included.

        A record with a DatetimeIndex, PeriodIndex or TimedeltaIndex is cut at its gaps, which no
        window bridges. A gap is a difference of more than 1.5 times the median one; an index
        with a ``freq`` that is not a PeriodIndex has none. Labels of any other index say nothing
        about time: all rows follow each other.

    length : int
        Steps T of a window.

    stride : int, default=1
        Steps from the beginning of a window to that of the next.

    group : column label, default=None
        Column of a DataFrame that says which record (machine, person) each row belongs to. Rows
        of a record are taken in their order, wherever they stand. The column is not a feature.

    Returns
    -------
    windows : ndarray of shape (N, T, F)
        In the dtype of the record; F is 1 for a record of shape (S,). One record without gaps is
        not copied but viewed, read-only, where ``stride`` divides S - T, as 1 does; a memory map
        too. Otherwise the windows are a copy, about T / ``stride`` times as large as the record.

    index : WindowIndex
        Where the windows come from, for `unwind` and `WindowSplit`.

    Raises
    ------
    ValueError
        If a record, or a piece of one between two gaps, is shorter than ``length``; if its time
        stamps do not increase; if it is not numbers.

    See Also
    --------
    unwind : Back from windows to the record.

    Notes
    -----
    Labels of steps become labels of windows, and back, without a function of their own::

        label_windows, index = sliding_windows(labels, length, stride)  # (N, T, 1)
        y = label_windows.any(axis=(1, 2))  # (N,): is there a labelled step in the window?
        labels = unwind(y, index) > 0  # is the step in a labelled window?

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
    length, stride = int(length), int(stride)
    values, source, labels = _read(record, group)  # (S, F)
    starts, records = _cut(source, labels, length, stride)
    groups = None if labels is None else labels[records]
    index = WindowIndex(length, starts, records, groups, source)
    return _take_windows(values, index.places, length), index


@validate_params(
    {"index": [WindowIndex], "per": [StrOptions({"step", "window"}), None]},
    prefer_skip_nested_validation=True,
)
def unwind(values: Any, index: WindowIndex, *, per: str | None = None) -> Any:
    """Bring values of windows back to the steps of the record.

    Parameters
    ----------
    values : array of shape (N, T), (N, T, F), (N,) or (N, L)
        Values of each step of each window (errors, reconstructions), or of each window (scores,
        labels, codes). NaN is no value.

    index : WindowIndex
        Of these windows, as `sliding_windows` returned it. Of some of them: ``index[rows]``.

    per : {"step", "window"}, default=None
        What a row holds: "step" for (N, T) and (N, T, F), "window" for (N,) and (N, L). None is
        "window" for one axis and "step" for more, so codes (N, L) need ``per="window"``.

    Returns
    -------
    values : ndarray, Series or DataFrame of shape (S,) or (S, K), float64, or list of them
        Each step has the mean over the windows that cover it and have a value for it; NaN where
        there is none. What a record was, its result is: an ndarray for an array, and a Series
        or DataFrame on the same index for a Series or DataFrame. A list for a list; for a
        DataFrame with a group column one on its index, in its order, without that column.

        ``unwind(*sliding_windows(record, length, stride))`` is the record, up to rounding, if
        ``stride`` is at most ``length``, and exactly where no windows overlap.

    Raises
    ------
    ValueError
        If values are not those of the windows of the index.

    See Also
    --------
    sliding_windows : From a record to windows, with an example.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"values has dtype {values.dtype}, but unwind takes means of numbers.")
    if per is None:
        per = "window" if values.ndim == 1 else "step"
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


@dataclass(frozen=True)
class WindowSplit:
    """Cross-validator for windows: no step is in a training window and in a test window.

    Windows of one record are split into consecutive blocks of about equal size, and what overlaps
    the test block is left out of the training windows. Windows of several records are split by
    record: those of a group column's value, or of an item of a list, are never on both sides.
    Each window is tested once. Training windows lie before and after the test windows.

    Parameters
    ----------
    index : WindowIndex
        Of the windows that will be split. ``dataclasses.replace(index, groups=None)`` has several
        records split in time.

    n_splits : int, default=5
        Folds, at least 2.

    Raises
    ------
    ValueError
        If there are fewer windows, or records, than folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import WindowSplit, sliding_windows
    >>> windows, index = sliding_windows(np.arange(9.0), 2)
    >>> for train, test in WindowSplit(index, n_splits=2).split(windows):
    ...     print(train, test)
    [5 6 7] [0 1 2 3]
    [0 1 2] [4 5 6 7]
    """

    index: WindowIndex
    n_splits: int = 5

    def __post_init__(self) -> None:
        validate_parameter_constraints(
            {"index": [WindowIndex], "n_splits": [Interval(Integral, 2, None, closed="left")]},
            vars(self),
            caller_name="WindowSplit",
        )
        n_windows, n_records = len(self.index), len(np.unique(self.index.records))
        if n_windows < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_windows} windows of the index."
            )
        if self.index.groups is not None and n_records < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the {n_records} records of the index, "
                "which are kept whole: choose fewer splits, or split them in time with "
                "dataclasses.replace(index, groups=None)."
            )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; all arguments are ignored."""
        return self.n_splits

    def split(
        self, X: Any = None, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each fold.

        Parameters
        ----------
        X : array of shape (N, T, F), default=None
            The windows of the index; only their number is looked at.

        y, groups : ignored
            Here for scikit-learn's convention.

        Yields
        ------
        train, test : ndarray of int
            Row numbers, in increasing order.

        Raises
        ------
        ValueError
            If X is not as long as the index, or if no training window is left.
        """
        if X is not None and num_samples(X) != len(self.index):
            raise ValueError(
                f"X has {num_samples(X)} samples, but the index of WindowSplit is of "
                f"{len(self.index)} windows: pass the windows that belong to the index, or "
                "WindowSplit the index of these rows, index[rows]."
            )
        if self.index.groups is not None:
            from sklearn.model_selection import GroupKFold

            yield from GroupKFold(self.n_splits).split(self.index.starts, None, self.index.records)
            return
        places, length = self.index.places, self.index.length
        blocks = np.array_split(np.argsort(places, kind="stable"), self.n_splits)
        for fold, block in enumerate(blocks):
            is_before = places + length <= places[block].min()
            is_after = places >= places[block].max() + length
            train = np.flatnonzero(is_before | is_after)
            if not train.size:
                raise ValueError(
                    f"In fold {fold} each training window overlaps a test window: choose fewer "
                    f"splits than n_splits={self.n_splits}, or shorter windows than "
                    f"length={length}."
                )
            yield train, np.sort(block)


# From what a user may pass to one long axis ----------------------------------------------


def _read(record: Any, group: Any) -> tuple[np.ndarray, Source, np.ndarray | None]:
    """Values of all records (S, F), what they were, and the label of each, None for a single one.

    One record is not copied if its values need no cast.
    """
    if group is not None:
        return _read_groups(record, group)
    if not isinstance(record, (list, tuple)):
        values, table = _read_table(record, "the record")
        return values, Source((table,), np.array([0, len(values)])), None
    if not len(record):
        raise ValueError("The list of records is empty.")
    pairs = [_read_table(item, f"record {number}") for number, item in enumerate(record)]
    arrays, tables = zip(*pairs, strict=True)
    _check_agree(arrays, tables)
    bounds = np.cumsum([0, *map(len, arrays)])
    return np.concatenate(arrays), Source(tables, bounds, is_list=True), np.arange(len(tables))


def _read_groups(frame: Any, group: Any) -> tuple[np.ndarray, Source, np.ndarray]:
    """`_read` a DataFrame whose rows belong to several records."""
    if not is_pandas(frame, "DataFrame"):
        raise TypeError(
            f"group={group!r} names a column of a pandas DataFrame, but the record is of type "
            f"{type(frame).__name__}. Several records without such a column are passed as a list."
        )
    if not len(frame):
        raise ValueError("The record has no rows.")
    columns = list(frame.columns)
    if columns.count(group) != 1:
        raise ValueError(
            f"group={group!r} names {columns.count(group)} of the columns {columns}: it must "
            "name one."
        )
    codes, labels = frame[group].factorize()  # in the order in which they first appear
    if (codes < 0).any():
        raise ValueError(
            f"Column {group!r}, the group, has no value in row {np.argmin(codes)}: each row must "
            "belong to a record."
        )
    values, table = _read_table(frame.drop(columns=group), "the record")
    order = np.argsort(codes, kind="stable")
    bounds = np.cumsum([0, *np.bincount(codes)])
    return values[order], Source((table,), bounds, order), np.asarray(labels)


def _read_table(record: Any, name: str) -> tuple[np.ndarray, Table]:
    """Values (S, F) of one record, and what else it is."""
    refuse_types(record, name)
    index = columns = None
    if is_pandas(record, "Series") or is_pandas(record, "DataFrame"):
        index = record.index
        columns = _check_columns(record, name)
        if index.nlevels > 1:
            raise ValueError(
                f"The index of {name} has {index.nlevels} levels. Make all but the one of time "
                "columns, record.reset_index(level), of which group= may name one."
            )
    values = as_numbers(record, "sliding_windows", name, ensure_2d=False, ensure_min_samples=0)
    if values.ndim not in (1, 2):
        raise ValueError(
            f"{_capital(name)} has ndim={values.ndim}: expected shape (n_timesteps,) or "
            "(n_timesteps, n_features); several records are passed as a list."
        )
    table = Table(index, columns, values.ndim == 1)
    return values[:, np.newaxis] if table.is_flat else values, table


def _check_columns(record: Any, name: str) -> Any:
    """Names of the columns of a Series or DataFrame; raise if any does not hold numbers."""
    import pandas

    frame = record.to_frame(record.name) if record.ndim == 1 else record
    if frame.columns.empty:
        raise ValueError(f"{_capital(name)} has no column of numbers.")
    for column, dtype in frame.dtypes.items():
        if not pandas.api.types.is_numeric_dtype(dtype):
            raise ValueError(
                f"Column {column!r} of {name} has dtype {dtype}, but numbers were expected: "
                "convert it, drop it, make it the index (set_index) if it holds times, or name it "
                "with group= if it tells records apart."
            )
    return frame.columns


def _check_agree(arrays: tuple[np.ndarray, ...], tables: tuple[Table, ...]) -> None:
    """Raise if records of a list do not have the same features."""
    for number, array in enumerate(arrays):
        if array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"Record {number} has {array.shape[1]} features, but record 0 has "
                f"{arrays[0].shape[1]}: all need the same features in the same order."
            )
    frames = {
        number: list(table.columns)
        for number, table in enumerate(tables)
        if table.columns is not None and not table.is_flat
    }
    first = min(frames, default=0)
    for number, columns in frames.items():
        if columns != frames[first]:
            raise ValueError(
                f"Record {number} has columns {columns}, but record {first} has "
                f"{frames[first]}: all need the same features in the same order."
            )


def is_pandas(thing: Any, kind: str) -> bool:
    """Whether it is a pandas object, without importing pandas: who has one has imported it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(thing, vars(pandas)[kind])


# From the long axis to windows, and back -------------------------------------------------


def _cut(
    source: Source, labels: np.ndarray | None, length: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Begin windows: the first step of each in its record, and the number of the record."""
    starts, records = [], []
    for number, (first, stop) in enumerate(pairwise(source.bounds)):
        index = source.tables[number if source.is_list else 0].index
        name = "the record" if labels is None else f"record {labels[number]}"
        if source.order is not None:
            index = index[source.order[first:stop]]
        pieces = [0, *_gaps(index, name), stop - first]
        for begin, end in pairwise(pieces):
            if end - begin < length:
                raise ValueError(_too_short(name, index, pieces, begin, end, length))
            last = end - length
            starts.append(np.append(np.arange(begin, last, stride), last))
            records.append(np.full(len(starts[-1]), number))
    return np.concatenate(starts), np.concatenate(records)


def _gaps(index: Any, name: str) -> np.ndarray:
    """Steps before which time is missing, in increasing order; none if the index is not time."""
    none = np.empty(0, dtype=int)
    if index is None:
        return none
    import pandas

    if not isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex, pandas.TimedeltaIndex)):
        return none
    if index.hasnans:
        raise ValueError(f"The index of {name} has no time at step {np.argmax(index.isna())}.")
    differences = np.diff(index.astype("int64"))
    if (differences <= 0).any():
        step = np.argmax(differences <= 0) + 1
        raise ValueError(
            f"The index of {name} does not increase: {index[step - 1]} is followed by "
            f"{index[step]} at step {step}. Sort it (sort_index), keep one of equal times, and "
            "tell records apart with group=."
        )
    is_regular = index.freq is not None and not isinstance(index, pandas.PeriodIndex)
    if is_regular or not differences.size:
        return none
    return np.flatnonzero(differences > GAP * np.median(differences)) + 1


def _too_short(name: str, index: Any, pieces: list[int], begin: int, end: int, length: int) -> str:
    """Say which record, or which piece of it, has fewer steps than a window."""
    size = f"has {end - begin} steps, fewer than length={length}: choose shorter windows"
    if len(pieces) == 2:
        return f"{_capital(name)} {size}, or leave it out."
    return (
        f"{_capital(name)} has {len(pieces) - 2} gap(s) in its index, and its piece from "
        f"{index[begin]} to {index[end - 1]} {size}, leave the piece out, or fill gaps with NaN "
        '(asfreq) for an estimator with missing="mask".'
    )


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def _take_windows(values: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
    """(S, F), (N,) -> (N, T, F): a view if windows begin at equal distances."""
    windows = np.moveaxis(sliding_window_view(values, length, axis=0), -1, 1)
    steps = np.unique(np.diff(places))
    if len(steps) > 1:
        return windows[places]
    return windows[places[0] : places[-1] + 1 : steps[0] if steps.size else 1]


def _check_shape(values: np.ndarray, index: WindowIndex, per: str) -> None:
    """Raise unless values are of the steps, or of the whole, of each window of the index."""
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
    """(N, T, K), (N,) -> (S, K): at each step the mean of what windows say of it, NaN if none."""
    n_values = values.shape[2]
    total = np.zeros(n_steps * n_values)
    count = np.zeros_like(total)
    # add.at is ten times as fast on one axis, and with floats for both.
    cells = (places[:, np.newaxis] * n_values + np.arange(n_values)).ravel()
    with np.errstate(invalid="ignore"):  # 0 / 0 where there is no value, inf - inf
        for step in range(values.shape[1]):  # not a window at a time: there are more of them
            said = values[:, step].astype(np.float64).ravel()
            has_value = ~np.isnan(said)
            np.add.at(total, cells + step * n_values, np.where(has_value, said, 0.0))
            np.add.at(count, cells + step * n_values, has_value.astype(np.float64))
        return (total / count).reshape(n_steps, n_values)
