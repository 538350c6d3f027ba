"""The statistics of the encoder's outputs that `append_states` appends to the codes."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.covariance import LedoitWolf
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import (
    LatentTraversalDisplay,
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    export_onnx,
    latent_importance,
    load,
    save,
)
from sklearn_lstmae.keras_models import classifier_fn

# Few epochs are often no better than the mean: the warning says the truth.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:All 3 epochs were run:sklearn.exceptions.ConvergenceWarning",
)

LENGTHS = [9, 5, 7, 12, 4, 6, 8, 9]
RNG = np.random.default_rng(0)
X = [(50 + 3 * RNG.normal(size=(length, 2))).astype(np.float32) for length in LENGTHS]
GAPPED = [np.where(RNG.uniform(size=x.shape) < 0.2, np.nan, x) for x in X]
Y = np.arange(8) % 2

CASES = {
    "default": {},
    "frames, scaled by sequence": {"scaling": "sequence", "patch_size": 2},
    "state bottleneck alone": {"bottleneck": "hidden_cell", "hidden_units": ()},
    "stacked, with gaps": {"hidden_units": (3, 4), "missing": "mask", "pooling": "all"},
    "one way": {"bidirectional": False, "patch_size": 3},
    "composite, conditional": {"objective": "composite", "horizon": 2, "conditional": True},
    "variational": {"kl_weight": 0.1},
}
STATES = ["mean", "deviation", "maximum", "minimum"]


def make(append_states=True, **parameters):
    small = {"latent_dim": 3, "hidden_units": (5,), "epochs": 2, "random_state": 0}
    return LSTMAutoencoderTransformer(append_states=append_states, **small | parameters)


def data(model):
    return GAPPED if model.missing == "mask" else X


@pytest.fixture(scope="module")
def models():
    """Fitted models of all cases."""
    made = {name: make(**parameters) for name, parameters in CASES.items()}
    return {name: model.fit(data(model)) for name, model in made.items()}


@pytest.fixture(params=CASES)
def model(request, models):
    return models[request.param]


def as_batch(sequences):
    """Arrays (n, T, 2) and (n, T): values, NaN in the padding, and mask."""
    width = max(map(len, sequences))
    values = np.full((len(sequences), width, 2), np.nan, np.float32)
    mask = np.zeros((len(sequences), width), bool)
    for row, place, sequence in zip(values, mask, sequences, strict=True):
        row[: len(sequence)], place[: len(sequence)] = sequence, True
    return values, mask


# Laws ------------------------------------------------------------------------------------


def test_they_follow_the_columns_of_the_code(model):
    plain = clone(model).set_params(append_states=False).fit(data(model))
    codes, columns = plain.transform(data(model)), model.transform(data(model))
    assert_array_equal(columns[:, : codes.shape[1]], codes)
    for weight, other in zip(plain.weights_, model.weights_, strict=True):
        assert_array_equal(weight, other)


def test_each_has_a_name(model):
    names = model.get_feature_names_out().tolist()
    last = 1 + model.bidirectional if model.bottleneck == "dense" else 1
    n_outputs = last * (model.hidden_units[-1] if model.bottleneck == "dense" else model.latent_dim)
    expected = [f"lstmautoencodertransformer_{k}_{i}" for k in STATES for i in range(n_outputs)]
    assert names[-len(expected) :] == expected
    assert len(set(names)) == len(names) == model.transform(data(model)).shape[1]


def test_they_are_statistics_of_the_outputs_over_real_frames():
    """Of the output of Keras' own layers, sequence by sequence."""
    model = make(patch_size=1).fit(X)
    import keras

    encoder = model.to_keras()
    names = ["encoder_0_forward", "encoder_0_backward"]
    layers = [encoder.get_layer(name).output[0] for name in names]
    outputs = keras.Model(encoder.inputs, layers)
    for sequence, row in zip(X, model.transform(X), strict=True):
        scaled = ((sequence - model.mean_) / model.scale_)[np.newaxis].astype(np.float32)
        each = outputs([scaled, np.ones((1, len(sequence)), bool)])
        series = np.concatenate([np.asarray(array)[0] for array in each], axis=1)
        statistics = [series.mean(0), series.std(0), series.max(0), series.min(0)]
        assert_allclose(row[3:], np.concatenate(statistics), atol=2e-6)


