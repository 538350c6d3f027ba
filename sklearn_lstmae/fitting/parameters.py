"""Steps of ``fit`` that need no model: rules between parameters, seeds, outcomes."""

import contextlib
import warnings
from numbers import Integral

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_lstmae.training.plan import TrainingPlan

COUNTS = ("latent_dim", "patch_size", "horizon", "epochs", "batch_size", "patience")

# A frame of "auto" is about the 32nd part of the longest sequence.
AUTO_FRAMES = 32

# The decoders that each objective trains.
DECODERS = {
    "reconstruct": ("reconstruct",),
    "predict": ("predict",),
    "composite": ("reconstruct", "predict"),
}

# What warnings of an outcome say: what the fit should be better than, and what to try.
MEAN_OUTCOME = (
    "predicting each feature's mean",
    "loss of the mean",
    "Try more epochs, a larger latent_dim, another learning_rate, or a longer patch_size for long "
    "sequences.",
)
CLASSES_OUTCOME = (
    "saying how often each class occurs",
    "loss of that",
    "Try more epochs, another learning_rate, or an autoencoder with a larger latent_dim.",
)

# Warnings point to the line that called `fit`: past the function that warns, `fit` itself and
# scikit-learn's wrapper around it.
USER_LINE = 4


def check_parameters(estimator):
    """Raise where parameters have no meaning that scikit-learn's table cannot tell."""
    check_counts(estimator, COUNTS)
    _check_hidden_units(estimator)
    _check_pairs(estimator)
    if estimator.activation == "relu":
        warnings.warn(
            "activation='relu' lets the state of an LSTM grow without bound; training may "
            "diverge. 'tanh' does not.",
            UserWarning,
            stacklevel=USER_LINE,
        )


def check_counts(estimator, parameters):
    """Raise where one of these parameters is a bool, which Python takes for an int."""
    name = type(estimator).__name__
    for parameter in parameters:
        if isinstance(getattr(estimator, parameter), bool):
            raise InvalidParameterError(
                f"The {parameter!r} parameter of {name} must be an int of at least 1. "
                f"Got {getattr(estimator, parameter)!r} instead."
            )


def _check_hidden_units(estimator):
    name, units = type(estimator).__name__, estimator.hidden_units
    if not all(isinstance(u, Integral) and not isinstance(u, bool) and int(u) >= 1 for u in units):
        raise InvalidParameterError(
            f"The 'hidden_units' parameter of {name} must be a tuple of ints of at least 1. "
            f"Got {units!r} instead."
        )


def _check_pairs(estimator):
    """Two parameters that contradict each other, or one that another takes its effect."""
    bottleneck, objective = estimator.bottleneck, estimator.objective
    if bottleneck == "dense" and not len(estimator.hidden_units):
        raise ValueError(
            "hidden_units=() leaves bottleneck='dense' nothing to read: give hidden_units a "
            "width, or choose bottleneck 'hidden', 'cell' or 'hidden_cell'."
        )
    if bottleneck != "dense" and estimator.pooling != "last_mean":
        raise ValueError(
            f"pooling={estimator.pooling!r} has no effect with bottleneck={bottleneck!r}, whose "
            "code is a last state: leave pooling at its default 'last_mean', or choose "
            "bottleneck='dense'."
        )
    if bottleneck != "dense" and estimator.kl_weight > 0:
        raise ValueError(
            f"kl_weight={estimator.kl_weight!r} makes a dense bottleneck variational and has no "
            f"meaning with bottleneck={bottleneck!r}: set kl_weight=0, or choose "
            "bottleneck='dense'."
        )
    if objective == "reconstruct" and estimator.horizon is not None:
        raise ValueError(
            f"horizon={estimator.horizon!r} has no effect with objective='reconstruct': leave "
            "horizon at None, or choose objective 'predict' or 'composite'."
        )
    if objective != "composite" and estimator.prediction_weight != 0.5:
        raise ValueError(
            f"prediction_weight={estimator.prediction_weight!r} has no effect with objective="
            f"{objective!r}, which has one decoder: leave prediction_weight at 0.5, or choose "
            "objective='composite'."
        )
    if estimator.resume and estimator.checkpoint_dir is None:
        raise ValueError(
            "resume=True goes on from a checkpoint, but checkpoint_dir=None has none: set "
            "checkpoint_dir to the folder of an interrupted fit, or resume=False."
        )


