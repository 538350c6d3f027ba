"""Labelled sequences to learn from and to be judged on."""

import importlib.util
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_lstmae.datasets import make_waves

WAVES = {"n_sequences": 600, "n_features": 3, "n_classes": 3}
NOISE = 0.1  # deviation; the waves reach from -1 to 1


@dataclass
class Split:
    """Sequences (N, T, F), or a list of (T_i, F), and their classes (N,)."""

    X_train: np.ndarray | list
    X_test: np.ndarray | list
    y_train: np.ndarray
    y_test: np.ndarray
    clean_test: np.ndarray | None = None  # X_test without its noise, where that is known


def digits(seed):
    """Images of 8 x 8 pixels, row by row; another half is held out for each seed."""
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
    return Split(*train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed))


def waves(n_timesteps, seed):
    """Noisy waves, others for each seed; half of them to learn from."""
    (X, y), (clean, _) = (
        make_waves(n_timesteps=n_timesteps, noise=noise, random_state=seed, **WAVES)
        for noise in (NOISE, 0)
    )
    half = len(X) // 2
    return Split(X[:half], X[half:], y[:half], y[half:], clean[half:])


def archived(name, seed):
    """A set of the UCR and UEA archives with its own split, the same for each seed."""
    folder = archive(name)
    (X_train, y_train), (X_test, y_test) = (
        read_ts(folder / f"{name}_{part}.ts") for part in ("TRAIN", "TEST")
    )
    return Split(X_train, X_test, y_train, y_test)


def archive(name):
    """Folder of a set that the package aeon brings."""
    package = importlib.util.find_spec("aeon")
    if package is None:
        raise ModuleNotFoundError(
            f"The set {name} is part of the package aeon, which `make bench-quality` installs."
        )
    return Path(package.origin).parent / "datasets" / "data" / name


def read_ts(path):
    """Sequences and classes of a .ts file.

    After ``@data``, a line is a sequence: its features, divided by colons, then its class; the
    values of a feature are divided by commas.
    """
    _, data = path.read_text(encoding="utf-8").split("@data\n")
    X, y = [], []
    for line in data.splitlines():
        *features, label = line.split(":")
        X.append(np.array([feature.split(",") for feature in features], dtype=float).T)  # (T, F)
        y.append(label)
    equal = len({len(sequence) for sequence in X}) == 1
    return np.stack(X) if equal else X, np.array(y)


# The sets whose accuracy counts, and long ones that ask how much is rebuilt.
SETS = {
    "digits": digits,
    "ItalyPowerDemand": partial(archived, "ItalyPowerDemand"),
    "BasicMotions": partial(archived, "BasicMotions"),
    "PickupGestureWiimoteZ": partial(archived, "PickupGestureWiimoteZ"),
}
LONG = {
    "waves250": partial(waves, 250),
    "waves500": partial(waves, 500),
}
