"""Dask collections of sequences: what they are, and their parts."""

import itertools

import numpy as np

from sklearn_lstmae.training.shards import split_evenly


def partition(X, n_parts):
    """Consecutive parts of a collection, with about as many sequences each: Delayed objects."""
    if hasattr(X, "chunks"):
        X = whole_sequences(X)
        if not np.isnan(X.shape[0]):
            n_sequences = X.shape[0]
            if n_sequences < n_parts:
                raise ValueError(
                    f"X has {n_sequences} sequences, fewer than n_ranks={n_parts}: use fewer ranks."
                )
            sizes = np.diff(split_evenly(n_sequences, n_parts))
            return X.rechunk({0: tuple(int(size) for size in sizes)}).to_delayed().ravel().tolist()
    n_blocks = X.numblocks[0] if hasattr(X, "chunks") else X.npartitions
    if n_blocks < n_parts:
        raise ValueError(
            f"X has {n_blocks} partitions, fewer than n_ranks={n_parts}: divide it into more of "
            "them, or use fewer ranks."
        )
    if hasattr(X, "chunks"):
        pairs = itertools.pairwise(split_evenly(n_blocks, n_parts))
        parts = [X.blocks[start:stop] for start, stop in pairs]
        return [part.rechunk({0: -1}).to_delayed().ravel()[0] for part in parts]
    return X.repartition(npartitions=n_parts).to_delayed()


def whole_sequences(X):
    """The array, divided along its first axis only."""
    return X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
