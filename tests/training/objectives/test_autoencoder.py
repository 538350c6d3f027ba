"""What an autoencoder learns: its losses are those that NumPy finds, task by task."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.inference.coder import Coder
from sklearn_lstmae.network.in_keras import build_model
from sklearn_lstmae.network.in_numpy import NumpyOperations
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.frames import Frames
from sklearn_lstmae.sequences.tasks import OBJECTIVES, TASKS
from sklearn_lstmae.training.minibatch import NOISE
from sklearn_lstmae.training.objectives import autoencoder as module
from sklearn_lstmae.training.objectives.autoencoder import CODE, Autoencoding
from sklearn_lstmae.training.steps import SEEDS, Shard

LENGTHS = [7, 3, 6, 5]
SHARD = Shard(tf.constant([5, 640]), None, None, xla=False)
LOSSES = {
    "mse": np.square,
    "mae": np.abs,
    "huber": lambda d: np.where(np.abs(d) <= 1, 0.5 * np.square(d), np.abs(d) - 0.5),
}
KINDS = {
    "default": {},
    "in the order of time": {"reverse_target": False, "bottleneck": "hidden"},
    "frames of 2": {"patch_size": 2, "bidirectional": True},
    "frames of 3, two states": {"patch_size": 3, "bottleneck": "hidden_cell"},
    "missing": {"tells_missing": True, "pooling": "mean"},
    "missing, frames of 2": {"tells_missing": True, "patch_size": 2, "activation": "relu"},
}
OBJECTIVES_AND_HORIZONS = [
    ("reconstruct", None),
    ("predict", None),
    ("predict", 2),
    ("composite", None),
    ("composite", 1),
]


class Case:
    """An objective with weights, sequences, and what training makes of them."""

    def __init__(self, architecture, weights, sequences, reader, loss="mse"):
        self.objective = Autoencoding(architecture, loss)
        self.architecture, self.weights, self.sequences = architecture, weights, sequences
        self.reader, self.horizon = reader, reader.horizon
        self.block = reader.read(slice(None), int(reader.n_frames.max()))
        self.tables = self.objective.load(self.block)

    def losses(self, **shard):
        """(J,), computed at once and not compiled."""
        tables = [tf.constant(table) for table in self.tables]
        return self.objective.losses(self.weights, tables, replace(SHARD, **shard)).numpy()

    def target(self, task):
        """List of (T_i, F): what a decoder should output."""
        if not TASKS[task].follows:
            return [s[: len(s) - (self.horizon or 0)] for s in self.sequences]
        return [s[1:] if self.horizon is None else s[-self.horizon :] for s in self.sequences]

    def expected(self, task, output):
        """Summed loss, with NumPy, of outputs (N, any, F) in the order of time."""
        target = self.target(task)
        errors = [
            LOSSES[self.objective.loss](one - out[: len(one)])
            for one, out in zip(target, output, strict=True)
        ]
        return np.nansum(np.concatenate(errors))


@pytest.fixture(scope="module")
def make_case(make_architecture, make_sequences, make_reader, draw_weights):
    """A function of an objective and of what an architecture differs in."""

    def make(objective="reconstruct", horizon=None, loss="mse", **changes):
        architecture = make_architecture(decoders=OBJECTIVES[objective], **changes)
        sequences = make_sequences(LENGTHS)
        if architecture.tells_missing:
            sequences[0][2, 1] = sequences[1][2, 0] = np.nan
            sequences[2][:4] = np.nan
        reader = make_reader(
            sequences,
            patch_size=architecture.patch_size,
            has_missing=architecture.tells_missing,
            tasks=architecture.decoders,
            horizon=horizon,
        )
        weights = draw_weights(network_of(architecture).shapes)
        return Case(architecture, weights, sequences, reader, loss)

    return make


# Losses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(("objective", "horizon"), OBJECTIVES_AND_HORIZONS)
@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_those_that_numpy_finds(kind, objective, horizon, xla, make_case):
    """Of a decoder's output in place of its target, over what is observed of it."""
    case = make_case(objective, horizon, **KINDS[kind])
    coder = Coder(case.architecture, case.weights)
    codes = coder.encode(case.reader)
    *losses, divergence = case.losses(xla=xla)
    *counts, total = case.objective.counts(case.tables).numpy()
    assert divergence == 0
    assert total == sum(counts)
    for task, loss, count in zip(case.architecture.decoders, losses, counts, strict=True):
        target = case.target(task)
        output = coder.decode(codes, np.array([len(one) for one in target]), task)
        assert_allclose(loss, case.expected(task, output), rtol=1e-4)
        assert count == np.isfinite(np.concatenate(target)).sum()


