"""LearningCurveDisplay: losses of each epoch."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae._sklearn import check_matplotlib_support
from sklearn_lstmae.displays._drawing import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    autoencoder_of,
    dots_at_gaps,
    line_style,
    make_axes,
    whole_numbers,
)

# Losses of everything together. What else ends in "loss" is a part.
WHOLE = {
    "loss": {"label": "training", "color": BLUE},
    "val_loss": {"label": "validation", "color": VERMILION},
}
PART_COLORS = (GREEN, ORANGE, PURPLE, SKY)


class LearningCurveDisplay:
    """Learning curve: the losses of each epoch of a fit.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes.

    .. versionadded:: 0.1

    Parameters
    ----------
    history : dict of lists of float
        Losses by name, one number per epoch; NaN is not drawn. "loss" and "val_loss" are drawn, and
        other names that end in "_loss" if there are several.

    baseline_loss : float or None, default=None
        Loss of the best constant prediction (the mean of each feature, or the frequencies of
        classes), which is drawn as a line.

    best_epoch : int or None, default=None
        Epoch of the fitted weights, counted from 1. It is marked on the validation loss, or on the
        training loss if there is no validation loss.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure containing the curves.
    lines_ : dict of matplotlib Line2D
        Curves, by the names of ``history``.
    baseline_line_, best_line_ : matplotlib Line2D or None
        Line of the baseline, and mark of the best epoch.

    See Also
    --------
    LSTMAutoencoderTransformer : Its ``history_`` contains the losses.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LearningCurveDisplay, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> LearningCurveDisplay.from_estimator(autoencoder)
    <...>
    """

    def __init__(
        self,
        *,
        history: Mapping[str, Sequence[float]],
        baseline_loss: float | None = None,
        best_epoch: int | None = None,
    ) -> None:
        self.history = history
        self.baseline_loss = baseline_loss
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the learning curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with ``history_``. ``baseline_loss_`` and ``best_epoch_`` are drawn if
            it has them. For a detector, the curve is that of its ``autoencoder_``.

        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`, for each curve.

        Returns
        -------
        display : LearningCurveDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        estimator = autoencoder_of(estimator, "history_")
        display = cls(
            history=estimator.history_,
            baseline_loss=getattr(estimator, "baseline_loss_", None),
            best_epoch=getattr(estimator, "best_epoch_", None),
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`, for each curve.

        Returns
        -------
        self : LearningCurveDisplay
            The display itself.
        """
        self.ax_ = make_axes(self, ax)
        self.figure_ = self.ax_.figure
        self.lines_ = {}
        self.baseline_line_ = self.best_line_ = None
        for name, style in _styles(self.history).items():
            losses = np.asarray(self.history[name], dtype=np.float64)
            style = dots_at_gaps(losses) | line_style(style, kwargs)
            [self.lines_[name]] = self.ax_.plot(np.arange(1, 1 + len(losses)), losses, **style)
        if self.baseline_loss is not None:
            self.baseline_line_ = self.ax_.axhline(
                self.baseline_loss, color=GRAY, linestyle=":", label="best constant"
            )
        if self.best_epoch is not None:
            marked = self.lines_.get("val_loss", self.lines_["loss"])
            if np.isnan(marked.get_ydata()[self.best_epoch - 1]):  # of a later fit without one
                marked = self.lines_["loss"]
            [self.best_line_] = self.ax_.plot(
                self.best_epoch,
                marked.get_ydata()[self.best_epoch - 1],
                marker="o",
                color=marked.get_color(),
                linestyle="",
                label=f"best epoch: {self.best_epoch}",
            )
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.set_ylim(bottom=0)
        whole_numbers(self.ax_)
        self.ax_.legend(frameon=False)
        return self


def _styles(history):
    """Which losses are drawn, and how."""
    parts = [name for name in history if name.endswith("loss") and name not in WHOLE]
    styles = {name: style for name, style in WHOLE.items() if name in history}
    if len(parts) > 1:  # one part alone is the loss itself
        for name, color in zip(parts, cycle(PART_COLORS), strict=False):
            label = name.removesuffix("_loss").replace("_", " ")
            styles[name] = {"label": label, "color": color, "linestyle": "--"}
    return styles
