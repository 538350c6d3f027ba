"""Attributes that no fit makes are refused, naming the field."""

import copy
from pathlib import Path

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    load,
)
from sklearn_lstmae._file_container import ArraySpec
from sklearn_lstmae.saving.checks import ESTIMATORS

FIXTURES = Path(__file__).parents[1] / "fixtures"

# Two epochs are often no better than the mean: the warning is right.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:All 2 epochs were run:sklearn.exceptions.ConvergenceWarning",
)


def attributes_of(estimator):
    """A copy of the attributes of a fit."""
    parameters = estimator.get_params(deep=False)
    state = {name: value for name, value in vars(estimator).items() if name not in parameters}
    return copy.deepcopy(state)


def check_changed(estimator, value, *keys):
    """Check the attributes of an estimator, of which the one under the keys becomes value."""
    part = attributes = attributes_of(estimator)
    *parents, last = keys
    for key in parents:
        part = part[key]
    part[last] = value
    ESTIMATORS[type(estimator)](attributes)


def as_specs(value):
    """Attributes as they are before arrays are read."""
    if isinstance(value, np.ndarray):
        return ArraySpec(value.shape, value.dtype) if value.dtype != object else value
    if isinstance(value, dict):
        return {key: as_specs(item) for key, item in value.items()}
    return [as_specs(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["plain", "carried_on", "careful", "classifier"])
def test_attributes_of_a_fit_pass_before_and_after_arrays_are_read(name, request):
    estimator = request.getfixturevalue(name)
    attributes = attributes_of(estimator)
    ESTIMATORS[type(estimator)](attributes)
    ESTIMATORS[type(estimator)](as_specs(attributes))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_unfitted_estimator_has_nothing_to_check(estimator):
    ESTIMATORS[estimator]({"_sklearn_output_config": {"transform": "pandas"}})


def test_the_table_holds_the_classes_that_a_file_may_name():
    ours = {LSTMAutoencoderTransformer, LSTMAutoencoderDetector, LSTMAutoencoderClassifier}
    assert {*ESTIMATORS} == ours | {FrozenEstimator, Pipeline}


SETTINGS = "configuration_"
NETWORK = (SETTINGS, "architecture")
OPTIMIZER = "optimizer_state_"
RAW = {
    "n_features": 2, "patch_size": 1, "latent_dim": 2, "hidden_units": [3], "bidirectional": True,
    "bottleneck": "hidden", "pooling": "last_mean", "reverse_target": True,
    "decoder_start": "input_state", "time_encoding": True, "activation": "tanh",
    "tells_missing": False, "decoders": ["reconstruct"], "conditional": False, "variational": False,
}  # fmt: skip
ONE_NAME = np.array(["a"], object)
NAN, INF = np.nan, np.inf
ONES = np.ones(2)
UNTRUE = {
    r"'weights_' is 3, but should be: list of 15": (3, "weights_"),
    r"'weights_' is \[1, 2\], but": ([1, 2], "weights_"),
    r"'weights_\[0\]' is 1, but should be: array of float32 of shape \(2, 12\)": (1, "weights_", 0),
    r"'weights_\[2\]' holds numbers that are not finite": (
        np.full(12, NAN, np.float32), "weights_", 2
    ),
    r"'mean_' is 3, but should be: array of float64 of shape \(2,\)": (3, "mean_"),
    r"'mean_' is an array of float64 of shape \(3,\), but": (np.zeros(3), "mean_"),
    r"'mean_' holds numbers that are not from -3.4": (1e300 * ONES, "mean_"),
    r"'scale_' holds numbers that are not finite": (np.array([1, INF]), "scale_"),
    r"'scale_' holds numbers that are not from 2": (0 * ONES, "scale_"),
    r"'scale_' holds numbers that are not from 2.*e-163": (-ONES, "scale_"),
    r"'scale_' holds numbers that are not from .*e\+38": (1e-320 * ONES, "scale_"),
    r"'scale_' is neither the square root of 'var_' nor 1": (3 * ONES, "scale_"),
    r"'scale_' holds numbers that are not from 1 to 1": (None, SETTINGS, "scaling"),
    r"'n_timesteps_' is 0, but should be: int from 1": (0, "n_timesteps_"),
    r"'n_timesteps_' is 1.5, but": (1.5, "n_timesteps_"),
    r"'n_timesteps_' is 1180591.*, but": (2**70, "n_timesteps_"),
    r"'n_features_in_' is '2', but should be: int": ("2", "n_features_in_"),
    r"'n_features_in_' is True, but": (True, "n_features_in_"),
    r"'n_features_in_' is 3, but should be: one of \[2\]": (3, "n_features_in_"),
    r"'feature_names_in_' is an array of object of shape \(1,\)": (ONE_NAME, "feature_names_in_"),
    r"'feature_names_in_' is .* but should be: array of 2 strings": (
        np.array(["a", 3], object), "feature_names_in_"
    ),
    r"'n_observed_' is None": (None, "n_observed_"),
    r"'n_observed_' holds numbers that are not from 6": (np.array([5, 72]), "n_observed_"),
    r"'var_' is an array": (np.zeros(3), "var_"),
    r"'var_' holds numbers that are not from 0": (-ONES, "var_"),
    r"'history_' is 5, but should be: dict of .*'reconstruct_loss'": (5, "history_"),
    r"'history_.loss' is missing": ({}, "history_"),
    r"'history_.zz' is not known": ([1.0], "history_", "zz"),
    r"'history_.loss' is \[0.5, 0.5\], but should be: list of 1": ([0.5, 0.5], "history_", "loss"),
    r"'history_.loss\[0\]' is nan": ([NAN], "history_", "loss"),
    r"'history_.reconstruct_loss\[0\]' is -1.0": ([-1.0], "history_", "reconstruct_loss"),
    r"'history_.loss\[0\]' is 'x', but": (["x"], "history_", "loss"),
    r"'n_epochs_' is '3'": ("3", "n_epochs_"),
    r"'history_.loss' is .* should be: list of 2147483647": (2**31 - 1, "n_epochs_"),
    r"'best_epoch_' is 2, but should be: int from 1 to 1": (2, "best_epoch_"),
    r"'loss_' is nan, but should be: float from 0": (NAN, "loss_"),
    r"'loss_' is inf, but": (INF, "loss_"),
    r"'baseline_loss_' is -0.5": (-0.5, "baseline_loss_"),
    r"'best_of_' is not known: no fit makes it": (1, "best_of_"),
    r"'_note' is not known": (1, "_note"),
    r"'_sklearn_output_config.transform' is 'os'": ({"transform": "os"}, "_sklearn_output_config"),
    r"'optimizer_state_' is 3, but should be: dict": (3, OPTIMIZER),
    r"'optimizer_state_\.zz' is not known": (3, OPTIMIZER, "zz"),
    r"'optimizer_state_\.optimizer' is 'os'": ("os", OPTIMIZER, "optimizer"),
    r"'optimizer_state_\.seed' is -1": (-1, OPTIMIZER, "seed"),
    r"'optimizer_state_\.n_steps' is '3'": ("3", OPTIMIZER, "n_steps"),
    r"'optimizer_state_\.n_steps' is 1099511627776": (2**40, OPTIMIZER, "n_steps"),
    r"'optimizer_state_\.n_epochs' is 2, but .*: int from 1 to 1": (2, OPTIMIZER, "n_epochs"),
    r"'optimizer_state_\.variables' is 3, but should be: list of 4": (3, OPTIMIZER, "variables"),
    r"'optimizer_state_\.variables' is \[3\], but": ([3], OPTIMIZER, "variables"),
    r"'optimizer_state_\.variables' is .* should be: list of 2": ("sgd", OPTIMIZER, "optimizer"),
    r"'optimizer_state_\.variables\[0\]' holds numbers that are not from 0 to 3": (
        np.array(9), OPTIMIZER, "variables", 0
    ),
    r"'optimizer_state_\.head' is \[1\], but should be: list of 0": ([1], OPTIMIZER, "head"),
    r"'configuration_' is 3, but should be: dict": (3, SETTINGS),
    r"'configuration_\.zz' is not known": (3, SETTINGS, "zz"),
    r"'configuration_\.architecture' is \[\], but": ([], *NETWORK),
    r"'configuration_\.architecture\.zz' is not": (3, *NETWORK, "zz"),
    r"'configuration_\.layout' is '4d', but .* of \['2d', '3d'": ("4d", SETTINGS, "layout"),
    r"contradicts itself: 'layout' is '2d', which has one feature, but 'n_features' is 2": (
        "2d", SETTINGS, "layout"
    ),
    r"'layout' is 'list-1d', which has one feature": ("list-1d", SETTINGS, "layout"),
    r"'horizon' is set, but 'decoders' has none that predicts": (2, SETTINGS, "horizon"),
    r"'configuration_\.horizon' is 0": (0, SETTINGS, "horizon"),
    r"'tells_missing' and 'missing' disagree": ("mask", SETTINGS, "missing"),
    r"'configuration_\.append_states' is 1, but should be: one of \[False, True\]": (
        1, SETTINGS, "append_states"
    ),
    r"'configuration_\.resolution' is 0.5": (0.5, SETTINGS, "resolution"),
    r"'configuration_\.scaling' is \[\]": ([], SETTINGS, "scaling"),
    r"architecture\.latent_dim' is -1": (-1, *NETWORK, "latent_dim"),
    r"architecture\.latent_dim' is True": (True, *NETWORK, "latent_dim"),
    r"architecture\.patch_size' is 'auto'": ("auto", *NETWORK, "patch_size"),
    r"architecture\.activation' is 'os\.system'": ("os.system", *NETWORK, "activation"),
    r"architecture\.hidden_units\[0\]' is 2.5": ([2.5], *NETWORK, "hidden_units"),
    r"architecture\.hidden_units' is .* list of 0 to 4096": ([1] * 9999, *NETWORK, "hidden_units"),
    r"'hidden_units' is empty": ([], *NETWORK, "hidden_units"),
    r"'pooling' is not 'last_mean'": ({**RAW, "pooling": "all"}, *NETWORK),
    r"architecture\.decoders' is \['other'\]": (["other"], *NETWORK, "decoders"),
    r"'weights_' is .*: list of 22": (["reconstruct", "predict"], *NETWORK, "decoders"),
    r"'weights_\[6\]' is an array of float32 of shape \(12, 2\), but .*1000000000": (
        10**9, *NETWORK, "latent_dim"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("message", "change"), UNTRUE.items(), ids=UNTRUE)
def test_an_attribute_that_no_transformer_has_is_refused(message, change, carried_on):
    with pytest.raises(ValueError, match=message):
        check_changed(carried_on, *change)


def test_var_and_count_come_together(plain):
    attributes = attributes_of(plain)
    del attributes["var_"]
    with pytest.raises(ValueError, match="One of 'var_' and 'n_observed_' is missing"):
        ESTIMATORS[LSTMAutoencoderTransformer](attributes)
    del attributes["n_observed_"]
    ESTIMATORS[LSTMAutoencoderTransformer](attributes)


def test_no_value_observed_is_no_fit():
    attributes = attributes_of(load(FIXTURES / "detector-1.lstmae").autoencoder_)
    attributes["n_observed_"] = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="'n_observed_' is 0 for all features"):
        ESTIMATORS[LSTMAutoencoderTransformer](attributes)


def test_names_are_those_of_the_autoencoder(careful, plain):
    attributes = attributes_of(careful) | {"autoencoder_": plain}
    ESTIMATORS[LSTMAutoencoderDetector](attributes)
    attributes["feature_names_in_"] = np.array(["a", "b"], object)
    with pytest.raises(ValueError, match="'feature_names_in_' differs from that of 'autoenco"):
        ESTIMATORS[LSTMAutoencoderDetector](attributes)


def test_a_variational_state_is_refused(plain):
    attributes = attributes_of(plain)
    attributes[SETTINGS]["architecture"] |= {"bottleneck": "hidden", "variational": True}
    with pytest.raises(ValueError, match="'variational' is set, but 'bottleneck' is not"):
        ESTIMATORS[LSTMAutoencoderTransformer](attributes)


UNTRUE_OF_DETECTORS = {
    r"'configuration_\.zz' is not known": (3, SETTINGS, "zz"),
    r"'configuration_\.score_from' is 'codes', but": ("codes", SETTINGS, "score_from"),
    r"'configuration_\.threshold' is \[\]": ([], SETTINGS, "threshold"),
    r"'offset_' is '0', but should be: float from -": ("0", "offset_"),
    r"'offset_' is nan": (NAN, "offset_"),
    r"'offset_' is inf": (INF, "offset_"),
    r"'offset_' is -inf": (-INF, "offset_"),
    r"'offset_' is 1e\+300": (1e300, "offset_"),
    r"'n_features_in_' is 0, but": (0, "n_features_in_"),
    r"'autoencoder_' is of type int, but should": (3, "autoencoder_"),
    r"'autoencoder_' is .* should be a fitted transformer": (
        LSTMAutoencoderTransformer(), "autoencoder_"
    ),
    r"was fitted with n_features_in_=2, but should have 3": (3, "n_features_in_"),
    r"'feature_names_in_' is an array of object of shape": (ONE_NAME, "feature_names_in_"),
    r"'calibration_scores_' is 3, but": (3, "calibration_scores_"),
    r"'calibration_scores_' is an array of float64 of shape \(0,\)": (
        np.zeros(0), "calibration_scores_"
    ),
    r"'calibration_scores_' holds numbers that are not finite": (
        np.full(3, NAN), "calibration_scores_"
    ),
    r"'score_spread_' holds numbers that are not from 2.*e-308": (0 * ONES, "score_spread_"),
    r"'score_center_' is .* of shape \(2,\), but .* of shape \(1,\)": (
        "reconstruction", SETTINGS, "score_from"
    ),
    r"'code_precision_' is not the inverse of a covariance": (-np.eye(2), "code_precision_"),
    r"'code_precision_' is not the inverse of": (np.array([[1, 2.0], [0, 1]]), "code_precision_"),
    r"'code_center_' is None, but": (None, "code_center_"),
    r"'history_' is not known": ({}, "history_"),
    **{
        rf"'{name}' is an array of float64 of shape \(3, 1\), but": (np.zeros((3, 1)), name)
        for name in (
            "calibration_scores_", "code_center_", "code_precision_", "score_center_",
            "score_spread_",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "change"), UNTRUE_OF_DETECTORS.items(), ids=UNTRUE_OF_DETECTORS
)
def test_an_attribute_that_no_detector_has_is_refused(message, change, careful):
    with pytest.raises(ValueError, match=message):
        check_changed(careful, *change)


UNTRUE_OF_CLASSIFIERS = {
    r"'autoencoder_' is of type int, but should": (3, "autoencoder_"),
    r"was fitted with n_features_in_=2, but should have 3": (3, "n_features_in_"),
    r"'classes_' is no array of at least two .*: 3\. Convert other labels": (3, "classes_"),
    r"'classes_' is no array of at least two numbers.*: an array of <U1 of shape \(1,\)": (
        np.array(["a"]), "classes_"
    ),
    r"'classes_' is not sorted, .*: \['b', 'a'\]": (np.array(["b", "a"]), "classes_"),
    r"'classes_' is not sorted, or has a class twice: \[1, 1\]": (np.array([1, 1]), "classes_"),
    r"'classes_' is not sorted, .*: \[0.0, nan\]": (np.array([0, NAN]), "classes_"),
    r"'classes_' is not sorted, .* NaT|'classes_' is not sorted, .*None": (
        np.array(["2024", "NaT"], "M8[D]"), "classes_"
    ),
    r"'classes_' is .* array of 2 strings": (np.array(["a", 3], object), "classes_"),
    r"'weights_' is 3, but should be: list of 10": (3, "weights_"),
    r"'weights_' is \[\], but": ([], "weights_"),
    r"'weights_\[8\]' is an array of float64 of shape \(26, 2\), but .* \(26, 3\)": (
        np.array(["a", "b", "c"]), "classes_"
    ),
    r"'weights_\[9\]' holds numbers that are not finite": (np.full(2, INF), "weights_", 9),
    r"'history_.accuracy\[0\]' is 2.0": ([2.0, 0.5], "history_", "accuracy"),
    r"'history_.reconstruct_loss' is not known": ([1.0, 1.0], "history_", "reconstruct_loss"),
    r"'loss_' is nan": (NAN, "loss_"),
    r"'best_epoch_' is 0": (0, "best_epoch_"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "change"), UNTRUE_OF_CLASSIFIERS.items(), ids=UNTRUE_OF_CLASSIFIERS
)
def test_an_attribute_that_no_classifier_has_is_refused(message, change, classifier):
    with pytest.raises(ValueError, match=message):
        check_changed(classifier, *change)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *[
            ("plain", name)
            for name in ("weights_", SETTINGS, "mean_", "n_features_in_", "history_", "loss_")
        ],
        *[("careful", name) for name in ("offset_", SETTINGS, "code_center_")],
        *[
            ("classifier", name)
            for name in ("autoencoder_", "classes_", "weights_", "n_features_in_", "n_epochs_")
        ],
    ],
)
def test_a_missing_attribute_is_named(kind, field, request):
    estimator = request.getfixturevalue(kind)
    attributes = attributes_of(estimator)
    del attributes[field]
    with pytest.raises(ValueError, match=f"'{field}' is missing"):
        ESTIMATORS[type(estimator)](attributes)
