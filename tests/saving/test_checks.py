"""Attributes that no fit makes are refused, naming the field."""

import copy

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
)
from sklearn_lstmae._file_container import ArraySpec
from sklearn_lstmae.saving.checks import ESTIMATORS

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
ONE_NAME = np.array(["a"], object)
UNTRUE = {
    r"'weights_' is no array or list of arrays": (3, "weights_"),
    r"'weights_' is no array or list": ([1, 2], "weights_"),
    r"'mean_' is no array or list": (3, "mean_"),
    r"'mean_' has .* but 'configuration_' asks for": (np.zeros(3), "mean_"),
    r"'n_timesteps_' parameter of .* must be an int": (0, "n_timesteps_"),
    r"'n_features_in_' parameter of .* must be an int": ("2", "n_features_in_"),
    r"'feature_names_in_' has": (ONE_NAME, "feature_names_in_"),
    r"'n_observed_' is no array or list": (None, "n_observed_"),
    r"'var_' has": (np.zeros(3), "var_"),
    r"field 'optimizer_state_' should have": (3, OPTIMIZER),
    r"field 'optimizer_state_\.zz' is not known": (3, OPTIMIZER, "zz"),
    r"'optimizer' parameter of optimizer_state_ must": ("os", OPTIMIZER, "optimizer"),
    r"'variables' parameter of optimizer_state_ must": (3, OPTIMIZER, "variables"),
    r"'seed' parameter of optimizer_state_ must": (-1, OPTIMIZER, "seed"),
    r"'n_steps' parameter of optimizer_state_ must": ("3", OPTIMIZER, "n_steps"),
    r"'optimizer_state_\.variables' holds 3, not an array of": ([3], OPTIMIZER, "variables"),
    r"'optimizer_state_\.variables' holds (.|\n)* not an array of": (
        [np.zeros((2, 2))], OPTIMIZER, "variables"
    ),
    r"field 'configuration_' should have": (3, SETTINGS),
    r"field 'configuration_\.zz' is not known": (3, SETTINGS, "zz"),
    r"field 'configuration_\.architecture' should": ([], *NETWORK),
    r"field 'configuration_\.architecture\.zz' is not": (3, *NETWORK, "zz"),
    r"'layout' parameter of configuration_ must": ("4d", SETTINGS, "layout"),
    r"'scaling' parameter of configuration_ must": ([], SETTINGS, "scaling"),
    r"'latent_dim' parameter of configuration_ must": (-1, *NETWORK, "latent_dim"),
    r"'patch_size' parameter of configuration_ must": ("auto", *NETWORK, "patch_size"),
    r"'activation' parameter of configuration_ must": ("os.system", *NETWORK, "activation"),
    r"'hidden_units' should be ints": ([2.5], *NETWORK, "hidden_units"),
    r"'hidden_units' is empty": ([], *NETWORK, "hidden_units"),
    r"'decoders' is \['other'\], which no objective has": (["other"], *NETWORK, "decoders"),
    r"'weights_' has \(shape, dtype\)": (10**9, *NETWORK, "latent_dim"),
}  # fmt: skip


@pytest.mark.parametrize(("message", "change"), UNTRUE.items(), ids=UNTRUE)
def test_an_attribute_that_no_transformer_has_is_refused(message, change, carried_on):
    with pytest.raises(ValueError, match=message):
        check_changed(carried_on, *change)


def test_a_variational_state_is_refused(plain):
    attributes = attributes_of(plain)
    attributes[SETTINGS]["architecture"] |= {"bottleneck": "hidden", "variational": True}
    with pytest.raises(ValueError, match="'variational' is set, which only a 'dense' bottleneck"):
        ESTIMATORS[LSTMAutoencoderTransformer](attributes)


UNTRUE_OF_DETECTORS = {
    r"field 'configuration_\.zz' is not known": (3, SETTINGS, "zz"),
    r"'score_from' parameter of LSTMAutoencoderDetector must": ("codes", SETTINGS, "score_from"),
    r"'threshold' parameter of LSTMAutoencoderDetector must": ([], SETTINGS, "threshold"),
    r"'offset_' parameter of LSTMAutoencoderDetector must": ("0", "offset_"),
    r"'n_features_in_' parameter of .* must be an int": (0, "n_features_in_"),
    r"'autoencoder_' is of type int, and no transf": (3, "autoencoder_"),
    r"'autoencoder_' is .* no transformer that was fitted": (
        LSTMAutoencoderTransformer(), "autoencoder_"
    ),
    r"no transformer that was fitted with n_features_in_=3": (3, "n_features_in_"),
    r"'feature_names_in_' has": (ONE_NAME, "feature_names_in_"),
    r"'calibration_scores_' is no array": (3, "calibration_scores_"),
    r"'score_center_' has .* but 'configuration_' asks": (
        "reconstruction", SETTINGS, "score_from"
    ),
    **{
        rf"'{name}' has .* but 'configuration_' asks for": (np.zeros((3, 1)), name)
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
    r"'autoencoder_' is of type int, and no transf": (3, "autoencoder_"),
    r"no transformer that was fitted with n_features_in_=3": (3, "n_features_in_"),
    r"'classes_' is no array of .*, of at least two: 3\. Other labels should be": (3, "classes_"),
    r"'classes_' is no array of numbers, strings or times, of at least two: array": (
        np.array(["a"]),
        "classes_",
    ),
    r"'weights_' is no list of an encoder's and a head's: 3": (3, "weights_"),
    r"'weights_' is no list of an encoder's and a head's: \[\]": ([], "weights_"),
    r"'weights_' is no array or list": ([1, 2, 3], "weights_"),
    r"'weights_' has .* but 'configuration_' asks for": (np.array(["a", "b", "c"]), "classes_"),
}


@pytest.mark.parametrize(
    ("message", "change"), UNTRUE_OF_CLASSIFIERS.items(), ids=UNTRUE_OF_CLASSIFIERS
)
def test_an_attribute_that_no_classifier_has_is_refused(message, change, classifier):
    with pytest.raises(ValueError, match=message):
        check_changed(classifier, *change)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *[("plain", name) for name in ("weights_", SETTINGS, "mean_", "n_features_in_")],
        *[("careful", name) for name in ("offset_", SETTINGS, "code_center_")],
        *[
            ("classifier", name)
            for name in ("autoencoder_", "classes_", "weights_", "n_features_in_")
        ],
    ],
)
def test_a_missing_attribute_is_named(kind, field, request):
    estimator = request.getfixturevalue(kind)
    attributes = attributes_of(estimator)
    del attributes[field]
    with pytest.raises(ValueError, match=f"'{field}' is missing"):
        ESTIMATORS[type(estimator)](attributes)
