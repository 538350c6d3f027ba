"""The transformer among scikit-learn's own tools: pipelines, searches, callbacks, frames."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rich
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from helpers import make_transformer as make
from sklearn_lstmae import LSTMAutoencoderClassifier

RNG = np.random.default_rng(0)
Y = np.arange(24) % 2
CUBE = (RNG.normal(size=(24, 6, 2)) + Y[:, np.newaxis, np.newaxis]).astype(np.float32)
RAGGED = [sequence[: 3 + row % 4] for row, sequence in enumerate(CUBE)]
LAYOUTS = pytest.mark.parametrize("X", [CUBE, RAGGED], ids=["3d", "ragged"])
NAMES = ["lstmautoencodertransformer0", "lstmautoencodertransformer1"]


@pytest.fixture(scope="module")
def model():
    return make().fit(CUBE)


# Pipelines -------------------------------------------------------------------------------


@LAYOUTS
def test_a_pipeline_is_its_steps_one_after_the_other(X):
    pipeline = make_pipeline(make(), StandardScaler(), LogisticRegression()).fit(X, Y)
    codes = StandardScaler().fit_transform(make().fit_transform(X))
    expected = LogisticRegression().fit(codes, Y).predict_proba(codes)
    assert_array_equal(pipeline.predict_proba(X), expected)
    assert_array_equal(clone(pipeline).fit(X, Y).predict_proba(X), expected)
    assert list(pipeline[:-1].get_feature_names_out()) == NAMES


def test_a_pipeline_ends_with_the_transformer_and_inverts():
    table = CUBE[:, :, 0]
    pipeline = make_pipeline(StandardScaler(), make()).fit(table)
    restored = pipeline.inverse_transform(pipeline.transform(table))
    assert restored.shape == table.shape
    assert pipeline.score(table) == pipeline[-1].score(pipeline[0].transform(table))


@LAYOUTS
def test_a_feature_union_puts_codes_beside_other_features(X):
    def lengths(sequences):
        return np.array([[len(sequence)] for sequence in sequences])

    union = FeatureUnion([("codes", make()), ("length", FunctionTransformer(lengths))])
    features = union.fit_transform(X)
    assert_array_equal(features, np.hstack([make().fit_transform(X), lengths(X)]))
    assert list(union.named_transformers["codes"].get_feature_names_out()) == NAMES


def test_a_feature_union_names_its_columns():
    union = FeatureUnion([("small", make()), ("large", make(latent_dim=3))])
    union.set_output(transform="pandas")
    frame = union.fit_transform(CUBE)
    prefix = "lstmautoencodertransformer"
    small = [f"small__{prefix}{i}" for i in range(2)]
    large = [f"large__{prefix}{i}" for i in range(3)]
    assert list(frame.columns) == small + large


@LAYOUTS
def test_codes_can_be_clustered(X):
    labels = make_pipeline(make(), KMeans(2, n_init=1, random_state=0)).fit_predict(X)
    assert set(labels) == {0, 1}


def test_a_frozen_transformer_is_not_fitted_again(model):
    frozen = clone(FrozenEstimator(model))
    frozen.fit(CUBE[:3, :, :1], None)
    assert_array_equal(frozen.transform(CUBE), model.transform(CUBE))


def test_a_scaler_of_tables_refuses_three_dimensions_in_its_own_words():
    with pytest.raises(ValueError, match="Found array with dim 3"):
        make_pipeline(StandardScaler(), make()).fit(CUBE)


# Searches --------------------------------------------------------------------------------


@LAYOUTS
def test_cross_validation_scores_by_explained_variance(X):
    scores = cross_val_score(make(), X, cv=2)
    halves = [X[:12], X[12:]]
    expected = [make().fit(halves[1 - i]).score(halves[i]) for i in range(2)]
    assert_array_equal(scores, expected)


@LAYOUTS
def test_a_search_over_latent_dim_alone(X):
    search = GridSearchCV(make(), {"latent_dim": [2, 3]}, cv=2).fit(X)
    assert search.transform(X).shape == (24, search.best_params_["latent_dim"])


SEARCH = """
    import pathlib, pickle, sys, warnings
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn_lstmae import LSTMAutoencoderTransformer

    warnings.simplefilter("ignore")
    folder = pathlib.Path(sys.argv[1])
    layouts, y, autoencoder = pickle.loads((folder / "data").read_bytes())
    pipeline = make_pipeline(autoencoder, LogisticRegression())
    grid = {"lstmautoencodertransformer__latent_dim": [2, 3]}
    results = []
    for X in layouts:
        for n_jobs in (1, 2):
            search = GridSearchCV(clone(pipeline), grid, cv=3, n_jobs=n_jobs, error_score="raise",
                                  scoring="neg_log_loss", return_train_score=True).fit(X, y)
            table = search.cv_results_
            scores = {name: table[name] for name in table if "score" in name and "time" not in name}
            results.append((scores, search.predict_proba(X)))
    (folder / "results").write_bytes(pickle.dumps(results))
