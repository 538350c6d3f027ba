"""The public types: a user's script passes mypy, and annotations state what parameters accept.

scikit-learn, Keras and pandas have no types, so neither have methods that are inherited from
scikit-learn (such as `get_params`), Keras models and tables. X may be almost anything and is not
checked. All else that users call is in the script below.
"""

import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import resources
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    find_events,
    sliding_windows,
    unwind,
)
from sklearn_lstmae._sklearn import HasMethods, Interval, StrOptions
from sklearn_lstmae.datasets import make_moving_digits, make_waves
from sklearn_lstmae.fitting.arguments import Per, TaskName
from sklearn_lstmae.sequences.scoring import AVERAGED
from sklearn_lstmae.sequences.tasks import TASKS

FOLDER = Path(__file__).parents[1]

SCRIPT = """
from io import BytesIO
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import sklearn_lstmae
from sklearn_lstmae import (
    ErrorDisplay,
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    LatentDisplay,
    LatentImportanceDisplay,
    LatentTraversalDisplay,
    LearningCurveDisplay,
    ReconstructionDisplay,
    WindowSplit,
    distributed,
    export_onnx,
    find_events,
    label_forecast,
    latent_importance,
    load,
    save,
    sliding_windows,
    unwind,
)
from sklearn_lstmae.datasets import crop_digits, make_moving_digits, make_waves
from sklearn_lstmae.keras_models import classifier_fn, regressor_fn

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.float32]

waves, kinds = make_waves(60, random_state=0)
assert_type(waves, Codes)
ragged, kinds = make_waves(60, random_state=None, min_timesteps=5)
assert_type(ragged, list[Codes])
films, digits = make_moving_digits(random_state=np.random.RandomState(0), speed=2)
images, digits = crop_digits()

autoencoder = LSTMAutoencoderTransformer(
    8, patch_size="auto", hidden_units=(32, 32), scaling=None, horizon=3, random_state=0
)
assert_type(autoencoder.fit(waves), LSTMAutoencoderTransformer)
assert_type(autoencoder.partial_fit(waves).fit(waves), LSTMAutoencoderTransformer)
assert_type(autoencoder.fit_transform(waves), Codes)
codes = autoencoder.transform(waves)
assert_type(codes, Codes)
back = autoencoder.inverse_transform(codes, lengths=[len(each) for each in ragged])
assert_type(autoencoder.reconstruct(waves, task="predict"), Floats)
assert_type(autoencoder.reconstruct(ragged), list[Floats])
assert_type(autoencoder.forecast(waves, steps=3), Floats)
assert_type(autoencoder.forecast(waves, 3, lambda step: step[0] > 0.5), list[Floats])
assert_type(autoencoder.errors(waves, per="step"), Floats)
assert_type(autoencoder.score_samples(waves), Floats)
assert_type(autoencoder.score(waves), float)
assert_type(autoencoder.get_feature_names_out(), npt.NDArray[np.object_])
assert_type(autoencoder.history_, dict[str, list[float]])
assert_type(autoencoder.weights_, list[Codes])
model = autoencoder.to_keras("decoder")
LSTMAutoencoderTransformer(loss="rmse")  # type: ignore[arg-type]
LSTMAutoencoderTransformer(patch_size="automatic")  # type: ignore[arg-type]
LSTMAutoencoderTransformer(latent_dims=3)  # type: ignore[call-arg]
autoencoder.errors(waves, per="steps")  # type: ignore[arg-type]
autoencoder.forecast(waves, until=lambda step: True)  # type: ignore[call-overload]

detector = LSTMAutoencoderDetector(autoencoder, threshold="conformal", cv=WindowSplit)
assert_type(detector.fit(waves, groups=kinds), LSTMAutoencoderDetector)
assert_type(detector.set_params(contamination=0.2), LSTMAutoencoderDetector)
assert_type(detector.fit_predict(waves), npt.NDArray[np.int_])
assert_type(detector.predict(waves), npt.NDArray[np.int_])
assert_type(detector.decision_function(waves), Floats)
assert_type(detector.p_values(waves), Floats)
assert_type(detector.errors(waves, "feature"), Floats)
assert_type(detector.offset_, float)
table = detector.explain(waves, feature_names=["x", "y"])
LSTMAutoencoderDetector(score_from="codes")  # type: ignore[arg-type]

classifier = LSTMAutoencoderClassifier(class_weight={0: 2.0}, unlabeled=-1)
assert_type(classifier.fit(waves, kinds, X_unlabeled=ragged), LSTMAutoencoderClassifier)
assert_type(classifier.predict(waves), npt.NDArray[Any])
assert_type(classifier.predict_proba(waves), Floats)
assert_type(classifier.score(waves, kinds), float)
LSTMAutoencoderClassifier(class_weight="even")  # type: ignore[arg-type]

windows, index = sliding_windows(np.arange(9.0), "24h", stride=2, max_gap=None, short="drop")
assert_type(index[:3].feature_names, list[str] | None)
assert_type(WindowSplit(index, n_splits=3).get_n_splits(), int)
errors = unwind(autoencoder.score_samples(windows), index, per="window")
events = find_events(errors, 0.5, index=index)
table = label_forecast(autoencoder.forecast(windows), index, freq="h")
sliding_windows(np.arange(9.0), 3, short="skip")  # type: ignore[arg-type]

assert_type(save(autoencoder, "model"), None)
loaded: LSTMAutoencoderTransformer = load(BytesIO())
assert_type(export_onnx(detector, BytesIO()), None)
assert_type(latent_importance(autoencoder, waves), Floats)
builder = classifier_fn(autoencoder, 3, hidden_units=[8])
builder = regressor_fn(autoencoder, trainable=False)
assert_type(distributed.fit(autoencoder, waves, n_ranks=2), LSTMAutoencoderTransformer)
assert_type(distributed.fit_rank(autoencoder, waves, ["a:1"], 0), LSTMAutoencoderTransformer)
lazy = distributed.predict(detector, waves)

assert_type(LearningCurveDisplay.from_estimator(autoencoder).plot(), LearningCurveDisplay)
assert_type(ReconstructionDisplay.from_estimator(autoencoder, waves), ReconstructionDisplay)
assert_type(LatentDisplay.from_codes(codes, kinds, color="red"), LatentDisplay)
assert_type(LatentTraversalDisplay.from_estimator(detector, waves), LatentTraversalDisplay)
assert_type(LatentImportanceDisplay.from_estimator(detector, waves), LatentImportanceDisplay)
assert_type(ErrorDisplay.from_estimator(detector, errors, 3, per="window"), ErrorDisplay)
ErrorDisplay.from_estimator(detector, errors, 3, per="value")  # type: ignore[arg-type]
assert_type(sklearn_lstmae.__version__, str)
"""

