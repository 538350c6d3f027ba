"""Times in the index of a record: what counts as one, where some are missing, and durations."""

import re
import warnings
from typing import Any

import numpy as np

# With max_gap="auto" two time stamps that are further apart than this many median differences have
# a gap between them. Months, quarters and the days on which clocks change differ by less.
GAP = 1.5

# What pandas infers of an index of objects -> the index class that reads them.
READERS = {
    "datetime": "DatetimeIndex",
    "datetime64": "DatetimeIndex",
    "date": "DatetimeIndex",
    "timedelta": "TimedeltaIndex",
    "timedelta64": "TimedeltaIndex",
    "period": "PeriodIndex",
}

# A date or a time of day at the beginning of a string.
DATE = re.compile(r"\d{4}-\d\d|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8}T|\d{1,2}:\d\d")

# Steps that a record may be resampled to.
ROUND_STEPS = [f"{count}{unit}" for unit in ("s", "min") for count in (1, 2, 5, 10, 15, 30)]
ROUND_STEPS += ["1h", "2h", "3h", "6h", "12h", "1D"]


def as_times(index: Any) -> Any:
    """Read an index as times, whatever its make.

    Parameters
    ----------
    index : pandas.Index or None
        Time stamps, dates, durations or periods: in pandas' own classes, as Arrow types, as
        objects (offsets from UTC may differ), as categories, or as intervals, which count from
        their left ends.

    Returns
    -------
    times : DatetimeIndex, TimedeltaIndex, PeriodIndex or None
        None for labels that are no times, strings included.
    """
    if index is None:
        return None
    import pandas

    if isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex, pandas.TimedeltaIndex)):
        return index
    if isinstance(index, pandas.CategoricalIndex):
        return as_times(index.astype(index.categories.dtype))
    if isinstance(index, pandas.IntervalIndex):
        return as_times(index.left)
    if index.dtype != object:  # Arrow types have the kinds of NumPy
        reader = {"M": "DatetimeIndex", "m": "TimedeltaIndex"}.get(index.dtype.kind)
        return vars(pandas)[reader](index) if reader else None
    reader = READERS.get(pandas.api.types.infer_dtype(index))
    if reader == "DatetimeIndex":
        try:
            return pandas.DatetimeIndex(index)
        except ValueError:  # offsets from UTC differ
            return pandas.to_datetime(index, utc=True)
    return vars(pandas)[reader](index) if reader else None


