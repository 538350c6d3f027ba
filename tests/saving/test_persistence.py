"""What is loaded is what was saved, to the bit, and nothing else is ever loaded."""

import copy
import io
import json
import os
import pickle
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from helpers import needs_numpy_2
from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    WindowSplit,
    _versions,
    load,
    save,
    sliding_windows,
)
from sklearn_lstmae import _file_container as container
from sklearn_lstmae.fitting.model import unfrozen
from sklearn_lstmae.saving import persistence, skops_archive

# Two epochs are often no better than the mean: the warning says the truth.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:All 2 epochs were run:sklearn.exceptions.ConvergenceWarning",
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
RNG = np.random.default_rng(0)
CUBE = RNG.normal(size=(12, 6, 2)).astype(np.float32)
Y = np.arange(12) % 2
DATA = {
    "plain": CUBE,
    "table": pd.DataFrame(CUBE[:, :, 0], columns=list("abcdef")),
    "rich": [row[: 4 + number % 3] for number, row in enumerate(np.where(CUBE > 2, np.nan, CUBE))],
}
PARAMETERS = {
    "plain": {},
    "table": {"bottleneck": "hidden_cell", "hidden_units": (), "clipnorm": None},
    "rich": {
        "objective": "composite",
        "horizon": 2,
        "scaling": "sequence",
        "missing": "mask",
        "early_stopping": True,
        "hidden_units": [3, 2],
    },
}


def make(**parameters):
    small = {"latent_dim": 2, "hidden_units": (3,), "epochs": 2, "random_state": 0}
    return LSTMAutoencoderTransformer(**small | parameters)


@pytest.fixture(scope="module", params=DATA)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def X(name):
    return DATA[name]


@pytest.fixture(scope="module")
def model(name, X):
    return make(**PARAMETERS[name]).fit(X)


def reload(estimator, path):
    save(estimator, path)
    return load(path)


def assert_same(got, expected):
    """Equal in type, in dtype and in every bit."""
    assert type(got) is type(expected)
    if isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype
        assert_array_equal(got, expected)
    elif isinstance(expected, BaseEstimator):
        assert_same(vars(got), vars(expected))
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    else:
        assert got == expected


# What comes back -------------------------------------------------------------------------


def test_a_fitted_transformer_comes_back(model, X, path):
    loaded = reload(model, path)
    state, expected = ({**vars(one)} for one in (loaded, model))
    assert state.keys() == expected.keys()
    for attribute, value in expected.items():
        assert_same(state[attribute], value)
    codes = model.transform(X)
    assert_array_equal(loaded.transform(X), codes)
    assert_same(loaded.inverse_transform(codes), model.inverse_transform(codes))
    assert loaded.score(X) == model.score(X)
    assert_array_equal(loaded.get_feature_names_out(), model.get_feature_names_out())


def test_saving_again_writes_the_same_bytes(model, path):
    loaded = reload(model, path)
    again = path.with_name("again")
    save(loaded, again)
    assert again.read_bytes() == path.read_bytes()


def test_saving_does_not_change_the_estimator(plain, path):
    before = pickle.dumps(plain)
    save(plain, path)
    assert pickle.dumps(plain) == before


def test_an_unfitted_transformer_comes_back_unfitted(path):
    loaded = reload(make(loss="mae"), path)
    assert_same(loaded.get_params(), make(loss="mae").get_params())
    with pytest.raises(NotFittedError):
        loaded.transform(CUBE)


def test_the_output_container_comes_back(plain, path):
    model = pickle.loads(pickle.dumps(plain)).set_output(transform="pandas")
    frame = reload(model, path).transform(CUBE)
    pd.testing.assert_frame_equal(frame, model.transform(CUBE))


def test_a_memory_mapped_model_is_saved(plain, path):
    joblib.dump(plain, path.with_name("joblib"))
    mapped = joblib.load(path.with_name("joblib"), mmap_mode="r")
    assert isinstance(mapped.weights_[0], np.memmap)
    assert_array_equal(reload(mapped, path).transform(CUBE), plain.transform(CUBE))


