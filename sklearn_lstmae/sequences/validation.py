"""Checks of what a user passes as sequences, made once: `Sequences`, or an error that explains."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_lstmae._sklearn import check_n_features, get_feature_names
from sklearn_lstmae.sequences.batch import BLOCK_BYTES, Sequences, n_features_of
from sklearn_lstmae.sequences.numbers import (
    LAYOUTS,
    NUMERIC_KINDS,
    as_numbers,
    capitalized,
    check_columns,
    is_group,
    is_store,
    is_table,
    refuse_types,
    to_array,
    to_container,
    to_rows,
)
from sklearn_lstmae.sequences.stores import Store, read_rows, release_pages


@dataclass(frozen=True)
class SequenceSpec:
    """What fit saw: the layout of its sequences and F."""

    layout: str
    n_features: int


@dataclass(frozen=True)
class Parsed:
    """X as numbers.

    Attributes
    ----------
    source : ndarray or Store of shape (N, T, F), or list of ndarrays of shape (T_i, F)
        As `Sequences` takes it.

    layout : {"2d", "3d", "list", "list-1d"}
        How X writes sequences.

    features : array or DataFrame with two axes
        Stands for X where scikit-learn counts features and reads their names.
    """

    source: Any
    layout: str
    features: Any

    @property
    def n_features(self) -> int:
        """F."""
        return n_features_of(self.source)


def check_sequences(
    estimator: BaseEstimator,
    X: Any,
    *,
    missing: str,
    fitted: SequenceSpec | None = None,
    name: str = "X",
) -> Sequences:
    """Check sequences, and that they agree with those of fit.

    Parameters
    ----------
    estimator : estimator
        The calling estimator. In fit it gets `n_features_in_` (the columns of a 2-D X, otherwise F)
        and, from DataFrames, `feature_names_in_`, but only after all checks have passed.

    X : array, DataFrame or list
        Sequences of shape (N, T) or (N, T, F), memory maps and arrays of h5py, zarr, xarray and
        dask too, or a list of (T_i, F). A list of 1-D arrays is univariate. Nested lists of plain
        numbers are read as the array that they write, if there is one.

    missing : {"error", "mask"}
        "error" refuses NaN. With "mask" NaN is a missing value, and steps of nothing but NaN at
        the end of a row of an array are padding.

    fitted : SequenceSpec or None, default=None
        What fit recorded about its sequences; None during fit.

    name : str, default="X"
        What messages call X.

    Returns
    -------
    sequences : Sequences
        X itself is neither copied as a whole nor modified.

    Raises
    ------
    ValueError, TypeError
        If X is not sequences of finite numbers, or does not agree with those of fit.
    """
    parsed = _parse(X, estimator, name)
    if fitted is not None:
        _check_agrees(parsed, estimator, fitted, name)
    sequences = _check_values(parsed, missing, name)
    if fitted is None:
        validate_data(estimator, parsed.features, reset=True, skip_check_array=True)
    return sequences


def _parse(X: Any, estimator: BaseEstimator, name: str) -> Parsed:
    """Tell the layout of X, and make numbers of it."""
    given, X = X, to_container(X, name)
    _refuse_panel(given, name)
    if isinstance(X, list):
        return _parse_list(X, estimator, name)
    shape = tuple(X.shape)
    if len(shape) == 1:
        items = np.asarray(X)
        if items.dtype == object:
            return _parse_list(list(items), estimator, name)
        _raise_flat(given, items, estimator, name)
    if len(shape) == 2:
        return _parse_2d(X, estimator, name)
    if len(shape) == 3:
        return _parse_3d(X, shape, estimator, name)
    what = f"a scalar ({type(given).__name__})" if not shape else f"an array of shape {shape}"
    raise ValueError(f"{name} is {what}. Expected {LAYOUTS}.")


def _parse_2d(X: Any, estimator: BaseEstimator, name: str) -> Parsed:
    """(N, T) numbers."""
    axes = ("sequence", "step")
    rows, features = to_rows(X, name)
    if is_store(rows):
        return _parse_store(rows, features, estimator, name, axes)
    array = as_numbers(X, estimator, name, axes)
    return Parsed(array[:, :, np.newaxis], "2d", X)


def _parse_3d(X: Any, shape: tuple[int, ...], estimator: BaseEstimator, name: str) -> Parsed:
    """(N, T, F) numbers."""
    _check_not_empty(shape, estimator)
    axes = ("sequence", "step", "feature")
    if is_store(X):
        return _parse_store(X, X[:1][0], estimator, name, axes)
    array = as_numbers(X, estimator, name, axes)
    return Parsed(array, "3d", array[0])


def _parse_store(
    X: Any, features: Any, estimator: BaseEstimator, name: str, axes: tuple[str, ...]
) -> Parsed:
    """(N, T) or (N, T, F) numbers, which stay where they are; what is no number is read at once."""
    layout = f"{len(axes)}d"
    _check_not_empty(X.shape, estimator)
    features = features.to_pandas() if hasattr(features, "to_pandas") else features
    if not is_table(features):
        features = np.asarray(features)
    source: Any = Store(X, name)
    if source.dtype.kind not in NUMERIC_KINDS:
        array = as_numbers(to_array(X[:], name), estimator, name, axes)
        source = array.reshape(*array.shape[:2], -1)
    return Parsed(source, layout, features)


def _parse_list(X: list, estimator: BaseEstimator, name: str) -> Parsed:
    """Tell a list of sequences from one of numbers, and from an array written as nested lists."""
    if len(X) == 0:
        _check_not_empty((0,), estimator)
    arrays = [_parse_item(item, row, estimator, name) for row, item in enumerate(X)]
    shapes = {array.shape for array in arrays}
    n_axes = {len(shape) for shape in shapes}
    if n_axes == {0}:
        _raise_flat(X, np.stack(arrays), estimator, name)
    if len(shapes) == 1 and all(isinstance(item, (list, tuple)) for item in X):
        stacked = np.stack(arrays)
        if n_axes == {1}:
            return _parse_2d(stacked, estimator, name)
        if n_axes == {2}:
            return _parse_3d(stacked, stacked.shape, estimator, name)

    _check_items(arrays, name)
    if n_axes == {1}:
        columns = [array[:, np.newaxis] for array in arrays]
        return Parsed(columns, "list-1d", columns[0])
    return Parsed(arrays, "list", _features_of_items(X, arrays, name))


def _parse_item(item: Any, row: int, estimator: BaseEstimator, name: str) -> np.ndarray:
    """One element of a list as an array of numbers, with any number of axes."""
    item_name = f"sequence {row} of {name}"
    if item is None:
        raise ValueError(f"{capitalized(item_name)} is None: leave it out.")
    refuse_types(item, item_name)
    if is_group(item):
        raise ValueError(
            f"{capitalized(item_name)} is a pair of a key and a {type(item[1]).__name__}, as "
            f"groupby yields it: pass [group for _, group in {name}]."
        )
    if is_table(item):
        check_columns(item, item_name)
    try:
        array = to_array(item, item_name)
    except ValueError as error:
        raise ValueError(
            f"{item_name} is a list of unequal lists: every step needs the same features."
        ) from error
    if array.dtype.kind in NUMERIC_KINDS:  # the short way: lists can be long
        return array
    if array.ndim == 1 and all(isinstance(step, np.ndarray) for step in array):
        item = list(array)  # of pyarrow, whose rows are arrays of arrays
    return as_numbers(item, estimator, item_name, ensure_2d=False, ensure_min_samples=0)


# What is refused for its kind or shape ---------------------------------------------------


def _refuse_panel(X: Any, name: str) -> None:
    """Raise for rows of several sequences below each other, told apart by levels of an index."""
    n_levels = getattr(getattr(X, "index", None), "nlevels", 1)
    if n_levels > 1:
        level = list(range(n_levels - 1)) if n_levels > 2 else 0
        raise ValueError(
            f"The index of {name} has {n_levels} levels. If the last level numbers the steps, pass "
            f"a list of sequences, [group for _, group in {name}.groupby(level={level})]; if each "
            f"row is a sequence, pass {name}.reset_index(drop=True)."
        )


def _raise_flat(X: Any, items: np.ndarray, estimator: BaseEstimator, name: str) -> NoReturn:
    """Raise for an array with one axis, or for a list of numbers."""
    numbers = as_numbers(items, estimator, name, ("step",), ensure_2d=False, ensure_min_samples=0)
    if isinstance(X, (list, tuple, np.ndarray)):
        got = f"2D array, got 1D array instead:\narray={numbers}"
    else:
        got = f"a 2-dimensional container but got {type(X)} instead"
    raise ValueError(
        f"Expected {got}.\nReshape your data: one sequence of {len(numbers)} steps is "
        f"np.asarray({name}).reshape(1, -1)."
    )


def _check_not_empty(shape: tuple[int, ...], estimator: BaseEstimator) -> None:
    """Raise, in scikit-learn's words, if any of (N, T, F) is zero."""
    for size, what in zip(shape, ("sample", "timestep", "feature"), strict=False):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required "
                f"by {type(estimator).__name__}."
            )


