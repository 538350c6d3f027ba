"""ErrorDisplay: errors along a record."""

import numpy as np

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.displays._drawing import (
    BLACK,
    BLUE,
    ORANGE,
    VERMILION,
    legend_beside,
    line_style,
    make_axes,
    short_dates,
)
from sklearn_lstmae.records.tables import is_pandas
from sklearn_lstmae.records.windows import sliding_windows, unwind


class ErrorDisplay:
    """Errors along a record, with a threshold and intervals.

    Parameters
    ----------
    errors : array or Series of shape (S,)
        Error of each step; NaN where there is none. The index of a Series, a time for example,
        is the horizontal axis.

    threshold : float or None, default=None
        Drawn as a line, unless it is infinite; what lies above is filled.

    intervals : array of shape (K, 2) or DataFrame with columns "start" and "end", default=None
        First and last step of stretches to be shaded, in the index of a Series, else counted from
        0: known anomalies, or what `find_events` returns.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The errors.
    threshold_line_ : matplotlib Line2D or None
    fill_ : matplotlib PolyCollection or None
        What lies above the threshold.
    spans_ : list of matplotlib Patch
        The intervals.

    Examples
    --------
    >>> from sklearn_lstmae import ErrorDisplay
    >>> ErrorDisplay.from_errors([0.1, 0.2, 0.9, 0.1], threshold=0.5, intervals=[(2, 2)])
    <...>
    """

    def __init__(self, *, errors, threshold=None, intervals=None):
        self.errors = errors
        self.threshold = threshold
        self.intervals = intervals

    @classmethod
    def from_estimator(
        cls,
        estimator,
        record,
        length,
        *,
        stride=1,
        per="step",
        threshold=None,
        intervals=None,
        ax=None,
        **kwargs,
    ):
        """Cut a record into windows, and draw their errors along it.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            A fitted one.

        record : array, Series or DataFrame of shape (S,) or (S, F)
            One record of S steps.

        length : int
            Steps of a window.

        stride : int, default=1
            Steps from the beginning of a window to that of the next.

        per : {"step", "window"}, default="step"
            "step": the error of each step, the mean over the windows that cover it. "window": the
            mean of the negated ``score_samples`` of these windows.

        threshold : float, default=None
            In units of what is drawn. None is the negated ``offset_`` of a detector with
            ``per="window"``, whose threshold is one of whole windows, and otherwise none.

        intervals : array of shape (K, 2) or DataFrame, default=None
            As in the constructor.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `plot`.

        Returns
        -------
        display : ErrorDisplay
            Its ``errors`` are like the record: a Series, if that has an index.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if isinstance(record, (list, tuple)):
            raise ValueError(
                f"record is a {type(record).__name__}: pass one record, an array, Series or "
                "DataFrame, and make a display for each."
            )
        if per not in ["step", "window"]:
            raise ValueError(f"per={per!r} is not one of ['step', 'window'].")
        windows, index = sliding_windows(record, length, stride)
        if per == "step":
            errors = estimator.errors(windows, per="step")
        else:
            errors = -estimator.score_samples(windows)
            if threshold is None and hasattr(estimator, "offset_"):
                threshold = -estimator.offset_
        return cls.from_errors(
            unwind(errors, index), threshold=threshold, intervals=intervals, ax=ax, **kwargs
        )

    @classmethod
    def from_errors(cls, errors, *, threshold=None, intervals=None, ax=None, **kwargs):
        """Draw errors that are there already.

        Parameters
        ----------
        errors, threshold, intervals
            As in the constructor.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `plot`.

        Returns
        -------
        display : ErrorDisplay

        Raises
        ------
        ValueError
            If ``errors`` has not one axis.
        """
        check_matplotlib_support(f"{cls.__name__}.from_errors")
        shape = np.shape(errors)
        if len(shape) != 1:
            raise ValueError(
                f"errors has shape {shape}, but one error a step is expected, shape (n_steps,): "
                "put windows back on their record with unwind."
            )
        return cls(errors=errors, threshold=threshold, intervals=intervals).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `plot`.

        Returns
        -------
        self : ErrorDisplay
        """
        self.ax_ = make_axes(self, ax, size=(8, 2.4))
        self.figure_ = self.ax_.figure
        index = self.errors.index if is_pandas(self.errors, "Series") else None
        errors = np.asarray(self.errors, dtype=np.float64)
        steps, xlabel = _places(np.arange(len(errors)) if index is None else index)
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
        self.spans_ = self._shade_intervals(steps)
        short_dates(self.ax_)
        self.ax_.set(xlabel=xlabel, ylabel="error")
        self.ax_.set_ylim(bottom=np.nanmin(errors, initial=0.0))
        self.ax_.margins(x=0.01)
        if self.threshold_line_ is not None or self.spans_:
            legend_beside(self.ax_)
        return self

    def _shade_intervals(self, steps):
        """Spans from half a step before the first step to half a step after the last."""
        if self.intervals is None or not len(self.intervals):
            return []
        if is_pandas(self.intervals, "DataFrame"):
            bounds = [list(self.intervals[name]) for name in ("start", "end")]
        else:
            bounds = [list(bound) for bound in zip(*self.intervals, strict=True)]
        if is_pandas(self.errors, "Series"):
            import pandas

            dtype = self.errors.index.dtype
            bounds = [pandas.Index(bound, dtype=dtype) for bound in bounds]
        starts, ends = (self._positions(bound) for bound in bounds)
        distances = np.diff(self._positions(steps))
        half = np.median(distances) / 2 if distances.size else 0.5
        return [
            self.ax_.axvspan(
                start - half,
                end + half,
                color=ORANGE,
                alpha=0.35,
                linewidth=0,
                zorder=0,
                label="_" * bool(number) + "interval",  # one entry of the legend for all
            )
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]

    def _positions(self, labels):
        """Where matplotlib puts labels of steps, as numbers."""
        return np.asarray(self.ax_.convert_xunits(_places(labels)[0]), dtype=np.float64)


def _places(labels):
    """Labels of steps as matplotlib takes them, and the name of the axis."""
    name = getattr(labels, "name", None)
    if is_pandas(labels, "PeriodIndex"):
        labels = labels.to_timestamp()
    elif is_pandas(labels, "TimedeltaIndex"):
        return labels.total_seconds(), f"{name or 'time'} [s]"
    return labels, name or ("time" if is_pandas(labels, "DatetimeIndex") else "step")
