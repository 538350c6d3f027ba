"""What tests of several modules need; pytest's ``pythonpath`` finds it."""

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.sequences.batch import Sequences

needs_numpy_2 = pytest.mark.skipif(
    int(np.__version__.split(".")[0]) < 2, reason="a pickle that NumPy 2 wrote"
)

# One way, since each network is compiled anew, and a second way makes that a third longer. Laws of
# networks that read both ways have networks of their own.
SMALL = {
    "latent_dim": 2, "hidden_units": (4,), "bidirectional": False, "epochs": 2, "random_state": 0,
}  # fmt: skip


def make_transformer(**parameters):
    """A small transformer that trains for two epochs."""
    return LSTMAutoencoderTransformer(**SMALL | parameters)


def ragged(cube, lengths):
    """The first steps of each sequence of an array (N, T, F): a list of (T_i, F)."""
    return [sequence[:length] for sequence, length in zip(cube, lengths, strict=True)]


def layouts(cube, lengths):
    """Sequences in all layouts that estimators read: {name: X}."""
    table, sequences = cube[:, :, 0], ragged(cube, lengths)
    return {
        "2d": table,
        "3d": cube,
        "list": sequences,
        "list-1d": [sequence[:, 0] for sequence in sequences],
        "frame": pd.DataFrame(table, columns=list("abcdefghij")[: table.shape[1]]),
        "frames": [pd.DataFrame(sequence, columns=["u", "v"]) for sequence in sequences],
    }


def batch_of(arrays):
    """A list of (T_i, F) as one batch, as long as the longest."""
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    return Sequences(list(arrays), lengths, "list").read(slice(None))


def padded(sequences, n_more=0):
    """A list of (T_i, F) as an array with NaN after each end, and ``n_more`` steps of it."""
    longest = max(len(sequence) for sequence in sequences)
    shape = len(sequences), longest + n_more, sequences[0].shape[1]
    array = np.full(shape, np.nan, sequences[0].dtype)
    for row, sequence in zip(array, sequences, strict=True):
        row[: len(sequence)] = sequence
    return array


def take(X, rows):
    """Some sequences of a list or an array."""
    return [X[row] for row in rows] if isinstance(X, list) else X[rows]


def flat(model):
    """All weights as one vector."""
    return np.concatenate([weight.ravel() for weight in model.weights_]).astype(np.float64)


def assert_same(got, expected):
    """Equal to the bit, whatever is nested in estimators, dicts, lists and tuples; NaN is NaN."""
    if hasattr(expected, "get_params"):
        assert type(got) is type(expected)
        assert_same(vars(got), vars(expected))
    elif isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(got[name], value)
    elif isinstance(expected, (list, tuple)):
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert_array_equal(got, expected, strict=True)
    else:
        assert type(got) is type(expected)
        assert_array_equal(got, expected)


def assert_same_fit(got, expected):
    """What two trainings learned is equal to the bit."""
    for name in ("history_", "best_epoch_", "loss_", "baseline_loss_", "weights_"):
        assert_same(getattr(got, name), getattr(expected, name))


def run_python(code, *arguments, **options):
    """Run code in a process of its own: what it writes to stdout and to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        **{"capture_output": True, "text": True, "timeout": 300} | options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
