"""What a row gets depends on that row alone, to the bit; and every row gets its own."""

import multiprocessing
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.inference import blocks
from sklearn_lstmae.inference.blocks import block_rows, row_blocks
from sklearn_lstmae.inference.coder import ClassScores, Coder, linear
from sklearn_lstmae.network.architecture import LARGEST
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences import scoring
from sklearn_lstmae.sequences.frames import Frames

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
            0.4 * generator.normal(size=shape).astype("f4")
            for shape in network_of(architecture).shapes
        ]
        self.coder = Coder(architecture, self.weights)
        self.make_reader = make_reader

    def reader(self, source, **options):
        has_missing = self.architecture.tells_missing
        patch_size = self.architecture.patch_size
        return self.make_reader(source, patch_size=patch_size, has_missing=has_missing, **options)

    def random(self, lengths):
        """A list of arrays (T_i, 2), with missing values where the network reads which are."""
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
def default(cases):
    return cases["default"]


@pytest.fixture(scope="module")
def many(default):
    """600 sequences of one length and their codes."""
    source = np.stack(default.random([5] * 600))
    return source, default.coder.encode(default.reader(source, lengths=[5] * 600))


# Rows ------------------------------------------------------------------------------------


def test_a_row_alone_has_the_code_it_has_among_others(case):
    sequences = case.random(LENGTHS)
    codes = case.coder.encode(case.reader(sequences))
    assert codes.dtype == np.float32
    assert codes.shape == (len(LENGTHS), case.architecture.code_width)
    for sequence, code in zip(sequences, codes, strict=True):
        assert_array_equal(case.coder.encode(case.reader([sequence])), [code])


def test_the_order_of_rows_and_repeating_them_changes_nothing(case):
    reader = case.reader(case.random(LENGTHS))
    codes = case.coder.encode(reader)
    rows = np.random.default_rng(0).integers(len(LENGTHS), size=300)
    assert_array_equal(case.coder.encode(reader.subset(rows)), codes[rows])


@pytest.mark.parametrize("more", [-1, 0, 1], ids="a block{:+d}".format)
def test_the_number_of_rows_changes_nothing(more, default, many):
    source, codes = many
    n_rows = block_rows(default.architecture, 5) + more
    for start in {0, 600 - n_rows}:
        part = source[start : start + n_rows]
        got = default.coder.encode(default.reader(part, lengths=[5] * n_rows))
        assert_array_equal(got, codes[start : start + n_rows])
        lengths = np.full(n_rows, 5)
        steps = default.coder.decode(codes[start : start + n_rows], lengths)
        alone = default.coder.decode(codes[start:][:n_rows][-1:], lengths[:1])
        assert_array_equal(steps[-1:], alone)


def test_a_neighbor_of_any_content_changes_nothing(case):
    """Not even one whose values leave the range of the network."""
    sequences = case.random([6] * 20)
    codes = case.coder.encode(case.reader(sequences))
    for extreme in (1e30, -1e30):
        others = [np.full_like(sequence, extreme) for sequence in sequences]
        others[7] = sequences[7]
        got = case.coder.encode(case.reader(others))
        assert_array_equal(got[7], codes[7])
        assert np.isfinite(got).all()
    wild = np.full_like(codes, 1e30)
    wild[7] = codes[7]
    lengths = np.full(20, 6)
    steps, expected = (case.coder.decode(part, lengths)[7] for part in (wild, codes))
    assert_array_equal(steps, expected)


def test_a_list_and_a_padded_array_have_the_same_codes(default):
    sequences = default.random(LENGTHS)
    padded = np.stack([np.pad(s, ((0, 45 - len(s)), (0, 0)), constant_values=9) for s in sequences])
    got = default.coder.encode(default.reader(padded, lengths=LENGTHS))
    assert_array_equal(got, default.coder.encode(default.reader(sequences)))


def test_a_memory_map_has_the_codes_of_its_array(default, many, tmp_path):
    source, codes = many
    np.save(tmp_path / "x.npy", source)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert_array_equal(default.coder.encode(default.reader(mapped, lengths=[5] * 600)), codes)


