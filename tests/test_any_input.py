"""Whatever is passed as X ends in the right numbers, or in an error that names the place.

hypothesis draws sequences, writes them in every container, dtype and index that a user may have,
and spoils some of them. No network is trained.
"""

import datetime
import functools
import re
from collections import deque
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    load,
)
from sklearn_lstmae.sequences.validation import check_sequences

# An int column of polars turns to floats where something is missing; NumPy's longdouble has no
# counterpart in Arrow.
DTYPES = ["f8", "f4", "f2", ">f8", "g", "i8", "i4", "i1", "u8", "u2", "?", "O"]
SIZES = [0.0, 1e-30, 1e-3, 1.0, 300.0, 1e9, 1e30]
FEATURES = st.integers(1, 3)
LEVELS = [0.0, 14.62, -1e7, 1.7e9, 3e38]
INDEXES = {
    "range": lambda n: pd.RangeIndex(n),
    "times": lambda n: pd.date_range("2024", periods=n, freq="h"),
    "words": lambda n: pd.Index([f"row {row}" for row in range(n)]),
    "equal": lambda n: pd.Index([7] * n),
    "levels": lambda n: pd.MultiIndex.from_product([["a"], range(n)]),
}


class Store:
    """A dataset on disk: no array, but indexed like one."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __getitem__(self, rows):
        return self.array[rows]


class Tensor(Store):
    """It knows how to become an array, but takes no array of rows."""

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)

    def __getitem__(self, rows):
        raise TypeError("Only integers, slices and ellipsis are valid indices.")


def as_objects(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def frozen(array):
    array.flags.writeable = False
    return array


def names_of(array):
    return [f"f{column}" for column in range(array.shape[1])]


def pandas_frame(array, index):
    dtype = object if array.dtype == object else None  # else pandas guesses
    return pd.DataFrame(array, INDEXES[index](len(array)), names_of(array), dtype)


def polars_frame(array, _=None):
    columns = np.asarray(array, dtype=None if array.dtype.kind in "fiub" else object).T
    plain = [column.astype("f8") if column.dtype.str[1:] in ("f2", "f16") or
             column.dtype.byteorder == ">" else column for column in columns]  # fmt: skip
    return pl.DataFrame(
        {
            name: pl.Series(column.tolist() if column.dtype == object else column, strict=False)
            for name, column in zip(names_of(array), plain, strict=True)
        }
    )


# name -> what writes (arrays, name of an index) as X. Arrays are (T_i, F), of one length in the
# second table, of one feature in the third.
LISTS = {
    "list": lambda arrays, _: arrays,
    "tuple": lambda arrays, _: tuple(arrays),
    "deque": lambda arrays, _: deque(arrays),
    "objects": lambda arrays, _: as_objects(arrays),
    "views": lambda arrays, _: [array[::-1][::-1] for array in arrays],
    "frozen": lambda arrays, _: [frozen(array) for array in arrays],
    "nested": lambda arrays, _: [array.tolist() for array in arrays],
    "tensors": lambda arrays, _: [Tensor(array) for array in arrays],
    "frames": lambda arrays, index: [pandas_frame(array, index) for array in arrays],
    "polars": lambda arrays, _: [polars_frame(array) for array in arrays],
    "arrow": lambda arrays, _: [polars_frame(array).to_arrow() for array in arrays],
}
CUBES = {
    "array": lambda arrays, _: np.stack(arrays),
    "F order": lambda arrays, _: np.asfortranarray(np.stack(arrays)),
    "backwards": lambda arrays, _: np.stack(arrays[::-1])[::-1],
    "frozen 3-D": lambda arrays, _: frozen(np.stack(arrays)),
    "objects 3-D": lambda arrays, _: np.stack(arrays).astype(object),
    "store": lambda arrays, _: Store(np.stack(arrays)),
    "tensor": lambda arrays, _: Tensor(np.stack(arrays)),
}
FLAT = {
    "1-D": lambda arrays, _: [array[:, 0] for array in arrays],
    "Series": lambda arrays, index: [pandas_frame(array, index)["f0"] for array in arrays],
    "Index": lambda arrays, _: [pd.Index(array[:, 0].astype("O").tolist()) for array in arrays],
    "polars Series": lambda arrays, _: [polars_frame(array)["f0"] for array in arrays],
    "Series of arrays": lambda arrays, _: pd.Series([array[:, 0] for array in arrays]),
}


def tables(arrays):
    return np.stack(arrays)[:, :, 0]


TABLES = {
    "table": lambda arrays, _: tables(arrays),
    "nested table": lambda arrays, _: tables(arrays).tolist(),
    "frame": lambda arrays, index: pandas_frame(
        tables(arrays), index if index != "levels" else "range"
    ),
    "polars frame": lambda arrays, _: polars_frame(tables(arrays)),
    "tensor 2-D": lambda arrays, _: Tensor(tables(arrays)),
}
# Containers in which each cell may be of a type of its own.
OF_OBJECTS = ["list", "tuple", "objects", "nested", "frames", "array", "objects 3-D", "store"]
OF_OBJECTS += ["1-D", "Series", "table", "nested table", "frame"]


def writers(arrays):
    """Containers that can hold some sequences."""
    found = dict(LISTS)
    is_equal, is_flat = len({len(array) for array in arrays}) == 1, arrays[0].shape[1] == 1
    if is_equal:
        found |= CUBES
    if is_flat:
        found |= FLAT
    if is_equal and is_flat:
        found |= TABLES
    return found


def cast(array, dtype):
    """An array with values of a dtype, all within float32."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        low, high = float(bounds.min) / 2, float(bounds.max) / 2
    else:
        high = 65000.0 if dtype.str[1:] == "f2" else 3e38
        low = -high
    return np.clip(array, low, high).astype(dtype)


