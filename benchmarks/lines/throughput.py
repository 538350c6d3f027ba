"""transform of 1 to 10,000 rows, against PyTorch and onnxruntime, on one thread and on two."""

import os
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np

from benchmarks.contenders import Ours, Torch
from benchmarks.harness import ROUNDS, Remote, started, take_turns
from benchmarks.jobs import Job
from benchmarks.records import Record, Timing, Verdict

# As `inference` has it, with enough rows; the first one is also the shape of one row's latency.
JOBS = [Job(10_000, 24, 3, 64, 32, epochs=1), Job(10_000, 100, 8, 64, 32, epochs=1)]
ROWS = [1, 10, 100, 10_000]
THREADS = [1, 2]
CALL = 0.05  # seconds that a measured call should take at least: short ones are repeated
TOLERANCE = 1e-4
WIDE = "ours, SkylakeX"
LIMITS = {"PyTorch": 1.0, "onnxruntime": 1.5}


class Rows:
    """Times a transform or a predict of some of the rows, which a subclass computes."""

    def seconds(self, method, n_rows):
        """Seconds of a call, the mean of as many as take a while."""
        compute, n_calls = getattr(self, method), 1
        while True:
            begun = perf_counter()
            for _ in range(n_calls):
                compute(n_rows)
            took = perf_counter() - begun
            if took >= CALL:
                return took / n_calls
            n_calls *= 2


class OursRows(Rows, Ours):
    """A fitted transformer, and a detector around it."""

    def prepare(self, folder):
        """Fit and export; the models, and the weights of the transformer."""
        from sklearn.frozen import FrozenEstimator

        from sklearn_lstmae import LSTMAutoencoderDetector, export_onnx

        self.fit(1, 64)
        detector = LSTMAutoencoderDetector(FrozenEstimator(self.model)).fit(self.X[:64])
        for name, estimator in {"transform": self.model, "predict": detector}.items():
            export_onnx(estimator, f"{folder}/{name}.onnx")
        return (self.model, detector), self.weights()

    def take(self, models):
        self.model, self.detector = models

    def transform(self, n_rows):
        return self.model.transform(self.X[:n_rows])

    def predict(self, n_rows):
        return self.detector.predict(self.X[:n_rows])


class TorchRows(Rows, Torch):
    """The same network; its predict stops short of a threshold, at the errors."""

    def transform(self, n_rows):
        import torch

        with torch.inference_mode():
            return self.model.encode(self.X[:n_rows]).numpy()

    def predict(self, n_rows):
        import torch

        X = self.X[:n_rows]
        with torch.inference_mode():
            return (self.model(X) - X).square().mean((1, 2)).numpy()


class OnnxRows(Rows):
    """The exported files in onnxruntime."""

    def __init__(self, job, threads, folder):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.X = job.data()
        self.sessions = {
            name: onnxruntime.InferenceSession(
                f"{folder}/{name}.onnx", options, ["CPUExecutionProvider"]
            )
            for name in ("transform", "predict")
        }

    def transform(self, n_rows):
        return self._run("transform", n_rows)

    def predict(self, n_rows):
        return self._run("predict", n_rows)

    def _run(self, name, n_rows):
        x = self.X[:n_rows]
        return self.sessions[name].run(None, {"x": x, "mask": np.ones(x.shape[:2], bool)})[0]


def measure(quick):
    record = Record()
    for job in JOBS:
        job = replace(job.shrunk(), n_sequences=ROWS[2]) if quick else job
        for threads in THREADS:
            record.timings += race(job, threads, 1 if quick else ROUNDS)
    record.verdicts = judge(record.timings)
    return record


def race(job, threads, rounds):
    """Timings on so many threads; they raise if codes differ."""
    with tempfile.TemporaryDirectory() as folder:
        with started({"ours": partial(Remote, OursRows, job)}) as remotes:
            models, weights = remotes["ours"].call("prepare", folder)
        starters = {
            "ours": partial(start_ours, job, threads),
            WIDE: partial(start_ours, job, threads, OPENBLAS_CORETYPE="SkylakeX"),
            "PyTorch": partial(Remote, TorchRows, job, threads),
            "onnxruntime": partial(Remote, OnnxRows, job, threads, folder),
        }
        with started(starters) as remotes:
            for name in ("ours", WIDE):
                remotes[name].call("take", models)
            remotes["PyTorch"].call("set_weights", weights)
            codes = [remote.call("transform", 10) for remote in remotes.values()]
            for other in codes[1:]:
                np.testing.assert_allclose(other, codes[0], atol=TOLERANCE)
            cases = [("transform", n) for n in ROWS if n <= job.n_sequences] + [("predict", 1)]
            return [
                time_calls(remotes, method, n_rows, job, threads, rounds)
                for method, n_rows in cases
            ]


def start_ours(job, threads, **environment):
    """A process that has these environment variables when NumPy is imported."""
    with variables(OMP_NUM_THREADS=str(threads), **environment):
        return Remote(OursRows, job)


def time_calls(remotes, method, n_rows, job, threads, rounds):
    runs = {name: partial(each.call, "seconds", method, n_rows) for name, each in remotes.items()}
    rows = f"{n_rows:,} row{'s' * (n_rows > 1)}"
    shape = f"{job.n_timesteps} x {job.n_features}, {job.units} units"
    case = f"{method}, {rows} of {shape}, {threads} thread{'s' * (threads > 1)}"
    return Timing(case, take_turns(runs, rounds))


def judge(timings):
    """The goals for one row, from all timings of one row."""
    verdicts = []
    for method in ("transform", "predict"):
        of_one = [each for each in timings if each.case.startswith(f"{method}, 1 row ")]
        for rival, limit in LIMITS.items():
            worst = max(1 / timing.ratio(rival)[0] for timing in of_one)
            verdicts.append(
                Verdict(
                    f"{method} of one row takes at most {limit} times as long as {rival}",
                    f"at most {worst:.2f} times",
                    worst <= limit,
                )
            )
    return verdicts


@contextmanager
def variables(**values):
    """Environment variables that processes inherit which are started here."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
