"""The detector: what it flags, where its threshold comes from and what it refuses."""

import copy
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    TimeSeriesSplit,
)
from sklearn.utils import get_tags

from helpers import layouts, make_transformer, ragged, take
from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    load,
    save,
)
from sklearn_lstmae.fitting.seeds import draw_seed

RNG = np.random.default_rng(0)
N = 40
LENGTHS = RNG.integers(1, 8, size=N)
CUBE = (3 + 2 * RNG.normal(size=(N, 7, 2))).astype(np.float32)
RAGGED = ragged(CUBE, LENGTHS)
TABLE = CUBE[:, :, 0]
GROUPS = np.arange(N) % 8
LAYOUTS = layouts(CUBE, LENGTHS)
CALIBRATED = ["cv", "conformal"]
THRESHOLDS = ["train", *CALIBRATED]
SCORES = ["reconstruction", "code", "both"]
METHODS = ["predict", "decision_function", "score_samples", "p_values", "errors", "explain"]

make_autoencoder = partial(make_transformer, epochs=1)


def make(autoencoder=None, **parameters):
    if autoencoder is None:
        autoencoder = make_autoencoder()
    return LSTMAutoencoderDetector(autoencoder, **{"random_state": 0, "cv": 4} | parameters)


def frozen(X, **parameters):
    return FrozenEstimator(make_autoencoder(**parameters).fit(X))


@pytest.fixture(scope="module")
def frozen_model():
    return frozen(CUBE)


@pytest.fixture(scope="module")
def detector():
    return make().fit(CUBE)


@pytest.mark.parametrize("score_from", SCORES)
def test_a_constant_feature_raises_no_alarm_in_another_dtype(score_from):
    X = np.tile(CUBE.astype(np.float64), (5, 1, 1))
    X[..., 1] = 14.62
    detector = make(score_from=score_from).fit(X)
    copy = X.astype(np.float32)
    assert_array_equal(detector.predict(copy), detector.predict(X))
    assert_allclose(detector.decision_function(copy), detector.decision_function(X), atol=1e-3)


# What it takes and returns ---------------------------------------------------------------


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_scored_and_judged(layout, threshold):
    X = LAYOUTS[layout]
    detector = make(threshold=threshold, score_from="both")
    assert detector.fit(X, "ignored") is detector
    scores = detector.score_samples(X)
    assert (scores.shape, scores.dtype) == ((N,), np.float64)
    assert_array_equal(detector.decision_function(X), scores - detector.offset_)
    assert_array_equal(detector.predict(X), np.where(scores < detector.offset_, -1, 1))
    width = {"2d": 7, "frame": 7, "list-1d": 1}.get(layout, 2)
    assert detector.n_features_in_ == detector.autoencoder_.n_features_in_ == width
    named = {"feature_names_in_"} if "frame" in layout else set()
    assert {name for name in vars(detector) if name.endswith("_")} == named | {
        "autoencoder_", "offset_", "calibration_scores_", "code_center_", "code_precision_",
        "score_center_", "score_spread_", "configuration_", "n_features_in_",
    }  # fmt: skip
    if named:
        assert_array_equal(detector.feature_names_in_, detector.autoencoder_.feature_names_in_)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_missing_values_are_masked_as_the_autoencoder_masks_them(threshold):
    holes = np.random.default_rng(1).uniform(size=CUBE.shape) < 0.2
    holey = np.where(holes, np.nan, CUBE)
    detector = make(make_autoencoder(missing="mask"), threshold=threshold).fit(holey)
    assert np.isfinite(detector.score_samples(holey)).all()
    assert get_tags(detector).input_tags.allow_nan
    assert not get_tags(make()).input_tags.allow_nan
    assert get_tags(make(FrozenEstimator(detector.autoencoder_))).input_tags.allow_nan
    with pytest.raises(ValueError, match=r"Input X contains NaN at sequence \d+, step"):
        make(threshold=threshold).fit(holey)


@pytest.mark.parametrize("task", ["reconstruct", "predict", "composite"])
def test_errors_are_those_of_the_main_task_of_the_autoencoder(task):
    horizon = None if task == "reconstruct" else 2
    autoencoder = make_autoencoder(objective=task, horizon=horizon, missing="mask")
    detector = make(autoencoder).fit(CUBE)
    autoencoder.fit(CUBE)
    for per in ("sequence", "step", "feature", "value"):
        assert_array_equal(detector.errors(CUBE, per=per), autoencoder.errors(CUBE, per=per))
    assert_array_equal(detector.score_samples(CUBE), autoencoder.score_samples(CUBE))