def test_a_row_depends_on_no_other_and_not_on_padding(model):
    rows = data(model)
    together = model.transform(rows)
    for row, expected in zip(rows, together, strict=True):
        assert_array_equal(model.transform([row])[0], expected)
    order = np.random.default_rng(1).permutation(len(rows))
    assert_array_equal(model.transform([rows[i] for i in order]), together[order])


def test_a_constant_output_has_no_deviation():
    with pytest.warns(UserWarning, match="has one step"):
        model = make(patch_size=1).fit([x[:1] for x in X])  # sequences of one frame
    states = model.transform([x[:1] for x in X])[:, 3:].reshape(8, 4, -1)
    assert_array_equal(states[:, 0], states[:, 2])
    assert_array_equal(states[:, 0], states[:, 3])
    assert states[:, 1].max() <= 1e-6


def test_decoding_ignores_them(model):
    columns = model.transform(data(model))
    other = columns.copy()
    n_states = len([n for n in model.get_feature_names_out() if "transformer_" in n])
    other[:, -n_states:] = RNG.normal(size=(8, n_states))
    expected = model.inverse_transform(columns)
    assert_array_equal(model.inverse_transform(other), expected)
    assert_array_equal(model.inverse_transform(columns[:, :-n_states]), expected)
    with pytest.raises(ValueError, match=f"columns, but the codes of .* have {columns.shape[1]}"):
        model.inverse_transform(columns[:, : -n_states + 1])


# What else knows them --------------------------------------------------------------------


def test_files_and_pickles_keep_them(model, tmp_path):
    expected = model.transform(data(model))
    save(model, tmp_path / "model")
    for copy in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(copy.transform(data(model)), expected)


