"""Dask collections of sequences: what they are, and their parts."""

import itertools

import numpy as np

from sklearn_lstmae.training.shards import split_evenly


def partition(X, n_parts):
    """Consecutive parts of a collection, with about as many sequences each: Delayed objects."""
    if not hasattr(X, "chunks"):
        _check_partitions(X.npartitions, n_parts)
        return X.repartition(npartitions=n_parts).to_delayed()
    X = whole_sequences(X)
    if not np.isnan(X.shape[0]):
        sizes = np.diff(divide_sequences(X.shape[0], n_parts))
        return X.rechunk({0: tuple(sizes.tolist())}).to_delayed().ravel().tolist()
    n_blocks = X.numblocks[0]
    _check_partitions(n_blocks, n_parts)
    pairs = itertools.pairwise(split_evenly(n_blocks, n_parts))
    parts = [X.blocks[start:stop] for start, stop in pairs]
    return [part.rechunk({0: -1}).to_delayed().ravel()[0] for part in parts]


def divide_sequences(n_sequences, n_ranks):
    """Where the sequences of each rank begin, and the end: (n_ranks + 1,)."""
    if n_sequences < n_ranks:
        raise ValueError(
            f"X has {n_sequences} sequences, fewer than n_ranks={n_ranks}: use fewer ranks."
        )
    return split_evenly(n_sequences, n_ranks)


def _check_partitions(n_partitions, n_ranks):
    if n_partitions < n_ranks:
        raise ValueError(
            f"X has {n_partitions} partitions, fewer than n_ranks={n_ranks}: divide it into more "
            "of them, or use fewer ranks."
        )


def whole_sequences(X):
    """The array, divided along its first axis only."""
    return X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
