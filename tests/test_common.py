"""scikit-learn's own checks, all of them, and those it has but does not run by itself."""

import pytest
import sklearn
from sklearn.utils import estimator_checks as checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
)

# The checks fit noise for an epoch, and few rows, of which too few can be held out.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:.*finds nothing:UserWarning",
)

SMALL = LSTMAutoencoderTransformer(latent_dim=2, hidden_units=(4,), epochs=1, random_state=0)
OTHER = LSTMAutoencoderTransformer(
    latent_dim=2,
    hidden_units=(3, 2),
    bottleneck="hidden_cell",
    scaling="sequence",
    missing="mask",
    loss="huber",
    epochs=2,
    random_state=0,
)
DETECTORS = [
    LSTMAutoencoderDetector(SMALL),
    LSTMAutoencoderDetector(SMALL, threshold="cv", cv=2, score_from="code"),
    LSTMAutoencoderDetector(SMALL, threshold="conformal", contamination=0.3, cv=2),
    LSTMAutoencoderDetector(OTHER, threshold="conformal", score_from="both"),
]

CLASSIFIERS = [
    LSTMAutoencoderClassifier(SMALL, epochs=5),
    LSTMAutoencoderClassifier(OTHER, epochs=5, fine_tune=False),
]


@parametrize_with_checks([SMALL, OTHER, *DETECTORS, *CLASSIFIERS])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="earlier versions of scikit-learn have fewer checks",
)
def test_scikit_learn_has_47_checks():
    assert len(list(estimator_checks_generator(SMALL))) >= 47


# These fit a DataFrame and transform an array, or the other way round, on purpose.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("estimator", [SMALL, OTHER], ids=["small", "other"])
@pytest.mark.parametrize(
    "check",
    [
        checks.check_dataframe_column_names_consistency,
        checks.check_get_feature_names_out_error,
        checks.check_global_output_transform_pandas,
        checks.check_global_set_output_transform_polars,
        checks.check_inplace_ensure_writeable,
        checks.check_param_validation,
        checks.check_set_output_transform,
        checks.check_set_output_transform_pandas,
        checks.check_set_output_transform_polars,
        checks.check_transformer_get_feature_names_out,
        checks.check_transformer_get_feature_names_out_pandas,
    ],
    ids=lambda check: check.__name__,
)
def test_checks_that_scikit_learn_does_not_run_by_itself(check, estimator):
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "estimator",
    [*DETECTORS, *CLASSIFIERS],
    ids=["train", "cv", "conformal", "both", "fine-tuned", "head alone"],
)
@pytest.mark.parametrize(
    "check",
    [
        checks.check_dataframe_column_names_consistency,
        checks.check_inplace_ensure_writeable,
        checks.check_param_validation,
    ],
    ids=lambda check: check.__name__,
)
def test_more_checks_of_what_contains_a_transformer(check, estimator):
    check(type(estimator).__name__, estimator)
