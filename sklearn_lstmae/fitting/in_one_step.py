"""Replace the model of an estimator in one step, even while other threads use it.

A fit learns in a copy, and then replaces all attributes at once; each other method works on the
attributes as they were when it was called. Other threads thus use the old model or the new one,
never a mixture, and a failed fit leaves the old one.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from sklearn.frozen import FrozenEstimator

Method = TypeVar("Method", bound=Callable[..., Any])


def snapshot(estimator):
    """The estimator as it is now: an object that shares its attributes and that no fit changes.

    Within a FrozenEstimator, which can be fitted from outside, too.
    """
    shared = object.__new__(type(estimator))
    shared.__dict__ = vars(estimator)
    if isinstance(estimator, FrozenEstimator):
        shared.__dict__ = vars(estimator) | {"estimator": snapshot(estimator.estimator)}
    return shared


def of_one_model(method: Method) -> Method:
    """Let a method of an estimator work on a `snapshot` of it."""

    @functools.wraps(method)
    def call(self, *arguments, **options):
        return method(snapshot(self), *arguments, **options)

    return cast(Method, call)


@contextlib.contextmanager
def learning_aside(estimator):
    """Yield a copy of an estimator to learn in, and put in place what it has learned.

    If an exception is raised within, the estimator stays as it is.
    """
    learner = object.__new__(type(estimator))
    learner.__dict__ = dict(vars(estimator))
    yield learner
    # What others have set since then, such as a parameter, stays.
    kept = {name: value for name, value in vars(estimator).items() if not _is_fitted(name)}
    estimator.__dict__ = kept | fitted_attributes(learner)


def fitted_attributes(estimator):
    """What a fit has made, by name."""
    return {name: value for name, value in vars(estimator).items() if _is_fitted(name)}


def of_one_fit(method: Method) -> Method:
    """Let a method that fits an estimator and then uses it use what it has learned itself."""

    @functools.wraps(method)
    def call(self, *arguments, **options):
        with learning_aside(self) as learner:
            return method(learner, *arguments, **options)

    return cast(Method, call)


def _is_fitted(name):
    """Whether a fit makes the attribute of this name."""
    return name.endswith("_") and not name.startswith("_")
