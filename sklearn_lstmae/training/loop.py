"""Training: epochs, minibatches, learning rates, early stopping, seeds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as copy_with
from functools import partial

import numpy as np

from sklearn_lstmae.inference.blocks import FittedNetwork
from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.sequences.frames import FrameReader, round_up
from sklearn_lstmae.training.classifying import Head
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.training.program import Program, get_program
from sklearn_lstmae.training.state import TrainedNetwork, TrainingState
from sklearn_lstmae.training.steps import Recipe

WARM_UP = 0.05  # share of the steps in which the learning rate grows

# Frames of all sequences are kept in memory up to this size, else read chunk by chunk.
RESIDENT_BYTES = 2**26
CHUNK_BYTES = 2**23

# Where nobody listens, several epochs are one call, of about so many minibatches.
STEPS_A_CALL = 1024

# Minibatches among which sequences of unequal length are sorted.
SORTED_BATCHES = 8

# From this work on, in minibatches times LSTM steps, compiling with XLA (2 to 3 s) pays off:
# measured on two cores, a step then takes 20 to 30 µs less.
XLA_WORK = 40_000


def train(
    architecture: Architecture,
    plan: TrainingPlan,
    reader: FrameReader,
    validation: FrameReader | None = None,
    report=None,
    *,
    start: TrainedNetwork | None = None,
    keep=None,
):
    """Train a network.

    Parameters
    ----------
    architecture : Architecture
    plan : TrainingPlan
    reader, validation : FrameReader
        Rows to learn from, and rows to stop early by.
    report : callable (epoch, losses, weights) -> bool, optional
        Called after each epoch with its number from 1, the dict of its losses and the weights;
        a true answer stops training. A training that goes on from one of its own epochs begins by
        reporting that.
    start : TrainedNetwork, optional
        What to go on from: a state without history to begin the plan with, or what ``keep`` got,
        which ends with the bits of a training that was never interrupted. None: fresh weights.
    keep : callable (TrainedNetwork) -> object, optional
        Called after each epoch, before it is reported.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    ValueError
        When the loss or the weights stop being finite.
    """
    run = Run(get_program(architecture), plan, reader)
    trained = TrainedNetwork(run.initial_state()) if start is None else start
    measure = None if validation is None else partial(_measure, architecture, plan, validation)
    return follow(run, trained, measure, report, keep)


def _measure(architecture, plan, validation, weights):
    network = FittedNetwork(architecture, weights)
    each, _ = network.mean_losses(validation, architecture.decoders, plan.loss)
    return {"val_loss": float(np.dot(plan.shares, each))}


def follow(run, trained: TrainedNetwork, measure=None, report=None, keep=None):
    """Carry out the epochs that are still to do.

    Parameters
    ----------
    run : Run
    trained : TrainedNetwork
        What to go on from.
    measure : callable (weights) -> dict, optional
        "val_loss", which decides on the best weights, and what else a history should have of the
        rows to stop early by.
    report, keep : callable, optional
        As `train` takes them.

    Returns
    -------
    TrainedNetwork
    """
    plan = run.plan
    listening = not (report is None and measure is None and keep is None)
    per_call = 1 if listening else max(1, STEPS_A_CALL // run.n_batches)
    while not (_asks_to_stop(report, trained) or _is_over(plan, trained)):
        n_epochs = min(per_call, plan.epochs - trained.n_epochs)
        state, losses = run.advance(trained.state, trained.n_epochs, n_epochs)
        _check_finite(losses["loss"], trained.history["loss"], state.weights)
        if measure is not None:
            measured = measure(state.weights)
            _check_validation(measured["val_loss"], trained.n_epochs + 1)
            losses |= {name: [value] for name, value in measured.items()}
        trained = _append(trained, state, losses)
        if keep is not None:
            keep(trained)
    return trained


def _asks_to_stop(report, trained):
    if report is None or not trained.n_epochs:
        return False
    losses = {name: values[-1] for name, values in trained.history.items()}
    return report(trained.n_epochs, losses, trained.state.weights)


def _is_over(plan, trained):
    since_best = trained.n_epochs - trained.best_epoch
    is_patient = plan.patience is None or since_best < plan.patience
    return trained.n_epochs >= plan.epochs or not is_patient


def _check_validation(loss, epoch):
    if not np.isfinite(loss):
        raise ValueError(
            f"The validation loss of epoch {epoch} is {loss}: the sequences set aside for "
            "early_stopping have extreme values or nothing observed to decode. Look at X, or set "
            "early_stopping=False."
        )


def _append(trained, state, losses):
    """What training made so far, with one more epoch or, without validation, several."""
    history = {name: [*trained.history.get(name, []), *values] for name, values in losses.items()}
    val_losses = history.get("val_loss", [])
    if val_losses[:-1] and not val_losses[-1] < val_losses[trained.best_epoch - 1]:
        return copy_with(trained, state=state, history=history)
    return TrainedNetwork(state, state.weights, len(history["loss"]), history)


def uses_xla(architecture: Architecture, n_batches, n_frames):
    """Whether compiling a training of so many minibatches pays off.

    The answer depends on the job alone, neither on the machine nor on what is compiled already,
    so that one seed gives one result.
    """
    state = architecture.bottleneck != "dense"
    ways = 2 if architecture.bidirectional else 1
    encoder = ways * len(architecture.hidden_units) + state
    decoders = len(architecture.decoders) * (len(architecture.hidden_units) + state)
    return n_batches * n_frames * 2 * (encoder + decoders) > XLA_WORK


def learning_rates(peak, n_steps):
    """Learning rate of each step: a linear warm-up to the peak, then half a cosine down to zero.

    (Loshchilov and Hutter 2017, "SGDR", section 3, without restarts.)
    """
    step = np.arange(n_steps)
    rise = np.minimum(1.0, (step + 1) / max(1.0, WARM_UP * n_steps))
    return (peak * rise * 0.5 * (1.0 + np.cos(np.pi * step / n_steps))).astype(np.float32)


def draw_order(n_frames, batch_size, seed, epoch):
    """Rows of each minibatch of an epoch: (S, B) int32, -1 for none.

    Where sequences differ in length, (N,) ``n_frames``, those of similar length share a minibatch,
    so that the short ones do not pay for the long: rows are shuffled, then sorted by length
    within groups of `SORTED_BATCHES` minibatches, and the minibatches are shuffled.
    """
    generator = np.random.default_rng([seed, 1, epoch])
    rows = generator.permutation(len(n_frames))
    n_batches = -(-len(rows) // batch_size)
    order = np.full(n_batches * batch_size, -1, np.int32)
    order[: len(rows)] = rows
    if (n_frames == n_frames[0]).all():
        return order.reshape(n_batches, batch_size)
    for start in range(0, len(rows), SORTED_BATCHES * batch_size):
        group = rows[start : start + SORTED_BATCHES * batch_size]
        order[start : start + len(group)] = group[np.argsort(n_frames[group], kind="stable")]
    return generator.permutation(order.reshape(n_batches, batch_size))


class Run:
    """What stays the same during one training: the compiled step, the data, the learning rates.

    Parameters
    ----------
    program : Program
    plan : TrainingPlan
    reader : FrameReader
    head : Head, optional
        Of a classifier; ``reader`` knows the classes then.
    constants : sequence of float32 arrays
        That `classifying.Classifying` works with.
    """

    def __init__(
        self,
        program: Program,
        plan: TrainingPlan,
        reader: FrameReader,
        head: Head | None = None,
        constants=(),
    ):
        self.program, self.plan, self.reader, self.constants = program, plan, reader, constants
        longest = int(reader.n_frames.max())
        equal = (reader.n_frames == longest).all()
        self.width = longest if equal else int(round_up(longest))
        # A power of two, so that folds of slightly different size share one compiled step.
        self.batch_size = min(plan.batch_size, 2 ** int(np.ceil(np.log2(len(reader)))))
        self.n_batches = -(-len(reader) // self.batch_size)
        self.shares = np.array([*plan.shares, plan.kl_weight], np.float32)
        n_steps = plan.epochs * self.n_batches
        self.rates = np.full(n_steps, plan.learning_rate, np.float32)
        if plan.scheduled:
            self.rates = learning_rates(plan.learning_rate, n_steps)
        has_lstm = head is None or head.tunes_encoder
        xla = has_lstm and uses_xla(program.architecture, n_steps, self.width)
        shards = 2 if xla and self.batch_size % 2 == 0 and self.batch_size >= 16 else 1
        self.steps = program.training_steps(
            Recipe(plan.loss, plan.dropout, plan.noise, plan.optimizer, plan.clipnorm, shards, xla),
            head,
        )
        row_bytes = 4 * self.width * reader.patch_size * reader.sequences.n_features
        self.part = max(1, CHUNK_BYTES // row_bytes)
        self.resident = None
        if row_bytes * len(reader) <= RESIDENT_BYTES:
            self.resident = self._load(np.arange(len(reader)))
        self.chunk_batches = max(1, self.part // self.batch_size)

    def initial_state(self):
        """Fresh weights and nothing behind them."""
        return TrainingState(
            self.program.initial_weights(np.random.default_rng([self.plan.seed, 0]))
        )

    def advance(self, state, n_done, n_epochs):
        """Train for some epochs of a plan of which so many are done: new state, their losses."""
        order = np.concatenate(
            [
                draw_order(self.reader.n_frames, self.batch_size, self.plan.seed, epoch)
                for epoch in range(state.n_epochs, state.n_epochs + n_epochs)
            ]
        )
        weights, optimizer = state.weights, state.optimizer or self.steps.initial_state()
        rates = self.rates[n_done * self.n_batches :]
        start = 0
        sums = []
        for tables, rows in self._chunks(order):
            stop = start + len(rows)
            rows = rows.reshape(len(rows), self.steps.recipe.shards, -1)
            weights, optimizer, *both = self.steps(
                weights, optimizer, tables, rows, rates[start:stop], self.shares, self.plan.seed,
                state.n_steps + start, self.constants,
            )  # fmt: skip
            start = stop
            sums.append(np.stack(both))  # (2, S, J), J terms of the loss
        losses = self._mean_losses(np.concatenate(sums, axis=1), n_epochs)
        n_epochs, n_steps = state.n_epochs + n_epochs, state.n_steps + start
        return TrainingState(weights, optimizer, n_epochs, n_steps), losses

    def _mean_losses(self, sums, n_epochs):
        """Errors and counts of minibatches (2, S, J) -> the losses of each epoch."""
        shape = (2, n_epochs, self.n_batches, len(self.shares))
        errors, counts = sums.astype(np.float64).reshape(shape).sum(axis=2)
        each = errors / np.maximum(counts, 1)  # (epochs, J)
        loss = (each * self.shares.astype(np.float64)).sum(axis=1)
        return {"loss": loss.tolist(), **self.steps.objective.name(each)}

    def _chunks(self, order):
        """The data for minibatches: tables of M sequences, and which of the M each one has."""
        if self.resident is not None:
            yield self.resident, order
            return
        parts = [
            order[start : start + self.chunk_batches]
            for start in range(0, len(order), self.chunk_batches)
        ]
        with ThreadPoolExecutor(1) as reading:
            coming = reading.submit(self._load_part, parts[0])
            for part in parts[1:]:
                chunk, coming = coming.result(), reading.submit(self._load_part, part)
                yield chunk
            yield coming.result()

    def _load_part(self, order):
        """The rows of some minibatches, and where they are among them."""
        rows, places = np.unique(order, return_inverse=True)
        absent = int(rows[0] == -1)
        places = (places - absent).reshape(order.shape).astype(np.int32)
        return self._load(rows[absent:]), places

    def _load(self, rows):
        """Tables of rows, as tensors."""
        blocks = [
            _tables(self.reader.read(part, self.width))
            for part in np.split(rows, range(self.part, len(rows), self.part))
        ]
        return [
            tuple(tf.concat(parts, 0) for parts in zip(*table, strict=True))
            for table in zip(*blocks, strict=True)
        ]


def _tables(block):
    """(frames (M, K, P * F), lengths (M,)) of each target, and (statistics, classes)."""
    tables = [
        (block.frames(name), batch.lengths.astype(np.int32))
        for name, batch in block.targets.items()
    ]
    if block.classes is not None:
        none = np.zeros((len(block.classes), 0), np.float32)
        statistics = none if block.statistics is None else block.statistics
        tables.append((statistics, block.classes.astype(np.int32)))
    return tables


def _check_finite(losses, earlier, weights):
    finite = np.isfinite(losses)
    if finite.all() and all(np.isfinite(weight).all() for weight in weights):
        return
    epoch = len(earlier) + (int(finite.argmin()) if not finite.all() else len(losses) - 1) + 1
    known = [*earlier, *losses][: epoch - 1]
    last = f"{known[-1]:.6g}" if known else "none"
    raise ValueError(
        f"Training stopped being finite in epoch {epoch} "
        f"(last finite loss: {last}). "
        "Try a smaller learning_rate, clipnorm=1.0, activation='tanh' or scaling='feature', and "
        "look for extreme values in X."
    )
