"""Sequences are read as padded batches, and written back the way they came."""

import mmap
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import batch_of
from sklearn_lstmae.sequences.batch import SequenceBatch, Sequences, join, to_layout, unpad

LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def random_arrays(lengths, n_features=2):
    generator = np.random.default_rng(0)
    return [generator.normal(size=(length, n_features)).astype("f4") for length in lengths]


def from_list(arrays, **options):
    lengths = np.array([len(array) for array in arrays])
    return Sequences(arrays, lengths, "list", **options)


def from_array(array, **options):
    return Sequences(array, np.full(len(array), array.shape[1]), "3d", **options)


def assert_equal_batches(left, right):
    np.testing.assert_array_equal(left.values, right.values)
    np.testing.assert_array_equal(left.lengths, right.lengths)
    np.testing.assert_array_equal(left.mask, right.mask)


@given(LENGTHS)
def test_unpad_inverts_pad(lengths):
    arrays = random_arrays(lengths)
    batch = batch_of(arrays)
    assert batch.values.dtype == np.float32
    assert (batch.n_sequences, batch.n_features) == (len(lengths), 2)
    assert batch.n_timesteps == max(lengths)
    for array, back in zip(arrays, unpad(batch.values, batch.lengths), strict=True):
        np.testing.assert_array_equal(array, back)


@given(LENGTHS)
def test_padding_is_zero_and_not_observed(lengths):
    batch = batch_of([array + 9 for array in random_arrays(lengths)])
    np.testing.assert_array_equal(batch.step_mask.sum(axis=1), lengths)
    np.testing.assert_array_equal(batch.mask, batch.values != 0)


def test_mask_is_what_is_observed_within_the_lengths():
    observed = np.array([[[True, False], [True, True]]])
    batch = SequenceBatch(np.zeros((1, 2, 2), "f4"), np.array([1]), observed)
    assert batch.mask.tolist() == [[[True, False], [False, False]]]


@given(LENGTHS, st.data())
def test_read_equals_reading_each_row_alone(lengths, data):
    arrays = random_arrays(lengths)
    arrays[0][0, 0] = np.nan
    sequences = from_list(arrays, has_missing=True)
    rows = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1)))
    batch = sequences.read(rows, n_timesteps=7)
    for place, row in enumerate(rows):
        alone = sequences.read(slice(row, row + 1))
        size = alone.n_timesteps
        np.testing.assert_array_equal(batch.values[place, :size], alone.values[0])
        np.testing.assert_array_equal(batch.mask[place, :size], alone.mask[0])
        assert not batch.values[place, size:].any()
        assert not batch.mask[place, size:].any()


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0, 2])], ids=["slice", "indices"])
def test_an_array_and_a_list_read_the_same(rows):
    arrays = random_arrays([4, 4, 4])
    batch = from_array(np.stack(arrays)).read(rows)
    assert_equal_batches(batch, from_list(arrays).read(rows))
    assert batch.observed is None


def test_content_of_padding_is_irrelevant():
    values = np.stack(random_arrays([4, 4]))
    garbage = values.copy()
    garbage[0, 2:] = np.nan
    lengths = np.array([2, 4])
    batches = [Sequences(x, lengths, "3d").read(slice(None)) for x in (values, garbage)]
    assert_equal_batches(*batches)
    assert not batches[0].values[0, 2:].any()
    short = Sequences(garbage, lengths, "3d").read(slice(0, 1))
    assert short.values.shape == (1, 2, 2)
    assert short.values.flags.c_contiguous


def test_missing_values_are_zero_and_not_observed():
    values = np.stack(random_arrays([3, 3]))
    values[0, 1, 1] = np.nan
    batch = from_array(values, has_missing=True).read(slice(None))
    np.testing.assert_array_equal(batch.observed, ~np.isnan(values))
    assert batch.values[0, 1, 1] == 0
    assert np.isnan(values).sum() == 1


def test_a_slice_of_a_plain_array_is_a_view():
    X = np.zeros((5, 4, 3), "f4")
    values = from_array(X).read(slice(1, 4)).values
    assert np.shares_memory(values, X)
    assert values.__array_interface__["data"] == X[1:].__array_interface__["data"]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i4", "u1", "?"])
