"""Training: epochs, minibatches, learning rates, early stopping, seeds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from sklearn_lstmae.sequences.frames import FrameReader, round_up

from ._tensorflow import tf
from .architecture import Architecture
from .classifying import Head
from .inference import FittedNetwork
from .plan import TrainingPlan
from .program import Program, get_program
from .steps import Recipe

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


@dataclass
class TrainedNetwork:
    """What training made.

    Attributes
    ----------
    weights : list of float32 arrays
    history : dict of lists, a number an epoch
    best_epoch : int, from 1
    """

    weights: list
    history: dict = field(default_factory=dict)
    best_epoch: int = 0


def train(
    architecture: Architecture,
    plan: TrainingPlan,
    reader: FrameReader,
    validation: FrameReader | None = None,
    report=None,
):
    """Train a network from the start.

    Parameters
    ----------
    architecture : Architecture
    plan : TrainingPlan
    reader, validation : FrameReader
        Rows to learn from, and rows to stop early by.
    report : callable (epoch, losses, weights) -> bool, optional
        Called after each epoch with its number from 1, the dict of its losses and the weights;
        a true answer stops training.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    ValueError
        When the loss or the weights stop being finite.
    """
    program = get_program(architecture)
    weights = program.initial_weights(np.random.default_rng([plan.seed, 0]))
    measure = None if validation is None else partial(_measure, architecture, plan, validation)
    return follow(Run(program, plan, reader, weights), plan, measure, report)


def _measure(architecture, plan, validation, weights):
    network = FittedNetwork(architecture, weights)
    each, _ = network.mean_losses(validation, architecture.decoders, plan.loss)
    return {"val_loss": float(np.dot(plan.shares, each))}


def follow(run, plan: TrainingPlan, measure=None, report=None):
    """Carry a training out, epoch by epoch, and keep the best weights.

    Parameters
    ----------
    run : Run
    plan : TrainingPlan
    measure : callable (weights) -> dict, optional
        "val_loss", which decides on the best weights, and what else should be in the history.
    report : callable (epoch, losses, weights) -> bool, optional
        As `train` takes it.

    Returns
    -------
    TrainedNetwork
    """
    listening = report is not None or measure is not None
    per_call = 1 if listening else max(1, STEPS_A_CALL // run.n_batches)
    best = TrainedNetwork(run.weights)
    history: dict[str, list[float]] = {"loss": []}
    lowest = np.inf
    for first in range(0, plan.epochs, per_call):
        losses = run.epochs(first, min(first + per_call, plan.epochs))
        _check_finite(losses["loss"], history["loss"], run.weights)
        if measure is not None:
            losses |= {name: [value] for name, value in measure(run.weights).items()}
            if not np.isfinite(losses["val_loss"][0]):
                raise ValueError(
                    f"The validation loss of epoch {len(history['loss']) + 1} is "
                    f"{losses['val_loss'][0]}: the sequences set aside for early_stopping have "
                    "extreme values or nothing observed to decode. Look at X, or set "
                    "early_stopping=False."
                )
        for name, values in losses.items():
            history.setdefault(name, []).extend(values)
        epoch = len(history["loss"])
        measured = {name: values[-1] for name, values in losses.items()}
        if measure is None or measured["val_loss"] < lowest:
            lowest = measured.get("val_loss", lowest)
            best = TrainedNetwork(run.weights, history, epoch)
        stop = report is not None and report(epoch, measured, run.weights)
        if stop or (plan.patience is not None and epoch - best.best_epoch >= plan.patience):
            break
    return best


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
    """State of one training: the weights, the optimizer's state, and where the data come from.

    Parameters
    ----------
    program : Program
    plan : TrainingPlan
    reader : FrameReader
    weights : list of float32 arrays
        To start from.
    head : Head or None
        Of a classifier, with its ``constants``; then ``reader`` knows classes.
    constants : sequence of float32 arrays
    """

    def __init__(
        self,
        program: Program,
        plan: TrainingPlan,
        reader: FrameReader,
        weights,
        head: Head | None = None,
        constants=(),
    ):
        self.plan, self.reader = plan, reader
        self.weights, self.constants = weights, constants
        longest = int(reader.n_frames.max())
        equal = (reader.n_frames == longest).all()
        self.width = longest if equal else int(round_up(longest))
        # A power of two, so that folds of slightly different size share one compiled step.
        self.batch_size = min(plan.batch_size, 2 ** int(np.ceil(np.log2(len(reader)))))
        self.n_batches = -(-len(reader) // self.batch_size)
        self.shares = np.array([*plan.shares, plan.kl_weight], np.float32)
        self.rates = learning_rates(plan.learning_rate, plan.epochs * self.n_batches)
        has_lstm = head is None or head.tunes_encoder
        xla = has_lstm and uses_xla(program.architecture, len(self.rates), self.width)
        shards = 2 if xla and self.batch_size % 2 == 0 and self.batch_size >= 16 else 1
        self.steps = program.training_steps(
            Recipe(plan.loss, plan.dropout, plan.noise, plan.optimizer, plan.clipnorm, shards, xla),
            head,
        )
        self.state = self.steps.initial_state()
        row_bytes = 4 * self.width * reader.patch_size * reader.sequences.n_features
        self.part = max(1, CHUNK_BYTES // row_bytes)
        self.resident = None
        if row_bytes * len(reader) <= RESIDENT_BYTES:
            self.resident = self._load(np.arange(len(reader)))
        self.chunk_batches = max(1, self.part // self.batch_size)

    def epochs(self, first, last):
        """Train for epochs ``first`` to ``last - 1``: dict of their losses."""
        order = np.concatenate(
            [
                draw_order(self.reader.n_frames, self.batch_size, self.plan.seed, epoch)
                for epoch in range(first, last)
            ]
        )
        start = first * self.n_batches
        sums = []
        for tables, rows in self._chunks(order):
            rates = self.rates[start : start + len(rows)]
            rows = rows.reshape(len(rows), self.steps.recipe.shards, -1)
            self.weights, self.state, *both = self.steps(
                self.weights,
                self.state,
                tables,
                rows,
                rates,
                self.shares,
                self.plan.seed,
                start,
                self.constants,
            )
            start += len(rows)
            sums.append(np.stack(both))  # (2, S, J), J terms of the loss
        shape = (2, last - first, self.n_batches, len(self.shares))
        errors, counts = np.concatenate(sums, axis=1).astype(np.float64).reshape(shape).sum(axis=2)
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
        statistics = np.zeros((len(block.classes), 0), np.float32)
        statistics = statistics if block.statistics is None else block.statistics
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
