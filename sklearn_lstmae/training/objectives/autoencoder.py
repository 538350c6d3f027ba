"""What an autoencoder learns: to output what it read, or what comes next.

Letters: B sequences, K frames, P steps a frame, F features, C components of a summary, J terms of
the loss.
"""

from dataclasses import dataclass

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.in_tensorflow import TensorFlowOperations
from sklearn_lstmae.network.wiring import Dense, network_of, shapes_of
from sklearn_lstmae.sequences.tasks import TASKS

from ..losses import (
    in_decoder_order,
    mix_own,
    previous_frames,
    sample_code,
    summed_divergence,
    summed_errors,
    summed_loss,
)
from ..minibatch import (
    count_observed,
    frame_arrays,
    frame_specs,
    read_in_training,
    take_minibatch,
)

# Numbers of seeds, see `steps.Shard`.
CODE, OWN = 62, 60

# Share of its own outputs in what a conditional decoder reads in training.
OWN_SHARE = 0.25


@dataclass(frozen=True)
class Autoencoding:
    """The losses of the decoders, and further losses of the codes: a `steps.Objective`.

    Its terms are the loss of each decoder, the divergence and, with summaries, the mean squared
    error of those that a linear head makes of the codes. Its tables are the frames that the encoder
    reads, of a decoder whose target follows them the frames of that target, and summaries.

    Attributes
    ----------
    architecture : Architecture
    loss : {"mse", "mae", "huber"}
    n_components : int
        C, 0 without summaries.
    """

    architecture: Architecture
    loss: str
    n_components: int = 0

    @property
    def layers(self):
        """Layers that are trained: those of the network, then the head."""
        head = Dense("summary", self.architecture.code_width, self.n_components)
        return [*network_of(self.architecture).layers, *([head] if self.n_components else [])]

    @property
    def shapes(self):
        """Shapes of the weights that are trained."""
        return shapes_of(self.layers)

    @property
    def tables(self):
        """Specifications of what `load` returns."""
        summaries = [tf.TensorSpec([None, self.n_components])] if self.n_components else []
        return frame_specs(self.architecture) * (1 + len(self._following)) + summaries

    @property
    def constants(self):
        """None."""
        return []

    @property
    def n_terms(self):
        """J: those of the decoders, the divergence and, where there are summaries, theirs."""
        return len(self.architecture.decoders) + 1 + bool(self.n_components)

    def load(self, block):
        """Arrays of a FrameBlock."""
        batches = [block.past, *(block.targets[task] for task in self._following)]
        arrays = [array for batch in batches for array in frame_arrays(block.frames(batch))]
        return [*arrays, block.summaries] if self.n_components else arrays

    def counts(self, tables):
        """Observed values of each decoder's target, of all, and sequences: (J,)."""
        counts = [
            count_observed(self.architecture, *self._target(task, tables)[1:])
            for task in self.architecture.decoders
        ]
        counts.append(tf.add_n(counts))
        if self.n_components:
            counts.append(tf.reduce_sum(tf.cast(tables[2] > 0, tf.float32)))
        return tf.stack(counts)

    def losses(self, weights, tables, shard):
        """Summed losses of a network with these weights: (J,)."""
        encoder = network_of(self.architecture).encoder
        ops, series, mask = read_in_training(self.architecture, weights, tables[:3], shard)
        divergence = 0.0
        if self.architecture.variational:
            pooled = encoder.pool(ops, series, mask)
            mean = ops.dense(encoder.bottleneck, pooled)
            log_variance = ops.dense(encoder.spread, pooled)
            code = sample_code(mean, log_variance, shard.seed(CODE))
            divergence = summed_divergence(mean, log_variance, tables[2] > 0)
        else:
            code = encoder.encode(ops, series, mask)
        losses = [
            self._decoder_loss(task, weights, code, self._target(task, tables), shard)
            for task in self.architecture.decoders
        ]
        if not self.n_components:
            return tf.stack([*losses, divergence])
        *_, kernel, bias = weights
        output = tf.matmul(code, kernel) + bias  # (B, C)
        errors = summed_errors(tables[-1], output, tables[2] > 0)
        return tf.stack([*losses, divergence, errors])

    def names(self, means):
        """Mean losses (epochs, J) as they stand in a history: dict of lists."""
        n_decoders = len(self.architecture.decoders)
        names = [f"{task}_loss" for task in self.architecture.decoders]
        losses = dict(zip(names, means.T[:n_decoders].tolist(), strict=True))
        if self.architecture.variational:
            losses["kl_loss"] = means[:, n_decoders].tolist()
        if self.n_components:
            losses["summary_loss"] = means[:, -1].tolist()
        return losses

    @property
    def _following(self):
        """Tasks whose target has a table of its own."""
        return [task for task in self.architecture.decoders if TASKS[task].follows]

    def _target(self, task, tables):
        return tables[3:6] if TASKS[task].follows else tables[:3]

    def _decoder_loss(self, task, weights, code, target, shard):
        """Summed errors of a decoder."""
        architecture = self.architecture
        target = take_minibatch(architecture, target, shard.xla)
        values, observed = (
            in_decoder_order(architecture, task, series, target.lengths)
            for series in (target.values, target.observed)
        )
        n_frames, previous = tf.shape(values)[1], None
        decoder = network_of(architecture).decoders[task]

        def decode(drop, previous):
            """(K, B, P * F)."""
            operations = TensorFlowOperations(
                architecture, weights, n_frames=target.n_frames, drop=drop
            )
            return decoder.decode(operations, code, n_frames, previous)

        if architecture.conditional:
            true = previous_frames(tf.transpose(values, [1, 0, 2]))
            own = previous_frames(decode(None, true))
            seed = shard.seed(OWN + architecture.decoders.index(task))
            previous = mix_own(true, own, OWN_SHARE, seed)
        output = tf.transpose(decode(shard.drop, previous), [1, 0, 2])
        return summed_loss(self.loss, values, output, observed)
