"""Small networks and data.

Fixtures import what they need, as ``conftest.py`` in the root says.
"""

import contextlib
import random

import numpy as np
import pytest

pytest.register_assert_rewrite("documents", "helpers")  # else their failures show no values

SMALL = {
    "n_features": 2,
    "patch_size": 1,
    "latent_dim": 2,
    "hidden_units": (3,),
    "bidirectional": False,
    "bottleneck": "dense",
    "pooling": "last_mean",
    "reverse_target": True,
    "decoder_start": "input_state",
    "time_encoding": True,
    "activation": "tanh",
    "tells_missing": False,
}


@pytest.fixture(scope="session")
def make_architecture():
    """A function of what differs from a small network with the defaults."""
    from sklearn_lstmae.network.architecture import Architecture

    return lambda **changes: Architecture(**(SMALL | changes))


@pytest.fixture(scope="session")
def make_sequences():
    """A function of lengths: list of random arrays (T_i, 2)."""

    def make(lengths, seed=0):
        generator = np.random.default_rng(seed)
        return [generator.normal(size=(length, 2)).astype("f4") for length in lengths]

    return make


@pytest.fixture(scope="session")
def make_reader():
    """A function of a list of (T_i, F), or of an array (N, T, F) and its lengths."""
    from sklearn_lstmae.sequences.batch import Sequences
    from sklearn_lstmae.sequences.frames import FrameReader
    from sklearn_lstmae.sequences.scaling import Scaling

    def make(
        source,
        lengths=None,
        *,
        patch_size=1,
        has_missing=False,
        kind=None,
        tasks=("reconstruct",),
        horizon=None,
    ):
        if lengths is None:
            lengths = [len(array) for array in source]
        layout = "list" if isinstance(source, list) else "3d"
        sequences = Sequences(source, np.asarray(lengths), layout, has_missing)
        n_features = sequences.n_features
        scaling = Scaling(kind, np.zeros(n_features), np.ones(n_features))
        return FrameReader(sequences, scaling, patch_size, has_missing, tasks, horizon)

    return make


@pytest.fixture
def traces(monkeypatch):
    """List that grows by one name whenever TensorFlow traces a function, a loop's body included."""
    from tensorflow.python.framework.func_graph import FuncGraph

    names = []
    original = FuncGraph.__init__

    def counting(self, name, *args, **kwargs):
        names.append(name)
        original(self, name, *args, **kwargs)

    monkeypatch.setattr(FuncGraph, "__init__", counting)
    return names


@pytest.fixture
def keeps_random_states():
    """A context that fails if it moved the global generators of Python, NumPy or TensorFlow."""
    import tensorflow as tf

    def seed():
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        tf.random.set_seed(1)
        tf.random.get_global_generator().reset_from_seed(1)

    def draw():
        generators = random.random, np.random.random, lambda: float(tf.random.uniform([]))
        more = tf.random.get_global_generator().uniform([])
        return [generator() for generator in generators] + [float(more)]

    @contextlib.contextmanager
    def context():
        seed()
        expected = draw()
        seed()
        yield
        assert draw() == expected

    return context
