"""What a row gets depends on that row alone, to the bit; and every row gets its own."""

import contextlib
import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.inference.blocks import FittedNetwork, n_threads
from sklearn_lstmae.network import forward
from sklearn_lstmae.network.forward import ForwardNetwork, block_rows
from sklearn_lstmae.sequences import scoring
from sklearn_lstmae.sequences.frames import Horizon
from sklearn_lstmae.training.program import get_program

RECONSTRUCT = ("reconstruct",)

KINDS = {
    "default": {"hidden_units": (37,), "latent_dim": 3},
    "missing, frames of 2": {"tells_missing": True, "patch_size": 2, "bidirectional": True},
    "two states": {"bottleneck": "hidden_cell", "hidden_units": (5, 3), "latent_dim": 3},
    "conditional": {"conditional": True, "hidden_units": (5, 3), "latent_dim": 3},
}
# Short ones, and such as are computed at a rounded number of frames; several of each.
LENGTHS = np.array([5, 1, 17, 18, 33, 36, 2, 35, 40] * 4)


class Case:
    """A network with drawn weights, and readers of data for it."""

    def __init__(self, architecture, make_reader):
        self.architecture = architecture
        generator = np.random.default_rng(0)
        self.weights = [
            weight + 0.2 * generator.normal(size=weight.shape).astype("f4")
            for weight in get_program(architecture).initial_weights(generator)
        ]
        self.network = FittedNetwork(architecture, self.weights)
        self.make_reader = make_reader

    def reader(self, source, **options):
        has_missing = self.architecture.tells_missing
        patch_size = self.architecture.patch_size
        return self.make_reader(source, patch_size=patch_size, has_missing=has_missing, **options)

    def random(self, lengths):
        """A list of arrays (T_i, 2), with missing values where the network knows them."""
        generator = np.random.default_rng(1)
        sequences = [generator.normal(size=(length, 2)).astype("f4") for length in lengths]
        if self.architecture.tells_missing:
            for sequence in sequences:
                sequence[generator.random(sequence.shape) < 0.2] = np.nan
        return sequences


@pytest.fixture(scope="module")
def cases(make_architecture, make_reader):
    return {
        name: Case(make_architecture(**changes), make_reader) for name, changes in KINDS.items()
    }


@pytest.fixture(scope="module", params=KINDS)
def case(request, cases):
    return cases[request.param]


@pytest.fixture(scope="module")
def many(cases):
    """600 sequences of one length and their codes."""
    source = np.stack(cases["default"].random([5] * 600))
    return source, cases["default"].network.encode(
        cases["default"].reader(source, lengths=[5] * 600)
    )


def test_a_row_alone_has_the_code_it_has_among_others(case):
    sequences = case.random(LENGTHS)
    codes = case.network.encode(case.reader(sequences))
    assert codes.dtype == np.float32
    assert codes.shape == (len(LENGTHS), case.architecture.code_width)
    for sequence, code in zip(sequences, codes, strict=True):
        assert_array_equal(case.network.encode(case.reader([sequence])), [code])


def test_the_order_of_rows_and_repeating_them_changes_nothing(case):
    reader = case.reader(case.random(LENGTHS))
    codes = case.network.encode(reader)
    rows = np.random.default_rng(0).integers(len(LENGTHS), size=300)
    assert_array_equal(case.network.encode(reader.subset(rows)), codes[rows])


@pytest.mark.parametrize("beside", [-1, 0, 1], ids="a block{:+d}".format)
def test_the_number_of_rows_changes_nothing(beside, cases, many):
    source, codes = many
    default = cases["default"]
    n_rows = block_rows(default.architecture, 5) + beside
    for start in {0, 600 - n_rows}:
        part = source[start : start + n_rows]
        got = default.network.encode(default.reader(part, lengths=[5] * n_rows))
        assert_array_equal(got, codes[start : start + n_rows])
        lengths = np.full(n_rows, 5)
        steps = default.network.decode(codes[start : start + n_rows], lengths)
        assert_array_equal(
            steps[-1:], default.network.decode(codes[start:][:n_rows][-1:], lengths[:1])
        )


