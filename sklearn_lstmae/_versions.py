"""The version of this package and of those that it works with."""

import functools
import importlib.metadata
import inspect
import platform
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import sklearn
import threadpoolctl

__version__ = "0.1.0"

# Other versions of these may make another model of a pickle: they define its attributes.
PICKLED_BY = ("sklearn_lstmae", "scikit-learn", "keras")

# What `show_versions` lists. The first are those of pyproject.toml, and SciPy, which scikit-learn
# brings along; the second are those of the extras for users, and containers that X may be.
DEPENDENCIES = (
    "joblib", "keras", "numpy", "pandas", "scikeras", "scikit-learn", "scipy", "tensorflow",
    "threadpoolctl", "tqdm",
)  # fmt: skip
OPTIONAL_DEPENDENCIES = (
    "dask", "distributed", "h5py", "matplotlib", "onnx", "onnxruntime", "polars", "pyarrow",
    "skops", "xarray", "zarr",
)  # fmt: skip


@functools.cache
def versions():
    """Versions by package, None for one that is not installed. Imports neither Keras nor TF."""
    return {
        "sklearn_lstmae": __version__,
        "scikit-learn": sklearn.__version__,
        "keras": _installed("keras"),
        "tensorflow": _installed("tensorflow"),
        "numpy": np.__version__,
    }


def _installed(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def show_versions() -> None:
    """Print the versions and settings that a bug report needs.

    Prints Python, the platform, the versions of this package, of its dependencies and of optional
    ones, and the threads of the loaded libraries for linear algebra. No dependency is imported for
    this, so TensorFlow is not either.

    See Also
    --------
    sklearn.show_versions : The same for scikit-learn.

    Examples
    --------
    >>> from sklearn_lstmae import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    tables = {
        "System": [
            ("python", sys.version.replace("\n", " ")),
            ("executable", sys.executable),
            ("platform", platform.platform()),
            ("cores", joblib.cpu_count()),
        ],
        "Package and dependencies": [
            ("sklearn_lstmae", __version__),
            *[(name, _installed(name)) for name in DEPENDENCIES],
        ],
        "Optional dependencies": [(name, _installed(name)) for name in OPTIONAL_DEPENDENCIES],
        "Threads": [
            (pool["internal_api"], _thread_pool(pool)) for pool in threadpoolctl.threadpool_info()
        ],
    }
    for title, rows in tables.items():
        print(f"\n{title}:")
        for name, value in rows:
            print(f"{name:>15}: {value or 'not installed'}")


def _thread_pool(pool):
    """One line from what threadpoolctl knows of a library; some keys are of some libraries only."""
    known = (pool["version"], pool.get("architecture"), Path(pool["filepath"]).name)
    return ", ".join([f"{pool['num_threads']} threads", *filter(None, known)])


class PickledWithVersionsMixin:
    """Pickles hold the versions that made them, and opening one with others warns.

    scikit-learn's estimators do the same, but for its own classes only. Stands before
    `BaseEstimator` among the bases of an estimator.
    """

    def __getstate__(self):
        return {**super().__getstate__(), "_versions": versions()}  # type: ignore[dict-item]

    def __setstate__(self, state):
        state = dict(state)
        pickled, installed = state.pop("_versions", {}), versions()
        changes = [
            f"{name} {pickled[name]} (now {installed[name]})"
            for name in PICKLED_BY
            if name in pickled
            and pickled[name] != installed[name]
            # Without Keras nothing is trained, and inference does not need it.
            and None not in (pickled[name], installed[name])
        ]
        if changes:
            warnings.warn(
                f"{type(self).__name__} was pickled with {', '.join(changes)}. Results may differ; "
                "for files that last use sklearn_lstmae.save and load.",
                UserWarning,
                stacklevel=2,
            )
        # Parameters that were added since have their default.
        parameters = inspect.signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})  # type: ignore[misc]
