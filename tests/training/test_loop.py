"""Training is a function of the data, the plan and the seed; how it is carried out is not seen."""

import dataclasses
import os
import re
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.inference.coder import Coder
from sklearn_lstmae.training import loop as training
from sklearn_lstmae.training.loop import Run, fresh_state, learning_rates, train, uses_xla
from sklearn_lstmae.training.objectives.autoencoder import Autoencoding
from sklearn_lstmae.training.objectives.classifier import Classifying
from sklearn_lstmae.training.shards import Shards
from sklearn_lstmae.training.state import TrainingProgress, TrainingState

LENGTHS = [5, 1, 4, 3, 5, 2, 5, 4, 1, 5]


@pytest.fixture(scope="module")
def architecture(make_architecture):
    return make_architecture()


@pytest.fixture
def reader(make_sequences, make_reader):
    """Ten sequences, the last minibatch being incomplete."""
    return make_reader(make_sequences(LENGTHS))


@pytest.fixture
def validation(make_sequences, make_reader):
    return make_reader(make_sequences([4, 5, 2], seed=1))


def learn(architecture, plan, reader, validation=None, *, loss="mse", start=None, **options):
    """Train an autoencoder from fresh weights, with the loss of rows that are held out."""
    measure = None
    if validation is not None:
        measure = partial(measure_loss, architecture, plan, validation, loss)
    objective = Autoencoding(architecture, loss)
    start = start or TrainingProgress(fresh_state(objective, plan.seed))
    return train(objective, plan, reader, start, measure=measure, **options)


def measure_loss(architecture, plan, reader, loss, weights):
    each, _ = Coder(architecture, weights).mean_losses(reader, loss)
    return {"val_loss": float(np.dot(plan.term_weights[:-1], each))}


def assert_same_bits(got, expected):
    assert got.history == expected.history
    assert got.best_epoch == expected.best_epoch
    for value, same in zip(got.weights, expected.weights, strict=True):
        assert_array_equal(value, same)


