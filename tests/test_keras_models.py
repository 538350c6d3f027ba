"""Models on the encoder, alone and within scikeras, which leaves our estimators as they were."""

import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scikeras.wrappers import KerasClassifier, KerasRegressor
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.keras_models import EstimatorTags, classifier_fn, regressor_fn

pytestmark = [
    # Keras saves by np.array(variable), and its variables do not know NumPy 2's copy argument.
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]

RNG = np.random.default_rng(0)
LABELS = np.array(["a", "b", "c"] * 5 + ["a"] * 9)
CUBE = (RNG.normal(size=(24, 6, 2)) * [2, 0.1] + 50).astype(np.float32)
UNSAID = (np.arange(24) == 3)[:, np.newaxis, np.newaxis] & np.array([False, True])


class Classifier(EstimatorTags, KerasClassifier):
    pass


class Regressor(EstimatorTags, KerasRegressor):
    pass


def make(**parameters):
    small = {"latent_dim": 2, "hidden_units": (3,), "epochs": 1, "random_state": 0}
    return LSTMAutoencoderTransformer(**small | parameters)


@pytest.fixture(scope="module")
def transformer():
    return make().fit(CUBE)


def classifier(transformer, **settings):
    return Classifier(
        classifier_fn(transformer, 3),
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        **{"batch_size": 12, "random_state": 0, "verbose": 0} | settings,
    )


def code_of(model, x):
    """What the layers after the encoder read."""
    return np.asarray(keras.Model(model.input, model.layers[-1].input)(x))


