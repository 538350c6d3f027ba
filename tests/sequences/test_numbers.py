"""Whatever holds numbers becomes an array of them; what holds none is refused where it stands."""

import datetime
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.cluster import KMeans

from sklearn_lstmae import sliding_windows
from sklearn_lstmae.sequences.numbers import (
    as_numbers,
    columns_of,
    is_store,
    is_table,
    refuse_collections,
    to_container,
)
from sklearn_lstmae.sequences.validation import check_sequences

# Columns -------------------------------------------------------------------------------------

DAYS = pd.date_range("2024-01-01", periods=3)
DATES = [datetime.date(2024, 1, day) for day in (1, 2, 3)]
TIME = datetime.time(12)


def arrow(values, dtype):
    return pd.Series(pd.array(values, dtype=pd.ArrowDtype(dtype)))


PANDAS_TIMES = {
    "datetime64": pd.Series(DAYS),
    "datetime64[s]": pd.Series(DAYS.astype("M8[s]")),
    "NaT first": pd.Series([pd.NaT, *DAYS[:2]]),
    "only NaT": pd.Series([pd.NaT] * 3),
    "with a time zone": pd.Series(DAYS.tz_localize("Europe/Berlin")),
    "timedelta64": pd.Series(DAYS - DAYS[0]),
    "Period": pd.Series(DAYS.to_period("D")),
    "timestamp": arrow(DAYS, pa.timestamp("ns")),
    "timestamp with a zone": arrow(DAYS, pa.timestamp("us", "UTC")),
    "duration": arrow(DAYS - DAYS[0], pa.duration("s")),
    "date32": arrow(DATES, pa.date32()),
    "time64": arrow([TIME] * 3, pa.time64("us")),
    "objects, Timestamp": pd.Series(DAYS.astype(object), dtype=object),
    "objects, date": pd.Series(DATES, dtype=object),
    "objects, time": pd.Series([TIME] * 3, dtype=object),
    "objects, timedelta": pd.Series([1.0, None, datetime.timedelta(1)], dtype=object),
    "objects, NumPy": pd.Series([1.0, np.datetime64("2024"), 2.0], dtype=object),
    "objects, NaT": pd.Series([1.0, 2.0, pd.NaT], dtype=object),
}
POLARS_TIMES = {
    "Datetime": pl.Series(DAYS.to_numpy()),
    "Datetime with a zone": pl.Series(DAYS.to_numpy()).dt.replace_time_zone("UTC"),
    "null first": pl.Series([None, *DAYS[:2].to_pydatetime()]),
    "Date": pl.Series(DATES),
    "Time": pl.Series([TIME] * 3),
    "Duration": pl.Series([datetime.timedelta(1)] * 3),
}
OTHERS = {
    "words": (pd.Series(["1", "b", "c"]), ValueError, "could not convert string to float: 'b'"),
    "object words": (pd.Series([1, "b", 2], dtype=object), ValueError, "string to float: 'b'"),
    "words of arrow": (arrow(["1", "b", "2"], pa.string()), ValueError, "string to float: 'b'"),
    "bytes": (pd.Series([b"1", b"b", b"2"]), ValueError, "could not convert string to float: b'b'"),
    "categories": (pd.Series(["u", "v", "u"], dtype="category"), TypeError, "dtype category"),
    "codes": (pd.Series([1, 2, 1], dtype="category"), TypeError, "dtype category.*OneHotEncoder"),
    "intervals": (pd.Series(pd.interval_range(0, 3)), TypeError, "a real number, not .*Interval'"),
    "dicts": (pd.Series([1.0, {}, {}]), TypeError, "a real number, not 'dict'"),
    "NA": (pd.Series([1.0, pd.NA, 2.0], dtype=object), TypeError, "a real number, not 'NAType'"),
    "polars words": (pl.Series(["1", "b", "2"]), ValueError, "string to float: 'b'"),
    "Categorical": (pl.Series(["u"] * 3, dtype=pl.Categorical), TypeError, "dtype (Cat|dict)"),
    "Enum": (pl.Series(["u"] * 3, dtype=pl.Enum(["u"])), TypeError, "dtype (Enum|dict)"),
    "Object": (pl.Series([object()] * 3, dtype=pl.Object), TypeError, "real number, not 'object'"),
}


