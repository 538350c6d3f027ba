"""Containers of a user -> arrays of numbers; what holds no numbers is refused, with its place.

Tables of pandas, polars and pyarrow are recognized by their attributes, without an import.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array

LAYOUTS = (
    "an (n_sequences, n_timesteps) array or DataFrame, an (n_sequences, n_timesteps, n_features) "
    "array, or a list of (n_timesteps, n_features) arrays or DataFrames"
)

# Arrays of these types are read as they are; anything else becomes float64.
NUMBERS = [np.float64, np.float32, np.float16, np.bool_]
NUMBERS += [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]

# Libraries whose arrays are read row by row; reading all of one might not fit into memory.
LAZY = ("dask", "h5py", "xarray", "zarr")

# Kinds of dtype that hold numbers; and objects of which NumPy would make numbers, or nearly so.
NUMERIC_KINDS = "biuf"
TIMES = (np.datetime64, np.timedelta64, datetime.date, datetime.time, datetime.timedelta)

# Only tables of pandas have an index.
DROP_TIMES = (
    "drop the column{make_index}, or, if times matter, replace it by the differences between them."
)
ENCODE = (
    "drop it, or encode its categories as numbers, for example with scikit-learn's OneHotEncoder."
)


# Containers ------------------------------------------------------------------------------


def is_table(X: Any) -> bool:
    """Whether X has named columns: a DataFrame of pandas or polars, a Table of pyarrow."""
    return hasattr(X, "shape") and hasattr(X, "columns")


def is_store(X: Any) -> bool:
    """Whether X reads its rows on demand: a dataset on disk, or what is indexed but no array."""
    if not hasattr(X, "shape") or not hasattr(X, "__getitem__") or None in tuple(X.shape):
        return False
    return type(X).__module__.split(".")[0] in LAZY or not hasattr(X, "__array__")


def is_dask(X: Any) -> bool:
    """Whether X is a lazy collection of Dask, told without importing it."""
    return type(X).__module__.split(".")[0] in ("dask", "dask_expr")


def to_rows(X: Any, name: str) -> tuple[Any, Any]:
    """Return what holds the rows of X with two axes, and a table with the names of its columns.

    Both are X itself, but for a DataFrame of dask and for arrays of xarray.
    """
    if is_table(X) and hasattr(X, "to_dask_array"):
        head = X.head(1, npartitions=-1)
        check_columns(head, name, "sequence")
        return X.to_dask_array(lengths=True), head
    return X, X[:1] if is_store(X) else X


def is_groupby(X: Any) -> bool:
    """Whether X is what ``groupby`` of pandas or polars returns."""
    return type(X).__name__.endswith("GroupBy")


def is_group(item: Any) -> bool:
    """Whether an item of a list is a key with the table or Series of its group."""
    if not isinstance(item, tuple) or len(item) != 2 or hasattr(item[0], "shape"):
        return False
    return is_table(item[1]) or hasattr(item[1], "to_frame")


def is_only_iterable(X: Any) -> bool:
    """Whether X yields its items one after the other, as generators and views of a dict do."""
    return isinstance(X, Iterable) and not hasattr(X, "__getitem__")


def to_container(X: Any, name: str) -> Any:
    """Return X as a list, an ndarray, a table or a store; raise for anything else.

    Tensors become ndarrays, and ragged ones lists of their rows.
    """
    refuse_types(X, name)
    refuse_collections(X, name)
    if isinstance(X, (list, np.ndarray)) or is_table(X) or is_store(X):
        return X
    if isinstance(X, Sequence) and not isinstance(X, (str, bytes, memoryview)):
        return list(X)
    try:
        array = to_array(X, name)
    except ValueError as error:
        if hasattr(X, "__len__") or (hasattr(X, "__getitem__") and not hasattr(X, "__array__")):
            return list(X)  # rows of unequal length, of awkward or TensorFlow
        raise ValueError(f"NumPy cannot read {name}, a {type(X).__name__}: {error}") from error
    if array.dtype == object and array.ndim == 0 and not isinstance(X, (str, bytes, int)):
        raise ValueError(f"{name} is of type {type(X).__name__}. Expected {LAYOUTS}.")
    return array


def to_array(X: Any, name: str) -> np.ndarray:
    """Return X as NumPy reads it; rows of different lengths raise a ValueError."""
    try:
        array = np.asarray(X)
        if array.ndim == 0 and len(getattr(X, "shape", ())) > 0 and hasattr(X, "__getitem__"):
            array = np.array([to_array(row, name) for row in X])  # a ragged tensor
    except (TypeError, RuntimeError) as error:  # a tensor with a gradient, or of another device
        raise TypeError(f"NumPy cannot read {name}, a {type(X).__name__}: {error}") from error
    return array


def refuse_types(X: Any, name: str) -> None:
    """Raise for what NumPy would read as something else than numbers in a row."""
    if isinstance(X, BaseEstimator):
        raise TypeError(f"{name} is an estimator ({type(X).__name__}). Expected {LAYOUTS}.")
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError(
            f"{capitalized(name)} is a masked array, whose mask would be lost. Pass "
            'x.astype(float).filled(np.nan) in place of such an array x, with missing="mask".'
        )
    if issparse(X):
        raise TypeError(f"{capitalized(name)} is sparse ({type(X).__name__}): pass its toarray().")
    dtype = getattr(X, "dtype", None)
    if not isinstance(dtype, np.dtype):
        if is_category(dtype):
            raise TypeError(
                f"{capitalized(name)} has dtype {dtype}, but numbers were expected: {ENCODE}"
            )
    elif dtype.kind == "V":
        raise TypeError(
            f"{capitalized(name)} has dtype {X.dtype}, but numbers were expected. Fields of a "
            "structured array become features with "
            "numpy.lib.recfunctions.structured_to_unstructured."
        )


def refuse_collections(X: Any, name: str) -> None:
    """Raise for what holds sequences but is neither a list nor an array.

    ``name`` is that of a variable: messages show code with it.
    """
    if X is None:
        raise ValueError(f"{name} is None. Expected {LAYOUTS}.")
    what = f"{name} is of type {type(X).__name__}"
    shape = getattr(X, "shape", None)
    if is_dask(X) and not (isinstance(shape, tuple) and len(shape) > 1):
        raise ValueError(
            f"{what} of Dask: pass {name}.compute() if it fits into memory. Otherwise use the "
            f"module sklearn_lstmae.distributed, such as distributed.transform(estimator, {name})."
        )
    if is_groupby(X):
        raise ValueError(f"{what}, of keys and groups: pass [group for _, group in {name}].")
    if isinstance(X, Mapping):
        raise ValueError(f"{what}: pass list({name}.values()).")
    if hasattr(X, "as_numpy_iterator"):
        code = f"list({name}.as_numpy_iterator())"
        raise ValueError(f"{what}: pass {code}, or np.concatenate({code}) if it holds batches.")
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise ValueError(f"{what}: pass {name}.collect().")
    if is_only_iterable(X):
        raise ValueError(f"{what}: pass list({name}).")


# Numbers ---------------------------------------------------------------------------------


def as_numbers(
    X: Any,
    estimator: BaseEstimator | str,
    name: str,
    axes: tuple[str, ...] = ("step", "feature"),
    advice: str = "",
    **options: Any,
) -> np.ndarray:
    """Make an array of numbers of an array, table or list, copying as little as possible.

    Parameters
    ----------
    X : array, table or list
        With any number of axes.

    estimator : estimator or str
        What scikit-learn names in its messages.

    name : str
        What messages call X.

    axes : tuple of str
        What messages call the axes of X.

    advice : str
        What messages about a column of a table end with.

    **options
        For scikit-learn's `check_array`.

    Returns
    -------
    array : ndarray
        Of one of the dtypes `NUMBERS`, finite or not.

    Raises
    ------
    TypeError
        If X contains times, categories or other values that are not numbers.

    ValueError
        If X holds words or complex numbers, or if columns share a name.
    """
    if is_table(X):
        check_columns(X, name, axes[0], advice)
    else:
        cells = to_array(X, name)
        _refuse_complex(cells, name)
        _refuse_times(cells, name, axes)
    try:
        with np.errstate(over="ignore"):
            return check_array(
                X,
                dtype=NUMBERS,
                allow_nd=True,
                ensure_all_finite=False,
                estimator=estimator,
                input_name=name,
                **options,
            )
    except (TypeError, ValueError, OverflowError):
        _refuse_cells(to_array(X, name), name, axes)
        raise


def columns_of(table: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the columns of a table after their names, which may repeat."""
    if hasattr(table, "column_names"):  # of pyarrow
        return zip(table.column_names, table.columns, strict=True)
    if hasattr(table, "items"):  # of pandas
        return table.items()
    return ((name, table[name]) for name in table.columns)


