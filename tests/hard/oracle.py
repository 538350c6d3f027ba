"""What no fit makes, told of a loaded model without the checks of the package.

`complaints` reads the public attributes alone, as someone who knows what `fit` promises.
"""

import math
import warnings
from io import BytesIO
from numbers import Integral, Real

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    load,
    save,
)

OF_ANY_FIT = {"n_features_in_", "feature_names_in_", "_sklearn_output_config"}
OF_A_TRAINING = {"history_", "n_epochs_", "best_epoch_", "loss_", "baseline_loss_", "weights_"}
KNOWN = {
    LSTMAutoencoderTransformer: OF_ANY_FIT
    | OF_A_TRAINING
    | {
        "configuration_", "mean_", "scale_", "var_", "n_observed_", "n_timesteps_",
        "optimizer_state_",
    },
    LSTMAutoencoderClassifier: OF_ANY_FIT | OF_A_TRAINING | {"autoencoder_", "classes_"},
    LSTMAutoencoderDetector: OF_ANY_FIT
    | {
        "autoencoder_", "offset_", "configuration_", "calibration_scores_", "score_center_",
        "score_spread_", "code_center_", "code_precision_",
    },
    FrozenEstimator: {"_sklearn_output_config"},
    Pipeline: {"_sklearn_output_config"},
}  # fmt: skip


METHODS = ("transform", "reconstruct", "errors", "decision_function", "predict_proba")


def complaints(model):
    """Reasons, as short strings, why this cannot be what a fit left; parameters may be anything."""
    if type(model) not in KNOWN:  # what skops stores: not ours
        return []
    parameters = model.get_params(deep=False)
    attributes = {name: value for name, value in vars(model).items() if name not in parameters}
    found = ["an attribute that no fit makes"] if attributes.keys() - KNOWN[type(model)] else []
    if isinstance(model, FrozenEstimator):
        return found + complaints(model.estimator)
    if isinstance(model, Pipeline):
        return found + _of_steps(model.steps)
    if not any(name.endswith("_") for name in attributes):
        return found
    tell = {
        LSTMAutoencoderTransformer: _of_transformer,
        LSTMAutoencoderClassifier: _of_classifier,
        LSTMAutoencoderDetector: _of_detector,
    }
    try:
        found += _of_names(attributes)
        found += tell[type(model)](attributes)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found.append(f"attributes that make {type(error).__name__}")
    return found or _of_use(model)


def _of_steps(steps):
    if not isinstance(steps, (list, tuple)):
        return []
    parts = [step[1] for step in steps if isinstance(step, (list, tuple)) and len(step) == 2]
    return [reason for part in parts for reason in complaints(part)]


def _only(conditions):
    return [reason for reason, holds in conditions.items() if not holds]


def _is_count(value, least=1):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least