@st.composite
def sequences(draw, dtypes=DTYPES, n_features=FEATURES):
    """One to four arrays (T_i, F) of one dtype; each feature has its own unit."""
    n_features = draw(n_features)
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    if draw(st.booleans()):
        lengths = lengths[:1] * len(lengths)
    units = st.tuples(st.sampled_from(SIZES), st.sampled_from(LEVELS))
    size, level = np.array(draw(st.lists(units, min_size=n_features, max_size=n_features))).T
    generator = np.random.default_rng(draw(st.integers(0, 9)))
    dtype = draw(st.sampled_from(dtypes))
    return [
        cast(level + size * generator.normal(size=(length, n_features)), dtype)
        for length in lengths
    ]


@st.composite
def inputs(draw, dtypes=DTYPES, names=None, n_features=FEATURES):
    """Arrays, and the names of a container and an index to write them with."""
    arrays = draw(sequences(dtypes, n_features))
    found = [name for name in writers(arrays) if names is None or name in names]
    return arrays, draw(st.sampled_from(found)), draw(st.sampled_from(list(INDEXES)))


def write(arrays, container, index):
    return writers(arrays)[container](arrays, index)


def check(X, missing="error"):
    return check_sequences(BaseEstimator(), X, missing=missing)


def draw_place(data, arrays):
    row = data.draw(st.integers(0, len(arrays) - 1))
    return row, *(data.draw(st.integers(0, size - 1)) for size in arrays[row].shape)


@given(inputs())
def test_numbers_are_read_right(drawn):
    arrays, _, _ = drawn
    read = check(write(*drawn))
    assert read.lengths.tolist() == [len(array) for array in arrays]
    assert not read.has_missing
    for row, array in enumerate(arrays):
        values = read.read(slice(row, row + 1)).values[0]
        assert_allclose(values, array.astype("f8").astype("f4"), rtol=1e-6)


@given(inputs(["f8", "f4", "f2", "O"]), st.integers(0, 9), st.floats(0.1, 0.9))
def test_nan_is_missing_where_it_stands(drawn, seed, share):
    arrays, container, index = drawn
    generator = np.random.default_rng(seed)
    for array in arrays:
        array[generator.random(array.shape) < share] = np.nan
    is_missing = [np.isnan(array.astype("f8")) for array in arrays]
    X = write(*drawn)
    if any(missing.all() for missing in is_missing):
        row = [missing.all() for missing in is_missing].index(True)
        with pytest.raises(ValueError, match=f"Sequence {row} of X has no observed value"):
            check(X, "mask")
        return
    batch = check(X, "mask").read(slice(None))
    for row, (array, missing) in enumerate(zip(arrays, is_missing, strict=True)):
        mask = np.zeros(batch.values.shape[1:], dtype=bool)
        mask[: len(array)][: len(mask)] = ~missing[: len(mask)]
        assert_array_equal(batch.mask[row], mask)
        assert_allclose(batch.values[row][mask], array[~missing].astype("f8"), rtol=1e-6)
    if any(missing.any() for missing in is_missing):
        row = [missing.any() for missing in is_missing].index(True)
        step, feature = np.argwhere(is_missing[row])[0]
        with pytest.raises(
            ValueError, match=f"NaN at sequence {row}, step {step}, feature {feature}"
        ):
            check(write(arrays, container, index))