def test_the_header_names_class_and_versions(plain, path):
    save(plain, path)
    _, content = container.read(path, persistence.KIND)
    assert content["versions"] == _versions.versions()
    assert list(content["versions"]) == [
        "sklearn_lstmae", "scikit-learn", "keras", "tensorflow", "numpy"
    ]  # fmt: skip
    assert content["model"]["estimator"]["class"] == "LSTMAutoencoderTransformer"


@pytest.mark.parametrize(
    ("kind", "methods"),
    [
        ("transformer", {"codes": "transform"}),
        ("detector", {"decision_function": "decision_function", "p_values": "p_values"}),
        ("classifier", {"predict": "predict", "predict_proba": "predict_proba"}),
    ],
)
def test_files_of_earlier_formats_open_for_ever(kind, methods):
    loaded = load(FIXTURES / f"{kind}-1.lstmae")
    with np.load(FIXTURES / f"{kind}-1.npz") as expected:
        assert {*methods, "X"} == {*expected.files}
        for name, method in methods.items():
            got = getattr(loaded, method)(expected["X"])
            if method == "predict":
                assert_array_equal(got, expected[name])
            else:
                # Scores are in units of a small deviation and reach 6: hence relative, too.
                relative = 1e-5 if method == "decision_function" else 0
                assert_allclose(got, expected[name], rtol=relative, atol=1e-5)


@pytest.mark.filterwarnings("ignore:LSTMAutoencoderTransformer was pickled with:UserWarning")
@pytest.mark.parametrize("kind", ["lstmae", pytest.param("pickle", marks=needs_numpy_2)])
def test_a_constant_sequence_counts_as_one_in_files_of_earlier_versions(kind):
    path = FIXTURES / f"transformer-1.{kind}"
    loaded = load(path) if kind == "lstmae" else pickle.loads(path.read_bytes())
    assert_array_equal(loaded.transform(np.full((1, 9, 2), 0.1))[:, -2:], 0)


# Detectors -------------------------------------------------------------------------------


def detect(autoencoder, **parameters):
    return LSTMAutoencoderDetector(autoencoder, **{"random_state": 0, "cv": 2} | parameters)


@pytest.mark.parametrize("name", DATA, indirect=True)
@pytest.mark.parametrize("score_from", ["reconstruction", "code", "both"])
def test_a_fitted_detector_comes_back(score_from, name, X, path, no_skops):
    detector = detect(make(**PARAMETERS[name]), score_from=score_from).fit(X)
    loaded = reload(detector, path)
    assert_same(loaded, detector)
    assert_array_equal(loaded.decision_function(X), detector.decision_function(X))


def test_a_detector_comes_back_with_a_frozen_transformer(plain, path, no_skops):
    parameters = {"threshold": "conformal", "contamination": 0.5, "score_from": "both"}
    detector = detect(FrozenEstimator(FrozenEstimator(plain)), **parameters).fit(CUBE)
    loaded = reload(detector, path)
    assert_same(loaded, detector)
    assert_array_equal(loaded.p_values(CUBE), detector.p_values(CUBE))


def test_a_detector_that_finds_nothing_comes_back(plain, path):
    detector = detect(FrozenEstimator(plain), threshold="conformal", contamination=0.05)
    with pytest.warns(UserWarning, match="finds nothing"):
        detector.fit(CUBE)
    assert reload(detector, path).offset_ == -np.inf


def test_an_unfitted_detector_comes_back_unfitted(path):
    detector = detect(make(loss="mae"))
    loaded = reload(detector, path)
    assert str(loaded) == str(detector)
    with pytest.raises(NotFittedError):
        loaded.predict(CUBE)


def test_a_splitter_that_skops_does_not_trust_is_not_saved(path):
    detector = detect(None, cv=KFold(3))
    message = r"field 'model\.parameters\.cv' holds .*KFold, which .* set_params\(cv=5\): only the"
    with pytest.raises(ValueError, match=message):
        save(detector, path)
    assert reload(detector.set_params(cv=3), path).cv == 3


