"""Chance in a fit: its one seed, and the rows that it holds out."""

import math

import numpy as np
from sklearn.utils import check_random_state

from sklearn_lstmae.training.shards import ONE_SHARD


def hold_out(estimator, reader, seed, shards=ONE_SHARD):
    """Readers of the sequences to learn from and, with early stopping, to validate on, or None.

    The rows are drawn from those of all processes, and each of them takes its own.
    """
    if not estimator.early_stopping:
        return reader, None
    fraction = estimator.validation_fraction
    parts = shards.draw(reader, lambda n_rows: split_rows(n_rows, fraction, seed))
    return [reader.subset(part) for part in parts]


def split_rows(n_rows, validation_fraction, seed, classes=None):
    """Rows to learn from and rows to validate on, increasing; with classes (N,) a part of each."""
    _check_parts(n_rows, validation_fraction, classes)
    # Imported here since model_selection is slow to import and most fits do not need it.
    from sklearn.model_selection import train_test_split

    parts = train_test_split(
        np.arange(n_rows), test_size=validation_fraction, random_state=seed, stratify=classes
    )
    learning, validation = (np.sort(part) for part in parts)
    if classes is not None:
        lost = np.setdiff1d(classes, classes[learning])
        if lost.size:
            raise ValueError(
                f"{_settings(validation_fraction)} leaves no training sequence of class number "
                f"{lost[0]} of y, counted from 0: choose a smaller validation_fraction, or set "
                "early_stopping=False."
            )
    return [learning, validation]


def _check_parts(n_rows, validation_fraction, classes):
    """Raise where there are too few rows to learn from or to validate on."""
    n_validation = math.ceil(validation_fraction * n_rows)
    n_learning, least, whose = n_rows - n_validation, 1, ""
    settings = _settings(validation_fraction)
    if classes is not None:
        counts = np.bincount(classes)
        least, whose = len(counts), f", one of each of the {len(counts)} classes"
        if counts.min() < 2:
            raise ValueError(
                f"{settings} needs at least two sequences of each class, one for training and one "
                f"for validation, but class number {counts.argmin()} of y, counted from 0, has "
                f"{counts.min()}: pass more of it, or set early_stopping=False."
            )
    if min(n_learning, n_validation) < least:
        raise ValueError(
            f"{settings} splits n_samples={n_rows} into {n_learning} training and {n_validation} "
            f"validation sequences, but each part needs at least {least}{whose}: pass more "
            "sequences, choose another validation_fraction, or set early_stopping=False."
        )


def _settings(validation_fraction):
    return f"early_stopping=True with validation_fraction={validation_fraction}"


def draw_seed(random_state):
    """One integer for all randomness of a fit; None takes fresh entropy, not a global state."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
