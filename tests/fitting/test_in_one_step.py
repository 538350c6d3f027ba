"""Whoever uses an estimator during a fit has the old model or the new one."""

import copy
import pickle
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator

from helpers import make_transformer
from sklearn_lstmae import (
    LSTMAutoencoderDetector,
    export_onnx,
    load,
    save,
    transformer,
)
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_model, snapshot

RNG = np.random.default_rng(0)
X, OTHER = RNG.normal(size=(24, 6, 2)), RNG.normal(size=(24, 6, 3))


class Model:
    """An estimator of which a fit makes two attributes that belong together."""

    def __init__(self, value=0):
        self.value, self.first_, self.second_ = value, value, value

    @of_one_model
    def difference(self, meanwhile):
        first = self.first_
        meanwhile()
        return self.second_ - first


def test_a_method_works_on_the_attributes_of_its_call():
    model = Model()

    def fit():
        with learning_aside(model) as learner:
            learner.first_ = learner.second_ = 1

    assert model.difference(fit) == 0
    assert (model.first_, model.second_) == (1, 1)


def test_nothing_is_seen_of_a_fit_before_it_ends():
    model = Model()
    with learning_aside(model) as learner:
        learner.first_ = 1
        learner.third_ = 1
        del learner.second_
        assert vars(model) == {"value": 0, "first_": 0, "second_": 0}
    assert vars(model) == {"value": 0, "first_": 1, "third_": 1}


def test_a_failed_fit_leaves_the_earlier_attributes():
    model = Model()

    def fail():
        with learning_aside(model) as learner:
            learner.first_ = 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert vars(model) == {"value": 0, "first_": 0, "second_": 0}


def test_a_parameter_that_is_set_meanwhile_stays_set():
    model = Model()
    with learning_aside(model) as learner:
        learner.first_ = 1
        model.value = 3
    assert (model.value, model.first_) == (3, 1)


def test_a_snapshot_is_of_the_same_class_and_costs_no_copy():
    model = Model()
    assert type(snapshot(model)) is Model
    assert vars(snapshot(model)) is vars(model)


def test_of_two_fits_at_once_the_last_to_end_counts_as_a_whole():
    model = Model(3)
    with learning_aside(model) as first:
        first.first_, first.second_, first.only_first_ = 1, 1, 1
        with learning_aside(model) as second:
            second.first_, second.second_, second.only_second_ = 2, 3, 2
    assert vars(model) == {"value": 3, "first_": 1, "second_": 1, "only_first_": 1}


# Estimators ------------------------------------------------------------------------------


def make_detector(threshold):
    return LSTMAutoencoderDetector(
        make_transformer(), threshold=threshold, contamination=0.3, cv=2, random_state=0
    )


def test_named_columns_are_of_the_model_that_computed_them():
    model = make_transformer(scaling="sequence").set_output(transform="pandas").fit(X)
    expected = model.transform(X)

    class Refitting:
        """Data during whose reading the model is fitted anew, to more features."""

        def __array__(self, dtype=None, copy=None):
            model.fit(OTHER)
            return X

    table = model.transform(Refitting())
    assert model.n_features_in_ == 3
    assert_array_equal(table, expected)
    assert list(table.columns) == list(expected.columns)


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "save": lambda model: load(saved(model)),
}


def saved(model):
    file = BytesIO()
    save(model, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_during_a_fit_is_of_the_old_model(name, monkeypatch):
    model = make_transformer().fit(X)
    codes, copies = model.transform(X), []

    def learn(*arguments, **options):
        copies.append(COPIES[name](model))
        return original(*arguments, **options)

    original = transformer.learn
    monkeypatch.setattr(transformer, "learn", learn)
    model.fit(OTHER)
    assert model.n_features_in_ == 3
    assert_array_equal(copies[0].transform(X), codes)


def test_an_export_during_a_first_fit_is_refused(monkeypatch):
    model, original = make_transformer(), transformer.learn

    def learn(*arguments, **options):
        for use in (model.transform, lambda _: export_onnx(model, BytesIO())):
            with pytest.raises(NotFittedError):
                use(X)
        return original(*arguments, **options)

    monkeypatch.setattr(transformer, "learn", learn)
    model.fit(X)
    export_onnx(model, BytesIO())


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_warning_as_an_error_keeps_the_old_model():
    model = make_transformer(epochs=20, learning_rate=0.05).fit(np.cumsum(X, axis=1))
    before = dict(vars(model))
    model.set_params(epochs=1, learning_rate=1e-12)
    with pytest.raises(ConvergenceWarning):
        model.fit(OTHER)
    assert vars(model) == before | {"epochs": 1, "learning_rate": 1e-12}


# A fit and a use in one call ---------------------------------------------------------------


def meanwhile(monkeypatch, refit):
    """Let ``refit`` be called between the fit and the use of the next such call."""
    original = transformer.LSTMAutoencoderTransformer.fit

    def fit(self, *arguments, **options):
        monkeypatch.setattr(transformer.LSTMAutoencoderTransformer, "fit", original)
        result = self.fit(*arguments, **options)
        refit()
        return result

    monkeypatch.setattr(transformer.LSTMAutoencoderTransformer, "fit", fit)


@pytest.mark.parametrize("scaling", ["feature", "sequence"])
def test_fit_transform_is_of_its_own_fit(scaling, monkeypatch):
    model = make_transformer(scaling=scaling).set_output(transform="pandas")
    expected = model.fit(X).transform(X)
    meanwhile(monkeypatch, lambda: model.set_params(latent_dim=3, scaling=None).fit(OTHER))
    got = model.fit_transform(X)
    assert list(got.columns) == list(expected.columns)
    assert_array_equal(got, expected)
    assert model.n_features_in_ == 2  # of two fits at once the last to end counts


def test_fit_predict_is_of_its_own_fit(monkeypatch):
    model = make_detector("train")
    expected = model.fit(X).predict(X)
    scores = model.score_samples(X)
    original = type(model).predict

    def predict(self, *arguments):
        monkeypatch.setattr(type(model), "predict", original)
        model.fit(-X[::-1])
        return self.predict(*arguments)

    monkeypatch.setattr(type(model), "predict", predict)
    assert_array_equal(model.fit_predict(X), expected)
    assert_array_equal(model.score_samples(X), scores)


def test_a_fit_whose_use_fails_leaves_the_earlier_model(monkeypatch):
    model = make_transformer().fit(OTHER)
    before = dict(vars(model))

    def interrupted(self, X):
        raise KeyboardInterrupt

    monkeypatch.setattr(transformer.LSTMAutoencoderTransformer, "transform", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit_transform(X)
    assert vars(model) == before


@pytest.mark.parametrize("threshold", ["train", "conformal"])
@pytest.mark.parametrize("score_from", ["reconstruction", "code"])
def test_another_fit_of_a_frozen_transformer_changes_no_detector(threshold, score_from):
    frozen = FrozenEstimator(make_transformer().fit(X))
    detector = LSTMAutoencoderDetector(
        frozen, threshold=threshold, score_from=score_from, contamination=0.3, cv=2, random_state=0
    ).fit(X)
    decision = detector.decision_function(X)
    frozen.estimator.set_params(latent_dim=3).fit(OTHER)
    assert_array_equal(detector.decision_function(X), decision)
    assert isinstance(detector.autoencoder_, FrozenEstimator)