def frame_of(column, **others):
    if isinstance(column, pl.Series):
        return pl.DataFrame({**others, "when": column})
    return pd.DataFrame({**others, "when": column})


def tables(column):
    """A column alone and beside numbers, as tables of the library it is from, and of Arrow."""
    frames = [frame_of(column), frame_of(column, x=np.arange(3.0))]
    if isinstance(column, pl.Series) and column.dtype != pl.Object:
        frames += [frame.to_arrow() for frame in frames]
    return frames


def check(X):
    return check_sequences(KMeans(), X, missing="mask")


@pytest.mark.parametrize(
    "column", [*PANDAS_TIMES.values(), *POLARS_TIMES.values()], ids=[*PANDAS_TIMES, *POLARS_TIMES]
)
class TestTimes:
    def test_in_a_table(self, column):
        for table in tables(column):
            with pytest.raises(TypeError, match=r"Column 'when' of X .* numbers were expected"):
                check(table)

    def test_in_a_list_of_tables(self, column):
        for table in tables(column):
            match = "Column 'when' of sequence 0 of X .* numbers were expected"
            with pytest.raises(TypeError, match=match):
                check([table])

    def test_in_a_later_table(self, column):
        first, second = frame_of(np.arange(3.0), x=1.0), frame_of(column, x=[1.0, 2.0, 3.0])
        with pytest.raises(TypeError, match="Column 'when' of sequence 1 of X"):
            check([first, second])

    def test_in_a_record(self, column):
        with pytest.raises(TypeError, match=r"Column 'when' of the record .* expected.*group="):
            sliding_windows(frame_of(column, x=np.arange(3.0)), 2)

    def test_as_a_sequence(self, column):
        match = "[Ss]equence 1 of X(.|\n)*(numbers were expected|Numbers were expected)"
        sequences = (
            [column]
            if isinstance(column, pl.Series)
            else [column, pd.Index(column, dtype=column.dtype)]
        )
        for sequence in sequences:
            with pytest.raises(TypeError, match=match):
                check([np.ones(3), sequence])


@pytest.mark.parametrize(("column", "error", "match"), OTHERS.values(), ids=OTHERS)
def test_other_columns_that_hold_no_numbers(column, error, match):
    row = 0 if error is TypeError and "NA" not in match and "dict" not in match else 1
    for table in tables(column):
        for X, name in ((table, "X"), ([table], "sequence 0 of X")):
            with pytest.raises(error, match=match) as caught:
                check(X)
            text = str(caught.value).replace("Column", "column")
            assert f"column 'when' of {name}" in text
            assert (
                "has dtype" in text or f"{'step' if X is not table else 'sequence'} {row}" in text
            )


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([True, None, True], dtype="boolean"),
        arrow([1.0, None, 3.0], pa.float32()),
        arrow([True, None, True], pa.bool_()),
        pd.Series(pd.arrays.SparseArray([1.0, 0.0, 3.0])).sparse.to_dense(),
        pd.Series([1, None, 2.5], dtype=object),
        pd.Series(["1", "2.5", "3"]),
        pl.Series([1, None, 3]),
        pl.Series([True, None, True]),
        pl.Series([1, 2, 3]).cast(pl.Decimal(5, 2)),
        pl.Series([None, None, 1.0]),
    ],
)
def test_columns_of_numbers_in_any_form(column):
    expected = [np.nan if pd.isna(value) else float(value) for value in column]
    for table in tables(column):
        sequences = check([table])
        values = sequences.read(slice(None), dtype=np.float64)
        assert_array_equal(
            np.where(values.mask, values.values, np.nan)[0, :, -1], np.float32(expected)
        )
        assert_array_equal(sliding_windows(table, 3)[0][0, :, -1], expected)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(np.ones((3, 2)), columns=["a", "a"]),
        pd.DataFrame(np.ones((3, 3)), columns=[0, 1, 0]),
        pa.Table.from_arrays([pa.array([1.0])] * 2, ["a", "a"]),
    ],
)
def test_names_that_repeat(frame):
    for X, name in ((frame, "X"), ([frame], "Sequence 0 of X")):
        with pytest.raises(ValueError, match=f"{name} has two columns .*: give each its own name"):
            check(X)