def _is_finite(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _all_finite(*arrays):
    return all(np.isfinite(array).all() for array in arrays)


def _of_names(attributes):
    if "feature_names_in_" not in attributes:
        return []
    names = attributes["feature_names_in_"]
    return _only(
        {
            "names of features that are no strings": isinstance(names, np.ndarray)
            and names.dtype == object
            and all(type(name) is str for name in names),
            "as many names as no features": len(names) == attributes["n_features_in_"],
        }
    )


def _of_training(attributes):
    """What a training of any kind leaves."""
    history, n_epochs = attributes.get("history_"), attributes.get("n_epochs_")
    is_history = (
        isinstance(history, dict)
        and "loss" in history
        and all(
            isinstance(losses, list) and all(isinstance(loss, Real) for loss in losses)
            for losses in history.values()
        )
    )
    return _only(
        {
            "weights that are not finite": _all_finite(*attributes["weights_"]),
            "another type of history_": is_history,
            "another type of n_epochs_": _is_count(n_epochs),
            "best_epoch_ out of n_epochs_": _is_count(attributes.get("best_epoch_"))
            and _is_count(n_epochs)
            and attributes["best_epoch_"] <= n_epochs,
            "history_ of another number of epochs": not is_history
            or not _is_count(n_epochs)
            or all(len(losses) == n_epochs for losses in history.values()),
            "loss_ or baseline_loss_ that is no finite number": all(
                _is_finite(attributes.get(name)) for name in ("loss_", "baseline_loss_")
            ),
        }
    )


def _of_transformer(attributes):
    configuration = attributes["configuration_"]
    architecture, layout = configuration["architecture"], configuration["layout"]
    n_features, n_timesteps = architecture["n_features"], attributes["n_timesteps_"]
    decoders, horizon = architecture["decoders"], configuration["horizon"]
    scaling, scale, mean = (
        configuration["scaling"], attributes["scale_"], attributes["mean_"],
    )  # fmt: skip
    expected = n_timesteps if layout == "2d" else n_features
    found = _of_training(attributes) + _only(
        {
            "n_timesteps_ that is no count": _is_count(n_timesteps),
            "n_features_in_ that no such layout has": attributes["n_features_in_"] == expected,
            "layout of one feature with more": n_features == 1 or layout not in ("2d", "list-1d"),
            "horizon without a predicting decoder": horizon is None or "predict" in decoders,
            "horizon that is longer than sequences": horizon is None or horizon < n_timesteps,
            "mask that is not read, or none that is": architecture["tells_missing"]
            == (configuration["missing"] == "mask"),
            "means that are not finite": _all_finite(mean),
            "deviations that are not finite": _all_finite(scale),
            "deviations that are not positive": bool((scale > 0).all()),
            "deviations that no float32 has": bool((scale >= np.finfo(np.float64).tiny).all()),
            "deviations without scaling": scaling is not None or bool((scale == 1).all()),
        }
    )
    if "var_" in attributes or "n_observed_" in attributes:
        variance, count = attributes["var_"], attributes["n_observed_"]
        found += _only(
            {
                "variances that are not finite": _all_finite(variance),
                "variances below 0": bool((variance >= 0).all()),
                "counts of no observed value": bool((count >= 0).all() and count.sum() > 0),
                "deviations that are not those of var_": scaling != "feature"
                or all(_agree(*pair) for pair in zip(scale, variance, strict=True)),
            }
        )
    if attributes.get("optimizer_state_") is not None:
        found += _of_optimizer(attributes["optimizer_state_"])
    return found


def _agree(scale, variance):
    """Whether a deviation is that of a variance, or that of what is constant up to rounding."""
    return scale == 1 or math.isclose(scale, math.sqrt(variance), rel_tol=1e-9)


def _of_optimizer(state):
    summary = state.get("summary") or {}
    arrays = [*state["variables"], *state.get("head", []), *summary.values()]
    return _only(
        {
            "numbers of the optimizer that are not finite": _all_finite(*arrays),
            "counts of the optimizer that are none": all(
                _is_count(state[name], 0) for name in ("n_epochs", "n_steps", "seed")
            ),
            "fewer steps than epochs": state["n_steps"] >= state["n_epochs"],
        }
    )


def _of_autoencoder(attributes):
    autoencoder = attributes["autoencoder_"]
    while isinstance(autoencoder, FrozenEstimator):
        autoencoder = autoencoder.estimator
    found = complaints(autoencoder)
    if getattr(autoencoder, "n_features_in_", None) != attributes["n_features_in_"]:
        found.append("another n_features_in_ than the autoencoder's")
    is_frozen = isinstance(attributes["autoencoder_"], FrozenEstimator)
    if not is_frozen:  # else the columns of its fit may have had other names, or none
        names = attributes.get("feature_names_in_"), vars(autoencoder).get("feature_names_in_")
        if not np.array_equal(*map(np.asarray, names)):
            found.append("other feature_names_in_ than the autoencoder's")
    return found


def _of_classifier(attributes):
    classes = attributes["classes_"]
    return (
        _of_training(attributes)
        + _of_autoencoder(attributes)
        + _only({"classes that are not sorted": np.array_equal(np.unique(classes), classes)})
    )


def _of_detector(attributes):
    scores, spread = attributes["calibration_scores_"], attributes["score_spread_"]
    center, offset = attributes["score_center_"], attributes["offset_"]
    configuration = attributes["configuration_"]
    has_codes = configuration["score_from"] != "reconstruction"
    codes = [attributes[name] for name in ("code_center_", "code_precision_")]
    found = _of_autoencoder(attributes) + _only(
        {
            "calibration scores that are not finite": _all_finite(scores) and scores.size > 0,
            "score_center_ or score_spread_ that is not finite": _all_finite(center, spread),
            "score_spread_ that is not positive": bool((spread > 0).all()),
            "offset_ that is NaN or inf": offset == offset and offset != math.inf,
            "offset_ of -inf without conformal": offset != -math.inf
            or configuration["threshold"] == "conformal",
            "offset_ that lies outside of the scores": offset == -math.inf
            or scores.min() - 1e-9 * abs(scores.min()) <= offset <= scores.max() + 1e-9,
            "codes where no score is from codes": has_codes or all(each is None for each in codes),
            "center and spread of a single score": configuration["score_from"] == "both"
            or (bool((center == 0).all()) and bool((spread == 1).all())),
        }
    )
    if has_codes:
        found += _only(
            {
                "center or precision of codes that is not finite": _all_finite(*codes),
                "precision of codes that is not symmetric": np.allclose(codes[1], codes[1].T),
                "precision of codes that is not positive": bool((np.diag(codes[1]) > 0).all()),
            }
        )
    return found


# In use ----------------------------------------------------------------------------------


def _of_use(model):
    """Methods of a model without complaints work, and it can be saved again."""
    try:
        X = _sequences(model)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that the sequences lack
            for name in (
                "transform",
                "reconstruct",
                "errors",
                "decision_function",
                "predict_proba",
            ):
                if hasattr(model, name):
                    getattr(model, name)(X)
        repr(model)
        file = BytesIO()
        save(model, file)
        file.seek(0)
        load(file)
    except Exception as error:  # of any type: that is what is looked for
        return [f"a method that raises {type(error).__name__}: {str(error)[:60]}"]
    return []


def _sequences(model):
    """Two sequences in the layout of the fit."""
    autoencoder = model
    while not isinstance(autoencoder, LSTMAutoencoderTransformer):
        name = "estimator" if isinstance(autoencoder, FrozenEstimator) else "autoencoder_"
        autoencoder = getattr(autoencoder, name)
    configuration = autoencoder.configuration_
    width, layout = configuration["architecture"]["n_features"], configuration["layout"]
    n_steps = min(autoencoder.n_timesteps_, 99)
    X = np.random.default_rng(0).normal(size=(2, n_steps, width))
    return X[:, :, 0] if layout == "2d" else list(X[:, :, 0]) if layout == "list-1d" else X
