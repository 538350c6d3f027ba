"""What an autoencoder learns in a training step: to say what it read, or what comes next.

Letters: B sequences, K frames, P steps a frame, F features, D decoders.
"""

from sklearn_lstmae.network._tensorflow import tf
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.network import Network
from sklearn_lstmae.training.steps import Recipe
from sklearn_lstmae.training.targets import (
    add_noise,
    count_observed,
    in_decoder_order,
    make_drop,
    mix_own,
    previous_frames,
    read_frames,
    sample_code,
    summed_divergence,
    summed_loss,
)

# Of the seeds of a shard (`steps.SEEDS`); all but dropout, which varies the other half of the
# seed, use these.
NOISE, CODE, OWN = 63, 62, 60

# How much of what a conditional decoder reads in training is its own.
OWN_SHARE = 0.25


class Autoencoding:
    """The losses of the decoders and the divergence of the codes.

    Parameters
    ----------
    architecture : Architecture
    network : Network
    recipe : Recipe
    using : callable (list of tensors) -> context
        In which the network has these weights.

    Attributes
    ----------
    shapes : list of tuple of int
        Of the weights that are trained.
    tables : list of pairs of TensorSpec
        What the encoder reads and, for a predicting decoder, what it should say: frames
        (M, K, P * F) and lengths (M,) in steps.
    n_terms : int
        D + 1: a loss for each decoder and, last, the divergence.
    constants : list of TensorSpec
        None.
    """

    def __init__(self, architecture: Architecture, network: Network, recipe: Recipe, using):
        self._architecture, self._network, self._recipe = architecture, network, recipe
        self._using = using
        self._names = architecture.decoders
        self.shapes = [tuple(variable.shape) for variable in network.variables]
        frames = tf.TensorSpec([None, None, architecture.frame_width])
        n_tables = 2 if "predict" in self._names else 1
        self.tables = [(frames, tf.TensorSpec([None], tf.int32))] * n_tables
        self.n_terms = len(self._names) + 1
        self.constants: list = []

    def counts(self, tables):
        """Observed values of each decoder's target and, last, of all: (D + 1,)."""
        counts = [count_observed(self._architecture, *self._target(d, tables)) for d in self._names]
        return tf.stack([*counts, tf.add_n(counts)])

    def losses(self, weights, tables, key):
        """Summed losses (D + 1,) of a network with these weights."""
        with self._using(weights):
            return self._losses(tables, key)

    def name(self, each):
        """Mean losses (epochs, D + 1) as they stand in a history: dict of lists."""
        names = [f"{decoder}_loss" for decoder in self._names]
        if self._architecture.variational:
            names.append("kl_loss")
        return dict(zip(names, each.T.tolist(), strict=False))

    def _target(self, decoder, tables):
        return tables[1] if decoder == "predict" else tables[0]

    def _losses(self, tables, key):
        architecture, encoder = self._architecture, self._network.encoder
        frames, lengths = tables[0]
        inputs, mask, running = read_in_training(architecture, self._recipe, frames, lengths, key)
        drop = running["drop"]
        divergence = 0.0
        if architecture.variational:
            pooled = encoder.pool(inputs, mask, **running)
            mean, log_variance = encoder.bottleneck(pooled), encoder.spread(pooled)
            code = sample_code(mean, log_variance, key + tf.constant([0, CODE]))
            divergence = summed_divergence(mean, log_variance, lengths > 0)
        else:
            code = encoder(inputs, mask, **running)
        losses = [
            self._decoder_loss(name, code, self._target(name, tables), drop, key)
            for name in self._names
        ]
        return tf.stack([*losses, divergence])

    def _decoder_loss(self, name, code, target, drop, key):
        architecture = self._architecture
        frames, lengths, running = crop(architecture, self._recipe, *target)
        values, observed, _, _ = read_frames(architecture, frames, lengths)
        values, observed = (
            in_decoder_order(architecture, name, array, lengths) for array in (values, observed)
        )
        decoder = self._network.decoders[name]
        positions = tf.range(tf.shape(frames)[1])[tf.newaxis]
        previous = None
        if architecture.conditional:
            true = previous_frames(values)
            said = decoder(code, positions, true, n_steps=running["n_steps"])
            seed = key + tf.constant([0, OWN + self._names.index(name)])
            previous = mix_own(true, previous_frames(said), OWN_SHARE, seed)
        output = decoder(code, positions, previous, drop=drop, **running)
        return summed_loss(self._recipe.loss, values, output, observed)


def read_in_training(architecture, recipe, frames, lengths, key):
    """What an encoder reads in training, noise and dropout included.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    frames, lengths : tensors of shape (B, K, P * F) and (B,)
        As `read_frames` takes them.
    key : int32 tensor of shape (2,)
        Seed of noise and dropout.

    Returns
    -------
    inputs (B, K, input_width), mask (B, K), and a dict of how the encoder is to be called
    """
    frames, lengths, running = crop(architecture, recipe, frames, lengths)
    values, observed, indicators, mask = read_frames(architecture, frames, lengths)
    noisy = add_noise(values, observed, recipe.noise, key + tf.constant([0, NOISE]))
    inputs = tf.concat([noisy, indicators], -1)
    return inputs, mask, {**running, "drop": make_drop(recipe.dropout, key)}


def crop(architecture, recipe, frames, lengths):
    """Leave out frames beyond the longest sequence: the plain graph takes any shape.

    XLA compiles one shape, in which the loops end early.
    """
    n_frames = tf.maximum(architecture.n_frames(tf.reduce_max(lengths)), 1)
    if recipe.xla:
        return frames, lengths, {"training": True, "n_steps": n_frames}
    return frames[:, :n_frames], lengths, {"training": True, "n_steps": None}
