"""The classifier: what it learns from, what it leaves alone and what it refuses."""

import pickle
from copy import copy
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from helpers import assert_same, layouts, make_transformer, ragged
from sklearn_lstmae import LSTMAutoencoderClassifier, LSTMAutoencoderTransformer
from sklearn_lstmae.fitting.labels import check_classes, entropy, weigh_classes
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.fitting.seeds import draw_seed, split_rows

RNG = np.random.default_rng(0)
N = 40
LENGTHS = RNG.integers(2, 8, size=N)
Y = np.repeat([0, 1, 2, 0], 10)
CUBE = RNG.normal(size=(N, 7, 2)) + 2.0 * Y[:, np.newaxis, np.newaxis]
CUBE = CUBE.astype(np.float32)
RAGGED = ragged(CUBE, LENGTHS)
TABLE = CUBE[:, :, 0]
LAYOUTS = layouts(CUBE, LENGTHS)
NAMES = pd.Series(np.array(["ant", "bee", "cat"], object)[Y], dtype=object)
STAMPS = pd.Series(pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"])[Y])
LABELED, UNLABELED = slice(0, 30), slice(30, N)

make_autoencoder = partial(make_transformer, epochs=1)


def make(autoencoder=None, **parameters):
    if autoencoder is None:
        autoencoder = make_autoencoder()
    return LSTMAutoencoderClassifier(autoencoder, **{"random_state": 0, "epochs": 3} | parameters)


def encoder_of(classifier):
    """The weights of the transformer's encoder, and those of the classifier's."""
    return fitted_model(classifier.autoencoder_).encoder_weights, classifier.weights_[:-2]


@pytest.fixture(scope="module")
def classifier():
    return make().fit(CUBE, Y)


@pytest.fixture
def no_training(monkeypatch):
    """What is refused must be before any training."""
    monkeypatch.setattr(LSTMAutoencoderTransformer, "fit", None)


@pytest.fixture(scope="module")
def frozen_model():
    return FrozenEstimator(make_autoencoder().fit(CUBE))


# What it takes and returns ---------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_classified(layout):
    X = LAYOUTS[layout]
    classifier = make()
    assert classifier.fit(X[LABELED], Y[LABELED], X_unlabeled=X[UNLABELED]) is classifier
    probabilities = classifier.predict_proba(X)
    assert (probabilities.shape, probabilities.dtype) == ((N, 3), np.float64)
    assert_allclose(probabilities.sum(axis=1), 1.0)
    assert_array_equal(classifier.predict(X), classifier.classes_[probabilities.argmax(axis=1)])
    width = {"2d": 7, "frame": 7, "list-1d": 1}.get(layout, 2)
    assert classifier.n_features_in_ == classifier.autoencoder_.n_features_in_ == width
    named = {"feature_names_in_"} if "frame" in layout else set()
    assert {name for name in vars(classifier) if name.endswith("_")} == named | {
        "autoencoder_", "baseline_loss_", "best_epoch_", "classes_", "history_", "loss_",
        "n_epochs_", "n_features_in_", "weights_",
    }  # fmt: skip
    if named:
        names = classifier.autoencoder_.feature_names_in_
        assert_array_equal(classifier.feature_names_in_, names)


@pytest.mark.parametrize("kind", ["int", "negative", "signs", "str", "object", "bool", "times"])
def test_classes_are_whatever_labels_are(kind, frozen_model):
    labels = {
        "int": np.array([3, 7, 9]),
        "negative": np.array([-2, -1, 1]),
        "signs": np.array([-1, 1, 1]),
        "times": np.array(["2024-01-01", "2024-01-02", "2025-01-01"], dtype="M8[D]"),
        "str": np.array(["ant", "bee", "cat"]),
        "object": np.array(["ant", "bee", "cat"], dtype=object),
        "bool": np.array([False, True, True]),
    }[kind]
    classifier = make(frozen_model).fit(CUBE, labels[Y])
    assert_array_equal(classifier.classes_, np.unique(labels))
    predicted = classifier.predict(CUBE)
    assert predicted.dtype == labels.dtype
    assert set(predicted) <= set(labels)


@pytest.mark.parametrize("layout", ["3d", "list"])
def test_a_row_does_not_depend_on_the_others(layout):
    X = LAYOUTS[layout]
    classifier = make(epochs=1).fit(X, Y)
    whole = classifier.predict_proba(X)
    alone = [classifier.predict_proba(X[row : row + 1])[0] for row in range(N)]
    assert_array_equal(alone, whole)
    many = [*X] * 10
    assert_array_equal(classifier.predict_proba(many)[-N:], whole)


def test_missing_values_are_masked_as_the_autoencoder_masks_them():
    holes = np.random.default_rng(1).uniform(size=CUBE.shape) < 0.2
    holey = np.where(holes, np.nan, CUBE)
    holey[3, 5:] = np.nan
    classifier = make(make_autoencoder(missing="mask")).fit(holey, Y, X_unlabeled=holey)
    assert np.isfinite(classifier.predict_proba(holey)).all()
    longer = np.pad(holey, ((0, 0), (0, 2), (0, 0)), constant_values=np.nan)
    assert_array_equal(classifier.predict_proba(longer), classifier.predict_proba(holey))
    assert get_tags(classifier).input_tags.allow_nan
    assert get_tags(make(FrozenEstimator(classifier.autoencoder_))).input_tags.allow_nan
    assert not get_tags(make()).input_tags.allow_nan
    with pytest.raises(ValueError, match=r"Input X contains NaN at sequence \d+, step"):
        make().fit(holey, Y)
    with pytest.raises(ValueError, match=r"Input X_unlabeled contains NaN at sequence \d+, step"):
        make().fit(CUBE, Y, X_unlabeled=holey)


@pytest.mark.parametrize("fine_tune", [True, False])
def test_the_head_reads_the_statistics_of_a_scaling_by_sequence(fine_tune):
    """Where classes differ in level and size only, nothing else can tell them apart."""
    shapes = np.random.default_rng(1).normal(size=(N, 7, 1))
    level = np.array([0.0, 5.0, -5.0])[Y]
    X = shapes + level[:, np.newaxis, np.newaxis]
    autoencoder = make_autoencoder(scaling="sequence")
    classifier = make(autoencoder, fine_tune=fine_tune).fit(X, Y)
    assert classifier.weights_[-2].shape[0] == classifier.autoencoder_.transform(X).shape[1]
    assert classifier.score(X, Y) == 1.0
    # In other units these columns are large, and learned no less well.
    assert make(autoencoder, fine_tune=fine_tune).fit(1e5 * X, Y).score(1e5 * X, Y) == 1.0


@pytest.mark.parametrize(
    "parameters",
    [
        {"kl_weight": 0.1},
        {"objective": "predict", "horizon": 3, "bidirectional": True},
        {"bottleneck": "hidden_cell", "hidden_units": (), "patch_size": 2},
    ],
    ids=["variational", "predict", "hidden_cell"],
)
@pytest.mark.parametrize("fine_tune", [True, False])
def test_the_head_reads_what_transform_returns(fine_tune, parameters):
    model = make_autoencoder(**parameters).fit(CUBE)
    classifier = make(FrozenEstimator(model), fine_tune=fine_tune).fit(CUBE, Y)
    codes = copy(classifier.autoencoder_)
    codes.weights_ = [*classifier.weights_[:-2], *model.weights_[len(classifier.weights_) - 2 :]]
    kernel, bias = classifier.weights_[-2:]
    scores = codes.transform(CUBE).astype(np.float64) @ kernel + bias
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = odds / odds.sum(axis=1, keepdims=True)
    assert_allclose(classifier.predict_proba(CUBE), expected, rtol=1e-6)


# What is learned, and from what ----------------------------------------------------------


def test_fine_tuning_is_of_a_copy():
    autoencoder = make_autoencoder()
    classifier = make(autoencoder).fit(CUBE[LABELED], Y[LABELED], X_unlabeled=CUBE[UNLABELED])
    expected = clone(autoencoder).fit(CUBE)
    assert_same(classifier.autoencoder_.weights_, expected.weights_)
    assert "weights_" not in vars(autoencoder)
    before, after = encoder_of(classifier)
    assert not any(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_without_fine_tuning_the_encoder_stays():
    classifier = make(fine_tune=False).fit(CUBE, Y)
    assert_same(*encoder_of(classifier))
    other = make(fine_tune=False, epochs=6).fit(CUBE, Y)
    assert_same(*encoder_of(other))
    assert not np.array_equal(classifier.weights_[-2], other.weights_[-2])


@pytest.mark.parametrize("fine_tune", [True, False])
def test_a_frozen_autoencoder_is_used_and_never_changed(fine_tune):
    model = make_autoencoder().fit(LAYOUTS["frame"])
    before = pickle.dumps(model)
    classifier = make(FrozenEstimator(model), fine_tune=fine_tune).fit(LAYOUTS["frame"], Y)
    assert pickle.dumps(model) == before
    assert_same(classifier.autoencoder_.weights_, model.weights_)
    assert_array_equal(classifier.feature_names_in_, list("abcdefg"))
    probabilities = classifier.predict_proba(LAYOUTS["frame"])
    model.fit(TABLE + 9.0)  # whatever becomes of the original
    assert_array_equal(classifier.predict_proba(LAYOUTS["frame"]), probabilities)


@pytest.mark.parametrize("unlabeled", [CUBE[UNLABELED], None], ids=["unlabeled", "none"])
def test_pre_training_sees_all_sequences(unlabeled):
    classifier = make().fit(CUBE[LABELED], Y[LABELED], X_unlabeled=unlabeled)
    expected = make_autoencoder().fit(CUBE if unlabeled is not None else CUBE[LABELED])
    assert_same(classifier.autoencoder_.weights_, expected.weights_)
    expected = expected.configuration_ | {"append_states": True}
    assert classifier.autoencoder_.configuration_ == expected


def test_the_default_autoencoder_has_default_parameters():
    classifier = LSTMAutoencoderClassifier(None, random_state=0, epochs=1)
    classifier.fit(CUBE[:12, :2], np.arange(12) % 2)
    expected = LSTMAutoencoderTransformer(append_states=True, random_state=0)
    assert classifier.autoencoder_.get_params() == expected.get_params()
    assert classifier.autoencoder is None


def test_classes_are_learned():
    for fine_tune in (True, False):
        classifier = make(fine_tune=fine_tune, epochs=30).fit(CUBE, Y)
        assert classifier.score(CUBE, Y) > 0.8
        assert classifier.loss_ < 0.6 * classifier.baseline_loss_
        loss, accuracy = classifier.history_["loss"], classifier.history_["accuracy"]
        assert loss[-1] < loss[0]
        assert len(loss) == len(accuracy) == classifier.n_epochs_ == classifier.best_epoch_ == 30
        assert all(0 <= share <= 1 for share in accuracy)


@pytest.mark.parametrize("y", [Y, np.array(["no", "yes"])[Y % 2]], ids=["three", "two"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_head_starts_from_a_regression_on_codes_and_states(class_weight, y, frozen_model):
    parameters = {"epochs": 1, "learning_rate": 1e-12, "class_weight": class_weight}
    classifier = make(frozen_model, **parameters).fit(CUBE, y)
    codes = classifier.autoencoder_.transform(CUBE)
    assert_array_equal(codes[:, :2], frozen_model.transform(CUBE))
    regression = make_pipeline(StandardScaler(), LogisticRegression(class_weight=class_weight))
    expected = regression.fit(codes, y).predict_proba(codes)
    assert_allclose(classifier.predict_proba(CUBE), expected, rtol=1e-3)
    assert_allclose(classifier.history_["loss"], [classifier.loss_], rtol=1e-5)
    assert_allclose(classifier.history_["accuracy"], [classifier.score(CUBE, y)], rtol=1e-6)


# Sequences without a label ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "unlabeled"),
    [
        (np.where(np.arange(N) < 30, Y, -1), -1),
        (np.where(np.arange(N) < 30, Y, -1).astype(float), -1),
        (pd.Series(np.where(np.arange(N) < 30, Y, 99)), np.int64(99)),
        (pd.Series(Y, dtype="Int64").where(np.arange(N) < 30), np.nan),
        (np.where(np.arange(N) < 30, Y, np.nan), np.nan),
        ([*Y[:30].tolist(), *[None] * 10], float("nan")),
        (NAMES.where(np.arange(N) < 30, None), float("nan")),
        (NAMES.where(np.arange(N) < 30, ""), ""),
        (pl.Series(NAMES.where(np.arange(N) < 30, "?").tolist()), "?"),
        ([*NAMES[:30], *[-1] * 10], -1),
        (STAMPS.where(np.arange(N) < 30), np.nan),
        (STAMPS.where(np.arange(N) < 30, pd.Timestamp(0)), np.datetime64(0, "s")),
    ],
    ids=[
        "int",
        "float",
        "Series",
        "NA",
        "NaN",
        "None in a list",
        "None",
        "''",
        "polars",
        "a number among words",
        "NaT",
        "time",
    ],
)
def test_any_value_can_mean_no_label(y, unlabeled):
    classes, numbers = check_classes(make(unlabeled=unlabeled), y, CUBE)
    known_classes, known = check_classes(make(), y[:30], CUBE[:30])
    assert_array_equal(classes, known_classes, strict=True)
    assert_array_equal(numbers, [*known, *[-1] * 10])


@pytest.mark.parametrize("unlabeled", [-1, float("nan")])
def test_a_word_that_looks_like_no_label_is_refused(unlabeled):
    y = np.array([*NAMES[:30], *[unlabeled] * 10])  # NumPy makes words of all
    assert y.dtype.kind == "U"
    with pytest.raises(
        ValueError, match=rf"class '{unlabeled}', but .*set unlabeled='{unlabeled}'\."
    ):
        check_classes(make(unlabeled=unlabeled), y, CUBE)
    *_, numbers = check_classes(make(unlabeled=str(unlabeled)), y, CUBE)
    assert_array_equal(numbers[30:], -1)


def test_a_number_that_looks_like_no_label_is_refused():
    with pytest.raises(ValueError, match=r"class 7, but unlabeled='7' .* set unlabeled=7\."):
        check_classes(make(unlabeled="7"), np.where(np.arange(N) < 30, Y, 7), CUBE)


def test_a_class_may_be_called_none():
    classes, _ = check_classes(make(), ["None", "some"] * 20, CUBE)
    assert_array_equal(classes, ["None", "some"])


def test_sequences_without_a_label_are_learned_from_as_unlabeled_ones():
    y = np.where(np.arange(N) < 30, Y, -1)
    classifier = make(unlabeled=-1).fit(CUBE, y)
    expected = make().fit(CUBE[LABELED], Y[LABELED], X_unlabeled=CUBE[UNLABELED])
    assert_same(classifier.autoencoder_.weights_, expected.autoencoder_.weights_)
    assert_same(classifier.weights_, expected.weights_)
    assert_array_equal(classifier.classes_, [0, 1, 2])
    for name in ("loss_", "baseline_loss_"):
        assert getattr(classifier, name) == getattr(expected, name)
    assert classifier.score(CUBE, y) == expected.score(CUBE[LABELED], Y[LABELED])
    import tensorflow as tf

    assert classifier.score(tf.constant(CUBE), y) == classifier.score(CUBE, y)


def test_a_value_for_no_label_may_stand_anywhere_and_be_missing(frozen_model):
    some = np.arange(N) % 3 > 0
    parameters = {"early_stopping": True, "validation_fraction": 0.3, "class_weight": "balanced"}
    classifier = make(frozen_model, unlabeled=-1, **parameters)
    expected = make(frozen_model, **parameters)
    with pytest.warns(ConvergenceWarning, match="All 3 epochs were run"):
        classifier.fit(CUBE, np.where(some, Y, -1))
    with pytest.warns(ConvergenceWarning, match="All 3 epochs were run"):
        expected.fit(CUBE[some], Y[some])
    assert_same(classifier.weights_, expected.weights_)
    assert_same(make(frozen_model, unlabeled=-1).fit(CUBE, Y).weights_,
                make(frozen_model).fit(CUBE, Y).weights_)  # fmt: skip


def test_a_value_for_no_label_goes_through_cross_validation(frozen_model):
    y = np.where(np.arange(N) % 3 > 0, Y, -1)
    weights = np.arange(N)
    search = GridSearchCV(make(frozen_model, unlabeled=-1, epochs=1), {"fine_tune": [False]}, cv=2)
    search.fit(CUBE, y)
    for fold, (learning, held_out) in enumerate(StratifiedKFold(2).split(CUBE, y)):
        classifier = make(frozen_model, unlabeled=-1, epochs=1, fine_tune=False)
        classifier.fit(CUBE[learning], y[learning])
        known = held_out[y[held_out] >= 0]
        right = classifier.predict(CUBE[known]) == y[known]
        assert search.cv_results_[f"split{fold}_test_score"] == [np.mean(right)]
        weighed = classifier.score(CUBE[held_out], y[held_out], weights[held_out])
        assert_allclose(weighed, np.average(right, weights=weights[known]))


def test_without_any_label_there_is_nothing_to_learn_or_score(frozen_model):
    with pytest.raises(ValueError, match="y has no label; LSTMAutoencoderClassifier needs"):
        make(frozen_model, unlabeled=-1).fit(CUBE, np.full(N, -1))
    with pytest.raises(ValueError, match=r"y has one class only, .*0"):
        make(frozen_model, unlabeled=-1).fit(CUBE, np.where(Y == 0, 0, -1))
    classifier = make(frozen_model, unlabeled=-1, epochs=1).fit(CUBE, Y)
    with pytest.raises(ValueError, match=r"None of 40 sequences has a label to score with.*=-1"):
        classifier.score(CUBE, np.full(N, -1))
    with pytest.raises(ValueError, match="'unlabeled' parameter of LSTMAutoencoderClassifier"):
        make(frozen_model, unlabeled=pd.NA).fit(CUBE, Y)


# Parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 4}, {"learning_rate": 0.01}, {"batch_size": 8}, {"random_state": 1}],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.parametrize("fine_tune", [True, False])
def test_parameters_of_training_have_an_effect(fine_tune, changes, frozen_model):
    one, again, other = (
        make(frozen_model, **{"fine_tune": fine_tune, "batch_size": 16} | more).fit(CUBE, Y)
        for more in ({}, {}, changes)
    )
    assert_same(one.weights_, again.weights_)
    assert one.history_ == again.history_
    assert not np.array_equal(one.weights_[-2], other.weights_[-2])


@pytest.mark.parametrize("changes", [{"dropout": 0.5}, {"noise": 1.0}, {"optimizer": "sgd"}])
def test_the_autoencoder_says_how_else_to_train(changes, frozen_model):
    other = clone(frozen_model.estimator).fit(CUBE).set_params(**changes)
    one, two = (make(frozen, epochs=1) for frozen in (frozen_model, FrozenEstimator(other)))
    assert not np.array_equal(one.fit(CUBE, Y).weights_[-2], two.fit(CUBE, Y).weights_[-2])


def test_a_random_state_is_also_that_of_the_autoencoder():
    assert make(random_state=5).fit(CUBE, Y).autoencoder_.random_state == 5
    assert make(random_state=None).fit(CUBE, Y).autoencoder_.random_state == 0


@pytest.mark.parametrize("fine_tune", [True, False])
def test_an_error_on_a_heavy_class_counts_more(fine_tune, frozen_model):
    noise = np.random.default_rng(2).integers(0, 2, size=N)

    def share(class_weight):
        parameters = {"class_weight": class_weight, "fine_tune": fine_tune}
        return make(frozen_model, **parameters).fit(CUBE, noise).predict(CUBE).mean()

    assert share({0: 100.0}) < 0.1
    assert share({1: 100.0}) > 0.9


def test_only_proportions_of_class_weights_matter(frozen_model):
    counts = np.bincount(Y)
    balanced = {label: 7.0 / count for label, count in enumerate(counts)}
    one, two, none = (
        make(frozen_model, class_weight=weights).fit(CUBE, Y)
        for weights in ("balanced", balanced, None)
    )
    assert_allclose(one.weights_[-2], two.weights_[-2], rtol=1e-5)
    assert not np.allclose(one.weights_[-2], none.weights_[-2], rtol=1e-2)
    assert_allclose(one.baseline_loss_, np.log(3))
    assert none.baseline_loss_ < np.log(3)


def test_weights_of_classes_are_one_in_the_mean():
    numbers = np.array([0, 0, 0, 1])
    for class_weight in (None, "balanced", {"b": 5.0}, {"a": 0.0}):
        weights = weigh_classes(class_weight, np.array(["a", "b"]), numbers)
        assert_allclose(weights[numbers].mean(), 1.0)
    assert_allclose(weights, [0.0, 4.0])
    assert_allclose(entropy(weights, numbers), 0.0)
    assert_allclose(entropy(np.ones(2), np.array([0, 1])), np.log(2))


# Early stopping --------------------------------------------------------------------------


@pytest.mark.parametrize("fine_tune", [True, False])
def test_early_stopping_keeps_the_best_weights(fine_tune, frozen_model):
    y = np.random.default_rng(3).integers(0, 2, size=N)  # nothing to learn but by heart
    parameters = {"validation_fraction": 0.3, "patience": 4, "epochs": 60, "learning_rate": 0.03}
    classifier = make(frozen_model, early_stopping=True, fine_tune=fine_tune, **parameters)
    classifier.fit(CUBE, y)
    history = classifier.history_
    assert history.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert classifier.best_epoch_ == int(np.argmin(history["val_loss"])) + 1
    assert classifier.n_epochs_ == classifier.best_epoch_ + 4 < 60
    _, rows = split_rows(N, 0.3, draw_seed(0), y)
    probabilities = classifier.predict_proba(CUBE[rows])
    best = classifier.best_epoch_ - 1
    surprise = -np.log(probabilities[np.arange(len(rows)), y[rows]])
    assert_allclose(surprise.mean(), history["val_loss"][best], rtol=1e-6)
    accuracy = (probabilities.argmax(axis=1) == y[rows]).mean()
    assert_allclose(accuracy, history["val_accuracy"][best])


def test_both_sides_have_the_same_part_of_each_class():
    learning, validation = split_rows(N, 0.3, 0, Y)
    assert_array_equal(np.bincount(Y[learning]), [14, 7, 7])
    assert_array_equal(np.bincount(Y[validation]), [6, 3, 3])


def test_training_cut_short_is_told(frozen_model):
    classifier = make(frozen_model, early_stopping=True, epochs=2, validation_fraction=0.3)
    with pytest.warns(ConvergenceWarning, match="All 2 epochs were run") as caught:
        classifier.fit(CUBE, Y)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_fit_that_is_no_better_than_counting_is_told(frozen_model):
    classifier = make(frozen_model, learning_rate=30.0, epochs=2)
    with pytest.warns(ConvergenceWarning, match="no better than predicting how often"):
        classifier.fit(CUBE, np.arange(N) % 2)


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None: pass the classes of X"),
        (Y[:-1], r"inconsistent numbers of samples: \[40, 39\]"),
        (np.zeros(N), r"y has one class only, .*0\.0.*; LSTMAutoencoderClassifier needs"),
        (RNG.normal(size=N), "Unknown label type: continuous"),
        (np.where(Y, np.nan, 1.0), "Input y contains NaN or None: row 10 has no label, and 20 of"),
        (NAMES.where(Y != 1, None), "row 10 has no label, .* unlabeled=float.'nan'., or pass"),
        (pd.Series(Y, dtype="Int64").where(Y != 1), "NaN or None: row 10 .* X_unlabeled; else"),
        (pd.Series(Y, dtype="category").where(Y != 2), "NaN or None: row 20 has no label, and 10"),
        (["ant", "bee", np.nan] + ["ant"] * (N - 3), "NaN or None: row 2 has no label, and 1 of"),
        (STAMPS.where(Y != 0), "NaN or None: row 0 has no label, and 20 of 40 rows"),
        (pl.Series([*Y.tolist()[:-1], None]), "NaN or None: row 39 has no label, and 1 of 40"),
        (Y - 1, r"class -1 next to classes of 0 and above, \[0, 1\].* unlabeled=-1, .*X_unlabeled"),
        ((Y - 1).astype("f4"), r"class -1 next to .*, \[0.0, 1.0\].* as y.astype\(str\) does"),
        (pd.Series(Y - 1, dtype="Int8"), "class -1 next to classes of 0 and above"),
        (np.where(Y, np.inf, 1.0), "Input y contains infinity"),
        (np.stack([Y, Y], axis=1), "y should be a 1d array"),
    ],
    ids=[
        "none", "short", "one", "continuous", "nan", "None", "NA", "category", "list", "NaT",
        "polars", "minus one", "minus one of floats", "nullable minus one", "inf", "2d",
    ],
)  # fmt: skip
def test_what_is_no_class_of_each_sequence_is_refused(y, message, no_training):
    with pytest.raises(ValueError, match=message):
        make().fit(CUBE, y)


@pytest.mark.parametrize(
    ("X", "unlabeled", "message"),
    [
        (CUBE, CUBE[:, :, :1], "X has 1 features, but LSTMAutoencoderClassifier is expecting 2"),
        (TABLE, TABLE[:, :5], "X has 5 features, but LSTMAutoencoderClassifier is expecting 7"),
        (CUBE, CUBE[:, :5], r"\(3d with 7 timesteps; 3d with 5 timesteps\), so they cannot"),
        (CUBE, RAGGED, r"X and X_unlabeled have different layouts \(3d with 7 timesteps; list\)"),
        (RAGGED, CUBE, r"\(list; 3d with 7 timesteps\)"),
        (CUBE, [], r"0 sample\(s\)"),
        (LAYOUTS["frame"], LAYOUTS["frame"][list("gfedcba")], "must be in the same order"),
    ],
)
def test_unlabeled_sequences_of_another_kind_are_refused(X, unlabeled, message):
    with pytest.raises(ValueError, match=message):
        make().fit(X, Y, X_unlabeled=unlabeled)


def test_a_frozen_autoencoder_has_no_use_for_unlabeled_sequences(frozen_model):
    message = r"X_unlabeled is for pre-training, which autoencoder=FrozenEstimator\(\.\.\.\) excl"
    with pytest.raises(ValueError, match=message):
        make(frozen_model).fit(CUBE, Y, X_unlabeled=CUBE)


def test_other_frozen_estimators_are_refused():
    with pytest.raises(ValueError, match="autoencoder is a FrozenEstimator of a PCA: freeze a"):
        make(FrozenEstimator(PCA().fit(TABLE))).fit(TABLE, Y)
    with pytest.raises(NotFittedError, match="LSTMAutoencoderTransformer instance is not fitted"):
        make(FrozenEstimator(make_autoencoder())).fit(TABLE, Y)


def test_a_frozen_autoencoder_reads_the_features_that_it_knows(frozen_model):
    with pytest.raises(ValueError, match="X has 1 features, but LSTMAutoencoderClassifier is exp"):
        make(frozen_model).fit(CUBE[:, :, :1], Y)


@pytest.mark.parametrize("weights", [{0: -1.0}, {0: 0.0, 1: 0.0, 2: 0.0}, {0: np.inf}, {1: np.nan}])
def test_impossible_class_weights_are_refused(weights, no_training):
    with pytest.raises(ValueError, match=r"class_weight=\{.*\} should give each class a finite"):
        make(class_weight=weights).fit(CUBE, Y)


def test_a_weight_of_no_class_is_refused(no_training):
    with pytest.raises(ValueError, match="The classes, "):
        make(class_weight={"ant": 2.0}).fit(CUBE, Y)


def test_too_few_sequences_to_validate_on_are_named(no_training):
    with pytest.raises(
        ValueError, match=r"early_stopping=True .* at least two .* number 1 of y, .* has 1"
    ):
        make(early_stopping=True).fit(CUBE[:11], Y[:11])
    message = r"validation_fraction=0\.05 splits n_samples=40 into 38 .* and 2 .* of the 3"
    with pytest.raises(ValueError, match=message):
        make(early_stopping=True, validation_fraction=0.05).fit(CUBE, Y)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience"])
def test_true_is_no_count(name):
    with pytest.raises(ValueError, match=f"'{name}' parameter of LSTMAutoencoderClassifier must"):
        make(**{name: True}).fit(CUBE, Y)


def test_parameters_of_the_autoencoder_are_checked():
    with pytest.raises(ValueError, match="'latent_dim' parameter of LSTMAutoencoderTransformer"):
        make(make_autoencoder(latent_dim=0)).fit(CUBE, Y)
    with pytest.raises(ValueError, match="'missing' parameter of LSTMAutoencoderTransformer"):
        make(make_autoencoder(missing="zap")).fit(CUBE, Y)
    with pytest.raises(ValueError, match="'autoencoder' parameter of LSTMAutoencoderClassifier"):
        make(PCA()).fit(CUBE, Y)
    frozen = FrozenEstimator(make_autoencoder().fit(CUBE).set_params(optimizer="zap"))
    with pytest.raises(ValueError, match="'optimizer' parameter of LSTMAutoencoderTransformer"):
        make(frozen).fit(CUBE, Y)


def test_training_that_diverges_says_so_and_keeps_the_earlier_state(frozen_model):
    autoencoder = clone(frozen_model.estimator).fit(CUBE).set_params(optimizer="sgd", clipnorm=None)
    classifier = make(FrozenEstimator(autoencoder), epochs=30).fit(CUBE, Y)
    before, probabilities = dict(vars(classifier)), classifier.predict_proba(CUBE)
    classifier.set_params(learning_rate=1e30)
    with pytest.raises(ValueError, match="stopped being finite in epoch"):
        classifier.fit(CUBE[:, :5], Y)
    before["learning_rate"] = 1e30
    assert vars(classifier) == before
    assert_array_equal(classifier.predict_proba(CUBE), probabilities)


def test_it_must_be_fitted():
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError, match="LSTMAutoencoderClassifier instance is not fitte"):
            getattr(make(), method)(CUBE)


