"""A fit that was interrupted, anywhere, ends as if it had not been, or says why it cannot."""

import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae import LSTMAutoencoderTransformer, load, save
from sklearn_lstmae import _file_container as container
from sklearn_lstmae.fitting import checkpoints as checkpointing
from sklearn_lstmae.fitting import learn_autoencoder
from sklearn_lstmae.fitting.checkpoints import Checkpoints, open_checkpoints
from sklearn_lstmae.fitting.parameters import configure
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.validation import check_sequences
from sklearn_lstmae.training import loop as training
from sklearn_lstmae.training.shards import ONE_SHARD
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

# Few epochs are often no better than the mean: the warning says the truth.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:All 4 epochs were run:sklearn.exceptions.ConvergenceWarning",
)

posix_only = pytest.mark.skipif(os.name != "posix", reason="locks, limits and signals of POSIX")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6, 2)).astype(np.float32)
RAGGED = [sequence[: 3 + number % 4] for number, sequence in enumerate(X)]
SMALL = {"latent_dim": 2, "hidden_units": (4,), "batch_size": 8, "epochs": 4, "random_state": 0}
KINDS = {
    "plain": {},
    "chance": {"dropout": 0.2, "noise": 0.1, "optimizer": "sgd"},
    "early stopping": {"early_stopping": True, "patience": 2, "learning_rate": 0.3, "epochs": 20},
}

# Seconds until a process counts as hanging; a busy machine may need minutes to import TensorFlow.
TIME_LIMIT = 600


def make(folder=None, **parameters):
    return LSTMAutoencoderTransformer(**SMALL | {"checkpoint_dir": folder} | parameters)


def names_in(folder):
    return sorted(path.name for path in Path(folder).glob("checkpoint-*"))


def assert_same_fit(got, expected):
    assert got.history_ == expected.history_
    assert (got.n_epochs_, got.best_epoch_) == (expected.n_epochs_, expected.best_epoch_)
    assert (got.loss_, got.baseline_loss_) == (expected.loss_, expected.baseline_loss_)
    for one, other in zip(got.weights_, expected.weights_, strict=True):
        assert_array_equal(one, other)


class Stopped(Exception):
    """Stands for whatever interrupts a fit."""


@pytest.fixture
def stop_before(monkeypatch):
    """A function that makes fits fail while they train for the n-th of their epochs."""
    advance = training.Run.advance

    def stop(epoch):
        stop.trained = []  # the epochs since

        def advance_or_stop(run, state, n_done, n_epochs):
            if n_done + 1 == epoch:
                raise Stopped
            stop.trained.append(n_done + 1)
            return advance(run, state, n_done, n_epochs)

        monkeypatch.setattr(training.Run, "advance", advance_or_stop)

    return stop


@pytest.fixture
def interrupted(stop_before, tmp_path):
    """A function that returns the folder of a fit that ended before some epoch."""

    def interrupt(epoch=3, data=X, **parameters):
        stop_before(epoch)
        with pytest.raises(Stopped):
            make(tmp_path / "run", **parameters).fit(data)
        stop_before(None)
        return tmp_path / "run"

    return interrupt


@pytest.fixture(scope="module")
def whole():
    return make().fit(X)


# The law ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [X, RAGGED], ids=["equal", "ragged"])
def test_a_resumed_fit_is_one_that_was_never_stopped(kind, data, stop_before, tmp_path):
    """Interrupted in each of its epochs in turn."""
    expected = make(**KINDS[kind]).fit(data)
    for epoch in range(1, expected.n_epochs_ + 1):
        model = make(tmp_path / "run", resume=True, **KINDS[kind])
        stop_before(epoch)
        with pytest.raises(Stopped):
            model.fit(data)
        assert stop_before.trained == [epoch - 1] * (epoch > 1)
        assert len(names_in(tmp_path / "run")) == min(epoch - 1, 2)
    stop_before(None)
    assert_same_fit(model.fit(data), expected)
    assert stop_before.trained == [expected.n_epochs_]


