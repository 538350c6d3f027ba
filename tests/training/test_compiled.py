"""Compiled once for the process: no second fit, fold, candidate or thread compiles again."""

import inspect
import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    latent_importance,
)
from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.training import loop
from sklearn_lstmae.training.compiled import _slots, compile_once, training_steps
from sklearn_lstmae.training.objectives.autoencoder import Autoencoding
from sklearn_lstmae.training.objectives.classifier import Classifying
from sklearn_lstmae.training.saliency import mean_saliency
from sklearn_lstmae.training.steps import Recipe, TrainingSteps

# One epoch is often no better than the mean, or too few, and `fit` warns of that.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no better than:sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*still falling:sklearn.exceptions.ConvergenceWarning"),
]

LENGTHS = [5, 1, 4, 3]
WAIT = 60  # seconds: never reached unless a thread waits for another one


# Keys ------------------------------------------------------------------------------------


@pytest.fixture
def key(request):
    """A key that no other test has."""
    return object()


def test_what_was_made_is_kept(key):
    made = compile_once(key, object)
    assert compile_once(key, object) is made
    assert compile_once((key, "other"), object) is not made


def test_nothing_is_ever_forgotten(key):
    first = compile_once(key, object)
    others = [compile_once((key, number), object) for number in range(500)]
    assert compile_once(key, object) is first
    for number, other in enumerate(others):
        assert compile_once((key, number), object) is other


def test_threads_that_meet_at_a_new_key_make_it_once(key):
    together, calls = threading.Barrier(8), []

    def make():
        calls.append(key)
        return object()

    def use(_):
        together.wait(WAIT)
        return compile_once(key, make)

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(use, range(8)))
    assert calls == [key]
    assert all(one is made[0] for one in made)


def test_a_thread_that_compiles_something_else_does_not_wait(key):
    """Neither for a key that is being made nor for one that was made before."""
    begun, may_end = threading.Event(), threading.Event()

    def make_slowly():
        begun.set()
        assert may_end.wait(WAIT)
        return "slow"

    known = compile_once((key, "known"), object)
    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(compile_once, (key, "slow"), make_slowly)
        assert begun.wait(WAIT)
        same = threads.submit(compile_once, (key, "slow"), object)
        assert threads.submit(compile_once, (key, "new"), lambda: "new").result(WAIT) == "new"
        assert threads.submit(compile_once, (key, "known"), object).result(WAIT) is known
        assert not slow.done()
        assert not same.done()
        may_end.set()
        assert slow.result(WAIT) == same.result(WAIT) == "slow"


def test_what_failed_is_tried_again(key):
    def fail():
        raise MemoryError

    for _ in range(2):
        with pytest.raises(MemoryError):
            compile_once(key, fail)
    assert compile_once(key, lambda: "made") == "made"


# Steps -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recipe(make_plan):
    return Recipe.of(make_plan(), 1, False)


def test_equal_objectives_and_recipes_share_one_step_in_any_thread(make_architecture, recipe):
    def objectives():
        architecture = make_architecture()
        yield Autoencoding(architecture, "mse")
        yield Classifying(architecture.encoder, 0, 3, False, True)
        yield Classifying(architecture.encoder, 0, 3, False, False)

    for objective in objectives():
        with ThreadPoolExecutor(4) as threads:
            first, *others = threads.map(
                lambda equal: training_steps(equal, replace(recipe)), [objective] * 3
            )
        assert isinstance(first, TrainingSteps)
        assert all(other is first for other in others)
    again = [training_steps(objective, recipe) for objective in objectives()]
    assert again[-1] is first
    assert len({id(steps) for steps in again}) == 3


def test_another_objective_or_recipe_has_another_step(make_architecture, recipe):
    architecture = make_architecture()
    steps = training_steps(Autoencoding(architecture, "mse"), recipe)
    others = [
        training_steps(Autoencoding(architecture, "mae"), recipe),
        training_steps(Autoencoding(make_architecture(latent_dim=3), "mse"), recipe),
        training_steps(Autoencoding(architecture, "mse"), replace(recipe, drops=True)),
    ]
    assert len({id(one) for one in [steps, *others]}) == 4


