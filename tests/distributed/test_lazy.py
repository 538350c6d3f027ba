"""Methods on collections of Dask: what the estimator returns, partition by partition."""

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from helpers import make_transformer
from sklearn_lstmae import LSTMAutoencoderClassifier, LSTMAutoencoderDetector, distributed

N, T, F = 20, 8, 2


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(N, T, F)).astype("f4")


@pytest.fixture(scope="module")
def table(X):
    names = [f"t{step}" for step in range(T)]
    return pd.DataFrame(X[:, :, 0], pd.Index(np.arange(N) * 2, name="id"), names)


@pytest.fixture(scope="module")
def transformer(X):
    return make_transformer(epochs=1).fit(X)


@pytest.fixture(scope="module")
def estimators(table):
    """Fitted on the table."""
    labels = np.array(["a", "b"])[np.arange(N) % 2]
    autoencoder = make_transformer(epochs=1).fit(table)
    return {
        "transformer": autoencoder,
        "classifier": LSTMAutoencoderClassifier(
            make_transformer(epochs=1), epochs=1, random_state=0
        ).fit(table, labels),
        "detector": LSTMAutoencoderDetector(make_transformer(epochs=1)).fit(table),
    }


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


METHODS = [
    ("transformer", "transform"),
    ("transformer", "score_samples"),
    ("classifier", "predict"),
    ("classifier", "predict_proba"),
    ("detector", "predict"),
    ("detector", "score_samples"),
]


@pytest.mark.parametrize("chunks", [(6, -1, -1), (7, 3, 1), (N, T, F), ((5, 0, 15), T, F)])
@pytest.mark.parametrize("method", ["transform", "score_samples"])
def test_an_array_becomes_an_array_divided_alike(chunks, method, transformer, X):
    lazy = da.from_array(X, chunks=(4, 4, 1)).rechunk(chunks)
    result = getattr(distributed, method)(transformer, lazy)
    expected = getattr(transformer, method)(X)
    assert result.chunks[0] == lazy.chunks[0]
    assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
    assert_array_equal(result.compute(), expected, strict=True)


def test_chunks_may_be_of_unknown_size(transformer, X):
    lazy = da.from_array(X, chunks=(6, -1, -1))
    lazy = lazy[lazy[:, 0, 0] > 0]
    codes = distributed.transform(transformer, lazy).compute()
    assert_array_equal(codes, transformer.transform(X[X[:, 0, 0] > 0]))


@pytest.mark.parametrize(("name", "method"), METHODS)
@pytest.mark.parametrize("partitions", [1, 3])
def test_a_table_keeps_its_index(partitions, name, method, estimators, table):
    dd = pytest.importorskip("dask.dataframe")
    lazy = dd.from_pandas(table, npartitions=partitions)
    result = getattr(distributed, method)(estimators[name], lazy)
    assert result.divisions == lazy.divisions
    computed = result.compute()
    assert computed.index.equals(table.index)
    assert_array_equal(computed, getattr(estimators[name], method)(table))
    if computed.ndim == 1:
        assert result.dtype == computed.dtype
    else:
        assert_array_equal(result.dtypes, computed.dtypes)
        columns = {
            "transform": estimators["transformer"].get_feature_names_out(),
            "predict_proba": ["a", "b"],
        }
        assert_array_equal(result.columns, columns[method])


def test_a_partition_may_be_empty(estimators, table):
    dd = pytest.importorskip("dask.dataframe")
    lazy = dd.from_pandas(table, npartitions=3)
    some = lazy.map_partitions(lambda part: part[part.index > 30], meta=table[:0])
    result = distributed.predict_proba(estimators["classifier"], some).compute()
    assert_array_equal(result, estimators["classifier"].predict_proba(table[table.index > 30]))


def test_a_bag_holds_sequences_of_any_length(transformer, X):
    sequences = [sequence[: 4 + row % 5] for row, sequence in enumerate(X)]
    bag = db.from_sequence(sequences, npartitions=3)
    result = distributed.transform(transformer, bag)
    assert (result.npartitions, result.dtype, result.shape[1]) == (3, np.float32, 2)
    assert_array_equal(result.compute(), transformer.transform(sequences))


def test_nothing_is_computed_before_it_is_asked_for(transformer, X):
    def fail(block):
        raise AssertionError("computed")

    lazy = da.from_array(X, chunks=(6, -1, -1)).map_blocks(fail, meta=X[:0])
    distributed.transform(transformer, lazy)


def test_what_does_not_fit_the_estimator_is_refused_at_once(transformer, X):
    with pytest.raises(ValueError, match="X has 1 features"):
        distributed.transform(transformer, da.from_array(X[:, :, :1]))


def test_a_collection_is_expected(transformer, X):
    with pytest.raises(TypeError, match=r"X is a ndarray.*call LSTMA\w+\.transform"):
        distributed.transform(transformer, X)


# The methods of estimators themselves ----------------------------------------------------


def test_an_array_is_computed_part_by_part(transformer, X):
    codes = transformer.transform(da.from_array(X, chunks=(6, -1, -1)))
    assert_array_equal(codes, transformer.transform(X))


def test_other_collections_are_refused(transformer, table, X):
    dd = pytest.importorskip("dask.dataframe")
    lazy = dd.from_pandas(table, npartitions=2)
    for collection in (lazy["t0"], db.from_sequence(list(X)), dask.delayed(X)):
        with pytest.raises(ValueError, match=r"of Dask: pass X\.compute\(\)"):
            transformer.transform(collection)


def test_the_first_partition_of_a_bag_may_be_empty(transformer, X):
    bag = db.from_sequence([X[0][:5], X[1][:5], *X[2:4]], npartitions=2)
    kept = bag.filter(lambda sequence: len(sequence) > 5)
    assert_array_equal(
        distributed.transform(transformer, kept).compute(), transformer.transform(X[2:4])
    )
    with pytest.raises(ValueError, match="bag without any sequence"):
        distributed.transform(transformer, bag.filter(lambda sequence: False))
