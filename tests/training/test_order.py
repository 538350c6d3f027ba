"""An epoch has each row once, in an order that follows the seed."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_lstmae.training.order import draw_order, draw_share

ORDERS = {"equal": np.full(23, 7), "ragged": np.random.default_rng(0).integers(1, 40, size=23)}


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("batch_size", [1, 4, 23, 32])
def test_an_epoch_has_each_row_once(kind, batch_size):
    order = draw_order(ORDERS[kind], batch_size, seed=0, epoch=0)
    assert order.dtype == np.int32
    assert order.shape == (-(-23 // batch_size), batch_size)
    assert_array_equal(np.sort(order[order >= 0]), np.arange(23))
    assert (order[order < 0] == -1).all()
    assert (order >= 0).any(axis=1).all()  # no minibatch is empty


@pytest.mark.parametrize("kind", ORDERS)
def test_orders_follow_seed_and_epoch(kind):
    def draw(seed, epoch):
        return draw_order(ORDERS[kind], 4, seed, epoch)

    assert_array_equal(draw(0, 1), draw(0, 1))
    drawn = {draw(seed, epoch).tobytes() for seed in range(3) for epoch in range(3)}
    assert len(drawn) == 9


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize(("block", "buffer"), [(1, 1), (3, 2), (5, 3), (30, 2), (4, 10)])
def test_on_two_levels_an_epoch_has_each_row_once(kind, block, buffer):
    order = draw_order(ORDERS[kind], 4, 0, 0, block, buffer)
    assert order.shape == (6, 4)
    assert_array_equal(np.sort(order[order >= 0]), np.arange(23))
    assert not np.array_equal(order, draw_order(ORDERS[kind], 4, 0, 1, block, buffer))


@pytest.mark.parametrize("kind", ORDERS)
def test_what_fits_into_a_buffer_is_shuffled_as_a_whole(kind):
    expected = draw_order(ORDERS[kind], 4, 0, 0)
    assert_array_equal(draw_order(ORDERS[kind], 4, 0, 0, 5, 6), expected)


@pytest.mark.parametrize("ragged", [False, True])
def test_a_buffer_has_the_rows_of_few_blocks(ragged):
    n_frames = np.random.default_rng(0).integers(1, 9, 1003) if ragged else np.full(1003, 4)
    order = draw_order(n_frames, 8, 0, 0, block=32, buffer=16)  # of 128 rows
    touched = [np.unique(rows[rows >= 0] // 32) for rows in np.split(order, range(16, 126, 16))]
    assert max(map(len, touched)) <= 6  # a block of 11 rows moves all after it
    assert sum(map(len, touched)) <= 32 + 8


def test_every_row_may_meet_every_other():
    met = np.zeros((23, 23), bool)
    for epoch in range(200):
        for batch in draw_order(ORDERS["equal"], 4, 0, epoch):
            rows = batch[batch >= 0]
            met[np.ix_(rows, rows)] = True
    assert met.all()


def test_sequences_of_similar_length_share_a_minibatch():
    n_frames = np.random.default_rng(0).integers(1, 200, size=1000)

    def cost(order):
        return sum(n_frames[batch[batch >= 0]].max() for batch in order)

    sorted_cost = cost(np.array_split(np.argsort(n_frames), 63))
    random_cost = cost(np.array_split(np.arange(1000), 63))
    ours = cost(draw_order(n_frames, 16, 0, 0))
    assert sorted_cost <= ours < 0.5 * (sorted_cost + random_cost)
    # Neither are the minibatches in the order of their length.
    longest = [n_frames[batch[batch >= 0]].max() for batch in draw_order(n_frames, 16, 0, 0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5


@pytest.mark.parametrize("shape", [(3, 4), (5, 2), (12, 1)])
def test_a_share_has_each_row_once(shape):
    rows = np.arange(5, 15)
    order = draw_share(rows, np.arange(20), shape, seed=0, epoch=1, shard=2)
    assert order.shape == shape
    assert_array_equal(np.sort(order[order >= 0]), rows)
    counts = (order >= 0).sum(axis=1)
    assert counts.max() - counts.min() <= 1
