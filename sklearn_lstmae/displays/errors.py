"""ErrorDisplay: errors along a record."""

from datetime import timedelta
from typing import Any, Literal, Self, get_args

import numpy as np

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.displays._drawing import (
    BLACK,
    BLUE,
    ORANGE,
    VERMILION,
    as_it_is,
    legend_beside,
    line_style,
    make_axes,
    name_numbers,
    short_dates,
)
from sklearn_lstmae.records.tables import is_pandas, with_index
from sklearn_lstmae.records.times import as_times, warn_of_strings
from sklearn_lstmae.records.windows import WindowIndex, sliding_windows, unwind

# What the errors that are drawn belong to.
Per = Literal["step", "window"]
Duration = int | str | timedelta | np.timedelta64  # or a number of steps


class ErrorDisplay:
    """Errors along a record, with a threshold and intervals.

    It is recommended to use `from_estimator` or `from_errors` to create a display. All parameters
    are stored as attributes.

    .. versionadded:: 0.1

    Parameters
    ----------
    errors : array or Series of shape (S,)
        Error of each step; NaN is not drawn. The index of a Series is the horizontal axis. It may
        contain times of any type, or numbers. Other labels are drawn at equal distances, and only
        some of them are shown.

    threshold : float or None, default=None
        Threshold, which is drawn as a line unless it is infinite. The area above it is filled.

    intervals : array of shape (K, 2) or DataFrame with columns "start" and "end", default=None
        First and last step of intervals to shade, such as known anomalies or the output of
        `find_events`. Steps are labels in the index of a Series, or counted from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the errors.
    figure_ : matplotlib Figure
        Figure containing the errors.
    line_ : matplotlib Line2D
        Line of the errors.
    threshold_line_ : matplotlib Line2D or None
        Line of the threshold.
    fill_ : matplotlib PolyCollection or None
        Area above the threshold.
    spans_ : list of matplotlib Patch
        Shaded intervals.

    See Also
    --------
    find_events : Turn errors along a record into intervals.
    unwind : Map errors of windows back to the steps of the record.

    Examples
    --------
    >>> from sklearn_lstmae import ErrorDisplay
    >>> ErrorDisplay.from_errors([0.1, 0.2, 0.9, 0.1], threshold=0.5, intervals=[(2, 2)])
    <...>
    """

    def __init__(
        self, *, errors: Any, threshold: float | None = None, intervals: Any = None
    ) -> None:
        self.errors = errors
        self.threshold = threshold
        self.intervals = intervals

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        record: Any,
        length: Duration,
        *,
        stride: Duration = 1,
        max_gap: str | timedelta | np.timedelta64 | None = "auto",
        short: Literal["error", "drop"] = "error",
        per: Per = "step",
        threshold: float | None = None,
        intervals: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Cut a record into windows, and draw their errors along it.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            Fitted estimator.

        record : array, Series or DataFrame of shape (S,) or (S, F)
            One record of S steps.

        length, stride, max_gap, short
            How to cut the record: parameters of `sliding_windows`.

        per : {"step", "window"}, default="step"
            What to draw at a step, as the mean over the windows that cover it: the errors of the
            step, or the negated ``score_samples`` of the windows.

        threshold : float, default=None
            Threshold, in the units of the drawn errors. If None, there is none, except with
            ``per="window"`` and a detector: its threshold is the negated ``offset_``.

        intervals : array of shape (K, 2) or DataFrame, default=None
            First and last step of intervals to shade.

        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`.

        Returns
        -------
        display : ErrorDisplay
            The display, drawn. Its ``errors`` are a Series if the record has an index.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if isinstance(record, (list, tuple)):
            raise ValueError(
                f"record is a {type(record).__name__}: pass one record, an array, Series or "
                "DataFrame, and make a display for each."
            )
        if per not in get_args(Per):
            raise ValueError(f"per={per!r} is not one of {list(get_args(Per))}.")
        estimator = as_it_is(estimator, "errors" if per == "step" else "score_samples")
        windows, index = sliding_windows(record, length, stride, max_gap=max_gap, short=short)
        if per == "step":
            errors = unwind(estimator.errors(windows, per="step"), index)
        else:
            errors = unwind(-estimator.score_samples(windows), index)
            if threshold is None and hasattr(estimator, "offset_"):
                threshold = -estimator.offset_
        return cls(errors=errors, threshold=threshold, intervals=intervals).plot(ax, **kwargs)

    @classmethod
    def from_errors(
        cls,
        errors: Any,
        *,
        index: WindowIndex | None = None,
        threshold: float | None = None,
        intervals: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw given errors.

        Parameters
        ----------
        errors : array or Series of shape (S,), or array of shape (N, T) or (N,)
            Error of each step of the record. With ``index``, errors of N windows, per step (N, T)
            or per window (N,), which `unwind` maps back to the record.

        index : WindowIndex, default=None
            The index that `sliding_windows` returned for one record.

        threshold : float, default=None
            Threshold, in units of ``errors``.

        intervals : array of shape (K, 2) or DataFrame, default=None
            First and last step of intervals to shade.

        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`.

        Returns
        -------
        display : ErrorDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If ``errors`` does not have one axis, or ``index`` has several records.

        Warns
        -----
        UserWarning
            If the index of errors contains strings that look like times.
        """
        check_matplotlib_support(f"{cls.__name__}.from_errors")
        if index is not None:
            n_records = len(index.source.bounds) - 1
            if n_records > 1:
                raise ValueError(
                    f"index has {n_records} records, but a display shows one: map the errors to "
                    "the records with unwind, and pass those of one record."
                )
            errors = unwind(errors, index, per="window" if np.ndim(errors) == 1 else "step")
        errors = with_index(errors)
        shape = np.shape(errors)
        if len(shape) != 1:
            raise ValueError(
                f"errors has shape {shape}, but one error per step is expected, shape (n_steps,): "
                "map the errors of windows to their record with unwind."
            )
        labels = errors.index if is_pandas(errors, "Series") else None
        warn_of_strings(labels, "errors", "so that they are drawn at equal distances", stacklevel=2)
        return cls(errors=errors, threshold=threshold, intervals=intervals).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`.

        Returns
        -------
        self : ErrorDisplay
            The display itself.
        """
        self.ax_ = make_axes(self, ax, size=(8, 2.4))
        self.figure_ = self.ax_.figure
        index = self.errors.index if is_pandas(self.errors, "Series") else None
        errors = np.asarray(self.errors, dtype=np.float64)
        steps = np.arange(len(errors)) if index is None else _places(index)
        if steps is None:  # labels without distances
            steps = np.arange(len(errors))
            name_numbers(self.ax_, index)
        style = line_style({"color": BLUE, "label": "error", "linewidth": 1}, kwargs)
        [self.line_] = self.ax_.plot(steps, errors, **style)
        self.threshold_line_ = self.fill_ = None
        if self.threshold is not None and np.isfinite(self.threshold):
            self.threshold_line_ = self.ax_.axhline(
                self.threshold,
                color=BLACK,
                linestyle="--",
                linewidth=1,
                label=f"threshold: {self.threshold:.3g}",
            )
            self.fill_ = self.ax_.fill_between(
                steps,
                self.threshold,
                errors,
                where=errors > self.threshold,
                interpolate=True,
                color=VERMILION,
                linewidth=0,
                label="above it",
            )
        self.spans_ = self._shade_intervals(index, steps)
        short_dates(self.ax_)
        self.ax_.set(xlabel=_axis_name(index), ylabel="error")
        self.ax_.set_ylim(bottom=np.nanmin(errors, initial=0.0))
        self.ax_.margins(x=0.01)
        if self.threshold_line_ is not None or self.spans_:
            legend_beside(self.ax_)
        return self

    def _shade_intervals(self, index, steps):
        """Spans from half a step before the first step to half a step after the last."""
        if self.intervals is None or not len(self.intervals):
            return []
        if is_pandas(self.intervals, "DataFrame"):
            bounds = [list(self.intervals[name]) for name in ("start", "end")]
        else:
            bounds = [list(bound) for bound in zip(*self.intervals, strict=True)]
        if index is not None:
            bounds = _places_of_bounds(index, *bounds)
        starts, ends = (self._positions(bound) for bound in bounds)
        distances = np.diff(self._positions(steps))
        half = np.median(distances) / 2 if distances.size else 0.5
        return [
            self.ax_.axvspan(
                start - half,
                end + half,
                color=ORANGE,
                alpha=0.35,
                linewidth=1.5,  # points: a single step of a long record is seen
                zorder=0,
                label="_" * bool(number) + "interval",  # one entry of the legend for all
            )
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]

    def _positions(self, places):
        """Where matplotlib puts places, as numbers."""
        return np.asarray(self.ax_.convert_xunits(places), dtype=np.float64)


