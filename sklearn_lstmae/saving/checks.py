"""Which attributes an estimator may have: none if it is not fitted, or those that a fit makes.

For each class there is one table of them: type, shape, range, and what agrees with what. A check
takes attributes with arrays, or with the `ArraySpec` of each array before it is read.
"""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_lstmae._file_container import shown
from sklearn_lstmae._sklearn import is_fitted
from sklearn_lstmae.classifier import LSTMAutoencoderClassifier
from sklearn_lstmae.detector import OFFSETS, SCORES, LSTMAutoencoderDetector
from sklearn_lstmae.fitting.fields import (
    ARRAYS,
    LARGEST,
    Array,
    Each,
    Number,
    OneOf,
    OrNone,
    Record,
    Rule,
    Some,
    Words,
    arrays_of,
)
from sklearn_lstmae.fitting.model import FittedModel, unfrozen
from sklearn_lstmae.fitting.parameters import complete
from sklearn_lstmae.fitting.trained import (
    COUNT,
    MEMORIES,
    SEED,
    check_summary,
    head_shapes,
    history,
    losses_of,
    optimizer_variables,
)
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.wiring import POOLINGS, network_of
from sklearn_lstmae.sequences.scaling import CONSTANT_SHARE, FLOAT32_MAX
from sklearn_lstmae.sequences.tasks import OBJECTIVES
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

BOOLEAN = OneOf([False, True])
# The largest value of a sequence, and the smallest deviation that float64 can square.
MOST_VALUE = float(FLOAT32_MAX)
LEAST_SCALE = CONSTANT_SHARE * math.sqrt(np.finfo(np.float64).smallest_subnormal) * 0.99
LEAST_SPREAD = float(np.finfo(np.float64).tiny)
# How far rounding brings a loss below zero.
ROUNDING = 1e-9
# Values that take more memory than there is could not have been counted.
MANY = Number(int, 1, 2**53)


@dataclass(frozen=True)
class Fitted(Rule):
    """A fitted transformer, frozen or not, whose attributes were checked."""

    def _check(self, value, where):
        autoencoder = unfrozen(value)
        if type(autoencoder) is not LSTMAutoencoderTransformer or not is_fitted(autoencoder):
            raise ValueError(
                f"{where!r} is of type {type(value).__name__}, but should be a fitted transformer."
            )


@dataclass(frozen=True)
class Classes(Rule):
    """Classes of sequences, sorted, each once."""

    def _check(self, value, where):
        if not isinstance(value, ARRAYS) or len(value.shape) != 1 or value.shape[0] < 2:
            raise ValueError(
                f"{where!r} is no array of at least two numbers, strings or times: "
                f"{shown(value)}. Convert other labels to strings before fit."
            )
        if not isinstance(value, np.ndarray):
            return
        if value.dtype == object:
            Words(len(value)).check(value, where)
        if not (value[:-1] < value[1:]).all() or (
            value.dtype.kind == "f" and np.isinf(value).any()
        ):
            raise ValueError(
                f"{where!r} is not sorted, or has a class twice: {shown(value.tolist())}."
            )


class Offset(Number):
    """A threshold that comes from scores."""

    @property
    def _range(self):
        return f"{super()._range}, the lowest and highest of 'calibration_scores_'"


@dataclass(frozen=True)
class Scores(Rule):
    """Scores of at least one sequence."""

    def _check(self, value, where):
        shape = value.shape if isinstance(value, ARRAYS) and value.shape != (0,) else (1,)
        Array(shape[:1], np.float64).check(value, where)


# What `set_output` leaves, in estimators without a fit, too.
SETTINGS = {
    "_sklearn_output_config": Record(
        {"transform": OneOf(["default", "pandas", "polars"])}, absent=["transform"]
    ),
}
# What earlier versions did not have, and what there only is with some sequences.
ABSENT = ["optimizer_state_", "var_", "n_observed_", "feature_names_in_", *SETTINGS]


def _choice(parameter):
    """Rule for one of the words that a parameter may be."""
    [options] = [
        each.options
        for each in LSTMAutoencoderTransformer._parameter_constraints[parameter]
        if hasattr(each, "options")
    ]
    return OneOf(sorted(options))