def _check_items(arrays: list[np.ndarray], name: str) -> None:
    """Raise if sequences of a list are empty or do not go together."""
    first = arrays[0]
    advice = "every sequence needs the same features in the same order."
    if len({array.shape[0] for array in arrays if array.ndim == 2}) == 1:
        advice += f" If their axes are (features, time), pass [x.T for x in {name}]."
    for row, array in enumerate(arrays):
        if array.shape[:1] == (0,):
            raise ValueError(
                f"In {name} sequence {row} has 0 timesteps while a minimum of 1 is required: "
                "leave it out."
            )
        if array.ndim not in (1, 2) or array.ndim != first.ndim:
            other = f", and sequence 0 has ndim={first.ndim}" if row else ""
            batches = f" np.concatenate({name}) joins batches." if array.ndim == 3 else ""
            raise ValueError(
                f"Sequence {row} of {name} has ndim={array.ndim}{other}: every sequence must be "
                f"(n_timesteps, n_features), or every one (n_timesteps,).{batches}"
            )
        if array.shape[1:] == (0,):
            raise ValueError(
                f"Sequence {row} of {name} has 0 feature(s) (shape={array.shape}) while a minimum "
                "of 1 is required."
            )
        if array.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"Sequence {row} of {name} has {array.shape[1]} features, but sequence 0 has "
                f"{first.shape[1]}: {advice}"
            )