def test_masked_frames_do_not_change_a_code(case):
    """Whatever they hold, and however many there are."""
    patch = case.architecture.patch_size
    steps = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("f4")
    block = case.reader(steps, lengths=[4, 2, 2]).read(slice(None), 4 // patch)
    frames = block.frames(block.past)
    [expected] = case.coder.encode_block(frames)
    masked = np.arange(4 // patch) >= 2 // patch
    masked = np.broadcast_to(masked, (3, 4 // patch)) & [[False], [True], [True]]
    for content in (9.0, 1e30):
        values = np.where(masked[:, :, np.newaxis], np.float32(content), frames.values)
        dirty = Frames(values, frames.indicators, frames.lengths)
        assert_array_equal(*case.coder.encode_block(dirty), expected)
    longer = [
        np.pad(array, ((0, 0), (0, 3), (0, 0))) for array in (frames.values, frames.indicators)
    ]
    [got] = case.coder.encode_block(Frames(*longer, frames.lengths))
    assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


SIGNS = np.array([[[1, 1]], [[1, -1]], [[-1, 1]], [[-1, -1]]], np.float32)


def test_values_are_read_as_no_larger_than_the_largest(make_architecture, make_reader):
    """Which "relu" shows: "tanh" is saturated long before."""
    case = Case(make_architecture(activation="relu", hidden_units=(20,)), make_reader)
    huge, largest, smaller = (
        case.coder.encode(case.reader(list(np.float32(value) * SIGNS)))
        for value in (1e36, LARGEST, LARGEST / 2)
    )
    assert_array_equal(huge, largest)
    assert not np.array_equal(smaller, largest)
    assert np.isfinite(huge).all()


# Decoding --------------------------------------------------------------------------------


def test_a_code_alone_is_decoded_as_among_others(case):
    codes = case.coder.encode(case.reader(case.random(LENGTHS)))
    steps = case.coder.decode(codes, LENGTHS)
    assert steps.dtype == np.float32
    assert steps.shape == (len(LENGTHS), LENGTHS.max(), 2)
    for row, length in enumerate(LENGTHS):
        alone = case.coder.decode(codes[row : row + 1], LENGTHS[row : row + 1])
        assert alone.shape == (1, length, 2)
        assert_array_equal(alone[0], steps[row, :length])


@pytest.mark.parametrize("length", [1, 3, 16, 17, 31, 100])
def test_a_code_can_be_decoded_to_any_length(case, length):
    code = np.ones((1, case.architecture.code_width), "f4")
    steps = case.coder.decode(code, np.array([length]))
    assert steps.shape == (1, length, 2)
    assert np.isfinite(steps).all()
    assert len(np.unique(steps[0], axis=0)) == length


def test_a_decoder_in_reverse_begins_with_the_last_frame(make_architecture, make_reader):
    """Of each sequence, and so its steps are those of the decoder in time, turned."""
    forwards, backwards = (
        Case(make_architecture(reverse_target=reverse), make_reader) for reverse in (False, True)
    )
    codes = np.random.default_rng(0).normal(size=(3, 2)).astype("f4")
    lengths = np.array([4, 2, 7])
    steps, turned = (case.coder.decode(codes, lengths) for case in (forwards, backwards))
    for row, length in enumerate(lengths):
        assert_allclose(turned[row, :length], steps[row, :length][::-1], rtol=1e-5, atol=1e-6)


def test_reconstructions_are_decoded_codes(case):
    reader = case.reader(case.random(LENGTHS))
    steps = case.coder.decode(case.coder.encode(reader), LENGTHS)
    seen = np.zeros(len(LENGTHS), int)

    def compare(rows, block, outputs):
        rows = np.arange(len(LENGTHS))[rows]
        target, output = block.targets["reconstruct"], outputs["reconstruct"]
        assert output.shape == target.values.shape
        assert_array_equal(target.lengths, LENGTHS[rows])
        for row, got in zip(rows, output, strict=True):
            assert_array_equal(got[: LENGTHS[row]], steps[row, : LENGTHS[row]])
        return rows

    for rows in case.coder.map_outputs(reader, compare):
        seen[rows] += 1
    assert_array_equal(seen, 1)


def test_in_small_blocks_a_row_has_the_code_it_has_alone(case, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 2000)
    sequences = case.random(np.repeat(LENGTHS, 5))
    reader = case.reader(sequences)
    sizes = [
        len(np.arange(len(reader))[rows])
        for rows, _ in row_blocks(case.architecture, reader.n_frames)
    ]
    assert max(sizes) < 64
    codes = case.coder.encode(reader)
    steps = case.coder.decode(codes, reader.lengths)
    for row in range(0, len(sequences), 7):
        alone = case.reader([sequences[row]])
        assert_array_equal(case.coder.encode(alone), codes[row : row + 1])
        [decoded] = case.coder.decode(codes[row : row + 1], alone.lengths)
        assert_array_equal(decoded, steps[row, : len(decoded)])


# Losses and statistics -------------------------------------------------------------------


@pytest.mark.parametrize("loss", scoring.LOSSES)
def test_mean_losses_are_means_over_observed_values(case, loss):
    reader = case.reader(case.random(LENGTHS))
    center = np.array([0.5, -1.0])
    output = case.coder.decode(case.coder.encode(reader), LENGTHS)
    batch = reader.sequences.read(slice(None))
    expected = [
        np.nanmean(scoring.errors(batch.values - prediction, batch.mask, loss, "value"))
        for prediction in (output, center)
    ]
    got = case.coder.mean_losses(reader, loss, center)
    assert_allclose(np.ravel(got), expected, rtol=1e-5)
    assert_allclose(case.coder.mean_losses(reader, loss)[0], got[0])


def test_the_loss_of_nothing_observed_is_not_a_number(cases):
    case = cases["missing, frames of 2"]
    reader = case.reader([np.full((3, 2), np.nan, "f4")])
    assert np.isnan(case.coder.mean_losses(reader, "mse")).all()


def test_a_scaling_by_sequence_appends_its_statistics(default):
    reader = default.reader(default.random(LENGTHS), kind="sequence")
    codes = default.coder.encode(reader)
    assert codes.shape == (len(LENGTHS), 3 + 2 * 2)
    statistics = reader.read(slice(None), 40).statistics
    assert_array_equal(codes[:, 3:], statistics.astype(np.float32))
    exact = default.coder.encode(reader, dtype=np.float64)
    assert_array_equal(exact[:, :3], codes[:, :3])
    assert_array_equal(exact[:, 3:], statistics)


# Side effects ----------------------------------------------------------------------------


def test_threads_get_what_one_caller_gets(case):
    reader = case.reader(case.random(LENGTHS))
    codes = case.coder.encode(reader)
    with ThreadPoolExecutor(4) as threads:
        for got in threads.map(lambda _: case.coder.encode(reader), range(12)):
            assert_array_equal(got, codes)


@pytest.mark.parametrize("limit", ["1", "3", "8"])
def test_any_number_of_threads_gives_the_same_codes(limit, default, many, monkeypatch):
    source, codes = many
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", limit)
    assert_array_equal(default.coder.encode(default.reader(source, lengths=[5] * 600)), codes)


def test_using_a_network_leaves_weights_and_codes_alone(case):
    before = [weight.copy() for weight in case.weights]
    codes = case.coder.encode(case.reader(case.random(LENGTHS)))
    copy = codes.copy()
    case.coder.decode(codes, LENGTHS)
    assert_array_equal(codes, copy)
    for weight, same in zip(case.weights, before, strict=True):
        assert_array_equal(weight, same)


def test_inference_draws_from_no_global_generator(case, keeps_random_states):
    reader = case.reader(case.random(LENGTHS))
    with keeps_random_states():
        case.coder.mean_losses(reader, "mse")


# Several decoders ------------------------------------------------------------------------

BOTH = ("reconstruct", "predict")
AHEAD = LENGTHS + 3


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "conditional"])
def composite(request, make_architecture, make_reader):
    architecture = make_architecture(
        decoders=BOTH, patch_size=2, tells_missing=True, conditional=request.param
    )
    return Case(architecture, make_reader)


@pytest.mark.parametrize("horizon", [None, 3])
def test_each_decoder_outputs_what_stands_in_place_of_its_target(horizon, composite):
    sequences = composite.random(AHEAD)
    reader = composite.reader(sequences, tasks=BOTH, horizon=horizon)
    codes = composite.coder.encode(reader)
    past = AHEAD if horizon is None else LENGTHS
    alone = composite.reader([s[:n] for s, n in zip(sequences, past, strict=True)])
    assert_array_equal(composite.coder.encode(alone), codes)  # the future is not read
    lengths = {"reconstruct": past, "predict": AHEAD - 1 if horizon is None else np.full(36, 3)}
    decoded = {name: composite.coder.decode(codes, lengths[name], name) for name in BOTH}

    def compare(rows, block, outputs):
        assert tuple(outputs) == BOTH
        for name in BOTH:
            assert outputs[name].shape == block.targets[name].values.shape
            for row, output in zip(np.arange(36)[rows], outputs[name], strict=True):
                length = lengths[name][row]
                expected = decoded[name][row, :length]
                assert_allclose(output[:length], expected, rtol=1e-4, atol=1e-5)
        return len(outputs["predict"])

    assert sum(composite.coder.map_outputs(reader, compare)) == 36


def test_mean_losses_are_those_of_the_tasks_of_the_reader(composite):
    sequences = composite.random(AHEAD)
    reader = composite.reader(sequences, tasks=BOTH, horizon=3)
    center = np.array([0.5, -1.0])
    got = composite.coder.mean_losses(reader, "mae", center)
    codes = composite.coder.encode(reader)
    for place, name in enumerate(BOTH):
        alone = replace(reader, tasks=(name,))
        [one], [constant] = composite.coder.mean_losses(alone, "mae", center)
        assert (one, constant) == (got[0][place], got[1][place])
        parts = [
            s[:n] if name == "reconstruct" else s[n:]
            for s, n in zip(sequences, LENGTHS, strict=True)
        ]
        decoded = composite.coder.decode(codes, np.array([len(p) for p in parts]), name)
        for number, output in ((one, decoded), (constant, np.broadcast_to(center, decoded.shape))):
            errors = [np.abs(p - o[: len(p)]) for p, o in zip(parts, output, strict=True)]
            assert_allclose(number, np.nanmean(np.concatenate(errors)), rtol=1e-4)


def test_a_longer_forecast_begins_with_the_shorter_one(composite):
    codes = composite.coder.encode(composite.reader(composite.random(LENGTHS)))
    long = composite.coder.decode(codes, np.full(36, 30), "predict")
    for n_steps in (1, 5, 16):
        short = composite.coder.decode(codes, np.full(36, n_steps), "predict")
        assert_allclose(short, long[:, :n_steps], rtol=1e-4, atol=1e-5)


# Classes ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier(make_architecture, make_reader):
    """Weights of an encoder and of a head that reads its code and four statistics."""
    case = Case(make_architecture(hidden_units=(5,)).encoder, make_reader)
    generator = np.random.default_rng(2)
    head = generator.normal(size=(6, 3)), generator.normal(size=3)
    return case, ClassScores(case.architecture, [*case.weights, *head]), head


def test_scores_are_those_of_a_linear_layer_on_codes(classifier):
    case, scorer, (kernel, bias) = classifier
    reader = case.reader(case.random(LENGTHS), kind="sequence")
    scores = scorer.scores(reader)
    assert scores.dtype == np.float64
    assert_allclose(scores, case.coder.encode(reader) @ kernel + bias, rtol=1e-5, atol=1e-6)
    for row in (0, 17):
        assert_array_equal(scorer.scores(reader.subset(np.array([row]))), scores[row : row + 1])


def test_a_judgment_is_the_weighted_cross_entropy_and_the_accuracy(classifier):
    case, scorer, _ = classifier
    classes = np.arange(len(LENGTHS)) % 3
    reader = replace(case.reader(case.random(LENGTHS), kind="sequence"), classes=classes)
    shares = [0.5, 1.0, 2.0]
    scores = scorer.scores(reader)
    odds = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    surprise = -np.log(odds[np.arange(len(classes)), classes]) * np.take(shares, classes)
    loss, accuracy = scorer.judge(reader, shares)
    assert_allclose(loss, surprise.mean(), rtol=1e-6)
    assert accuracy == np.mean(odds.argmax(axis=1) == classes)


def test_a_row_of_scores_does_not_depend_on_the_others():
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(301, 37)).astype("f4")
    kernel, bias = generator.normal(size=(37, 5)), generator.normal(size=5)
    whole = linear(columns, kernel, bias)
    assert_allclose(whole, columns @ kernel + bias, rtol=1e-6, atol=1e-8)
    for rows in (slice(0, 1), slice(7, 8), slice(3, 300), np.arange(301)[::-1]):
        assert_array_equal(linear(columns[rows], kernel, bias), whole[rows])


# Processes -------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_process_forked_in_the_middle_of_an_inference_can_infer(default):
    reader = default.reader(default.random(LENGTHS[:3]))
    codes = default.coder.encode(reader)
    context = multiprocessing.get_context("fork")
    children, first = [], threading.Lock()

    def encode(answer):
        answer.send(default.coder.encode(reader))

    def fork(rows, block, outputs):
        if first.acquire(blocking=False):  # blocks run in several threads
            receiver, answer = context.Pipe(duplex=False)
            children.append((context.Process(target=encode, args=(answer,)), receiver))
            children[0][0].start()

    default.coder.map_outputs(reader, fork)
    [(child, receiver)] = children
    arrived = receiver.poll(20)
    got = receiver.recv() if arrived else None
    child.kill()
    child.join()
    assert arrived
    assert_array_equal(got, codes)
