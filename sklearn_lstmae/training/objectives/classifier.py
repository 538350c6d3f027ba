"""What a classifier learns: the classes of sequences.

Letters: M sequences in memory, B sequences, K frames, P steps a frame, F features, C columns that
the head reads, L of them of the code, G classes, J terms of the loss.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.wiring import Dense, network_of, shapes_of

from ..minibatch import frame_arrays, frame_specs, read_in_training


@dataclass(frozen=True)
class Classifying:
    """The cross-entropy of each class, and the number of errors: a `steps.Objective`.

    Its head is a linear layer with a softmax. Its terms are the cross-entropy of the sequences of
    each class and, last, the number of errors. Its tables are the frames that the encoder reads, or
    codes, then the statistics of a scaling and the classes. Its constants are mean and deviation
    (C,) by which columns are brought to about the same size: without that the optimizer, whose
    steps have one size for all weights, learns large columns too fast and small ones too slowly.

    Attributes
    ----------
    architecture : Architecture
        Without decoders.
    n_statistics : int
        Columns that a scaling appends to a code.
    n_classes : int
        G.
    reads_states : bool
        Whether the head reads the statistics of the states.
    tunes_encoder : bool
        The encoder is trained, too, and sequences are read. Otherwise columns are read, as
        sequences of one frame.
    """

    architecture: Architecture
    n_statistics: int
    n_classes: int
    reads_states: bool
    tunes_encoder: bool

    @property
    def n_columns(self):
        """C: columns of a code, then those of the scaling's statistics and of the states."""
        states = network_of(self.architecture).encoder.states_width if self.reads_states else 0
        return self.architecture.code_width + self.n_statistics + states

    @property
    def layers(self):
        """Layers that are trained."""
        encoder = network_of(self.architecture).layers if self.tunes_encoder else []
        return [*encoder, Dense("head", self.n_columns, self.n_classes)]

    @property
    def shapes(self):
        """Shapes of the weights that are trained."""
        return shapes_of(self.layers)

    @property
    def tables(self):
        """Specifications of what `load` returns."""
        read = [tf.TensorSpec([None, self.n_columns])]
        if self.tunes_encoder:
            read = [*frame_specs(self.architecture), tf.TensorSpec([None, self.n_statistics])]
        return [*read, tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32)]

    @property
    def constants(self):
        """Specifications of mean and deviation."""
        return [tf.TensorSpec([self.n_columns])] * 2

    @property
    def n_terms(self):
        """J: one more than classes."""
        return self.n_classes + 1

    def load(self, block):
        """Arrays of a FrameBlock; without an encoder its frames are codes."""
        if self.tunes_encoder:
            none = np.zeros((len(block.classes), 0))
            statistics = none if block.statistics is None else block.statistics
            read = [*frame_arrays(block.frames(block.past)), statistics.astype(np.float32)]
        else:
            read = [block.past.values[:, 0]]
        present = np.ones(len(block.classes), np.int32)
        return [*read, block.classes.astype(np.int32), present]

    def counts(self, tables):
        """Sequences of a minibatch, the same for each term: (J,)."""
        present = tables[-1]
        return tf.fill([self.n_terms], tf.reduce_sum(tf.cast(present, tf.float32)))

    def losses(self, weights, tables, shard, center, scale):
        """Summed cross-entropy of the sequences of each class and, last, errors: (J,)."""
        *read, classes, present = tables
        *tuned, kernel, bias = weights
        columns = read[-1]  # (B, C), or the statistics (B, C - L)
        if self.tunes_encoder:
            ops, series, mask = read_in_training(self.architecture, tuned, read[:3], shard)
            encoder = network_of(self.architecture).encoder
            code, *states = encoder.encode_parts(ops, series, mask, self.reads_states)
            columns = tf.concat([code, columns, *states], -1)
        scores = tf.matmul((columns - center) / scale, kernel) + bias  # (B, G)
        present = tf.cast(present, tf.float32)
        true = tf.one_hot(classes, self.n_classes) * present[:, tf.newaxis]  # (B, G)
        entropies = -tf.reduce_sum(true * tf.nn.log_softmax(scores), 0)  # (G,)
        is_wrong = tf.not_equal(tf.argmax(scores, -1, tf.int32), classes)
        wrong = tf.reduce_sum(tf.cast(is_wrong, tf.float32) * present, keepdims=True)
        return tf.concat([entropies, wrong], 0)

    def names(self, means):
        """Mean losses (epochs, J) as they stand in a history: dict of lists."""
        return {"accuracy": (1.0 - means[:, -1]).tolist()}
