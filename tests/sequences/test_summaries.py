"""Summaries: what they are shares of, and what does not change them."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers import batch_of
from sklearn_lstmae.sequences import summaries
from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.scaling import Scaling
from sklearn_lstmae.sequences.summaries import KERNELS, choose_dilations, learn_summary, shares_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 30, 2)).cumsum(1).astype("f4")
RAGGED = [sequence[: 3 + number % 28] for number, sequence in enumerate(X)]


def make_reader(source, lengths=None, *, patch_size=4, has_missing=False, horizon=None):
    if lengths is None:
        lengths = [len(sequence) for sequence in source]
    layout = "list" if isinstance(source, list) else "3d"
    sequences = Sequences(source, np.asarray(lengths), layout, has_missing)
    scaling = Scaling(None, np.zeros(sequences.n_features), np.ones(sequences.n_features))
    tasks = ("reconstruct",) if horizon is None else ("predict",)
    return FrameReader(sequences, scaling, patch_size, has_missing, tasks, horizon)


def assert_same(one, other):
    for name, array in vars(one).items():
        assert_array_equal(array, vars(other)[name], err_msg=name)


def thresholds_for(n_features, dilations):
    return RNG.normal(size=(len(dilations), 84, 2, n_features)).astype("f4")


def plain_shares(values, observed, dilations, thresholds):
    """Shares of one sequence (T, F), one output after the other: (D, 84, Q, F)."""
    shares = np.full(thresholds.shape, np.nan)
    for feature in range(values.shape[1]):
        places = np.flatnonzero(observed[:, feature])
        if not places.size:
            continue

        def read(place):
            """The value here, or the one before; else the first one."""
            before = places[places <= place]  # noqa: B023
            return values[before[-1] if before.size else places[0], feature]  # noqa: B023

        for d, dilation in enumerate(dilations):
            nine = np.array([[read(p + (j - 4) * dilation) for j in range(9)] for p in places])
            for k, twos in enumerate(KERNELS):
                weights = np.where(np.isin(np.arange(9), twos), 2.0, -1.0)
                above = (nine @ weights)[:, np.newaxis] > thresholds[d, k, :, feature]
                shares[d, k, :, feature] = above.mean(axis=0)
    return shares


def test_the_kernels_are_those_of_minirocket():
    weights = [[2 if place in twos else -1 for place in range(9)] for twos in KERNELS]
    assert len(set(map(tuple, weights))) == 84
    assert {sum(kernel) for kernel in weights} == {0}


def test_shares_are_those_of_outputs_computed_one_by_one():
    """Padding, missing values, a feature without any, a sequence longer than a byte counts."""
    lengths = np.array([300, 11, 1, 5])
    values = RNG.normal(size=(4, 300, 2)).astype("f4")
    observed = RNG.uniform(size=values.shape) < 0.8
    observed[1, :, 1] = False
    observed[2] = True
    observed &= (np.arange(300) < lengths[:, np.newaxis])[:, :, np.newaxis]
    batch = SequenceBatch(np.where(observed, values, 0), lengths, observed)
    dilations = np.array([1, 3])
    thresholds = thresholds_for(2, dilations)
    shares = shares_of(batch, dilations, thresholds).reshape(4, *thresholds.shape)
    for row in range(4):
        expected = plain_shares(values[row], observed[row], dilations, thresholds)
        assert_allclose(shares[row], expected, rtol=1e-6)
    assert np.isnan(shares[1, ..., 1]).all()
    assert np.isfinite(shares[1, ..., 0]).all()


def test_a_shape_may_be_anywhere():
    """Away from the ends of a constant sequence, shares are the same to the bit."""
    values = np.zeros((8, 200, 1), np.float32)
    shape = RNG.normal(size=12).astype("f4")
    for row, start in enumerate(range(40, 136, 12)):
        values[row, start : start + 12, 0] = shape
    batch = SequenceBatch(values, np.full(8, 200))
    dilations = np.array([1, 2, 9])
    shares = shares_of(batch, dilations, thresholds_for(1, dilations))
    assert_array_equal(shares, np.tile(shares[0], (8, 1)))
    twice = values[:1].copy()
    twice[0, 100:112, 0] = shape
    batch = SequenceBatch(twice, np.array([200]))
    assert (shares_of(batch, dilations, thresholds_for(1, dilations)) != shares[0]).any()


def test_a_constant_changes_nothing():
    whole = RNG.integers(-8, 8, size=(5, 40, 1)).astype("f4")  # sums have no rounding
    dilations = np.array([1, 4])
    thresholds = np.round(thresholds_for(1, dilations)) + np.float32(0.5)
    lengths = np.array([40, 3, 17, 40, 1])
    shares = [
        shares_of(SequenceBatch(3 * whole + level, lengths), dilations, thresholds)
        for level in (0, 96)
    ]
    assert_array_equal(*shares)


@pytest.mark.parametrize("n_steps", [9, 10, 17, 24, 500, 100_000])
def test_dilations_reach_as_far_as_sequences(n_steps):
    dilations = choose_dilations(n_steps)
    assert dilations[0] == 1
    assert (np.diff(dilations) > 0).all()
    assert len(dilations) <= 5
    assert dilations[-1] == 1 or n_steps / 2 < 8 * dilations[-1] + 1 <= n_steps


def test_components_are_standardized():
    """Uncorrelated, the largest first, of mean square 1 together."""
    reader = make_reader(RAGGED)
    summary = learn_summary(reader, 0)
    components = summary.apply(reader)
    assert components.shape == (40, 32)
    assert components.dtype == np.float32
    assert_allclose(np.square(components).mean(), 1, rtol=1e-5)
    products = components.T.astype("f8") @ components / 40
    assert_allclose(products, np.diag(products.diagonal()), atol=1e-5)
    assert (np.diff(products.diagonal()) < 0).all()
    assert_allclose(components.mean(0), 0, atol=1e-5)


@pytest.mark.parametrize("n_rows", [2, 3, 20])
def test_few_sequences_have_few_components(n_rows):
    """The others are zero, and the mean square is that of many sequences."""
    reader = make_reader(X[:n_rows])
    summary = learn_summary(reader, 0)
    components = summary.apply(reader)
    assert components.shape == (n_rows, 32)
    assert (~summary.is_absent).sum() == n_rows - 1
    assert (components[:, n_rows - 1 :] == 0).all()
    assert_allclose(np.square(components).mean(), 1, rtol=1e-4)


def test_equal_sequences_have_no_summary():
    assert learn_summary(make_reader(X[:1]), 0) is None
    assert learn_summary(make_reader(np.repeat(X[:1], 5, axis=0)), 0) is None
    assert learn_summary(make_reader(np.full((5, 12, 1), np.nan), has_missing=True), 0) is None


def test_sequences_shorter_than_a_kernel_have_no_summary():
    assert learn_summary(make_reader(X[:, :8]), 0) is None
    assert learn_summary(make_reader(X[:, :11], horizon=3), 0) is None
    assert learn_summary(make_reader([X[0, :9], *X[1:, :2]]), 0) is not None


@pytest.mark.parametrize("data", [X, RAGGED], ids=["equal", "ragged"])
def test_padding_changes_nothing(data):
    """Whatever it holds, and however much of it there is."""
    batch = batch_of(data)
    wide = np.pad(batch.values, [(0, 0), (0, 9), (0, 0)])
    wide[np.arange(wide.shape[1]) >= batch.lengths[:, np.newaxis]] = 7
    readers = [make_reader(list(data)), make_reader(wide, batch.lengths)]
    one, other = (learn_summary(reader, 0) for reader in readers)
    assert_same(one, other)
    assert_array_equal(one.apply(readers[0]), one.apply(readers[1]))


def test_a_memory_map_gives_the_same_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(summaries, "BLOCK_VALUES", 5 * 32 * 2)
    mapped = np.memmap(tmp_path / "X", np.float32, "w+", shape=X.shape)
    mapped[:] = X
    sizes, read = [], Sequences.read

    def counting(self, rows, *arguments):
        sizes.append(len(rows))
        return read(self, rows, *arguments)

    monkeypatch.setattr(Sequences, "read", counting)
    readers = [make_reader(source, [30] * 40) for source in (mapped, X)]
    one, other = (learn_summary(reader, 0) for reader in readers)
    assert_same(one, other)
    assert_array_equal(one.apply(readers[0]), other.apply(readers[1]))
    assert max(sizes) == 5


def test_the_size_of_blocks_hardly_matters(monkeypatch):
    reader = make_reader(RAGGED)
    whole = learn_summary(reader, 0)
    monkeypatch.setattr(summaries, "BLOCK_VALUES", 1)
    single = learn_summary(reader, 0)
    assert_array_equal(whole.thresholds, single.thresholds)
    assert_allclose(whole.apply(reader), single.apply(reader), atol=1e-4)


def test_the_seed_decides():
    reader = make_reader(X)
    one, same, other = (learn_summary(reader, seed) for seed in (0, 0, 1))
    assert_same(one, same)
    assert (one.thresholds != other.thresholds).any()


def test_what_is_learned_from_is_bounded(monkeypatch):
    """Of many sequences a part, of many shares a part; all sequences get a summary."""
    monkeypatch.setattr(summaries, "ROWS", 10)
    monkeypatch.setattr(summaries, "SHARES", 100)
    reader = make_reader(X)
    summary = learn_summary(reader, 0)
    assert summary.components.shape == (100, 32)
    assert (~summary.is_absent).sum() == 9
    assert summary.apply(reader).shape == (40, 32)


def test_many_features_are_summarized_by_some_of_their_shares():
    reader = make_reader(RNG.normal(size=(6, 12, 300)))
    summary = learn_summary(reader, 0)
    assert 0 < summary.columns.size <= summaries.SHARES < summary.thresholds.size
    assert (~summary.is_absent).sum() == 5


def test_rows_of_a_reader_are_its_own():
    rows = np.array([3, 30, 7, 1, 25])
    part = make_reader(X).subset(rows)
    summary = learn_summary(part, 0)
    assert_same(summary, learn_summary(make_reader(X[rows]), 0))
    whole = summary.apply(make_reader(X))
    assert_allclose(summary.apply(part), whole[rows], atol=1e-4)


def test_only_what_the_encoder_reads_counts():
    """Steps that are to be predicted may be whatever they like."""
    other = X.copy()
    other[:, -5:] = RNG.normal(size=(40, 5, 2))
    one, same = (learn_summary(make_reader(source, horizon=5), 0) for source in (X, other))
    assert_same(one, same)
    assert_same(one, learn_summary(make_reader(X[:, :-5]), 0))


def test_missing_values_are_left_out():
    """A feature without any is as the mean, so that summaries stay finite."""
    values = X.copy()
    values[RNG.uniform(size=X.shape) < 0.3] = np.nan
    values[4, :, 1] = np.nan
    reader = make_reader(values, has_missing=True)
    components = learn_summary(reader, 0).apply(reader)
    assert np.isfinite(components).all()
    full = make_reader(X)
    complete = learn_summary(full, 0).apply(full)
    assert abs(np.corrcoef(components[:, 0], complete[:, 0])[0, 1]) > 0.8


def test_extreme_values_stay_finite():
    values = X * np.float32(1e37)
    reader = make_reader(values)
    assert np.isfinite(learn_summary(reader, 0).apply(reader)).all()


def test_outputs_come_in_the_order_of_the_kernels():
    taps = RNG.normal(size=(9, 4)).astype("f4")
    expected = [taps[list(kernel)].sum(0) for kernel in itertools.combinations(range(9), 3)]
    assert_allclose([output.copy() for output in summaries._outputs(taps)], expected, rtol=1e-5)