def test_a_list_and_a_padded_array_have_the_same_codes(cases):
    default = cases["default"]
    sequences = default.random(LENGTHS)
    padded = np.stack([np.pad(s, ((0, 45 - len(s)), (0, 0)), constant_values=9) for s in sequences])
    got = default.network.encode(default.reader(padded, lengths=LENGTHS))
    assert_array_equal(got, default.network.encode(default.reader(sequences)))


def test_a_memory_map_has_the_codes_of_its_array(cases, many, tmp_path):
    source, codes = many
    np.save(tmp_path / "x.npy", source)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    default = cases["default"]
    assert_array_equal(default.network.encode(default.reader(mapped, lengths=[5] * 600)), codes)


def test_a_code_alone_is_decoded_as_among_others(case):
    codes = case.network.encode(case.reader(case.random(LENGTHS)))
    steps = case.network.decode(codes, LENGTHS)
    assert steps.dtype == np.float32
    assert steps.shape == (len(LENGTHS), LENGTHS.max(), 2)
    for row, length in enumerate(LENGTHS):
        alone = case.network.decode(codes[row : row + 1], LENGTHS[row : row + 1])
        assert alone.shape == (1, length, 2)
        assert_array_equal(alone[0], steps[row, :length])


@pytest.mark.parametrize("length", [1, 3, 16, 17, 31, 100])
def test_a_code_can_be_decoded_to_any_length(case, length):
    code = np.ones((1, case.architecture.code_width), "f4")
    steps = case.network.decode(code, np.array([length]))
    assert steps.shape == (1, length, 2)
    assert np.isfinite(steps).all()
    assert len(np.unique(steps[0], axis=0)) == length


def test_reconstructions_are_decoded_codes(case):
    reader = case.reader(case.random(LENGTHS))
    steps = case.network.decode(case.network.encode(reader), LENGTHS)
    seen = np.zeros(len(LENGTHS), int)

    def compare(rows, block, outputs):
        rows = np.arange(len(LENGTHS))[rows]
        target, output = block.targets["reconstruct"], outputs["reconstruct"]
        assert output.shape == target.values.shape
        assert_array_equal(target.lengths, LENGTHS[rows])
        for row, got in zip(rows, output, strict=True):
            assert_array_equal(got[: LENGTHS[row]], steps[row, : LENGTHS[row]])
        return rows

    for rows in case.network.map_outputs(reader, RECONSTRUCT, compare):
        seen[rows] += 1
    assert_array_equal(seen, 1)


@pytest.mark.parametrize("loss", scoring.LOSSES)
def test_mean_losses_are_means_over_observed_values(case, loss):
    reader = case.reader(case.random(LENGTHS))
    center = np.array([0.5, -1.0])
    output = case.network.decode(case.network.encode(reader), LENGTHS)
    batch = reader.sequences.read(slice(None))
    expected = [
        np.nanmean(scoring.errors(batch.values - prediction, batch.mask, loss, "value"))
        for prediction in (output, center)
    ]
    got = case.network.mean_losses(reader, RECONSTRUCT, loss, center)
    assert_allclose(np.ravel(got), expected, rtol=1e-5)
    assert_allclose(case.network.mean_losses(reader, RECONSTRUCT, loss)[0], got[0])


def test_a_scaling_by_sequence_appends_its_statistics(cases):
    default = cases["default"]
    reader = default.reader(default.random(LENGTHS), kind="sequence")
    codes = default.network.encode(reader)
    assert codes.shape == (len(LENGTHS), 3 + 2 * 2)
    statistics = reader.read(slice(None), 40).statistics
    assert_array_equal(codes[:, 3:], statistics)


def test_padding_garbage_does_not_change_a_code(case):
    steps = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("f4")
    lengths = np.array([4, 2, 3])
    padding = np.arange(4) >= lengths[:, np.newaxis]
    patch = case.architecture.patch_size
    network = ForwardNetwork(case.architecture, case.weights)
    codes = [
        network.encode(
            np.where(padding[:, :, np.newaxis], np.float32(content), steps).reshape(
                3, 4 // patch, -1
            ),
            lengths,
        )
        for content in (0.0, 9.0, np.nan)
    ]
    assert_array_equal(codes[1], codes[0])
    assert_array_equal(codes[2], codes[0])


