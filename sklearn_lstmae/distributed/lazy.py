"""Methods of fitted estimators on Dask collections: lazy, partition by partition."""

import copy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_lstmae.distributed.collections import whole_sequences
from sklearn_lstmae.sequences.numbers import is_dask


def transform(estimator: BaseEstimator, X: Any) -> Any:
    """Encode the sequences of a Dask collection, lazily.

    Parameters
    ----------
    estimator : LSTMAutoencoderTransformer, or another transformer or pipeline of sequences
        Fitted estimator. A copy of its present state is sent to the workers, which do not need
        TensorFlow: the result is that of this fit, whenever it is computed.

    X : dask.array.Array, dask.dataframe.DataFrame or dask.bag.Bag
        The sequences: an array of shape (N, T) or (N, T, F), such as windows of `sliding_windows`;
        a DataFrame with one univariate sequence per row; or a bag of sequences (T_i, F). To
        determine the shape of the result, one sequence of zeros is encoded at once, or the first
        sequence of a bag.

    Returns
    -------
    codes : dask.array.Array of shape (N, L) or dask.dataframe.DataFrame
        The codes. They are a DataFrame if X is one, with its index and with columns named by
        ``get_feature_names_out``, and otherwise an array with the partitions of X.

    See Also
    --------
    fit : Fit one transformer on several workers of a Dask cluster.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, distributed
    >>> from sklearn_lstmae.datasets import make_waves
    >>> X, _ = make_waves(40, 16, random_state=0)
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> codes = distributed.transform(autoencoder, da.from_array(X, chunks=(10, -1, -1)))
    >>> codes.shape, codes.chunks[0]
    ((40, 2), (10, 10, 10, 10))
    """
    return _map(estimator, "transform", X)


def predict(estimator: BaseEstimator, X: Any) -> Any:
    """Predict classes or outliers among the sequences of a Dask collection, lazily.

    Parameters
    ----------
    estimator : LSTMAutoencoderClassifier or LSTMAutoencoderDetector
        Fitted estimator.

    X : dask.array.Array, dask.dataframe.DataFrame or dask.bag.Bag
        The sequences, see `transform`.

    Returns
    -------
    labels : dask.array.Array of shape (N,) or dask.dataframe.Series
        The labels, as a Series with the same index if X is a DataFrame.
    """
    return _map(estimator, "predict", X)


def predict_proba(estimator: BaseEstimator, X: Any) -> Any:
    """Predict class probabilities of the sequences of a Dask collection, lazily.

    Parameters
    ----------
    estimator : LSTMAutoencoderClassifier
        Fitted estimator.

    X : dask.array.Array, dask.dataframe.DataFrame or dask.bag.Bag
        The sequences, see `transform`.

    Returns
    -------
    probabilities : dask.array.Array of shape (N, G) or dask.dataframe.DataFrame
        The probabilities, as a DataFrame with the same index and with the classes as columns if X
        is a DataFrame.
    """
    return _map(estimator, "predict_proba", X)


def score_samples(estimator: BaseEstimator, X: Any) -> Any:
    """Return how normal each sequence of a Dask collection is, lazily.

    Parameters
    ----------
    estimator : LSTMAutoencoderDetector or LSTMAutoencoderTransformer
        Fitted estimator.

    X : dask.array.Array, dask.dataframe.DataFrame or dask.bag.Bag
        The sequences, see `transform`.

    Returns
    -------
    scores : dask.array.Array of shape (N,) or dask.dataframe.Series
        The scores: the higher, the more normal. A Series with the same index if X is a DataFrame.
    """
    return _map(estimator, "score_samples", X)


def _map(estimator, method, X):
    """A method of the estimator as it is now, applied to each partition of X."""
    if not is_dask(X):
        raise TypeError(
            f"X is a {type(X).__name__}, but expected a Dask array, DataFrame or bag: call "
            f"{type(estimator).__name__}.{method} for sequences in memory."
        )
    estimator = copy.deepcopy(estimator)  # a pipeline, too, which is fitted step by step
    if hasattr(X, "columns"):
        return _map_table(estimator, method, X)
    if hasattr(X, "chunks"):
        return _map_array(estimator, method, whole_sequences(X))
    return _map_bag(estimator, method, X)


def _map_array(estimator, method, X):
    like = _call(np.zeros((1, *X.shape[1:]), X.dtype), estimator, method)
    return X.map_blocks(
        _call,
        estimator=estimator,
        method=method,
        like=like[:0],
        dtype=like.dtype,
        drop_axis=list(range(like.ndim, X.ndim)),
        chunks=(X.chunks[0], *((size,) for size in like.shape[1:])),
        meta=like[:0],
    )


def _map_bag(estimator, method, X):
    import dask
    import dask.array as da

    first = list(X.take(1, npartitions=-1, warn=False))
    if not first:
        raise ValueError("X is a bag without any sequence: pass one with at least one.")
    like = _call(first, estimator, method)
    call = dask.delayed(_call, pure=True)
    parts = [
        da.from_delayed(
            call(part, estimator, method, like[:0]),
            shape=(np.nan, *like.shape[1:]),
            meta=like[:0],
        )
        for part in X.to_delayed()
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def _map_table(estimator, method, X):
    import pandas as pd

    row = pd.DataFrame(np.zeros((1, len(X.columns))), columns=X.columns).astype(X.dtypes)
    like = getattr(estimator, method)(row)
    columns = None
    if like.ndim == 2:
        columns = _names(estimator, method, like)
    like = _as_table(np.asarray(like), columns, row.index)[:0]
    return X.map_partitions(_call_on_table, estimator, method, like, meta=like)


def _names(estimator, method, like):
    """Names of the columns of a result."""
    if hasattr(like, "columns"):
        return list(like.columns)
    if method == "transform":
        return list(estimator.get_feature_names_out())
    return list(estimator.classes_)


def _call(part, estimator, method, like=None):
    """The result for a part in memory; ``like`` where that is empty."""
    if len(part) == 0:
        return like
    return np.asarray(getattr(estimator, method)(part))


def _call_on_table(part, estimator, method, like):
    values = _call(part, estimator, method, like.to_numpy())
    return _as_table(values, getattr(like, "columns", None), part.index)


def _as_table(values, columns, index):
    import pandas as pd

    if columns is None:
        return pd.Series(values, index=index)
    return pd.DataFrame(values, index=index, columns=columns)
