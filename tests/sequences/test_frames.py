"""Sequences are read as frames of P steps: nothing is lost, and nothing is made up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from helpers import batch_of
from sklearn_lstmae.sequences.batch import Sequences
from sklearn_lstmae.sequences.frames import FrameReader, cut, put, round_up
from sklearn_lstmae.sequences.scaling import Scaling, observe, scaling_of

LENGTHS = [5, 1, 4, 6]


def arrays_of(lengths):
    generator = np.random.default_rng(0)
    return [generator.normal(3.0, 2.0, size=(length, 2)).astype("f4") for length in lengths]


BOTH = ("reconstruct", "predict")


def make_reader(
    source,
    patch_size,
    *,
    lengths=LENGTHS,
    has_missing=False,
    may_miss=False,
    kind=None,
    tasks=("reconstruct",),
    horizon=None,
):
    layout = "list" if isinstance(source, list) else "3d"
    sequences = Sequences(source, np.array(lengths), layout, has_missing)
    scaling = scaling_of(kind, observe(sequences))
    return FrameReader(sequences, scaling, patch_size, may_miss, tasks, horizon)


def values_of(block, task="reconstruct"):
    """Frames of a target: (N, K, P * F)."""
    return block.frames(block.targets[task]).values


@pytest.mark.parametrize("patch_size", [1, 2, 4, 7])
def test_frames_are_the_steps_one_after_the_other_then_zeros(patch_size):
    arrays = arrays_of(LENGTHS)
    reader = make_reader(arrays, patch_size)
    n_frames = int(reader.n_frames.max())
    frames = values_of(reader.read(slice(None), n_frames))
    assert frames.dtype == np.float32
    assert frames.shape == (4, n_frames, patch_size * 2)
    for row, array in zip(frames.reshape(4, -1, 2), arrays, strict=True):
        assert_array_equal(row[: len(array)], array)
        assert not row[len(array) :].any()


@pytest.mark.parametrize("patch_size", [1, 2, 4, 7])
def test_there_are_as_many_frames_as_hold_the_steps(patch_size):
    reader = make_reader(arrays_of(LENGTHS), patch_size)
    assert len(reader) == 4
    assert_array_equal(reader.lengths, LENGTHS)
    assert_array_equal(reader.n_frames, np.ceil(np.array(LENGTHS) / patch_size))


@pytest.mark.parametrize("kind", [None, "feature", "sequence"])
@pytest.mark.parametrize("patch_size", [1, 2])
def test_values_are_zero_where_nothing_is_observed(patch_size, kind):
    """And indicators, which the network reads, are true for all other values."""
    arrays = arrays_of(LENGTHS)
    arrays[0][2, 1] = arrays[2][0, 0] = np.nan
    reader = make_reader(arrays, patch_size, has_missing=True, may_miss=True, kind=kind)
    block = reader.read(slice(None), 8 // patch_size)
    observed = np.arange(8)[:, np.newaxis] < np.array(LENGTHS)[:, np.newaxis, np.newaxis]
    observed = np.repeat(observed, 2, axis=2)
    observed[0, 2, 1] = observed[2, 0, 0] = False
    for batch in (block.past, block.targets["reconstruct"]):
        frames = block.frames(batch)
        assert frames.indicators.dtype == bool
        assert_array_equal(frames.indicators.reshape(4, 8, 2), observed)
        assert not frames.values.reshape(4, 8, 2)[~observed].any()
        assert np.isfinite(frames.values).all()


def test_a_network_that_reads_missingness_reads_it_where_nothing_is_missing():
    """What it reads does not depend on the other rows."""
    arrays = arrays_of(LENGTHS)
    complete = make_reader(arrays, 2, may_miss=True).read(slice(None), 3)
    arrays[0][1] = np.nan
    gappy = make_reader(arrays, 2, has_missing=True, may_miss=True).read(slice(None), 3)
    one, two = (block.frames(block.past).indicators for block in (complete, gappy))
    assert_array_equal(one[1:], two[1:])
    assert one[0].sum() == two[0].sum() + 2


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_indicators_of_frames_tell_which_of_their_steps_are_real(patch_size):
    """With frames of one step the mask does."""
    block = make_reader(arrays_of(LENGTHS), patch_size).read(slice(None), 8 // patch_size)
    frames = block.frames(block.past)
    assert_array_equal(frames.lengths, LENGTHS)
    if patch_size == 1:
        assert frames.indicators.shape == (4, 8, 0)
        return
    real = np.arange(8) < np.array(LENGTHS)[:, np.newaxis]
    assert_array_equal(frames.indicators.reshape(4, 8), real)


def test_what_an_array_holds_in_its_padding_does_not_matter():
    source = np.stack([np.pad(a, ((0, 6 - len(a)), (0, 0))) for a in arrays_of(LENGTHS)])
    clean = values_of(make_reader(source, 2).read(slice(None), 3))
    for row, length in zip(source, LENGTHS, strict=True):
        row[length:] = np.nan
    for has_missing in (False, True):
        dirty = make_reader(source, 2, has_missing=has_missing).read(slice(None), 3)
        assert_array_equal(values_of(dirty), clean)


@pytest.mark.parametrize("kind", [None, "feature", "sequence"])
def test_frames_are_the_scaled_values(kind):
    reader = make_reader(arrays_of(LENGTHS), 2, kind=kind)
    block = reader.read(slice(None), 3)
    scaled, statistics = reader.scaling.apply(reader.sequences.read(slice(None), 6, np.float64))
    assert_array_equal(values_of(block).reshape(4, 6, 2), scaled.values)
    assert_array_equal(block.targets["reconstruct"].values, scaled.values)
    if kind == "sequence":
        assert_array_equal(block.statistics, statistics)
    else:
        assert block.statistics is None


def test_small_changes_on_a_large_offset_survive():
    source = 1e9 + np.linspace(0, 1, 6).reshape(1, 6, 1)
    block = make_reader(source, 1, lengths=[6], kind="feature").read(slice(None), 6)
    expected = (source - source.mean()) / source.std()
    assert_allclose(values_of(block), expected, atol=1e-5)


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([3, 0]), np.array([2, 2])])
@pytest.mark.parametrize("has_missing", [False, True])
def test_a_row_reads_the_same_next_to_any_others(rows, has_missing):
    arrays = arrays_of(LENGTHS)
    if has_missing:
        arrays[3][1] = np.nan
    reader = make_reader(arrays, 2, has_missing=has_missing, may_miss=has_missing, kind="sequence")
    block, whole = reader.read(rows, 3), reader.read(slice(None), 3)
    for name in ("values", "indicators", "lengths"):
        part, all_of_it = (getattr(one.frames(one.past), name) for one in (block, whole))
        assert_array_equal(part, all_of_it[rows])
    assert_array_equal(block.statistics, whole.statistics[rows])


def test_classes_stay_with_their_rows():
    reader = replace(make_reader(arrays_of(LENGTHS), 1), classes=np.array([5, 6, 7, 8]))
    subset = reader.subset(np.array([3, 1, 0]))
    assert_array_equal(subset.classes, [8, 6, 5])
    assert_array_equal(subset.read(np.array([2, 0]), 6).classes, [5, 8])
    assert_array_equal(reader.read(slice(1, 3), 6).classes, [6, 7])
    assert make_reader(arrays_of(LENGTHS), 1).read(slice(None), 6).classes is None


@given(st.data())
def test_a_subset_of_a_subset_reads_rows_of_the_whole(data):
    reader = make_reader(arrays_of(LENGTHS), 2)
    outer = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(np.array))
    inner = data.draw(st.lists(st.integers(0, len(outer) - 1), min_size=1).map(np.array))
    subset = reader.subset(outer).subset(inner)
    chosen = outer[inner]
    assert len(subset) == len(inner)
    assert_array_equal(subset.lengths, reader.lengths[chosen])
    assert_array_equal(subset.n_frames, reader.n_frames[chosen])
    whole = values_of(reader.read(slice(None), 3))
    assert_array_equal(values_of(subset.read(slice(None), 3)), whole[chosen])


def test_reading_leaves_the_source_as_it_was():
    source = np.stack(arrays_of([6] * 4))
    source[1, 2] = np.nan
    before = source.copy()
    make_reader(source, 4, has_missing=True).read(slice(None), 2)
    assert_array_equal(source, before)


@pytest.mark.parametrize("kind", [None, "feature"])
def test_a_memory_map_reads_like_an_array(kind, tmp_path):
    source = np.stack(arrays_of([6] * 4))
    np.save(tmp_path / "x.npy", source)
    scaling = Scaling(kind, np.ones(2), np.full(2, 2.0))
    expected, got = (
        FrameReader(Sequences(data, np.array(LENGTHS), "3d"), scaling, 2).read(np.array([3, 1]), 3)
        for data in (source, np.load(tmp_path / "x.npy", mmap_mode="r"))
    )
    assert_array_equal(values_of(got), values_of(expected))


# Steps that a predicting decoder is trained on -------------------------------------------


@pytest.mark.parametrize("patch_size", [1, 2, 3])
@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_the_past_is_read_and_the_last_steps_are_to_be_predicted(horizon, patch_size):
    lengths = [9, 5, 6]
    arrays = arrays_of(lengths)
    reader = make_reader(arrays, patch_size, lengths=lengths, tasks=BOTH, horizon=horizon)
    past = np.array(lengths) - horizon
    assert_array_equal(reader.lengths, lengths)
    assert_array_equal(reader.n_frames, -(-past // patch_size))
    block = reader.read(slice(None), 4 * 3 // patch_size)
    assert_array_equal(block.past.lengths, past)
    assert_array_equal(block.targets["reconstruct"].lengths, past)
    assert_array_equal(block.targets["predict"].lengths, horizon)
    assert block.targets["predict"].n_timesteps == -(-horizon // patch_size) * patch_size
    for row, array in enumerate(arrays):
        for name, expected in (
            ("reconstruct", array[: past[row]]),
            ("predict", array[past[row] :]),
        ):
            steps = values_of(block, name).reshape(3, -1, 2)[row]
            assert_array_equal(steps[: len(expected)], expected)
            assert not steps[len(expected) :].any()
            assert_array_equal(block.starts[name][row], 0 if name == "reconstruct" else past[row])


def test_without_a_horizon_the_steps_after_the_first_are_to_be_predicted():
    arrays = arrays_of(LENGTHS)
    block = make_reader(arrays, 2, tasks=BOTH).read(slice(None), 3)
    for row, array in enumerate(arrays):
        for name, expected in (("reconstruct", array), ("predict", array[1:])):
            steps = values_of(block, name).reshape(4, -1, 2)[row]
            assert_array_equal(steps[: len(expected)], expected)
            assert not steps[len(expected) :].any()


@pytest.mark.parametrize("horizon", [None, 2])
def test_what_is_missing_of_a_target_is_known(horizon):
    lengths = [9, 5, 6]
    arrays = arrays_of(lengths)
    arrays[0][3, 0] = arrays[1][4, 1] = arrays[2][5] = np.nan
    reader = make_reader(
        arrays, 2, lengths=lengths, has_missing=True, may_miss=True, tasks=BOTH, horizon=horizon
    )
    block = reader.read(slice(None), 5)
    for row, array in enumerate(arrays):
        cut_off = len(array) if horizon is None else len(array) - horizon
        follows = 1 if horizon is None else cut_off
        for name, expected in (("reconstruct", array[:cut_off]), ("predict", array[follows:])):
            frames = block.frames(block.targets[name])
            observed = frames.indicators[row].reshape(-1, 2)
            assert_array_equal(observed[: len(expected)], ~np.isnan(expected))
            assert not observed[len(expected) :].any()
            values = frames.values[row].reshape(-1, 2)
            assert_array_equal(values[: len(expected)], np.nan_to_num(expected))


@pytest.mark.parametrize("tasks", [(), ("reconstruct",), ("predict",), BOTH])
def test_targets_of_the_tasks_asked_for_are_read(tasks):
    block = make_reader(arrays_of([6, 4]), 1, lengths=[6, 4], tasks=tasks, horizon=2).read(
        slice(None), 4
    )
    assert tuple(block.targets) == tuple(block.starts) == tasks
    assert_array_equal(block.past.lengths, [4, 2])


def test_what_is_to_be_predicted_does_not_enter_a_scaling_by_sequence():
    arrays = arrays_of([6, 6])
    reader = make_reader(arrays, 1, lengths=[6, 6], kind="sequence", tasks=BOTH, horizon=2)
    known = reader.read(slice(None), 4)
    arrays[0][4:] = 99
    again = reader.read(slice(None), 4)
    assert_array_equal(again.statistics, known.statistics)
    assert_array_equal(values_of(again), values_of(known))


@given(st.data())
def test_put_inverts_cut(data):
    lengths = np.array(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    start = np.array([data.draw(st.integers(0, length)) for length in lengths])
    batch = batch_of(arrays_of(lengths))
    part = cut(batch, start, lengths - start, 6)
    back = put(part.values, start, batch.n_timesteps)
    assert_array_equal(part.lengths, lengths - start)
    for row in range(len(lengths)):
        inside = slice(start[row], lengths[row])
        assert_array_equal(back[row, inside], batch.values[row, inside])
        assert np.isnan(back[row, : start[row]]).all()


@given(st.integers(1, 2**20))
def test_rounding_up_adds_at_most_an_eighth(n_frames):
    rounded = int(round_up(n_frames))
    assert n_frames <= rounded <= max(16, 9 * n_frames // 8)
    assert round_up(rounded) == rounded


def test_short_sequences_are_not_rounded_and_few_lengths_remain():
    lengths = np.arange(1, 1025)
    rounded = round_up(lengths)
    assert_array_equal(rounded[:16], lengths[:16])
    assert (np.diff(rounded) >= 0).all()
    assert len(np.unique(rounded)) <= 16 + 8 * 6
    assert_array_equal(rounded, [round_up(int(length)) for length in lengths])