def test_a_splitter_of_windows_is_replaced_before_saving(plain, path):
    record = pd.DataFrame({"machine": list("aabb") * 10, "x": 0.0, "y": 1.0})
    windows, index = sliding_windows(record, 6, group="machine")
    detector = detect(FrozenEstimator(plain), cv=WindowSplit(index, n_splits=2)).fit(windows)
    for cv in (detector.cv, KFold(2).split(windows)):
        message = r"field 'model\.parameters\.cv' holds .* set_params\(cv=5\): only the next fit"
        with pytest.raises(ValueError, match=message):
            save(detector.set_params(cv=cv), path)
    assert not path.exists()
    loaded = reload(detector.set_params(cv=5), path)
    assert_array_equal(loaded.decision_function(windows), detector.decision_function(windows))


# Classifiers -----------------------------------------------------------------------------


def make_classifier(autoencoder, **parameters):
    return LSTMAutoencoderClassifier(autoencoder, **{"random_state": 0, "epochs": 2} | parameters)


@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [False, True]], ids=str)
@pytest.mark.parametrize("fine_tune", [True, False])
def test_a_fitted_classifier_comes_back(fine_tune, labels, name, X, path, no_skops):
    parameters = {"early_stopping": False, "fine_tune": fine_tune}
    classifier = make_classifier(make(**PARAMETERS[name]), **parameters)
    classifier.fit(X, np.array(labels)[Y])
    loaded = reload(classifier, path)
    assert_same(loaded, classifier)
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert_array_equal(loaded.predict(X), classifier.predict(X))


def test_classes_that_are_objects_come_back(plain, path, no_skops):
    classifier = make_classifier(FrozenEstimator(plain)).fit(CUBE, np.array(["a", "b"], object)[Y])
    assert_same(reload(classifier, path), classifier)


@pytest.mark.parametrize("dtype", ["M8[D]", "M8[ns]", "M8[25us]", "m8[s]", ">m8[h]"])
def test_classes_that_are_times_come_back(dtype, plain, path, no_skops):
    labels = np.array([20, 19]).astype(dtype)
    classifier = make_classifier(FrozenEstimator(plain), class_weight="balanced")
    loaded = reload(classifier.fit(CUBE, labels[Y]), path)
    assert_array_equal(loaded.classes_, classifier.classes_)
    assert loaded.classes_.dtype == classifier.classes_.dtype.newbyteorder("=")
    assert_array_equal(loaded.predict(CUBE), classifier.predict(CUBE))


@pytest.mark.parametrize("column", ["stamps", "spans", "days"])
def test_classes_from_a_column_of_times_come_back(column, plain, path, no_skops):
    stamps = pd.Series(pd.to_datetime(["2024-01-01", "2024-02-01"])[Y])
    y = {"stamps": stamps, "spans": stamps - stamps[0], "days": stamps.astype("category")}[column]
    classifier = make_classifier(FrozenEstimator(plain)).fit(CUBE, y)
    assert_same(reload(classifier, path), classifier)


@pytest.mark.skipif(np.longdouble == np.float64, reason="numbers of 64 bits are kept")
def test_classes_that_no_file_holds_are_named_and_the_old_file_stays(plain, path):
    save(plain, path)
    before = path.read_bytes()
    classifier = make_classifier(FrozenEstimator(plain)).fit(CUBE, Y.astype(np.longdouble))
    with pytest.raises(
        ValueError, match=r"Nothing was written, .*'classes_' is no array of at least two numb"
    ):
        save(classifier, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unfitted_classifier_comes_back_unfitted(path, no_skops):
    classifier = make_classifier(make(), class_weight="balanced")
    assert_same(reload(classifier, path), classifier)


# Pipelines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pipeline",
    [
        make_pipeline(make(), StandardScaler(), LogisticRegression()),
        make_pipeline(make(), "passthrough", make_pipeline(StandardScaler(), LogisticRegression())),
        make_pipeline(
            FeatureUnion([("a", make()), ("b", make(random_state=1))]), LogisticRegression()
        ),
    ],
    ids=["flat", "nested", "union"],
)
def test_a_pipeline_comes_back(pipeline, path):
    pipeline.fit(CUBE, Y)
    loaded = reload(pipeline, path)
    assert_array_equal(loaded.predict_proba(CUBE), pipeline.predict_proba(CUBE))
    assert str(loaded) == str(pipeline)


