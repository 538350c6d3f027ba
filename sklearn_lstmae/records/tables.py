"""What a user may pass as a record -> the values of all records on one long axis, and back."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lstmae.sequences.numbers import (
    as_numbers,
    capitalized,
    is_group,
    is_groupby,
    is_missing,
    is_only_iterable,
    refuse_types,
)

# Ends of messages about a column that is no feature.
IDENTIFIES_RECORDS = "If it identifies the record, name it with group=."
WITHOUT_INDEX = "Times show gaps only in the index of a pandas DataFrame."


@dataclass(frozen=True, eq=False)
class Table:
    """An array, Series or DataFrame without its values.

    Attributes
    ----------
    index : pandas.Index or None
        Labels of the rows; None for what has none.

    columns : pandas.Index, list of str or None
        Names of the features, with one name for a Series; None for an array.

    is_flat : bool
        Whether the shape is (S,), not (S, F).

    library : {"pandas", "polars"} or None
        The library of a Series or DataFrame; None for an array.

    steps : pandas.Index or None
        Labels of the steps, where they are not the index: its levels but for the group.
    """

    index: Any
    columns: Any
    is_flat: bool
    library: str | None = None
    steps: Any = None

    def dress(self, values: np.ndarray, are_features: bool) -> Any:
        """Turn values (S,) or (S, K) into an array, Series or DataFrame like this one.

        With ``are_features`` the K columns belong to the features of the windows.
        """
        if are_features and self.is_flat and values.shape[1] == 1:
            values = values[:, 0]
        columns: Any = self.columns if are_features else None
        if values.ndim == 2 and columns is not None and len(columns) != values.shape[1]:
            columns = None
        if self.library == "polars":
            import polars

            if values.ndim == 1:
                return polars.Series(columns[0] if columns is not None else "", values)
            return polars.DataFrame(values, schema=columns)
        if self.index is None:
            return values
        import pandas

        if values.ndim == 1:
            return pandas.Series(values, self.index, name=None if columns is None else columns[0])
        return pandas.DataFrame(values, self.index, columns)


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
        With a group: the row of the record at each place of the long axis.

    is_list : bool
        Whether the user passed a list.

    labels : ndarray or None
        Group, or number in the list, of each record; None for a single record.

    pieces : ndarray of int or None
        Places at which pieces without a gap begin, and the end of the long axis. None, in pickles
        of earlier versions: not known.
    """

    tables: tuple[Table, ...]
    bounds: np.ndarray
    order: np.ndarray | None = None
    is_list: bool = False
    labels: np.ndarray | None = None
    pieces: np.ndarray | None = None

    @property
    def cuts(self) -> np.ndarray:
        """Places at which pieces begin, and the end: those of records where gaps are not known."""
        return self.bounds if self.pieces is None else self.pieces

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the columns, None if they have none."""
        named = (table for table in self.tables if table.columns is not None)
        table = min(named, key=lambda table: table.is_flat, default=None)
        if table is None or any(name is None for name in table.columns):
            return None
        return [str(name) for name in table.columns]

    def name_of(self, number: int) -> str:
        """Name of a record in messages."""
        return "the record" if self.labels is None else f"record {self.labels[number]}"

    def index_of(self, number: int) -> Any:
        """Labels of the steps of one record; None for an array."""
        table = self.tables[number if self.is_list else 0]
        index = table.index if table.steps is None else table.steps
        if self.order is None or index is None:
            return index
        return index[self.order[self.bounds[number] : self.bounds[number + 1]]]

    def arrange(self, values: np.ndarray) -> np.ndarray:
        """Values (S, ...) in the order of the record -> in that of the long axis."""
        return values if self.order is None else values[self.order]

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


def read_records(record: Any, group: Any) -> tuple[np.ndarray, Source]:
    """Values (S, F) of all records, and their source.

    A single record is not copied if its values need no cast.
    """
    _refuse_collections(record)
    if isinstance(record, (list, tuple)):
        record = [with_index(item) for item in record]
    record = with_index(record)
    if group is not None:
        return _read_groups(record, group)
    if not isinstance(record, list):
        values, table = _read_table(record, "the record")
        return values, Source((table,), np.array([0, len(values)]))
    if not len(record):
        raise ValueError("The list of records is empty.")
    pairs = [_read_table(item, f"record {number}") for number, item in enumerate(record)]
    arrays, tables = zip(*pairs, strict=True)
    _check_agree(arrays, tables)
    bounds = np.cumsum([0, *map(len, arrays)])
    numbers = np.arange(len(tables))
    return np.concatenate(arrays), Source(tables, bounds, is_list=True, labels=numbers)


def _refuse_collections(record: Any) -> None:
    """Raise for records in something other than a list."""
    if _is_of("xarray", record, ["Dataset"]):
        raise TypeError(
            "The record is a Dataset of xarray. If its variables are the features, pass "
            "record.to_dataframe(), or record.to_dataarray() with the axis of time first."
        )
    if isinstance(record, Mapping):
        raise TypeError(
            f"The record is a {type(record).__name__}. Pass its records as a list, "
            "list(records.values()), or under their names as one pandas DataFrame, "
            'pandas.concat(records, names=["record"]) with group="record".'
        )
    if is_groupby(record):
        raise TypeError(
            "The record is a groupby object. Pass the DataFrame itself, and with group= the "
            "column that it was grouped by."
        )
    if is_only_iterable(record):
        raise TypeError(
            f"The record is a {type(record).__name__}. Pass several records as a list: "
            "list(records)."
        )
    if isinstance(record, (list, tuple)):
        for number, item in enumerate(record):
            if is_group(item):
                raise TypeError(
                    f"Record {number} is a pair of a key and a table, as list(groupby) has them. "
                    "Pass the DataFrame itself, and with group= the column that it was grouped "
                    "by, or [table for _, table in groupby]."
                )


def with_index(record: Any) -> Any:
    """Turn what has labels elsewhere than in an index of pandas into a table of pandas."""
    if _is_of("xarray", record, ["DataArray"]) and record.ndim in (1, 2):
        return record.to_pandas()
    if _is_of("dask.dataframe", record, ["DataFrame", "Series"]):
        return record.compute()
    return record


def _read_groups(record: Any, group: Any) -> tuple[np.ndarray, Source]:
    """Read a table whose rows belong to several records."""
    if isinstance(record, list):
        raise TypeError(
            "group= divides the rows of one table: records that are passed as a list are kept "
            "apart without it."
        )
    if np.shape(record)[:1] == (0,):
        raise ValueError("The record has no rows.")
    values_of_group, features, steps = _take_group(record, group)
    if np.shape(values_of_group) != np.shape(record)[:1]:
        raise ValueError(
            f"group has shape {np.shape(values_of_group)}, but the record has {len(record)} rows: "
            "pass the name of one column, or one value for each row. Two columns make one group "
            "with record.groupby(columns).ngroup()."
        )
    codes, labels = _factorize(values_of_group)
    if (codes < 0).any():
        raise ValueError(
            f"The group has no value in row {np.argmin(codes)}: each row must belong to a record."
        )
    values, table = _read_table(features, "the record", steps)
    order = np.argsort(codes, kind="stable")
    bounds = np.cumsum([0, *np.bincount(codes)])
    return values[order], Source((table,), bounds, order, labels=labels)


def _take_group(record: Any, group: Any) -> tuple[Any, Any, Any]:
    """Values of the group, the record without them, and, if they were a level, the other levels."""
    if isinstance(group, tuple) or np.ndim(group) == 0:
        return _take_named_group(record, group)
    if _is_frame(record):
        name = getattr(group, "name", None)
        if list(record.columns).count(name) == 1 and _are_equal(group, record[name]):
            return _take_named_group(record, name)  # a column of the record, and so no feature
    if is_pandas(group, "Series") and is_pandas(record) and not group.index.equals(record.index):
        raise ValueError(
            "group is a Series with another index than the record: pass it in the order of the "
            "rows, group.reindex(record.index) or group.to_numpy()."
        )
    return group, record, None


def _are_equal(group: Any, column: Any) -> bool:
    """Whether all values are equal, missing ones included: pandas.NA equals nothing."""
    if np.shape(group) != np.shape(column):
        return False
    numbers, labels = zip(*map(_factorize, (group, column)), strict=True)
    return np.array_equal(*numbers) and np.array_equal(*labels)


def _take_named_group(record: Any, group: Any) -> tuple[Any, Any, Any]:
    """As `_take_group`, of a column of a table or a level of its index."""
    if not (_is_frame(record) or is_pandas(record)):
        raise TypeError(
            f"group={group!r} names a column of a DataFrame, but the record is of type "
            f"{type(record).__name__}: pass an array with a value for each row."
        )
    columns = list(record.columns) if _is_frame(record) else []
    levels = list(record.index.names) if is_pandas(record) else []
    if columns.count(group) == 1:
        features = record.drop(group) if is_polars(record) else record.drop(columns=group)
        return record[group], features, None
    if columns.count(group) == 0 and levels.count(group) == 1:
        import pandas

        others = [level for level in levels if level != group]
        steps = record.index.droplevel(group) if others else pandas.RangeIndex(len(record))
        return record.index.get_level_values(group), record, steps
    raise ValueError(
        f"group={group!r} names {columns.count(group)} of the columns {columns} and "
        f"{levels.count(group)} of the levels of the index {levels}: it must name one column or "
        "level, or be an array with a value for each row."
    )


def _factorize(group: Any) -> tuple[np.ndarray, np.ndarray]:
    """Number of each value, -1 where there is none, and the values in order of appearance."""
    if hasattr(group, "factorize"):  # pandas
        codes, labels = group.factorize()
        return codes, np.asarray(labels)
    values = np.asarray(group)
    firsts: dict[Any, int] = {}
    rows = [
        -1 if is_missing(value) else firsts.setdefault(value, row)
        for row, value in enumerate(values.tolist())
    ]
    places = np.array(list(firsts.values()), dtype=np.intp)  # increasing
    codes = np.where(np.less(rows, 0), -1, np.searchsorted(places, rows))
    return codes, values[places]


def _read_table(record: Any, name: str, steps: Any = None) -> tuple[np.ndarray, Table]:
    """Values (S, F) of one record, and everything but the values."""
    refuse_types(record, name)
    index = columns = library = None
    advice = ""
    if is_pandas(record):
        library, index = "pandas", record.index
        columns = record.to_frame(record.name).columns if record.ndim == 1 else record.columns
        advice = IDENTIFIES_RECORDS
        _check_levels(index, index if steps is None else steps, name)
    elif is_polars(record):
        library = "polars"
        columns = [record.name] if is_polars(record, "Series") else record.columns
        advice = f"{IDENTIFIES_RECORDS} {WITHOUT_INDEX}"
    if columns is not None and not len(columns):
        raise ValueError(f"{capitalized(name)} has no column of numbers.")
    values = as_numbers(
        record, "sliding_windows", name, advice=advice, ensure_2d=False, ensure_min_samples=0
    )
    if values.ndim not in (1, 2):
        raise ValueError(
            f"{capitalized(name)} has ndim={values.ndim}: expected shape (n_timesteps,) or "
            "(n_timesteps, n_features); several records are passed as a list."
        )
    table = Table(index, columns, values.ndim == 1, library, steps)
    return values[:, np.newaxis] if table.is_flat else values, table


def _check_levels(index: Any, steps: Any, name: str) -> None:
    """Raise if the steps of a record have more than one label each."""
    if steps.nlevels == 1:
        return
    names = [f"level_{k}" if each is None else each for k, each in enumerate(index.names)]
    naming = f"rename_axis({names}), then " * (None in index.names)
    raise ValueError(
        f"The index of {name} has {index.nlevels} levels, {names}. Steps have one label: {naming}"
        "pass the level that identifies the record as group=, and drop others that hold no times "
        "with reset_index(level, drop=True)."
    )


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


def is_pandas(thing: Any, kind: str = "") -> bool:
    """Whether a thing is a Series or DataFrame of pandas, or of the kind named."""
    return _is_of("pandas", thing, [kind] if kind else ["Series", "DataFrame"])


def is_polars(thing: Any, kind: str = "") -> bool:
    """Whether a thing is a Series or DataFrame of polars, or of the kind named."""
    return _is_of("polars", thing, [kind] if kind else ["Series", "DataFrame"])


def _is_of(library: str, thing: Any, kinds: list[str]) -> bool:
    """Whether a thing is of a class of a library, found without importing it.

    If there is such a thing, the library is imported already.
    """
    module = sys.modules.get(library)
    return module is not None and isinstance(thing, tuple(getattr(module, kind) for kind in kinds))


def _is_frame(thing: Any) -> bool:
    return is_pandas(thing, "DataFrame") or is_polars(thing, "DataFrame")