def test_a_resumed_fit_takes_its_summary_from_the_checkpoint(interrupted, monkeypatch):
    long = np.concatenate([X, X[::-1]], axis=1)
    expected = make(summary_weight=1.0, pooling="all").fit(long)
    folder = interrupted(data=long, summary_weight=1.0, pooling="all")
    assert len(expected.history_["summary_loss"]) == 4
    monkeypatch.setattr(learn_autoencoder, "learn_summary", None)
    resumed = make(folder, resume=True, summary_weight=1.0, pooling="all").fit(long)
    assert_same_fit(resumed, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_leave_the_result_alone(kind, tmp_path):
    assert_same_fit(make(tmp_path, **KINDS[kind]).fit(X), make(**KINDS[kind]).fit(X))
    assert len(names_in(tmp_path)) == 2


def test_a_fit_that_has_ended_is_not_trained_further(stop_before, whole, tmp_path):
    make(tmp_path).fit(X)
    stop_before(None)
    assert_same_fit(make(tmp_path, resume=True).fit(X), whole)
    assert stop_before.trained == []


def test_without_resume_a_fit_begins_anew(interrupted, whole):
    """Checkpoints of before are replaced once there is a new one, and never taken for one."""
    folder = interrupted(epoch=4, random_state=1)
    old = names_in(folder)
    assert_same_fit(make(folder).fit(X), whole)
    assert not set(old) & set(names_in(folder))
    assert_same_fit(make(folder, resume=True).fit(X), whole)


def test_an_empty_or_missing_folder_is_begun_with(tmp_path, whole):
    assert_same_fit(make(tmp_path / "new" / "folder", resume=True).fit(X), whole)
    assert_same_fit(make(str(tmp_path), resume=True).fit(X), whole)


def test_without_a_seed_that_of_the_checkpoint_is_taken(interrupted):
    folder = interrupted(random_state=None)
    _, content = container.read(folder / names_in(folder)[-1], "checkpoint")
    resumed = make(folder, resume=True, random_state=None, warm_start=True).fit(X)
    assert resumed.optimizer_state_["seed"] == content["job"]["seed"]
    again = make(folder, resume=True, random_state=None).fit(X)
    assert_same_fit(again, resumed)


def test_a_generator_is_drawn_from_as_before(interrupted):
    folder = interrupted(random_state=np.random.RandomState(5))
    resumed = make(folder, resume=True, random_state=np.random.RandomState(5)).fit(X)
    assert_same_fit(resumed, make(random_state=np.random.RandomState(5)).fit(X))


def test_a_warm_start_is_resumed(whole, stop_before, tmp_path):
    start = pickle.dumps(make().fit(X).set_params(warm_start=True, dropout=0.1))
    expected = pickle.loads(start).fit(RAGGED).fit(X)
    model = pickle.loads(start).fit(RAGGED).set_params(checkpoint_dir=tmp_path, resume=True)
    before = pickle.dumps(model)
    stop_before(3)
    with pytest.raises(Stopped):
        model.fit(X)
    stop_before(None)
    assert pickle.dumps(model) == before
    resumed = pickle.loads(before).fit(X)
    assert_same_fit(resumed, expected)
    for one, other in zip(
        resumed.optimizer_state_["variables"], expected.optimizer_state_["variables"], strict=True
    ):
        assert_array_equal(one, other)
    message = "whose checksum of the weights to begin with is '.*', not None"
    with pytest.raises(ValueError, match=message):
        make(tmp_path, dropout=0.1, resume=True).fit(X)


def test_what_is_shown_goes_on(interrupted, capfd, whole):
    """From the epoch of the checkpoint, whose losses are shown once more."""
    folder = interrupted(epoch=3)
    make(folder, resume=True, verbose=2).fit(X)
    lines = capfd.readouterr().out.splitlines()
    losses = whole.history_["loss"]
    assert [line.split(",")[0] for line in lines] == [
        f"epoch {epoch}/4: loss {losses[epoch - 1]:.4g}" for epoch in (2, 3, 4)
    ]
    make(folder, resume=True, verbose=1).fit(X)
    assert " 4/4 [" in capfd.readouterr().err


def explained(model, X, y):
    return model.score(X)


def test_callbacks_hear_of_the_epochs_that_follow(interrupted):
    callbacks = pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")

    def heard(model):
        monitor = callbacks.ScoringMonitor(scoring={"explained": explained})
        model.set_callbacks(monitor, callbacks.ProgressBar()).fit(X, np.zeros(24))
        rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        return [(row["task_id"], row["explained"]) for row in rows]

    assert heard(make(interrupted(epoch=3), resume=True)) == heard(make())[1:]


def test_a_callback_that_stops_a_fit_stops_the_resumed_one(tmp_path, stop_before):
    """Killed between its checkpoint and its answer, a fit asks again."""
    pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")
    answers = iter([False, KeyboardInterrupt(), True])

    class Callback:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            if context.task_name != "epoch":
                return False
            answer = next(answers)
            if isinstance(answer, BaseException):
                raise answer
            return answer

    model = make(tmp_path).set_callbacks(Callback())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert not hasattr(model, "weights_")
    assert model.set_params(resume=True).fit(X).n_epochs_ == 2


def test_a_path_as_parameter_is_saved(tmp_path):
    model = make(tmp_path / "run", epochs=1).fit(X)
    save(model, tmp_path / "model.lstmae")
    assert load(tmp_path / "model.lstmae").checkpoint_dir == str(tmp_path / "run")


# Other jobs ------------------------------------------------------------------------------

OTHER = {
    "latent_dim is 2, not 3": {"latent_dim": 3},
    r"hidden_units is \[4\], not \[4, 4\]": {"hidden_units": (4, 4)},
    "batch_size is 8, not 9": {"batch_size": 9},
    "epochs is 4, not 5": {"epochs": 5},
    "learning_rate is 0.003, not 0.1": {"learning_rate": 0.1},
    "early_stopping is False, not True": {"early_stopping": True},
    "seed is 0, not 1": {"random_state": 1},
}


@pytest.fixture
def of_seed_zero(interrupted, monkeypatch):
    """The folder of an interrupted fit; random_state is the seed, so that messages are known."""
    from sklearn_lstmae.fitting import learn_autoencoder

    monkeypatch.setattr(learn_autoencoder, "draw_seed", lambda random_state: random_state)
    return interrupted()


@pytest.mark.parametrize(("message", "change"), OTHER.items(), ids=OTHER)
def test_a_fit_with_another_parameter_is_refused(message, change, of_seed_zero):
    kept = [(of_seed_zero / name).read_bytes() for name in names_in(of_seed_zero)]
    model = make(of_seed_zero, resume=True, **change)
    with pytest.raises(ValueError, match=rf"checkpoint-000002\.lstmae is of .* {message}: resume"):
        model.fit(X)
    assert not hasattr(model, "weights_")
    assert [(of_seed_zero / name).read_bytes() for name in names_in(of_seed_zero)] == kept


@pytest.mark.parametrize("epochs", [3, 9])
def test_for_other_epochs_the_way_is_named(epochs, of_seed_zero):
    model = make(of_seed_zero, resume=True, epochs=epochs)
    with pytest.raises(
        ValueError, match=r"same parameters.* To train longer, .* with warm_start=True and with"
    ):
        model.fit(X)
    model.set_params(epochs=4).fit(X)
    assert model.set_params(warm_start=True, resume=False, epochs=1).fit(X).n_epochs_ == 5


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("number of sequences is 24, not 23", X[1:]),
        ("number of features is 2, not 1", X[:, :, :1]),
        ("longest sequence is 6, not 5", X[:, :5]),
        ("layout of X is '3d', not 'list'", RAGGED),
        ("checksum of X is '.*', not '.*'", X[::-1]),
        ("checksum of X is '.*', not '.*'", np.where(X[3, 2, 1] == X, X + 1e-6, X)),
    ],
)
def test_a_fit_on_other_sequences_is_refused(message, data, of_seed_zero):
    with pytest.raises(ValueError, match=message):
        make(of_seed_zero, resume=True).fit(data)