@pytest.mark.parametrize(
    ("last", "method"),
    [(detect(make()), "decision_function"), (make_classifier(make()), "predict_proba")],
    ids=["detector", "classifier"],
)
def test_a_pipeline_that_ends_in_one_of_ours_comes_back(last, method, path, no_skops):
    pipeline = make_pipeline("passthrough", last).fit(CUBE, Y)
    loaded = reload(pipeline, path)
    assert_array_equal(getattr(loaded, method)(CUBE), getattr(pipeline, method)(CUBE))


def test_a_step_of_another_scikit_learn_warns_naming_both(path, monkeypatch):
    monkeypatch.setattr(sklearn.base, "__version__", "0.0.9")
    save(make_pipeline(make(), StandardScaler()), path)
    monkeypatch.undo()
    version = re.escape(sklearn.__version__)
    message = rf"StandardScaler from version 0\.0\.9 when using version {version}"
    with pytest.warns(InconsistentVersionWarning, match=message):
        load(path)


def test_a_frozen_transformer_comes_back(plain, path, no_skops):
    loaded = reload(FrozenEstimator(plain), path)
    assert_array_equal(loaded.transform(CUBE), plain.transform(CUBE))


def test_without_skops_a_pipeline_says_what_to_install(path, monkeypatch):
    pipeline = make_pipeline(make(), StandardScaler())
    save(pipeline, path)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    message = r"'model\.parameters\.steps\[1\]\[1\]' holds a StandardScaler.*: pip install skops\.$"
    with pytest.raises(ImportError, match=message):
        save(pipeline, path.with_name("other"))
    with pytest.raises(ImportError, match=message):
        load(path)
    assert list(path.parent.iterdir()) == [path]


def shout(X):
    """Stands for a user's function."""
    return X


def test_what_skops_does_not_trust_is_not_saved(path):
    pipeline = make_pipeline(make(), FunctionTransformer(shout))
    with pytest.raises(ValueError, match=r"steps\[1\]\[1\]' holds .*shout, which neither"):
        save(pipeline, path)
    assert not path.exists()


def test_what_skops_does_not_trust_is_not_loaded(path, monkeypatch):
    import skops.io

    monkeypatch.setattr(skops_archive, "_check_trusted", lambda *_: None)
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: FunctionTransformer())
    save(make_pipeline(make(), FunctionTransformer(shout)), path)
    monkeypatch.undo()
    monkeypatch.setattr(skops.io, "loads", None)
    with pytest.raises(ValueError, match=r"steps\[1\]\[1\]' holds .*shout, which neither"):
        load(path)


@pytest.mark.parametrize("value", [3, None, "model", LSTMAutoencoderTransformer, [make()]])
def test_only_estimators_are_saved(value, path):
    with pytest.raises(TypeError, match=r"save takes an estimator\. Got"):
        save(value, path)


def test_an_attribute_that_no_fit_makes_is_not_saved(plain, path):
    noted = pickle.loads(pickle.dumps(plain))
    noted.note = "mine"
    with pytest.raises(ValueError, match=r"field 'model\.attributes\.note' is not known"):
        save(noted, path)
    assert not path.exists()


def test_contradicting_attributes_are_not_saved(plain, path):
    broken = pickle.loads(pickle.dumps(plain))
    broken.weights_ = broken.weights_[:-1]
    with pytest.raises(ValueError, match=r"'weights_' is .* but should be: list of 15"):
        save(broken, path)
    assert not path.exists()


@pytest.mark.parametrize("shift", [-1e9, 1e9])
def test_a_threshold_set_by_hand_is_not_saved_and_the_range_is_told(shift, careful, path):
    moved = copy.copy(careful)
    moved.offset_ = careful.offset_ + shift
    with pytest.raises(ValueError, match=r"'offset_' is .* lowest and highest of 'calibration_s"):
        save(moved, path)
    assert not path.exists()


