"""Labels of a classifier: classes, weights of errors, and the head that training starts from.

Letters: N sequences, C columns of codes, G classes.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sklearn_lstmae.inference.blocks import one_thread


def check_classes(classifier, y, sequences):
    """Classes (G,), and which of them each sequence has (N,)."""
    if y is None:
        raise ValueError(
            f"{type(classifier).__name__} requires y to be passed, but the target y is None: pass "
            "the classes of X; sequences without one belong to X_unlabeled."
        )
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_consistent_length(sequences, y)
    check_classification_targets(y)
    classes, numbers = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y has one class only, {classes[0]!r}; {type(classifier).__name__} needs sequences of "
            "at least two classes."
        )
    return classes, numbers


def weigh_classes(class_weight, classes, numbers):
    """What errors on each class count for, 1 in the mean over sequences: (G,), (N,) -> (G,)."""
    weights = compute_class_weight(class_weight, classes=classes, y=classes[numbers])
    weights = np.asarray(weights, np.float64)
    mean = weights[numbers].mean()
    if (weights < 0).any() or not 0 < mean < np.inf:
        raise ValueError(
            f"class_weight={class_weight!r} should give each class a finite weight of at least 0, "
            "and a class of y more than 0."
        )
    return weights / mean


def regress(numbers, shares, columns):
    """Kernel (C, G) and bias (G,) of a logistic regression of classes (N,) on columns (N, C)."""
    # Imported here since linear_model is slow to import.
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression()
    # Training starts from it, wherever it ends. Some products set floating-point flags falsely.
    # With several threads, small products can wait for cores for seconds.
    with warnings.catch_warnings(), np.errstate(all="ignore"), one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(columns, numbers, sample_weight=shares[numbers])
    coefficients, intercepts = regression.coef_, regression.intercept_  # (G, C), (G,)
    if len(shares) == 2:  # one row, of the second class against the first
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    return coefficients.T, intercepts


def entropy(shares, numbers):
    """Cross-entropy, in nats, of predicting the class frequencies: (G,), (N,) -> float."""
    often = shares * np.bincount(numbers, minlength=len(shares)) / len(numbers)  # (G,)
    often = often[often > 0]
    return float(-(often * np.log(often)).sum())
