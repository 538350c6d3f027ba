"""Ways to learn what is normal from windows: this library, and what one would try beside it."""

import warnings
from functools import partial

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from benchmarks.quality.contenders import TUTORIAL, WIDTH, flatten
from sklearn_lstmae import LSTMAutoencoderDetector, LSTMAutoencoderTransformer

# Each function learns from windows (N, T, F) and returns one that makes scores, the higher, the
# more anomalous, of others: of each step (N, T), or of each window (N,).


# 500 windows are 1600 steps of training: at the default rate it ends too early.
OURS = {"learning_rate": 1e-2}


def defaults(windows, seed, settings, score_from="reconstruction"):
    """This library as it comes: the errors of each step, or one score a window."""
    model = LSTMAutoencoderTransformer(latent_dim=WIDTH).set_params(**settings)
    detector = LSTMAutoencoderDetector(model, score_from=score_from, random_state=seed)
    with warnings.catch_warnings():
        # The tables show it.
        warnings.filterwarnings("ignore", "activation='relu'|The fit is no better")
        detector.fit(windows)
    if score_from == "reconstruction":
        return lambda others: detector.errors(others, per="step")
    return lambda others: -detector.score_samples(others)


def ours(windows, seed, settings, score_from="reconstruction"):
    """This library with a learning rate for few windows."""
    return defaults(windows, seed, OURS | settings, score_from)


def composite(windows, seed, settings):
    """The same, with a second decoder that learns to predict the next step."""
    return ours(windows, seed, settings | {"objective": "composite"})


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

    return errors


def forest(windows, seed, settings):
    """Isolation forest of the flattened windows; a tree needs no scaling."""
    trees = IsolationForest(random_state=seed).fit(flatten(windows))
    return lambda others: -trees.score_samples(flatten(others))


# Contender -> how it learns, and whether the windows that it scores overlap.
CONTENDERS = {
    "ours": (ours, True),
    "PCA": (components, True),
    "IsolationForest": (forest, True),
    "tutorial": (tutorial, True),
    "ours, defaults": (defaults, True),
    "ours, composite": (composite, True),
    "ours, apart": (ours, False),
    "ours, code": (partial(ours, score_from="code"), True),
    "ours, both": (partial(ours, score_from="both"), True),
}