def test_a_step_is_traced_when_it_is_made_and_not_when_it_is_used(
    make_architecture, make_sequences, make_reader, draw_weights, load_all, take_steps, traces
):
    """Of any number of rows and frames."""
    objective = Autoencoding(make_architecture(latent_dim=7), "mse")
    weights = draw_weights(objective.shapes)
    several = [
        load_all(objective, make_reader(make_sequences(lengths)))
        for lengths in (LENGTHS, [9, 2], [3])
    ]
    take_steps(objective, weights, several[0])
    assert traces
    traces.clear()
    for tables in several:
        take_steps(objective, weights, tables, n_steps=2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda tables: take_steps(objective, weights, tables), several))
    assert traces == []


def test_threads_that_meet_at_a_new_network_compile_it_once(
    make_architecture, make_sequences, make_reader, draw_weights, traces
):
    reader = make_reader(make_sequences(LENGTHS))

    def count(n_threads, **changes):
        architecture = make_architecture(decoders=(), **changes)
        weights = draw_weights(network_of(architecture).shapes)
        together = threading.Barrier(n_threads)
        traces.clear()

        def use(_):
            together.wait(WAIT)
            return mean_saliency(architecture, weights, reader)

        with ThreadPoolExecutor(n_threads) as threads:
            first, *others = threads.map(use, range(n_threads))
        assert all(np.array_equal(other, first) for other in others)
        return len(traces)

    assert count(4, latent_dim=8) == count(1, latent_dim=9) > 0


# Searches --------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(40, 12, 1)).astype("f4")
CLASSES = np.arange(40) % 3
# A network that no other test has, so that what was compiled before does not matter.
ODD = {
    "latent_dim": 5, "hidden_units": (2,), "bidirectional": False, "pooling": "last", "epochs": 1,
    "random_state": 0,
}  # fmt: skip

# What a search may vary: values that are all one compiled network. Switched on before, as it is
# structure whether there is any dropout, noise, clipping, divergence or summary.
NUMBERS = {
    LSTMAutoencoderTransformer: {
        "summary_weight": [0.01, 0.3, 2.0],
        "horizon": [None, 1, 3],
        "prediction_weight": [0.2, 0.5, 0.9],
        "dropout": [0.05, 0.3, 0.8],
        "noise": [0.05, 0.3, 2.0],
        "kl_weight": [0.01, 0.3, 2.0],
        "append_states": [False, True],
        "scaling": [None, "feature", "sequence"],
        "learning_rate": [1e-4, 1e-3, 1e-2],
        "clipnorm": [0.1, 1.0, 9.0],
        "epochs": [1, 2, 3],
        "batch_size": ["auto", 1, 7, 64],
        "early_stopping": [False, True],
        "validation_fraction": [0.2, 0.5, 0.9],
        "patience": [1, 2, 3],
        "warm_start": [False, True],
        "random_state": [0, 1, None],
        "verbose": [0],
    },
    LSTMAutoencoderClassifier: {
        "epochs": [1, 2, 3],
        "learning_rate": [1e-4, 1e-3, 1e-2],
        "batch_size": [1, 7, 64],
        "class_weight": [None, "balanced", {0: 0.2, 1: 1.0, 2: 3.0}],
        "unlabeled": [None, -1, "none"],
        "early_stopping": [False, True],
        "validation_fraction": [0.2, 0.3, 0.5],
        "patience": [1, 2, 3],
        "random_state": [0, 1, None],
        "verbose": [0],
    },
    LSTMAutoencoderDetector: {
        "contamination": [0.01, 0.1, 0.5],
        "threshold": ["train", "cv", "conformal"],
        "score_from": ["reconstruction", "code", "both"],
        "cv": [2, 3],
        "random_state": [0, 1, None],
    },
}
# What makes another network, another loss or another update.
STRUCTURE = {
    LSTMAutoencoderTransformer: {
        "latent_dim", "patch_size", "hidden_units", "bidirectional", "bottleneck", "pooling",
        "objective", "conditional", "reverse_target", "decoder_start", "time_encoding",
        "activation", "loss", "missing", "optimizer",
    },
    LSTMAutoencoderClassifier: {"autoencoder", "fine_tune"},
    LSTMAutoencoderDetector: {"autoencoder"},
}  # fmt: skip
# Not for a search, whose fits would share a folder.
ALONE = {"checkpoint_dir", "resume"}