def test_other_lengths_are_other_sequences(interrupted):
    folder = interrupted(data=RAGGED)
    other = [np.vstack([sequence, 0 * sequence[:1]]) for sequence in RAGGED[:1]] + RAGGED[1:]
    with pytest.raises(ValueError, match="checksum of X is"):
        make(folder, resume=True).fit(other)


def test_a_missing_value_is_not_a_zero(interrupted):
    zero, missing = X.copy(), X.copy()
    zero[0, 0, 0], missing[0, 0, 0] = 0, np.nan
    zero[1, 1, 1] = missing[1, 1, 1] = np.nan
    folder = interrupted(data=zero, missing="mask")
    with pytest.raises(ValueError, match="checksum of X is"):
        make(folder, resume=True, missing="mask").fit(missing)


def test_parameters_that_mean_the_same_are_the_same(interrupted, whole):
    settings = {"latent_dim": np.int64(2), "hidden_units": [np.int32(4)], "verbose": False}
    assert_same_fit(make(interrupted(), resume=True, **settings).fit(X), whole)


def test_a_copy_of_the_sequences_is_the_same(interrupted, whole):
    assert_same_fit(make(interrupted(), resume=True).fit(np.asfortranarray(X, "f8")), whole)


def test_other_versions_are_refused(interrupted, monkeypatch):
    folder = interrupted()
    installed = checkpointing.versions()
    monkeypatch.setattr(checkpointing, "versions", lambda: installed | {"keras": "99.0"})
    with pytest.raises(ValueError, match=r"version of keras is '.*', not '99\.0'"):
        make(folder, resume=True).fit(X)


