"""Training: epochs, learning rates, early stopping, what is read when."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as copy_with

import numpy as np

from sklearn_lstmae.network._compile_cache import VARIABLE
from sklearn_lstmae.network._tensorflow import reason_of, tf
from sklearn_lstmae.network.in_tensorflow import initial_weights
from sklearn_lstmae.network.wiring import Lstm
from sklearn_lstmae.sequences.frames import FrameReader, round_up

from .compiled import on_device, training_steps
from .order import draw_order, draw_share, whole_groups
from .plan import TrainingPlan
from .shards import ONE_SHARD
from .state import TrainingProgress, TrainingState
from .steps import Objective, Recipe

WARM_UP = 0.05  # share of the steps in which the learning rate grows

# Frames of all sequences are kept in memory up to this size, else read chunk by chunk.
RESIDENT_BYTES = 2**26
CHUNK_BYTES = 2**23

# What is read in chunks is shuffled on two levels, so that each row is read once an epoch, in
# slices: first blocks of consecutive rows, then the rows within a buffer of several blocks. The
# sizes do not depend on how a store is made, so that one seed gives one result.
BLOCK_BYTES = 2**20
BUFFER_BYTES = 2**23  # as a chunk, which is read at a time

# Without callbacks several epochs are one call, of about this many minibatches.
STEPS_A_CALL = 1024

# From this work on, in frames of all LSTM layers and minibatches, compiling with XLA pays off. On
# two cores it takes 0.8 s for two layers, and a frame, there and back, then takes 40 µs less in
# small minibatches of small layers and, growing with both, twice that at this many hidden values.
XLA_WORK = 20_000
XLA_VALUES = 3_000


def train(
    objective: Objective,
    plan: TrainingPlan,
    reader: FrameReader,
    start: TrainingProgress,
    *,
    shards=ONE_SHARD,
    constants=(),
    measure=None,
    report=None,
    keep=None,
):
    """Carry out the epochs that are still to do.

    Parameters
    ----------
    objective : Objective
    plan : TrainingPlan
    reader : FrameReader
        Rows to learn from.
    start : TrainingProgress
        What to go on from: a state without history to begin the plan with, or what ``keep``
        received, which ends with the bits of a training that was never interrupted.
    shards : Shards
        Whose rows are those of the reader.
    constants : sequence of float32 arrays
        As the objective specifies them.
    measure : callable (weights) -> dict, optional
        Called after each epoch. It returns "val_loss", which decides on the best weights, and what
        else a history should have of the rows that are held out.
    report : callable (epoch, losses, weights) -> bool, optional
        Called after each epoch with its number from 1, the dict of its losses and the weights;
        a true answer stops training. A training that goes on from one of its own epochs begins by
        reporting that.
    keep : callable (TrainingProgress) -> object, optional
        Called after each epoch, before it is reported.

    Returns
    -------
    TrainingProgress

    Raises
    ------
    ValueError
        When the loss or the weights stop being finite.
    MemoryError
        When the network and its minibatches do not fit into memory.
    """
    with _clear_errors():
        run, progress = Run(objective, plan, reader, shards, constants), start
    calls_back = not (report is None and measure is None and keep is None)
    per_call = 1 if calls_back else max(1, STEPS_A_CALL // run.n_batches)
    while not (_asks_to_stop(report, progress) or _is_over(plan, progress)):
        n_epochs = min(per_call, plan.epochs - progress.n_epochs)
        with _clear_errors():
            state, losses = run.advance(progress.state, progress.n_epochs, n_epochs)
        _check_finite(losses["loss"], progress.history["loss"], state.weights)
        if measure is not None:
            measured = measure(state.weights)
            _check_validation(measured["val_loss"], progress.n_epochs + 1)
            losses |= {name: [value] for name, value in measured.items()}
        progress = _append(progress, state, losses)
        if keep is not None:
            keep(progress)
    return progress


@on_device
def fresh_state(objective: Objective, seed):
    """Initial weights, and no epochs."""
    generator = np.random.default_rng([seed, 0])
    with _clear_errors():
        return TrainingState(initial_weights(objective.layers, generator))


@contextlib.contextmanager
def _clear_errors():
    """Name what decides how much memory is needed, and a cache that may be damaged."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise MemoryError(
            "Training needs more memory than there is. Choose a smaller latent_dim, hidden_units "
            "or batch_size, or a longer patch_size for long sequences. "
            f"({reason_of(error)})"
        ) from error
    except tf.errors.OpError as error:
        if not os.environ.get(VARIABLE):
            raise
        raise RuntimeError(
            f"TensorFlow failed, perhaps since a file in {VARIABLE}={os.environ[VARIABLE]!r} is "
            "damaged or cannot be written: remove that folder, or unset the variable. "
            f"({reason_of(error)})"
        ) from error