ARCHITECTURE = Record(
    {
        "n_features": MANY,
        "patch_size": MANY,
        "latent_dim": MANY,
        "hidden_units": Some(MANY, 0, 2**12),
        "bidirectional": BOOLEAN,
        "bottleneck": _choice("bottleneck"),
        "pooling": OneOf(list(POOLINGS)),
        "reverse_target": BOOLEAN,
        "decoder_start": _choice("decoder_start"),
        "time_encoding": BOOLEAN,
        "activation": _choice("activation"),
        "tells_missing": BOOLEAN,
        "decoders": OneOf([list(tasks) for tasks in OBJECTIVES.values()]),
        "conditional": BOOLEAN,
        "variational": BOOLEAN,
    }
)
CONFIGURATION = Record(
    {
        "append_states": BOOLEAN,
        "architecture": ARCHITECTURE,
        "horizon": OrNone(MANY),
        "layout": OneOf(["2d", "3d", "list", "list-1d"]),
        "loss": _choice("loss"),
        "missing": _choice("missing"),
        "resolution": OneOf([float(np.finfo(dtype).eps) for dtype in ("f2", "f4", "f8")]),
        "scaling": OrNone(_choice("scaling")),
    },
    absent=["append_states", "resolution"],
)


DETECTOR_CONFIGURATION = Record(
    {"threshold": OneOf(list(OFFSETS)), "score_from": OneOf(list(SCORES))}
)

# Tables ----------------------------------------------------------------------------------


def _check_transformer(attributes):
    """Raise unless attributes are as in an unfitted transformer, or as a fit makes them."""
    first = {
        "configuration_": CONFIGURATION,
        "n_features_in_": MANY,
        "n_timesteps_": COUNT,
        "n_epochs_": COUNT,
    }
    is_fit = _check(attributes, first, _table_of_transformer)
    if is_fit and ("var_" in attributes or "n_observed_" in attributes):
        _check_moments(attributes)


def _check_classifier(attributes):
    """Raise unless attributes are as in an unfitted classifier, or as a fit makes them."""
    first = {
        "n_features_in_": MANY,
        "autoencoder_": Fitted(),
        "classes_": Classes(),
        "n_epochs_": COUNT,
    }
    _check(attributes, first, _table_of_classifier)


def _check_detector(attributes):
    """Raise unless attributes are as in an unfitted detector, or as a fit makes them."""
    first = {
        "n_features_in_": MANY,
        "autoencoder_": Fitted(),
        "configuration_": DETECTOR_CONFIGURATION,
        "calibration_scores_": Scores(),
    }
    if _check(attributes, first, _table_of_detector):
        _check_precision(attributes["code_precision_"])


def _check_others(attributes):
    """Raise unless attributes are as in a class that has none of a fit."""
    Record(SETTINGS, absent=SETTINGS).check(attributes, "")


def _check(attributes, first, table_of):
    """Raise unless attributes are those of a table, or there are none; whether there are.

    Parameters
    ----------
    attributes : dict
    first : dict
        Rules for the attributes that other rules of the table depend on.
    table_of : callable (attributes) -> dict
        The other rules.
    """
    if not any(name.endswith("_") for name in attributes):
        Record(SETTINGS, absent=SETTINGS).check(attributes, "")
        return False
    first = {**first, "feature_names_in_": Words(attributes.get("n_features_in_"))}
    Record(first, ABSENT).check({n: attributes[n] for n in first if n in attributes}, "")
    Record({**SETTINGS, **first, **table_of(attributes)}, ABSENT).check(attributes, "")
    return True


