"""The version of this package and of those that a fitted model depends on."""

import functools
import importlib.metadata
import inspect
import warnings

import numpy as np
import sklearn

__version__ = "0.1.0.dev0"

# Other versions of these may make another model of a pickle: they define its attributes.
PICKLED_BY = ("sklearn_lstmae", "scikit-learn", "keras")


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