BAD = {
    "inf": (np.inf, "infinity"),
    "-inf": (-np.inf, "infinity"),
    "1e300": (1e300, "infinity or a value too large"),
    "10**400": (10**400, "too large"),
    "word": ("x", "could not convert string to float: 'x'"),
    "bytes": (b"x", "could not convert string to float: b?'x'"),
    "None of pandas": (pd.NA, "a real number, not 'NAType'"),
    "dict": ({}, "a real number, not 'dict'"),
    "complex": (1j, "complex"),
    "datetime": (datetime.datetime(2024, 1, 1), "time|must be a string or a real number"),
    "date": (datetime.date(2024, 1, 1), "holds a time"),
    "timedelta": (datetime.timedelta(1), "time"),
    "NaT": (pd.NaT, "NaT|dtype datetime64"),
    "datetime64": (np.datetime64("2024"), "time"),
    "Period": (pd.Period("2024"), "a real number, not 'Period'|dtype period"),
}


@given(inputs(["O"], OF_OBJECTS), st.sampled_from(list(BAD)), st.data())
def test_a_cell_that_is_no_number_is_named(drawn, name, data):
    arrays = drawn[0]
    row, step, feature = draw_place(data, arrays)
    bad, match = BAD[name]
    arrays[row][step, feature] = bad
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        check(write(*drawn), data.draw(st.sampled_from(["error", "mask"])))
    text = str(caught.value)
    assert re.search(rf"[Ss]equence {row}\b|at its", text), text
    assert re.search(rf"step {step}\b|olumn 'f{step}'|dtype", text), text


COLUMNS = {
    "times": lambda n: pd.date_range("2024", periods=n),
    "no times": lambda n: [pd.NaT] * n,
    "times of a zone": lambda n: pd.date_range("2024", periods=n, tz="Europe/Berlin"),
    "durations": lambda n: pd.timedelta_range("1h", periods=n),
    "periods": lambda n: pd.period_range("2024", periods=n, freq="M"),
    "dates": lambda n: pd.array([datetime.date(2024, 1, 1)] * n, dtype=pd.ArrowDtype(pa.date32())),
    "stamps of arrow": lambda n: pd.array(
        pd.date_range("2024", periods=n), dtype=pd.ArrowDtype(pa.timestamp("ns"))
    ),
    "words": lambda n: ["a", "b", "c", "d", "e"][:n],
    "categories": lambda n: pd.Categorical(["a"] * n),
    "numbered categories": lambda n: pd.Categorical(range(n)),
    "intervals": lambda n: pd.interval_range(0, n),
    "complex": lambda n: np.ones(n) * 1j,
    "lists": lambda n: [[1.0, 2.0]] * n,
}


@given(
    sequences(),
    st.sampled_from(list(COLUMNS)),
    st.sampled_from(list(INDEXES)),
    st.data(),
)
def test_a_column_that_holds_no_numbers_is_named(arrays, kind, index, data):
    frames = [pandas_frame(array, index) for array in arrays]
    row = data.draw(st.integers(0, len(frames) - 1))
    for number in range(row, len(frames)):
        n_rows, n_columns = frames[number].shape
        column = pd.Series(COLUMNS[kind](n_rows), frames[number].index)
        frames[number].insert(min(row, n_columns), "bad", column)
    for frame in frames[:row]:
        frame.insert(min(row, frame.shape[1]), "bad", 1.0)
    as_given = data.draw(st.sampled_from(["list", "frame"]))
    if as_given == "frame" and index == "levels":
        index = "range"
        frames[row] = frames[row].reset_index(drop=True)
    X, name = (frames, f"sequence {row} of X") if as_given == "list" else (frames[row], "X")
    with pytest.raises((ValueError, TypeError), match=f"[cC]olumn 'bad' of {name}"):
        check(X, "mask")