def test_columns_and_their_names():
    for table in (
        pd.DataFrame({"a": [1], "b": [2]}),
        pl.DataFrame({"a": [1], "b": [2]}),
        pa.table({"a": [1], "b": [2]}),
    ):
        assert is_table(table)
        assert [(name, np.asarray(column).item()) for name, column in columns_of(table)] == [
            ("a", 1),
            ("b", 2),
        ]
    for other in (np.ones((2, 2)), pd.Series([1.0]), pl.Series([1.0]), pl.LazyFrame({"a": [1]})):
        assert not is_table(other)


# Containers ----------------------------------------------------------------------------------


class Tensor:
    """It has a shape and knows how to become an array, but takes no array of rows."""

    def __init__(self, array, error=None):
        self.array, self.shape, self.error = array, array.shape, error

    def __array__(self, dtype=None, copy=None):
        if self.error is not None:
            raise self.error
        return np.array(self.array, dtype=dtype)

    def __getitem__(self, rows):
        if not isinstance(rows, (int, slice)):
            raise TypeError("Only integers and slices are valid indices.")
        return Tensor(self.array[rows])


class Ragged:
    """Sequences of unequal length, as TensorFlow's class has them, or awkward's."""

    def __init__(self, rows, shape=None):
        self.rows = rows
        if shape is not None:
            self.shape = shape

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        return self.rows[row]

    def __array__(self, dtype=None, copy=None):
        raise ValueError("cannot convert to RegularArray")


class Dataset(list):
    def as_numpy_iterator(self):
        return iter(self)