def test_the_values_of_a_file_are_checked_and_both_are_named(plain, path):
    """Before arrays are read only their shapes can be."""

    def spoil(_, __, arrays):
        for array in arrays.values():
            array[...] = -1

    crafted(path, plain, spoil)
    with pytest.raises(ValueError, match=r"model\.lstmae: field 'model\.attributes': 'scale_' h"):
        load(path)


def test_a_transformer_within_what_skops_stores_is_checked(plain, path):
    pipeline = make_pipeline(FeatureUnion([("transformer", plain)]))
    save(pipeline, path)
    spoiled = pickle.loads(pickle.dumps(plain))
    spoiled.scale_ = -spoiled.scale_
    pipeline.steps[0][1].transformer_list[0] = ("transformer", spoiled)
    with pytest.raises(ValueError, match=r"steps\[0\]\[1\]\.attributes': 'scale_' holds numbers"):
        save(pipeline, path)


# File objects ----------------------------------------------------------------------------


def test_file_objects_hold_what_files_hold(plain, careful, classifier, path):
    for estimator in (plain, careful, classifier, make()):
        memory = io.BytesIO()
        save(estimator, memory)
        memory.seek(0)
        assert_same(load(memory), estimator)
        with path.open("wb") as file:
            save(estimator, file)
        with path.open("rb") as file:
            assert_same(load(file), estimator)
        assert path.read_bytes() == memory.getvalue()


def test_a_member_of_an_archive_is_written_and_read(plain, path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("model", "w") as file:
        save(plain, file)
    with zipfile.ZipFile(path) as archive, archive.open("model") as file:
        assert_same(load(file), plain)


def test_text_is_no_place_for_an_estimator(plain):
    with pytest.raises(TypeError, match="is a file of text"):
        save(plain, io.StringIO())
    with pytest.raises(TypeError, match="is a file of text"):
        load(io.StringIO())


# Damage, and files made to deceive -------------------------------------------------------


def test_damage_is_found_before_skops_reads(path, monkeypatch):
    import skops.io

    save(make_pipeline(make(), StandardScaler()), path)
    monkeypatch.setattr(skops.io, "get_untrusted_types", None)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position])
        with pytest.raises(ValueError, match=r"model\.lstmae: .*truncated or corrupted"):
            load(path)
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model\.lstmae: "):
            load(path)


def test_a_file_of_another_kind_is_refused(path):
    container.write(path, "checkpoint", {}, {})
    with pytest.raises(ValueError, match="of kind 'checkpoint', not 'estimator'"):
        load(path)


def crafted(path, estimator, change):
    """A file whose checksums are right, but whose content or arrays were changed."""
    save(estimator, path)
    arrays, content = container.read(path, persistence.KIND)
    change(content["model"]["estimator"], content, arrays)
    container.write(path, persistence.KIND, arrays, content)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (r"field 'content\.more' is not known", lambda _, content, __: content.update(more=1)),
        (
            r"contains arrays that no field refers to: \['more'\]",
            lambda _, __, arrays: arrays.update(more=np.zeros(2)),
        ),
        (
            r"'model\.class' is 'Lambda', not one of",
            lambda model, *_: model.update({"class": "Lambda"}),
        ),
        (
            r"field 'model\.attributes': 'weights_' is 3, but",
            lambda model, *_: model["attributes"].update(weights_=3),
        ),
    ],
    ids=["content", "arrays", "class", "attributes"],
)
def test_an_untrue_file_is_refused_naming_the_field(message, change, carried_on, path):
    crafted(path, carried_on, change)
    modules = set(sys.modules)
    with pytest.raises(ValueError, match=rf"model\.lstmae: .*{message}"):
        load(path)
    assert set(sys.modules) == modules


@pytest.mark.parametrize("value", [3, [], None, {"dict": {}}, {"array": "0"}], ids=json.dumps)
def test_a_file_of_no_estimator_is_refused(value, path):
    arrays = {"0": CUBE} if value == {"array": "0"} else {}
    container.write(path, persistence.KIND, arrays, {"versions": {}, "model": value})
    with pytest.raises(ValueError, match=r"model\.lstmae: field 'model' is (.|\n)* no estimator"):
        load(path)