def check_columns(table: Any, name: str, rows: str = "step", advice: str = "") -> None:
    """Raise for a column without numbers.

    Messages call a row by the word ``rows``. Those about one column end with ``advice``.
    """
    seen = set()
    for column_name, column in columns_of(table):
        if column_name in seen:
            raise ValueError(
                f"{capitalized(name)} has two columns {column_name!r}: give each its own name."
            )
        seen.add(column_name)
        place = f"column {column_name!r} of {name}"
        try:
            _check_column(column, place, rows, has_index=hasattr(table, "index"))
        except (TypeError, ValueError) as error:
            if not advice:
                raise
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{error} {advice}") from error.__cause__


def _check_column(column: Any, name: str, rows: str, has_index: bool) -> None:
    """Raise unless a column of a table holds numbers, in any form."""
    dtype = column.dtype if hasattr(column, "dtype") else column.type
    kind = getattr(dtype, "kind", None)
    if kind is not None and kind in NUMERIC_KINDS:
        return
    what = f"{capitalized(name)} has dtype {dtype}, but numbers were expected: "
    if is_category(dtype):
        raise TypeError(what + ENCODE)
    cells = np.asarray(column)
    if kind in ("M", "m") or cells.dtype.kind in "Mm" or str(dtype).startswith("period"):
        make_index = ", make it the index (set_index)" if has_index else ""
        raise TypeError(what + DROP_TIMES.format(make_index=make_index))
    _refuse_complex(cells, name)
    _refuse_times(cells, name, (rows,))
    try:
        cells.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        _refuse_cells(cells, name, (rows,))