class Recorder:
    """A report that keeps what it was called with, and asks to stop at an epoch."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.epochs, self.losses, self.weights, self.copies = [], [], [], []

    def __call__(self, epoch, losses, weights):
        self.epochs.append(epoch)
        self.losses.append(dict(losses))
        self.weights.append(weights)
        self.copies.append([weight.copy() for weight in weights])
        return epoch == self.stop_at


# What is learned -------------------------------------------------------------------------


def test_the_loss_falls(architecture, reader, make_plan):
    trained = learn(architecture, make_plan(epochs=100), reader)
    loss = trained.history["loss"]
    assert len(loss) == trained.best_epoch == 100
    assert loss[-1] < 0.5 * loss[0]
    assert {weight.dtype for weight in trained.weights} == {np.dtype("f4")}


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_the_loss_is_the_mean_over_observed_values(loss, architecture, reader, make_plan):
    """A network that does not learn has the same loss in training and in use."""
    assert_same_loss(architecture, reader, loss, make_plan)


@pytest.mark.parametrize("tells_missing", [False, True])
def test_partly_filled_frames_count_what_they_hold(
    tells_missing, make_architecture, make_sequences, make_reader, make_plan
):
    sequences = make_sequences([7, 3, 20, 19, 1, 6])
    if tells_missing:
        sequences[2][4:9, 1] = sequences[0][0] = np.nan
    reader = make_reader(sequences, patch_size=2, has_missing=tells_missing)
    architecture = make_architecture(patch_size=2, tells_missing=tells_missing)
    assert_same_loss(architecture, reader, "mse", make_plan)


def assert_same_loss(architecture, reader, loss, make_plan):
    trained = learn(architecture, make_plan(learning_rate=0.0, epochs=2), reader, loss=loss)
    [expected], _ = Coder(architecture, trained.weights).mean_losses(reader, loss)
    assert_allclose(trained.history["loss"], [expected] * 2, rtol=1e-5)
    assert trained.history["reconstruct_loss"] == trained.history["loss"]


def test_frames_of_ragged_sequences_with_missing_values_are_learned(
    make_architecture, make_sequences, make_reader, make_plan
):
    sequences = make_sequences([7, 3, 20, 19, 1, 6])
    sequences[2][4:9, 1] = sequences[0][0] = np.nan
    reader = make_reader(sequences, patch_size=2, has_missing=True)
    architecture = make_architecture(patch_size=2, tells_missing=True)
    trained = learn(architecture, make_plan(epochs=100), reader)
    assert trained.history["loss"][-1] < 0.8 * trained.history["loss"][0]


def test_one_sequence_is_enough(architecture, make_sequences, make_reader, make_plan):
    trained = learn(architecture, make_plan(epochs=30), make_reader(make_sequences([5])))
    assert trained.history["loss"][-1] < trained.history["loss"][0]


def test_one_sequence_of_one_step_is_enough(architecture, make_sequences, make_reader, make_plan):
    trained = learn(architecture, make_plan(), make_reader(make_sequences([1])))
    assert np.isfinite(trained.history["loss"]).all()


@pytest.mark.parametrize("batch_size", [1, 3, 10, 1000])
def test_any_batch_size_will_do(batch_size, architecture, reader, make_plan):
    trained = learn(architecture, make_plan(batch_size=batch_size, epochs=2), reader)
    assert len(trained.history["loss"]) == 2


def test_a_larger_batch_than_there_are_rows_holds_them_all(architecture, reader, make_plan):
    many, more = (learn(architecture, make_plan(batch_size=size), reader) for size in (16, 1000))
    assert_same_bits(many, more)


# Several decoders, and codes that are drawn ----------------------------------------------

BOTH = ("reconstruct", "predict")


@pytest.fixture(scope="module")
def composite(make_architecture):
    """An architecture with all there is, which a second one would have to compile, too."""
    return make_architecture(
        decoders=BOTH, conditional=True, variational=True, patch_size=2, tells_missing=True
    )


def gappy_reader(make_sequences, make_reader, steps, seed=0):
    sequences = make_sequences([7, 3, 12, 9, 4, 6], seed)
    sequences[2][1:4, 1] = sequences[0][5] = np.nan
    return make_reader(sequences, patch_size=2, has_missing=True, tasks=BOTH, horizon=steps)


@pytest.mark.parametrize("steps", [None, 1, 2])
def test_the_loss_of_several_decoders_is_the_weighted_sum_of_their_means(
    steps, make_architecture, make_sequences, make_reader, make_plan
):
    architecture = make_architecture(decoders=BOTH, patch_size=2, tells_missing=True)
    reader = gappy_reader(make_sequences, make_reader, steps)
    validation = gappy_reader(make_sequences, make_reader, steps, seed=1)
    plan = make_plan(learning_rate=0.0, term_weights=(0.3, 0.7, 0.0), epochs=2)
    trained = learn(architecture, plan, reader, validation)
    coder = Coder(architecture, trained.weights)
    expected, _ = coder.mean_losses(reader, "mse")
    history = trained.history
    for name, number in zip(BOTH, expected, strict=True):
        assert_allclose(history[f"{name}_loss"], number, rtol=1e-5)
    assert_allclose(history["loss"], 0.3 * expected[0] + 0.7 * expected[1], rtol=1e-5)
    later, _ = coder.mean_losses(validation, "mse")
    assert_allclose(history["val_loss"], 0.3 * later[0] + 0.7 * later[1], rtol=1e-5)


def test_the_divergence_is_one_of_the_losses(composite, make_sequences, make_reader, make_plan):
    reader = gappy_reader(make_sequences, make_reader, 2)
    plan = make_plan(term_weights=(0.3, 0.7, 0.1))
    history = learn(composite, plan, reader).history
    assert history.keys() == {"loss", "reconstruct_loss", "predict_loss", "kl_loss"}
    parts = [np.array(history[name]) for name in ("reconstruct_loss", "predict_loss", "kl_loss")]
    assert (parts[2] > 0).all()
    assert_allclose(history["loss"], np.dot([0.3, 0.7, 0.1], parts), rtol=1e-5)


@pytest.mark.parametrize("steps", [None, 2])
def test_streamed_futures_give_the_same_bits(
    steps, composite, make_sequences, make_reader, monkeypatch, make_plan
):
    reader = gappy_reader(make_sequences, make_reader, steps)
    plan = make_plan(term_weights=(0.3, 0.7, 0.1), noise=0.1, dropout=0.2, batch_size=2)
    expected = learn(composite, plan, reader)
    assert_same_bits(learn(composite, plan, reader, report=Recorder()), expected)
    monkeypatch.setattr(training, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(training, "CHUNK_BYTES", 1)
    assert_same_bits(learn(composite, plan, reader), expected)


# Seeds -----------------------------------------------------------------------------------


def test_one_seed_gives_the_same_bits_and_another_does_not(architecture, reader, make_plan):
    first, again, other = (learn(architecture, make_plan(seed=seed), reader) for seed in (3, 3, 4))
    assert_same_bits(first, again)
    assert first.history != other.history


def test_the_largest_seed_works(architecture, reader, make_plan):
    learn(architecture, make_plan(seed=2**31 - 1, epochs=1), reader)


def test_training_draws_from_no_global_generator(
    architecture, reader, validation, keeps_random_states, make_plan
):
    with keeps_random_states():
        learn(architecture, make_plan(), reader, validation)


def test_threads_get_what_one_caller_gets(architecture, reader, make_plan):
    expected = [learn(architecture, make_plan(seed=seed), reader) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        got = threads.map(lambda seed: learn(architecture, make_plan(seed=seed), reader), range(4))
        for one, two in zip(got, expected, strict=True):
            assert_same_bits(one, two)


def test_a_second_training_traces_nothing(
    architecture, reader, validation, make_sequences, make_reader, traces, make_plan
):
    learn(architecture, make_plan(), reader, validation)
    traces.clear()
    learn(architecture, make_plan(seed=9, epochs=6, learning_rate=0.5), reader, validation)
    learn(architecture, make_plan(patience=1), reader.subset(np.arange(7)), validation)
    longer = make_reader(make_sequences([9] * 5))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda seed: learn(architecture, make_plan(seed=seed), longer), range(2)))
    assert traces == []


# How it is carried out -------------------------------------------------------------------


@pytest.fixture(params=["equal lengths", "ragged"])
def noisy(request, make_sequences, make_reader, make_plan):
    """A plan with all kinds of randomness, and data of equal or unequal lengths."""
    lengths = LENGTHS if request.param == "ragged" else [5] * 10
    return make_plan(dropout=0.5, noise=0.1), make_reader(make_sequences(lengths))


def test_one_call_for_many_epochs_equals_one_call_for_each(noisy, architecture):
    plan, reader = noisy
    assert_same_bits(
        learn(architecture, plan, reader, report=Recorder()), learn(architecture, plan, reader)
    )


def test_the_number_of_steps_in_a_call_is_not_seen(noisy, architecture, monkeypatch):
    plan, reader = noisy
    expected = learn(architecture, plan, reader)
    for steps in (1, 7):  # of three minibatches an epoch
        monkeypatch.setattr(training, "STEPS_A_CALL", steps)
        assert_same_bits(learn(architecture, plan, reader), expected)


@pytest.mark.parametrize("chunk_bytes", [1, 400, 2**23])
def test_streamed_data_give_the_same_bits(chunk_bytes, noisy, architecture, monkeypatch):
    plan, reader = noisy
    expected = learn(architecture, plan, reader)
    monkeypatch.setattr(training, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(training, "CHUNK_BYTES", chunk_bytes)
    assert_same_bits(learn(architecture, plan, reader), expected)
    assert_same_bits(learn(architecture, plan, reader, report=Recorder()), expected)


def test_processes_read_in_chunks_if_one_of_them_must(architecture, reader, make_plan, monkeypatch):
    """Else one would take more steps in a call than another, and wait for ever."""
    objective = Autoencoding(architecture, "mse")
    row_bytes = 5 * sum(s.dtype.size * s.shape[-1] for s in objective.tables if s.shape.rank == 3)
    monkeypatch.setattr(training, "RESIDENT_BYTES", 20 * row_bytes)
    for other, is_resident in ((20, True), (21, False)):
        shards = Shards(2, range(2), gather=lambda value, other=other: (
            [value, other] if isinstance(value, int) else [value]
        ))  # fmt: skip
        run = Run(objective, make_plan(), reader, shards)
        assert (run.resident is not None) == is_resident


def test_a_process_may_have_no_sequence_in_a_chunk(architecture, reader, make_plan, monkeypatch):
    monkeypatch.setattr(training, "RESIDENT_BYTES", 0)
    run = Run(Autoencoding(architecture, "mse"), make_plan(), reader)
    tables, places = run._load_part(np.full((3, 1, 2), -1, np.int32))
    assert (places == -1).all()
    assert [len(table) for table in tables] == [1] * len(tables)


@pytest.mark.parametrize("resident_bytes", [0, 2**26])
def test_a_memory_map_gives_the_bits_of_its_array(
    resident_bytes, architecture, make_sequences, make_reader, tmp_path, monkeypatch, make_plan
):
    monkeypatch.setattr(training, "RESIDENT_BYTES", resident_bytes)
    source = np.stack(make_sequences([5] * 10))
    np.save(tmp_path / "x.npy", source)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, two = (
        learn(architecture, make_plan(), make_reader(x, [5] * 10)) for x in (source, mapped)
    )
    assert_same_bits(one, two)


def test_streaming_reads_each_row_once_an_epoch_and_never_all(
    architecture, make_sequences, make_reader, monkeypatch, make_plan
):
    monkeypatch.setattr(training, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(training, "CHUNK_BYTES", 1)

    class Store:
        """What is read of an array."""

        dtype, shape, ndim = np.dtype("f4"), (10, 5, 2), 3

        def __init__(self):
            self.values = np.stack(make_sequences([5] * 10))
            self.sizes = []

        def __len__(self):
            return 10

        def __getitem__(self, rows):
            part = self.values[rows]
            if part.ndim == 3:
                self.sizes.append(len(part))
            return part

    store = Store()
    reader = make_reader(store, [5] * 10)
    store.sizes.clear()
    learn(architecture, make_plan(), reader)
    assert max(store.sizes) <= make_plan().batch_size
    assert sum(store.sizes) == 10 * make_plan().epochs


def test_what_padding_holds_is_not_seen(architecture, make_sequences, make_reader, make_plan):
    sequences = make_sequences(LENGTHS)
    clean = learn(architecture, make_plan(), make_reader(sequences))
    for garbage in (7.0, np.nan):
        padded = np.full((10, 8, 2), garbage, "f4")
        for row, sequence in zip(padded, sequences, strict=True):
            row[: len(sequence)] = sequence
        assert_same_bits(learn(architecture, make_plan(), make_reader(padded, LENGTHS)), clean)


def test_a_subset_learns_like_its_rows(architecture, make_sequences, make_reader, make_plan):
    sequences = make_sequences(LENGTHS)
    rows = np.array([7, 2, 4, 0, 1])
    alone = make_reader([sequences[row] for row in rows])
    subset = make_reader(sequences).subset(rows)
    assert_same_bits(
        learn(architecture, make_plan(), subset), learn(architecture, make_plan(), alone)
    )


@pytest.mark.parametrize("lengths", [[5] * 36, LENGTHS * 3 + [5] * 6], ids=["equal", "ragged"])
def test_xla_and_the_plain_graph_agree(
    lengths, architecture, make_sequences, make_reader, monkeypatch, make_plan
):
    """With sixteen rows in a minibatch the parts of it are computed side by side, too."""
    reader, plan = make_reader(make_sequences(lengths)), make_plan(batch_size=16, epochs=3)
    plain = learn(architecture, plan, reader)
    monkeypatch.setattr(training, "XLA_WORK", 0)
    compiled = learn(architecture, plan, reader)
    assert_allclose(compiled.history["loss"], plain.history["loss"], rtol=1e-4)
    for value, expected in zip(compiled.weights, plain.weights, strict=True):
        assert_allclose(value, expected, rtol=1e-3, atol=1e-4)
    assert_same_bits(learn(architecture, plan, reader), compiled)


def test_training_leaves_the_data_alone(architecture, make_sequences, make_reader, make_plan):
    sequences = make_sequences(LENGTHS)
    learn(architecture, make_plan(noise=0.1, dropout=0.5), make_reader(sequences))
    for sequence, same in zip(sequences, make_sequences(LENGTHS), strict=True):
        assert_array_equal(sequence, same)


# Reports and stopping --------------------------------------------------------------------


def test_each_epoch_is_reported(architecture, reader, validation, make_plan):
    report = Recorder()
    trained = learn(architecture, make_plan(), reader, validation, report=report)
    assert report.epochs == [1, 2, 3, 4]
    assert trained.history.keys() == {"loss", "reconstruct_loss", "val_loss"}
    for name, numbers in trained.history.items():
        assert [losses[name] for losses in report.losses] == numbers
    assert all(losses.keys() == trained.history.keys() for losses in report.losses)
    for weights, copies in zip(report.weights, report.copies, strict=True):
        for weight, copy in zip(weights, copies, strict=True):
            assert_array_equal(weight, copy)


def test_reported_weights_are_those_of_the_epoch(architecture, reader, validation, make_plan):
    report = Recorder()
    trained = learn(architecture, make_plan(), reader, validation, report=report)
    for weights, val_loss in zip(report.weights, trained.history["val_loss"], strict=True):
        coder = Coder(architecture, weights)
        assert coder.mean_losses(validation, "mse")[0] == [val_loss]


@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_true_answer_stops_training(stop_at, architecture, reader, make_plan):
    report = Recorder(stop_at)
    trained = learn(architecture, make_plan(), reader, report=report)
    assert report.epochs == list(range(1, stop_at + 1))
    assert len(trained.history["loss"]) == trained.best_epoch == stop_at
    for weight, last in zip(trained.weights, report.weights[-1], strict=True):
        assert_array_equal(weight, last)


def test_an_error_of_the_report_ends_training(architecture, reader, make_plan):
    def report(epoch, losses, weights):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(architecture, make_plan(), reader, report=report)


def test_without_validation_the_last_epoch_is_the_best(architecture, reader, make_plan):
    trained = learn(architecture, make_plan(learning_rate=5.0), reader)
    assert trained.best_epoch == 4
    assert trained.history.keys() == {"loss", "reconstruct_loss"}


@pytest.mark.parametrize("patience", [None, 1, 2])
def test_the_weights_of_the_best_epoch_are_kept(
    patience, architecture, reader, validation, make_plan
):
    plan = make_plan(patience=patience, epochs=30, learning_rate=0.3, seed=0)
    report = Recorder()
    trained = learn(architecture, plan, reader, validation, report=report)
    val_loss = trained.history["val_loss"]
    assert trained.best_epoch == int(np.argmin(val_loss)) + 1
    assert len(val_loss) == len(trained.history["loss"])
    assert trained.best_epoch < len(val_loss)  # else this test shows nothing
    for weight, best in zip(trained.weights, report.weights[trained.best_epoch - 1], strict=True):
        assert_array_equal(weight, best)
    coder = Coder(architecture, trained.weights)
    assert coder.mean_losses(validation, "mse")[0] == [min(val_loss)]
    if patience is None:
        assert len(val_loss) == 30
    else:
        assert len(val_loss) == trained.best_epoch + patience < 30


@pytest.mark.parametrize("patience", [1, 3])
def test_training_that_does_not_learn_stops_after_patience(
    patience, architecture, reader, validation, make_plan
):
    plan = make_plan(patience=patience, epochs=9, learning_rate=0.0)
    trained = learn(architecture, plan, reader, validation)
    assert trained.best_epoch == 1
    assert len(trained.history["loss"]) == 1 + patience


def test_validation_rows_are_not_learned(architecture, reader, validation, make_plan):
    with_some = learn(architecture, make_plan(), reader, validation)
    without = learn(architecture, make_plan(), reader)
    assert with_some.history["loss"] == without.history["loss"]


# Going on --------------------------------------------------------------------------------


def test_what_is_kept_goes_on_as_if_never_interrupted(noisy, architecture, validation):
    plan, reader = noisy
    plan = dataclasses.replace(plan, patience=2, epochs=6)
    kept = []
    expected = learn(architecture, plan, reader, validation, keep=kept.append)
    assert [one.n_epochs for one in kept] == list(range(1, expected.n_epochs + 1))
    for one in kept:
        again = learn(architecture, plan, reader, validation, start=deepcopy(one))
        assert_same_bits(again, expected)
        for variable, same in zip(again.state.optimizer, expected.state.optimizer, strict=True):
            assert_array_equal(variable, same)


@pytest.mark.parametrize("resident_bytes", [0, 2**26])
def test_pieces_at_a_constant_rate_are_one_training(
    resident_bytes, noisy, architecture, monkeypatch
):
    monkeypatch.setattr(training, "RESIDENT_BYTES", resident_bytes)
    plan, reader = noisy
    plan = dataclasses.replace(plan, scheduled=False)
    whole = learn(architecture, plan, reader)
    pieces, state = [], None
    for n_epochs in (1, 2, 1):
        start = None if state is None else TrainingProgress(state)
        piece = dataclasses.replace(plan, epochs=n_epochs)
        pieces.append(learn(architecture, piece, reader, start=start))
        state = pieces[-1].state
    losses = [loss for piece in pieces for loss in piece.history["loss"]]
    assert losses == whole.history["loss"]
    assert (state.n_epochs, state.n_steps) == (4, 12)
    for value, same in zip(state.weights, whole.weights, strict=True):
        assert_array_equal(value, same)


def test_weights_without_an_optimizer_begin_it_anew(architecture, reader, make_plan):
    first = learn(architecture, make_plan(seed=4), reader)
    start = TrainingProgress(TrainingState(first.weights))
    trained = learn(architecture, make_plan(learning_rate=0.0), reader, start=start)
    assert trained.state.optimizer[0] == 12  # steps
    assert (trained.state.n_epochs, trained.state.n_steps) == (4, 12)
    for value, same in zip(trained.weights, first.weights, strict=True):
        assert_array_equal(value, same)


def test_a_training_that_is_over_does_not_go_on(architecture, reader, validation, make_plan):
    for plan in (make_plan(), make_plan(epochs=9, patience=1, learning_rate=0.0)):
        trained = learn(architecture, plan, reader, validation)
        assert_same_bits(learn(architecture, plan, reader, validation, start=trained), trained)


def test_a_report_is_asked_again_about_the_epoch_that_was_kept(architecture, reader, make_plan):
    kept = []
    expected = learn(
        architecture, make_plan(), reader, report=Recorder(stop_at=2), keep=kept.append
    )
    assert len(kept) == 2  # before the report of the epoch
    report = Recorder(stop_at=2)
    assert_same_bits(
        learn(architecture, make_plan(), reader, report=report, start=kept[1]), expected
    )
    assert report.epochs == [2]
    assert report.losses == [{name: values[-1] for name, values in expected.history.items()}]


def test_what_was_kept_does_not_change(architecture, reader, validation, make_plan):
    kept, copies = [], []

    def keep(trained):
        kept.append(trained)
        copies.append(deepcopy(trained))

    learn(architecture, make_plan(), reader, validation, keep=keep)
    for one, same in zip(kept, copies, strict=True):
        assert_same_bits(one, same)
        for name in ("weights", "optimizer"):
            for value, before in zip(
                getattr(one.state, name), getattr(same.state, name), strict=True
            ):
                assert_array_equal(value, before)


def test_the_start_is_left_alone(architecture, reader, make_plan):
    kept = []
    learn(architecture, make_plan(), reader, keep=kept.append)
    before = deepcopy(kept[0])
    learn(architecture, make_plan(), reader, start=kept[0])
    assert_same_bits(kept[0], before)


# Losses that are not finite --------------------------------------------------------------

TOO_FAST = {"optimizer": "sgd", "clipnorm": None, "learning_rate": 1e30, "batch_size": 16}


@pytest.mark.parametrize("listen", [False, True])
def test_the_epoch_of_a_divergence_is_named(listen, architecture, reader, make_plan):
    report = Recorder()
    with pytest.raises(ValueError, match=r"stopped being finite in epoch \d+ ") as caught:
        learn(
            architecture, make_plan(**TOO_FAST, epochs=6), reader, report=report if listen else None
        )
    message = str(caught.value)
    epoch = int(re.search(r"in epoch (\d+)", message)[1])
    last = re.search(r"last finite loss: ([^)]+)\)", message)[1]
    assert 1 < epoch <= 6
    assert np.isfinite(float(last))
    for advice in ("learning_rate", "clipnorm=1.0", "activation='tanh'", "scaling='feature'"):
        assert advice in message
    if listen:
        assert report.epochs == list(range(1, epoch))
        assert_allclose(float(last), report.losses[-1]["loss"], rtol=1e-5)


def test_extreme_values_end_training_in_the_first_epoch(
    architecture, make_sequences, make_reader, make_plan
):
    sequences = [1e30 * sequence for sequence in make_sequences(LENGTHS)]
    with pytest.raises(ValueError, match=r"epoch 1 \(last finite loss: none\)"):
        learn(architecture, make_plan(), make_reader(sequences))


# Parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [1, 2, 19, 20, 100, 1000])
def test_learning_rates_rise_then_fall(n_steps):
    rates = learning_rates(0.1, n_steps)
    assert rates.shape == (n_steps,)
    assert rates.dtype == np.float32
    assert (rates > 0).all()
    assert rates.max() <= np.float32(0.1)
    peak = int(rates.argmax())
    assert peak <= training.WARM_UP * n_steps
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()


def test_learning_rates_reach_the_peak_and_end_near_zero():
    rates = learning_rates(0.1, 1000)
    assert rates.max() > 0.099
    assert rates[-1] < 1e-5
    assert_allclose(learning_rates(1.0, 50), 10 * learning_rates(0.1, 50), rtol=1e-6)


@pytest.mark.parametrize("n_steps", [1, 2, 100, 1023, 5000])
@pytest.mark.parametrize("size", [1, 7, 1024])
def test_learning_rates_of_parts_are_those_of_the_whole(size, n_steps):
    """To the bit."""
    parts = [
        learning_rates(0.003, n_steps, start, min(start + size, n_steps))
        for start in range(0, n_steps, size)
    ]
    assert_array_equal(np.concatenate(parts), learning_rates(0.003, n_steps))


def test_memory_does_not_grow_with_the_epochs_that_are_planned(
    architecture, reader, validation, make_plan
):
    """Of 10**30 epochs no array of rates could be made."""
    plan = make_plan(epochs=10**30, patience=1, learning_rate=1.0)
    trained = learn(architecture, plan, reader, validation)
    assert 1 < trained.n_epochs < 50
    assert np.isfinite(trained.history["loss"]).all()


@pytest.mark.parametrize("place", ["the weights", "the first epoch", "a later epoch"])
def test_too_little_memory_is_told_with_what_decides_on_it(
    place, architecture, reader, make_plan, monkeypatch
):
    oom = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore lines")
    error = MemoryError("Unable to allocate 9 GiB") if place == "the weights" else oom

    def fail(*_, **__):
        raise error

    def fail_later(*_):
        monkeypatch.setattr(training.Run, "advance", fail)

    if place == "the weights":
        monkeypatch.setattr(training, "initial_weights", fail)
    elif place == "the first epoch":
        monkeypatch.setattr(training.Run, "advance", fail)
    message = (
        r"needs more memory than .* latent_dim, hidden_units or batch_size, .* \((Un|OOM).*\)$"
    )
    with pytest.raises(MemoryError, match=message):
        learn(architecture, make_plan(), reader, report=fail_later)


@pytest.mark.parametrize("cache", [None, "/a/cache"])
def test_a_compile_cache_that_may_be_damaged_is_named(
    cache, architecture, reader, make_plan, monkeypatch
):
    """What XLA tells of a damaged file does not name it."""
    failure = tf.errors.OutOfRangeError(None, None, "Read less bytes than requested\nmore lines")

    def fail(*_):
        raise failure

    monkeypatch.setattr(training.Run, "advance", fail)
    monkeypatch.delenv("SKLEARN_LSTMAE_CACHE", raising=False)
    if cache is None:
        with pytest.raises(tf.errors.OutOfRangeError):
            learn(architecture, make_plan(), reader)
        return
    monkeypatch.setenv("SKLEARN_LSTMAE_CACHE", cache)
    message = r"SKLEARN_LSTMAE_CACHE='/a/cache' is damaged .*remove .* \(Read less .*requested\)$"
    with pytest.raises(RuntimeError, match=message):
        learn(architecture, make_plan(), reader)


def test_compiling_is_for_much_work(make_architecture, monkeypatch):
    small = Autoencoding(make_architecture(), "mse").layers
    work = {"batch_size": 8, "n_frames": 50}
    assert not uses_xla(small, 1, batch_size=1, n_frames=1)
    assert uses_xla(small, 10**6, batch_size=1, n_frames=100)
    batches = 2 ** np.arange(20)
    for n_frames in (5, 50):
        answers = [uses_xla(small, int(n), 8, n_frames) for n in batches]
        assert answers == sorted(answers)  # no, then yes
    first = int(next(n for n in range(1, 10**6) if uses_xla(small, n, **work)))
    assert not uses_xla(small, first - 1, **work)
    assert uses_xla(small, first - 1, batch_size=8, n_frames=51)
    assert uses_xla(small, first - 1, batch_size=8000, n_frames=50)
    for changed in ({"bidirectional": True, "hidden_units": (3, 3)}, {"hidden_units": (300,)}):
        larger = Autoencoding(make_architecture(**changed), "mse").layers
        assert uses_xla(larger, first - 1, **work)
    for cores in (1, 64):  # one seed gives one result on every machine
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", str(cores))
        assert [uses_xla(small, n, **work) for n in (first - 1, first)] == [False, True]


def test_a_head_alone_is_never_compiled(make_architecture):
    head = Classifying(make_architecture().encoder, 0, 3, False, tunes_encoder=False)
    assert not uses_xla(head.layers, n_batches=10**9, batch_size=10**6, n_frames=1)


def test_a_plan_cannot_change(make_plan):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_plan().epochs = 5


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_validation_loss_that_is_not_finite_is_named(loss, architecture, reader, make_plan):
    losses = iter([0.5, loss])
    with pytest.raises(ValueError, match=f"validation loss of epoch 2 is {loss}.*early_stopping"):
        train(
            Autoencoding(architecture, "mse"),
            make_plan(),
            reader,
            TrainingProgress(fresh_state(Autoencoding(architecture, "mse"), 0)),
            measure=lambda _: {"val_loss": next(losses)},
        )


def test_what_is_measured_stands_in_the_history(architecture, reader, make_plan):
    numbers = iter(range(4))
    progress = train(
        Autoencoding(architecture, "mse"),
        make_plan(),
        reader,
        TrainingProgress(fresh_state(Autoencoding(architecture, "mse"), 0)),
        measure=lambda _: {"val_loss": 1.0, "val_accuracy": next(numbers)},
    )
    assert progress.history["val_accuracy"] == [0, 1, 2, 3]
    assert progress.best_epoch == 1


def test_fresh_weights_follow_the_seed(architecture):
    objective = Autoencoding(architecture, "mse")
    one, same, other = (fresh_state(objective, seed) for seed in (3, 3, 4))
    for array, again in zip(one.weights, same.weights, strict=True):
        assert_array_equal(array, again)
    assert not np.array_equal(one.weights[0], other.weights[0])
    assert (one.n_epochs, one.n_steps, one.optimizer) == (0, 0, None)