# Damage ----------------------------------------------------------------------------------


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_of_a_damaged_checkpoint_the_one_before_is_used(interrupted, whole):
    folder = interrupted(epoch=4)
    before, last = names_in(folder)
    damage(folder / last)
    model = make(folder, resume=True)
    with pytest.warns(UserWarning, match=rf"{last}: .*corrupted.* before it, .*{before}") as caught:
        model.fit(X)
    assert caught[0].filename == __file__
    assert_same_fit(model, whole)
    assert last not in names_in(folder)


def test_of_a_damaged_older_checkpoint_nobody_hears(interrupted, whole):
    folder = interrupted(epoch=4)
    damage(folder / names_in(folder)[0])
    assert_same_fit(make(folder, resume=True).fit(X), whole)


@pytest.mark.parametrize("epoch", [2, 4])
def test_without_an_intact_checkpoint_a_fit_is_not_resumed(epoch, interrupted):
    folder = interrupted(epoch)
    names = names_in(folder)
    assert len(names) == min(epoch - 1, 2)
    for name in names:
        damage(folder / name)
    message = rf"{names[-1]}: .*corrupted.*There is no other checkpoint: start from scratch with"
    with pytest.raises(ValueError, match=message):
        make(folder, resume=True).fit(X)
    assert names_in(folder) == names


def forge(path, **changes):
    """Change the content of a checkpoint, and arrays by their names; checksums are right."""
    arrays, content = container.read(path, "checkpoint")
    for name, value in changes.items():
        group, _, number = name.rpartition("_")
        if number.isdigit():
            arrays[f"{group} {number}"] = value
        else:
            content[name] = value
    container.write(path, "checkpoint", arrays, content)


NOT_OF_A_FIT = {
    "epochs, words": ({"n_epochs": "x"}, r"'content\.n_epochs' is 'x'"),
    "epochs": ({"n_epochs": 9}, r"'content\.n_epochs' is 9"),
    "history": ({"history": {}}, r"'content\.history\.loss' is missing"),
    "history, words": ({"history": {"loss": "x"}}, r"'content\.history\.loss' is 'x'"),
    "history, part": ({"history": {"loss": [0.5] * 3}}, r"'.*\.reconstruct_loss' is missing"),
    "history, long": (
        {"history": dict.fromkeys(("loss", "reconstruct_loss"), [0.5] * 9), "n_epochs": 9,
         "n_steps": 9, "best_epoch": 9},
        "disagree with 9 epochs",
    ),
    "steps": ({"n_steps": 2**40}, r"'content\.n_steps' is 1099511627776"),
    "steps, part": ({"n_steps": 10}, r"'content\.n_steps' and 'content\.history' disagree with 3"),
    "best": ({"best_epoch": 1}, r"'content\.best_epoch' is 1, but should be: one of \[3\]"),
    "more": ({"zz": 1}, r"'content\.zz' is not known"),
    "weights": ({"weights_0": np.zeros(3, np.float32)}, r"'weights\[0\]' is an array of float32"),
    "weights, nan": ({"weights_2": np.full(16, np.nan, np.float32)}, r"'weights\[2\]' holds num"),
    "weights, more": ({"weights_15": np.zeros(3)}, r"'weights' is .* list of 15"),
    "optimizer": ({"optimizer_0": np.array(10)}, r"'optimizer\[0\]' holds numbers"),
    "best weights": ({"best_0": np.zeros(3)}, r"'best' is .* list of 0"),
    "other": ({"other_0": np.zeros(3)}, r"'arrays' holds others than"),
    "summary": ({"summary_0": np.zeros(3)}, r"field 'summary\.|'summary\."),
    "job": ({"job": 5}, r"field 'content\.job' is 5, but should be a dict"),
}  # fmt: skip


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory):
    """Folder of a fit with its second and third checkpoint."""
    folder = tmp_path_factory.mktemp("three") / "run"
    make(folder, epochs=3).fit(X)
    return folder


