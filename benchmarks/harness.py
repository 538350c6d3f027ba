"""Contenders in processes of their own that take turns."""

import gc
import multiprocessing
import os
import time
import traceback
from contextlib import contextmanager

CORES = 2
ROUNDS = 5


class Remote:
    """An object in a process of its own, on two cores and no GPU.

    Parameters
    ----------
    make : callable, importable by name
        Called in the new process with ``*args`` and ``**settings``; what it returns stays there.
        The process only starts here: `wait` before the first call, or use `started`.
    """

    def __init__(self, make, *args, **settings):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        # No daemon, which could not start processes of its own; it ends when the pipe is closed.
        self._process = context.Process(target=_serve, args=(theirs, make, args, settings))
        self._process.start()
        theirs.close()

    def wait(self):
        """Return as soon as the object is made."""
        self._receive()

    def call(self, method, *args):
        """Result of a method of the object."""
        return self.timed(method, *args)[1]

    def timed(self, method, *args):
        """Seconds that a method took in its process, and its result."""
        return self._receive(method, args)

    def close(self):
        """End the process."""
        self._connection.close()
        self._process.join()

    def _receive(self, *question):
        try:
            if question:
                self._connection.send(question)
            error, answer = self._connection.recv()
        except (EOFError, OSError):
            raise RuntimeError("A contender's process ended without an answer.") from None
        if error:
            raise RuntimeError(f"A contender failed:\n{error}")
        return answer


def _serve(connection, make, args, settings):
    """Make the object, then run what the pipe asks for until it is closed."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    os.environ.update(CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")
    with connection:
        try:
            subject = make(*args, **settings)
            connection.send((None, None))
            while True:
                method, arguments = connection.recv()
                gc.collect()
                start = time.perf_counter()
                result = getattr(subject, method)(*arguments)
                connection.send((None, (time.perf_counter() - start, result)))
        except EOFError:
            return
        except Exception:
            connection.send((traceback.format_exc(), None))


@contextmanager
def started(starters):
    """``{name: function that makes a Remote}`` -> ``{name: Remote}``, ready; ended afterwards."""
    remotes = {}
    try:
        for name, start in starters.items():
            remotes[name] = start()
        for remote in remotes.values():
            remote.wait()
        yield remotes
    finally:
        for remote in remotes.values():
            remote.close()


def take_turns(runs, rounds=ROUNDS, warm_up=1):
    """Run A B C A B C ...: {name: callable} -> {name: results of each round after the warm-up}."""
    results = {name: [] for name in runs}
    for number in range(-warm_up, rounds):
        for name, run in runs.items():
            result = run()
            if number >= 0:
                results[name].append(result)
    return results
