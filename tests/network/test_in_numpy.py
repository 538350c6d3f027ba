"""In NumPy no row depends on the others of its block, to the bit, and nothing given is changed.

What the operations compute is tested for all back ends at once, in test_operations. Letters: K
frames, N rows.
"""

import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_array_equal

from sklearn_lstmae.inference.blocks import MARGIN, block_rows, block_width, places_of
from sklearn_lstmae.network.in_numpy import NumpyOperations
from sklearn_lstmae.network.wiring import network_of

K, N = 5, 7
LENGTHS = np.array([5, 1, 3, 4, 2, 5, 1])

KERNELS = [
    *({"hidden_units": (units,), "bidirectional": True} for units in (1, 3, 8, 31, 128)),
    {"n_features": 1, "latent_dim": 1},
    {"n_features": 1, "hidden_units": (1,), "latent_dim": 1, "bottleneck": "hidden"},
    {"bottleneck": "hidden_cell", "hidden_units": (4, 3), "activation": "relu"},
    {"conditional": True, "tells_missing": True, "patch_size": 2},
    {"conditional": True, "hidden_units": (31, 3), "decoder_start": "state"},
]


def describe(changes):
    return ", ".join(f"{name} {value}" for name, value in changes.items())


class Block:
    """A network, and rows in some of the places of a block as wide as they need."""

    def __init__(self, architecture, weights):
        self.network, self.weights = network_of(architecture), weights
        self.operations = NumpyOperations(architecture, weights)
        self.most_rows = block_rows(architecture, K)
        generator = np.random.default_rng(1)
        self.frames = generator.normal(size=(K, architecture.input_width, N)).astype("f4")

    def fill(self, rows):
        """Frames (K, D, B) and mask (K, B) of a block that begins with these rows."""
        width = block_width(len(rows))
        frames = np.zeros((*self.frames.shape[:2], width), "f4")
        lengths = np.full(width, K)
        frames[:, :, places_of(len(rows))] = self.frames[:, :, rows]
        lengths[places_of(len(rows))] = LENGTHS[rows]
        return frames, np.arange(K)[:, np.newaxis] < lengths

    def encode(self, frames, mask):
        with np.errstate(all="ignore"):
            return self.network.encoder.encode(self.operations, (frames,), mask)

    def decode(self, codes):
        [decoder] = self.network.decoders.values()
        with np.errstate(all="ignore"):
            return decoder.decode(self.operations, codes, K)

    def run(self, rows):
        """Codes (C, n) and frames (K, D, n) of these rows."""
        codes, places = self.encode(*self.fill(rows)), places_of(len(rows))
        return codes[:, places], self.decode(codes)[:, :, places]


@pytest.fixture
def make_block(make_architecture, draw_weights):
    def make(**changes):
        architecture = make_architecture(**changes)
        return Block(architecture, draw_weights(architecture))

    return make


@pytest.fixture
def one_thread_products():
    with threadpoolctl.threadpool_limits(1, "blas"):
        yield


@pytest.mark.parametrize("changes", KERNELS, ids=describe)
def test_a_row_is_the_same_to_the_bit_wherever_it_is_in_a_block_of_any_width(
    changes, make_block, one_thread_products
):
    block = make_block(**changes)
    expected = block.run(np.arange(N))
    widths = [32, 64, 128, 256]
    for first, width in zip((1, 6, 100, 240 - N), widths, strict=True):
        rows = np.zeros(min(width - 2 * MARGIN, block.most_rows), int)
        first = min(first, len(rows) - N)
        rows[first : first + N] = np.arange(N)
        for got, alone in zip(block.run(rows), expected, strict=True):
            assert_array_equal(got, alone[..., rows])


@pytest.mark.parametrize("value", [1e30, np.finfo("f4").max, np.inf, np.nan])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_row_of_huge_values_leaves_the_others_alone(value, activation, make_block):
    block = make_block(activation=activation)
    frames, mask = block.fill(np.arange(N))
    expected = block.encode(frames, mask), block.decode(block.encode(frames, mask))
    place = places_of(N).start + 2
    frames[:, :, place] = value
    codes = block.encode(frames, mask)
    for got, clean in zip((codes, block.decode(codes)), expected, strict=True):
        others = np.arange(frames.shape[-1]) != place
        assert_array_equal(got[..., others], clean[..., others])


@pytest.mark.parametrize("conditional", [False, True])
def test_what_is_given_and_what_was_returned_stay_as_they_are(conditional, make_block):
    block = make_block(conditional=conditional, bidirectional=True)
    frames, mask = block.fill(np.arange(N))
    codes = block.encode(frames, mask)
    outputs = block.decode(codes)
    arrays = [frames, mask, codes, outputs, *block.weights]
    before = [array.copy() for array in arrays]
    block.decode(-codes)
    block.encode(-frames, mask)
    for array, same in zip(arrays, before, strict=True):
        assert_array_equal(array, same)


def test_a_mask_of_real_frames_only_is_no_mask(make_block):
    block = make_block(bidirectional=True)
    frames, mask = block.fill(np.arange(N))
    assert_array_equal(block.encode(frames, np.ones_like(mask)), block.encode(frames, None))
