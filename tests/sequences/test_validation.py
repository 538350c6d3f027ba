"""Whatever is passed as sequences is read right, or refused with a message that helps."""

import contextlib
import datetime
import warnings
from collections import deque

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae.sequences.validation import (
    SequenceSpec,
    check_sequences,
    warn_of_single_steps,
)


class LSTMAutoencoderTransformer(TransformerMixin, BaseEstimator):
    """Nothing but the checks of fit and transform."""

    def __init__(self, missing="error"):
        self.missing = missing

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X, y=None):
        sequences = check_sequences(self, X, missing=self.missing)
        self.spec_ = SequenceSpec(sequences.layout, sequences.n_features)
        return self

    def transform(self, X):
        check_is_fitted(self)
        sequences = check_sequences(self, X, missing=self.missing, fitted=self.spec_)
        return sequences.read(slice(None)).values.sum(axis=(1, 2))[:, np.newaxis]


@parametrize_with_checks([LSTMAutoencoderTransformer()])
def test_scikit_learn(estimator, check):
    check(estimator)


def check(X, missing="error", estimator=None, name="X"):
    estimator = LSTMAutoencoderTransformer() if estimator is None else estimator
    return check_sequences(estimator, X, missing=missing, name=name)


def ragged(*lengths, n_features=2):
    return [
        np.arange(1.0, 1 + length * n_features).reshape(length, n_features) for length in lengths
    ]


def as_objects(sequences):
    array = np.empty(len(sequences), dtype=object)
    array[:] = sequences
    return array


def frame(*columns, rows=3):
    return pd.DataFrame(np.ones((rows, len(columns))), columns=list(columns))


def changed(X, place, value):
    X = np.array(X, dtype=np.float64)
    X[place] = value
    return X


# Layouts ---------------------------------------------------------------------------------

TABLE = np.arange(8.0).reshape(2, 4)
CUBE = np.arange(24.0).reshape(2, 4, 3)