ESTIMATORS = [
    LSTMAutoencoderTransformer,
    LSTMAutoencoderDetector,
    LSTMAutoencoderClassifier,
]
FUNCTIONS = [sliding_windows, unwind, find_events, make_waves, make_moving_digits]

# Constraints that are words -> types.
WORDS = {
    "boolean": {bool},
    "random_state": {int, np.random.RandomState, NoneType},
    "verbose": {int},
    "cv_object": {Any},
    "array-like": {Any},
}


def test_a_users_script_passes_mypy(tmp_path):
    """A line with `type: ignore` must have an error: strict mypy complains of any other."""
    script, config = tmp_path / "script.py", tmp_path / "mypy.ini"
    script.write_text(SCRIPT, "utf-8")
    config.write_text("[mypy]\nstrict = true\nignore_missing_imports = true\n", "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", os.devnull]
    run = subprocess.run(
        [*mypy, "--follow-imports", "silent", script],
        env=os.environ | {"MYPYPATH": str(FOLDER)},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


def test_the_package_is_marked_as_typed():
    assert resources.files("sklearn_lstmae").joinpath("py.typed").is_file()


def accepted(annotation):
    """Types, and strings of literals, that an annotation accepts."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*map(accepted, get_args(annotation)))
    return {NoneType if annotation is None else get_origin(annotation) or annotation}


def allowed(constraint):
    """Types and strings that a constraint of scikit-learn allows."""
    if isinstance(constraint, StrOptions):
        return set(constraint.options)
    if isinstance(constraint, Interval):
        return {{Integral: int, Real: float}[constraint.type]}
    if isinstance(constraint, HasMethods):
        return {LSTMAutoencoderTransformer, FrozenEstimator}
    if isinstance(constraint, str):
        return WORDS[constraint]
    return {{None: NoneType, Real: float}.get(constraint, constraint)}


def test_what_annotations_accept_is_read():
    annotation = int | Literal["auto", "none"] | PathLike[str] | None
    assert accepted(annotation) == {int, "auto", "none", PathLike, NoneType}
    assert accepted(list[int]) == {list}
    assert accepted(None) == {NoneType}


@pytest.mark.parametrize("function", [*ESTIMATORS, *FUNCTIONS])
def test_annotations_accept_what_constraints_allow(function):
    parameters = inspect.signature(function).parameters
    is_function = inspect.isfunction(function)
    constraints = vars(function)[
        "_skl_parameter_constraints" if is_function else "_parameter_constraints"
    ]
    annotations = {name: accepted(parameters[name].annotation) for name in constraints}
    assert annotations == {
        name: set().union(*map(allowed, rules)) for name, rules in constraints.items()
    } | {name: {Any} for name, types in annotations.items() if types == {Any}}


@pytest.mark.parametrize(
    ("literal", "table"),
    [
        (Per, list(AVERAGED)),
        (TaskName, list(TASKS)),
        (
            inspect.signature(LSTMAutoencoderTransformer.to_keras).parameters["part"].annotation,
            ["encoder", *(task.keras_name for task in TASKS.values()), "autoencoder"],
        ),
    ],
    ids=["per", "task", "part"],
)
def test_literals_of_methods_are_the_names_of_tables(literal, table):
    assert list(get_args(literal)) == table


def public_functions():
    """Each function in the reference, and each method that its classes define, by name."""
    page = (FOLDER / "docs" / "api.md").read_text("utf-8")
    for name in re.findall(r"^   ([a-z_.]*[A-Za-z_]+)$", page, re.MULTILINE):
        item = pkgutil.resolve_name(f"sklearn_lstmae.{name}")
        if not inspect.isclass(item):
            yield name, item
            continue
        for method in [*vars(item), "__init__"]:
            function = getattr(item, method)
            is_ours = getattr(function, "__module__", "").startswith("sklearn_lstmae")
            if is_ours and (method == "__init__" or method[0] != "_"):
                yield f"{name}.{method}", function


def test_every_public_function_is_annotated():
    functions = dict(public_functions())
    assert functions.keys() >= {"save", "distributed.fit", "LSTMAutoencoderDetector.explain"}
    bare = []
    for name, function in functions.items():
        parameters = {*inspect.signature(function).parameters, "return"} - {"self", "cls"}
        bare += [
            f"{name}: {p}" for p in sorted(parameters - inspect.get_annotations(function).keys())
        ]
    assert bare == []
