"""Ways from sequences to columns: this library, and what one would try beside it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV

from sklearn_lstmae import LSTMAutoencoderTransformer

WIDTH = 16  # L
# What makes a network that of most tutorials, whatever the defaults are.
TUTORIAL = {
    "patch_size": 1,
    "hidden_units": (),
    "bidirectional": False,
    "bottleneck": "hidden",
    "objective": "reconstruct",
    "conditional": False,
    "reverse_target": False,
    "decoder_start": "input",
    "time_encoding": False,
    "dropout": 0.0,
    "noise": 0.0,
    "kl_weight": 0.0,
    "summary_weight": 0.0,
    "activation": "tanh",
    "loss": "mse",
    "scaling": "feature",
}
SHORTEST = 9  # steps that MiniRocket's kernels need


class Scaled:
    """A split in scaled units, as arrays.

    Each feature has mean 0 and deviation 1 over all steps of training, as in
    ``scaling="feature"``. Sequences are padded on the right with 0, that is, with the mean.

    Attributes
    ----------
    train, test : ndarray of shape (N, T, F)
        T is the longest of both, so that nothing is cut off.
    """

    def __init__(self, split):
        steps = np.concatenate(list(split.X_train))
        deviation = steps.std(axis=0)  # (F,)
        self.mean, self.scale = steps.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
        self.lengths = np.array([len(x) for x in split.X_test])
        self.width = max(self.lengths.max(), max(len(x) for x in split.X_train))
        self.train, self.test = self.pad(split.X_train), self.pad(split.X_test)

    def pad(self, X):
        """Scaled (N, T, F) of sequences (T_i, F)."""
        padded = np.zeros((len(X), self.width, len(self.mean)))
        for row, x in zip(padded, X, strict=True):
            row[: len(x)] = (x - self.mean) / self.scale
        return padded

    def explained_variance(self, rebuilt):
        """Share of the squares of the test rows, without padding, that is rebuilt (N, T, F).

        With ``scaling="feature"``, this is the library's ``score``.
        """
        observed = np.arange(self.width) < self.lengths[:, np.newaxis]  # (N, T)
        errors = np.square(self.test - rebuilt)[observed].sum()
        return 1 - errors / np.square(self.test)[observed].sum()


@dataclass
class Columns:
    """What a contender makes of a split.

    Attributes
    ----------
    train, test : ndarray of shape (N, columns)
    rebuild : callable or None
        Without arguments; returns the test rows (N, T, F) as rebuilt from their columns, in
        scaled units. It is called when the clock has stopped.
    classifier : classifier
        What customarily reads such columns.
    """

    train: np.ndarray
    test: np.ndarray
    rebuild: Callable | None = None
    classifier: ClassifierMixin = field(default_factory=lambda: LogisticRegression(max_iter=3000))


def autoencoder(split, scaled, seed, settings):
    """This library."""
    model = LSTMAutoencoderTransformer(latent_dim=WIDTH, random_state=seed).set_params(**settings)
    with warnings.catch_warnings():
        # The tables show it.
        warnings.filterwarnings("ignore", "activation='relu'|The fit is no better")
        train = model.fit_transform(split.X_train)
    test = model.transform(split.X_test)
    return Columns(train, test, lambda: scaled.pad(model.reconstruct(split.X_test, "reconstruct")))


def tutorial(split, scaled, seed, settings):
    """The network of the tutorials, trained like this library's."""
    return autoencoder(split, scaled, seed, settings | TUTORIAL)


def components(split, scaled, seed, settings):
    """Principal components of the flattened values; None for too few rows or values."""
    train, test = flatten(scaled.train), flatten(scaled.test)
    if min(train.shape) < WIDTH:
        return None
    pca = PCA(WIDTH, random_state=seed).fit(train)
    codes = pca.transform(test)
    return Columns(
        pca.transform(train),
        codes,
        lambda: pca.inverse_transform(codes).reshape(scaled.test.shape),
    )


def raw_values(split, scaled, seed, settings):
    """The flattened values themselves."""
    return Columns(flatten(scaled.train), flatten(scaled.test))


def catch22(split, scaled, seed, settings):
    """22 statistics of each feature (Lubba et al. 2019), 0 where one is undefined."""
    from aeon.transformations.collection.feature_based import Catch22

    statistics = Catch22(replace_nans=True)
    X_train, X_test = ([x.T for x in X] for X in (split.X_train, split.X_test))  # (F, T_i) each
    return Columns(statistics.fit_transform(X_train), statistics.transform(X_test))


def minirocket(split, scaled, seed, settings):
    """Shares of positive convolutions (Dempster et al. 2021), with the ridge classifier."""
    from aeon.transformations.collection.convolution_based import MiniRocket

    lacking = max(0, SHORTEST - scaled.width)
    X_train, X_test = (
        np.pad(X, [(0, 0), (0, lacking), (0, 0)]).transpose(0, 2, 1)  # (N, F, T)
        for X in (scaled.train, scaled.test)
    )
    kernels = MiniRocket(random_state=seed)
    ridge = RidgeClassifierCV(alphas=np.logspace(-3, 3, 10))
    return Columns(kernels.fit_transform(X_train), kernels.transform(X_test), classifier=ridge)


def flatten(values):
    """(N, T, F) -> (N, T * F)."""
    return values.reshape(len(values), -1)


CONTENDERS = {
    "ours": autoencoder,
    "PCA": components,
    "tutorial": tutorial,
    "raw": raw_values,
    "catch22": catch22,
    "MiniRocket": minirocket,
}