THINGS = [
    np.float32(1),
    np.ones(2),
    np.ones((2, 1)),
    np.ones((2, 2, 2)),
    np.ones((0, 2)),
    np.zeros(2, "M8[D]"),
    np.ma.masked_less(np.arange(3.0), 1),
    np.array(["a", "b"]),
    pd.NA,
    pd.NaT,
    pd.Series([1.0, 2.0]),
    pd.DataFrame({"a": [1.0]}),
    pd.DataFrame({"a": ["x"]}),
    pd.DataFrame(),
    pd.Index(["a"]),
    pl.DataFrame({"a": [1.0]}),
    pl.Series(["a"]),
    pa.array([[1.0], [2.0, 3.0]]),
    range(3),
    object(),
    len,
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=2)
    | st.binary(max_size=2)
    | st.dates()
    | st.sampled_from(THINGS)
)
ODD = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(as_objects)
        | st.lists(inner, max_size=3).map(iter)
        | st.dictionaries(st.text(max_size=1), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(ODD, st.sampled_from(["error", "mask"]))
def test_anything_ends_in_sequences_or_in_an_error_that_speaks_of_x(X, missing):
    try:
        batch = check(X, missing).read(slice(None))
    except (ValueError, TypeError) as error:
        message = str(error)
    else:
        message = "X is read."
        assert np.isfinite(batch.values).all()
        assert batch.mask.any(axis=(1, 2)).all()
    assert re.search(r"\bX\b|^Found array with 0 ", message)


@functools.cache
def fitted(kind="transformer"):
    """A model of two features, in which nothing needs TensorFlow."""
    return load(Path(__file__).parent / "fixtures" / f"{kind}-1.lstmae")


STAMPED = [pd.DataFrame({"x": np.arange(3.0), "when": pd.date_range("2024", periods=3)})] * 4
SLIPS = {
    "times": (lambda: STAMPED, TypeError, "Column 'when' of sequence 0 of X has dtype datetime64"),
    "generator": (lambda: (x for x in STAMPED), ValueError, r"generator: pass list\(X\)"),
    "dict": (lambda: dict(enumerate(STAMPED)), ValueError, r"pass list\(X.values\(\)\)"),
    "groups": (lambda: STAMPED[0].groupby("x"), ValueError, r"\[group for _, group in X\]"),
    "panel": (lambda: pd.concat(STAMPED, keys=list("abcd")), ValueError, r"X.groupby\(level=0\)"),
}


@pytest.mark.parametrize(("make", "error", "match"), SLIPS.values(), ids=SLIPS)
def test_every_estimator_refuses_a_slip_in_fit_and_later(make, error, match):
    unfitted = [
        LSTMAutoencoderTransformer(),
        LSTMAutoencoderDetector(),
        LSTMAutoencoderClassifier(),
    ]
    for estimator in unfitted:
        with pytest.raises(error, match=match):
            estimator.fit(make(), [0, 1, 0, 1])
    methods = {
        "transformer": ["transform", "reconstruct", "score", "errors"],
        "detector": ["predict", "score_samples", "errors", "explain"],
        "classifier": ["predict", "predict_proba"],
    }
    for kind, names in methods.items():
        for name in names:
            with pytest.raises(error, match=match):
                getattr(fitted(kind), name)(make())


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@given(inputs(n_features=st.just(2)))
def test_codes_do_not_depend_on_how_sequences_are_written(drawn):
    arrays, _, _ = drawn
    codes = fitted().transform(write(*drawn))
    assert np.isfinite(codes).all()
    plain = fitted().transform([array.astype("f8") for array in arrays])
    assert_allclose(codes, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@given(inputs(n_features=st.sampled_from([1, 3])))
def test_a_fitted_model_refuses_other_features(drawn):
    with pytest.raises(ValueError, match=r"^X (has|is)\b.*\b[13] features|2 features"):
        fitted().transform(write(*drawn))