def test_nested_content_without_end_is_refused(path):
    value = None
    for _ in range(300):
        value = {"tuple": [value]}
    container.write(path, persistence.KIND, {}, {"versions": {}, "model": value})
    with pytest.raises(ValueError, match=r"model\.lstmae: "):
        load(path)


def test_other_shapes_are_refused_before_memory_is_taken(plain, path, monkeypatch):
    """The file is sparse: it really has the trillion bytes that its header claims."""
    save(plain, path)
    _, content = container.read(path, persistence.KIND)
    names = [str(number) for number in range(4 + len(plain.weights_))]
    claim = {"dtype": "|i1", "shape": [0], "sha256": ""}
    claims = dict.fromkeys(names, claim) | {names[-1]: claim | {"shape": [10**12]}}
    header = {"kind": persistence.KIND, "content": content, "arrays": claims}
    monkeypatch.setattr(container.json, "dumps", lambda _, dumps=json.dumps: dumps(header))
    container.write(path, persistence.KIND, {}, {})
    os.truncate(path, path.stat().st_size + 10**12)
    monkeypatch.setattr(container.np, "empty", None)
    with pytest.raises(ValueError, match=r"'weights_\[0\]' is an array of int8 of shape"):
        load(path)


def run_python(code, path):
    """What code says on stdout and stderr, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout, done.stderr


def test_unsafe_deserialization_of_keras_makes_no_difference(plain, path):
    """In a process of its own, since Keras cannot be made safe again."""
    crafted(path, plain, lambda model, *_: model.update({"class": "Lambda"}))
    code = """
        import sys
        import keras
        from sklearn_lstmae import load

        keras.config.enable_unsafe_deserialization()
        try:
            load(sys.argv[1])
        except ValueError as error:
            print(error)
    """
    output, _ = run_python(code, path)
    assert "field 'model.class' is 'Lambda', not one of" in output


# What it needs ---------------------------------------------------------------------------


def test_neither_save_nor_load_imports_tensorflow(plain, path):
    save(make_pipeline(plain, StandardScaler()), path)
    code = """
        import sys
        from sklearn_lstmae import load, save

        save(load(sys.argv[1]), sys.argv[1])
        print(sorted({"tensorflow", "keras", "scikeras"} & sys.modules.keys()))
    """
    assert run_python(code, path) == ("[]\n", "")


def test_what_is_loaded_is_used_without_tensorflow(plain, careful, classifier, tmp_path):
    for name, estimator in [("plain", plain), ("detector", careful), ("classifier", classifier)]:
        save(estimator, tmp_path / f"{name}.lstmae")
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from sklearn_lstmae import load

        plain, detector, classifier = (
            load(Path(sys.argv[1]) / f"{name}.lstmae")
            for name in ("plain", "detector", "classifier")
        )
        X = np.zeros((3, 4, plain.n_features_in_))
        plain.inverse_transform(plain.transform(X))
        plain.score(X)
        detector.predict(X)
        detector.score_samples(X)
        classifier.predict_proba(X)
        classifier.score(X, classifier.predict(X))
        print(sorted({"tensorflow", "keras", "scikeras"} & sys.modules.keys()))
    """
    assert run_python(code, tmp_path) == ("[]\n", "")


# Pickles ---------------------------------------------------------------------------------


def through_pickle(estimator):
    data = pickle.dumps(estimator)
    return lambda: pickle.loads(data)


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return lambda: joblib.load(file)


@pytest.fixture(params=[through_pickle, through_joblib])
def pickled(request):
    return request.param


def test_a_pickle_comes_back(pickled, model, X):
    loaded = pickled(model)()
    assert_same(loaded, model)
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_a_pickled_detector_names_its_versions(pickled, careful, monkeypatch):
    monkeypatch.setattr(_versions, "versions", lambda: {"keras": "0.0.9"})
    open_pickle = pickled(careful)
    monkeypatch.undo()
    with (
        pytest.warns(UserWarning, match=r"Detector was pickled with keras 0\.0\.9"),
        pytest.warns(UserWarning, match=r"Transformer was pickled with keras 0\.0\.9"),
    ):
        loaded = open_pickle()
    assert_same(loaded, careful)