@pytest.mark.parametrize("loss", LOSSES)
def test_each_kind_of_loss_is_that_of_numpy(loss, make_case):
    """Weights are large, so that there are errors on both sides of Huber's 1."""
    case = make_case("composite", 2, loss)
    case.weights = [3 * weight for weight in case.weights]
    coder = Coder(case.architecture, case.weights)
    codes = coder.encode(case.reader)
    for task, got in zip(case.architecture.decoders, case.losses(), strict=False):
        lengths = np.array([len(one) for one in case.target(task)])
        expected = case.expected(task, coder.decode(codes, lengths, task))
        assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.parametrize("horizon", [None, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_plain_keras_layers(kind, horizon, make_case):
    case = make_case("composite", horizon, **KINDS[kind])
    variables = [tf.Variable(weight) for weight in case.weights]
    with tf.GradientTape() as tape:
        tables = [tf.constant(table) for table in case.tables]
        total = tf.reduce_sum(case.objective.losses(variables, tables, SHARD))
    gradients = network_of(case.architecture).by_layer(tape.gradient(total, variables))

    models = [
        build_model(case.architecture, case.weights, part, 7)
        for part in ("encoder", "decoder", "predictor")
    ]
    past = [sequence[: len(sequence) - (horizon or 0)] for sequence in case.sequences]
    with tf.GradientTape() as tape:
        codes = models[0](padded(past))
        expected = 0.0
        for task, decoder in zip(("reconstruct", "predict"), models[1:], strict=True):
            target, mask = padded(case.target(task))
            difference = tf.where(target == target, target - decoder([codes, mask]), 0.0)
            expected += tf.reduce_sum(tf.square(difference))
    assert_allclose(total, expected, rtol=1e-4)
    plain = [variable for model in models for variable in model.trainable_variables]
    found = tape.gradient(expected, [variable.value for variable in plain])
    by_path = {variable.path: value for variable, value in zip(plain, found, strict=True)}
    for layer, ours in gradients.items():
        theirs = [v for path, v in by_path.items() if path.split("/")[0] == layer.name]
        for one, other in zip(ours, theirs, strict=True):
            assert_allclose(one, other, rtol=1e-3, atol=1e-4, err_msg=layer.name)


def padded(sequences):
    """List of (T_i, F) -> (N, T, F), zeros after the end, and mask (N, T)."""
    longest = max(len(sequence) for sequence in sequences)
    values = [np.pad(s, ((0, longest - len(s)), (0, 0))) for s in sequences]
    mask = np.arange(longest) < np.array([[len(s)] for s in sequences])
    return [tf.constant(np.stack(values)), tf.constant(mask)]


def test_noise_is_read_and_not_to_be_output(make_case):
    case = make_case("composite", 2, tells_missing=True)
    frames = case.block.frames(case.block.past)
    noise = tf.random.stateless_normal(frames.values.shape, SHARD.seed(NOISE), stddev=0.5)
    observed = case.block.past.mask.reshape(frames.values.shape)
    noisy = frames.values + np.where(observed, noise, 0)
    coder = Coder(case.architecture, case.weights)
    [codes] = coder.encode_block(Frames(noisy, frames.indicators, frames.lengths))
    for task, got in zip(case.architecture.decoders, case.losses(noise=0.5), strict=False):
        lengths = np.array([len(one) for one in case.target(task)])
        expected = case.expected(task, coder.decode(codes, lengths, task))
        assert_allclose(got, expected, rtol=1e-4)


def test_dropout_reaches_every_decoder_and_the_encoder(make_case):
    case = make_case("composite", 2, hidden_units=(3, 4), decoder_start="input")
    widths = []

    def drop(columns):
        widths.append(columns.shape[-1])
        return columns

    assert_allclose(case.losses(drop=drop), case.losses(), rtol=1e-6)
    encoder = [2, 3]  # values, outputs of the layer below
    decoder = [2, 4]  # code, outputs of the layer below; never the time
    assert widths == [*encoder, *decoder, *decoder]


def test_an_objective_is_a_value(make_architecture):
    one, same, other = (Autoencoding(make_architecture(), loss) for loss in ("mse", "mse", "mae"))
    assert one == same != other
    assert hash(one) == hash(same)
    network = network_of(make_architecture())
    assert (one.shapes, one.layers) == (network.shapes, network.layers)


@pytest.mark.parametrize(("objective", "horizon"), OBJECTIVES_AND_HORIZONS)
@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_as_specified(kind, objective, horizon, make_case):
    """Only a target that follows what the encoder reads has tables of its own."""
    case = make_case(objective, horizon, **KINDS[kind])
    assert len(case.tables) == (3 if objective == "reconstruct" else 6)
    for table, spec in zip(case.tables, case.objective.tables, strict=True):
        assert spec.is_compatible_with(tf.constant(table))


def test_losses_have_the_names_of_their_tasks(make_architecture):
    means = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    both = OBJECTIVES["composite"]
    plain, variational = (
        Autoencoding(make_architecture(decoders=both, variational=variational), "mse")
        for variational in (False, True)
    )
    expected = {"reconstruct_loss": [0.1, 0.4], "predict_loss": [0.2, 0.5]}
    assert plain.names(means) == expected
    assert variational.names(means) == expected | {"kl_loss": [0.3, 0.6]}


# Conditional decoders --------------------------------------------------------------------


def frames_in_numpy(case, codes, task, previous=None):
    """Frames of a decoder in its own order: (K, P * F, N)."""
    operations = NumpyOperations(case.architecture, case.weights)
    n_frames = case.block.targets[task].n_timesteps // case.architecture.patch_size
    decoder = network_of(case.architecture).decoders[task]
    return decoder.decode(operations, codes.T, n_frames, previous)


def in_order(case, task, frames):
    """Frames (K, D, N) of a target, reversed within each sequence where its decoder does that."""
    frames = frames.copy()
    if case.architecture.reverses(task):
        lengths = case.architecture.n_frames(case.block.targets[task].lengths)
        for row, length in enumerate(lengths):
            frames[:length, :, row] = frames[:length, :, row][::-1]
    return frames


def shifted(frames):
    return np.concatenate([np.zeros_like(frames[:1]), frames[:-1]])


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("horizon", [None, 2])
@pytest.mark.parametrize("patch_size", [1, 2])
def test_a_conditional_decoder_reads_true_frames_or_its_own(
    share, horizon, patch_size, make_case, monkeypatch
):
    """Its own ones are what it outputs after the true ones."""
    monkeypatch.setattr(module, "OWN_SHARE", share)
    case = make_case("composite", horizon, conditional=True, patch_size=patch_size)
    codes = Coder(case.architecture, case.weights).encode(case.reader)
    for task, got in zip(case.architecture.decoders, case.losses(), strict=False):
        target = case.block.frames(case.block.targets[task]).values.transpose(1, 2, 0)
        target = in_order(case, task, target)
        output = frames_in_numpy(case, codes, task, shifted(target))
        if share:
            output = frames_in_numpy(case, codes, task, shifted(output))
        steps = in_order(case, task, output).transpose(2, 0, 1).reshape(4, -1, 2)
        assert_allclose(got, case.expected(task, steps), rtol=1e-4)


def test_which_frames_are_its_own_differs_between_decoders_and_seeds(make_case):
    case = make_case("composite", None, conditional=True)

    def losses(key):
        return case.losses(key=tf.constant(key))[:2].tolist()

    assert losses([1, 0]) == losses([1, 0])
    drawn = [losses(key) for key in ([1, 0], [2, 0], [1, SEEDS])]
    assert all(len(set(numbers)) == 3 for numbers in zip(*drawn, strict=True))


def test_what_is_drawn_has_seeds_of_its_own():
    """Those of conditional decoders follow `OWN`."""
    numbers = [NOISE, CODE, *(module.OWN + place for place in range(len(TASKS)))]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < SEEDS


# Variational codes -----------------------------------------------------------------------


def spread_in_numpy(case):
    """Logarithm of the variance of each column of the codes, (N, C)."""
    frames = case.block.frames(case.block.past)
    n_frames = case.architecture.n_frames(frames.lengths)
    mask = np.arange(frames.values.shape[1])[:, np.newaxis] < n_frames
    series = frames.values.transpose(1, 2, 0), frames.indicators.transpose(1, 2, 0)
    operations, encoder = (
        NumpyOperations(case.architecture, case.weights),
        network_of(case.architecture).encoder,
    )
    return operations.dense(encoder.spread, encoder.pool(operations, series, mask)).T


@pytest.fixture
def variational(make_case):
    return make_case("composite", 2, variational=True, tells_missing=True, patch_size=2)


def with_spread(case, factor, bias):
    """Set the layer that outputs logarithms of variances: its kernel scaled, its bias a number."""
    layers = network_of(case.architecture).by_layer(case.weights)
    kernel, old = layers[network_of(case.architecture).encoder.spread]
    changed = {id(kernel): kernel * np.float32(factor), id(old): np.full_like(old, bias)}
    case.weights = [changed.get(id(weight), weight) for weight in case.weights]
    return case


def test_losses_are_those_of_the_codes_that_are_drawn(variational):
    case = variational
    coder = Coder(case.architecture, case.weights)
    mean, log_variance = coder.encode(case.reader), spread_in_numpy(case)
    drawn = tf.random.stateless_normal(mean.shape, SHARD.seed(CODE)).numpy()
    codes = mean + np.exp(log_variance / 2) * drawn
    *losses, divergence = case.losses()
    for task, got in zip(case.architecture.decoders, losses, strict=True):
        lengths = np.array([len(one) for one in case.target(task)])
        assert_allclose(got, case.expected(task, coder.decode(codes, lengths, task)), rtol=1e-4)
    expected = 0.5 * (np.square(mean) + np.exp(log_variance) - 1 - log_variance).sum()
    assert_allclose(divergence, expected, rtol=1e-4)


def test_a_code_without_spread_is_trained_like_a_plain_one(variational, make_case):
    case = with_spread(variational, 0, -60)
    plain = make_case("composite", 2, tells_missing=True, patch_size=2)
    kept = {layer.name for layer in plain.objective.layers}
    layers = network_of(case.architecture).by_layer(case.weights)
    plain.weights = [w for layer, own in layers.items() if layer.name in kept for w in own]
    assert_allclose(case.losses()[:2], plain.losses()[:2], rtol=1e-5)


def test_a_standard_normal_does_not_diverge(variational):
    variational.weights = [np.zeros_like(weight) for weight in variational.weights]
    assert variational.losses()[-1] == 0


def test_rows_that_are_absent_do_not_diverge(variational, take_steps):
    case = with_spread(variational, 0, -60)
    options = {"term_weights": (1.0, 1.0, 0.1), "n_steps": 1}
    few, more = (
        take_steps(case.objective, case.weights, case.tables, order, **options)
        for order in ([0, 1], [0, -1, -1, 1])
    )
    for value, expected in zip(more, few, strict=True):
        assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_the_divergence_alone_leads_to_the_standard_normal(variational, take_steps):
    _, errors, counts = take_steps(
        variational.objective,
        variational.weights,
        variational.tables,
        term_weights=(0.0, 0.0, 1.0),
        n_steps=200,
    )
    assert errors[-1, 2] < 0.01 * errors[0, 2]
    assert_array_equal(counts[:, 2], counts[:, 0] + counts[:, 1])