@pytest.mark.parametrize(
    ("parameters", "X"),
    [
        ({}, CUBE),
        ({}, CUBE[:, :, 0]),
        ({"scaling": None}, CUBE / 50),
        ({"scaling": "sequence"}, CUBE),
        ({"scaling": "sequence"}, CUBE * [1, 0] + 0.1),
        ({"scaling": "sequence"}, CUBE * (np.arange(24) > 3)[:, np.newaxis, np.newaxis] + 0.1),
        ({}, CUBE * [1, 0] + 14.62),
        ({"scaling": "sequence", "missing": "mask"}, np.where(CUBE > 52, np.nan, CUBE)),
        ({"scaling": "sequence", "missing": "mask"}, np.where(UNSAID, np.nan, CUBE)),
    ],
    ids=[
        "features scaled",
        "a table",
        "not scaled",
        "sequences scaled",
        "constant",
        "some constant",
        "constant feature",
        "missing",
        "a feature without a value",
    ],
)
def test_the_head_reads_what_transform_returns(parameters, X, tmp_path):
    transformer = make(**parameters).fit(X)
    model = classifier_fn(transformer, 3)()
    x = np.float32(X)
    assert_allclose(code_of(model, x), transformer.transform(x), rtol=1e-5, atol=1e-5)
    assert_allclose(np.sum(model(x), axis=1), 1, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


def test_outputs_and_hidden_layers_are_as_asked(transformer):
    assert classifier_fn(transformer, 4)().output.shape == (None, 4)
    assert regressor_fn(transformer)().output.shape == (None, 1)
    assert regressor_fn(transformer, 2)(hidden_units=(5,)).output.shape == (None, 2)
    build = classifier_fn(transformer, 3, hidden_units=(5, 4))
    assert [layer.units for layer in build().layers[-3:]] == [5, 4, 3]
    assert [layer.units for layer in build(hidden_units=()).layers[2:]] == [3]
    assert np.ptp(regressor_fn(transformer)()(CUBE)) > 0


@pytest.mark.parametrize("trainable", [True, False])
def test_training_changes_the_encoder_if_it_may(trainable, transformer):
    before = [weight.copy() for weight in transformer.weights_]
    model = regressor_fn(transformer, trainable=trainable)()
    codes = code_of(model, CUBE)
    model.compile("adam", "mse")
    model.fit(CUBE, np.arange(24.0), verbose=0)
    assert np.array_equal(code_of(model, CUBE), codes) == (not trainable)
    for weight, same in zip(transformer.weights_, before, strict=True):
        assert_array_equal(weight, same)


def test_an_unfitted_transformer_is_refused():
    for make_fn in (classifier_fn, regressor_fn):
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            make_fn(make(), 3)


def test_a_function_can_be_pickled(transformer):
    build = pickle.loads(pickle.dumps(classifier_fn(transformer, 3, hidden_units=(5,))))
    assert [layer.units for layer in build().layers[2:]] == [5, 3]
    codes = code_of(build(hidden_units=()), CUBE)
    assert_allclose(codes, transformer.transform(CUBE), rtol=1e-5, atol=1e-5)


def test_scikit_learn_is_told_what_an_estimator_is(transformer):
    for estimator in (classifier(transformer), clone(classifier(transformer))):
        assert is_classifier(estimator)
        assert not is_regressor(estimator)
    regressor = Regressor(regressor_fn(transformer), loss="mse")
    assert is_regressor(regressor)
    assert not is_classifier(regressor)
    # The day this fails, scikeras needs no cure.
    assert not is_classifier(KerasClassifier())


def test_a_search_stratifies_and_routes_parameters(transformer):
    grid = {"model__hidden_units": [(5,)], "optimizer__learning_rate": [0.02]}
    model = classifier(transformer, run_eagerly=True)  # tracing takes most of the time
    search = GridSearchCV(model, grid, cv=2, error_score="raise")
    search.fit(CUBE, np.sort(LABELS))  # folds of rows in order would lack a class
    best, chosen = search.best_estimator_, search.best_params_
    assert best.predict_proba(CUBE).shape == (24, 3)
    assert set(best.predict(CUBE)) <= {"a", "b", "c"}
    widths = [layer.units for layer in best.model_.layers[2:-1]]
    assert tuple(widths) == chosen["model__hidden_units"]
    rate = float(best.model_.optimizer.learning_rate)
    assert rate == pytest.approx(chosen["optimizer__learning_rate"])


def test_a_regressor_within_scikeras(transformer):
    target = CUBE[:, -1, :]
    build = regressor_fn(transformer, 2)
    settings = {"run_eagerly": True, "verbose": 0, "random_state": 0, "model__trainable": False}
    model = Regressor(build, loss="mse", **settings).fit(CUBE, target)
    assert model.predict(CUBE).shape == (24, 2)
    assert_array_equal(code_of(model.model_, CUBE), code_of(regressor_fn(transformer)(), CUBE))


def test_a_search_finds_the_learning_rate_of_a_regressor(transformer):
    settings = {"run_eagerly": True, "verbose": 0, "random_state": 0}
    regressor = Regressor(regressor_fn(transformer), loss="mse", optimizer="adam", **settings)
    grid = {"optimizer__learning_rate": [1e-6, 0.03]}
    search = GridSearchCV(regressor, grid, cv=ShuffleSplit(1, random_state=0), error_score="raise")
    search.fit(CUBE, CUBE[:, -1, 0])
    assert search.best_params_ == {"optimizer__learning_rate": 0.03}  # the target is far from 0
    rate = float(search.best_estimator_.model_.optimizer.learning_rate)
    assert rate == pytest.approx(0.03)


def test_our_estimators_do_not_notice_that_scikeras_was_used(transformer, tmp_path):
    """Same bits, pickles included, after a seeded fit, and one seed gives one result."""
    codes = transformer.transform(CUBE)
    runs = [classifier(transformer).fit(CUBE, LABELS).predict_proba(CUBE) for _ in range(2)]
    assert_array_equal(*runs)
    assert_array_equal(transformer.transform(CUBE), codes)
    again = make().fit(CUBE)
    for weight, same in zip(again.weights_, transformer.weights_, strict=True):
        assert_array_equal(weight, same)
    assert_array_equal(pickle.loads(pickle.dumps(again)).transform(CUBE), codes)
    unseeded = make(random_state=None).fit(CUBE)
    assert not np.array_equal(unseeded.weights_[0], again.weights_[0])