def _table_of_transformer(attributes):
    configuration = complete(attributes["configuration_"])
    architecture = _check_configuration(configuration)
    layout, missing = configuration["layout"], configuration["missing"]
    n_timesteps, n_epochs = attributes["n_timesteps_"], attributes["n_epochs_"]
    each_feature = (architecture.n_features,)
    least_steps = 1
    if "predict" in architecture.decoders:
        least_steps += configuration["horizon"] or 1
    if layout == "2d" and missing == "error":  # lists may have been longer, in partial_fit
        least_steps = attributes["n_features_in_"]
    scales = (1, 1) if configuration["scaling"] is None else (LEAST_SCALE, MOST_VALUE)
    losses, may_be_nan = losses_of(architecture), _predicts_nothing(attributes)
    state = attributes.get("optimizer_state_")
    if state is not None:
        state = _optimizer_state(state, architecture, n_timesteps, n_epochs)
    return {
        "n_features_in_": MANY if layout == "2d" else OneOf(each_feature),
        "n_timesteps_": Number(int, least_steps, COUNT.most),
        "weights_": arrays_of(network_of(architecture).shapes, np.float32),
        "mean_": Array(each_feature, np.float64, -MOST_VALUE, MOST_VALUE),
        "scale_": Array(each_feature, np.float64, *scales),
        "var_": Array(each_feature, np.float64, 0, MOST_VALUE**2),
        "n_observed_": Array(
            each_feature, np.int64, 0 if missing == "mask" else n_timesteps, MANY.most
        ),
        "optimizer_state_": OrNone(state),
        "history_": history(n_epochs, losses, ["summary_loss", "val_loss"], may_be_nan=True),
        "best_epoch_": Number(int, 1, n_epochs),
        "loss_": Number(float, 0, LARGEST, may_be_nan),
        "baseline_loss_": Number(float, 0, LARGEST, may_be_nan),
    }


def _table_of_classifier(attributes):
    model, n_epochs = _learned(attributes), attributes["n_epochs_"]
    shape, encoder = attributes["classes_"].shape, model.architecture.encoder
    return {
        "weights_": Each(
            [Array(each, np.float32) for each in network_of(encoder).shapes]
            + [Array(each, np.float64) for each in ((model.n_columns, *shape), shape)]
        ),
        "history_": history(n_epochs, ["loss", "accuracy"], ["val_loss", "val_accuracy"]),
        "best_epoch_": Number(int, 1, n_epochs),
        "loss_": Number(float, -ROUNDING),
        "baseline_loss_": Number(float, -ROUNDING),
    }


def _table_of_detector(attributes):
    model, configuration = _learned(attributes), attributes["configuration_"]
    looks_at, scores = SCORES[configuration["score_from"]], attributes["calibration_scores_"]
    each_score, each_column = (len(looks_at),), (model.n_columns,)
    if getattr(attributes.get("code_center_"), "shape", None) == (model.n_decoded,):
        each_column = (model.n_decoded,)  # of an earlier version, which left states out
    offset = Number(float)  # before they are read, no score bounds the threshold
    if isinstance(scores, np.ndarray):
        offset = Offset(float, scores.min(), scores.max())
    finds_nothing = configuration["threshold"] == "conformal" and _is_lowest(attributes)
    has_codes, is_joint = "code" in looks_at, len(looks_at) > 1
    nothing = OneOf([None])
    return {
        "offset_": OneOf([-math.inf]) if finds_nothing else offset,
        "score_center_": Array(each_score, np.float64, *(() if is_joint else (0, 0))),
        "score_spread_": Array(each_score, np.float64, *((LEAST_SPREAD,) if is_joint else (1, 1))),
        "code_center_": Array(each_column, np.float64) if has_codes else nothing,
        "code_precision_": Array(each_column * 2, np.float64) if has_codes else nothing,
    }


# What agrees with what -------------------------------------------------------------------


def _check_configuration(configuration):
    """Architecture of a configuration whose fields are possible; raise if they disagree."""
    description = configuration["architecture"]
    architecture = Architecture.from_dict(description)
    is_dense, layout = architecture.bottleneck == "dense", configuration["layout"]
    disagreements = {
        "'hidden_units' is empty, which a 'dense' bottleneck cannot have": is_dense
        and not architecture.hidden_units,
        "'variational' is set, but 'bottleneck' is not 'dense'": architecture.variational
        and not is_dense,
        "'pooling' is not 'last_mean', and 'bottleneck' is not 'dense'": (
            not is_dense and architecture.pooling != "last_mean"
        ),
        "'horizon' is set, but 'decoders' has none that predicts": configuration["horizon"]
        is not None
        and "predict" not in architecture.decoders,
        "'tells_missing' and 'missing' disagree": architecture.tells_missing
        != (configuration["missing"] == "mask"),
        f"'layout' is {layout!r}, which has one feature, but 'n_features' is "
        f"{architecture.n_features}": layout in ("2d", "list-1d") and architecture.n_features != 1,
    }
    for disagreement in (text for text, is_one in disagreements.items() if is_one):
        raise ValueError(f"'configuration_' contradicts itself: {disagreement}.")
    return architecture