"""


@pytest.mark.tensorflow
def test_a_search_in_two_processes_equals_one_in_one(tmp_path, monkeypatch):
    """Bits depend on the number of TensorFlow's threads; joblib gives its workers fewer."""
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    (tmp_path / "data").write_bytes(pickle.dumps(([CUBE, RAGGED], Y, make())))
    command = [sys.executable, "-c", textwrap.dedent(SEARCH), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    results = pickle.loads((tmp_path / "results").read_bytes())
    for one, two in (results[:2], results[2:]):
        assert one[0].keys() == two[0].keys()
        for name, scores in one[0].items():
            assert_array_equal(two[0][name], scores, err_msg=name)
        assert_array_equal(two[1], one[1])


# Callbacks -------------------------------------------------------------------------------


@pytest.fixture
def callbacks():
    """The module of scikit-learn, from version 1.9 on."""
    return pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")


@pytest.fixture
def wide_console():
    """Lines of a progress bar are not cut off."""
    rich.reconfigure(width=200)
    yield
    rich.reconfigure()


def explained_variance(estimator, X, y):
    return estimator.score(X)


@pytest.fixture
def monitor(callbacks):
    return callbacks.ScoringMonitor(scoring={"explained": explained_variance})


def epochs_of(monitor):
    return [row["explained"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True, "patience": 2}], ids=str)
@pytest.mark.filterwarnings("ignore:All 2 epochs were run")  # two epochs cannot stop early
@LAYOUTS
def test_a_monitor_scores_each_epoch(X, parameters, monitor):
    model = make(**parameters).set_callbacks(monitor).fit(X, Y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit", "epoch", "epoch"]
    assert rows[0]["explained"] == model.score(X)
    assert epochs_of(monitor)[model.best_epoch_ - 1] == model.score(X)
    assert len(set(epochs_of(monitor))) == 2


def test_callbacks_leave_the_result_alone(model, monitor, callbacks):
    watched = make().set_callbacks(monitor, callbacks.ProgressBar()).fit(CUBE, Y)
    assert watched.history_ == model.history_
    assert_array_equal(watched.transform(CUBE), model.transform(CUBE))
    added = vars(watched).keys() - vars(model).keys()
    assert added == {"_skl_callbacks"}
    with pytest.raises(ValueError, match="0 sample"):
        watched.fit(CUBE[:0])
    assert vars(watched).keys() - vars(model).keys() == added  # torn down after a failure, too


def test_a_monitor_in_a_pipeline(monitor, model):
    pipeline = make_pipeline(make().set_callbacks(monitor), LogisticRegression()).fit(CUBE, Y)
    assert len(epochs_of(monitor)) == 2
    assert epochs_of(monitor)[-1] == pipeline[0].score(CUBE) == model.score(CUBE)


def test_a_monitor_in_a_search(monitor):
    pipeline = make_pipeline(make().set_callbacks(monitor), LogisticRegression())
    grid = {"lstmautoencodertransformer__latent_dim": [2, 3]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(CUBE, Y)
    assert len(epochs_of(monitor)) == 2 * (2 * 2 + 1)  # epochs of each fold and of the last fit
    assert search.best_estimator_[0].score(CUBE) in epochs_of(monitor)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda bar: make().set_callbacks(bar),
        lambda bar: make_pipeline(make(), LogisticRegression()).set_callbacks(bar),
        lambda bar: GridSearchCV(
            make_pipeline(make(), LogisticRegression()),
            {"lstmautoencodertransformer__latent_dim": [2, 3]},
            cv=2,
        ).set_callbacks(bar),
    ],
    ids=["alone", "pipeline", "search"],
)
def test_a_progress_bar_names_the_estimator_and_ends(wrap, callbacks, capfd, wide_console):
    wrap(callbacks.ProgressBar(max_propagation_depth=None)).fit(CUBE, Y)
    said = capfd.readouterr()
    lines = [line for line in said.out.splitlines() if "LSTMAutoencoderTransformer" in line]
    assert lines
    for line in lines:
        assert "100%" in line
    assert said.err == ""


def test_a_callback_can_stop_training(callbacks):
    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            return context.task_name == "epoch" and context.task_id == 2

    model = make(epochs=9).set_callbacks(Stop()).fit(CUBE)
    assert model.n_epochs_ == len(model.history_["loss"]) == 3