def test_without_an_autoencoder_it_is_one_that_rebuilds_alone_and_has_states():
    detector = LSTMAutoencoderDetector(random_state=0).fit(TABLE[:4, :2])
    default = LSTMAutoencoderTransformer(summary_weight=0, append_states=True, random_state=0)
    assert detector.autoencoder is None
    assert detector.autoencoder_.get_params() == default.get_params()


def test_a_copy_through_pickle_judges_alike():
    for threshold in THRESHOLDS:
        detector = make(threshold=threshold, score_from="both").fit(RAGGED)
        copied = pickle.loads(pickle.dumps(detector))
        assert_array_equal(copied.decision_function(RAGGED), detector.decision_function(RAGGED))


def test_outliers_are_found():
    waves = np.sin(np.linspace(0, 6, 12) + np.linspace(0, 6, 60)[:, np.newaxis])
    waves[7] = np.tile([3.0, 3.0, 1.0], 4)
    autoencoder = frozen(waves, epochs=40, batch_size=8, learning_rate=0.01)
    for score_from in SCORES:
        detector = make(autoencoder, contamination=1 / 60, score_from=score_from).fit(waves)
        assert_array_equal(np.flatnonzero(detector.predict(waves) == -1), [7])


# Where the threshold comes from ----------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("score_from", SCORES)
def test_train_finds_its_share_of_the_sequences_of_fit(score_from, contamination):
    detector = make(contamination=contamination, score_from=score_from)
    labels = detector.fit_predict(CUBE)
    assert (labels == -1).sum() == contamination * N
    assert_array_equal(detector.calibration_scores_, detector.score_samples(CUBE))
    assert detector.offset_ == np.quantile(detector.calibration_scores_, contamination)


@pytest.mark.parametrize(
    ("cv", "groups", "splitter"),
    [
        (4, None, KFold(4)),
        (np.int64(2), GROUPS, GroupKFold(2)),
        (LeaveOneGroupOut(), GROUPS, LeaveOneGroupOut()),
        (TimeSeriesSplit(2), None, TimeSeriesSplit(2)),  # never scores the first rows
        (KFold(3).split(CUBE), None, KFold(3)),
    ],
    ids=["int", "int with groups", "groups", "time", "iterable"],
)
def test_cv_takes_scores_of_folds_that_were_not_learned(cv, groups, splitter):
    X = RAGGED if groups is None else CUBE
    detector = make(threshold="cv", cv=cv, contamination=0.25).fit(X, groups=groups)
    expected = [
        make().fit(take(X, learning)).score_samples(take(X, held_out))
        for learning, held_out in splitter.split(X, groups=groups)
    ]
    assert_array_equal(detector.calibration_scores_, np.concatenate(expected))
    assert detector.offset_ == np.quantile(np.concatenate(expected), 0.25)
    assert_array_equal(detector.score_samples(X), make().fit(X).score_samples(X))


@pytest.mark.parametrize("score_from", SCORES)
@pytest.mark.parametrize(
    ("cv", "groups", "splitter"),
    [
        (4, None, KFold(4, shuffle=True, random_state=draw_seed(0))),
        (4, GROUPS, GroupKFold(4, shuffle=True, random_state=draw_seed(0))),
        (LeaveOneGroupOut(), GROUPS, LeaveOneGroupOut()),
    ],
    ids=["int", "int with groups", "splitter"],
)
def test_conformal_compares_with_rows_that_were_not_learned(score_from, cv, groups, splitter):
    X = RAGGED if groups is None else CUBE
    parameters = {"score_from": score_from, "contamination": 0.3}
    detector = make(threshold="conformal", cv=cv, **parameters).fit(X, groups=groups)
    learning, held_out = next(splitter.split(X, groups=groups))
    expected = make(**parameters).fit(take(X, learning))
    assert_array_equal(detector.calibration_scores_, expected.score_samples(take(X, held_out)))
    assert_array_equal(detector.score_samples(X), expected.score_samples(X))
    if groups is not None:
        assert not set(groups[learning]) & set(groups[held_out])


