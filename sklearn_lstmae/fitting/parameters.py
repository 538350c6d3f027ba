"""Parameters of an estimator: rules between them, and what they mean as plain values."""

import math
import warnings
from numbers import Integral

from sklearn_lstmae._sklearn import InvalidParameterError
from sklearn_lstmae.fitting.outcome import USER_LINE
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.scaling import EPS
from sklearn_lstmae.sequences.tasks import OBJECTIVES
from sklearn_lstmae.training.plan import TrainingPlan

COUNTS = ("latent_dim", "patch_size", "horizon", "epochs", "batch_size", "patience")

# The largest network: its float32 weights take 8 GiB, its training four times as much.
MOST_WEIGHTS = 2**31 - 1

# A frame of "auto" is about the 32nd part of the longest sequence.
AUTO_FRAMES = 32


def check_parameters(estimator):
    """Raise where parameters have no meaning, beyond what `_parameter_constraints` states."""
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
    """Raise where two parameters contradict each other, or one makes another ineffective."""
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
            "resume=True continues from a checkpoint, but checkpoint_dir is None: set "
            "checkpoint_dir to the folder of an interrupted fit, or resume=False."
        )


def check_size(architecture):
    """Raise where a network has more weights than can be trained."""
    n_weights = sum(math.prod(shape) for shape in network_of(architecture).shapes)
    if n_weights > MOST_WEIGHTS:
        raise ValueError(
            f"latent_dim={architecture.latent_dim}, hidden_units={architecture.hidden_units} and "
            f"patch_size={architecture.patch_size}, for {architecture.n_features} features, make a "
            f"network of {n_weights} weights, but at most {MOST_WEIGHTS} can be trained: choose "
            "smaller ones."
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


def configure(estimator, sequences, n_timesteps=None):
    """The settings of a fit as plain values: what every method after fit works with.

    ``n_timesteps`` is the longest sequence of the fit, by default that of ``sequences``.
    """
    n_timesteps = sequences.n_timesteps if n_timesteps is None else n_timesteps
    patch_size = resolve_patch_size(estimator.patch_size, n_timesteps, estimator.horizon)
    return {
        "architecture": {
            "n_features": sequences.n_features,
            "patch_size": patch_size,
            "latent_dim": int(estimator.latent_dim),
            "hidden_units": [int(units) for units in estimator.hidden_units],
            "bidirectional": bool(estimator.bidirectional),
            "bottleneck": str(estimator.bottleneck),
            "pooling": str(estimator.pooling),
            "reverse_target": bool(estimator.reverse_target),
            "decoder_start": str(estimator.decoder_start),
            "time_encoding": bool(estimator.time_encoding),
            "activation": str(estimator.activation),
            "tells_missing": estimator.missing == "mask",
            "decoders": list(OBJECTIVES[estimator.objective]),
            "conditional": bool(estimator.conditional),
            "variational": bool(estimator.kl_weight > 0),
        },
        "append_states": bool(estimator.append_states),
        "horizon": None if estimator.horizon is None else int(estimator.horizon),
        "layout": sequences.layout,
        "loss": str(estimator.loss),
        "missing": str(estimator.missing),
        "scaling": None if estimator.scaling is None else str(estimator.scaling),
    }


def complete(configuration):
    """A configuration, with the settings that earlier versions did not have."""
    return {"append_states": False, "resolution": float(EPS)} | configuration


def make_plan(estimator, seed, one_pass, n_sequences, summarizes=False):
    """How to train: the parameters that the fitted model does not need, as plain values."""
    share = float(estimator.prediction_weight)
    shares = (1.0 - share, share) if estimator.objective == "composite" else (1.0,)
    of_summary = (float(estimator.summary_weight),) if summarizes else ()
    return TrainingPlan(
        epochs=1 if one_pass else int(estimator.epochs),
        batch_size=resolve_batch_size(estimator.batch_size, n_sequences),
        learning_rate=float(estimator.learning_rate),
        optimizer=estimator.optimizer,
        clipnorm=None if estimator.clipnorm is None else float(estimator.clipnorm),
        dropout=float(estimator.dropout),
        noise=float(estimator.noise),
        term_weights=(*shares, float(estimator.kl_weight), *of_summary),
        patience=int(estimator.patience) if estimator.early_stopping else None,
        seed=seed,
        scheduled=not one_pass,
    )
