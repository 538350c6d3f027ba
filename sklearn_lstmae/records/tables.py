"""What a user may pass as a record -> the values of all records on one long axis, and back."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lstmae.sequences.numbers import as_numbers, capitalized, refuse_types

# Two time stamps that are further apart than this many median differences have a gap between
# them. Months, quarters and the days on which clocks change differ by less.
GAP = 1.5


@dataclass(frozen=True, eq=False)
class Table:
    """An array, Series or DataFrame without its values.

    Attributes
    ----------
    index : pandas.Index or None
        Labels of the steps; None for an array.

    columns : pandas.Index or None
        Names of the features, with one name for a Series; None for an array.

    is_flat : bool
        Whether the shape is (S,), not (S, F).
    """

    index: Any
    columns: Any
    is_flat: bool

    def dress(self, values: np.ndarray, are_features: bool) -> Any:
        """Turn values (S,) or (S, K) into an array, Series or DataFrame like this one.

        With ``are_features`` the K columns belong to the features of the windows.
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
    """The records that windows were cut from, without their values.

    The steps of all records, one record after the other, form one long axis.

    Attributes
    ----------
    tables : tuple of Table
        One for the argument of the user, or one for each item of a list.

    bounds : ndarray of int
        Record r occupies the places ``bounds[r]`` to ``bounds[r + 1] - 1`` on the long axis.

    order : ndarray of int or None
        With a group column: the row of the DataFrame at each place of the long axis.

    is_list : bool
        Whether the user passed a list.
    """

    tables: tuple[Table, ...]
    bounds: np.ndarray
    order: np.ndarray | None = None
    is_list: bool = False

    def index_of(self, number: int) -> Any:
        """Labels of the steps of one record; None for an array."""
        if self.is_list:
            return self.tables[number].index
        [table] = self.tables
        if self.order is None:
            return table.index
        return table.index[self.order[self.bounds[number] : self.bounds[number + 1]]]

    def restore(self, values: np.ndarray, are_features: bool) -> Any:
        """Return values (S,) or (S, K) of the long axis in the form of the records."""
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


# Reading ---------------------------------------------------------------------------------


def read_records(record: Any, group: Any) -> tuple[np.ndarray, Source, np.ndarray | None]:
    """Values (S, F) of all records, their source, and a label for each, None for a single record.

    A single record is not copied if its values need no cast.
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
    """Read a DataFrame whose rows belong to several records."""
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
    """Values (S, F) of one record, and everything but the values."""
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
            f"{capitalized(name)} has ndim={values.ndim}: expected shape (n_timesteps,) or "
            "(n_timesteps, n_features); several records are passed as a list."
        )
    table = Table(index, columns, values.ndim == 1)
    return values[:, np.newaxis] if table.is_flat else values, table


def _check_columns(record: Any, name: str) -> Any:
    """Names of the columns of a Series or DataFrame; raise if any does not hold numbers."""
    import pandas

    frame = record.to_frame(record.name) if record.ndim == 1 else record
    if frame.columns.empty:
        raise ValueError(f"{capitalized(name)} has no column of numbers.")
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
    """Whether a thing is a pandas object, found without importing pandas.

    If there is one, pandas is imported already.
    """
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(thing, vars(pandas)[kind])


# Times -----------------------------------------------------------------------------------


def find_gaps(index: Any, name: str) -> np.ndarray:
    """Steps before which time is missing, in increasing order; none if the index holds no times."""
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
