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

from sklearn_lstmae._sklearn import take_rows
from sklearn_lstmae.inference.blocks import on_one_thread
from sklearn_lstmae.sequences.numbers import find_missing, is_missing


def check_classes(classifier, y, sequences):
    """Classes (G,), and which of them each sequence has (N,), -1 for one without a label."""
    name = type(classifier).__name__
    if y is None:
        raise ValueError(
            f"{name} requires y to be passed, but the target y is None: pass "
            "the classes of X; sequences without one belong to X_unlabeled."
        )
    check_consistent_length(sequences, y)
    labeled = np.flatnonzero(~find_unlabeled(y, classifier.unlabeled))
    y = column_or_1d(y if len(labeled) == len(sequences) else take_rows(y, labeled), warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, numbers = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        got = f"has one class only, {classes[0]!r}" if len(classes) else "has no label"
        raise ValueError(f"y {got}; {name} needs sequences of at least two classes.")
    if classifier.unlabeled is None and len(classes) > 2 and classes.dtype.kind in "if":
        _refuse_minus_one(classes)
    if classifier.unlabeled is not None:
        _refuse_another_type(classes, classifier.unlabeled)
    all_numbers = np.full(len(sequences), -1)
    all_numbers[labeled] = numbers
    return classes, all_numbers


def find_unlabeled(y, unlabeled):
    """Which of N labels are the value that means "no label": (N,) bool.

    NaN stands for all that is missing: NaN, None, NaT and pandas' NA. Otherwise these are errors.
    """
    missing = find_missing(y)
    if is_missing(unlabeled) and unlabeled is not None:
        return missing
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(
            f"Input y contains NaN or None: row {row} has no label, and {missing.sum()} of "
            f"{len(missing)} rows in all. To learn from such sequences without a label, set "
            "unlabeled=float('nan'), or pass them as X_unlabeled; else leave them out."
        )
    if unlabeled is None:
        return missing
    if isinstance(y, (list, tuple)):  # NumPy makes words of numbers among the words of a list
        y = np.asarray(y, dtype=object)
    return np.asarray(column_or_1d(y) == unlabeled)


def _refuse_minus_one(classes):
    """Raise where -1 stands next to classes of 0 and above: it seldom is a class."""
    if classes[0] == -1 and classes[1] >= 0:
        raise ValueError(
            f"y has the class -1 next to classes of 0 and above, {classes[1:4].tolist()}. If it "
            "means 'no label', as in sklearn.semi_supervised, set unlabeled=-1, or pass these "
            "sequences as X_unlabeled. If it is a class, give it another name, as y.astype(str) "
            "does."
        )


def _refuse_another_type(classes, unlabeled):
    """Raise where a class is written like the value for no label, as in an array of strings."""
    alike = classes[classes.astype(str) == str(unlabeled)].tolist()
    if alike:
        raise ValueError(
            f"y has the class {alike[0]!r}, but unlabeled={unlabeled!r} is of another type. NumPy "
            "turns numbers among strings into strings. If this class means 'no label', set "
            f"unlabeled={alike[0]!r}."
        )


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

    def fit():
        # Training starts from it, wherever it ends. Some products set floating-point flags falsely.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(columns, numbers, sample_weight=shares[numbers])

    on_one_thread(fit)  # with several threads, small products can wait for cores for seconds
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
