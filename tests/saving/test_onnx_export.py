"""An exported file says what the transformer says, in a runtime that knows nothing of it."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    export_onnx,
)
from sklearn_lstmae import _file_container as container
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

# Drawn weights are no better than the mean: the warning says the truth.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:activation='relu' lets:UserWarning",
)

RNG = np.random.default_rng(0)
LENGTHS = np.array([7, 5, 4, 7, 6, 4])
CUBE = (50 + [2, 0.1] * RNG.normal(size=(6, 7, 2))).astype(np.float32)
MASK = np.arange(7) < LENGTHS[:, np.newaxis]
HOLEY = np.where(RNG.uniform(size=CUBE.shape) < 0.2, np.float32(np.nan), CUBE)
HOLEY[4, :, 0] = np.nan

CASES = {
    "default": {},
    "frames of 3": {"patch_size": 3, "pooling": "mean", "reverse_target": False},
    "frames longer than T": {"patch_size": 9, "pooling": "last"},
    "one way, stacked": {
        "bidirectional": False,
        "hidden_units": (3, 4),
        "decoder_start": "state",
        "time_encoding": False,
    },
    "both ways, stacked": {"hidden_units": (4, 3), "decoder_start": "input", "scaling": None},
    "missing": {"missing": "mask"},
    "missing, sequences scaled": {"missing": "mask", "patch_size": 2, "scaling": "sequence"},
    "sequences scaled": {"scaling": "sequence"},
    "hidden": {"bottleneck": "hidden", "activation": "relu"},
    "the tutorials' network": {
        "bottleneck": "hidden",
        "hidden_units": (),
        "decoder_start": "input",
        "time_encoding": False,
        "reverse_target": False,
    },
    "cell": {"bottleneck": "cell", "time_encoding": False, "decoder_start": "state"},
    "both states": {"bottleneck": "hidden_cell", "decoder_start": "state"},
    "variational": {"kl_weight": 0.1},
    "conditional": {"conditional": True, "hidden_units": (3, 4)},
    "conditional, from states": {
        "conditional": True,
        "bottleneck": "cell",
        "time_encoding": False,
        "decoder_start": "state",
        "patch_size": 2,
    },
    "predict": {"objective": "predict"},
    "predict 2, missing": {"objective": "predict", "horizon": 2, "missing": "mask"},
    "mae": {"loss": "mae"},
    "huber": {"loss": "huber"},
    "states appended": {"append_states": True},
    "composite": {"objective": "composite", "horizon": 3, "scaling": "sequence"},
    "composite, conditional": {
        "objective": "composite",
        "horizon": 2,
        "conditional": True,
        "patch_size": 3,
    },
}


def make(**parameters):
    return LSTMAutoencoderTransformer(**{"latent_dim": 2, "hidden_units": (3,)} | parameters)


def draw(objective, *_, **__):
    """In place of training, which would take most of the time: large weights, biases too."""
    weights = [RNG.normal(size=shape).astype("f4") for shape in objective.shapes]
    return TrainingProgress(TrainingState(weights, []), weights, 1, {"loss": [1.0]})


class Case:
    """A transformer, and sequences of unequal length."""

    def __init__(self, parameters):
        self.x = HOLEY if parameters.get("missing") == "mask" else CUBE
        self.rows = [row[:length] for row, length in zip(self.x, LENGTHS, strict=True)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sklearn_lstmae.training.loop.train", draw)
            self.model = make(**parameters).fit(self.rows)

    def expected(self):
        """What the transformer says, by name of output."""
        model, decoders = self.model, self.model.configuration_["architecture"]["decoders"]
        outputs = {"code": model.transform(self.rows)}
        if "reconstruct" in decoders:
            outputs["reconstruction"] = padded(model.reconstruct(self.rows, task="reconstruct"), 7)
        if "predict" in decoders and model.horizon:
            outputs["prediction"] = model.forecast(self.rows)
        elif "predict" in decoders:
            outputs["prediction"] = padded(model.reconstruct(self.rows, task="predict"), 6)
        return outputs


def padded(sequences, width):
    """Arrays (T_i, F) -> (n, T, F), NaN after the ends."""
    widths = [(0, width - len(sequence)) for sequence in sequences]
    return np.stack(
        [
            np.pad(sequence, [more, (0, 0)], constant_values=np.nan)
            for sequence, more in zip(sequences, widths, strict=True)
        ]
    )


def run(path, x, mask):
    """The outputs of a file, by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"x": x, "mask": mask}), strict=True))


