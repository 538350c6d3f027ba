"""GridSearchCV over six candidates and three folds, in a fresh process, without its imports."""

import statistics
from dataclasses import replace
from functools import partial

from sklearn.base import BaseEstimator, TransformerMixin

from benchmarks.contenders import Keras, Ours, build_keras
from benchmarks.harness import ROUNDS, Remote, take_turns
from benchmarks.jobs import Job
from benchmarks.records import Record, Verdict, make_timing

from .whole_fit import fit_afresh

JOB = Job(2000, 24, 1, 32, 32, epochs=5)
GRID = {"latent_dim": [8, 16], "learning_rate": [1e-3, 3e-3, 1e-2]}
GOAL = 5.0


class KerasWrapper(TransformerMixin, BaseEstimator):
    """What one writes by hand to search over the tutorial's network."""

    def __init__(self, job=None, latent_dim=16, learning_rate=3e-3):
        self.job = job
        self.latent_dim = latent_dim
        self.learning_rate = learning_rate

    def fit(self, X, y=None):
        import keras

        keras.backend.clear_session()
        job = replace(
            self.job,
            n_sequences=len(X),
            latent_dim=self.latent_dim,
            learning_rate=self.learning_rate,
        )
        self.model_ = build_keras(job)
        self.model_.fit(X, X, epochs=job.epochs, batch_size=job.batch_size, verbose=0)
        self.mean_ = X.mean(axis=(0, 1))
        return self

    def score(self, X, y=None):
        """Explained variance."""
        errors = (X - self.model_.predict(X, verbose=0)) ** 2
        return 1.0 - errors.sum() / ((X - self.mean_) ** 2).sum()


class Search:
    """A search over an estimator; its ``fit`` returns the mean share of unexplained variance."""

    def __init__(self, contender, job):
        import sklearn.model_selection  # noqa: F401, as imports are not measured

        made = contender(job)
        self.X = made.X
        self.estimator = made.model if contender is Ours else KerasWrapper(job)

    def fit(self):
        from sklearn.model_selection import GridSearchCV

        search = GridSearchCV(self.estimator, GRID, cv=3, refit=False, error_score="raise")
        return 1.0 - float(search.fit(self.X).cv_results_["mean_test_score"].mean())


def measure(quick):
    job = JOB.shrunk() if quick else JOB
    starters = {
        "ours": partial(Remote, Search, Ours, job),
        "Keras": partial(Remote, Search, Keras, job),
    }
    runs = {name: lambda start=start: fit_afresh(start) for name, start in starters.items()}
    # No round to warm up: each search has a new process, and begins cold.
    timing = make_timing(
        f"6 candidates x 3 folds, {job.epochs} epochs of {job}",
        take_turns(runs, 1 if quick else ROUNDS, warm_up=0),
    )
    ratio, *_ = timing.ratio("Keras")
    unexplained = {name: statistics.median(losses) for name, losses in timing.losses.items()}
    doubt = "" if timing.agrees else " (our unexplained variance is more than 10 % higher)"
    goal = f"a grid search {GOAL:.0f} times as fast as with Keras in a wrapper"
    verdict = Verdict(goal, f"{ratio:.1f} times{doubt}", ratio >= GOAL and timing.agrees)
    return Record([timing], [verdict], {"unexplained variance": unexplained})
