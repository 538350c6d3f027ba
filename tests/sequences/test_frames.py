"""Sequences are read as frames of P steps: nothing is lost, and nothing is made up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.sequences.batch import Sequences, pad
from sklearn_lstmae.sequences.frames import FrameReader, Horizon, cut, put, round_up
from sklearn_lstmae.sequences.scaling import Scaling, observe, scaling_of

LENGTHS = [5, 1, 4, 6]


def arrays_of(lengths):
    generator = np.random.default_rng(0)
    return [generator.normal(3.0, 2.0, size=(length, 2)).astype("f4") for length in lengths]


def make_reader(source, patch_size, *, lengths=LENGTHS, has_missing=False, kind=None):
    layout = "list" if isinstance(source, list) else "3d"
    sequences = Sequences(source, np.array(lengths), layout, has_missing)
    scaling = scaling_of(kind, observe(kind, sequences))
    return FrameReader(sequences, scaling, patch_size)


@pytest.mark.parametrize("patch_size", [1, 2, 4, 7])
def test_frames_are_the_steps_one_after_the_other_then_zeros(patch_size):
    arrays = arrays_of(LENGTHS)
    reader = make_reader(arrays, patch_size)
    n_frames = int(reader.n_frames.max())
    frames = reader.read(slice(None), n_frames).frames("reconstruct")
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
def test_missing_values_are_nan_and_padding_is_zero(kind):
    arrays = arrays_of(LENGTHS)
    arrays[0][2, 1] = arrays[2][0, 0] = np.nan
    reader = make_reader(arrays, 2, has_missing=True, kind=kind)
    block = reader.read(slice(None), 4)
    steps = block.frames("reconstruct").reshape(4, 8, 2)
    missing = np.zeros((4, 8, 2), bool)
    missing[0, 2, 1] = missing[2, 0, 0] = True
    assert_array_equal(np.isnan(steps), missing)
    for row, length in zip(steps, LENGTHS, strict=True):
        assert not row[length:].any()
    assert not np.isnan(block.targets["reconstruct"].values).any()


def test_what_an_array_holds_in_its_padding_does_not_matter():
    source = np.stack([np.pad(a, ((0, 6 - len(a)), (0, 0))) for a in arrays_of(LENGTHS)])
    clean = make_reader(source, 2).read(slice(None), 3).frames("reconstruct")
    for row, length in zip(source, LENGTHS, strict=True):
        row[length:] = np.nan
    for has_missing in (False, True):
        dirty = make_reader(source, 2, has_missing=has_missing).read(slice(None), 3)
        assert_array_equal(dirty.frames("reconstruct"), clean)


@pytest.mark.parametrize("kind", [None, "feature", "sequence"])
def test_frames_are_the_scaled_values(kind):
    reader = make_reader(arrays_of(LENGTHS), 2, kind=kind)
    block = reader.read(slice(None), 3)
    scaled, statistics = reader.scaling.apply(reader.sequences.read(slice(None), 6, np.float64))
    assert_array_equal(block.frames("reconstruct").reshape(4, 6, 2), scaled.values)
    assert_array_equal(block.targets["reconstruct"].values, scaled.values)
    if kind == "sequence":
        assert_array_equal(block.statistics, statistics)
    else:
        assert block.statistics is None


def test_small_changes_on_a_large_offset_survive():
    source = 1e9 + np.linspace(0, 1, 6).reshape(1, 6, 1)
    block = make_reader(source, 1, lengths=[6], kind="feature").read(slice(None), 6)
    expected = (source - source.mean()) / source.std()
    assert_allclose(block.frames("reconstruct"), expected, atol=1e-5)


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([3, 0]), np.array([2, 2])])
@pytest.mark.parametrize("has_missing", [False, True])
def test_a_row_reads_the_same_beside_any_others(rows, has_missing):
    arrays = arrays_of(LENGTHS)
    if has_missing:
        arrays[3][1] = np.nan
    reader = make_reader(arrays, 2, has_missing=has_missing, kind="sequence")
    block, whole = reader.read(rows, 3), reader.read(slice(None), 3)
    assert_array_equal(block.frames("reconstruct"), whole.frames("reconstruct")[rows])
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
    whole = reader.read(slice(None), 3).frames("reconstruct")
    assert_array_equal(subset.read(slice(None), 3).frames("reconstruct"), whole[chosen])


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
    assert_array_equal(got.frames("reconstruct"), expected.frames("reconstruct"))


# What a predicting decoder should say ----------------------------------------------------


@pytest.mark.parametrize("patch_size", [1, 2, 3])
@pytest.mark.parametrize("n_ahead", [1, 2, 4])
def test_the_past_is_seen_and_the_last_steps_are_to_be_predicted(n_ahead, patch_size):
    lengths = [9, 5, 6]
    arrays = arrays_of(lengths)
    arrays[0][3, 0] = arrays[1][4, 1] = np.nan
    horizon = Horizon(n_ahead)
    reader = replace(
        make_reader(arrays, patch_size, lengths=lengths, has_missing=True), horizon=horizon
    )
    past = np.array(lengths) - n_ahead
    assert_array_equal(reader.lengths, lengths)
    assert_array_equal(reader.n_frames, -(-past // patch_size))
    block = reader.read(slice(None), 4 * 3 // patch_size)
    assert_array_equal(block.targets["reconstruct"].lengths, past)
    assert_array_equal(block.targets["predict"].lengths, n_ahead)
    for row, array in enumerate(arrays):
        for name, expected in (
            ("reconstruct", array[: past[row]]),
            ("predict", array[past[row] :]),
        ):
            steps = block.frames(name).reshape(3, -1, 2)[row]
            assert_array_equal(steps[: len(expected)], expected)
            assert not steps[len(expected) :].any()
            assert_array_equal(block.starts[name][row], 0 if name == "reconstruct" else past[row])


def test_without_a_horizon_the_steps_after_the_first_are_to_be_predicted():
    arrays = arrays_of(LENGTHS)
    reader = replace(make_reader(arrays, 2), horizon=Horizon(None))
    block = reader.read(slice(None), 3)
    for row, array in enumerate(arrays):
        for name, expected in (("reconstruct", array), ("predict", array[1:])):
            steps = block.frames(name).reshape(4, -1, 2)[row]
            assert_array_equal(steps[: len(expected)], expected)
            assert not steps[len(expected) :].any()


def test_what_is_to_be_predicted_does_not_enter_a_scaling_by_sequence():
    arrays = arrays_of([6, 6])
    reader = replace(make_reader(arrays, 1, lengths=[6, 6], kind="sequence"), horizon=Horizon(2))
    known = reader.read(slice(None), 4)
    arrays[0][4:] = 99
    again = reader.read(slice(None), 4)
    assert_array_equal(again.statistics, known.statistics)
    assert_array_equal(again.frames("reconstruct"), known.frames("reconstruct"))


@given(st.data())
def test_put_inverts_cut(data):
    lengths = np.array(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    start = np.array([data.draw(st.integers(0, length)) for length in lengths])
    batch = pad(arrays_of(lengths))
    part = cut(batch, start, lengths, 6)
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


@given(
    st.lists(st.integers(5, 20), min_size=1).map(np.array),
    st.one_of(st.none(), st.integers(1, 4)),
)
def test_a_horizon_ends_with_the_sequence_and_fits_its_width(lengths, steps):
    horizon = Horizon(steps)
    past, start = horizon.past(lengths), horizon.start(lengths)
    said = lengths - start
    assert_array_equal(said, lengths - 1 if steps is None else steps)
    assert_array_equal(past, lengths if steps is None else start)
    assert (said <= horizon.width(int(past.max()))).all()