@pytest.fixture
def count_traces(traces):
    """A function of estimators: how many functions the fit of each of them traced."""

    def count(estimators, y=None):
        counts = []
        for estimator in estimators:
            traces.clear()
            estimator.fit(X, y)
            counts.append(len(traces))
        return counts

    return count


@pytest.mark.parametrize("estimator", NUMBERS)
def test_each_parameter_is_a_number_or_structure(estimator):
    """A new parameter belongs to one of the tables above."""
    numbers, structure = set(NUMBERS[estimator]), STRUCTURE[estimator]
    assert not numbers & structure
    parameters = set(estimator._parameter_constraints)
    assert parameters == set(inspect.signature(estimator).parameters)
    assert numbers | structure == parameters - ALONE


def candidates(model):
    """The model with each value of each of its numbers: {which one: estimator}."""
    return {
        f"{name}={value!r}": clone(model).set_params(**{name: value})
        for name, values in NUMBERS[type(model)].items()
        for value in values
    }


@pytest.mark.filterwarnings("ignore:.*finds nothing:UserWarning")
def test_no_number_of_a_transformer_or_detector_compiles_again(count_traces):
    autoencoder = LSTMAutoencoderTransformer(
        **ODD, objective="composite", dropout=0.1, noise=0.1, kl_weight=0.1
    )
    assert count_traces([autoencoder])[0] > 0
    models = candidates(autoencoder) | candidates(LSTMAutoencoderDetector(autoencoder))
    counts = count_traces(models.values())
    assert dict(zip(models, counts, strict=True)) == dict.fromkeys(models, 0)


@pytest.mark.parametrize("fine_tune", [True, False])
def test_no_number_of_a_classifier_compiles_again(fine_tune, count_traces):
    autoencoder = LSTMAutoencoderTransformer(**ODD | {"latent_dim": 6})
    classifier = LSTMAutoencoderClassifier(
        autoencoder, epochs=1, fine_tune=fine_tune, random_state=0
    )
    assert count_traces([classifier], CLASSES)[0] > 0
    models = candidates(classifier)
    counts = count_traces(models.values(), CLASSES)
    assert dict(zip(models, counts, strict=True)) == dict.fromkeys(models, 0)


@pytest.mark.parametrize(
    ("parameter", "off"),
    [("dropout", 0.0), ("noise", 0.0), ("clipnorm", None), ("kl_weight", 0.0)],
)
def test_whether_there_is_such_a_number_is_structure(parameter, off, count_traces):
    """And compiled once each."""
    numbers = {"dropout": 0.1, "noise": 0.1, "clipnorm": 1.0, "kl_weight": 0.1, parameter: off}
    without = LSTMAutoencoderTransformer(**ODD | numbers | {"latent_dim": 10})
    first, second = count_traces([without, without])
    assert first > 0
    assert second == 0


def test_few_sequences_share_what_is_compiled(count_traces, monkeypatch):
    """Though they have fewer components of a summary than many."""
    model = LSTMAutoencoderTransformer(**ODD | {"latent_dim": 8})
    model.fit(X)
    for n_rows in (33, 32, 20, 7, 2):
        monkeypatch.setitem(globals(), "X", X[:n_rows])
        assert count_traces([model]) == [0]


def test_candidates_and_folds_of_a_grid_share_what_is_compiled(traces):
    """Folds of unequal size, too."""
    model = LSTMAutoencoderTransformer(**ODD | {"latent_dim": 7}, dropout=0.1)
    grid = {"dropout": [0.1, 0.4], "learning_rate": [1e-3, 1e-2], "clipnorm": [0.5, 2.0]}
    model.fit(X[:10])
    traces.clear()
    search = GridSearchCV(model, grid, cv=3).fit(X[:31])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert traces == []