def resume(folder):
    """What a fit of three epochs resumes from."""
    estimator = make(folder, epochs=3, resume=True)
    sequences = check_sequences(estimator, X, missing="error")
    architecture = Architecture.from_dict(configure(estimator, sequences)["architecture"])
    with open_checkpoints(folder) as checkpoints:
        _, start, _ = learn_autoencoder._begin(
            estimator, sequences, ONE_SHARD, False, checkpoints, architecture
        )
    return start


@pytest.mark.parametrize(("changes", "message"), NOT_OF_A_FIT.values(), ids=NOT_OF_A_FIT)
def test_a_checkpoint_that_no_fit_writes_is_passed_over(changes, message, three_epochs, tmp_path):
    folder = shutil.copytree(three_epochs, tmp_path / "run")
    before, last = names_in(folder)
    assert resume(folder).n_epochs == 3
    forge(folder / last, **changes)
    with pytest.warns(UserWarning, match=rf"{last}: .*{message}.* before it, .*{before}, is used"):
        assert resume(folder).n_epochs == 2
    (folder / before).unlink()
    with pytest.raises(ValueError, match=rf"{last}: .*{message}.*There is no other checkpoint"):
        resume(folder)


# The folder ------------------------------------------------------------------------------


def test_other_files_are_not_touched(tmp_path):
    foreign = {"notes.txt", "checkpoint-000001.keras", "checkpoint-1.lstmae", "my-checkpoint"}
    for name in foreign:
        (tmp_path / name).write_text(name)
    (tmp_path / "more").mkdir()
    make(tmp_path).fit(X)
    make(tmp_path, resume=True).fit(X)
    for name in foreign:
        assert (tmp_path / name).read_text() == name
    ours = {path.name for path in tmp_path.iterdir()} - foreign - {"more"}
    assert ours == {checkpointing.LOCK, "checkpoint-000003.lstmae", "checkpoint-000004.lstmae"}


@pytest.mark.parametrize("number", [2, 9])
def test_what_has_the_name_of_a_checkpoint_only_stays(number, three_epochs, tmp_path):
    """A folder, a text, a link, a saved model, an empty file."""
    folder = shutil.copytree(three_epochs, tmp_path / "run")
    names = [f"checkpoint-{10 * i + number:06}.lstmae" for i in range(5)]
    (folder / names[0]).unlink(missing_ok=True)
    (folder / names[0]).mkdir()
    (folder / names[1]).write_text("mine")
    (tmp_path / "target").write_bytes((folder / "checkpoint-000003.lstmae").read_bytes())
    (folder / names[2]).symlink_to(tmp_path / "target")
    save(make(), folder / names[3])
    (folder / names[4]).touch()
    state = TrainingState([np.zeros(1)], [])
    with open_checkpoints(folder) as checkpoints:
        for _ in range(3):
            checkpoints.write({}, TrainingProgress(state, state.weights))
    ours = [f"checkpoint-{40 + number + i:06}.lstmae" for i in (2, 3)]
    assert names_in(folder) == sorted([*names, *ours])
    assert (folder / names[1]).read_text() == "mine"


def test_a_folder_that_has_the_name_of_a_checkpoint_is_no_checkpoint(three_epochs, tmp_path):
    folder = shutil.copytree(three_epochs, tmp_path / "run")
    (folder / "checkpoint-000007.lstmae").mkdir()
    assert resume(folder).n_epochs == 3


