"""Whoever uses an estimator during a fit has the old model or the new one."""

import copy
import pickle
import sys
from io import BytesIO
from pathlib import Path

import dask.array as da
import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator

from helpers import make_transformer
from sklearn_lstmae import (
    ErrorDisplay,
    LatentImportanceDisplay,
    LatentTraversalDisplay,
    LearningCurveDisplay,
    LSTMAutoencoderDetector,
    ReconstructionDisplay,
    distributed,
    export_onnx,
    latent_importance,
    load,
    save,
    transformer,
)
from sklearn_lstmae.fitting.in_one_step import learning_aside, of_one_model, snapshot
from sklearn_lstmae.keras_models import classifier_fn

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


# Functions that take an estimator -----------------------------------------------------------

FEW = X[:4]
FRAMES = [pd.DataFrame(sequence, columns=["u", "v"]) for sequence in FEW]
RECORD = pd.DataFrame(FEW[:2].reshape(-1, 2), columns=["u", "v"])
PACKAGE = str(Path(transformer.__file__).parent)


def drawn(display, *arguments, **options):
    """Function of an estimator: the numbers of a display, which is not drawn."""
    numbers = type(display.__name__, (display,), {"plot": lambda self, *_, **__: self})
    return lambda model: vars(numbers.from_estimator(model, *arguments, **options))


def named_by_dask(model):
    codes = distributed.transform(model, da.from_array(FEW, chunks=(2, -1, -1)))
    return codes.shape, codes.compute(scheduler="synchronous")


def from_keras(model):
    built = classifier_fn(model, 2)()
    return keras.Model(built.input, built.layers[-1].input)(FEW.astype("f4")).numpy()


def exported(model):
    file = BytesIO()
    export_onnx(model, file, part="autoencoder")
    return file.getvalue()


# name: (estimators, question, how often a fit ends meanwhile)
USES = {
    "latent_importance": ("named", lambda model: latent_importance(model, FRAMES), 6),
    "of a frozen one": ("named", lambda m: latent_importance(FrozenEstimator(m), FRAMES), 6),
    "LatentImportanceDisplay": ("named", drawn(LatentImportanceDisplay, FRAMES), 6),
    "LatentTraversalDisplay": ("named", drawn(LatentTraversalDisplay, FRAMES), 6),
    "ReconstructionDisplay": ("named", drawn(ReconstructionDisplay, FRAMES), 6),
    "LearningCurveDisplay": ("plain", drawn(LearningCurveDisplay), 5),
    "ErrorDisplay": ("detectors", drawn(ErrorDisplay, RECORD.to_numpy(), 6, per="window"), 6),
    "a curve of a detector": ("detectors", drawn(LearningCurveDisplay), 6),
    "distributed.transform": ("plain", named_by_dask, 6),
    "classifier_fn": ("plain", from_keras, 2),
    "export_onnx": ("plain", exported, 6),
    "explain": ("detectors", lambda model: model.explain(FEW), 6),
}


@pytest.fixture(scope="module")
def estimators():
    """Pairs of the old model and the new one."""
    other = 3 * X[::-1] + 7
    names = [[pd.DataFrame(each, columns=list(pair)) for each in X] for pair in ("uv", "xy")]
    ways = {"scaling": "feature"}, {"scaling": "sequence", "latent_dim": 3, "epochs": 3}
    pairs = zip(ways, (X, other), names, strict=True)
    models = [
        {
            "plain": make_transformer(**way).fit(data),
            "named": make_transformer(**way).fit(frames),
            "detectors": make_detector("train").set_params(score_from=score_from).fit(data),
        }
        for (way, data, frames), score_from in zip(pairs, ["reconstruction", "both"], strict=True)
    ]
    return {name: [each[name] for each in models] for name in models[0]}


def answer(question, model, n_calls=None, new=None):
    """What is answered, or the error; with a fit that ends at the n-th call within the package."""
    count = 0

    def look(frame, event, _):
        nonlocal count
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            count += 1
            if count == n_calls:
                model.__dict__ = dict(vars(new))  # as `learning_aside` does

    sys.setprofile(look)
    try:
        result = question(model)
    except (AttributeError, LookupError, ValueError) as error:
        result = repr(error)
    finally:
        sys.setprofile(None)
    return plain(result), count


def plain(result):
    if hasattr(result, "columns"):
        return [*result.columns], result.to_numpy().tolist()
    if isinstance(result, dict):
        return {name: plain(each) for name, each in result.items()}
    if isinstance(result, (list, tuple)):
        return [plain(each) for each in result]
    return result.tolist() if isinstance(result, np.ndarray) else result


@pytest.mark.parametrize("use", USES)
def test_whoever_takes_an_estimator_uses_one_model(use, estimators):
    kind, question, n_places = USES[use]
    for old, new in (estimators[kind], estimators[kind][::-1]):
        expected, n_calls = answer(question, copy.copy(old))
        possible = [expected, answer(question, copy.copy(new))[0]]
        assert possible[0] != possible[1]
        for place in np.linspace(2, n_calls, n_places, dtype=int):
            got, _ = answer(question, copy.copy(old), place, new)
            assert got in possible, f"after {place} of {n_calls} calls"


def test_what_dask_computes_later_is_of_the_model_that_was_asked(estimators):
    old, new = estimators["plain"]
    model = copy.copy(old)
    codes = distributed.transform(model, da.from_array(FEW, chunks=(2, -1, -1)))
    model.__dict__ = dict(vars(new))
    assert_array_equal(codes.compute(scheduler="synchronous"), old.transform(FEW))


def test_a_snapshot_of_a_frozen_one_is_of_what_it_holds():
    frozen = FrozenEstimator(Model())
    now = snapshot(FrozenEstimator(frozen))
    with learning_aside(frozen.estimator) as learner:
        learner.first_ = 1
    assert frozen.estimator.first_ == 1
    assert type(now) is FrozenEstimator
    assert now.estimator.estimator.first_ == 0