def _features_of_items(X: Any, arrays: list[np.ndarray], name: str) -> Any:
    """Return the first sequence, as a DataFrame if it has column names; all must share them."""
    if all(isinstance(item, (np.ndarray, list, tuple)) for item in X):
        return arrays[0]
    expected = get_feature_names(X[0])
    for row, item in enumerate(X):
        got = get_feature_names(item)
        if not np.array_equal(got, expected):
            raise ValueError(
                f"Sequence {row} of {name} has columns {_listed(got)}, but sequence 0 has "
                f"{_listed(expected)}: every sequence needs the same features in the same order."
            )
    return arrays[0] if expected is None else X[0]


def _listed(names: np.ndarray | None) -> str:
    """Column names for a message."""
    return "without names" if names is None else str(names.tolist())


# What is refused for what fit saw --------------------------------------------------------


def _check_agrees(
    parsed: Parsed, estimator: BaseEstimator, fitted: SequenceSpec, name: str
) -> None:
    """Raise if fit saw other features; (N, T) and (N, T, 1) are the same to all but 2-D on 2-D."""
    if (parsed.layout == "2d") == (fitted.layout == "2d"):
        if "3d" in (parsed.layout, fitted.layout) and not _have_names(parsed, estimator):
            check_n_features(estimator, parsed.features, reset=False)
            return
        validate_data(estimator, parsed.features, reset=False, skip_check_array=True)
        return
    estimator_name = type(estimator).__name__
    if parsed.n_features == fitted.n_features:
        if parsed.layout == "2d":
            _refuse_column(parsed, estimator_name, name)
        return
    if fitted.layout == "2d":
        raise ValueError(
            f"{name} has {parsed.n_features} features, but {estimator_name} is expecting 1 "
            "features as input: it was fitted on univariate sequences of shape (n_sequences, "
            "n_timesteps)."
        )
    n_features = fitted.n_features
    raise ValueError(
        f"{name} is 2-D, univariate sequences of shape (n_sequences, n_timesteps), but "
        f"{estimator_name} was fitted on sequences with {n_features} features. Pass an array of "
        f"shape (n_sequences, n_timesteps, {n_features}) or a list of (n_timesteps, {n_features}) "
        f"arrays; one sequence alone is [{name}]."
    )