def test_threads_get_what_one_caller_gets(case):
    reader = case.reader(case.random(LENGTHS))
    codes = case.network.encode(reader)
    with ThreadPoolExecutor(4) as threads:
        for got in threads.map(lambda _: case.network.encode(reader), range(12)):
            assert_array_equal(got, codes)


TOLD = {
    "TF_NUM_INTRAOP_THREADS": [("1", 1), ("3", 3), ("", None), ("0", None), ("many", None)],
    "OMP_NUM_THREADS": [("1", 1), ("3", 3), ("", None)],
}


@pytest.mark.parametrize(
    ("name", "told", "threads"), [(name, *pair) for name, pairs in TOLD.items() for pair in pairs]
)
def test_any_number_of_threads_gives_the_same_codes(name, told, threads, cases, many, monkeypatch):
    source, codes = many
    for each in TOLD:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, told)
    assert n_threads() == (threads or joblib.cpu_count())
    default = cases["default"]
    assert_array_equal(default.network.encode(default.reader(source, lengths=[5] * 600)), codes)


@pytest.mark.parametrize("fails", [False, True], ids=["it ends well", "it fails"])
def test_other_products_have_their_threads_back(fails, cases):
    def products():
        return [
            lib["num_threads"]
            for lib in threadpoolctl.threadpool_info()
            if lib["user_api"] == "blas"
        ]

    def function(rows, block, outputs):
        inside.append(products())
        if fails:
            raise LookupError

    default, inside, before = cases["default"], [], products()
    with contextlib.suppress(LookupError):
        default.network.map_outputs(default.reader(default.random(LENGTHS)), RECONSTRUCT, function)
    assert inside
    assert all(set(threads) <= {1} for threads in inside)
    assert products() == before


def test_using_a_network_leaves_its_weights_alone(case):
    before = [weight.copy() for weight in case.weights]
    case.network.encode(case.reader(case.random(LENGTHS)))
    for weight, same in zip(case.weights, before, strict=True):
        assert_array_equal(weight, same)


def test_an_error_of_the_function_is_raised(cases):
    def fail(rows, block, outputs):
        raise LookupError("from the function")

    default = cases["default"]
    with pytest.raises(LookupError, match="from the function"):
        default.network.map_outputs(default.reader(default.random(LENGTHS)), RECONSTRUCT, fail)


def test_inference_draws_from_no_global_generator(case, keeps_random_states):
    reader = case.reader(case.random(LENGTHS))
    with keeps_random_states():
        case.network.mean_losses(reader, RECONSTRUCT, "mse")


@pytest.mark.parametrize("block_values", [forward.BLOCK_VALUES, 2000])
def test_blocks_hold_each_row_once_and_are_wide_enough(cases, block_values, monkeypatch):
    monkeypatch.setattr(forward, "BLOCK_VALUES", block_values)
    network = cases["default"].network
    generator = np.random.default_rng(0)
    for n_rows in (1, 2, 40, 700):
        n_frames = generator.integers(1, 41, size=n_rows)
        seen = np.zeros(n_rows, int)
        for rows, width in network.row_blocks(n_frames):
            chosen = np.arange(n_rows)[rows]
            seen[chosen] += 1
            assert 1 <= len(chosen) <= block_rows(network.architecture, width)
            assert (n_frames[chosen] <= width).all()
            assert (n_frames[chosen] > width - 5).all()
            assert isinstance(rows, slice) == (len(chosen) == chosen[-1] - chosen[0] + 1)
        assert_array_equal(seen, 1)


def test_equal_rows_are_read_as_slices(cases):
    network = cases["default"].network
    n_rows = 2 * block_rows(network.architecture, 8) + 1
    blocks = network.row_blocks(np.full(n_rows, 7))
    assert [type(rows) for rows, _ in blocks] == [slice] * 3
    assert [width for _, width in blocks] == [7] * 3


def test_in_small_blocks_a_row_has_the_code_it_has_alone(case, monkeypatch):
    monkeypatch.setattr(forward, "BLOCK_VALUES", 2000)
    sequences = case.random(np.repeat(LENGTHS, 5))
    reader = case.reader(sequences)
    assert (
        max(len(np.arange(len(reader))[r]) for r, _ in case.network.row_blocks(reader.n_frames))
        < 64
    )
    codes = case.network.encode(reader)
    steps = case.network.decode(codes, reader.lengths)
    for row in range(0, len(sequences), 7):
        alone = case.reader([sequences[row]])
        assert_array_equal(case.network.encode(alone), codes[row : row + 1])
        [decoded] = case.network.decode(codes[row : row + 1], alone.lengths)
        assert_array_equal(decoded, steps[row, : len(decoded)])