def test_onnx_files_output_them(model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    export_onnx(model, tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    x, mask = as_batch(data(model))
    [columns] = session.run(None, {"x": x, "mask": mask})
    assert_allclose(columns, model.transform(data(model)), atol=1e-5)
    assert session.get_outputs()[0].shape == ["n", columns.shape[1]]


@pytest.mark.parametrize("name", ["default", "stacked, with gaps", "one way"])
def test_keras_models_output_them(name, models):
    model = models[name]
    x, mask = as_batch(data(model))
    scaled = ((x - model.mean_) / model.scale_).astype(np.float32)
    columns = model.to_keras().predict([scaled, mask], verbose=0)
    assert_allclose(columns, model.transform(data(model)), atol=1e-5)
    outputs = model.to_keras("autoencoder").predict([scaled, mask], verbose=0)
    assert outputs.shape == x.shape


def test_heads_of_keras_read_them():
    model = make(scaling="sequence").fit(np.stack([x[:4] for x in X]))
    classifier = classifier_fn(model, 2)()
    assert classifier.layers[-1].kernel.shape[0] == len(model.get_feature_names_out())


def test_pipelines_searches_and_data_frames_take_them():
    pd = pytest.importorskip("pandas")
    equal = np.stack([x[:4, 0] for x in X])
    pipeline = make_pipeline(make(), StandardScaler(), RidgeClassifier())
    grid = {"lstmautoencodertransformer__append_states": [False, True]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(equal, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    frame = pd.DataFrame(equal, columns=list("abcd"))
    union = ColumnTransformer([("codes", make(), list("abcd"))]).set_output(transform="pandas")
    columns = union.fit_transform(frame).columns
    assert columns[-1] == "codes__lstmautoencodertransformer_minimum_9"


def test_detectors_have_them_in_distances(tmp_path):
    detector = LSTMAutoencoderDetector(make(), score_from="code", random_state=0).fit(X)
    columns = detector.autoencoder_.transform(X).astype(float)
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    squares = LedoitWolf().fit(standard).mahalanobis(standard)
    assert_allclose(detector.score_samples(X), -np.sqrt(squares))
    save(detector, tmp_path / "detector")
    assert_array_equal(load(tmp_path / "detector").score_samples(X), detector.score_samples(X))


def test_distances_of_earlier_detectors_have_none(tmp_path):
    detector = LSTMAutoencoderDetector(make(), score_from="code", random_state=0).fit(X)
    plain = LSTMAutoencoderDetector(make(False), score_from="code", random_state=0).fit(X)
    expected = plain.score_samples(X)
    for name in ("code_center_", "code_precision_", "offset_", "calibration_scores_"):
        setattr(detector, name, getattr(plain, name))
    assert_array_equal(detector.score_samples(X), expected)
    save(detector, tmp_path / "detector")
    assert_array_equal(load(tmp_path / "detector").score_samples(X), expected)
    detector.code_center_ = np.zeros(plain.code_center_.size + 1)
    with pytest.raises(ValueError, match=r"'code_center_' is an array of float64 of shape"):
        save(detector, tmp_path / "odd")


@pytest.mark.parametrize("fine_tune", [True, False])
def test_classifiers_read_them(fine_tune, tmp_path):
    autoencoder = make(scaling="sequence").fit(X)
    frozen = FrozenEstimator(autoencoder)
    classifier = LSTMAutoencoderClassifier(
        frozen, epochs=3, fine_tune=fine_tune, early_stopping=True, validation_fraction=0.25,
        random_state=0,
    )  # fmt: skip
    classifier.fit(X, Y)
    assert classifier.weights_[-2].shape == (len(autoencoder.get_feature_names_out()), 2)
    # The states of the tuned encoder are read, not those of the autoencoder.
    encoder = clone(autoencoder).fit(X)
    n_encoder = len(classifier.weights_) - 2
    encoder.weights_ = [*classifier.weights_[:n_encoder], *autoencoder.weights_[n_encoder:]]
    columns, (kernel, bias) = encoder.transform(X).astype(np.float64), classifier.weights_[-2:]
    scores = columns @ kernel + bias
    expected = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
    assert_allclose(classifier.predict_proba(X), expected, rtol=1e-9)
    save(classifier, tmp_path / "classifier")
    loaded = load(tmp_path / "classifier")
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


def test_pictures_and_shares_leave_them_out():
    model = make().fit(X)
    assert len(latent_importance(model, X)) == 3
    display = LatentTraversalDisplay.from_estimator(model, X)
    assert max(display.columns) < 3
    for column in (3, "lstmautoencodertransformer_mean_0"):
        with pytest.raises(ValueError, match="columns"):
            LatentTraversalDisplay.from_estimator(model, X, columns=[column])


def test_training_goes_on_with_other_columns(tmp_path):
    model = make().fit(X)
    expected = make(False).fit(X).partial_fit(X)
    model.set_params(append_states=False).partial_fit(X)
    assert_array_equal(model.transform(X), expected.transform(X))
    stopped = make(checkpoint_dir=tmp_path).fit(X)
    resumed = clone(stopped).set_params(append_states=False, resume=True).fit(X)
    assert_array_equal(resumed.transform(X), stopped.transform(X)[:, :3])


def test_models_of_before_have_none(model, tmp_path):
    """Files and pickles of earlier versions have no such entry in their configuration."""
    before = pickle.loads(pickle.dumps(model))
    del before.configuration_["append_states"]
    save(before, tmp_path / "before")
    plain = load(tmp_path / "before")
    codes = plain.transform(data(model))
    assert_array_equal(codes, model.transform(data(model))[:, : codes.shape[1]])
    assert not [name for name in plain.get_feature_names_out() if "transformer_" in name]