def _have_names(parsed: Parsed, estimator: BaseEstimator) -> bool:
    """Whether both fit and X have names of features. Of arrays (N, T, F) only xarray's can."""
    return hasattr(estimator, "feature_names_in_") and is_table(parsed.features)


def _refuse_column(parsed: Parsed, estimator_name: str, name: str) -> None:
    """Raise for a table of one column, which is one sequence rather than many of one step."""
    n_rows, n_columns, _ = parsed.source.shape
    if n_columns == 1 < n_rows:
        raise ValueError(
            f"{name} has shape ({n_rows}, 1), which as a 2-D {name} means {n_rows} sequences of "
            f"one step, but {estimator_name} was fitted on sequences of shape (n_timesteps, 1). "
            f"Pass [{name}] if it is one sequence of {n_rows} steps, and "
            f"np.asarray({name})[:, :, np.newaxis] if it is {n_rows} sequences of one step."
        )


def warn_of_single_steps(sequences: Sequences) -> None:
    """Warn if all sequences of fit have one step, which looks like swapped axes."""
    n_sequences, n_features = len(sequences), sequences.n_features
    if sequences.width > 1:
        return
    if sequences.layout == "2d" and n_sequences > 1:
        what = (
            f"X has shape ({n_sequences}, 1), which means {n_sequences} sequences of one step: if "
            f"it is one sequence of {n_sequences} steps, pass [X]."
        )
    elif n_features > 1:
        code = "np.swapaxes(X, 1, 2)" if sequences.layout == "3d" else "[x.T for x in X]"
        what = (
            f"Every sequence of X has one step of {n_features} features: if the axes are "
            f"(channels, time), pass {code}."
        )
    else:
        return
    warnings.warn(what, UserWarning, stacklevel=4)  # the line that called fit


# What is refused for its values ----------------------------------------------------------


def _check_values(parsed: Parsed, missing: str, name: str) -> Sequences:
    """Raise if a value is not finite in float32; with "mask" find lengths and missing values."""
    source, may_pad = parsed.source, not isinstance(parsed.source, list)
    if may_pad:
        lengths = np.full(source.shape[0], source.shape[1], dtype=np.int64)
    else:
        lengths = np.array([len(array) for array in source], dtype=np.int64)
    sequences = Sequences(source, lengths, parsed.layout)

    has_missing = False
    checked = lengths.copy()
    for first, block in _blocks_with_nan(sequences):  # (n, T, F)
        if np.isinf(block).any():
            _raise_infinite(block, first, parsed, name)
        observed = ~np.isnan(block)
        seen = _observed_lengths(observed)
        if missing == "error":
            padded = seen if may_pad else np.zeros_like(seen)
            _raise_nan(observed, padded, first, parsed, name)
        if not seen.all():
            raise ValueError(
                f"Sequence {first + np.argmin(seen)} of {name} has no observed value, only NaN: "
                "leave it out."
            )
        if may_pad:
            checked[first : first + len(seen)] = seen
        within = np.arange(block.shape[1]) < checked[first : first + len(seen), np.newaxis]
        has_missing |= bool((~observed & within[:, :, np.newaxis]).any())
    return Sequences(source, checked, parsed.layout, has_missing)


