"""What a classifier learns in a training step: to tell the classes of sequences.

Letters: M sequences in memory, B sequences of a minibatch, K frames, P steps a frame, F features,
C columns that the head reads, G classes.
"""

from dataclasses import dataclass

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.network import Network
from sklearn_lstmae.training.autoencoder import read_in_training
from sklearn_lstmae.training.steps import Recipe


@dataclass(frozen=True)
class Head:
    """A linear layer with a softmax.

    Attributes
    ----------
    n_columns : int
        C: those of a code, then those of the statistics of a scaling.
    n_classes : int
        G.
    tunes_encoder : bool
        The encoder learns, too, and sequences are read. Otherwise codes are, as sequences of one
        frame.
    """

    n_columns: int
    n_classes: int
    tunes_encoder: bool

    @property
    def shapes(self):
        """Of kernel and bias."""
        return [(self.n_columns, self.n_classes), (self.n_classes,)]


class Classifying:
    """The cross-entropy of each class, and how many sequences are given a wrong one.

    Parameters
    ----------
    architecture : Architecture
        Without decoders.
    network : Network
    recipe : Recipe
    using : callable (list of tensors) -> context
        In which the encoder has these weights.
    head : Head

    Attributes
    ----------
    shapes : list of tuple of int
        Of the weights that are trained: those of the encoder, if it learns, kernel and bias.
    tables : list of pairs of TensorSpec
        Frames (M, K, P * F) or codes (M, 1, C) and lengths (M,) in steps; statistics (M, C - L),
        none of them beside codes, and classes (M,).
    n_terms : int
        G + 1: a cross-entropy for each class and, last, the number of errors.
    constants : list of TensorSpec
        Mean and deviation (C,) by which columns are brought to about the same size: without that
        the optimizer, whose steps have one size for all weights, learns large columns too fast and
        small ones too slowly.
    """

    def __init__(
        self, architecture: Architecture, network: Network, recipe: Recipe, using, head: Head
    ):
        self._architecture, self._encoder, self._recipe = architecture, network.encoder, recipe
        self._using, self._head = using, head
        encoder = [tuple(variable.shape) for variable in network.variables]
        self.shapes = [*(encoder if head.tunes_encoder else []), *head.shapes]
        width = architecture.frame_width if head.tunes_encoder else head.n_columns
        n_statistics = head.n_columns - architecture.code_width if head.tunes_encoder else 0
        integers = tf.TensorSpec([None], tf.int32)
        self.tables = [
            (tf.TensorSpec([None, None, width]), integers),
            (tf.TensorSpec([None, n_statistics]), integers),
        ]
        self.n_terms = head.n_classes + 1
        self.constants = [tf.TensorSpec([head.n_columns])] * 2

    def counts(self, tables):
        """Sequences of a minibatch, the same for each term: (G + 1,)."""
        _, lengths = tables[0]
        return tf.fill([self.n_terms], tf.reduce_sum(tf.cast(lengths > 0, tf.float32)))

    def losses(self, weights, tables, key, center, scale):
        """Summed cross-entropy of the sequences of each class and, last, errors: (G + 1,)."""
        (frames, lengths), (statistics, classes) = tables
        *encoder, kernel, bias = weights
        codes = self._encode(encoder, frames, lengths, key) if encoder else frames[:, 0]
        columns = tf.concat([codes, statistics], -1)  # (B, C)
        scores = tf.matmul((columns - center) / scale, kernel) + bias  # (B, G)
        present = tf.cast(lengths > 0, tf.float32)
        true = tf.one_hot(classes, self._head.n_classes) * present[:, tf.newaxis]  # (B, G)
        entropies = -tf.reduce_sum(true * tf.nn.log_softmax(scores), 0)  # (G,)
        is_wrong = tf.not_equal(tf.argmax(scores, -1, tf.int32), classes)
        wrong = tf.reduce_sum(tf.cast(is_wrong, tf.float32) * present, keepdims=True)
        return tf.concat([entropies, wrong], 0)

    def name(self, each):
        """Mean losses (epochs, G + 1) as they stand in a history: dict of lists."""
        return {"accuracy": (1.0 - each[:, -1]).tolist()}

    def _encode(self, weights, frames, lengths, key):
        """(B, K, P * F), (B,) -> (B, L)."""
        inputs, mask, running = read_in_training(
            self._architecture, self._recipe, frames, lengths, key
        )
        with self._using(weights):
            return self._encoder(inputs, mask, **running)
