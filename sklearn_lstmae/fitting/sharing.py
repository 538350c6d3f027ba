"""What processes that train together must agree on, or exchange, before they train."""

from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.sequences.batch import Sequences, unpad


def check_shards(estimator, sequences, shards):
    """The longest sequence of all processes; raise where theirs do not go together."""
    mine = sequences.layout, estimator.n_features_in_, sequences.n_timesteps
    each = shards.gather(mine)
    for number, (layout, n_features, _) in enumerate(each):
        if (layout, n_features) != each[0][:2]:
            raise ValueError(
                f"X of rank {number} has the layout {layout!r} and {n_features} features, but X of "
                f"rank 0 has {each[0][0]!r} and {each[0][1]}: all ranks need the same layout and "
                "the same features."
            )
    return max(n_timesteps for *_, n_timesteps in each)


def count_rows(learning, shards):
    """Sequences that all processes learn from; raise where one of them has none."""
    counts = shards.gather(len(learning))
    if not all(counts):
        raise ValueError(
            f"Rank {counts.index(0)} has no sequence to learn from (those of all ranks: {counts}): "
            "use fewer ranks, or divide X more evenly."
        )
    return sum(counts)


def draw_sample(reader, shards, most, seed):
    """Reader of at most ``most`` sequences of all processes, the same in each of them.

    In a single process it is the given reader, with all its sequences.
    """
    if shards.total == 1:
        return reader
    generator = np.random.default_rng([seed, 3])

    def choose(n_rows):
        return [np.sort(generator.choice(n_rows, min(most, n_rows), replace=False))]

    [rows] = shards.draw(reader, choose)
    source = reader.sequences
    # As exact as the source: what counts as rounding depends on it.
    dtype = np.float32 if source.resolution > np.finfo(np.float64).eps else np.float64
    batch = source.read(rows if reader.rows is None else reader.rows[rows], dtype=np.float64)
    values = np.where(batch.mask, batch.values, np.nan).astype(dtype)
    arrays = shards.everywhere(unpad(values, batch.lengths))
    lengths = np.array([len(array) for array in arrays])
    sample = Sequences(arrays, lengths, "list", any(np.isnan(array).any() for array in arrays))
    return copy_with(reader, sequences=sample, rows=None)