def test_read_is_float32_and_contiguous(dtype):
    X = np.arange(24).reshape(2, 4, 3).astype(dtype)
    for source in (X, np.asfortranarray(X), list(X)):
        sequences = Sequences(source, np.array([4, 4]), "3d")
        values = sequences.read(slice(None)).values
        np.testing.assert_array_equal(values, X.astype("f4"))
        assert values.dtype == np.float32
        assert values.flags.c_contiguous


def test_read_as_float64_keeps_all_digits():
    X = np.full((1, 2, 1), 0.1)
    assert from_array(X).read(slice(None), dtype=np.float64).values[0, 0, 0] == 0.1


@pytest.mark.parametrize("n_timesteps", [4, 6])
def test_read_pads_to_the_steps_asked_for(n_timesteps):
    X = np.ones((2, 4, 3), "f4")
    for sequences in (from_array(X), from_list(list(X))):
        batch = sequences.read(slice(None), n_timesteps)
        assert batch.values.shape == (2, n_timesteps, 3)
        assert batch.mask.sum() == batch.values.sum() == X.sum()


@pytest.mark.parametrize(("max_bytes", "n_blocks"), [(1, 5), (96, 3), (1000, 1)])
def test_blocks_cover_all_rows_within_bytes(max_bytes, n_blocks):
    sequences = from_array(np.zeros((5, 4, 3)))
    blocks = list(sequences.blocks(max_bytes))
    assert len(blocks) == n_blocks
    assert np.concatenate([np.arange(5)[rows] for rows in blocks]).tolist() == [0, 1, 2, 3, 4]
    assert len(sequences) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_does_not_stay_in_memory(mode, tmp_path):
    shape = (400, 2**14, 1)  # 25 MiB
    np.memmap(tmp_path / "X", mode="w+", dtype="f4", shape=shape)[:] = 1
    file = np.memmap(tmp_path / "X", mode=mode, dtype="f4", shape=shape)
    if mode != "r":
        file[0, 0] = 7
    sequences = from_array(np.asarray(file[:-1]))
    before = file_pages()
    for rows in sequences.blocks(2**20):
        sequences.read(rows).values.sum()
    if mode != "c":
        assert (file_pages() - before) * mmap.PAGESIZE < 2**22
    assert file[0, 0] == (1 if mode == "r" else 7)


def file_pages():
    """Resident pages of this process that belong to files."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[2])


@pytest.mark.parametrize(
    ("layout", "lengths", "shapes"),
    [
        ("2d", [3, 3], (2, 3)),
        ("2d", [2, 2], (2, 2)),
        ("2d", [3, 1], [(3,), (1,)]),
        ("3d", [3, 3], (2, 3, 1)),
        ("3d", [3, 1], [(3, 1), (1, 1)]),
        ("list", [3, 3], [(3, 1), (3, 1)]),
        ("list-1d", [3, 1], [(3,), (1,)]),
    ],
)
def test_to_layout_writes_sequences_as_the_user_does(layout, lengths, shapes):
    values = np.arange(6.0).reshape(2, 3, 1)
    written = to_layout(values, np.array(lengths), layout)
    if isinstance(shapes, tuple):
        assert written.shape == shapes
    else:
        assert [sequence.shape for sequence in written] == shapes
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(np.ravel(written[row]), values[row, :length, 0])


@pytest.mark.parametrize("layout", ["2d", "3d", "list", "list-1d"])
def test_joined_sequences_are_written_as_the_user_writes_them(layout):
    lengths = [3, 3, 3] if layout in ("2d", "3d") else [3, 1, 2]
    n_features = 1 if layout in ("2d", "list-1d") else 2
    arrays = [np.arange(float(t * n_features)).reshape(t, n_features) for t in lengths]
    whole = arrays if "list" in layout else np.stack(arrays)
    parts = [
        Sequences(whole[rows], np.array(lengths[rows]), layout) for rows in (slice(1), slice(1, 3))
    ]
    expected = to_layout(batch_of(arrays).values, np.array(lengths), layout)
    joined = join(*parts)
    assert type(joined) is type(expected)
    for one, other in zip(joined, expected, strict=True):
        np.testing.assert_array_equal(one, other)
