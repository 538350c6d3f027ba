"""cross_val_score and GridSearchCV with two threads, two worker processes, and neither."""

import os
import subprocess
import threading
from functools import partial
from pathlib import Path

from benchmarks.contenders import Ours
from benchmarks.harness import Remote, started, take_turns
from benchmarks.jobs import Job
from benchmarks.records import Record, Timing, Verdict

from .grid_search import GRID

JOB = Job(500, 48, 2, 32, 32, epochs=40)
WAYS = {"ours": "threading", "processes": "loky", "one after the other": "sequential"}
KINDS = {"cross_val_score": "validate", "GridSearchCV": "search"}
ROUNDS = 3


class Searches(Ours):
    """Searches over the library's estimator, with two workers of a kind."""

    def __init__(self, job, backend):
        import sklearn.model_selection  # noqa: F401, as imports are not measured

        super().__init__(job)
        self.backend = backend

    def validate(self):
        """Mean explained variance of five folds, and the peak of memory in MB."""
        from sklearn.model_selection import cross_val_score

        return self._measured(lambda: cross_val_score(self.model, self.X, cv=5).mean())

    def search(self):
        """Best explained variance of six candidates and three folds, and the peak of memory."""
        from sklearn.model_selection import GridSearchCV

        search = GridSearchCV(self.model, GRID, cv=3, refit=False)
        return self._measured(lambda: search.fit(self.X).best_score_)

    def _measured(self, compute):
        import joblib
        from joblib.externals.loky import get_reusable_executor

        n_jobs = 1 if self.backend == "sequential" else 2
        with joblib.parallel_config(self.backend, n_jobs=n_jobs), PeakMemory() as memory:
            score = compute()
        if self.backend == "loky":  # this process waits for its workers when it ends
            get_reusable_executor().shutdown(kill_workers=True)
        return float(score), memory.peak


class PeakMemory:
    """The largest sum of memory of this process and those that it started, in MB."""

    def __enter__(self):
        self.peak, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.2):
            self.peak = max(self.peak, size_of_all(os.getpid()))


def size_of_all(process):
    """Memory of a process and its descendants in MB, what they share counted once."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    family = {process}
    while more := {pid for pid, parent in rows if parent in family} - family:
        family |= more
    return sum(map(_proportional_size, family)) * 1024 / 1e6


def _proportional_size(process):
    """Memory of a process in kB, in which shared pages are divided by the number of sharers."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def measure(quick):
    job, record = JOB.shrunk() if quick else JOB, Record()
    for kind, method in KINDS.items():
        runs = {
            name: partial(run_afresh, partial(Remote, Searches, job, backend), method)
            for name, backend in WAYS.items()
        }
        results = take_turns(runs, 1 if quick else ROUNDS, warm_up=0)
        timing = Timing(
            f"{kind}, {job.epochs} epochs of {job}",
            {name: [seconds for seconds, _ in each] for name, each in results.items()},
        )
        peaks = {name: max(peak for _, (_, peak) in each) for name, each in results.items()}
        record.timings.append(timing)
        record.numbers[f"{kind}, MB"] = peaks
        record.verdicts.append(judge(kind, timing, peaks))
    return record


def judge(kind, timing, peaks):
    """Threads should be the better choice, as the documentation tells."""
    ratio, *_ = timing.ratio("processes")
    return Verdict(
        f"{kind} with two threads no slower than with two processes, and in less memory",
        f"{ratio:.2f} times as fast; {peaks['ours']:.0f} MB, {peaks['processes']:.0f} MB",
        ratio >= 1 and peaks["ours"] < peaks["processes"],
    )


def run_afresh(start, method):
    """Seconds of a search in a new process, without its own imports, and its result."""
    with started({"only": start}) as remotes:
        return remotes["only"].timed(method)