def close(outputs, expected):
    assert outputs.keys() == expected.keys()
    for name, output in outputs.items():
        assert output.dtype == np.float32
        assert_allclose(output, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def cases():
    """A function of a name in CASES."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = Case(CASES[name])
        return made[name]

    return get


@pytest.mark.parametrize("name", CASES)
def test_a_file_says_what_the_transformer_says(name, cases, tmp_path):
    case = cases(name)
    expected = case.expected()
    assert np.abs(np.diff(expected["code"], axis=0)).max() > 1e-3
    path = tmp_path / "encoder.onnx"
    export_onnx(case.model, path)
    onnx.checker.check_model(path, full_check=True)
    close(run(path, case.x, MASK), {"code": expected.pop("code")})
    export_onnx(case.model, path, part="autoencoder")
    onnx.checker.check_model(path, full_check=True)
    close(run(path, case.x, MASK), expected)


def test_length_and_number_of_sequences_are_free(cases, tmp_path):
    model, path = cases("frames of 3").model, tmp_path / "model.onnx"
    export_onnx(model, path, part="autoencoder")
    for x in (CUBE[:1, :1], np.tile(CUBE, (3, 4, 1))):
        expected = {"reconstruction": model.reconstruct(x)}
        close(run(path, x, np.ones(x.shape[:2], bool)), expected)


@pytest.mark.parametrize("name", ["frames of 3", "missing", "sequences scaled"])
@pytest.mark.parametrize("garbage", [7.0, np.nan, np.inf])
def test_padding_is_not_read(name, garbage, cases, tmp_path):
    case, path = cases(name), tmp_path / "encoder.onnx"
    export_onnx(case.model, path)
    dirty = np.where(MASK[:, :, np.newaxis], case.x, np.float32(garbage))
    expected = run(path, np.where(MASK[:, :, np.newaxis], case.x, np.float32(0)), MASK)
    assert_array_equal(run(path, dirty, MASK)["code"], expected["code"])


@pytest.mark.parametrize("name", ["default", "cell", "missing", "sequences scaled", "conditional"])
@pytest.mark.parametrize("part", ["encoder", "autoencoder"])
def test_what_transform_would_refuse_is_nan(name, part, cases, tmp_path):
    case, path = cases(name), tmp_path / "model.onnx"
    export_onnx(case.model, path, part)
    x, mask = case.x.copy(), MASK.copy()
    x[1, 2:3] = np.nan
    if name == "missing":
        x[1] = np.nan
    x[2, 3, 1] = -np.inf
    mask[3] = False
    [clean], [dirty] = run(path, case.x, MASK).values(), run(path, x, mask).values()
    assert np.isnan(dirty[[1, 2, 3]]).all()
    assert_array_equal(dirty[[0, 4, 5]], clean[[0, 4, 5]])


@pytest.mark.parametrize("name", ["sequences scaled", "missing, sequences scaled"])
def test_a_constant_sequence_is_the_least_lively(name, cases, tmp_path):
    model, path = cases(name).model, tmp_path / "encoder.onnx"
    export_onnx(model, path)
    x = CUBE.copy()
    x[:3, :, 0] = np.float32([[0.1], [0.0], [-1e7]])
    x[3, ::2, 0], x[3, 1::2, 0] = 7.3, np.nextafter(np.float32(7.3), np.float32(8))
    code = model.transform(x)
    assert_allclose(code[:4, -2], np.log(model.scale_[0]), rtol=1e-6)
    close(run(path, x, np.ones_like(MASK)), {"code": code})
    export_onnx(model, path, part="autoencoder")
    [rebuilt] = run(path, x, np.ones_like(MASK)).values()
    assert_allclose(rebuilt, model.reconstruct(x), rtol=1e-5, atol=1e-5)


def with_moments(model, mean, scale):
    """A copy of a transformer as fitted to other values."""
    model = copy.deepcopy(model)
    model.mean_, model.scale_ = np.array(mean), np.array(scale)
    return model


@pytest.mark.parametrize("part", ["encoder", "autoencoder"])
@pytest.mark.parametrize(
    ("name", "mean", "scale", "features"),
    [
        ("default", [1e6, 0.0], [0.7, 1e-9], r"\[0\]"),
        ("default", [-1e3, 3e9], [0.7, 1e3], r"\[1\]"),
        ("missing", [1e6, 48.5], [1.0, 1e-6], r"\[0, 1\]"),
        ("sequences scaled", [1e6, 3.0], [0.1, 0.1], r"\[0\]"),
    ],
)
def test_levels_that_float32_cannot_hold_are_named(
    name, mean, scale, features, part, cases, tmp_path
):
    model = with_moments(cases(name).model, mean, scale)
    match = rf"of the features {features} is less than 1e-05 of their mean.* Subtract a level"
    with pytest.warns(UserWarning, match=match) as caught:
        export_onnx(model, tmp_path / "model.onnx", part)
    assert caught[0].filename == __file__
    model.feature_names_in_ = np.array(["north", "east"], dtype=object)
    with pytest.warns(UserWarning, match="north|east"):
        export_onnx(model, tmp_path / "model.onnx", part)


@pytest.mark.filterwarnings("error")
def test_no_level_is_named_where_the_transformer_rounds_alike(cases, tmp_path):
    model = with_moments(cases("both ways, stacked").model, [1e9, 1e9], [1.0, 1.0])
    export_onnx(model, tmp_path / "model.onnx")
    export_onnx(with_moments(cases("default").model, [1e4, 14.62], [0.7, 1.0]), tmp_path / "m.onnx")


def test_a_table_is_sequences_of_one_feature(tmp_path):
    table, path = CUBE[:, :, 0], tmp_path / "encoder.onnx"
    model = make(epochs=1).fit(table)
    export_onnx(model, path)
    x = table[:, :, np.newaxis]
    close(run(path, x, np.ones(table.shape, bool)), {"code": model.transform(table)})


def test_settings_after_fit_change_nothing(cases, tmp_path):
    case, path = cases("default"), tmp_path / "encoder.onnx"
    export_onnx(case.model, path)
    before = path.read_bytes()
    case.model.set_params(latent_dim=5, scaling=None)
    export_onnx(case.model, path)
    case.model.set_params(latent_dim=2, scaling="feature")
    assert path.read_bytes() == before


def test_inputs_and_outputs_are_described(cases, tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(cases("composite").model, path, part="autoencoder")
    session = onnxruntime.InferenceSession(path)
    described = {each.name: each.shape for each in session.get_inputs() + session.get_outputs()}
    assert described == {
        "x": ["n", "T", 2],
        "mask": ["n", "T"],
        "reconstruction": ["n", "T", 2],
        "prediction": ["n", 3, 2],
    }
    export_onnx(cases("sequences scaled").model, path)
    [code] = onnxruntime.InferenceSession(path).get_outputs()
    assert (code.name, code.shape, code.type) == ("code", ["n", 6], "tensor(float)")


WITHOUT_TENSORFLOW = """
import pickle, sys
from sklearn_lstmae import export_onnx
with open("model.pickle", "rb") as file:
    export_onnx(pickle.load(file), "model.onnx", part="autoencoder")
assert not {"tensorflow", "keras"} & sys.modules.keys()
"""


def test_exporting_does_not_import_tensorflow(cases, tmp_path):
    case = cases("conditional")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(case.model))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW], cwd=tmp_path, env=environment, check=True
    )
    expected = case.expected()["reconstruction"]
    close(run(tmp_path / "model.onnx", case.x, MASK), {"reconstruction": expected})


def test_an_old_file_stays_if_the_new_one_cannot_be_written(cases, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container.os, "replace", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*model\.onnx"):
        export_onnx(cases("default").model, path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("part", ["decoder", None, ["encoder"]])
def test_an_unknown_part_is_refused(part, cases, tmp_path):
    with pytest.raises(ValueError, match=r"part=.* is not one of \['encoder', 'autoencoder'\]"):
        export_onnx(cases("default").model, tmp_path / "model.onnx", part)
    assert not list(tmp_path.iterdir())


def test_an_unfitted_transformer_is_refused(tmp_path):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        export_onnx(make(), tmp_path / "model.onnx")


@pytest.mark.parametrize("wrong", [None, LSTMAutoencoderTransformer, PCA(), FrozenEstimator(PCA())])
def test_what_is_none_of_ours_is_refused(wrong, tmp_path):
    message = "takes one of LSTMAutoencoderTransformer, .*Classifier, LSTMAutoencoderDetector. Got "
    with pytest.raises(TypeError, match=message):
        export_onnx(wrong, tmp_path / "model.onnx")


def test_of_a_pipeline_or_a_search_the_part_to_export_is_named(tmp_path):
    pipeline = make_pipeline(make(), StandardScaler(), LogisticRegression())
    message = (
        r"'standardscaler': 'StandardScaler', .*, pipeline\[name\]\. .* not include other steps"
    )
    with pytest.raises(TypeError, match=message):
        export_onnx(pipeline, tmp_path / "model.onnx")
    search = GridSearchCV(make(), {"latent_dim": [2]})
    search.best_estimator_ = make()
    with pytest.raises(TypeError, match="For a search, export best_estimator_"):
        export_onnx(search, tmp_path / "model.onnx")


@pytest.mark.parametrize("kind", [LSTMAutoencoderClassifier, LSTMAutoencoderDetector])
def test_parts_are_of_a_transformer_only(kind, cases, tmp_path):
    estimator = kind(FrozenEstimator(cases("default").model))
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        export_onnx(estimator, tmp_path / "model.onnx")
    if kind is LSTMAutoencoderDetector:
        estimator.fit(CUBE)
    else:
        estimator.weights_ = []
    message = rf"part='autoencoder' is only used with a transformer; a {kind.__name__} has one"
    with pytest.raises(ValueError, match=message):
        export_onnx(estimator, tmp_path / "model.onnx", part="autoencoder")
    with pytest.raises(ValueError, match=r"part='all' is not one of"):
        export_onnx(estimator, tmp_path / "model.onnx", part="all")
    assert not list(tmp_path.iterdir())


# Classifiers and detectors ---------------------------------------------------------------


def classify(case, labels, **parameters):
    """A classifier with drawn weights, not all of them large."""

    def draw_small(objective, *arguments, **options):
        progress = draw(objective)
        return TrainingProgress(progress.state, [w / 3 for w in progress.weights], 1, {"loss": [1]})

    parameters = {"epochs": 1, "random_state": 0} | parameters
    classifier = LSTMAutoencoderClassifier(FrozenEstimator(case.model), **parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_lstmae.training.loop.train", draw_small)
        return classifier.fit(case.rows, labels)


CLASSIFIED = {
    "default": (["a", "b", "c"], True),
    "frames of 3": ([True, False, False], True),
    "missing, sequences scaled": ([3, 1, 2], True),
    "composite": ([0.0, 1.0, 1.0], False),
    "states appended": (np.array(["2024", "2025", "2026"], "M8[D]"), True),
    "variational": ([5, 7, 7], True),
}


@pytest.mark.parametrize("name", CLASSIFIED)
def test_a_classifier_gives_its_probabilities(name, cases, tmp_path):
    labels, fine_tune = CLASSIFIED[name]
    case, path = cases(name), tmp_path / "classifier.onnx"
    classifier = classify(case, np.array(labels)[np.arange(6) % 3], fine_tune=fine_tune)
    export_onnx(classifier, path)
    onnx.checker.check_model(path, full_check=True)
    expected = classifier.predict_proba(case.rows)
    assert np.ptp(expected) > 0.1
    close(run(path, case.x, MASK), {"probabilities": expected})
    session = onnxruntime.InferenceSession(path)
    [output] = session.get_outputs()
    assert output.shape == ["n", len(classifier.classes_)]
    names = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    assert_array_equal(np.array(names, classifier.classes_.dtype), classifier.classes_)
    assert names == [str(each) if name == "states appended" else each for each in names]


def detect(model, **parameters):
    parameters = {"contamination": 0.3, "random_state": 0, "cv": 2} | parameters
    return LSTMAutoencoderDetector(FrozenEstimator(model), **parameters)


def judged(detector, X):
    """What a detector says, by name of output."""
    return {
        "score": detector.score_samples(X),
        "threshold": detector.offset_,
        "decision": detector.decision_function(X),
    }


DETECTED = [
    "default", "frames of 3", "frames longer than T", "both ways, stacked", "missing",
    "missing, sequences scaled", "sequences scaled", "conditional", "predict", "composite",
    "composite, conditional", "predict 2, missing", "mae", "huber", "states appended",
]  # fmt: skip


@pytest.mark.parametrize("score_from", ["reconstruction", "code", "both"])
@pytest.mark.parametrize("name", DETECTED)
def test_a_detector_gives_scores_and_threshold(name, score_from, cases, tmp_path):
    case, path = cases(name), tmp_path / "detector.onnx"
    detector = detect(case.model, score_from=score_from).fit(case.rows)
    export_onnx(detector, path)
    onnx.checker.check_model(path, full_check=True)
    expected = judged(detector, case.rows)
    assert np.ptp(expected["score"]) > 1e-2
    outputs = run(path, case.x, MASK)
    assert outputs.keys() == expected.keys()
    for key, output in outputs.items():
        assert output.dtype == np.float32
        assert_allclose(output, expected[key], rtol=1e-4, atol=1e-4, err_msg=key)
    if name in ["default", "composite, conditional"]:  # alone and with garbage on the padding
        alone = run(path, case.x[1:2, :5], MASK[1:2, :5])
        assert_allclose(alone["score"], outputs["score"][1:2], rtol=1e-6)
        dirty = np.where(MASK[:, :, np.newaxis], case.x, np.float32(np.inf))
        assert_array_equal(run(path, dirty, MASK)["score"], outputs["score"])


def test_a_threshold_of_minus_infinity_finds_nothing(cases, tmp_path):
    case, path = cases("default"), tmp_path / "detector.onnx"
    detector = detect(case.model, threshold="conformal", contamination=0.05)
    with pytest.warns(UserWarning, match="finds nothing"):
        detector.fit(case.rows)
    export_onnx(detector, path)
    outputs = run(path, case.x, MASK)
    assert outputs["threshold"] == -np.inf
    assert_array_equal(outputs["decision"], np.full(6, np.inf))


def test_what_a_detector_refuses_or_cannot_judge_is_nan(cases, tmp_path):
    case, path = cases("predict 2, missing"), tmp_path / "detector.onnx"
    both, errors = (
        detect(case.model, score_from=score_from).fit(case.rows)
        for score_from in ("both", "reconstruction")
    )
    x, mask = case.x.copy(), MASK.copy()
    mask[2] = np.arange(7) < 2  # nothing is left to read
    x[3, 5:] = np.nan  # nothing of the target is there
    x[4, 1, 0] = np.inf
    rows = [x[0], x[3]]
    export_onnx(errors, path)
    outputs = run(path, x, mask)
    assert_array_equal(np.isnan(outputs["decision"]), [False, False, True, True, True, False])
    export_onnx(both, path)
    outputs = run(path, x, mask)
    assert_array_equal(np.isnan(outputs["score"]), [False, False, True, False, True, False])
    assert_allclose(outputs["score"][[0, 3]], both.score_samples(rows), rtol=1e-4)


def test_a_value_far_off_is_judged_as_large_as_it_is(cases, tmp_path):
    model, path = cases("default").model, tmp_path / "detector.onnx"
    detector = detect(model).fit(CUBE)
    far = CUBE.copy()
    far[1, 2, 0], far[2, 3, 1] = 1e6, -1e18
    export_onnx(detector, path)
    outputs = run(path, far, np.ones_like(MASK))
    assert_allclose(outputs["score"], detector.score_samples(far), rtol=1e-4)


def test_a_file_object_and_a_frozen_estimator_are_as_good(cases, tmp_path):
    for estimator in (cases("default").model, detect(cases("default").model).fit(CUBE)):
        file, path = io.BytesIO(), tmp_path / "model.onnx"
        export_onnx(FrozenEstimator(estimator), file)
        export_onnx(estimator, path)
        assert file.getvalue() == path.read_bytes()
    with pytest.raises(TypeError, match="is a file of text"):
        export_onnx(estimator, io.StringIO())


def test_without_onnx_the_extra_is_named(cases, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs onnx: pip install onnx\."):
        export_onnx(cases("default").model, tmp_path / "model.onnx")
