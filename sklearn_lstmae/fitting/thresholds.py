"""Arithmetic of the detector: scores of codes, thresholds, p-values, shares of errors."""

import numpy as np

from sklearn_lstmae.sequences.scaling import mean_and_deviation


def describe_codes(codes):
    """Where codes lie and how they spread, for `mahalanobis`.

    The covariance is shrunk (Ledoit and Wolf 2004): with few sequences, or with columns that go
    together, that of the sample has no inverse. Columns are standardized before, since shrinking
    pulls their variances towards each other, and those that ``scaling="sequence"`` appends have
    units of their own.

    Parameters
    ----------
    codes : ndarray of shape (N, L), float64
        At least two.

    Returns
    -------
    center : ndarray of shape (L,)
        Means.

    precision : ndarray of shape (L, L)
        Inverse of the shrunk covariance.
    """
    # Imported here since it takes 0.2 s and only the scores of codes need it.
    from sklearn.covariance import LedoitWolf

    if len(codes) < 2:
        raise ValueError(
            f"The spread of codes needs at least 2 sequences to learn from, but there is "
            f"n_samples={len(codes)}: fit on more, or choose score_from='reconstruction'."
        )
    center, scale = mean_and_deviation(codes)  # (L,)
    shrunk = LedoitWolf(assume_centered=True).fit((codes - center) / scale)
    # Codes that are all equal have no covariance, and scikit-learn a precision of zero for it.
    precision = shrunk.precision_ if shrunk.covariance_.any() else np.eye(len(center))
    return center, precision / np.outer(scale, scale)


def mahalanobis(codes, center, precision):
    """Distance of codes (N, L) from the center (L,) by a precision (L, L): (N,)."""
    difference = codes - center  # (N, L)
    squares = np.einsum("ni,ij,nj->n", difference, precision, difference)
    return np.sqrt(np.maximum(squares, 0.0))  # rounding may go below zero


def drop_unjudged(scores):
    """Scores (N,) without NaN: (M,)."""
    judged = scores[~np.isnan(scores)]
    if not judged.size:
        raise ValueError(
            f"No threshold can be computed from {len(scores)} sequences: all values that the "
            "decoder should output are missing in each of them."
        )
    return judged


def center_and_spread(scores):
    """Median and interquartile range of each column of scores (N, S), NaN aside: (S,), (S,).

    Outliers among the scores hardly move them. A range of 0 counts as 1.
    """
    quartiles = [np.quantile(drop_unjudged(column), [0.25, 0.5, 0.75]) for column in scores.T]
    low, center, high = np.transpose(quartiles)  # (S,) each
    return center, np.where(high > low, high - low, 1.0)


def quantile_offset(scores, contamination):
    """Score that this share of scores (N,) falls below."""
    return float(np.quantile(scores, contamination))


def conformal_offset(scores, contamination):
    """Score below which the p-value against scores (N,) is at most ``contamination``.

    With the k smallest scores of N such p-values are k / (N + 1) and below; so the score is the
    k-th smallest, k the largest for which k / (N + 1) is at most ``contamination``. There may be
    none, as with 8 scores and 0.1: the offset is -inf then, which no score falls below.
    """
    ranks = np.arange(1, len(scores) + 1)
    k = np.count_nonzero(ranks / (len(scores) + 1) <= contamination)
    return float(np.sort(scores)[k - 1]) if k else -np.inf


def conformal_p_values(scores, calibration):
    """(1 + number of calibration scores (M,) <= score) / (M + 1) for scores (N,): (N,).

    NaN where the score is.
    """
    count = np.searchsorted(np.sort(calibration), scores, side="right")
    return np.where(np.isnan(scores), np.nan, (1 + count) / (len(calibration) + 1))


def share_errors(errors):
    """Share of each feature in the error of each sequence.

    Parameters
    ----------
    errors : ndarray of shape (N, T, F)
        Errors of values, NaN where there is none.

    Returns
    -------
    columns : dict of ndarray of shape (R,)
        One entry for each sequence and feature with an error, those of a sequence from the
        largest share to the smallest: "sample" and "feature" are their numbers, "step" that of the
        largest error, "error" the mean over steps, "share" the part of the sequence's sum of
        errors.
    """
    known = ~np.isnan(errors)
    count = known.sum(axis=1)  # (N, F)
    total = np.where(known, errors, 0.0).sum(axis=1)  # (N, F)
    whole = total.sum(axis=1, keepdims=True)  # (N, 1)
    share = total / np.where(whole > 0, whole, 1.0)
    worst = np.where(known, errors, -1.0).argmax(axis=1)  # (N, F)

    sample, feature = np.nonzero(count)
    order = np.lexsort((-share[sample, feature], sample))
    at = sample[order], feature[order]
    return {
        "sample": at[0],
        "step": worst[at],
        "feature": at[1],
        "error": total[at] / count[at],
        "share": share[at],
    }