def _places(labels):
    """Labels of steps as matplotlib takes them, None if they have no distances."""
    times = as_times(labels)
    if is_pandas(times, "PeriodIndex"):
        return times.to_timestamp()
    if is_pandas(times, "TimedeltaIndex"):
        return times.total_seconds()
    if times is not None:
        return times
    if is_pandas(labels, "IntervalIndex"):
        return labels.mid
    is_numeric = labels.nlevels == 1 and labels.dtype.kind in "biuf"
    return labels.to_numpy() if is_numeric else None


def _places_of_bounds(index, starts, ends):
    """First and last labels of intervals -> their places, as those of steps are."""
    import pandas

    if _places(index) is not None:
        dtype = index.dtype
        if isinstance(index, pandas.CategoricalIndex):
            dtype = index.categories.dtype
        elif isinstance(index, pandas.IntervalIndex):
            dtype = None  # that of the bounds: intervals, or what these lie between
        return [_places(pandas.Index(bound, dtype=dtype)) for bound in (starts, ends)]
    lasts = {label: place for place, label in enumerate(index)}
    firsts = {label: place for place, label in reversed([*enumerate(index)])}
    unknown = [label for label in [*starts, *ends] if label not in firsts]
    if unknown:
        raise ValueError(
            f"intervals has {unknown[0]!r}, which is not in the index of errors: first and last "
            "step of an interval are labels of it."
        )
    return [firsts[label] for label in starts], [lasts[label] for label in ends]


def _axis_name(index):
    """Name of the horizontal axis."""
    times = as_times(index)
    kind = "step" if times is None else "time"
    unit = " [s]" if is_pandas(times, "TimedeltaIndex") else ""
    return f"{getattr(index, 'name', None) or kind}{unit}"
