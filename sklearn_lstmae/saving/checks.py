"""Which attributes an estimator may have: none if it is not fitted, or ones that fit together.

A check takes attributes with arrays, or with the `ArraySpec` of each array before it is read.
"""

import math
from dataclasses import fields
from numbers import Integral, Real

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_lstmae._file_container import ArraySpec, check_keys
from sklearn_lstmae._sklearn import (
    Interval,
    StrOptions,
    positive_int,
    validate_parameter_constraints,
)
from sklearn_lstmae.classifier import LSTMAutoencoderClassifier
from sklearn_lstmae.detector import SCORES, LSTMAutoencoderDetector
from sklearn_lstmae.fitting.model import FittedModel, unfrozen
from sklearn_lstmae.fitting.parameters import complete
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.summaries import KERNELS, Summary
from sklearn_lstmae.sequences.tasks import OBJECTIVES
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

CONFIGURATION = {"append_states", "architecture", "horizon", "layout", "loss", "missing", "scaling"}
CONFIGURATION_CONSTRAINTS = LSTMAutoencoderTransformer._parameter_constraints | {
    "n_features": [positive_int],
    "patch_size": [positive_int],
    "tells_missing": ["boolean"],
    "variational": ["boolean"],
    "layout": [StrOptions({"2d", "3d", "list", "list-1d"})],
}
DETECTOR_CONSTRAINTS = LSTMAutoencoderDetector._parameter_constraints | {
    "offset_": [Interval(Real, None, None, closed="left")],  # -inf: no outliers
}
ARRAYS = (np.ndarray, ArraySpec)


def _accept(attributes):
    """Check nothing: the class has no fitted attributes of its own."""


def _check_transformer(attributes):
    """Raise unless attributes are as in an unfitted transformer, or fit together."""
    needed = {"configuration_", "weights_", "mean_", "scale_", "n_timesteps_", "n_features_in_"}
    if not _are_fitted(attributes, needed):
        return
    architecture = _check_configuration(attributes["configuration_"])
    _check_features(attributes, ["n_timesteps_", "n_features_in_"])
    _check_arrays("weights_", attributes["weights_"], network_of(architecture).shapes, np.float32)
    for name in ("mean_", "scale_"):
        _check_arrays(name, [attributes[name]], [(architecture.n_features,)], np.float64)
    if "n_observed_" in attributes or "var_" in attributes:  # neither in files of earlier versions
        shapes = [(architecture.n_features,)]
        _check_arrays("n_observed_", [attributes.get("n_observed_")], shapes, np.int64)
        _check_arrays("var_", [attributes.get("var_")], shapes, np.float64)
    if attributes.get("optimizer_state_") is not None:
        state, n_timesteps = attributes["optimizer_state_"], attributes["n_timesteps_"]
        _check_optimizer_state(state, architecture, n_timesteps)


def _check_classifier(attributes):
    """Raise unless attributes are as in an unfitted classifier, or fit together."""
    needed = {"autoencoder_", "classes_", "weights_", "n_features_in_"}
    if not _are_fitted(attributes, needed):
        return
    _check_features(attributes, ["n_features_in_"])
    model, classes, weights = (
        attributes[name] for name in ("autoencoder_", "classes_", "weights_")
    )
    width = _check_learned(model, attributes["n_features_in_"]).n_columns
    if not isinstance(classes, ARRAYS) or len(classes.shape) != 1 or classes.shape[0] < 2:
        raise ValueError(
            "'classes_' is no array of numbers, strings or times, of at least two: "
            f"{classes!r:.200}. Other labels should be made strings before fit."
        )
    if not isinstance(weights, list) or len(weights) < 2:
        raise ValueError(f"'weights_' is no list of an encoder's and a head's: {weights!r:.200}.")
    encoder = Architecture.from_dict(model.configuration_["architecture"]).encoder
    head = [(width, *classes.shape), classes.shape]
    _check_arrays("weights_", weights[:-2], network_of(encoder).shapes, np.float32)
    _check_arrays("weights_", weights[-2:], head, np.float64)