# Life ------------------------------------------------------------------------------------


def test_parameters_set_after_fit_change_nothing(classifier):
    other = pickle.loads(pickle.dumps(classifier))
    other.set_params(fine_tune=False, autoencoder=None)
    assert_array_equal(other.predict_proba(CUBE), classifier.predict_proba(CUBE))


def test_a_refit_replaces_everything(frozen_model):
    classifier = make().fit(LAYOUTS["frame"], Y)
    classifier.fit(CUBE, np.array(["ant", "bee", "cat"])[Y])
    assert "feature_names_in_" not in vars(classifier)
    assert classifier.n_features_in_ == 2
    classifier.set_params(autoencoder=frozen_model).fit(CUBE, Y > 0)
    assert_array_equal(classifier.classes_, [False, True])


def test_a_search_finds_its_way():
    search = GridSearchCV(make(), {"fine_tune": [True, False], "autoencoder__dropout": [0.1]}, cv=2)
    search.fit(RAGGED, Y, X_unlabeled=RAGGED)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_memory_map_gives_the_bits_of_its_array(tmp_path):
    np.save(tmp_path / "x.npy", CUBE)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, two = (make().fit(X, Y, X_unlabeled=X[:5]) for X in (CUBE, mapped))
    assert_same(one.weights_, two.weights_)
    assert_array_equal(one.predict_proba(mapped), two.predict_proba(CUBE))


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_verbose_says_how_the_head_learns(verbose, frozen_model, capsys):
    make(frozen_model, verbose=verbose, epochs=2).fit(CUBE, Y)
    captured = capsys.readouterr()
    assert ("epoch" in captured.err) == (verbose == 1)
    lines = captured.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"] * (verbose == 2)
    assert all("loss" in line and "accuracy" in line for line in lines)


def test_a_monitor_scores_each_epoch(frozen_model):
    reason = "callbacks are new in scikit-learn 1.9"
    callbacks = pytest.importorskip("sklearn.callback", reason=reason)
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    classifier = make(frozen_model).set_callbacks(monitor).fit(CUBE, Y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit", "epoch", "epoch", "epoch"]
    assert rows[0]["accuracy"] == rows[-1]["accuracy"] == classifier.score(CUBE, Y)
    assert_same(classifier.weights_, make(frozen_model).fit(CUBE, Y).weights_)


def test_a_score_needs_as_many_labels_as_sequences():
    classifier = make(unlabeled=-1).fit(CUBE, np.where(np.arange(N) % 5, Y, -1))
    for X, y, weight in ((CUBE, Y[:30], None), (CUBE[:30], Y, None), (CUBE, Y, np.ones(30))):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            classifier.score(X, y, weight)


def test_missing_labels_need_a_splitter_that_ignores_them():
    y = np.where(np.arange(N) % 5, Y, np.nan)
    classifier = make(epochs=1, unlabeled=float("nan"))
    assert np.isfinite(cross_val_score(classifier, CUBE, y, cv=KFold(2, shuffle=True))).all()
