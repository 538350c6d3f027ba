"""Ways to learn what is normal from windows: this library, and what one would try beside it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from benchmarks.quality.contenders import TUTORIAL, WIDTH, flatten
from sklearn_lstmae import LSTMAutoencoderDetector, LSTMAutoencoderTransformer

# Each function learns from windows (N, T, F) and returns, by what they look at, functions that make
# scores, the higher, the more anomalous, of others: of each step (N, T), or of each window (N,).
STEPS, WINDOWS, CODE, STATES, BOTH = "steps", "windows", "code", "states", "both"

# 500 windows are 1600 steps of training: at the default rate it ends too early.
OURS = {"learning_rate": 1e-2}


def defaults(windows, seed, settings):
    """This library as it comes, with 16 columns."""
    settings = {"latent_dim": WIDTH} | settings
    detector = LSTMAutoencoderDetector(random_state=seed)
    detector.set_params(**{f"autoencoder__{name}": value for name, value in settings.items()})
    with warnings.catch_warnings():
        # The tables show it.
        warnings.filterwarnings("ignore", "activation='relu'|The fit is no better")
        detector.fit(windows)
    fitted = detector.autoencoder_

    def look(score_from):
        judge = LSTMAutoencoderDetector(FrozenEstimator(fitted), score_from=score_from)
        judge.fit(windows)
        return lambda others: -judge.score_samples(others)

    def codes(rows):
        return fitted.transform(rows)[:, : fitted.latent_dim]

    scaler = StandardScaler().fit(codes(windows))
    covariance = LedoitWolf().fit(scaler.transform(codes(windows)))
    return {
        STEPS: lambda others: detector.errors(others, per="step"),
        WINDOWS: lambda others: -detector.score_samples(others),
        CODE: lambda others: covariance.mahalanobis(scaler.transform(codes(others))),
        STATES: look("code"),
        BOTH: look("both"),
    }


def ours(windows, seed, settings):
    """This library with a learning rate for few windows."""
    return defaults(windows, seed, OURS | settings)


def composite(windows, seed, settings):
    """The same, with a second decoder that learns to predict the next step."""
    return ours(windows, seed, settings | {"objective": "composite"})


def summarizing(windows, seed, settings):
    """The same, with the second target of the transformer's defaults."""
    default = LSTMAutoencoderTransformer().summary_weight
    return ours(windows, seed, settings | {"summary_weight": default})


def tutorial(windows, seed, settings):
    """The network of the tutorials, trained as ours is."""
    return ours(windows, seed, settings | TUTORIAL)


def components(windows, seed, settings):
    """Squared errors of what principal components give back, the mean of a step's features."""
    mean, deviation = windows.mean(axis=(0, 1)), windows.std(axis=(0, 1))  # (F,)
    scale = np.where(deviation > 0, deviation, 1.0)
    pca = PCA(WIDTH, random_state=seed).fit(flatten((windows - mean) / scale))

    def errors(others):
        flat = flatten((others - mean) / scale)
        rebuilt = pca.inverse_transform(pca.transform(flat))
        return np.square(rebuilt - flat).reshape(others.shape).mean(axis=2)

    return {STEPS: errors, WINDOWS: lambda others: errors(others).mean(axis=1)}


def forest(windows, seed, settings):
    """Isolation forest of the flattened windows; a tree needs no scaling."""
    trees = IsolationForest(random_state=seed).fit(flatten(windows))
    return {WINDOWS: lambda others: -trees.score_samples(flatten(others))}


@dataclass(frozen=True)
class Contender:
    """How it learns, which of its scores are read, and whether the windows scored overlap."""

    learn: Callable
    look: str = STEPS
    overlap: bool = True


CONTENDERS = {
    "ours": Contender(ours),
    "PCA": Contender(components),
    "IsolationForest": Contender(forest, WINDOWS),
    "tutorial": Contender(tutorial),
    "ours, defaults": Contender(defaults),
    "ours, summary": Contender(summarizing),
    "ours, composite": Contender(composite),
    "ours, apart": Contender(ours, overlap=False),
    "ours, windows": Contender(ours, WINDOWS),
    "PCA, windows": Contender(components, WINDOWS),
    "ours, code": Contender(ours, CODE),
    "ours, states": Contender(ours, STATES),
    "ours, both": Contender(ours, BOTH),
}
