"""Chance in a fit: its one seed, and the rows that it holds out."""

import numpy as np
from sklearn.utils import check_random_state


def hold_out(estimator, reader, seed):
    """Readers of the sequences to learn from and, with early stopping, to validate on, or None."""
    if not estimator.early_stopping:
        return reader, None
    rows = split_rows(len(reader), estimator.validation_fraction, seed)
    return [reader.subset(part) for part in rows]


def split_rows(n_rows, validation_fraction, seed, classes=None):
    """Rows to learn from and rows to validate on, increasing; with classes (N,) a part of each."""
    # Imported here since model_selection is slow to import and most fits do not need it.
    from sklearn.model_selection import train_test_split

    parts = train_test_split(
        np.arange(n_rows), test_size=validation_fraction, random_state=seed, stratify=classes
    )
    return [np.sort(part) for part in parts]


def draw_seed(random_state):
    """One integer for all randomness of a fit; None takes fresh entropy, not a global state."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