def test_conformal_holds_out_other_rows_with_another_seed():
    held_out = [
        make(threshold="conformal", random_state=seed).fit(CUBE).calibration_scores_
        for seed in (0, 0, 1)
    ]
    assert_array_equal(held_out[0], held_out[1])
    assert len(held_out[0]) == N / 4
    assert not np.array_equal(held_out[0], held_out[2])


@pytest.mark.parametrize("contamination", [0.1, 2 / 11, 0.25, 0.3, 0.5])
@pytest.mark.parametrize("score_from", SCORES)
def test_what_conformal_finds_are_the_p_values_of_at_most_contamination(contamination, score_from):
    parameters = {"contamination": contamination, "score_from": score_from}
    detector = make(threshold="conformal", **parameters).fit(CUBE)
    p = detector.p_values(CUBE)
    assert_array_equal(detector.predict(CUBE) == -1, p <= contamination)
    assert_array_equal(detector.decision_function(CUBE) < 0, p <= contamination)
    assert p.min() >= 1 / 11
    assert p.max() <= 1


def test_p_values_of_new_sequences_keep_their_promise(frozen_model):
    """Over many draws of 9 held-out sequences, a p-value of 0.1 comes in a tenth of all cases."""
    rng = np.random.default_rng(1)
    pool = rng.normal(size=(300, 7, 2))
    share = {0.1: [], 0.25: []}
    for _ in range(100):
        rows = rng.permutation(len(pool))
        detector = make(frozen_model, threshold="conformal").fit(pool[rows[:9]])
        p = detector.p_values(pool[rows[9:]])
        for a, found in share.items():
            found.append(np.mean(p <= a))
    for a, found in share.items():
        error = np.std(found) / np.sqrt(len(found))
        exact = np.floor(10 * a) / 10
        assert abs(np.mean(found) - exact) < 3 * error
        assert np.mean(found) < a + 3 * error


def test_too_few_sequences_for_the_contamination_are_named(frozen_model):
    detector = make(frozen_model, threshold="conformal", contamination=0.1)
    with pytest.warns(
        UserWarning, match=r"The 8 sequences .* no p-value below 0.111, .*=0.1 finds"
    ):
        detector.fit(CUBE[:8])
    assert detector.offset_ == -np.inf
    assert_array_equal(detector.decision_function(CUBE), np.full(N, np.inf))
    assert (detector.predict(CUBE) == 1).all()
    assert_array_equal(np.isin(detector.p_values(CUBE) * 9, np.arange(1, 10)), True)
    assert np.isfinite(detector.fit(CUBE[:9]).offset_)


@pytest.mark.parametrize("threshold", ["train", "cv"])
def test_p_values_are_conformal_only(threshold):
    with pytest.raises(ValueError, match=f"threshold='{threshold}' holds none out: .*'conformal'"):
        make(threshold=threshold).fit(CUBE).p_values(CUBE)


@pytest.mark.parametrize("threshold", CALIBRATED)
def test_rows_of_fit_are_not_judged_by_a_threshold_for_new_ones(threshold):
    detector = make(threshold=threshold)
    assert detector.novelty
    assert not make().novelty
    assert not hasattr(detector, "fit_predict")
    with pytest.raises(AttributeError, match="fit_predict") as raised:
        detector.fit_predict(CUBE)
    assert f"threshold='{threshold}'" in str(raised.value.__cause__)


# What the score is -----------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["feature", "sequence"])
def test_a_score_of_codes_is_their_mahalanobis_distance(scaling):
    detector = make(make_autoencoder(scaling=scaling), score_from="code").fit(CUBE)
    codes = detector.autoencoder_.transform(CUBE).astype(float)
    standard = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    squares = LedoitWolf().fit(standard).mahalanobis(standard)
    assert_allclose(detector.score_samples(CUBE), -np.sqrt(squares))


def test_both_is_the_lower_of_two_standardized_scores():
    both, *single = (
        make(score_from=score_from).fit(CUBE) for score_from in ("both", "reconstruction", "code")
    )
    standard = []
    for detector in single:
        low, middle, high = np.quantile(detector.score_samples(CUBE), [0.25, 0.5, 0.75])
        standard.append((detector.score_samples(CUBE[::-1]) - middle) / (high - low))
    assert_allclose(both.score_samples(CUBE[::-1]), np.minimum(*standard))


