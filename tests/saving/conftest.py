"""Small fitted estimators, which no test changes."""

import sys

import numpy as np
import pytest


def make():
    """A small transformer."""
    from sklearn_lstmae import LSTMAutoencoderTransformer

    return LSTMAutoencoderTransformer(2, hidden_units=(3,), epochs=2, random_state=0)


@pytest.fixture(scope="session")
def cube():
    """Sequences (12, 6, 2)."""
    return np.random.default_rng(0).normal(size=(12, 6, 2)).astype(np.float32)


@pytest.fixture(scope="session")
def plain(cube):
    """A transformer."""
    return make().fit(cube)


@pytest.fixture(scope="session")
def carried_on(cube):
    """A transformer with the state of its optimizer."""
    return make().partial_fit(cube)


@pytest.fixture(scope="session")
def careful(plain, cube):
    """A detector with attributes of every kind."""
    from sklearn.frozen import FrozenEstimator

    from sklearn_lstmae import LSTMAutoencoderDetector

    parameters = {"score_from": "both", "cv": 2, "random_state": 0}
    return LSTMAutoencoderDetector(FrozenEstimator(plain), **parameters).fit(cube)


@pytest.fixture(scope="session")
def classifier(plain, cube):
    """A classifier of two classes."""
    from sklearn.frozen import FrozenEstimator

    from sklearn_lstmae import LSTMAutoencoderClassifier

    classifier = LSTMAutoencoderClassifier(FrozenEstimator(plain), epochs=2, random_state=0)
    return classifier.fit(cube, np.arange(12) % 2)


@pytest.fixture
def path(tmp_path):
    """A file that does not exist yet."""
    return tmp_path / "model.lstmae"


@pytest.fixture
def no_skops(monkeypatch):
    """As if skops was not installed."""
    monkeypatch.setitem(sys.modules, "skops.io", None)