class Store:
    """A dataset on disk: no array, but indexed like one."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __getitem__(self, rows):
        return self.array[rows]


CUBE = np.arange(24.0).reshape(2, 4, 3)


@pytest.mark.parametrize("shape", [(2, 12), (2, 4, 3)])
def test_a_tensor_is_read_as_an_array(shape):
    X = CUBE.reshape(shape)
    sequences = check(Tensor(X))
    assert type(sequences.source) is np.ndarray
    assert_array_equal(
        sequences.read(np.array([1, 0])).values, X[::-1].reshape(2, -1, sequences.n_features)
    )
    assert_array_equal(check([Tensor(x) for x in CUBE]).read(slice(None)).values, CUBE)


@pytest.mark.parametrize("error", [TypeError("copy it to the CPU"), RuntimeError("use detach()")])
def test_a_tensor_that_cannot_be_read(error):
    for X, name in ((Tensor(CUBE, error), "X"), ([Tensor(CUBE[0], error)], "sequence 0 of X")):
        with pytest.raises(TypeError, match=rf"NumPy cannot read {name}, a Tensor: .*\b"):
            check(X)
    symbolic = Tensor(CUBE, ValueError("It has no value"))
    with pytest.raises(ValueError, match="NumPy cannot read X, a Tensor: It has no value"):
        check(symbolic)


def test_ragged_rows_become_a_list():
    rows = [CUBE[0], CUBE[1, :2]]
    for X in (Ragged(rows), Ragged(rows, (2, None, 3))):
        sequences = check(X)
        assert (sequences.layout, sequences.lengths.tolist()) == ("list", [4, 2])
        assert_array_equal(sequences.read(np.array([1])).values[0], rows[1])


def test_what_reads_on_demand_stays_where_it_is(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "X.h5", "w") as file:
        for X in (Store(CUBE), file.create_dataset("X", data=CUBE)):
            assert is_store(X)
            assert to_container(X, "X") is X
            assert check(X).is_stored
    for X in (CUBE, Tensor(CUBE), Ragged([], (2, None, 3)), [CUBE], {}, None, 3):
        assert not is_store(X)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: None, "records is None. Expected"),
        (lambda: {"a": CUBE}, r"type dict: pass list\(records.values\(\)\)"),
        (lambda: {"a": CUBE}.values(), r"type dict_values: pass list\(records\)"),
        (lambda: (x for x in CUBE), r"type generator: pass list\(records\)"),
        (lambda: map(np.asarray, CUBE), r"type map: pass list\(records\)"),
        (lambda: zip(CUBE, strict=True), r"type zip: pass list\(records\)"),
        (lambda: {1.0, 2.0}, r"type set: pass list\(records\)"),
        (lambda: iter(CUBE), r"pass list\(records\)"),
        (lambda: pl.LazyFrame({"a": [1]}), r"LazyFrame: pass records.collect\(\)"),
        (
            lambda: Dataset(CUBE),
            r"pass list\(records.as_numpy_iterator\(\)\), or np.concatenate\(list\(records",
        ),
        (
            lambda: pd.DataFrame({"a": [1]}).groupby("a"),
            r"DataFrameGroupBy.*pass \[group for _, group in records\]",
        ),
        (lambda: pd.Series([1]).groupby([1]), "SeriesGroupBy"),
        (lambda: pl.DataFrame({"a": [1]}).group_by("a"), "type GroupBy"),
    ],
)
def test_collections_are_refused_with_the_code_that_makes_a_list(make, match):
    with pytest.raises(ValueError, match=match) as caught:
        refuse_collections(make(), "records")
    with pytest.raises(
        ValueError, match=f"^{re.escape(str(caught.value).replace('records', 'X'))}"
    ):
        check(make())
    _, _, code = str(caught.value).partition(": pass ")
    compile(code.split(", or ")[0].rstrip(".") or "None", "message", "eval")


def test_the_code_that_messages_show_makes_sequences():
    records = {"a": CUBE[0], "b": CUBE[1]}
    for X in (list(records.values()), [group for _, group in records.items()], list(iter(CUBE))):
        assert check(X).n_sequences == 2


@pytest.mark.parametrize("X", [object(), print, KMeans])
def test_a_thing_that_is_none_of_these(X):
    with pytest.raises(ValueError, match=f"X is of type {type(X).__name__}. Expected"):
        check(X)


# Numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "axes", "error", "match"),
    [
        ([[1, "x"]], ("row", "column"), ValueError, "'x', at row 0, column 1 of the table"),
        ([1, "x"], ("row",), ValueError, "'x', at row 1 of the table"),
        ("x", (), ValueError, "'x', at the table"),
        (
            [1, 10**400],
            ("row",),
            ValueError,
            "too large to convert to float, at row 1 of",
        ),
        ([1j, "x"], ("row",), TypeError, "not 'complex', at row 0 of the table"),
        ([None, DATES[0]], ("row",), TypeError, r"The table holds a time, .* at row 1, but"),
    ],
)
def test_the_place_of_what_is_no_number(cells, axes, error, match):
    with pytest.raises(error, match=match):
        as_numbers(
            np.array(cells, dtype=object), "estimator", "the table", axes, ensure_2d=False,
            ensure_min_samples=0,
        )  # fmt: skip


def test_sparse_tables_are_refused():
    for X, name in ((sp.csr_array(np.eye(3)), "X"), ([sp.coo_matrix(np.eye(3))], "Sequence 0")):
        with pytest.raises(TypeError, match=rf"{name}.* is sparse .*: pass its toarray\(\)"):
            check(X)