def check_one_pass(estimator):
    """Raise where a parameter asks for more than one pass over X."""
    if estimator.early_stopping:
        raise ValueError(
            "early_stopping=True has no meaning for partial_fit, which is one pass over X: set "
            "early_stopping=False, or use fit with warm_start=True."
        )


def resolve_patch_size(patch_size, n_timesteps, horizon):
    """Steps of a frame for sequences of at most ``n_timesteps`` steps.

    "auto" prefers a size that divides the horizon, so that the past ends at the same place of a
    frame in training, without the horizon, and in a forecast.
    """
    if patch_size != "auto":
        return int(patch_size)
    most = max(1, round(n_timesteps / AUTO_FRAMES))
    dividing = [size for size in range(-(-most // 2), most + 1) if horizon and horizon % size == 0]
    return max(dividing, default=most)


def resolve_batch_size(batch_size, n_sequences):
    """Sequences of a minibatch when learning from ``n_sequences``.

    "auto" makes some ten minibatches of few sequences, so that there are enough steps to learn from
    them: 32, and below 320 sequences the power of two next below a tenth of them, at least 4.
    """
    if batch_size != "auto":
        return int(batch_size)
    fitting = [size for size in (32, 16, 8) if 10 * size <= n_sequences]
    return max(fitting, default=4)


def check_lengths(lengths, n_sequences):
    """Steps to decode of each of ``n_sequences`` codes: int or (N,) -> int array (N,)."""
    array = np.asarray(lengths)
    if array.dtype.kind not in "iu" or array.ndim > 1 or (array < 1).any():
        raise ValueError(
            f"lengths must be an int or a 1-D array of ints, each at least 1. Got {lengths!r}."
        )
    if array.ndim == 1 and len(array) != n_sequences:
        raise ValueError(f"lengths has {len(array)} entries, but Z has {n_sequences} rows.")
    return np.broadcast_to(array, n_sequences).astype(np.int64)


def check_steps(configuration, steps, until):
    """Steps that a forecast should have at most."""
    horizon = configuration["horizon"]
    if "predict" not in configuration["architecture"]["decoders"] or horizon is None:
        raise ValueError(
            "forecast needs a predicting decoder that has learned a horizon: fit with "
            "objective='predict' or 'composite' and horizon an int."
        )
    if until is not None and steps is None:
        raise ValueError("until needs steps, the most steps of a forecast.")
    if steps is None:
        return horizon
    if not isinstance(steps, Integral) or isinstance(steps, bool) or int(steps) < 1:
        raise ValueError(f"steps must be an int of at least 1. Got {steps!r}.")
    if steps > horizon and not configuration["architecture"]["conditional"]:
        raise ValueError(
            f"steps={steps} is more than horizon={horizon}, which a decoder without "
            "conditional=True does not say: fit with a longer horizon or with conditional=True."
        )
    check_whole_frames(configuration, steps)
    return int(steps)


def check_whole_frames(configuration, steps):
    """Raise where a predicting decoder would say steps of a frame that it never learned."""
    horizon, patch_size = configuration["horizon"], configuration["architecture"]["patch_size"]
    if horizon is not None and steps > horizon and horizon % patch_size:
        raise ValueError(
            f"steps={steps} is more than horizon={horizon}, which is no multiple of patch_size="
            f"{patch_size}, so that the decoder never learned to say its last frame to the end: "
            "fit with a horizon that is a multiple, or with patch_size=1."
        )


def cut_after(steps, until):
    """Steps (H, F) up to the first for which ``until`` holds, that one included."""
    for number, step in enumerate(steps, start=1):
        if until(step):
            return steps[:number]
    return steps


def configure(estimator, sequences):
    """The settings of a fit as plain values: what every method after fit works with."""
    patch_size = resolve_patch_size(estimator.patch_size, sequences.n_timesteps, estimator.horizon)
    return {
        "architecture": {
            "n_features": sequences.n_features,
            "patch_size": patch_size,
            "latent_dim": int(estimator.latent_dim),
            "hidden_units": [int(units) for units in estimator.hidden_units],
            "bidirectional": bool(estimator.bidirectional),
            "bottleneck": estimator.bottleneck,
            "pooling": estimator.pooling,
            "reverse_target": bool(estimator.reverse_target),
            "decoder_start": estimator.decoder_start,
            "time_encoding": bool(estimator.time_encoding),
            "activation": estimator.activation,
            "tells_missing": estimator.missing == "mask",
            "decoders": list(DECODERS[estimator.objective]),
            "conditional": bool(estimator.conditional),
            "variational": bool(estimator.kl_weight > 0),
        },
        "horizon": None if estimator.horizon is None else int(estimator.horizon),
        "layout": sequences.layout,
        "loss": estimator.loss,
        "missing": estimator.missing,
        "scaling": estimator.scaling,
    }


def make_plan(estimator, seed, one_pass, n_sequences):
    """How to train: the parameters that the fitted model does not need, as plain values."""
    share = float(estimator.prediction_weight)
    return TrainingPlan(
        epochs=1 if one_pass else int(estimator.epochs),
        batch_size=resolve_batch_size(estimator.batch_size, n_sequences),
        learning_rate=float(estimator.learning_rate),
        loss=estimator.loss,
        optimizer=estimator.optimizer,
        clipnorm=None if estimator.clipnorm is None else float(estimator.clipnorm),
        dropout=float(estimator.dropout),
        noise=float(estimator.noise),
        shares=(1.0 - share, share) if estimator.objective == "composite" else (1.0,),
        kl_weight=float(estimator.kl_weight),
        patience=int(estimator.patience) if estimator.early_stopping else None,
        seed=seed,
        scheduled=not one_pass,
    )


def split(reader, validation_fraction, seed):
    """Readers of the sequences to learn from and of those to validate on."""
    rows = split_rows(len(reader), validation_fraction, seed)
    return [reader.subset(part) for part in rows]


def split_rows(n_rows, validation_fraction, seed, classes=None):
    """Rows to learn from and rows to validate on, increasing; with classes (N,) a part of each."""
    # Imported here since model_selection is slow to import and most fits do not need it.
    from sklearn.model_selection import train_test_split

    parts = train_test_split(
        np.arange(n_rows), test_size=validation_fraction, random_state=seed, stratify=classes
    )
    return [np.sort(part) for part in parts]


def draw_seed(random_state):
    """One integer for all randomness of a fit; None takes fresh entropy, not a global state."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


@contextlib.contextmanager
def keep_state_on_failure(estimator):
    """Whatever goes wrong, the estimator is as it was before."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        estimator.__dict__ = before
        raise


def warn_of_outcome(estimator, n_epochs, outcome=MEAN_OUTCOME):
    """Say so when a fit of so many epochs is no better than its baseline, or was cut short."""
    baseline, its_loss, advice = outcome
    loss, baseline_loss = estimator.loss_, estimator.baseline_loss_
    if baseline_loss > 0 and not loss < baseline_loss:
        warnings.warn(
            f"The fit is no better than {baseline}: loss {loss:.6g}, {its_loss} "
            f"{baseline_loss:.6g}. {advice}",
            ConvergenceWarning,
            stacklevel=USER_LINE,
        )
    since_best = estimator.n_epochs_ - estimator.best_epoch_
    cut_short = n_epochs == estimator.epochs and since_best < estimator.patience
    if estimator.early_stopping and cut_short:
        warnings.warn(
            f"All {n_epochs} epochs were run and the validation loss was still falling "
            f"within the last {estimator.patience}: increase epochs.",
            ConvergenceWarning,
            stacklevel=USER_LINE,
        )
