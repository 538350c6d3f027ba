"""Plans, drawn weights, and a few steps of training."""

import dataclasses

import numpy as np
import pytest


@pytest.fixture(scope="session")
def make_plan():
    """A function of what differs from a short training of a network with one decoder."""
    from sklearn_lstmae.training.plan import TrainingPlan

    plan = TrainingPlan(
        epochs=4,
        batch_size=4,
        learning_rate=0.02,
        optimizer="adam",
        clipnorm=1.0,
        dropout=0.0,
        noise=0.0,
        term_weights=(1.0, 0.0),
        patience=None,
        seed=3,
    )
    return lambda **changes: dataclasses.replace(plan, **changes)


@pytest.fixture(scope="session")
def draw_weights():
    """A function of shapes: weights so large that every part of a network has an effect."""

    def draw(shapes, seed=0):
        generator = np.random.default_rng(seed)
        return [0.4 * generator.normal(size=shape).astype("f4") for shape in shapes]

    return draw


@pytest.fixture(scope="session")
def load_all():
    """A function of an objective and a reader: tables of all rows, as a training has them."""

    def load(objective, reader):
        return objective.load(reader.read(slice(None), int(reader.n_frames.max())))

    return load


@pytest.fixture(scope="session")
def take_steps(make_plan):
    """A function of an objective, weights and tables: some steps on minibatches of these rows.

    It returns weights as one vector, errors and counts.
    """
    from sklearn_lstmae.training.compiled import training_steps
    from sklearn_lstmae.training.steps import Recipe

    def take(
        objective,
        weights,
        tables,
        order=None,
        *,
        n_steps=3,
        shards=1,
        xla=False,
        rate=0.05,
        constants=(),
        **changes,
    ):
        plan = make_plan(**changes)
        steps = training_steps(objective, Recipe.of(plan, shards, xla))
        order = np.arange(len(tables[0])) if order is None else np.asarray(order)
        order = np.tile(order, (n_steps, 1)).astype("i4").reshape(n_steps, shards, -1)
        rates = np.full(n_steps, rate, "f4")
        weights, _, errors, counts = steps(
            plan, weights, steps.initial_state(), tables, order, rates, 0, constants
        )
        return np.concatenate([weight.ravel() for weight in weights]), errors, counts

    return take