class Convertible:
    """Something that is no array and only knows how to become one."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


class Store:
    """A dataset on disk: it has a shape and reads slices and increasing rows."""

    def __init__(self, array):
        self.array, self.shape, self.n_read = array, array.shape, []

    def __getitem__(self, rows):
        if not isinstance(rows, (int, slice)):
            assert (np.diff(rows) > 0).all()
        block = self.array[rows]
        self.n_read.append(block.size)
        return block


@pytest.mark.parametrize(
    ("X", "layout"),
    [
        (TABLE, "2d"),
        (TABLE.tolist(), "2d"),
        (tuple(map(tuple, TABLE)), "2d"),
        (pd.DataFrame(TABLE), "2d"),
        (pl.DataFrame(TABLE), "2d"),
        (TABLE.astype(object), "2d"),
        ([TABLE[0].tolist(), tuple(TABLE[1])], "2d"),
        (Convertible(TABLE), "2d"),
        (CUBE, "3d"),
        (CUBE.tolist(), "3d"),
        (CUBE.astype(object), "3d"),
        (Convertible(CUBE), "3d"),
        (Store(CUBE), "3d"),
        (list(CUBE), "list"),
        (tuple(CUBE), "list"),
        (as_objects(list(CUBE)), "list"),
        ([pd.DataFrame(x) for x in CUBE], "list"),
        ([pl.DataFrame(x) for x in CUBE], "list"),
        ([CUBE[0].tolist(), CUBE[1]], "list"),
    ],
)
def test_layouts(X, layout):
    sequences = check(X)
    expected = CUBE if layout in ("3d", "list") else TABLE[:, :, np.newaxis]
    batch = sequences.read(slice(None))
    assert_array_equal(batch.values, expected)
    assert sequences.layout == layout
    assert (sequences.n_sequences, sequences.n_timesteps, sequences.n_features) == expected.shape
    assert sequences.lengths.tolist() == [4, 4]
    assert sequences.lengths.dtype == np.int64
    assert not sequences.has_missing
    assert batch.observed is None
    assert_array_equal(sequences.read(np.array([1, 0, 1])).values, expected[[1, 0, 1]])


@pytest.mark.parametrize("wrap", [list, as_objects, lambda X: [x.tolist() for x in X]])
def test_sequences_of_unequal_length(wrap):
    X = ragged(3, 1, 2)
    sequences = check(wrap(X))
    assert (sequences.layout, sequences.lengths.tolist()) == ("list", [3, 1, 2])
    for row, expected in enumerate(X):
        assert_array_equal(sequences.read(np.array([row])).values[0], expected)


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        tuple,
        deque,
        as_objects,
        lambda X: pd.Series(list(X)),
        lambda X: pl.Series([x.tolist() for x in X]),
        lambda X: pa.array(list(X)),
        lambda X: [pd.Series(x) for x in X],
        lambda X: [X[0].tolist(), *X[1:]],
    ],
)
@pytest.mark.parametrize("length", [1, 3], ids=["unequal", "equal"])
def test_a_list_of_1d_arrays_is_a_list_of_sequences_of_any_length(wrap, length):
    sequences = check(wrap([np.arange(3.0), np.arange(4.0, 4 + length)]))
    assert (sequences.layout, sequences.n_features) == ("list-1d", 1)
    assert sequences.lengths.tolist() == [3, length]
    expected = [[0, 1, 2], [4, 5, 6] if length == 3 else [4, 0, 0]]
    assert sequences.read(slice(None)).values[..., 0].tolist() == expected


def test_sequences_in_arrow():
    sequences = check(pa.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]))
    assert (sequences.layout, sequences.lengths.tolist()) == ("list", [2, 1])
    assert sequences.read(slice(0, 1)).values[0].tolist() == [[1, 2], [3, 4]]


def test_groups_of_a_panel_are_sequences():
    sequences = check([group for _, group in PANEL.groupby(level=0)])
    assert (sequences.layout, sequences.lengths.tolist()) == ("list", [3, 3])
    assert sequences.read(slice(None)).values[1, :, 0].tolist() == [3, 4, 5]


# Values and memory -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", ">f4", ">f8", "i1", "i4", "i8", "u2", "?", "O", "g"]
)
@pytest.mark.parametrize("X", [TABLE, CUBE, list(CUBE)], ids=["2d", "3d", "list"])
def test_dtypes_equal_the_float32_copy(X, dtype):
    X = [x.astype(dtype) for x in X] if isinstance(X, list) else X.astype(dtype)
    expected = np.array([np.asarray(x, dtype="f4") for x in X])
    assert_array_equal(check(X).read(slice(None)).values, expected.reshape(2, 4, -1))


@pytest.mark.parametrize("value", [2**63 - 1, 2**70])
def test_large_integers_are_rounded(value):
    for X in ([[value, 1]], [[[value]], [[1], [2]]]):
        assert check(X).read(slice(None)).values[0, 0, 0] == np.float32(value)


@pytest.mark.parametrize("shape", [(50, 4), (50, 4, 3)])
def test_memory_layouts_are_read_alike_and_left_alone(shape, tmp_path):
    X = np.random.default_rng(0).normal(size=shape).astype("f4")
    file = np.memmap(tmp_path / "X", mode="w+", dtype="f4", shape=shape)
    file[:] = X
    file.flush()
    read_only = X.copy()
    read_only.flags.writeable = False
    mapped = np.memmap(tmp_path / "X", mode="r", dtype="f4", shape=shape)
    for given in (X, np.asfortranarray(X), X[::-1][::-1], read_only, mapped):
        flags = str(given.flags)
        sequences = check(given)
        assert_array_equal(sequences.read(slice(None)).values, X.reshape(50, 4, -1))
        assert_array_equal(given, X)
        assert str(given.flags) == flags
        assert np.shares_memory(sequences.source, given)
    assert np.shares_memory(check(mapped).read(slice(3, 9)).values, mapped)


def test_a_store_is_read_in_blocks():
    X = np.random.default_rng(0).normal(size=(20, 2**18, 1))
    store = Store(X)
    check(store)
    assert max(store.n_read) * 4 <= 2**24
    assert sum(store.n_read) <= X.size + 4 * X[0].size


def test_a_dataset_of_h5py(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "X.h5", "w") as file:
        sequences = check(file.create_dataset("X", data=CUBE))
        assert_array_equal(sequences.read(np.array([1, 0, 1])).values, CUBE[[1, 0, 1]])


# Missing values and padding --------------------------------------------------------------


@pytest.mark.parametrize("X", [TABLE, CUBE], ids=["2d", "3d"])
def test_nan_at_the_end_of_a_row_is_padding_and_elsewhere_missing(X):
    X = changed(X, (0, slice(2, None)), np.nan)
    sequences = check(X, "mask")
    assert (sequences.lengths.tolist(), sequences.n_timesteps) == ([2, 4], 4)
    assert not sequences.has_missing
    assert sequences.read(slice(None)).observed is None

    X[1, 1] = np.nan
    sequences = check(X, "mask")
    assert sequences.lengths.tolist() == [2, 4]
    assert sequences.has_missing
    assert_array_equal(
        sequences.read(slice(None)).observed, ~np.isnan(X).reshape(2, 4, sequences.n_features)
    )


def test_a_step_with_any_observed_value_is_no_padding():
    sequences = check(changed(CUBE, (0, 3, slice(0, 2)), np.nan), "mask")
    assert sequences.lengths.tolist() == [4, 4]
    assert sequences.has_missing


def test_nan_at_the_end_of_a_sequence_in_a_list_is_missing():
    sequences = check([changed(CUBE[0], 3, np.nan), CUBE[1, :2]], "mask")
    assert sequences.lengths.tolist() == [4, 2]
    assert sequences.has_missing
    assert sequences.read(slice(None)).mask.sum(axis=(1, 2)).tolist() == [9, 6]


def test_longest_is_the_longest_after_padding():
    sequences = check(changed(TABLE, (slice(None), 3), np.nan), "mask")
    assert sequences.n_timesteps == 3
    assert sequences.read(slice(None)).values.shape == (2, 3, 1)


@pytest.mark.parametrize("as_given", [np.asarray, list], ids=["array", "list"])
@pytest.mark.parametrize("X", [TABLE, CUBE], ids=["2d", "3d"])
def test_a_sequence_without_observed_values_is_named(X, as_given):
    with pytest.raises(ValueError, match="Sequence 1 of X has no observed value, only NaN"):
        check(as_given(changed(X, 1, np.nan)), "mask")


@pytest.mark.parametrize(
    ("X", "place"),
    [
        (changed(TABLE, (1, 2), np.nan), "sequence 1, step 2, feature 0"),
        (changed(CUBE, (1, 2, 1), np.nan), "sequence 1, step 2, feature 1"),
        ([CUBE[0], changed(CUBE[1], (3, 1), np.nan)], "sequence 1, step 3, feature 1"),
        (pd.DataFrame({"a": pd.array([1, pd.NA], dtype="Int64")}), "sequence 1, step 0"),
        ([pd.DataFrame({"a": pd.array([1, pd.NA], dtype="Int64")})], "sequence 0, step 1"),
        (pd.DataFrame({"a": [1, np.nan], "b": 3}), r"sequence 1, step 0, feature 0 \(column 'a'\)"),
        ([pl.DataFrame({"a": [1, 2], "b": [3, None]})], r"sequence 0, step 1, feature 1 \(col"),
    ],
)
def test_nan_is_refused_and_located(X, place):
    with pytest.raises(ValueError, match=rf'Input X contains NaN at {place}.*missing="mask"') as e:
        check(X)
    assert "padding" not in str(e.value)


@pytest.mark.parametrize("X", [TABLE, CUBE], ids=["2d", "3d"])
def test_refused_nan_that_looks_like_padding_is_told_of_ways_to_pad(X):
    with pytest.raises(
        ValueError, match=r'(?s)contains NaN.*padding: missing="mask" .*a list of sequences'
    ):
        check(changed(X, (0, slice(2, None)), np.nan))


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, -1e39])
@pytest.mark.parametrize("X", [TABLE, CUBE, list(CUBE)], ids=["2d", "3d", "list"])
def test_values_beyond_float32_are_refused_and_located(X, value, missing):
    whole = changed(X, (1, 2), value)
    with pytest.raises(
        ValueError,
        match=r"Input X contains infinity or a value too large for dtype\('float32'\) at "
        "sequence 1, step 2, feature 0",
    ):
        check(list(whole) if isinstance(X, list) else whole, missing)


def test_the_largest_float32_is_accepted():
    X = np.array([[np.finfo("f4").max, 1e-45, -0.0]])
    assert_array_equal(check(X).read(slice(None)).values[..., 0], X.astype("f4"))


# Refused at fit and at transform alike ---------------------------------------------------

PANEL = pd.DataFrame(
    {"x": np.arange(6.0), "y": 0.0}, pd.MultiIndex.from_product([["a", "b"], range(3)])
)
NESTED = pd.DataFrame({"a": [np.ones(3), np.ones(2)]})
STRUCTURED = np.ones(3, dtype=[("a", "f4"), ("b", "f4")])
REFUSED = {
    "scalar": (3.0, ValueError, r"X is a scalar \(float\). Expected an \(n_sequences, n_times"),
    "0-D": (np.array(3), ValueError, "scalar"),
    "None": (None, ValueError, "X is None. Expected"),
    "string": ("abc", ValueError, "scalar"),
    "dict": ({"a": 1}, ValueError, r"X is of type dict: pass list\(X.values\(\)\)"),
    "1-D": (np.ones(4), ValueError, "Reshape your data"),
    "1-D list": ([1.0, 2.0], ValueError, "Reshape your data"),
    "1-D objects": (np.array([1, 2], dtype=object), ValueError, "Reshape your data"),
    "4-D": (np.ones((2, 3, 4, 5)), ValueError, r"X is an array of shape \(2, 3, 4, 5\). Expected"),
    "[]": ([], ValueError, r"0 sample\(s\)"),
    "(0, 4)": (np.ones((0, 4)), ValueError, r"0 sample\(s\) \(shape=\(0, 4\)\).*minimum of 1"),
    "(0, T, F)": (np.ones((0, 4, 3)), ValueError, r"0 sample\(s\) \(shape=\(0, 4, 3\)\)"),
    "(n, 0)": (
        np.ones((12, 0)),
        ValueError,
        r"0 feature\(s\) \(shape=\(\d*, 0\)\) while a minimum of \d* is required.",
    ),
    "[[], []]": ([[], []], ValueError, r"0 feature\(s\)"),
    "(n, 0, F)": (np.ones((4, 0, 3)), ValueError, r"0 timestep\(s\) \(shape=\(4, 0, 3\)\)"),
    "(n, T, 0)": (np.ones((4, 2, 0)), ValueError, r"0 feature\(s\) \(shape=\(4, 2, 0\)\)"),
    "empty store": (Store(np.ones((0, 4, 3))), ValueError, r"0 sample\(s\)"),
    "empty sequence": (ragged(2, 3, 1, 0), ValueError, "sequence 3 has 0 timesteps"),
    "empty 1-D": ([np.ones(2), [], np.ones(3)], ValueError, "sequence 1 has 0 timesteps"),
    "empty list": ([*ragged(2, 3), []], ValueError, "sequence 2 has 0 timesteps"),
    "no features": ([*ragged(2, 3), np.ones((4, 0))], ValueError, r"Sequence 2.*0 feature\(s\)"),
    "1-D and 2-D": (
        [np.ones((3, 2)), np.ones(2)],
        ValueError,
        "Sequence 1 of X has ndim=1, and sequence 0 has ndim=2",
    ),
    "list of 3-D": ([CUBE, CUBE], ValueError, "Sequence 0 of X has ndim=3"),
    "numbers and 1-D": ([1.0, np.ones(2)], ValueError, "Sequence 0 of X has ndim=0"),
    "features differ": (
        [np.ones((3, 2)), np.ones((3, 4))],
        ValueError,
        "Sequence 1 of X has 4 features, but sequence 0 has 2: every sequence needs the same",
    ),
    "unequal steps": ([[[1, 2], [3]], [[1, 2]]], ValueError, "sequence 0 of X is a list of uneq"),
    "columns differ": (
        [frame("a", "b"), frame("b", "a")],
        ValueError,
        r"Sequence 1 of X has columns \['b', 'a'\], but sequence 0 has \['a', 'b'\]",
    ),
    "some columns": (
        [frame("a", "b"), np.ones((3, 2))],
        ValueError,
        r"Sequence 1 of X has columns without names, but sequence 0 has \['a', 'b'\]",
    ),
    "nested frame": (NESTED, ValueError, "nested frames are not supported. Expected.* or a list"),
    "nested Series": (NESTED.map(pd.Series), ValueError, "nested frames are not supported"),
    "Series": (pd.Series([1.0, 2]), ValueError, "2-dimensional container"),
    "estimator": (KMeans(), TypeError, r"X is an estimator \(KMeans\)"),
    "ensemble": (RandomForestClassifier(), TypeError, "X is an estimator"),
    "sparse array": (sp.csr_array(np.eye(4)), TypeError, "[Ss]parse"),
    "sparse matrix": (sp.coo_matrix(np.eye(4)), TypeError, "[Ss]parse"),
    "sparse list": ([sp.csr_array(np.eye(2))], TypeError, "[Ss]parse"),
    "structured": (STRUCTURED, TypeError, r"dtype \[\('a', '<f4'\), \('b', '<f4'\)\]"),
    "structured list": ([STRUCTURED], TypeError, "Sequence 0 of X has dtype"),
    "dates": (np.zeros((3, 4), "M8[s]"), TypeError, "dtype datetime64.*differences between them"),
    "durations": (np.zeros((3, 4), "m8[s]"), TypeError, "dtype timedelta64.*Divide by a unit"),
    "masked": (np.ma.masked_less(TABLE, 3), TypeError, r"filled\(np.nan\)"),
    "np.matrix": (np.asmatrix(TABLE), TypeError, "np.matrix"),
    "complex 2-D": (TABLE + 1j, ValueError, "Complex data not supported"),
    "complex 3-D": (CUBE + 1j, ValueError, "Complex data not supported"),
    "complex list": (list(CUBE + 1j), ValueError, "Complex data not supported"),
    "complex store": (Store(CUBE + 1j), ValueError, "Complex data not supported"),
    "dict cell": (
        np.array([[{"a": 1}, 1.0]], dtype=object),
        TypeError,
        "argument must be a string or a real number",
    ),
    "dict in a list": ([{"a": 1}], TypeError, "argument must be a string or a real number"),
    "strings": (np.array([["a", "b"]]), ValueError, "could not convert string to float"),
    "string cell": (
        np.array([["a", 1.0]], dtype=object),
        ValueError,
        "could not convert string to float",
    ),
    "strings 3-D": ([[["a"], ["b"]]] * 2, ValueError, "could not convert string to float"),
    "string list": (["a", "b"], ValueError, "could not convert string to float"),
    "Series of a panel": (PANEL["x"], ValueError, r"2 levels.*in X.groupby\(level=0\)\]"),
    "panel": (PANEL, ValueError, r"2 levels.*for _, group in X.groupby\(level=0\)\].*drop=True"),
    "three levels": (
        pd.concat({"s": PANEL}),
        ValueError,
        r"3 levels.*X.groupby\(level=\[0, 1\]\)\]",
    ),
    "pairs": (
        list(PANEL.groupby(level=0)),
        ValueError,
        r"Sequence 0 of X is a pair of a key and a DataFrame.*\[group for _, group in X\]",
    ),
    "pairs with Series": (list(PANEL["x"].groupby(level=0)), ValueError, "pair of a key and a Ser"),
    "pairs of polars": (
        list(pl.DataFrame({"a": [1, 2], "x": [1.0, 2.0]}).group_by("a")),
        ValueError,
        "Sequence 0 of X is a pair of a key and a DataFrame",
    ),
    "None in a list": ([np.ones(3), None], ValueError, "Sequence 1 of X is None"),
    "masked in a list": (
        [TABLE, np.ma.masked_less(TABLE, 3)],
        TypeError,
        r"Sequence 1 of X is a masked array.*x.astype\(float\).filled\(np.nan\)",
    ),
    "batches": ([CUBE, CUBE], ValueError, r"ndim=3: .*np.concatenate\(X\) joins batches"),
    "channels first": (
        [np.ones((2, 7)), np.ones((2, 5))],
        ValueError,
        r"Sequence 1 of X has 5 features.*\(features, time\), pass \[x.T for x in X\]",
    ),
    "word in a sequence": (
        [CUBE[0], CUBE[1].astype(str).tolist(), [[1, 2, "x"]]],
        ValueError,
        "could not convert string to float: 'x', at step 0, feature 2 of sequence 2 of X",
    ),
    "word in a table": (
        np.array([[1, 2], [3, "x"]], dtype=object),
        ValueError,
        "could not convert string to float: 'x', at sequence 1, step 1 of X",
    ),
    "word in 3-D": (
        np.where(CUBE == 17, "x", CUBE.astype(object)),
        ValueError,
        "could not convert string to float: 'x', at sequence 1, step 1, feature 2 of X",
    ),
    "times in nested lists": (
        [[1.0, datetime.date(2024, 1, 1)]] * 2,
        TypeError,
        r"Sequence 0 of X holds a time, datetime.date\(2024, 1, 1\) at step 1",
    ),
    "store of times": (
        Store(CUBE.astype("M8[s]")),
        TypeError,
        r"X has dtype datetime64\[s\], but numbers were expected",
    ),
    "10**400": ([[1, 10**400]], ValueError, "too large to convert to float, at step 1 of sequence"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("when", ["fit", "transform"])
@pytest.mark.parametrize(("X", "error", "match"), REFUSED.values(), ids=REFUSED)
def test_refused(X, error, match, when):
    estimator = LSTMAutoencoderTransformer()
    if when == "transform":
        estimator.fit(CUBE if "F" in match else np.ones((3, 4)))
    with pytest.raises(error, match=match):
        getattr(estimator, when)(X)


def test_messages_use_the_name_given():
    with pytest.raises(ValueError, match="Input X_unlabeled contains NaN"):
        check(changed(CUBE, 0, np.nan), name="X_unlabeled")
    with pytest.raises(ValueError, match="X_unlabeled is a scalar"):
        check(3, name="X_unlabeled")


# Agreement with fit ----------------------------------------------------------------------


def fitted_on(X):
    return LSTMAutoencoderTransformer().fit(X)


@pytest.mark.parametrize(
    ("X", "n_features_in"),
    [(TABLE, 4), (CUBE, 3), (list(CUBE), 3), ([np.ones(2), np.ones(3)], 1), (Store(CUBE), 3)],
)
def test_n_features_in_is_the_columns_of_a_table_or_else_the_features(X, n_features_in):
    estimator = fitted_on(X)
    assert estimator.n_features_in_ == n_features_in
    assert "feature_names_in_" not in vars(estimator)


def test_2d_needs_the_width_of_fit():
    with pytest.raises(
        ValueError,
        match="X has 1 features, but LSTMAutoencoderTransformer is expecting 4 features as input",
    ):
        fitted_on(np.ones((3, 4))).transform(np.ones((3, 1)))


@pytest.mark.parametrize("X", [np.ones((2, 5, 4)), [np.ones((3, 4))], Store(np.ones((2, 5, 4)))])
@pytest.mark.parametrize(
    ("fitted", "expected"), [(CUBE, 3), (list(CUBE), 3), (TABLE, 1)], ids=["3d", "list", "2d"]
)
def test_sequences_need_the_features_of_fit(X, fitted, expected):
    with pytest.raises(
        ValueError,
        match=f"X has 4 features, but LSTMAutoencoderTransformer is expecting {expected} features "
        "as input",
    ):
        fitted_on(fitted).transform(X)


def test_2d_after_multivariate_is_told_of_both_layouts():
    with pytest.raises(
        ValueError,
        match=r"X is 2-D.*\(n_sequences, n_timesteps\), but LSTMAutoencoderTransformer was fitted "
        r"on sequences with 3 features.*\(n_sequences, n_timesteps, 3\)",
    ):
        fitted_on(CUBE).transform(np.ones((5, 3)))


@pytest.mark.parametrize("fitted", [CUBE, list(CUBE), ragged(2, 3, n_features=3)])
@pytest.mark.parametrize("X", [np.ones((2, 9, 3)), [np.ones((1, 3))], Store(np.ones((2, 1, 3)))])
def test_any_length_and_layout_goes_with_the_same_features(fitted, X):
    fitted_on(fitted).transform(X)


@pytest.mark.parametrize("wrap", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("fitted", [CUBE[:, :, :1], [np.ones((4, 1))], [np.ones(3), np.ones(2)]])
def test_one_column_after_sequences_is_one_sequence_rather_than_many_of_one_step(fitted, wrap):
    estimator = fitted_on(fitted)
    X = wrap(np.arange(5.0)[:, np.newaxis])
    with pytest.raises(
        ValueError,
        match=r"X has shape \(5, 1\).*5 sequences of one step, but LSTMAutoencoderTransformer.*"
        r"Pass \[X\] .* 5 steps, and np.asarray\(X\)\[:, :, np.newaxis\] ",
    ):
        estimator.transform(X)
    assert estimator.transform([X]).tolist() == [[10]]
    assert estimator.transform(np.asarray(X)[:, :, np.newaxis]).ravel().tolist() == [0, 1, 2, 3, 4]
    assert estimator.transform(X[:1]).tolist() == [[0]]


@pytest.mark.parametrize("fitted", [np.ones((3, 4)), [np.ones(4)] * 3], ids=["2d", "list-1d"])
@pytest.mark.parametrize("lengths", [(2,), (3, 3), (5, 1), (9, 9, 9)])
def test_1d_arrays_may_have_any_length_after_any_univariate_fit(fitted, lengths):
    X = [np.ones(length) for length in lengths]
    assert fitted_on(fitted).transform(X).ravel().tolist() == list(lengths)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.ones((9, 1)), r"X has shape \(9, 1\), which means 9 seq.*of 9 steps, pass \[X\]"),
        (frame("a", rows=4), r"X has shape \(4, 1\).*pass \[X\]"),
        (np.ones((9, 1, 24)), r"one step of 24 features.*\(channels, time\), .*swapaxes\(X, 1,"),
        ([np.ones((1, 5))] * 2, r"one step of 5 features.*\[x.T for x in X\]"),
        (np.ones((9, 2)), None),
        (np.ones((1, 1)), None),
        (np.ones((9, 1, 1)), None),
        (np.ones((9, 2, 24)), None),
        ([np.ones((1, 5)), np.ones((2, 5))], None),
    ],
)  # fmt: skip
def test_sequences_of_one_step_look_like_swapped_axes(X, match):
    expected = contextlib.nullcontext() if match is None else pytest.warns(UserWarning, match=match)
    with expected:
        warn_of_single_steps(check(X))


UNIVARIATE = [np.ones((2, 7)), np.ones((2, 3, 1)), [np.ones((2, 1))], [np.ones(2), np.ones(3)]]


@pytest.mark.parametrize(
    ("fitted", "X"),
    [(frame("a", "b"), X) for X in UNIVARIATE[1:]]
    + [(fitted, X) for fitted in UNIVARIATE[1:] for X in (*UNIVARIATE, frame("a", "b"))],
)
def test_univariate_layouts_are_interchangeable(fitted, X):
    fitted_on(fitted).transform(X)


@pytest.mark.parametrize(
    "as_given", [lambda table: table, lambda table: [table, table.iloc[:2]]], ids=["2d", "list"]
)
class TestFeatureNames:
    def test_are_kept_and_dropped_by_the_next_fit(self, as_given):
        estimator = fitted_on(as_given(frame("a", "b", "c")))
        assert estimator.feature_names_in_.tolist() == ["a", "b", "c"]
        assert estimator.n_features_in_ == 3
        estimator.fit(CUBE)
        assert "feature_names_in_" not in vars(estimator)

    @pytest.mark.parametrize(
        ("columns", "match"),
        [
            ("abd", "The feature names should match(.|\n)*unseen at fit time:\n- d"),
            ("ab", "seen at fit time, yet now missing:\n- c"),
            ("acb", "must be in the same order"),
        ],
    )
    def test_must_be_those_of_fit(self, as_given, columns, match):
        estimator = fitted_on(as_given(frame("a", "b", "c")))
        with pytest.raises(ValueError, match=match):
            estimator.transform(as_given(frame(*columns)))
        estimator.transform(as_given(frame("a", "b", "c")))

    def test_warn_where_one_side_has_none(self, as_given):
        named = as_given(frame("a", "b", "c"))
        plain = as_given(pd.DataFrame(np.ones((3, 3))))
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            fitted_on(named).transform(plain)
        with pytest.warns(UserWarning, match="X has feature names"):
            fitted_on(plain).transform(named)


def test_names_are_not_compared_with_arrays_of_three_axes():
    """They cannot have any: windows of a record with names, and then pieces of it."""
    cube, frames = np.ones((2, 3, 2)), [frame("a", "b")] * 2
    for one, other in [(cube, frames), (frames, cube)]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted_on(one).transform(other)
    for one, other in [(cube, [frame("a")] * 2), ([frame("a")] * 2, cube)]:
        with pytest.raises(ValueError, match=r"X has \d features, but \w+ is expecting"):
            fitted_on(one).transform(other)


def test_a_refused_fit_changes_nothing():
    estimator = fitted_on(frame("a", "b", "c"))
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.full((2, 9), np.nan))
    assert vars(estimator) == before


def test_no_warning_leaks_whatever_numpy_is_told():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        check(np.array([[1e-300, 1.0]])).read(slice(None))
        with pytest.raises(ValueError, match="too large"):
            check([[1e300, 1.0]])
