"""Forecasts of windows -> a table with the times of the steps that were forecast."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_lstmae._sklearn import validate_params
from sklearn_lstmae.records.tables import Source, read_records
from sklearn_lstmae.records.times import as_times
from sklearn_lstmae.records.windows import WindowIndex

if TYPE_CHECKING:
    import pandas


@validate_params(
    {"forecast": ["array-like"], "index": [WindowIndex, list, tuple]},
    prefer_skip_nested_validation=True,
)
def label_forecast(forecast: Any, index: Any, *, freq: Any = None) -> "pandas.DataFrame":
    """Make a table of forecasts, labeled with the times of the predicted steps.

    Steps within the record have its labels. Steps after its end, or in a gap, have labels that
    continue its index.

    Parameters
    ----------
    forecast : array of shape (N, H, F), or list of N arrays of shape (H_i, F)
        Output of `LSTMAutoencoderTransformer.forecast` for the windows.

    index : WindowIndex, or list of N arrays, Series or DataFrames
        The index of the windows, as `sliding_windows` returned it. For some of the windows, pass
        ``index[rows]``. If X of ``forecast`` was a list, pass that list.

    freq : str or pandas offset, default=None
        Distance between consecutive times, such as "h" or "B", as in `pandas.date_range`. If None,
        the ``freq`` of the index, or the one that pandas infers from its times without gaps.

    Returns
    -------
    table : pandas.DataFrame
        One row per predicted step, window after window, with one column per feature, by name if the
        record has names. The levels of its index are

        - "group", if there are several records: the group of the window, or the number of its
          record in a list;
        - "origin": the last step of the window, after which the forecast starts;
        - the predicted step, named like the index of the record, or "step".

        Steps have labels like those of the record: numbers, times (Arrow types and others become
        those of pandas), or a count from 0 if the record has no index.
        ``table.droplevel("origin")`` continues a single record.

    Raises
    ------
    ValueError
        If there are not as many forecasts as windows; if the index of a record cannot be continued
        after its end.

    See Also
    --------
    LSTMAutoencoderTransformer.forecast : Predict the steps that follow each sequence.
    sliding_windows : Cut a long record into windows.
    unwind : Map values of windows back to the steps of the record.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_lstmae import label_forecast, sliding_windows
    >>> days = pd.date_range("2025-01-01", periods=8, name="day")
    >>> record = pd.DataFrame({"x": np.arange(8.0)}, index=days)
    >>> windows, index = sliding_windows(record, 4)
    >>> forecast = windows[-1:, -1:] + [[[1.0], [2.0]]]  # or forecast(windows[-1:]) of a model
    >>> label_forecast(forecast, index[-1:]).reset_index()
          origin        day    x
    0 2025-01-08 2025-01-09  8.0
    1 2025-01-08 2025-01-10  9.0
    """
    import pandas as pd

    parts = [np.asarray(part) for part in forecast]
    source, records, ends = _read_index(index)
    _check_forecast(parts, len(ends))
    n_steps = np.array([len(part) for part in parts], dtype=int)  # H of each window: (N,)

    cuts = source.cuts
    pieces = np.searchsorted(cuts, ends - 1, side="right") - 1  # (N,)
    reach = np.zeros(len(cuts) - 1, dtype=int)
    np.maximum.at(reach, pieces, ends + n_steps - cuts[pieces + 1])
    labels, starts = _label_pieces(source, pieces, reach, freq)
    origins = starts[pieces] + ends - 1 - cuts[pieces]  # (N,): places in labels
    order = np.repeat(np.arange(len(parts)), n_steps)
    place = np.concatenate([np.arange(1, n + 1) for n in n_steps]) + origins[order]

    names, levels = ["origin", labels.name or "step"], [labels[origins[order]], labels[place]]
    if source.labels is not None:
        names, levels = ["group", *names], [source.labels[records[order]], *levels]
    values, columns = np.concatenate(parts), source.feature_names
    if columns is not None and len(columns) != values.shape[1]:
        columns = None
    return pd.DataFrame(values, pd.MultiIndex.from_arrays(levels, names=names), columns)


# Reading ---------------------------------------------------------------------------------


def _read_index(index: Any) -> tuple[Source, np.ndarray, np.ndarray]:
    """Source, record of each window (N,), and the place after its last step (N,)."""
    if isinstance(index, WindowIndex):
        return index.source, index.records, index.places + index.length
    _, source = read_records(index, None)
    return source, np.arange(len(index)), source.bounds[1:]


def _check_forecast(parts: list[np.ndarray], n_windows: int) -> None:
    """Raise unless there are H steps of F features for each window."""
    if not parts:
        raise ValueError("forecast has no sequences, so there is nothing to label.")
    if len(parts) != n_windows:
        raise ValueError(
            f"forecast has {len(parts)} sequences, but index has {n_windows} windows: pass what "
            "forecast returned for these windows; the index of some of the windows is index[rows]."
        )
    for number, part in enumerate(parts):
        if part.ndim != 2:
            raise ValueError(
                f"forecast[{number}] has {part.ndim} axes, but steps and features were expected: "
                "forecast has shape (N, H, F), or is a list of arrays of shape (H, F)."
            )


# Labels ----------------------------------------------------------------------------------


def _label_pieces(
    source: Source, pieces: np.ndarray, reach: np.ndarray, freq: Any
) -> tuple[Any, np.ndarray]:
    """Labels of the pieces that have windows, one piece after the other, and of what follows each.

    Parameters
    ----------
    source : Source
        The records.

    pieces : ndarray of int of shape (N,)
        The piece of each window.

    reach : ndarray of int of shape (K,)
        Steps after the end of each piece that need labels.

    freq : str, offset or None
        The step from one time to the next, None to find it.

    Returns
    -------
    labels : pandas.Index

    starts : ndarray of int of shape (K,)
        Place in ``labels`` of the first step of each piece; 0 for pieces without windows.
    """
    parts, starts, n_labels = [], np.zeros(len(reach), dtype=int), 0
    bounds = source.cuts
    used = np.unique(pieces)
    owners = np.searchsorted(source.bounds, bounds[used], side="right") - 1
    for number in np.unique(owners):
        first, stop = np.searchsorted(bounds, source.bounds[number : number + 2])
        cuts = bounds[first : stop + 1] - source.bounds[number]
        index, name = _index_of(source, number), source.name_of(number)
        if reach[first:stop].any():
            follow = _continuation(index, cuts, name, freq)
        for piece in used[owners == number]:
            part = index[cuts[piece - first] : cuts[piece - first + 1]]
            if reach[piece]:
                part = part.append(follow(part[-1], int(reach[piece])))
            parts.append(part)
            starts[piece], n_labels = n_labels, n_labels + len(part)
    labels = parts[0].append(parts[1:])
    return labels.rename(_index_of(source, 0).name), starts  # append forgets names that differ


def _index_of(source: Source, number: int) -> Any:
    """Labels of the steps of a record: times, whatever their make, other labels, or numbers."""
    import pandas as pd

    index = source.index_of(number)
    if index is None:
        return pd.RangeIndex(source.bounds[number + 1] - source.bounds[number])
    times = as_times(index)
    return index if times is None else times.rename(index.name)


def _continuation(index: Any, cuts: np.ndarray, name: str, freq: Any) -> Any:
    """Find how the labels of a record go on: a function (last label, n) -> n labels after it.

    Parameters
    ----------
    index : pandas.Index
        Labels of the steps.

    cuts : ndarray of int
        Steps at which pieces without a gap begin, and the number of steps.

    name : str
        The record in messages.

    freq : str, offset or None
        As in `label_forecast`.
    """
    import pandas as pd

    stamps = pd.DatetimeIndex, pd.TimedeltaIndex
    if freq is not None and not isinstance(index, stamps):
        raise ValueError(
            f"freq={freq!r} is a step between times, but the index of {name} has dtype "
            f"{index.dtype}: leave freq out, or make time stamps its index."
        )
    if isinstance(index, pd.PeriodIndex):
        return lambda last, n: pd.period_range(last, periods=n + 1)[1:]
    if isinstance(index, stamps):
        offset = _frequency_of(index, cuts, name) if freq is None else freq
        make = pd.date_range if isinstance(index, pd.DatetimeIndex) else pd.timedelta_range

        def follow(last, n):
            # The range begins with the last time only if that is one of its own.
            times = make(last, periods=n + 1, freq=offset, unit=index.unit)
            return times[times != last][:n]

        return follow
    step = _difference_of(index, name)
    return lambda last, n: pd.Index(last + step * np.arange(1, n + 1))


def _frequency_of(times: Any, cuts: np.ndarray, name: str) -> Any:
    """Find the step from one time of a record to the next, as pandas names it."""
    longest = int(np.argmax(np.diff(cuts)))
    for some in (times, times[cuts[longest] : cuts[longest + 1]]):
        freq = some.freq or type(some)(some, freq="infer").freq
        if freq is not None:
            return freq
    raise ValueError(
        f"The times of {name} have no regular step, so it is not known which times follow them: "
        'pass freq, such as freq="h" or, for trading days, freq="B".'
    )


def _difference_of(index: Any, name: str) -> Any:
    """Difference between neighboring labels that are numbers."""
    import pandas as pd

    if isinstance(index, pd.RangeIndex):
        return index.step
    if index.dtype.kind not in "iuf":
        what = f"labels of dtype {index.dtype}"
    else:
        rounding, dtype = (1e-5, np.float64) if index.dtype.kind == "f" else (0, np.int64)
        steps = np.diff(index.to_numpy(dtype))
        if steps.size and np.allclose(steps, steps[0], rtol=rounding, atol=0):
            return np.median(steps).astype(dtype)
        what = "numbers without a regular step"
    raise ValueError(
        f"The index of {name} has {what}, so it is not known which labels follow them: make the "
        "times, or the numbers, of its steps the index (pandas.to_datetime, set_index, "
        "reset_index(drop=True))."
    )
