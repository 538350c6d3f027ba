"""Which rows each minibatch of an epoch has. No TensorFlow."""

import numpy as np

from .shards import split_evenly

# Minibatches among which sequences of unequal length are sorted.
SORTED_BATCHES = 8


def draw_order(n_frames, batch_size, seed, epoch, block=None, buffer=None):
    """Rows of each minibatch of an epoch: (S, B) int32, -1 for none.

    Where sequences differ in length, (N,) ``n_frames``, those of similar length share a minibatch,
    so that the short ones do not pay for the long: rows are shuffled, then sorted by length
    within groups of `SORTED_BATCHES` minibatches, and the minibatches are shuffled.

    With a ``block`` of rows and a ``buffer`` of minibatches, all this happens within one buffer
    after the other, which have the rows of several blocks each.
    """
    generator = np.random.default_rng([seed, 1, epoch])
    rows = _shuffle(generator, len(n_frames), block, buffer and buffer * batch_size)
    n_batches = -(-len(rows) // batch_size)
    order = np.full(n_batches * batch_size, -1, np.int32)
    order[: len(rows)] = rows
    if (n_frames == n_frames[0]).all():
        return order.reshape(n_batches, batch_size)
    buffer = buffer or n_batches
    size = min(SORTED_BATCHES, buffer) * batch_size
    for start in range(0, len(rows), size):
        group = rows[start : start + size]
        order[start : start + len(group)] = group[np.argsort(n_frames[group], kind="stable")]
    minibatches = order.reshape(n_batches, batch_size)
    return np.concatenate(
        [
            generator.permutation(minibatches[start : start + buffer])
            for start in range(0, n_batches, buffer)
        ]
    )


def _shuffle(generator, n_rows, block, buffer):
    """Shuffle blocks of rows, then the rows within each buffer: (n_rows,)."""
    if block is None or n_rows <= buffer:
        return generator.permutation(n_rows)
    starts = block * generator.permutation(-(-n_rows // block))
    rows = (starts[:, np.newaxis] + np.arange(block)).ravel()
    rows = rows[rows < n_rows]
    for start in range(0, n_rows, buffer):
        generator.shuffle(rows[start : start + buffer])
    return rows


def whole_groups(n_batches):
    """At most this many minibatches, but one: whole groups of `SORTED_BATCHES` where there are."""
    whole = n_batches - n_batches % SORTED_BATCHES
    return max(1, whole or n_batches)


def draw_share(rows, n_frames, shape, seed, epoch, shard):
    """Rows that one of several shards adds to each minibatch of an epoch: int32, -1 for none.

    The rows, of ``n_frames`` (N,), spread evenly over the minibatches: ``shape`` is their number
    and the most rows of one. As in `draw_order` rows of similar length share a minibatch, and the
    shares of one minibatch are as long as each other wherever the lengths of the shards are.
    """
    rows = np.random.default_rng([seed, 1, epoch, shard]).permutation(rows)
    bounds = split_evenly(len(rows), shape[0])
    for start in range(0, shape[0], SORTED_BATCHES):
        stop = min(start + SORTED_BATCHES, shape[0])
        group = rows[bounds[start] : bounds[stop]]
        group[:] = group[np.argsort(n_frames[group], kind="stable")]
    order = np.full(shape, -1, np.int32)
    order[np.arange(shape[1]) < np.diff(bounds)[:, np.newaxis]] = rows
    return np.random.default_rng([seed, 1, epoch]).permutation(order)