def _refuse_complex(cells: np.ndarray, name: str) -> None:
    """Raise for complex numbers, in scikit-learn's words."""
    if cells.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} has dtype {cells.dtype}. Pass the real and the "
            "imaginary part as two features."
        )


def is_category(dtype: Any) -> bool:
    """Whether a dtype of pandas, polars or pyarrow is one of categories."""
    return str(dtype).lower().startswith(("categor", "enum", "dictionary"))


def _refuse_times(cells: np.ndarray, name: str, axes: tuple[str, ...]) -> None:
    """Raise where NumPy would make numbers of times."""
    advice = {
        "M": "If times matter, pass the differences between them as a feature.",
        "m": "Divide by a unit, such as numpy.timedelta64(1, 's'), to get numbers.",
    }
    if cells.dtype.kind in advice:
        raise TypeError(
            f"{capitalized(name)} has dtype {cells.dtype}, but numbers were expected. "
            f"{advice[cells.dtype.kind]}"
        )
    if cells.dtype != object:
        return
    for index, cell in np.ndenumerate(cells):
        if isinstance(cell, TIMES):
            place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=False))
            raise TypeError(
                f"{capitalized(name)} holds a time, {cell!r} at {place}, but numbers were "
                f"expected. {advice['M']}"
            )


def _refuse_cells(cells: np.ndarray, name: str, axes: tuple[str, ...]) -> None:
    """Raise for the first cell that is no number, if there is one."""
    if cells.dtype.kind not in "OSU":
        return
    for index, cell in np.ndenumerate(cells):
        if cell is None:
            continue
        if np.ndim(cell) > 0:
            raise ValueError(
                f"{capitalized(name)} has arrays in its cells; such nested frames are not "
                f"supported. Expected {LAYOUTS}."
            )
        try:
            float(cell.item() if isinstance(cell, np.generic) else cell)
        except (TypeError, ValueError, OverflowError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=False))
            raise kind(
                f"{error}, at {place + ' of ' if place else ''}{name}. Numbers were expected: "
                "convert it, or leave it out."
            ) from error


def capitalized(name: str) -> str:
    """Name of X or of a part of it at the beginning of a sentence."""
    return name[0].upper() + name[1:]


# Labels ----------------------------------------------------------------------------------


def find_missing(y: Any) -> np.ndarray:
    """Which of N labels are missing: (N,) bool."""
    # NumPy makes words of what is missing among the words of a list.
    labels = y if isinstance(y, np.ndarray) else np.asarray(y, dtype=object)
    if labels.dtype.kind in "fmM":
        missing = labels != labels
    elif labels.dtype.kind == "O":
        missing = np.array([is_missing(each) for each in labels.flat], bool).reshape(labels.shape)
    else:
        missing = np.zeros(labels.shape, bool)
    return missing.any(axis=tuple(range(1, missing.ndim)))


def is_missing(label: Any) -> bool:
    """Whether a label is None, NaN, NaT or pandas' NA, which is equal to nothing, nor unequal."""
    is_number = isinstance(label, Real | np.datetime64)
    names = ("NAType", "NaTType")
    return label is None or type(label).__name__ in names or (is_number and label != label)