@pytest.mark.parametrize("score_from", ["code", "both"])
def test_one_code_is_too_few(score_from):
    with pytest.raises(ValueError, match=r"at least 2 sequences .* n_samples=1"):
        make(score_from=score_from).fit(CUBE[:1])


# A sequence that cannot be judged --------------------------------------------------------


@pytest.mark.parametrize("threshold", CALIBRATED)
def test_tensors_are_split_as_arrays_are(threshold):
    import tensorflow as tf

    detector = make(threshold=threshold, cv=2, contamination=0.3)
    expected = detector.fit(CUBE).score_samples(CUBE)
    X = tf.constant(CUBE)
    assert_array_equal(detector.fit(X).score_samples(X), expected)


UNSAID = [sequence.copy() for sequence in CUBE]
for unsaid in UNSAID[3:6]:
    unsaid[-2:] = np.nan


@pytest.fixture(scope="module")
def predictor():
    return make_autoencoder(objective="predict", horizon=2, missing="mask").fit(UNSAID)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_what_cannot_be_judged_does_not_enter_the_threshold(predictor, threshold):
    detector = make(predictor, threshold=threshold, contamination=0.2).fit(UNSAID)
    assert np.isfinite(detector.calibration_scores_).all()
    assert np.isfinite(detector.offset_)
    expected = np.isin(np.arange(N), [3, 4, 5])
    assert_array_equal(np.isnan(detector.score_samples(UNSAID)), expected)
    if threshold == "conformal":
        assert_array_equal(np.isnan(detector.p_values(UNSAID)), expected)
    with pytest.warns(UserWarning, match="3 of 40 sequences cannot be judged, .* sequence 3"):
        labels = detector.predict(UNSAID)
    assert_array_equal(labels[3:6], 1)
    assert (labels == -1).any()


def test_where_the_error_cannot_be_judged_the_code_can(predictor):
    both, code = (
        make(FrozenEstimator(predictor), score_from=name).fit(UNSAID) for name in ("both", "code")
    )
    _, center = both.score_center_
    _, spread = both.score_spread_
    assert_allclose(
        both.score_samples(UNSAID[3:6]), (code.score_samples(UNSAID[3:6]) - center) / spread
    )


@pytest.mark.parametrize("score_from", ["reconstruction", "both"])
def test_a_threshold_of_nothing_is_refused(predictor, score_from):
    with pytest.raises(ValueError, match=r"No threshold can be computed from 3 sequences"):
        make(FrozenEstimator(predictor), score_from=score_from).fit(UNSAID[3:6])


# A fitted autoencoder --------------------------------------------------------------------


def test_a_frozen_autoencoder_is_not_fitted_and_all_rows_calibrate(frozen_model):
    weights = copy.deepcopy(frozen_model.weights_)
    for threshold in ("train", "conformal"):
        detector = make(frozen_model, threshold=threshold, contamination=0.2).fit(CUBE[:12])
        assert detector.autoencoder_.estimator.weights_ is frozen_model.estimator.weights_
        assert_array_equal(detector.calibration_scores_, frozen_model.score_samples(CUBE[:12]))
    for got, expected in zip(frozen_model.weights_, weights, strict=True):
        assert_array_equal(got, expected)


@pytest.mark.parametrize("score_from", ["code", "both"])
def test_codes_are_learned_from_other_rows_than_calibrate(frozen_model, score_from):
    parameters = {"threshold": "conformal", "score_from": score_from, "contamination": 0.2}
    detector = make(frozen_model, **parameters).fit(CUBE)
    assert len(detector.calibration_scores_) == N / 4


def test_clones_of_a_frozen_autoencoder_cannot_be_fitted(frozen_model):
    with pytest.raises(ValueError, match=r"threshold='cv' .* FrozenEstimator does not allow"):
        make(frozen_model, threshold="cv").fit(CUBE)


@pytest.mark.parametrize(
    ("parameters", "later"),
    [
        ({"missing": "mask"}, {"missing": "error"}),
        ({}, {"objective": "predict", "horizon": 9}),
        ({"objective": "predict", "horizon": 2}, {"horizon": 9}),
        ({"objective": "composite", "horizon": 2}, {"horizon": None, "objective": "reconstruct"}),
        ({"scaling": "sequence"}, {"scaling": None, "loss": "mae"}),
    ],
    ids=["missing", "objective", "horizon", "both", "scaling"],
)
def test_what_a_frozen_autoencoder_was_fitted_with_decides(parameters, later):
    X = np.where(CUBE > 6, np.nan, CUBE) if "missing" in parameters else CUBE
    autoencoder = frozen(X, **parameters)
    expected = make(autoencoder).fit(X)
    before = expected.decision_function(X)
    autoencoder.estimator.set_params(**later)
    assert_array_equal(make(autoencoder).fit(X).decision_function(X), before)
    assert_array_equal(expected.decision_function(X), before)