def _blocks_with_nan(sequences: Sequences) -> Iterator[tuple[int, np.ndarray]]:
    """Yield float32 blocks (n, T, F) where not all is finite, after their first row's number."""
    source = sequences.source
    if isinstance(source, list):
        blocks = _read_each(source)
    else:
        blocks = ((rows.start, read_rows(source, rows, np.float32)) for rows in sequences.blocks())
    return ((first, block) for first, block in blocks if not np.isfinite(block).all())


def _read_each(arrays: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each of some (T_i, F) as float32 (1, T_i, F) after its number."""
    n_bytes, first = 0, 0
    for row, array in enumerate(arrays):
        with np.errstate(all="ignore"):
            yield row, np.asarray(array, np.float32)[np.newaxis]
        n_bytes += array.nbytes
        if n_bytes > BLOCK_BYTES:
            release_pages(arrays[first : row + 1])
            n_bytes, first = 0, row + 1
    release_pages(arrays[first:])


def _observed_lengths(observed: np.ndarray) -> np.ndarray:
    """(n, T, F) -> (n,): steps up to the last one with an observed value."""
    steps = observed.any(axis=2)
    return np.where(steps, np.arange(1, steps.shape[1] + 1), 0).max(axis=1)


def _place(wrong: np.ndarray, first: int, parsed: Parsed) -> tuple[int, str]:
    """Find the first wrong value: its row within the block, and words for its place."""
    row, step, feature = np.argwhere(wrong)[0]
    place = f"sequence {first + row}, step {step}, feature {feature}"
    names = get_feature_names(parsed.features)
    if names is not None:
        place += f" (column {names[step if parsed.layout == '2d' else feature]!r})"
    return row, place


def _raise_infinite(block: np.ndarray, first: int, parsed: Parsed, name: str) -> NoReturn:
    _, place = _place(np.isinf(block), first, parsed)
    raise ValueError(
        f"Input {name} contains infinity or a value too large for dtype('float32') at {place}: "
        "remove or rescale it."
    )


def _raise_nan(
    observed: np.ndarray, lengths: np.ndarray, first: int, parsed: Parsed, name: str
) -> NoReturn:
    """Raise for NaN; `lengths` (n,) are those that the sequences have if NaN pads."""
    row, place = _place(~observed, first, parsed)
    message = (
        f"Input {name} contains NaN at {place}. Fill missing values in, or set "
        'missing="mask" of the LSTMAutoencoderTransformer to learn from the others only.'
    )
    if lengths[row] and observed[row, : lengths[row]].all():
        message += (
            f" In sequence {first + row} only complete steps at the end are NaN, which looks like "
            'padding: missing="mask" treats them as padding, and a list of sequences, each of its '
            "own length, needs no padding."
        )
    raise ValueError(message)


def check_same_layout(sequences: Sequences, more: Sequences, name: str) -> None:
    """Raise where a second set of sequences, called ``name``, cannot be joined to those of X."""
    written = []
    for each in (sequences, more):
        is_list = isinstance(each.source, list)
        written.append(each.layout if is_list else f"{each.layout} with {each.width} timesteps")
    if written[0] != written[1]:
        raise ValueError(
            f"X and {name} have different layouts ({written[0]}; {written[1]}), so they cannot be "
            "joined: pass two arrays whose shapes differ in the first axis only, or two lists of "
            "(n_timesteps, n_features) arrays."
        )


def check_horizon(sequences: Sequences, horizon: int | None) -> None:
    """Raise where a sequence leaves an encoder nothing to read or a predicting decoder no target.

    Parameters
    ----------
    sequences : Sequences
        Validated X.

    horizon : int or None
        Steps that the decoder outputs; None: steps 2 to T.
    """
    least = 2 if horizon is None else horizon + 1
    short = np.flatnonzero(sequences.lengths < least)
    if short.size:
        row = int(short[0])
        raise ValueError(
            f"Sequence {row} of X has {sequences.lengths[row]} timesteps, but predicting with "
            f"horizon={horizon} needs at least {least}: leave short sequences out, or "
            "choose a smaller horizon."
        )
