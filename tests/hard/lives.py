"""Random lives of estimators, with interrupts at any moment.

The rules are those of ``tests/test_state_machine.py``. Besides: KeyboardInterrupt arrives at any
line of the package, of `fit`, `partial_fit` or any other method; and whatever happens, the model is
the old one or the new one, and answers as its copy does.
"""

import copy
import io
import math
import sys
import warnings
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import sklearn_lstmae
from helpers import assert_same
from sklearn_lstmae import load, save
from test_state_machine import DATA, LifeOfAClassifier, LifeOfADetector, LifeOfATransformer

FOLDER = str(Path(sklearn_lstmae.__file__).parent)


class InterruptAtLine:
    """A context in which KeyboardInterrupt is raised at the ``n``-th line that the package runs."""

    def __init__(self, n):
        self._n_left = n

    def __enter__(self):
        self._earlier = sys.gettrace()
        sys.settrace(self._enter_frame)
        return self

    def __exit__(self, kind, *_):
        sys.settrace(self._earlier)
        return kind is KeyboardInterrupt

    def _enter_frame(self, frame, event, _):
        return self._count if frame.f_code.co_filename.startswith(FOLDER) else None

    def _count(self, frame, event, _):
        if event == "line":
            self._n_left -= 1
            if self._n_left == 0:
                raise KeyboardInterrupt
        return self._count


class Interrupted:
    """Further rules for a `Life`."""

    # As often early as late: a fit of these runs some thousand lines of the package.
    @rule(
        exponent=st.floats(0, math.log(5000)),
        data=st.sampled_from(sorted(DATA)),
        one_pass=st.booleans(),
    )
    def is_interrupted_in_training(self, exponent, data, one_pass):
        if self.refusal(one_pass) is not None:
            return

        def train(model):
            self.train(model, DATA[data], one_pass)

        before = dict(vars(self.model))
        with InterruptAtLine(1 + int(math.exp(exponent))):
            train(self.model)
        if vars(self.model).keys() == before.keys() and all(
            value is before[name] for name, value in vars(self.model).items()
        ):
            return  # the old one
        if not self.goes_on_from(before, one_pass):
            self.forget()
        self.steps.append(train)  # the new one, as a whole: the end of this life compares
        self.learned = self.model.get_params()

    def goes_on_from(self, before, one_pass):
        """Whether a training began from the weights of before, which has put others in place."""
        after = self.model.__dict__
        self.model.__dict__ = before
        goes_on = self.goes_on(one_pass)
        self.model.__dict__ = after
        return goes_on

    @rule(exponent=st.floats(0, math.log(2000)), saves=st.booleans())
    def is_interrupted_in_use(self, exponent, saves):
        before = copy.deepcopy(self.model)
        with InterruptAtLine(1 + int(math.exp(exponent))):
            if saves:
                save(self.model, io.BytesIO())
            elif self.is_fitted():
                self.use(self.model)
        assert_same(self.model, before)

    @invariant()
    def answers_as_its_copy(self):
        if self.is_fitted():
            assert_same(self.use(self.model), self.use(copy.deepcopy(self.model)))

    @rule()
    def answers_as_its_file(self):
        file = io.BytesIO()
        save(self.model, file)
        file.seek(0)
        loaded = load(file)
        assert_same(loaded, self.model)
        if self.is_fitted():
            assert_same(self.use(loaded), self.use(self.model))


class TransformerLife(Interrupted, LifeOfATransformer):
    pass


class ClassifierLife(Interrupted, LifeOfAClassifier):
    pass


class DetectorLife(Interrupted, LifeOfADetector):
    pass


LIVES = {"transformer": TransformerLife, "classifier": ClassifierLife, "detector": DetectorLife}


def run(name, n_lives, seed, n_steps=10):
    """Live ``n_lives`` lives of a kind of estimator; raises where one breaks a law."""
    few = settings(
        max_examples=n_lives,
        stateful_step_count=n_steps,
        report_multiple_bugs=False,
        derandomize=False,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few epochs
        run_state_machine_as_test(hypothesis.seed(seed)(LIVES[name]), settings=few)