def test_a_callback_that_fails_ends_the_fit_and_changes_nothing(callbacks, model):
    class Fail:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            raise KeyboardInterrupt

    watched = pickle.loads(pickle.dumps(model))
    watched.set_params(epochs=5).set_callbacks(Fail())
    with pytest.raises(KeyboardInterrupt):
        watched.fit(CUBE)
    assert_array_equal(watched.transform(CUBE), model.transform(CUBE))
    assert watched.n_epochs_ == 2
    watched.set_callbacks()
    assert vars(watched).keys() == vars(model).keys()


@pytest.fixture
def recorder(callbacks):
    """A callback that notes the tasks that begin and end, and with a fitted estimator or not."""

    class Recorder:
        def __init__(self):
            self.events = []

        def setup(self, estimator, context): ...

        def teardown(self, estimator, context):
            self.events.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            self.events.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            ended = "end" if fitted_estimator is not None else "fail"
            self.events.append(f"{ended} {context.task_name}")

    return Recorder()


EPOCH = ["begin epoch", "end epoch"]
FAILURES = {
    "data": ({}, CUBE[:0], ValueError, []),
    "divergence": ({"learning_rate": 1e30, "optimizer": "sgd"}, CUBE, ValueError, []),
    "warning": ({"learning_rate": 1e-9}, CUBE, ConvergenceWarning, 2 * EPOCH),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("method", "failure"),
    [*(("fit", each) for each in FAILURES), ("partial_fit", "data"), ("partial_fit", "divergence")],
)
def test_callbacks_hear_that_a_fit_failed(method, failure, recorder):
    parameters, X, error, epochs = FAILURES[failure]
    watched = make(**parameters).set_callbacks(recorder)
    with pytest.raises(error):
        getattr(watched, method)(X)
    assert recorder.events == ["begin fit", *epochs, "fail fit", "teardown"]


def test_callbacks_hear_once_that_a_fit_ended(recorder):
    make().set_callbacks(recorder).fit(CUBE)
    assert recorder.events == ["begin fit", *EPOCH, *EPOCH, "end fit", "teardown"]


def test_callbacks_hear_that_the_fit_of_a_classifier_failed(recorder):
    classifier = LSTMAutoencoderClassifier(make(), learning_rate=1e30, epochs=2, random_state=0)
    with pytest.raises(ValueError, match="stopped being finite"):
        classifier.set_callbacks(recorder).fit(CUBE, Y)
    assert recorder.events == ["begin fit", *EPOCH, "fail fit", "teardown"]


def test_a_callback_that_fails_at_the_end_does_not_hide_why_a_fit_failed(callbacks):
    class Fail:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            raise LookupError

    with pytest.raises(ValueError, match="0 sample"):
        make().set_callbacks(Fail()).fit(CUBE[:0])


# Frames ----------------------------------------------------------------------------------

FRAMES = pytest.mark.parametrize(
    ("container", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)]
)


@FRAMES
@pytest.mark.parametrize(
    "X",
    [CUBE, RAGGED, CUBE[:, :, 0], [pd.DataFrame(x, columns=["u", "v"]) for x in RAGGED]],
    ids=["3d", "ragged", "2d", "frames"],
)
def test_set_output(X, container, kind):
    model = make().set_output(transform=container)
    frame = model.fit_transform(X)
    assert isinstance(frame, kind)
    assert list(frame.columns) == NAMES
    assert_array_equal(frame.to_numpy(), make().fit_transform(X))
    assert isinstance(model.transform(X), kind)
    assert_allclose(model.inverse_transform(frame)[0], model.inverse_transform(frame.to_numpy())[0])


def test_a_frame_keeps_its_index_and_names():
    table = pd.DataFrame(CUBE[:, :, 0], columns=list("abcdef"), index=np.arange(24) * 10)
    model = make().set_output(transform="pandas")
    assert_array_equal(model.fit_transform(table).index, table.index)
    assert_array_equal(model.feature_names_in_, table.columns)
    with pytest.raises(ValueError, match=r"must be in the same order"):
        model.transform(table[list("bacdef")])


def test_names_of_features_name_what_scaling_by_sequence_appends():
    X = [pd.DataFrame(x, columns=["u", "v"]) for x in RAGGED]
    model = make(scaling="sequence").set_output(transform="pandas").fit(X)
    appended = ["mean_u", "mean_v", "log_deviation_u", "log_deviation_v"]
    assert list(model.transform(X).columns) == NAMES + appended
    assert_array_equal(model.feature_names_in_, ["u", "v"])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.transform(RAGGED)
