"""Reports of each epoch: scikit-learn's fit callbacks (version 1.9), and the terminal."""

import contextlib
import sys

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9: no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin."""


# Attributes of an estimator with callbacks: its own, or those of the one it is part of.
CALLBACKS = {"_skl_callbacks", "_parent_callback_ctx"}


class FitReport:
    """Reports the progress of a fit to scikit-learn's callbacks and to the terminal.

    A context: leaving it ends the progress line and, if `finish` was not called, the task of the
    callbacks.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted. Its ``verbose`` chooses silence (0), one progress line (1) or a line
        an epoch (2).
    learner : estimator
        Has what was learned so far, see `in_one_step.learning_aside`.
    n_epochs : int
        The most epochs that will be reported.
    X, y : object
        What ``fit`` was given; callbacks may score on it.
    """

    def __init__(self, estimator, learner, n_epochs, X, y):
        self._estimator, self._learner, self._data = estimator, learner, {"X": X, "y": y}
        self._n_epochs, self._n_told = n_epochs, 0
        self._context = None
        if CALLBACKS & vars(estimator).keys():
            self._context = estimator._init_callback_context(max_subtasks=n_epochs)
            self._context.call_on_fit_task_begin(estimator=estimator, **self._data)
        self._bar = None  # until training begins

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):  # the fit fails with the error that ended it
            self._finish(None)
        if self._bar is not None:
            self._bar.close()

    def listener(self, attributes_of):
        """The per-epoch callback, or None without callbacks and with ``verbose=0``.

        Parameters
        ----------
        attributes_of : callable (weights) -> dict
            Attributes that the estimator would have if training stopped with these weights, besides
            those of the learner.

        Returns
        -------
        callable (epoch, losses, weights) -> bool, or None
            True asks training to stop.
        """
        if self._context is None and not self._estimator.verbose:
            return None
        if self._estimator.verbose == 1 and sys.stderr is not None:
            from tqdm.auto import tqdm  # slow to import

            self._bar = tqdm(total=self._n_epochs, unit="epoch")

        def report(epoch, losses, weights):
            self._show(epoch, losses)
            if self._context is None:
                return False
            for _ in range(self._n_told, epoch):  # a resumed fit does not begin with the first
                task = self._context.subcontext(task_name="epoch")
            self._n_told = epoch
            task.call_on_fit_task_begin(estimator=self._estimator, **self._data)
            return self._end(task, lambda: {**vars(self._learner), **attributes_of(weights)})

        return report

    def finish(self):
        """End the task of the callbacks, with what the learner has."""
        self._finish(vars(self._learner))

    def _finish(self, attributes):
        """End the task of the callbacks once; ``attributes`` is None if the fit failed."""
        context, self._context = self._context, None
        if context is not None:
            self._end(context, attributes)

    def _show(self, epoch, losses):
        words = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
        if self._bar is not None:
            self._bar.set_postfix_str(words, refresh=False)
            self._bar.update(epoch - self._bar.n)
        if self._estimator.verbose >= 2:
            print(f"epoch {epoch}/{self._n_epochs}: {words}")

    def _end(self, task, attributes):
        return task.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=attributes, **self._data
        )
