"""Checkpoints: all that a fit needs to go on after it was interrupted.

They are files of one folder, ``checkpoint-<number>.lstmae``, the last two of a fit. One is deleted
when a newer one is safely on the disk; other files of the folder are not touched. A fit holds the
folder's lock, which ends with its process, however that ends.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
import warnings

import numpy as np

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._versions import versions
from sklearn_lstmae.fitting.outcome import USER_LINE
from sklearn_lstmae.sequences.summaries import Summary
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

try:
    import fcntl
except ImportError:  # not a POSIX system: folders are not locked
    fcntl = None  # type: ignore[assignment]

KIND = "checkpoint"
NAME = re.compile(r"checkpoint-(\d{6,})\.lstmae")
LOCK = ".sklearn_lstmae-lock"

# Parameters that do not change what is trained. The seed stands for random_state.
IRRELEVANT = {"append_states", "checkpoint_dir", "resume", "warm_start", "random_state", "verbose"}

# Parameter that a user may want to change between the parts of a fit -> how else to.
ADVICE = {
    "epochs": "To train longer, let that fit end with its epochs, then fit with warm_start=True "
    "and without resume: the learning rates of all epochs depend on how many there are. "
}

# Packages of another version may make other bits.
SAME_BITS = ("sklearn_lstmae", "numpy", "keras", "tensorflow")


@contextlib.contextmanager
def open_checkpoints(folder):
    """Checkpoints of a folder, made if need be and locked; None for None.

    Raises
    ------
    OSError
        If no file can be written there.

    RuntimeError
        If another fit has the lock.
    """
    if folder is None:
        yield None
        return
    os.makedirs(folder, exist_ok=True)
    folder = os.path.abspath(folder)  # wherever training may go
    with _errors_name(folder), tempfile.TemporaryFile(dir=folder):
        pass  # a folder may have a lock and yet be read-only
    with _lock(folder):
        yield Checkpoints(folder)


@contextlib.contextmanager
def _errors_name(path):
    """Errors of writing, such as that of a full disk, name no file by themselves."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