def _check_detector(attributes):
    """Raise unless attributes are as in an unfitted detector, or fit together."""
    needed = {"autoencoder_", "offset_", "configuration_", "n_features_in_"}
    arrays = {"calibration_scores_", "score_center_", "score_spread_"}
    if not _are_fitted(attributes, needed | arrays | {"code_center_", "code_precision_"}):
        return
    configuration = attributes["configuration_"]
    check_keys(configuration, {"threshold", "score_from"}, "configuration_")
    plain = configuration | {"offset_": attributes["offset_"]}
    validate_parameter_constraints(DETECTOR_CONSTRAINTS, plain, "LSTMAutoencoderDetector")
    _check_features(attributes, ["n_features_in_"])
    width = _check_learned(attributes["autoencoder_"], attributes["n_features_in_"]).n_decoded
    scores, looks_at = attributes["calibration_scores_"], SCORES[configuration["score_from"]]
    shapes = {
        "calibration_scores_": (scores.shape if isinstance(scores, ARRAYS) else ())[:1] or (1,),
        "score_center_": (len(looks_at),),
        "score_spread_": (len(looks_at),),
    }
    if "code" in looks_at:
        shapes |= {"code_center_": (width,), "code_precision_": (width, width)}
    for name, shape in shapes.items():
        _check_arrays(name, [attributes[name]], [shape], np.float64)


def _check_learned(autoencoder, n_features_in):
    """Model of a transformer, frozen or not; raise unless it was fitted alike."""
    autoencoder = unfrozen(autoencoder)
    is_ours = isinstance(autoencoder, LSTMAutoencoderTransformer)
    if not is_ours or vars(autoencoder).get("n_features_in_") != n_features_in:
        raise ValueError(
            f"'autoencoder_' is of type {type(autoencoder).__name__}, and no transformer that was "
            f"fitted with n_features_in_={n_features_in}."
        )
    return FittedModel.of(vars(autoencoder))


def _are_fitted(attributes, needed):
    """Whether attributes are those of a fitted estimator; raise if a needed one is missing."""
    if not any(name.endswith("_") for name in attributes):
        return False
    for name in sorted(needed - attributes.keys()):
        raise ValueError(f"{name!r} is missing.")
    return True


def _check_features(attributes, counts):
    """Raise unless these attributes are counts, and each feature has a name if any has."""
    numbers = {name: attributes[name] for name in counts}
    validate_parameter_constraints(
        {key: [positive_int] for key in counts}, numbers, "a fitted estimator"
    )
    if "feature_names_in_" in attributes:
        names, shape = attributes["feature_names_in_"], (attributes["n_features_in_"],)
        _check_arrays("feature_names_in_", [names], [shape], object)


def _check_configuration(configuration):
    """Architecture of a configuration; raise unless that is complete and possible."""
    check_keys(configuration, CONFIGURATION, "configuration_", absent=frozenset({"append_states"}))
    configuration = complete(configuration)
    description = configuration["architecture"]
    check_keys(
        description, {field.name for field in fields(Architecture)}, "configuration_.architecture"
    )
    validate_parameter_constraints(
        CONFIGURATION_CONSTRAINTS, description | configuration, "configuration_"
    )
    units, decoders = description["hidden_units"], description["decoders"]
    if not all(type(width) is int and width >= 1 for width in units):
        raise ValueError(f"'hidden_units' should be ints of at least 1. Got {units!r:.200}.")
    if description["bottleneck"] == "dense" and not units:
        raise ValueError("'hidden_units' is empty, which a 'dense' bottleneck cannot have.")
    if description["bottleneck"] != "dense" and description["variational"]:
        raise ValueError("'variational' is set, which only a 'dense' bottleneck can be.")
    if decoders not in map(list, OBJECTIVES.values()):
        raise ValueError(f"'decoders' is {decoders!r:.200}, which no objective has.")
    return Architecture.from_dict(description)


