"""Which steps a decoder outputs: those that the encoder read, or those that follow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_lstmae.sequences.tasks import OBJECTIVES, TASKS, past_lengths

LENGTHS = st.lists(st.integers(5, 20), min_size=1).map(np.array)
HORIZONS = st.one_of(st.none(), st.integers(1, 4))


@given(LENGTHS, HORIZONS)
def test_a_target_ends_where_it_should_and_fits_its_width(lengths, horizon):
    past = past_lengths(lengths, horizon)
    for task in TASKS.values():
        start, n_steps = task.span(lengths, horizon)
        assert_array_equal(start + n_steps, lengths if task.follows else past)
        assert (n_steps <= task.width(int(past.max()), horizon)).all()


@given(LENGTHS, HORIZONS)
def test_a_reconstruction_is_what_the_encoder_reads(lengths, horizon):
    start, n_steps = TASKS["reconstruct"].span(lengths, horizon)
    assert not start.any()
    assert_array_equal(n_steps, past_lengths(lengths, horizon))
    assert_array_equal(n_steps, lengths - (horizon or 0))


@given(LENGTHS, HORIZONS)
def test_a_prediction_is_the_horizon_or_each_next_step(lengths, horizon):
    start, n_steps = TASKS["predict"].span(lengths, horizon)
    assert_array_equal(n_steps, lengths - 1 if horizon is None else horizon)
    assert_array_equal(start, 1 if horizon is None else past_lengths(lengths, horizon))


def test_tasks_are_known_by_their_names():
    assert [task.name for task in TASKS.values()] == list(TASKS)
    for names in zip(*((t.keras_name, t.onnx_name) for t in TASKS.values()), strict=True):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_objective_has_tasks_in_one_order(objective):
    """That of the table, in which a network has its decoders."""
    tasks = OBJECTIVES[objective]
    assert [name for name in TASKS if name in tasks] == list(tasks)