def test_checkpoints_far_in_the_past_are_replaced(tmp_path):
    """Names are ordered as numbers."""
    state = TrainingState([np.zeros(1)], [])
    trained = TrainingProgress(state, state.weights)
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.write({}, trained)
        (tmp_path / "checkpoint-000001.lstmae").rename(tmp_path / "checkpoint-999999.lstmae")
    with open_checkpoints(tmp_path) as checkpoints:
        for _ in range(3):
            checkpoints.write({}, trained)
    assert names_in(tmp_path) == ["checkpoint-1000001.lstmae", "checkpoint-1000002.lstmae"]


def test_the_best_weights_are_kept_beside_the_last(tmp_path):
    last, best, variables = ([np.full(2, n, np.float32)] for n in range(3))
    trained = TrainingProgress(
        TrainingState(last, variables, 7, 8), best, 3, {"loss": [0.1, 1 / 3, np.nan]}
    )
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.write({"seed": 1}, trained)
        found, job = checkpoints.resume({"seed": 2}, any_seed=True)
    assert job == {"seed": 1}
    assert (found.state.n_epochs, found.state.n_steps, found.best_epoch) == (7, 8, 3)
    assert_array_equal(found.history["loss"], trained.history["loss"])
    for got, expected in (
        (found.state.weights, last), (found.weights, best), (found.state.optimizer, variables)
    ):  # fmt: skip
        assert_array_equal(got, expected)


def test_a_folder_that_cannot_be_written_to_is_told_before_training(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OSError, match=r"file"):
        make(file).fit("not even data")
    with pytest.raises(FileNotFoundError):
        make("").fit("not even data")

    def refuse(dir):
        raise PermissionError(errno.EACCES, "Permission denied", dir)

    monkeypatch.setattr(checkpointing.tempfile, "TemporaryFile", refuse)
    with pytest.raises(PermissionError, match="read-only"):
        make(tmp_path / "read-only").fit("not even data")


@pytest.mark.parametrize(
    ("function", "name"),
    [("ftruncate", checkpointing.LOCK), ("write", checkpointing.LOCK), ("TemporaryFile", "run")],
)
def test_a_full_disk_names_the_path_before_training(function, name, tmp_path, monkeypatch):
    """The system does not, where it is a descriptor that is written to."""
    model = make(tmp_path / "run")

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    module = checkpointing.tempfile if function == "TemporaryFile" else checkpointing.os
    with monkeypatch.context() as patch:
        patch.setattr(module, function, fail)
        with pytest.raises(
            OSError, match=rf"No space left on device: '{tmp_path}.*{name}'"
        ) as caught:
            model.fit("not even data")
    assert caught.value.errno == errno.ENOSPC
    with open_checkpoints(tmp_path / "run"):  # the lock is free
        pass


def test_an_error_of_what_is_fitted_is_not_one_of_the_folder(tmp_path):
    class Lazy:
        shape = (24, 6, 2)

        def __getitem__(self, rows):
            raise OSError(errno.EIO, "Input/output error", "data.h5")

    with pytest.raises(OSError, match=r"Input/output error: 'data.h5'"):
        make(tmp_path).fit(Lazy())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told_before_training(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=str(tmp_path)):
        make(tmp_path).fit("not even data")


def test_resume_needs_a_folder():
    with pytest.raises(ValueError, match=r"resume=True continues .* checkpoint_dir is None"):
        make(resume=True).fit("not even data")


@posix_only
def test_a_folder_in_use_is_refused(tmp_path):
    with open_checkpoints(tmp_path):
        message = rf"checkpoint_dir='{tmp_path}' is in use by a fit of process {os.getpid()}: wait"
        with pytest.raises(RuntimeError, match=message):
            make(tmp_path).fit(X)
    make(tmp_path, epochs=1).fit(X)


