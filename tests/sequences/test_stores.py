"""Stores are read in slices, give what their array gives, and keep the names of their columns."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from helpers import assert_same_fit, make_transformer
from sklearn_lstmae import load
from sklearn_lstmae.sequences import stores
from sklearn_lstmae.sequences.stores import Store, read_rows, release_pages
from sklearn_lstmae.sequences.validation import SequenceSpec, check_sequences

CUBE = np.random.default_rng(0).normal(size=(40, 6, 2)).astype("f4")
TABLE = np.ascontiguousarray(CUBE[:, :, 0])
FIXTURES = Path(__file__).parents[1] / "fixtures"
NAMES = ["pressure", "flow"]


def in_h5py(array, folder):
    h5py = pytest.importorskip("h5py")
    return h5py.File(folder / "X.h5", "w").create_dataset("X", data=array)


def in_zarr(array, folder):
    zarr = pytest.importorskip("zarr")
    store = zarr.create_array(
        str(folder / "X.zarr"), shape=array.shape, chunks=(7, *array.shape[1:]), dtype=array.dtype
    )
    store[:] = array
    return store


def in_xarray(array, folder):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(array)


def in_dask(array, folder):
    dask_array = pytest.importorskip("dask.array")
    return dask_array.from_array(array, chunks=(7, *array.shape[1:]))


def in_dask_and_xarray(array, folder):
    return in_xarray(in_dask(array, folder), folder)


def in_a_file(array, folder):
    np.save(folder / "X.npy", array)
    return np.load(folder / "X.npy", mmap_mode="r")


IN_STORES = [in_h5py, in_zarr, in_xarray, in_dask, in_dask_and_xarray]
in_any_store = pytest.mark.parametrize("put", IN_STORES)


class Slices:
    """A store that notes which slices it was asked for, and takes nothing else."""

    def __init__(self, array, chunks=None):
        self.array, self.shape, self.dtype, self.asked = array, array.shape, array.dtype, []
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        self.asked.append((rows.start or 0, rows.stop))
        return self.array[rows]


def check(X, missing="error", estimator=None, **options):
    return check_sequences(estimator or BaseEstimator(), X, missing=missing, **options)


# Rows ------------------------------------------------------------------------------------


@in_any_store
@pytest.mark.parametrize("kind", ["cube", "f4", "f8", "?"])
def test_rows_of_a_store_are_those_of_its_array(put, kind, tmp_path):
    array = CUBE if kind == "cube" else TABLE.astype(kind)
    sequences, expected = check(put(array, tmp_path)), check(array)
    assert sequences.is_stored
    assert sequences.layout == expected.layout
    assert sequences.resolution == expected.resolution
    for rows in (slice(None), slice(3, 5), np.array([39, 0, 7, 7]), np.arange(1, 38), slice(2, 2)):
        batch, same = sequences.read(rows, dtype="f8"), expected.read(rows, dtype="f8")
        assert_array_equal(batch.values, same.values, strict=True)


@pytest.mark.parametrize("slab_bytes", [1, 100, 500, 2**20])
@pytest.mark.parametrize("chunks", [None, (9, 6, 2), ((5, 30, 5), (6,), (2,))])
def test_only_slices_are_read_whatever_rows_are_wanted(slab_bytes, chunks, monkeypatch):
    monkeypatch.setattr(stores, "SLAB_BYTES", slab_bytes)
    store = Store(Slices(CUBE, chunks))
    generator = np.random.default_rng(1)
    for size in (1, 5, 39):
        rows = generator.permutation(40)[:size]
        assert_array_equal(read_rows(store, rows, "f4"), CUBE[rows])
    assert_array_equal(np.asarray(store), CUBE)


def test_small_requests_in_order_read_each_slab_once(monkeypatch):
    monkeypatch.setattr(stores, "SLAB_BYTES", 10 * CUBE[0].nbytes)
    given = Slices(CUBE)
    store = Store(given)
    given.asked.clear()
    for start in range(0, 40, 3):
        store.read(slice(start, start + 3))
    assert given.asked == [(0, 10), (10, 20), (20, 30), (30, 40)]


def test_a_chunk_is_read_as_a_whole_unless_it_is_huge(monkeypatch):
    monkeypatch.setattr(stores, "SLAB_BYTES", 1)
    for limit, expected in ((2**27, (16, 24)), (1, (20, 21))):
        monkeypatch.setattr(stores, "CHUNK_BYTES", limit)
        given = Slices(CUBE, (8, 6, 2))
        Store(given)._from_slabs(np.array([20]))
        assert given.asked[-1] == expected


def test_long_stretches_with_few_gaps_are_one_slice(monkeypatch):
    monkeypatch.setattr(stores, "SLAB_BYTES", 4 * CUBE[0].nbytes)
    given = Slices(CUBE)
    store = Store(given)
    given.asked.clear()
    rows = np.array([5, 6, 8, 9, 10, 12, 30, 31, 32])
    assert_array_equal(store.read(rows), CUBE[rows])
    assert given.asked == [(5, 13), (30, 33)]


@pytest.mark.parametrize("unknown", [(float("nan"), 6, 2), (float("nan"), 6)])
def test_a_store_of_unknown_size_says_what_to_call(unknown):
    class Unknown(Slices):
        shape = property(lambda self: unknown, lambda self, value: None)

    with pytest.raises(ValueError, match=r"not known: call X.compute_chunk_sizes\(\) first"):
        check(Unknown(CUBE if len(unknown) == 3 else TABLE))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_errors_of_a_store_name_the_place(wrong, tmp_path):
    for array, place in ((TABLE, "sequence 31, step 4"), (CUBE, "sequence 31, step 4, feature 0")):
        array = array.copy()
        array[31, 4] = wrong
        with pytest.raises(ValueError, match=place):
            check(Slices(array))


@pytest.mark.parametrize("array", [CUBE, TABLE], ids=["3d", "2d"])
def test_words_in_a_store_are_refused_and_numbers_as_objects_are_read(array, tmp_path):
    assert_array_equal(check(Slices(array.astype(object))).read(slice(4)).values[..., 0], TABLE[:4])
    words = array.astype(object)
    words[2, 3] = "broken"
    with pytest.raises(ValueError, match="sequence 2, step 3"):
        check(Slices(words))


def test_padding_and_missing_values_of_a_store(tmp_path):
    array = CUBE.copy()
    array[::3, 4:] = np.nan
    array[1, 2, 0] = np.nan
    sequences, expected = check(in_zarr(array, tmp_path), "mask"), check(array, "mask")
    assert_array_equal(sequences.lengths, expected.lengths)
    assert_array_equal(sequences.read(slice(None)).mask, expected.read(slice(None)).mask)


def test_items_of_a_list_may_be_memory_maps(tmp_path):
    X = []
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", CUBE[number, : number + 2])
        X.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    sequences = check(X)
    release_pages(X)
    for row, values in enumerate(sequences.read(slice(None)).values):
        assert_array_equal(values[: row + 2], CUBE[row, : row + 2])


# Names -----------------------------------------------------------------------------------


def test_coordinates_of_xarray_are_names(tmp_path):
    xarray = pytest.importorskip("xarray")
    cube = xarray.DataArray(CUBE, dims=("n", "t", "f"), coords={"f": NAMES})
    estimator = BaseEstimator()
    check(cube, estimator=estimator)
    assert estimator.feature_names_in_.tolist() == NAMES
    fitted = SequenceSpec("3d", 2)
    check(cube, estimator=estimator, fitted=fitted)
    check(CUBE, estimator=estimator, fitted=fitted)
    with pytest.raises(ValueError, match="must be in the same order"):
        check(cube[:, :, ::-1], estimator=estimator, fitted=fitted)

    table = xarray.DataArray(TABLE, dims=("n", "t"), coords={"t": list("abcdef")})
    estimator = BaseEstimator()
    check(table, estimator=estimator)
    assert estimator.feature_names_in_.tolist() == list("abcdef")
    numbered = BaseEstimator()
    check(xarray.DataArray(TABLE, dims=("n", "t"), coords={"t": range(6)}), estimator=numbered)
    assert not hasattr(numbered, "feature_names_in_")


def test_a_table_of_dask_is_read_in_slices_and_keeps_its_names():
    frames = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(TABLE, columns=list("abcdef"))
    X, estimator = frames.from_pandas(table, npartitions=3), BaseEstimator()
    sequences = check(X, estimator=estimator)
    assert sequences.is_stored
    assert_array_equal(sequences.read(slice(None)).values[:, :, 0], TABLE)
    assert estimator.feature_names_in_.tolist() == list("abcdef")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(table, estimator=estimator, fitted=SequenceSpec("2d", 1))
        check(X, estimator=estimator, fitted=SequenceSpec("2d", 1))
    words = frames.from_pandas(table.assign(c="x"), npartitions=3)
    with pytest.raises(ValueError, match="'c' of X"):
        check(words)


# Estimators ------------------------------------------------------------------------------


@in_any_store
def test_methods_give_the_bits_of_the_array(put, tmp_path):
    stored = np.load(FIXTURES / "transformer-1.npz")
    model = load(FIXTURES / "transformer-1.lstmae")
    X = put(stored["X"], tmp_path)
    assert_array_equal(model.transform(X), model.transform(stored["X"]))
    assert_array_equal(model.reconstruct(X), model.reconstruct(stored["X"]))
    assert_array_equal(model.errors(X, per="value"), model.errors(stored["X"], per="value"))


@pytest.mark.filterwarnings("ignore:All 2 epochs were run")
def test_one_seed_gives_one_result_for_all_stores(tmp_path, monkeypatch):
    from sklearn_lstmae.training import loop

    monkeypatch.setattr(loop, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(loop, "BLOCK_BYTES", 3 * CUBE[0].nbytes)
    monkeypatch.setattr(loop, "BUFFER_BYTES", 12 * CUBE[0].nbytes)
    monkeypatch.setattr(loop, "CHUNK_BYTES", 12 * CUBE[0].nbytes)
    settings = {"batch_size": 4, "patch_size": 1}
    expected = make_transformer(early_stopping=True, **settings).fit(CUBE)
    for put in (*IN_STORES, in_a_file):
        model = make_transformer(early_stopping=True, **settings).fit(put(CUBE, tmp_path))
        assert_same_fit(model, expected)
    pieces = [make_transformer(**settings).partial_fit(X) for X in (CUBE, Slices(CUBE))]
    assert_same_fit(*pieces)
