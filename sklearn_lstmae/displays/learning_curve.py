"""LearningCurveDisplay: losses of each epoch."""

from itertools import cycle

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
    """Losses of each epoch of a fit.

    Parameters
    ----------
    history : dict of lists of float
        One number an epoch, NaN where there is none, by name. "loss", "val_loss" and, if there
        are several, other names that end in "_loss" are drawn.

    baseline_loss : float or None, default=None
        Loss of the best constant, each feature's mean or the frequencies of classes, drawn as a
        line.

    best_epoch : int or None, default=None
        Epoch, from 1, that the fitted weights are of, marked on the curve of the validation loss,
        or, without one, of the training loss.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of matplotlib Line2D
        The curves, by the names of ``history``.
    baseline_line_, best_line_ : matplotlib Line2D or None
        The line of the baseline, and the mark of the best epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LearningCurveDisplay, LSTMAutoencoderTransformer
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> LearningCurveDisplay.from_estimator(autoencoder)
    <...>
    """

    def __init__(self, *, history, baseline_loss=None, best_epoch=None):
        self.history = history
        self.baseline_loss = baseline_loss
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the learning curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted one with ``history_``; ``baseline_loss_`` and ``best_epoch_`` are drawn if
            there are such. With a detector it is the curve of its ``autoencoder_``.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `plot`, for each curve.

        Returns
        -------
        display : LearningCurveDisplay
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

    def plot(self, ax=None, **kwargs):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        **kwargs
            For matplotlib's `plot`, for each curve.

        Returns
        -------
        self : LearningCurveDisplay
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