def _asks_to_stop(report, progress):
    if report is None or not progress.n_epochs:
        return False
    losses = {name: values[-1] for name, values in progress.history.items()}
    return report(progress.n_epochs, losses, progress.state.weights)


def _is_over(plan, progress):
    since_best = progress.n_epochs - progress.best_epoch
    is_patient = plan.patience is None or since_best < plan.patience
    return progress.n_epochs >= plan.epochs or not is_patient


def _check_validation(loss, epoch):
    if not np.isfinite(loss):
        raise ValueError(
            f"The validation loss of epoch {epoch} is {loss}: the sequences set aside for "
            "early_stopping have extreme values or nothing observed to decode. Look at X, or set "
            "early_stopping=False."
        )


def _append(progress, state, losses):
    """The progress with one more epoch or, without validation, several."""
    history = {name: [*progress.history.get(name, []), *values] for name, values in losses.items()}
    val_losses = history.get("val_loss", [])
    if val_losses[:-1] and not val_losses[-1] < val_losses[progress.best_epoch - 1]:
        return copy_with(progress, state=state, history=history)
    return TrainingProgress(state, state.weights, len(history["loss"]), history)


def uses_xla(layers, n_batches, batch_size, n_frames):
    """Whether compiling with XLA pays off for this many minibatches of ``n_frames`` frames.

    The answer depends on the job alone, neither on the machine nor on what is compiled already,
    so that one seed gives one result.
    """
    recurrent = [layer for layer in layers if isinstance(layer, Lstm)]
    gains = [1 + batch_size * layer.units / XLA_VALUES for layer in recurrent]
    return n_batches * n_frames * sum(gains) > XLA_WORK


def learning_rates(peak, n_steps, start=0, stop=None):
    """Learning rates of steps ``start`` to ``stop`` of ``n_steps``: (stop - start,) float32.

    A linear warm-up to the peak, then half a cosine down to zero (Loshchilov and Hutter 2017,
    "SGDR", section 3, without restarts).
    """
    step, n_steps = np.arange(start, n_steps if stop is None else stop), float(n_steps)
    rise = np.minimum(1.0, (step + 1) / max(1.0, WARM_UP * n_steps))
    return (peak * rise * 0.5 * (1.0 + np.cos(np.pi * step / n_steps))).astype(np.float32)