@contextlib.contextmanager
def _lock(folder):
    path = os.path.join(folder, LOCK)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                owner = os.read(descriptor, 32).decode()
                raise RuntimeError(
                    f"checkpoint_dir={folder!r} is in use by a fit of process {owner}: wait for "
                    "its end, or choose another folder."
                ) from error
        with _errors_name(path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


class Checkpoints:
    """The checkpoints of one folder, whose lock is held."""

    def __init__(self, folder):
        self._folder = folder
        self._last = None  # path of the last checkpoint of this fit

    def resume(self, job, any_seed):
        """The progress of the last fit of this job, and the job with its seed.

        Parameters
        ----------
        job : dict
            As `describe` makes it.
        any_seed : bool
            Whether a seed that differs from the job's is as good.

        Returns
        -------
        progress : TrainingProgress or None
            None where there is no checkpoint.
        job : dict
            With the checkpoint's seed.

        Raises
        ------
        ValueError
            If the last checkpoint is of another job, or none can be read.
        """
        path, found = self._newest()
        if found is None:
            return None, job
        arrays, content = found
        if any_seed:
            job = {**job, "seed": content["job"].get("seed")}
        for name, value in job.items():
            theirs = content["job"].get(name)
            if theirs != value:
                raise ValueError(
                    f"The checkpoint {path} is of a fit whose {name} is {theirs!r}, not {value!r}: "
                    "resume=True goes on with the same parameters, sequences and random_state "
                    f"only. {ADVICE.get(name, '')}Restore them, choose another checkpoint_dir, or "
                    "begin anew with resume=False."
                )
        self._last = path
        return _unpack(arrays, content), job

    def write(self, job, progress):
        """Write a checkpoint."""
        paths = self._paths()
        number = 1 + max(paths, default=0)
        path = os.path.join(self._folder, f"checkpoint-{number:06}.lstmae")
        arrays, content = _pack(progress)
        container.write(path, KIND, arrays, {"job": job, **content})
        for old in paths.values():
            if old != self._last:
                os.remove(old)
        self._last = path

    def _paths(self):
        """Number -> path of each checkpoint, the oldest first."""
        matches = filter(None, map(NAME.fullmatch, os.listdir(self._folder)))
        numbered = sorted((int(match[1]), match[0]) for match in matches)
        return {number: os.path.join(self._folder, name) for number, name in numbered}

    def _newest(self):
        """Path and parts of the last checkpoint that can be read, None where there is none."""
        failure = None
        for path in reversed(self._paths().values()):
            try:
                found = container.read(path, KIND)
            except ValueError as error:
                failure = failure or error
                continue
            if failure is not None:
                # Past the steps of the module that asks, see USER_LINE.
                warnings.warn(
                    f"{failure} The checkpoint before it, {path}, is used.",
                    UserWarning,
                    stacklevel=USER_LINE + 3,
                )
            return path, found
        if failure is not None:
            raise ValueError(
                f"{failure} There is no other checkpoint: begin anew with resume=False."
            ) from failure
        return None, None


# What a checkpoint holds -----------------------------------------------------------------


def _pack(progress):
    """TrainingProgress -> arrays and plain values."""
    state = progress.state
    is_best = progress.weights is state.weights
    lists = {
        "weights": state.weights,
        "optimizer": state.optimizer,
        "best": [] if is_best else progress.weights,
        "summary": [] if state.summary is None else vars(state.summary).values(),
    }
    arrays = {f"{name} {i}": item for name, items in lists.items() for i, item in enumerate(items)}
    content = {
        "n_epochs": state.n_epochs,
        "n_steps": state.n_steps,
        "best_epoch": progress.best_epoch,
        "history": progress.history,
    }
    return arrays, content


def _unpack(arrays, content):
    """Inverse of `_pack`."""
    weights, optimizer, best, summary = (
        [item for key, item in arrays.items() if key.split()[0] == name]
        for name in ("weights", "optimizer", "best", "summary")
    )
    state = TrainingState(
        weights,
        optimizer,
        content["n_epochs"],
        content["n_steps"],
        Summary(*summary) if summary else None,
    )
    return TrainingProgress(state, best or weights, content["best_epoch"], content["history"])


# What is trained -------------------------------------------------------------------------


def describe(estimator, sequences, state, seed):
    """What determines the result of a fit, by name, as plain values.

    ``state`` is the TrainingState that it begins from, None for fresh weights.
    """
    parameters = {
        name: _plain(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in IRRELEVANT
    }
    beginning = None
    if state is not None:
        digest = hashlib.sha256(json.dumps([state.n_epochs, state.n_steps]).encode())
        summary = [] if state.summary is None else vars(state.summary).values()
        for array in (*state.weights, *(state.optimizer or []), *summary):
            digest.update(array.tobytes())
        beginning = digest.hexdigest()
    return {
        **{f"version of {name}": versions()[name] for name in SAME_BITS},
        **parameters,
        "number of sequences": len(sequences),
        "number of features": sequences.n_features,
        "longest sequence": sequences.n_timesteps,
        "layout of X": sequences.layout,
        "checksum of X": _checksum(sequences),
        "checksum of the weights to begin with": beginning,
        "seed": seed,
    }


def _plain(value):
    """A parameter as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _checksum(sequences):
    """SHA-256 of lengths and values, read block by block; zero stands for what is not observed."""
    digest = hashlib.sha256(sequences.lengths.tobytes())
    for rows in sequences.blocks():
        batch = sequences.read(rows, sequences.n_timesteps, np.float64)
        digest.update(batch.values.tobytes())
        if batch.observed is not None:
            digest.update(batch.observed.tobytes())
    return digest.hexdigest()
