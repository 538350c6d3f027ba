"""The private names of scikit-learn that this package uses, each imported here and only here.

scikit-learn may move a private name in any minor release; then this file changes and nothing else.
All of them exist from scikit-learn 1.7 on, the oldest version that is supported.
"""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Protocol, TypeVar

import numpy as np

# Validates the parameters of an estimator at the beginning of `fit`, unless the user switched
# validation off; `BaseEstimator` has no public equivalent.
from sklearn.base import _fit_context

# Rows of whatever has rows: arrays, lists, tables of several libraries.
from sklearn.utils import _safe_indexing as take_rows

# The ImportError with the text that users of scikit-learn's own displays know.
from sklearn.utils._optional_dependencies import check_matplotlib_support

# Constraints on one parameter, and the error they raise. `_parameter_constraints`, documented for
# developers of estimators, consists of them, but they have no public address.
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._param_validation import validate_params as _validate_params

# A method that exists on a condition.
from sklearn.utils.metaestimators import available_if as _available_if

# The rules of `get_feature_names_out(input_features)`.
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in

# The first half of what `validate_data` does after `fit`: as many features, whatever their names.
from sklearn.utils.validation import _check_n_features as check_n_features

# Column names of tables of several libraries, None if there are none.
from sklearn.utils.validation import _get_feature_names as get_feature_names

# `check_is_fitted` as a question.
from sklearn.utils.validation import _is_fitted as is_fitted

# `len` for whatever has rows, with scikit-learn's error for anything else.
from sklearn.utils.validation import _num_samples as num_samples

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _KeepsTypes(Protocol):
    """A decorator of scikit-learn, which has no types, and would hide those of a function."""

    def __call__(self, function: _Function, /) -> _Function: ...


available_if: Callable[..., _KeepsTypes] = _available_if
fit_context: Callable[..., _KeepsTypes] = _fit_context
validate_params: Callable[..., _KeepsTypes] = _validate_params

# Constraints that several modules share.
positive_int = Interval(Integral, 1, None, closed="left")
_largest = float(np.finfo(np.float32).max)  # training takes numbers as float32
positive = Interval(Real, 0, _largest, closed="right")
not_negative = Interval(Real, 0, _largest, closed="both")


def validate_parameters(estimator):
    """Raise where a parameter breaks its constraint, as ``fit`` of the estimator would."""
    estimator._validate_params()
