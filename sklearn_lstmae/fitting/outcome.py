"""The outcome of a fit: warnings of a bad one."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

# Words of the warnings: the baseline that a fit should beat, and what to try.
MEAN_OUTCOME = (
    "predicting each feature's mean",
    "loss of the mean",
    "Try more epochs, a larger latent_dim, another learning_rate, or a longer patch_size for long "
    "sequences.",
)
CLASSES_OUTCOME = (
    "predicting how often each class occurs",
    "loss of that",
    "Try more epochs, another learning_rate, or an autoencoder with a larger latent_dim.",
)

# Warnings point to the line that called `fit`: past the function that warns, `fit` itself and
# scikit-learn's wrapper around it.
USER_LINE = 4


def warn_of_outcome(estimator, attributes, n_epochs, outcome=MEAN_OUTCOME):
    """Warn if a fit of ``n_epochs`` epochs learned nothing to speak of, or was cut short.

    ``attributes`` are those it learned. The estimator does not have them yet: a warning may be an
    error, and then the fit fails.
    """
    baseline, its_loss, advice = outcome
    loss, baseline_loss = attributes["loss_"], attributes["baseline_loss_"]
    if np.isnan(loss):
        warnings.warn(
            "loss_ is NaN: of the steps that the predicting decoder should output, every value of "
            "every sequence is missing, so that this decoder has learned nothing. Pass sequences "
            "of which some end in observed steps, or choose a longer horizon.",
            ConvergenceWarning,
            stacklevel=USER_LINE,
        )
    elif baseline_loss > 0 and not loss < baseline_loss:
        warnings.warn(
            f"The fit is no better than {baseline}: loss {loss:.6g}, {its_loss} "
            f"{baseline_loss:.6g}. {advice}",
            ConvergenceWarning,
            stacklevel=USER_LINE,
        )
    since_best = attributes["n_epochs_"] - attributes["best_epoch_"]
    never_fell = n_epochs > 1 and since_best == n_epochs - 1
    cut_short = n_epochs == estimator.epochs and since_best < estimator.patience and not never_fell
    if estimator.early_stopping and cut_short:
        warnings.warn(
            f"All {n_epochs} epochs were run and the validation loss was still falling "
            f"within the last {estimator.patience}: increase epochs.",
            ConvergenceWarning,
            stacklevel=USER_LINE,
        )