def _check_moments(attributes):
    """Raise unless a scale is that of the variance, or of what is constant up to rounding."""
    variance, count, scale = (attributes.get(n) for n in ("var_", "n_observed_", "scale_"))
    if variance is None or count is None:
        raise ValueError("One of 'var_' and 'n_observed_' is missing.")
    if not isinstance(scale, np.ndarray):
        return
    if not count.any():
        raise ValueError("'n_observed_' is 0 for all features.")
    is_scale = np.isclose(scale, np.sqrt(variance), rtol=1e-9, atol=0) | (scale == 1)
    if attributes["configuration_"]["scaling"] == "feature" and not is_scale.all():
        raise ValueError("'scale_' is neither the square root of 'var_' nor 1.")


def _check_precision(precision):
    """Raise unless it is an inverse covariance, or None."""
    if not isinstance(precision, np.ndarray):
        return
    if not np.allclose(precision, precision.T) or not (np.diagonal(precision) > 0).all():
        raise ValueError("'code_precision_' is not the inverse of a covariance matrix.")


def _learned(attributes):
    """Model of the autoencoder of a detector or classifier; raise unless it reads the same X."""
    autoencoder, n_features_in = attributes["autoencoder_"], attributes.get("n_features_in_")
    learned = vars(unfrozen(autoencoder))
    if learned["n_features_in_"] != n_features_in:
        raise ValueError(
            f"'autoencoder_' was fitted with n_features_in_={learned['n_features_in_']}, but "
            f"should have {shown(n_features_in)}."
        )
    names = [each.get("feature_names_in_", ()) for each in (attributes, learned)]
    if not isinstance(autoencoder, FrozenEstimator) and list(names[0]) != list(names[1]):
        raise ValueError("'feature_names_in_' differs from that of 'autoencoder_'.")
    return FittedModel.of(learned)


def _is_lowest(attributes):
    """Whether a detector finds nothing."""
    offset = attributes.get("offset_")
    return isinstance(offset, float) and offset == -math.inf


def _predicts_nothing(attributes):
    """Whether, by its history, a fit had no observed value that a decoder should predict."""
    history = attributes.get("history_")
    losses = history.get("predict_loss") if isinstance(history, dict) else None
    is_zero = isinstance(losses, list) and losses[-1:] == [0.0]
    return is_zero and attributes["configuration_"]["missing"] == "mask"


def _optimizer_state(state, architecture, n_timesteps, n_epochs):
    """Rule for the state from which the training of such a network could go on."""
    first = {
        "optimizer": OneOf(list(MEMORIES)),
        "seed": SEED,
        "n_epochs": Number(int, 1, n_epochs),
        "n_steps": COUNT,
    }
    name = "optimizer_state_"
    if not isinstance(state, dict):
        return Record(first)  # which refuses it
    Record(first).check({key: state[key] for key in first if key in state}, name)
    summary = state.get("summary")
    n_components = check_summary(summary, architecture, f"{name}.summary")
    head = head_shapes(architecture, n_components)
    rules = {
        **first,
        "n_steps": Number(int, state["n_epochs"], COUNT.most),
        "variables": optimizer_variables(
            state["optimizer"], architecture, n_components, state["n_steps"]
        ),
        "head": arrays_of(head, np.float32),
        "summary": Rule(),  # it was checked
    }
    return Record(rules, absent=["head", "summary"])


# Class that a file may name -> check that raises ValueError if attributes are impossible.
ESTIMATORS = {
    LSTMAutoencoderDetector: _check_detector,
    LSTMAutoencoderTransformer: _check_transformer,
    LSTMAutoencoderClassifier: _check_classifier,
    FrozenEstimator: _check_others,
    Pipeline: _check_others,
}
