"""Checkpoints: all that a fit needs to go on after it was interrupted.

They are files of one folder, ``checkpoint-<number>.lstmae``, the last two of a fit. One is deleted
when a newer one is safely on the disk; other files of the folder are not touched, whatever their
names are. A fit holds the folder's lock, which ends with its process, however that ends.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
import warnings
from dataclasses import fields

import numpy as np

from sklearn_lstmae import _file_container as container
from sklearn_lstmae._file_container import shown
from sklearn_lstmae._versions import versions
from sklearn_lstmae.fitting.fields import Each, Number, OneOf, Record, Rule, arrays_of
from sklearn_lstmae.fitting.outcome import USER_LINE
from sklearn_lstmae.fitting.trained import (
    SEED,
    check_summary,
    head_shapes,
    history,
    losses_of,
    optimizer_variables,
)
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.summaries import Summary
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

try:
    import fcntl
except ImportError:  # not a POSIX system: folders are not locked
    fcntl = None  # type: ignore[assignment]

KIND = "checkpoint"
NAME = re.compile(r"checkpoint-(\d{6,})\.lstmae")
LOCK = ".sklearn_lstmae-lock"

# What the names of arrays begin with.
GROUPS = ("weights", "optimizer", "best", "summary")

# Parameters that do not change what is trained. The seed stands for random_state.
IRRELEVANT = {"append_states", "checkpoint_dir", "resume", "warm_start", "random_state", "verbose"}

# Parameter that a user may want to change between the parts of a fit -> how else to.
ADVICE = {
    "epochs": "To train longer, let that fit finish its epochs, then fit with warm_start=True and "
    "without resume: the learning rate of each epoch depends on the number of epochs. "
}

# What processes that train together have each on their own.
OF_EACH_PART = ("number of sequences", "longest sequence", "checksum of X")

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
        if fcntl is not None:  # a process that was forked meanwhile may keep the descriptor
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


class Checkpoints:
    """The checkpoints of one folder, whose lock is held."""

    def __init__(self, folder):
        self._folder = folder
        self._last = None  # path of the last checkpoint of this fit

    def resume(self, job, any_seed, check=None):
        """The progress of the last fit of this job, and the job with its seed.

        Parameters
        ----------
        job : dict
            As `describe` makes it.
        any_seed : bool
            Whether a seed that differs from the job's is as good.
        check : callable (content, arrays) -> object, default=None
            As `check_progress`; a checkpoint of this job that it refuses is passed over.

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

        def change(theirs):
            """Name of the first entry in which a job is another one, None if it is this one."""
            names = (name for name, value in job.items() if theirs.get(name) != value)
            return next((name for name in names if not (any_seed and name == "seed")), None)

        def verify(content, arrays):
            theirs = content.get("job")
            if not isinstance(theirs, dict):
                raise ValueError(f"field 'content.job' is {shown(theirs)}, but should be a dict.")
            SEED.check(theirs.get("seed"), "content.job.seed")
            if check is not None and change(theirs) is None:
                check(content, arrays)

        path, found = self._newest(verify)
        if found is None:
            return None, job
        arrays, content = found
        name = change(content["job"])
        if name is not None:
            raise ValueError(
                f"The checkpoint {path} is of a fit whose {name} is "
                f"{shown(content['job'].get(name))}, not {job[name]!r}: "
                "resume=True needs the same parameters, sequences and random_state. "
                f"{ADVICE.get(name, '')}Restore them, choose another checkpoint_dir, or "
                "start from scratch with resume=False."
            )
        if any_seed:
            job = {**job, "seed": content["job"]["seed"]}
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
            if old != self._last and container.begins_as(old, KIND):
                os.remove(old)
        self._last = path

    def _paths(self):
        """Number -> path of whatever has the name of a checkpoint, the oldest first."""
        matches = filter(None, map(NAME.fullmatch, os.listdir(self._folder)))
        numbered = sorted((int(match[1]), match[0]) for match in matches)
        return {number: os.path.join(self._folder, name) for number, name in numbered}

    def _newest(self, verify):
        """Path and parts of the last checkpoint that can be read, None where there is none."""
        failure = None
        for path in filter(os.path.isfile, reversed(self._paths().values())):
            try:
                arrays, content = found = container.read(path, KIND, check=verify)
                with container.errors_name(path):
                    verify(content, arrays)
            except ValueError as error:
                failure = failure or error
                continue
            if failure is not None:
                # Past the frames of the calling module, see USER_LINE.
                warnings.warn(
                    f"{failure} The checkpoint before it, {path}, is used.",
                    UserWarning,
                    stacklevel=USER_LINE + 3,
                )
            return path, found
        if failure is not None:
            raise ValueError(
                f"{failure} There is no other checkpoint: start from scratch with resume=False."
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
    weights, optimizer, best, summary = (_listed(arrays, name) for name in GROUPS)
    state = TrainingState(
        weights,
        optimizer,
        content["n_epochs"],
        content["n_steps"],
        Summary(*summary) if summary else None,
    )
    return TrainingProgress(state, best or weights, content["best_epoch"], content["history"])


def _listed(arrays, group):
    """Arrays of a group in their order."""
    n_arrays = sum(name.startswith(f"{group} ") for name in arrays)
    return [arrays.get(f"{group} {number}") for number in range(n_arrays)]


def check_progress(content, arrays, *, architecture, estimator, n_sequences, start):
    """Raise unless a fit could have been as far.

    Parameters
    ----------
    content, arrays : dict
        As `_pack` makes them, or with the `ArraySpec` of each array.
    architecture : Architecture
    estimator : LSTMAutoencoderTransformer
    n_sequences : int
        Those of all processes.
    start : TrainingState or None
        What the fit began from, None for fresh weights.
    """
    names = [field.name for field in fields(Summary)]
    summary = _listed(arrays, "summary")
    summary = dict(zip(names, summary, strict=False)) if summary else None
    n_components = check_summary(summary, architecture, "summary")
    losses = content.get("history")
    losses = losses.get("loss") if isinstance(losses, dict) else None
    n_done = len(losses) if isinstance(losses, list) else 0
    n_before = (0, 0) if start is None else (start.n_epochs, start.n_steps)
    steps = range(n_before[1] + n_done, n_before[1] + n_done * n_sequences + 1, max(1, n_done))
    needed = losses_of(architecture)
    needed += ["val_loss"] * bool(estimator.early_stopping) + ["summary_loss"] * bool(n_components)
    rules = {
        "job": Rule(),
        "history": history(n_done, needed),
        "n_epochs": Number(int, n_before[0] + max(1, n_done), n_before[0] + n_done),
        "n_steps": Number(int, steps.start, steps.stop - 1),
        "best_epoch": Number(int, 1, n_done),
    }
    Record(rules).check(content, "content")
    best = n_done
    if estimator.early_stopping:
        best = 1 + int(np.argmin(content["history"]["val_loss"]))
    OneOf([best]).check(content["best_epoch"], "content.best_epoch")
    if n_done > estimator.epochs or content["n_steps"] not in steps:
        raise ValueError(f"'content.n_steps' and 'content.history' disagree with {n_done} epochs.")
    shapes = [*network_of(architecture).shapes, *head_shapes(architecture, n_components)]
    weights = arrays_of(shapes, np.float32)
    optimizer, n_steps = estimator.optimizer, content["n_steps"]
    groups = {
        "weights": weights,
        "optimizer": optimizer_variables(optimizer, architecture, n_components, n_steps),
        "best": Each([]) if best == n_done else weights,
        "summary": Each([Rule()] * (len(names) if summary else 0)),
    }
    for group, rule in groups.items():
        rule.check(_listed(arrays, group), group)
    if len(arrays) != sum(len(rule.rules) for rule in groups.values()):
        raise ValueError(f"'arrays' holds others than {sorted(groups)}: {shown(sorted(arrays))}.")


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


def merge_jobs(jobs):
    """One description of a fit of which each process described its part."""
    first, *others = jobs
    if not others:
        return first
    return first | {name: [job[name] for job in jobs] for name in OF_EACH_PART}


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