# Several decoders ------------------------------------------------------------------------

BOTH = ("reconstruct", "predict")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "conditional"])
def composite(request, make_architecture, make_reader):
    architecture = make_architecture(
        decoders=BOTH, patch_size=2, tells_missing=True, conditional=request.param
    )
    return Case(architecture, make_reader)


AHEAD = LENGTHS + 3


@pytest.mark.parametrize("steps", [None, 3])
def test_each_decoder_says_what_stands_in_place_of_its_target(steps, composite):
    sequences = composite.random(AHEAD)
    reader = composite.reader(sequences, horizon=Horizon(steps))
    codes = composite.network.encode(reader)
    past = AHEAD if steps is None else LENGTHS
    alone = composite.reader([s[:n] for s, n in zip(sequences, past, strict=True)])
    assert_array_equal(composite.network.encode(alone), codes)  # the future is not seen
    lengths = {"reconstruct": past, "predict": AHEAD - 1 if steps is None else np.full(36, 3)}
    said = {name: composite.network.decode(codes, lengths[name], name) for name in BOTH}

    def compare(rows, block, outputs):
        assert outputs.keys() == set(BOTH)
        for name in BOTH:
            assert outputs[name].shape == block.targets[name].values.shape
            for row, output in zip(np.arange(36)[rows], outputs[name], strict=True):
                length = lengths[name][row]
                assert_allclose(output[:length], said[name][row, :length], rtol=1e-4, atol=1e-5)
        return len(outputs["predict"])

    assert sum(composite.network.map_outputs(reader, BOTH, compare)) == 36


def test_mean_losses_are_those_of_the_decoders_asked(composite):
    sequences = composite.random(AHEAD)
    reader = composite.reader(sequences, horizon=Horizon(3))
    center = np.array([0.5, -1.0])
    got = composite.network.mean_losses(reader, BOTH, "mae", center)
    codes = composite.network.encode(reader)
    for place, name in enumerate(BOTH):
        [one], [constant] = composite.network.mean_losses(reader, (name,), "mae", center)
        assert (one, constant) == (got[0][place], got[1][place])
        parts = [
            s[:n] if name == "reconstruct" else s[n:]
            for s, n in zip(sequences, LENGTHS, strict=True)
        ]
        said = composite.network.decode(codes, np.array([len(p) for p in parts]), name)
        for number, output in ((one, said), (constant, np.broadcast_to(center, said.shape))):
            errors = [np.abs(p - o[: len(p)]) for p, o in zip(parts, output, strict=True)]
            assert_allclose(number, np.nanmean(np.concatenate(errors)), rtol=1e-4)


def test_a_longer_forecast_begins_with_the_shorter_one(composite):
    codes = composite.network.encode(composite.reader(composite.random(LENGTHS)))
    long = composite.network.decode(codes, np.full(36, 30), "predict")
    for n_steps in (1, 5, 16):
        short = composite.network.decode(codes, np.full(36, n_steps), "predict")
        assert_allclose(short, long[:, :n_steps], rtol=1e-4, atol=1e-5)


# Processes -------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_process_forked_in_the_middle_of_an_inference_can_infer(cases):
    default = cases["default"]
    reader = default.reader(default.random(LENGTHS[:3]))
    codes = default.network.encode(reader)
    context = multiprocessing.get_context("fork")
    children = []

    def encode(answer):
        answer.send(default.network.encode(reader))

    def fork(rows, block, outputs):
        if not children:
            receiver, answer = context.Pipe(duplex=False)
            children.append((context.Process(target=encode, args=(answer,)), receiver))
            children[0][0].start()

    default.network.map_outputs(reader, RECONSTRUCT, fork)
    [(child, receiver)] = children
    arrived = receiver.poll(20)
    got = receiver.recv() if arrived else None
    child.kill()
    child.join()
    assert arrived
    assert_array_equal(got, codes)