def test_a_frozen_autoencoder_refuses_what_is_too_short_for_its_horizon():
    autoencoder = frozen(CUBE, objective="predict", horizon=2)
    autoencoder.estimator.set_params(horizon=1)
    with pytest.raises(ValueError, match=r"Sequence 3 of X has 2 timesteps, .* horizon=2 needs"):
        make(autoencoder).fit([*CUBE[:3], CUBE[3, :2]])


def test_a_frozen_autoencoder_must_be_fitted():
    with pytest.raises(NotFittedError):
        make(FrozenEstimator(make_autoencoder())).fit(CUBE)


def test_a_frozen_autoencoder_takes_what_it_was_fitted_on(frozen_model):
    with pytest.raises(ValueError, match="X has 3 features, but LSTMAutoencoderDetector is"):
        make(frozen_model).fit(np.zeros((10, 7, 3)))


# Life cycle ------------------------------------------------------------------------------


def test_random_state_is_set_on_the_clone_only():
    autoencoder = make_autoencoder(random_state=1)
    assert make(autoencoder, random_state=None).fit(CUBE).autoencoder_.random_state == 1
    assert make(autoencoder, random_state=2).fit(CUBE).autoencoder_.random_state == 2
    assert autoencoder.random_state == 1
    assert not hasattr(autoencoder, "weights_")


def test_the_global_random_state_is_neither_read_nor_changed():
    before = np.random.get_state()  # noqa: NPY002
    held_out = []
    for _ in range(2):
        np.random.set_state(before)  # noqa: NPY002
        detector = make(threshold="conformal", random_state=None).fit(CUBE)
        held_out.append(detector.calibration_scores_)
    assert not np.array_equal(*held_out)
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002


def test_later_parameters_change_nothing_until_the_next_fit():
    detector = make(threshold="conformal", contamination=0.2).fit(CUBE)
    before = detector.p_values(CUBE), detector.predict(CUBE)
    detector.set_params(threshold="train", score_from="code", contamination=0.5)
    detector.set_params(autoencoder__epochs=3)
    assert_array_equal([detector.p_values(CUBE), detector.predict(CUBE)], before)
    detector.fit(CUBE)
    assert detector.autoencoder_.n_epochs_ == 3
    assert (detector.predict(CUBE) == -1).sum() == N / 2


@pytest.mark.parametrize("kind", [LSTMAutoencoderDetector, LSTMAutoencoderClassifier])
def test_parameters_of_a_default_autoencoder_can_be_set(kind):
    estimator = kind().set_params(autoencoder__latent_dim=3, random_state=4)
    changed = (
        {"summary_weight": 0, "append_states": True} if kind is LSTMAutoencoderDetector else {}
    )
    expected = LSTMAutoencoderTransformer(3, **changed)
    assert estimator.autoencoder.get_params() == expected.get_params()
    assert estimator.random_state == 4
    assert clone(kind()).set_params(random_state=1).autoencoder is None
    for before in (None, make_autoencoder()):
        both = kind(before).set_params(autoencoder=None, autoencoder__latent_dim=3)
        assert both.autoencoder.get_params() == expected.get_params()
    given = kind().set_params(autoencoder=make_autoencoder(), autoencoder__epochs=7).autoencoder
    assert given.get_params() == make_autoencoder(epochs=7).get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'zzz' for estimator LSTMAutoencoderTr"):
        kind().set_params(autoencoder__zzz=3)


