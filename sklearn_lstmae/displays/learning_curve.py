"""LearningCurveDisplay: losses of each epoch."""

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from sklearn_lstmae.displays._drawing import (
    CLASS_COLORS,
    GRAY,
    line_style,
    make_axes,
    whole_numbers,
)


class LearningCurveDisplay:
    """Losses of each epoch of a fit.

    Parameters
    ----------
    history : dict of lists of float
        One number an epoch, by name. Names that end in "loss" are drawn.

    baseline_loss : float or None, default=None
        Loss of predicting each feature's mean, drawn as a line.

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
            there are such. Of a detector it is the ``autoencoder_`` that has them.

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
        if not hasattr(estimator, "history_"):
            raise ValueError(
                f"{type(estimator).__name__} has no history_: pass the fitted autoencoder or "
                "classifier itself, such as detector.autoencoder_ or pipeline[0]."
            )
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
        names = {"loss": "training", "val_loss": "validation"}
        for name, losses in self.history.items():
            if name.endswith("loss"):
                part = name not in names
                style = {
                    "color": CLASS_COLORS[len(self.lines_) % len(CLASS_COLORS)],
                    "label": name.removesuffix("_loss") if part else names[name],
                    "linestyle": "--" if part else "-",
                }
                epochs = np.arange(1, len(losses) + 1)
                [self.lines_[name]] = self.ax_.plot(epochs, losses, **line_style(style, kwargs))
        if self.baseline_loss is not None:
            self.baseline_line_ = self.ax_.axhline(
                self.baseline_loss, color=GRAY, linestyle=":", label="predicting the mean"
            )
        if self.best_epoch is not None:
            marked = self.lines_.get("val_loss", self.lines_["loss"])
            [self.best_line_] = self.ax_.plot(
                self.best_epoch,
                marked.get_ydata()[self.best_epoch - 1],
                marker="o",
                color=marked.get_color(),
                linestyle="",
                label=f"best epoch: {self.best_epoch}",
            )
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.set_ylim(bottom=min(0, *self.ax_.get_ylim()))
        whole_numbers(self.ax_)
        self.ax_.legend(frameon=False)
        return self