COUNT_XLA = """
import os, pathlib, sys
os.environ["XLA_FLAGS"] = f"--xla_dump_to={sys.argv[1]}"
import numpy as np
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.batch import Sequences
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.scaling import Scaling
from sklearn_lstmae.training import loop
from sklearn_lstmae.training.objectives.autoencoder import Autoencoding
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.training.state import TrainingProgress

loop.XLA_WORK = 0
architecture = Architecture(
    1, 1, 1, (2,), True, "dense", "last", True, "state", False, "tanh", False
)
equal = [np.full(n_rows, 3) for n_rows in (5, 5, 9, 16)]
unequal = [np.array([3, *np.random.default_rng(seed).integers(1, 4, 8)]) for seed in range(3)]
for number, lengths in enumerate([*equal, *unequal], start=1):
    rate = 0.1 * number
    plan = TrainingPlan(2, 4, rate, "sgd", rate, rate, rate, (rate, 0.0), None, number)
    sequences = Sequences(np.zeros((len(lengths), 3, 1), "f4"), lengths, "3d")
    reader = FrameReader(sequences, Scaling(None, np.zeros(1), np.ones(1)), 1)
    objective = Autoencoding(architecture, "mse")
    loop.train(objective, plan, reader, TrainingProgress(loop.fresh_state(objective, 0)))
    print(len(list(pathlib.Path(sys.argv[1]).glob("*.before_optimizations.txt"))))
"""


def test_a_fit_of_other_rows_lengths_and_numbers_compiles_nothing_more(tmp_path):
    """XLA writes a file for each function that it compiles."""
    command = [sys.executable, "-c", COUNT_XLA, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    first, *others = map(int, run.stdout.split())
    assert first > 0
    assert others == [first] * 6


# Device ----------------------------------------------------------------------------------


@pytest.fixture
def keeps_to_devices():
    """TensorFlow raises an error instead of taking another device than it should."""
    was = tf.config.get_soft_device_placement()
    tf.config.set_soft_device_placement(False)
    yield
    tf.config.set_soft_device_placement(was)


@pytest.mark.usefixtures("keeps_to_devices")
@pytest.mark.parametrize("resident", [2**26, 0], ids=["in memory", "read in chunks"])
def test_all_is_computed_on_the_cpu_whatever_the_user_chose(resident, monkeypatch):
    """A GPU that is not there would be an error."""
    monkeypatch.setattr(loop, "RESIDENT_BYTES", resident)
    model = LSTMAutoencoderTransformer(**ODD | {"latent_dim": 9})
    with tf.device("/GPU:0"):
        with pytest.raises((tf.errors.InvalidArgumentError, RuntimeError)):
            tf.zeros(3) + 1.0
        model.fit(X)
        assert np.isfinite(latent_importance(model, X)).all()
    made = [slot.made for slot in _slots.values() if isinstance(slot.made, TrainingSteps)]
    ours = [steps for steps in made if isinstance(steps.objective, Autoencoding)]
    graphs = [s._run.graph for s in ours if s.objective.architecture.latent_dim == 9]
    assert graphs
    devices = {operation.device for graph in graphs for operation in graph.get_operations()}
    assert devices <= {"/device:CPU:0", ""}


# Processes -------------------------------------------------------------------------------


def in_a_fork(queue):
    try:
        compile_once("forked", object)
        queue.put("no error")
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_raises_an_error(key):
    """Even where another thread was compiling when it was forked."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    begun, may_end = threading.Event(), threading.Event()

    def make_slowly():
        begun.set()
        assert may_end.wait(WAIT)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(compile_once, key, make_slowly)
        assert begun.wait(WAIT)
        child = context.Process(target=in_a_fork, args=(queue,), daemon=True)
        child.start()
        child.join(WAIT)
        may_end.set()
    assert child.exitcode == 0
    message = queue.get()
    assert "does not survive a fork" in message