def test_a_search_over_a_default_autoencoder_finds_its_way():
    names = {"epochs": [1], "hidden_units": [(3,)], "latent_dim": [1, 2]}
    grid = {f"autoencoder__{name}": values for name, values in names.items()}
    y = np.where(np.arange(N) % 4, 1, -1)
    search = GridSearchCV(LSTMAutoencoderDetector(), grid, cv=2, scoring="roc_auc").fit(CUBE, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.autoencoder_.latent_dim in (1, 2)


def test_a_fit_on_other_data_replaces_everything():
    detector = make(score_from="both").fit(LAYOUTS["frames"])
    detector.set_params(score_from="reconstruction").fit(TABLE)
    expected = make().fit(TABLE)
    assert vars(detector).keys() == vars(expected).keys()
    assert detector.code_center_ is None
    assert_array_equal(detector.score_samples(TABLE), expected.score_samples(TABLE))


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_fit_that_fails_leaves_the_earlier_one(threshold):
    detector = make(threshold=threshold).fit(CUBE)
    before = dict(vars(detector))
    detector.cv = KFold(2)
    bad = np.where(np.arange(N)[:, np.newaxis, np.newaxis] == 33, np.inf, CUBE)
    with pytest.raises(ValueError, match=r"infinity .* at sequence 33"):
        detector.fit(bad)
    detector.set_params(autoencoder__learning_rate=1e30, autoencoder__epochs=3)
    with pytest.raises(ValueError, match="finite"):
        detector.fit(CUBE)
    assert vars(detector).keys() == before.keys()
    assert all(vars(detector)[name] is before[name] for name in before if name.endswith("_"))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_said_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(make(threshold="conformal"), method)(CUBE)


def test_a_clone_is_not_fitted(detector):
    copied = clone(detector)
    assert not hasattr(copied, "offset_")
    assert copied.get_params()["autoencoder__latent_dim"] == 2


# What it refuses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"contamination": 0.0}, "contamination"),
        ({"contamination": 0.6}, "contamination"),
        ({"threshold": "test"}, "threshold"),
        ({"score_from": "latent"}, "score_from"),
        ({"cv": 1.5}, "cv"),
        ({"random_state": "a"}, "random_state"),
        ({"autoencoder": PCA()}, "autoencoder"),
        ({"autoencoder__missing": "drop"}, "missing"),
        ({"autoencoder__latent_dim": 0}, "latent_dim"),
    ],
)
def test_bad_parameters_are_named(parameters, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of"):
        make().set_params(**parameters).fit(CUBE)


@pytest.mark.parametrize("threshold", CALIBRATED)
def test_too_few_rows_and_groups_to_split_are_named(threshold):
    with pytest.raises(ValueError, match=r"n_splits=4 .* n_samples=1"):
        make(threshold=threshold).fit(CUBE[:1])
    with pytest.raises(ValueError, match=r"n_splits=4 .* number of groups: 2"):
        make(threshold=threshold).fit(CUBE, groups=GROUPS % 2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(threshold=threshold).fit(CUBE, groups=GROUPS[:3])


@pytest.mark.parametrize("threshold", CALIBRATED)
def test_a_split_that_is_impossible_is_refused_before_anything_is_learned(threshold, monkeypatch):
    monkeypatch.setattr(LSTMAutoencoderTransformer, "fit", None)
    with pytest.raises(ValueError, match=r"n_splits=4 .* number of groups: 2"):
        make(threshold=threshold).fit(CUBE, groups=GROUPS % 2)
    with pytest.raises(ValueError, match=r"cv=\[\] has no split into rows to learn from"):
        make(threshold=threshold, cv=[]).fit(CUBE)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_message_counts_the_rows_of_all_of_x(threshold):
    ragged = [*RAGGED[:35], np.zeros((0, 2))]
    with pytest.raises(ValueError, match="sequence 35 has 0 timesteps"):
        make(threshold=threshold).fit(ragged)
    long = [sequence for sequence in RAGGED if len(sequence) > 3]
    autoencoder = make_autoencoder(objective="predict", horizon=3)
    with pytest.raises(ValueError, match=f"Sequence {len(long)} of X has 2 timesteps"):
        make(autoencoder, threshold=threshold).fit([*long, CUBE[0, :2]])


# Explanations ----------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_explanation_has_a_row_for_each_sequence_and_feature(layout):
    X = LAYOUTS[layout]
    detector = make().fit(X)
    table = detector.explain(X)
    assert list(table) == ["sample", "step", "feature", "error", "share"]
    features = {"3d": [0, 1], "list": [0, 1], "frames": ["u", "v"]}.get(layout, [0])
    assert len(table) == N * len(features)
    assert set(table["feature"]) == set(features)
    assert_allclose(table.groupby("sample")["share"].sum(), 1.0)
    values, per_feature = detector.errors(X, per="value"), detector.errors(X, per="feature")
    for sample, rows in table.groupby("sample"):
        assert rows["share"].is_monotonic_decreasing
        for row in rows.itertuples():
            feature = features.index(row.feature)
            assert row.error == pytest.approx(per_feature[sample, feature])
            assert values[sample, row.step, feature] == np.nanmax(values[sample, :, feature])


def test_an_explanation_names_the_feature_and_the_step_at_fault(detector):
    broken = CUBE[:5].copy()
    broken[2, 4, 1] += 40
    table = detector.explain(broken)
    first = table[table["sample"] == 2].iloc[0]
    assert (first["step"], first["feature"]) == (4, 1)
    assert first["share"] > 0.9


def test_an_explanation_takes_names_of_features(detector):
    table = detector.explain(CUBE[:2], feature_names=["inlet", "outlet"])
    numbered = detector.explain(CUBE[:2])
    assert list(table["feature"]) == [["inlet", "outlet"][number] for number in numbered["feature"]]
    for wrong in (["inlet"], "io", ["a", "b", "c"]):
        with pytest.raises(ValueError, match=r"feature_names must be a list of 2 names.* Got"):
            detector.explain(CUBE[:2], feature_names=wrong)


def test_an_explanation_says_nothing_of_a_feature_that_is_missing():
    holey = CUBE.copy()
    holey[1, :, 0] = np.nan
    table = make(make_autoencoder(missing="mask")).fit(holey).explain(holey[:3])
    assert list(table[table["sample"] == 1]["feature"]) == [1]
    assert len(table) == 5


# A frozen autoencoder reads what it was fitted on ----------------------------------------


@pytest.mark.parametrize("convert", [lambda X: X[:, :, np.newaxis], list], ids=["3d", "list"])
def test_a_detector_knows_the_columns_of_its_frozen_autoencoder(convert, tmp_path):
    autoencoder = frozen(TABLE)
    detector = make(autoencoder).fit(convert(TABLE))
    assert detector.n_features_in_ == autoencoder.n_features_in_ == TABLE.shape[1]
    save(detector, tmp_path / "detector")
    assert_array_equal(load(tmp_path / "detector").predict(TABLE), detector.predict(TABLE))
    names = pd.DataFrame(TABLE, columns=list("abcdefg"))
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing:\n- g"):
        make(frozen(names)).fit(names.iloc[:, :6])


def test_only_a_transformer_can_be_within_a_frozen_estimator():
    with pytest.raises(ValueError, match="FrozenEstimator of a PCA: freeze a fitted LSTMAutoenc"):
        make(FrozenEstimator(PCA())).fit(CUBE)
    with pytest.raises(ValueError, match="The 'autoencoder' parameter of LSTMAutoencoderDetector"):
        make(LSTMAutoencoderTransformer).fit(CUBE)


# Rows of any container -------------------------------------------------------------------


@pytest.mark.parametrize("threshold", CALIBRATED)
def test_rows_of_a_store_in_any_order_are_held_out(threshold, tmp_path):
    h5py, dd = pytest.importorskip("h5py"), pytest.importorskip("dask.dataframe")
    detector = make(threshold=threshold, cv=KFold(4, shuffle=True, random_state=0))
    scores = clone(detector).fit(TABLE).calibration_scores_
    frame = pd.DataFrame(TABLE).add_prefix("t")
    with h5py.File(tmp_path / "table.h5", "w") as file:
        for X in (file.create_dataset("table", data=TABLE), dd.from_pandas(frame, npartitions=2)):
            assert_array_equal(clone(detector).fit(X).calibration_scores_, scores)


# Splits ----------------------------------------------------------------------------------


def test_no_cv_is_five_folds():
    scores = [
        make(threshold="conformal", cv=cv).fit(CUBE, groups=GROUPS).calibration_scores_
        for cv in (None, 5)
    ]
    assert_array_equal(*scores)


def test_folds_leave_the_checkpoints_of_the_whole_fit_alone(tmp_path):
    folder = tmp_path / "checkpoints"
    autoencoder = make_autoencoder(checkpoint_dir=folder, resume=True)
    detector = make(autoencoder, threshold="cv").fit(CUBE)
    again = make(autoencoder, threshold="cv").fit(CUBE)
    assert_array_equal(again.calibration_scores_, detector.calibration_scores_)
    assert len(detector.calibration_scores_) == N
