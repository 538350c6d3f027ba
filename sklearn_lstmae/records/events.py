"""Errors along a record -> the stretches of it that stand out."""

from numbers import Integral, Real

import numpy as np

from sklearn_lstmae._sklearn import Interval, validate_params


@validate_params(
    {
        "errors": ["array-like"],
        "threshold": [Interval(Real, None, None, closed="neither")],
        "feature_errors": ["array-like", None],
        "max_gap": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def find_events(errors, threshold, *, feature_errors=None, max_gap=0):
    """Find the stretches of a record whose errors are above a threshold.

    An event is a run of consecutive steps with an error above ``threshold``. pandas is needed.

    Parameters
    ----------
    errors : Series or array of shape (T,)
        Error of each step, the higher, the more abnormal, as ``errors(X, per="step")`` gives them
        once they are back on the record. NaN, where there is none, is not above the threshold.

    threshold : float
        In units of ``errors``: a high quantile, such as 0.99, of the errors of a normal record.

    feature_errors : DataFrame or array of shape (T, F), default=None
        Error of each step and feature, to name the worst feature of an event.

    max_gap : int, default=0
        Events with at most ``max_gap`` steps between them are one, whatever the errors of these.

    Returns
    -------
    events : pandas.DataFrame
        One row an event, in the order of the record, with the columns

        - "start", "end": its first and its last step, in the index of the Series, such as
          times, or counted from 0 for an array;
        - "peak", "peak_at": its largest error, and the step with that error;
        - "worst_feature", with ``feature_errors``: the feature with the largest mean error within
          it, by the name of its column in a DataFrame, else its number.

    Raises
    ------
    ValueError
        If ``errors`` has not one axis, or ``feature_errors`` not as many rows.

    Examples
    --------
    >>> from sklearn_lstmae import find_events
    >>> print(find_events([0.1, 0.9, 1.2, 0.1, 0.1, 0.8], threshold=0.5))
       start  end  peak  peak_at
    0      1    2   1.2        2
    1      5    5   0.8        5
    """
    import pandas as pd

    if np.ndim(errors) != 1:
        raise ValueError(
            f"errors has {np.ndim(errors)} axes, but one error a step is expected, shape (T,): "
            "put windows back on their record first."
        )
    errors = pd.Series(errors, dtype=np.float64)
    columns = ["start", "end", "peak", "peak_at"]
    if feature_errors is not None:
        feature_errors = pd.DataFrame(feature_errors)
        if len(feature_errors) != len(errors):
            raise ValueError(
                f"feature_errors has {len(feature_errors)} rows, but errors has {len(errors)} "
                "steps: both must be of one record."
            )
        columns.append("worst_feature")

    rows = []
    for first, last in _runs(np.flatnonzero(errors > threshold), max_gap):
        event = errors.iloc[first : last + 1]
        row = [event.index[0], event.index[-1], event.max(), event.index[np.nanargmax(event)]]
        if feature_errors is not None:
            row.append(feature_errors.iloc[first : last + 1].mean().idxmax())
        rows.append(row)
    return pd.DataFrame(rows, columns=columns)


def _runs(steps, max_gap):
    """First and last of each run of increasing steps (K,); gaps up to ``max_gap`` do not end it."""
    if not steps.size:
        return []
    ends = np.flatnonzero(np.diff(steps) > 1 + max_gap)
    firsts = steps[np.append(0, ends + 1)]
    lasts = steps[np.append(ends, len(steps) - 1)]
    return zip(firsts, lasts, strict=True)