class Run:
    """What stays the same during one training: the compiled step and the data.

    Parameters
    ----------
    objective : Objective
    plan : TrainingPlan
    reader : FrameReader
    shards : Shards
    constants : sequence of float32 arrays
    """

    @on_device
    def __init__(
        self,
        objective: Objective,
        plan: TrainingPlan,
        reader: FrameReader,
        shards=ONE_SHARD,
        constants=(),
    ):
        self.objective, self.plan, self.reader = objective, plan, reader
        self.shards, self.constants = shards, constants
        counts, shortest, longest = _sizes(reader, shards)
        self.width = longest if shortest == longest else int(round_up(longest))
        # A power of two, so that folds of slightly different size share one compiled step.
        self.batch_size = min(plan.batch_size, 2 ** int(np.ceil(np.log2(sum(counts)))))
        self.n_batches = -(-sum(counts) // self.batch_size)
        self.share = -(-max(counts) // self.n_batches)  # rows of a shard in a minibatch
        n_batches = plan.epochs * self.n_batches
        xla = uses_xla(objective.layers, n_batches, self.batch_size, self.width)
        if shards.total > 1:
            recipe = Recipe.of(plan, shards.total, xla, shards.here, shards.reduce)
        else:
            halves = xla and self.batch_size % 2 == 0 and self.batch_size >= 16
            recipe = Recipe.of(plan, 2 if halves else 1, xla)
        self.steps = training_steps(objective, recipe)
        frames = [spec for spec in objective.tables if spec.shape.rank == 3]
        frame_bytes = sum(spec.dtype.size * spec.shape[-1] for spec in frames)
        row_bytes = max(1, self.width * frame_bytes)
        self.block = max(1, BLOCK_BYTES // row_bytes)
        self.chunk_batches = whole_groups(CHUNK_BYTES // row_bytes // self.batch_size)
        self.buffer_batches = whole_groups(BUFFER_BYTES // row_bytes // self.batch_size)
        self.resident = None
        # All processes, however many rows they have, take the same steps in a call: it sums up.
        if row_bytes * max(shards.gather(len(reader))) <= RESIDENT_BYTES:
            self.resident = self._load(np.arange(len(reader)))

    @on_device
    def advance(self, state, n_done, n_epochs):
        """Train for ``n_epochs`` after the ``n_done`` of this plan: new state, their losses."""
        epochs = range(state.n_epochs, state.n_epochs + n_epochs)
        order = np.concatenate([self._draw_order(epoch) for epoch in epochs])
        weights, optimizer = state.weights, state.optimizer or self.steps.initial_state()
        rates = self._rates(n_done * self.n_batches, len(order))
        start = 0
        sums = []
        for tables, rows in self._chunks(order):
            stop = start + len(rows)
            weights, optimizer, *both = self.steps(
                self.plan, weights, optimizer, tables, rows, rates[start:stop],
                state.n_steps + start, self.constants,
            )  # fmt: skip
            start = stop
            sums.append(np.stack(both))  # (2, S, J), J terms of the loss
        losses = self._mean_losses(np.concatenate(sums, axis=1), n_epochs)
        state = copy_with(
            state,
            weights=weights,
            optimizer=optimizer,
            n_epochs=state.n_epochs + n_epochs,
            n_steps=state.n_steps + start,
        )
        return state, losses

    def _draw_order(self, epoch):
        """Rows of each minibatch of an epoch: (S, shards of this process, B / shards) int32."""
        n_frames, seed = self.reader.n_frames, self.plan.seed
        if self.shards.total == 1:
            levels = () if self.resident is not None else (self.block, self.buffer_batches)
            order = draw_order(n_frames, self.batch_size, seed, epoch, *levels)
            return order.reshape(len(order), len(self.steps.recipe.here), -1)
        numbered = zip(self.shards.here, self.shards.rows(self.reader), strict=True)
        shares = [
            draw_share(rows, n_frames, (self.n_batches, self.share), seed, epoch, shard)
            for shard, rows in numbered
        ]
        return np.stack(shares, axis=1)

    def _rates(self, start, n_steps):
        """Learning rates of some steps of this plan: float32 (n_steps,)."""
        peak = self.plan.learning_rate
        if not self.plan.scheduled:
            return np.full(n_steps, peak, np.float32)
        return learning_rates(peak, self.plan.epochs * self.n_batches, start, start + n_steps)

    def _mean_losses(self, sums, n_epochs):
        """Errors and counts of minibatches (2, S, J) -> the losses of each epoch."""
        term_weights = np.array(self.plan.term_weights, np.float32).astype(np.float64)
        shape = (2, n_epochs, self.n_batches, len(term_weights))
        errors, counts = sums.astype(np.float64).reshape(shape).sum(axis=2)
        each = errors / np.maximum(counts, 1)  # (epochs, J)
        loss = (each * term_weights).sum(axis=1)
        return {"loss": loss.tolist(), **self.objective.names(each)}

    def _chunks(self, order):
        """The data for minibatches: tables of M sequences, and which of the M each one has."""
        if self.resident is not None:
            yield self.resident, order
            return
        parts = [
            part
            for epoch in np.split(order, range(self.n_batches, len(order), self.n_batches))
            for part in np.split(epoch, range(self.chunk_batches, len(epoch), self.chunk_batches))
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
        rows = rows[absent:]
        return self._load(rows if rows.size else np.zeros(1, int)), places  # a rank may have none

    @on_device  # in a thread of its own, too
    def _load(self, rows):
        """Tables of increasing rows, as tensors."""
        blocks = [
            self.objective.load(self.reader.read(part, self.width))
            for stretch in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
            for part in np.split(stretch, range(self.block, len(stretch), self.block))
        ]
        return [tf.concat(parts, 0) for parts in zip(*blocks, strict=True)]


def _sizes(reader, shards):
    """Rows of each shard, and the fewest and the most frames of a row in all of them."""
    n_frames = [part.n_frames for part in shards.parts(reader)]
    facts = shards.everywhere([(len(n), int(n.min()), int(n.max())) for n in n_frames])
    counts, shortest, longest = zip(*facts, strict=True)
    return counts, min(shortest), max(longest)


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
