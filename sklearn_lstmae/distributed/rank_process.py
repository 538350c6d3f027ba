"""A rank in a fresh process: started, fed, watched and stopped.

A process that has used TensorFlow cannot become a rank, and a worker of Dask may have. The process
reads its job from stdin and writes its reply to stdout; it ends when its stdin is closed, and so
never outlives the process that started it.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

# Seconds between two questions whether a rank should go on.
PATIENCE = 0.5


@dataclass(frozen=True)
class Reply:
    """How a rank ended.

    Attributes
    ----------
    kind : {"fitted", "error", "lost", "killed", "stopped", "gone"}
        "lost": since another rank ended; "gone": with its worker.
    value : object
        Fitted attributes of rank 0; an exception; the exit status of a killed process.
    warnings : list of (category, message)
    """

    kind: str
    value: Any = None
    warnings: list = field(default_factory=list)


def run_in_process(job: bytes, asks_to_stop) -> Reply:
    """Run a job, a pickle of the arguments of `fit_rank`, until it ends or should stop."""
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )
    with process, ThreadPoolExecutor(2) as threads:
        sent = threads.submit(_send, process.stdin, job)
        received = threads.submit(process.stdout.read)  # type: ignore[union-attr]
        try:
            while not received.done() and not asks_to_stop():
                wait([received], timeout=PATIENCE)
        finally:
            process.kill()  # it has nothing more to do
        sent.result()
        was_stopped, reply = not received.done(), received.result()
    with contextlib.suppress(EOFError, pickle.UnpicklingError):  # of one that ended before its end
        return pickle.loads(reply)
    return Reply("stopped") if was_stopped else Reply("killed", process.returncode)


def _send(stream, job):
    try:
        stream.write(job)
        stream.flush()
    except BrokenPipeError:
        pass  # the process has ended, and its exit status tells how


def main():
    """What the process does."""
    reply = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed goes where the errors of Dask's worker go
    job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with reply:
        pickle.dump(_fit(*job), reply)


def _end_with_stdin():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGKILL)


def _as_pickled(error):
    """The error, or its text where that is all that a pickle can hold."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _fit(estimator, X, addresses, rank):
    """Reply of a rank."""
    from sklearn_lstmae.distributed.ranks import LostRankError, fit_rank
    from sklearn_lstmae.fitting.in_one_step import fitted_attributes

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit_rank(estimator, X, addresses, rank)
        except LostRankError as error:
            return Reply("lost", error)
        except Exception as error:
            return Reply("error", _as_pickled(error))
    if rank > 0:
        return Reply("fitted")
    warned = [(each.category, str(each.message)) for each in caught]
    return Reply("fitted", fitted_attributes(estimator), warned)