def _check_optimizer_state(state, architecture, n_timesteps):
    """Raise unless a training of such a network could go on from it."""
    count = [Interval(Integral, 0, None, closed="left")]
    constraints = {
        "optimizer": LSTMAutoencoderTransformer._parameter_constraints["optimizer"],
        "variables": [list],
        "seed": count,
        "n_epochs": count,
        "n_steps": count,
        "head": [list],
        "summary": [dict, None],
    }
    check_keys(state, constraints.keys(), "optimizer_state_", absent=frozenset({"head", "summary"}))
    state = {"head": [], "summary": None, **state}
    validate_parameter_constraints(constraints, state, "optimizer_state_")
    n_components = _check_summary(state["summary"], architecture, n_timesteps)
    head = [(architecture.code_width, n_components), (n_components,)] if n_components else []
    _check_arrays("optimizer_state_.head", state["head"], head, np.float32)
    shapes = [*network_of(architecture).shapes, *head]
    possible = [(), (sum(map(math.prod, shapes)),)]  # a number, or one for each weight
    for array in state["variables"]:
        if not isinstance(array, ARRAYS) or array.shape not in possible:
            raise ValueError(
                f"'optimizer_state_.variables' holds {array!r:.200}, not an array of one of the "
                f"shapes {possible}."
            )


def _check_summary(summary, architecture, n_timesteps):
    """Raise unless sequences of such a network have this summary; else its components, 0 for None.

    The numbers of its dilations, quantiles, shares and components are its own.
    """
    if summary is None:
        return 0
    name = "optimizer_state_.summary"
    check_keys(summary, {field.name for field in fields(Summary)}, name)
    ranks = {"dilations": 1, "thresholds": 4, "columns": 1, "mean": 1, "components": 2}
    for key, rank in ranks.items():
        if not isinstance(summary[key], ARRAYS) or len(summary[key].shape) != rank:
            raise ValueError(
                f"{name + '.' + key!r} is {summary[key]!r:.200}, not an array of {rank} dimensions."
            )
    n_columns, n_components = summary["components"].shape
    n_dilations, _, n_quantiles, _ = summary["thresholds"].shape
    shapes = {
        "dilations": (n_dilations,),
        "thresholds": (n_dilations, len(KERNELS), n_quantiles, architecture.n_features),
        "columns": (n_columns,),
        "mean": (n_columns,),
        "components": (n_columns, n_components),
    }
    for key, shape in shapes.items():
        dtype = np.int64 if key in ("dilations", "columns") else np.float32
        _check_arrays(f"{name}.{key}", [summary[key]], [shape], dtype)
    n_shares = math.prod(summary["thresholds"].shape)
    ranges = {"columns": (0, n_shares - 1), "dilations": (1, max(1, n_timesteps))}
    for key, (least, most) in ranges.items():
        array = summary[key]
        if isinstance(array, np.ndarray) and not ((least <= array) & (array <= most)).all():
            raise ValueError(f"'{name}.{key}' holds numbers below {least} or above {most}.")
    return n_components


def _check_arrays(name, arrays, shapes, dtype):
    """Raise unless arrays have these shapes and one dtype."""
    if not isinstance(arrays, list) or not all(isinstance(array, ARRAYS) for array in arrays):
        raise ValueError(f"{name!r} is no array or list of arrays: {arrays!r:.200}.")
    got = [(array.shape, array.dtype) for array in arrays]
    expected = [(shape, np.dtype(dtype)) for shape in shapes]
    if got != expected:
        raise ValueError(
            f"{name!r} has (shape, dtype) {got!r:.500}, but 'configuration_' asks for "
            f"{expected!r:.500}."
        )


# Class that a file may name -> check that raises ValueError if attributes are impossible.
ESTIMATORS = {
    LSTMAutoencoderDetector: _check_detector,
    LSTMAutoencoderTransformer: _check_transformer,
    LSTMAutoencoderClassifier: _check_classifier,
    FrozenEstimator: _accept,
    Pipeline: _accept,
}