def test_where_there_are_no_locks_none_is_needed(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(checkpointing, "fcntl", None)
    assert_same_fit(make(tmp_path).fit(X), whole)


def test_partial_fit_writes_no_checkpoint(tmp_path):
    make(tmp_path / "run").partial_fit(X)
    assert not (tmp_path / "run").exists()


# Faults ----------------------------------------------------------------------------------


def test_an_interrupt_keeps_the_earlier_state_and_the_checkpoints(tmp_path, monkeypatch, whole):
    model = make().fit(RAGGED)
    before = pickle.dumps(vars(model))
    write = Checkpoints.write

    def write_then_interrupt(checkpoints, job, trained):
        write(checkpoints, job, trained)
        if trained.n_epochs == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "write", write_then_interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(checkpoint_dir=tmp_path).fit(X)
    assert pickle.dumps(vars(model.set_params(checkpoint_dir=None))) == before
    monkeypatch.undo()
    assert_same_fit(model.set_params(checkpoint_dir=tmp_path, resume=True).fit(X), whole)


def start(code, folder):
    """A process of its own that has make, X and its folder, and runs code."""
    prelude = f"""
import os, resource, signal, sys, time, warnings
import numpy as np
from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae import _file_container as container
from sklearn_lstmae.fitting.checkpoints import Checkpoints
from sklearn_lstmae.training import loop as training

signal.alarm({TIME_LIMIT})  # else a line that does not come is waited for for ever
warnings.simplefilter("ignore")
folder = sys.argv[1]
X = np.random.default_rng(0).normal(size=(24, 6, 2)).astype(np.float32)
make = lambda **more: LSTMAutoencoderTransformer(**{SMALL} | dict(checkpoint_dir=folder) | more)

def wait(*_):
    print("there", flush=True)
    time.sleep(600)
"""
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@posix_only
def test_a_fit_killed_within_an_epoch_is_resumed_and_its_lock_is_no_more(tmp_path, whole):
    code = """
        advance = training.Run.advance
        training.Run.advance = lambda run, state, n_done, n_epochs: (
            wait() if n_done == 2 else advance(run, state, n_done, n_epochs)
        )
        make().fit(X)
    """
    process = start(code, tmp_path)
    assert process.stdout.readline() == "there\n", process.stderr.read()
    model = make(tmp_path, resume=True)
    with pytest.raises(RuntimeError, match=f"in use by a fit of process {process.pid}: "):
        model.fit(X)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIME_LIMIT)
    assert names_in(tmp_path) == ["checkpoint-000001.lstmae", "checkpoint-000002.lstmae"]
    assert_same_fit(model.fit(X), whole)


@posix_only
def test_a_full_disk_is_an_error_and_a_fit_killed_while_it_writes_is_resumed(tmp_path, whole):
    code = """
        write = Checkpoints.write

        def write_on_a_full_disk(checkpoints, job, trained):
            if trained.n_epochs == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            write(checkpoints, job, trained)

        model = make(checkpoint_dir=None, epochs=1).fit(X)
        before = dict(vars(model))
        model.set_params(**make().get_params())
        Checkpoints.write = write_on_a_full_disk
        try:
            model.fit(X)
        except OSError as error:
            print(error)
        fitted = {name for name in before if name.endswith("_")}
        print(all(vars(model)[name] is before[name] for name in fitted), sorted(os.listdir(folder)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        Checkpoints.write = write
        container.os.replace = wait
        model.set_params(resume=True).fit(X)
    """
    process = start(code, tmp_path)
    two = ["checkpoint-000001.lstmae", "checkpoint-000002.lstmae"]
    path = tmp_path / "checkpoint-000003.lstmae"
    assert process.stdout.readline() == (
        f"[Errno {errno.EFBIG}] {os.strerror(errno.EFBIG)}: '{path}'\n"
    ), process.stderr.read()
    assert process.stdout.readline() == f"True {[checkpointing.LOCK, *two]}\n"
    assert process.stdout.readline() == "there\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIME_LIMIT)
    assert names_in(tmp_path) == two
    [stale] = tmp_path.glob(".sklearn_lstmae-*.tmp")
    assert_same_fit(make(tmp_path, resume=True).fit(X), whole)
    assert stale.exists()


def test_the_lock_ends_with_the_fit_even_if_a_forked_process_keeps_its_file(tmp_path, monkeypatch):
    kept, really_open = [], os.open

    def open_twice(*arguments):
        descriptor = really_open(*arguments)
        kept.append(os.dup(descriptor))  # the same open file, as after a fork
        return descriptor

    monkeypatch.setattr(os, "open", open_twice)
    for _ in range(2):
        with open_checkpoints(tmp_path):
            pass
    for descriptor in kept:
        os.close(descriptor)
