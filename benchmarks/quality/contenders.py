"""Ways from sequences to columns: this library, and what else one would try."""

import contextlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import LSTMAutoencoderClassifier, LSTMAutoencoderTransformer

WIDTH = 16  # L
WIDE = 64
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
# One pass at a rate of nothing leaves the weights, to seven digits, as they were drawn.
UNTRAINED = {"epochs": 1, "learning_rate": 1e-12}
CODE, STATES = "code", "states"
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
class Learned:
    """What a contender has learned from the training rows of a split.

    Attributes
    ----------
    transform : callable or None
        Without arguments; returns the columns (N, C) of the training rows and of the test rows.
        None for a contender that only predicts classes.
    predict : callable or None
        Without arguments; returns the predicted classes (N,) of the test rows.
    parts : mapping of str to ndarray of shape (C,), bool
        Columns of which a contender may read a part.
    rebuild : callable or None
        Without arguments; returns the test rows (N, T, F) as rebuilt from their codes, in scaled
        units.
    """

    transform: Callable | None = None
    predict: Callable | None = None
    parts: Mapping = field(default_factory=dict)
    rebuild: Callable | None = None


def autoencoder(split, scaled, seed, settings):
    """This library: codes, and the statistics of the encoder's outputs."""
    model = LSTMAutoencoderTransformer(latent_dim=WIDTH, random_state=seed)
    model.set_params(**settings | {"append_states": True})
    with quiet():
        model.fit(split.X_train)
    names = model.get_feature_names_out()
    is_state = np.char.startswith(names.astype(str), "lstmautoencodertransformer_")
    return Learned(
        lambda: (model.transform(split.X_train), model.transform(split.X_test)),
        parts={CODE: ~is_state, STATES: is_state},
        rebuild=lambda: scaled.pad(model.reconstruct(split.X_test, "reconstruct")),
    )


def rebuilding(split, scaled, seed, settings):
    """The same, trained to reconstruct alone."""
    return autoencoder(split, scaled, seed, settings | {"summary_weight": 0.0})


def wide(split, scaled, seed, settings):
    """The same, with wider codes."""
    return autoencoder(split, scaled, seed, settings | {"latent_dim": WIDE})


def untrained(split, scaled, seed, settings):
    """The same network with the weights that training starts from; scaling is learned."""
    return autoencoder(split, scaled, seed, settings | UNTRAINED)


def tutorial(split, scaled, seed, settings):
    """The network of the tutorials, trained like this library's."""
    return autoencoder(split, scaled, seed, settings | TUTORIAL)


def supervised(split, scaled, seed, settings):
    """This library's classifier, which trains the encoder with all labels."""
    encoder = LSTMAutoencoderTransformer(latent_dim=WIDTH)
    model = LSTMAutoencoderClassifier(encoder.set_params(**settings), random_state=seed)
    with quiet():
        model.fit(split.X_train, split.y_train)
    return Learned(predict=lambda: model.predict(split.X_test))


@contextlib.contextmanager
def quiet():
    """Hide the warnings of a bad fit: the tables show it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "activation='relu'|The fit is no better")
        yield


def components(split, scaled, seed, settings):
    """Principal components of the flattened values; None for too few rows or values."""
    train, test = flatten(scaled.train), flatten(scaled.test)
    if min(train.shape) < WIDTH:
        return None
    pca = PCA(WIDTH, random_state=seed).fit(train)

    def rebuild():
        return pca.inverse_transform(pca.transform(test)).reshape(scaled.test.shape)

    return Learned(lambda: (pca.transform(train), pca.transform(test)), rebuild=rebuild)


def raw_values(split, scaled, seed, settings):
    """The flattened values themselves."""
    return Learned(lambda: (flatten(scaled.train), flatten(scaled.test)))


def catch22(split, scaled, seed, settings):
    """22 statistics of each feature (Lubba et al. 2019), standardized, 0 where one is undefined.

    k-means needs them standardized, as each has a unit of its own.
    """
    scaler = StandardScaler()

    def transform():
        train = scaler.fit_transform(np.stack([statistics_of(x) for x in split.X_train]))
        return train, scaler.transform(np.stack([statistics_of(x) for x in split.X_test]))

    return Learned(transform)


def statistics_of(sequence):
    """catch22 of each feature of a sequence (T, F), one after the other: (22 * F,)."""
    from aeon.transformations.collection.feature_based import Catch22
    from aeon.transformations.collection.feature_based._catch22 import feature_names

    try:
        return Catch22(replace_nans=True).fit_transform([sequence.T])[0]
    except ZeroDivisionError:  # of one of them, where it is undefined
        values = [[one_statistic(name, x) for name in feature_names] for x in sequence.T]
        return np.concatenate(values)


def one_statistic(name, values):
    """One of the 22 of a univariate sequence (T,), 0 where it is undefined."""
    from aeon.transformations.collection.feature_based import Catch22

    try:
        [[value]] = Catch22(features=[name], replace_nans=True).fit_transform([values[np.newaxis]])
    except ZeroDivisionError:
        value = 0.0
    return value


def minirocket(split, scaled, seed, settings):
    """Shares of positive convolutions (Dempster et al. 2021)."""
    from aeon.transformations.collection.convolution_based import MiniRocket

    lacking = max(0, SHORTEST - scaled.width)
    X_train, X_test = (
        np.pad(X, [(0, 0), (0, lacking), (0, 0)]).transpose(0, 2, 1)  # (N, F, T)
        for X in (scaled.train, scaled.test)
    )
    kernels = MiniRocket(random_state=seed).fit(X_train)
    return Learned(lambda: (kernels.transform(X_train), kernels.transform(X_test)))


def minirocket_components(split, scaled, seed, settings):
    """Principal components of MiniRocket's standardized features; None for too few rows."""
    if len(split.y_train) < WIDTH:
        return None
    kernels = minirocket(split, scaled, seed, settings)
    pca = make_pipeline(StandardScaler(), PCA(WIDTH, random_state=seed))
    pca.fit(kernels.transform()[0])
    return Learned(lambda: tuple(pca.transform(columns) for columns in kernels.transform()))


def flatten(values):
    """(N, T, F) -> (N, T * F)."""
    return values.reshape(len(values), -1)


@dataclass(frozen=True)
class Contender:
    """How it learns, and which of its columns are read; None for all of them.

    ``learn(split, scaled, seed, settings)`` returns Learned, or None for a split that it cannot
    learn from.
    """

    learn: Callable
    part: str | None = None


CONTENDERS = {
    "ours": Contender(autoencoder, CODE),
    "ours, states": Contender(autoencoder, STATES),
    "ours, both": Contender(autoencoder),
    "ours, no summary": Contender(rebuilding, CODE),
    "ours, 64 columns": Contender(wide, CODE),
    "ours, supervised": Contender(supervised),
    "untrained": Contender(untrained, CODE),
    "untrained, states": Contender(untrained, STATES),
    "PCA": Contender(components),
    "tutorial": Contender(tutorial, CODE),
    "raw": Contender(raw_values),
    "catch22": Contender(catch22),
    "MiniRocket": Contender(minirocket),
    "MiniRocket, PCA": Contender(minirocket_components),
}
