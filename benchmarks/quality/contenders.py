"""Ways from sequences to columns: this library, and what one would try before it."""

import warnings

import numpy as np
from sklearn.decomposition import PCA

from sklearn_lstmae import LSTMAutoencoderTransformer

WIDTH = 16
# The network of most tutorials, whatever the defaults are.
TUTORIAL = {
    "patch_size": 1,
    "hidden_units": (),
    "bidirectional": False,
    "bottleneck": "hidden",
    "reverse_target": False,
    "decoder_start": "input",
    "time_encoding": False,
    "dropout": 0.0,
    "noise": 0.0,
    "activation": "tanh",
    "scaling": "feature",
}


class Scaled:
    """Sequences of a split in scaled units: (N, T, F), and which values are observed.

    Each feature has mean 0 and deviation 1 over the observed values of training. Shorter
    sequences are padded on the right with 0, the feature's mean.
    """

    def __init__(self, split):
        observed = np.concatenate(list(split.X_train))  # (all steps, F)
        self.mean, deviation = observed.mean(axis=0), observed.std(axis=0)
        self.scale = np.where(deviation > 0, deviation, 1.0)
        self.width = max(len(x) for X in (split.X_train, split.X_test) for x in X)
        self.train, _ = self.pad(split.X_train)
        self.test, self.mask = self.pad(split.X_test)

    def pad(self, X):
        """List of (T_i, F) -> scaled values (N, T, F), and whether a step is observed (N, T)."""
        values = np.zeros((len(X), self.width, len(self.mean)))
        mask = np.zeros(values.shape[:2], bool)
        for row, x in enumerate(X):
            values[row, : len(x)] = (x - self.mean) / self.scale
            mask[row, : len(x)] = True
        return values, mask

    def explained_variance(self, rebuilt):
        """Share of the test rows' variance around the mean of training that is rebuilt."""
        errors = np.square(self.test - rebuilt)[self.mask].sum()
        return 1 - errors / np.square(self.test[self.mask]).sum()


def autoencoder(split, scaled, seed, settings):
    """This library."""
    model = LSTMAutoencoderTransformer(latent_dim=WIDTH, random_state=seed).set_params(**settings)
    with warnings.catch_warnings():
        # A candidate that learns nothing shows in the table.
        warnings.filterwarnings("ignore", "The fit is no better|activation='relu'")
        model.fit(split.X_train)
    rebuilt, _ = scaled.pad(model.reconstruct(split.X_test))
    return model.transform(split.X_train), model.transform(split.X_test), rebuilt


def tutorial(split, scaled, seed, settings):
    """The tutorials' network, trained as long as this library's."""
    shared = {name: settings[name] for name in ("epochs", "batch_size") if name in settings}
    return autoencoder(split, scaled, seed, TUTORIAL | shared)


def components(split, scaled, seed, settings):
    """Principal components of the flattened values."""
    train, test = (values.reshape(len(values), -1) for values in (scaled.train, scaled.test))
    if min(train.shape) < WIDTH:
        return None
    pca = PCA(WIDTH, random_state=seed).fit(train)
    codes = pca.transform(test)
    return pca.transform(train), codes, pca.inverse_transform(codes).reshape(scaled.test.shape)


def raw_values(split, scaled, seed, settings):
    """The flattened values themselves."""
    train, test = (values.reshape(len(values), -1) for values in (scaled.train, scaled.test))
    return train, test, None


CONTENDERS = {
    "ours": autoencoder,
    "PCA": components,
    "raw values": raw_values,
    "tutorial": tutorial,
}