def warn_of_strings(index: Any, name: str, effect: str, stacklevel: int) -> None:
    """Warn if the labels of an index are strings that look like times."""
    if index is None or not len(index):
        return
    first = index[0]
    if isinstance(first, str) and DATE.match(first) and DATE.match(str(index[-1])):
        warnings.warn(
            f"The index of {name} has strings that look like times, such as {first!r}, {effect}. "
            f"Parse them: {name.removeprefix('the ')}.index = "
            f"pandas.to_datetime({name.removeprefix('the ')}.index).",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def find_gaps(index: Any, name: str, max_gap: Any) -> np.ndarray:
    """Steps before which time is missing, in increasing order.

    Parameters
    ----------
    index : pandas.Index or None
        Labels of the steps of a record.

    name : str
        The record in messages.

    max_gap : "auto", pandas.Timedelta or None
        The longest difference that is no gap. None: there are no gaps.
    """
    none = np.empty(0, dtype=int)
    times = None if max_gap is None else as_times(index)
    if times is None:
        if max_gap not in (None, "auto"):
            raise ValueError(_no_times(index, name, f"max_gap={str(max_gap)!r}"))
        return none
    check_increasing(times, name)
    if not isinstance(max_gap, str):
        return np.flatnonzero(differences(times) > max_gap.to_numpy()) + 1
    if len(times) < 2 or has_frequency(times):
        return none
    return np.flatnonzero(is_gap(np.diff(times.asi8))) + 1


def is_gap(steps: np.ndarray) -> np.ndarray:
    """Whether each difference between neighboring times is a gap, with max_gap="auto"."""
    return steps > GAP * np.median(steps)


def has_frequency(times: Any) -> bool:
    """Whether times follow a known frequency, so that none is missing."""
    import pandas

    # Each PeriodIndex has a frequency, whether or not periods are missing.
    return times.freq is not None and not isinstance(times, pandas.PeriodIndex)


def differences(times: Any) -> np.ndarray:
    """Differences between neighboring times, as timedelta64.

    Where all times have the same time of day, a day has 24 hours, even if clocks change in it.
    """
    import pandas

    if isinstance(times, pandas.PeriodIndex):
        times = times.to_timestamp()
    if isinstance(times, pandas.DatetimeIndex) and times.tz is not None:
        by_the_clock = differences(times.tz_localize(None))
        if not (by_the_clock % np.timedelta64(1, "D")).any():
            return by_the_clock
    return np.diff(times.asi8).view(f"m8[{times.unit}]")


def check_increasing(times: Any, name: str) -> None:
    """Raise unless there is a time at each step, later than the one before."""
    if times.hasnans:
        raise ValueError(f"The index of {name} has no time at step {np.argmax(times.isna())}.")
    backwards = np.diff(times.asi8) <= 0
    if backwards.any():
        step = np.argmax(backwards) + 1
        is_local = hasattr(times, "tz") and times.tz is None
        clocks = (
            " If clocks were set back, add the time zone: tz_localize(zone, ambiguous='infer')."
        )
        raise ValueError(
            f"The index of {name} does not increase: {times[step - 1]} is followed by "
            f"{times[step]} at step {step}. Sort it (sort_index), keep one of equal times, or, if "
            "there are several records, name the column that identifies them with group=."
            f"{clocks * is_local}"
        )


def _no_times(index: Any, name: str, what: str) -> str:
    """Message that a duration needs times."""
    kind = "the record has no index" if index is None else f"its index has dtype {index.dtype}"
    return (
        f"{what} is a duration, which needs times in the index of {name}, but {kind}: make times "
        "its index (set_index, pandas.to_datetime), or count steps."
    )


# Durations -------------------------------------------------------------------------------


def read_duration(value: Any, name: str) -> Any:
    """Turn a string or timedelta into a positive pandas.Timedelta."""
    import pandas

    try:
        duration = pandas.Timedelta(value)
    except ValueError as error:
        raise ValueError(
            f"{name}={value!r} is not a duration: pass a number and its unit, such as '90min', "
            "'24h' or '7D', or a timedelta."
        ) from error
    if not duration > pandas.Timedelta(0):
        raise ValueError(f"{name}={value!r} must be longer than 0.")
    return duration


def count_steps(
    duration: Any, parameter: str, indexes: list[tuple[str, Any]], length: int = 2
) -> int:
    """Steps in a duration, the same for all records that are long enough for it to matter.

    Parameters
    ----------
    duration : str or timedelta
        The value of the parameter.

    parameter : str
        Its name, for messages.

    indexes : list of (str, pandas.Index or None)
        Name and labels of each record.

    length : int, default=2
        Steps of a window, where they are known.
    """
    wanted = read_duration(duration, parameter)
    first, longest = max(indexes, key=lambda named: _n_labels(named[1]))
    step = _regular_step(longest, first, parameter, duration)
    if step is None:
        raise ValueError(
            f"{parameter}={duration!r} is a duration, but no record has two steps to take a "
            "difference of times from: count steps."
        )
    if wanted % step:
        raise ValueError(
            f"{parameter}={duration!r} is not a multiple of the step of {first}, {step}."
        )
    n_steps = int(wanted // step)
    for name, index in indexes:
        if _n_labels(index) < max(length, n_steps):
            continue  # it has no window, or no second one
        other = _regular_step(index, name, parameter, duration)
        if other != step:
            raise ValueError(
                f"{parameter}={duration!r} is a duration, but {first} has a time each {step} and "
                f"{name} each {other}: resample them to one step, or count steps."
            )
    return n_steps


def _n_labels(index: Any) -> float:
    """Labels of an index; infinitely many without one, which is refused."""
    return np.inf if index is None else len(index)


def _regular_step(index: Any, name: str, parameter: str, duration: Any) -> Any:
    """Return the one difference between times without a gap between them; None if there is none."""
    import pandas

    times = as_times(index)
    if times is None:
        raise ValueError(_no_times(index, name, f"{parameter}={duration!r}"))
    check_increasing(times, name)
    steps = differences(times)
    if not steps.size:
        return None
    steps = steps[~is_gap(steps.astype(np.int64))]
    if steps.min() != steps.max():
        raise ValueError(
            f"{parameter}={duration!r} is a duration, but the times of {name} are not regular: "
            f"they differ by {pandas.Timedelta(steps.min())} to {pandas.Timedelta(steps.max())}, "
            "gaps aside. Resample the record, or count steps."
        )
    return pandas.Timedelta(steps[0])


# Advice ----------------------------------------------------------------------------------


def advise_on_gaps(times: Any) -> str:
    """What to do about a record that gaps cut into pieces shorter than a window."""
    import pandas

    follow = "if its rows follow each other whatever the times are"
    fill = 'for an estimator with missing="mask"'
    if isinstance(times, pandas.PeriodIndex):
        return (
            "Fill gaps with NaN, record.reindex(pandas.period_range(record.index[0], "
            f"record.index[-1])), {fill}; {follow}, pass max_gap=None."
        )
    steps = differences(times)
    step = np.median(steps)
    elapsed = np.cumsum(steps)
    frequency = _frequency(pandas.Timedelta(step))
    if (elapsed % step).any():
        return (
            f'Its times are not on a grid of {frequency}: resample("{_round(step)}").mean() brings '
            f"them on one (asfreq would lose values), {fill}; {follow}, pass max_gap=None."
        )
    is_daily = isinstance(times, pandas.DatetimeIndex) and step == np.timedelta64(1, "D")
    if is_daily and (times.day_of_week < 5).all():
        return (
            "It has no weekends: trading days follow each other with max_gap=None, or "
            f'reset_index(drop=True); asfreq("B") has NaN at holidays, {fill}.'
        )
    if len(times) > elapsed[-1] / step / 2:  # most times are there
        # asfreq of pandas takes no TimedeltaIndex.
        is_dated = isinstance(times, pandas.DatetimeIndex)
        how = f'asfreq("{frequency}")' if is_dated else f'resample("{frequency}").mean()'
        return f"Fill gaps with NaN, {how}, {fill}; {follow}, pass max_gap=None."
    return (
        f"{follow.capitalize()}, as those of sessions do, pass max_gap=None, or the longest "
        'difference that is no gap, such as max_gap="1D".'
    )


def _frequency(step: Any) -> str:
    """A step as pandas writes a frequency: days may have 23 or 25 hours, 24 hours have not."""
    import pandas

    n_days, rest = divmod(step, pandas.Timedelta("1D"))
    if n_days and not rest:
        return "D" if n_days == 1 else f"{n_days}D"
    return pandas.tseries.frequencies.to_offset(step).freqstr


def _round(step: np.timedelta64) -> str:
    """Frequency to resample to: not shorter than a step, and a round one."""
    import pandas

    step = pandas.Timedelta(step)
    if step < pandas.Timedelta(ROUND_STEPS[0]):
        return _frequency(step)
    longer = (each for each in ROUND_STEPS if pandas.Timedelta(each) >= step)
    return next(longer, f"{-(-step // pandas.Timedelta('1D'))}D")