@pytest.mark.parametrize("package", ["sklearn_lstmae", "scikit-learn", "keras"])
def test_a_pickle_of_other_versions_warns_naming_both(package, pickled, plain, monkeypatch):
    installed = _versions.versions()
    monkeypatch.setattr(_versions, "versions", lambda: installed | {package: "0.0.9"})
    open_pickle = pickled(plain)
    monkeypatch.undo()
    message = (
        rf"LSTMAutoencoderTransformer was pickled with {package} 0\.0\.9 "
        rf"\(now {installed[package]}\)\. Results may differ"
    )
    with pytest.warns(UserWarning, match=message):
        loaded = open_pickle()
    assert_same(loaded, plain)


@pytest.mark.parametrize("is_opened_without", [True, False])
def test_a_pickle_opened_or_made_without_keras_does_not_warn(
    is_opened_without, pickled, careful, monkeypatch
):
    without = _versions.versions() | {"keras": None, "tensorflow": None}
    if not is_opened_without:
        monkeypatch.setattr(_versions, "versions", lambda: without)
    open_pickle = pickled(careful)
    monkeypatch.undo()
    if is_opened_without:
        monkeypatch.setattr(_versions, "versions", lambda: without)
    assert_same(open_pickle(), careful)


def test_a_package_that_is_not_installed_has_no_version():
    assert _versions._installed("no package has this name") is None


@needs_numpy_2
@pytest.mark.filterwarnings("ignore:LSTMAutoencoderTransformer was pickled with:UserWarning")
def test_an_old_pickle_gives_the_same_codes():
    loaded = pickle.loads((FIXTURES / "transformer-1.pickle").read_bytes())
    with np.load(FIXTURES / "transformer-1.npz") as expected:
        assert_allclose(loaded.transform(expected["X"]), expected["codes"], rtol=0, atol=1e-5)


# What scikit-learn was told about metadata -----------------------------------------------------


@pytest.mark.parametrize("name", ["transformer", "frozen", "detector", "classifier"])
def test_metadata_requests_are_left_out_with_a_word(name, plain, path):
    with sklearn.config_context(enable_metadata_routing=True):
        plain = copy.copy(plain).set_inverse_transform_request(lengths=True)
        model = {
            "transformer": lambda: plain,
            "frozen": lambda: FrozenEstimator(plain),
            "detector": lambda: LSTMAutoencoderDetector().set_fit_request(groups=True),
            "classifier": lambda: LSTMAutoencoderClassifier().set_fit_request(X_unlabeled=True),
        }[name]()
    with pytest.warns(UserWarning, match="metadata requests of field 'model.*again after load"):
        save(model, path)
    assert str(load(path)) == str(model)
    assert hasattr(unfrozen(model), "_metadata_request")
    assert not hasattr(unfrozen(load(path)), "_metadata_request")


def test_a_step_of_scikit_learn_may_have_metadata_requests(path):
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        model = make_pipeline(scaler, make())
        with pytest.warns(UserWarning, match=r"metadata requests of field 'model.*steps.0..1.'"):
            save(model, path)
    assert str(load(path)) == str(model)
    assert hasattr(scaler, "_metadata_request")


# Settings as a search over an array passes them --------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["bottleneck", "pooling", "activation", "decoder_start", "loss", "scaling", "missing",
     "optimizer"],
)  # fmt: skip
def test_a_word_may_be_a_string_of_numpy(name, path):
    word = np.str_(getattr(LSTMAutoencoderTransformer(), name))
    model = make(**{name: word}, warm_start=True).fit(CUBE)
    save(model, path)
    assert_array_equal(load(path).transform(CUBE), model.transform(CUBE))


def test_a_word_of_a_detector_may_be_a_string_of_numpy(plain, path):
    words = {"threshold": np.str_("conformal"), "score_from": np.str_("both")}
    detector = LSTMAutoencoderDetector(FrozenEstimator(plain), **words, contamination=0.4, cv=2)
    detector.fit(CUBE)
    save(detector, path)
    assert_array_equal(load(path).score_samples(CUBE), detector.score_samples(CUBE))
