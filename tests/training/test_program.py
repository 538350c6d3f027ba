"""Compiled once for the process: no second fit, fold, estimator or thread compiles again."""

import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lstmae.network.forward import ForwardNetwork
from sklearn_lstmae.network.network import Network
from sklearn_lstmae.training import autoencoder as autoencoding
from sklearn_lstmae.training.program import (
    CACHED_PROGRAMS,
    Program,
    clear_programs,
    get_program,
)
from sklearn_lstmae.training.steps import Recipe, TrainingSteps

RECIPE = Recipe("mse", 0.0, 0.0, "adam", 1.0, shards=1, xla=False)
SHARES = np.array([1.0, 0.0], "f4")  # of the reconstruction, of the divergence
LENGTHS = np.array([5, 1, 4, 3], np.int32)
FRAMES = np.random.default_rng(0).normal(size=(4, 5, 2)).astype("f4")


@pytest.fixture(scope="module")
def program(make_architecture):
    return get_program(make_architecture())


@pytest.fixture(scope="module")
def weights(program):
    return program.initial_weights(np.random.default_rng(0))


def train_a_little(program, weights, recipe=RECIPE, n_rows=4):
    steps = program.training_steps(recipe)
    order = np.arange(4, dtype=np.int32).reshape(1, recipe.shards, -1) % n_rows
    tables = [(FRAMES[:n_rows], LENGTHS[:n_rows])]
    rates = np.array([0.1], "f4")
    return steps(weights, steps.initial_state(), tables, order, rates, SHARES, 0, 0)


# What is compiled, and when --------------------------------------------------------------


def test_equal_architectures_have_one_program(make_architecture, program):
    assert get_program(make_architecture()) is program
    assert get_program(make_architecture(latent_dim=3)) is not program


def test_a_second_use_traces_nothing(program, weights, traces):
    def use(n_rows):
        program.saliency(weights, FRAMES[:n_rows], LENGTHS[:n_rows], 1)
        train_a_little(program, weights, n_rows=n_rows)

    use(4)
    traces.clear()
    use(4)
    use(3)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(use, [4, 2]))
    # Other lengths are no new job either.
    program.saliency(weights, FRAMES[:, :3], np.minimum(LENGTHS, 3), 0)
    assert traces == []


def test_the_counter_of_traces_counts(make_architecture, traces):
    fresh = Program(make_architecture())
    weights = fresh.initial_weights(np.random.default_rng(0))
    fresh.saliency(weights, FRAMES, LENGTHS, 0)
    assert traces


def test_threads_that_meet_at_a_new_program_compile_it_once(make_architecture, traces):
    def count(n_threads):
        fresh = Program(make_architecture())
        weights = fresh.initial_weights(np.random.default_rng(0))
        traces.clear()
        together = threading.Barrier(n_threads)

        def use(_):
            together.wait()
            return fresh.saliency(weights, FRAMES, LENGTHS, 0)

        with ThreadPoolExecutor(n_threads) as threads:
            first, *others = threads.map(use, range(n_threads))
        for other in others:
            assert_array_equal(other, first)
        return len(traces)

    assert count(4) == count(1)


def test_threads_that_meet_at_a_new_recipe_share_its_steps(make_architecture):
    fresh = Program(make_architecture())
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: fresh.training_steps(RECIPE), range(4)))
    assert all(steps is made[0] for steps in made)
    assert isinstance(made[0], TrainingSteps)


def test_threads_that_meet_at_a_new_architecture_share_its_program(make_architecture):
    clear_programs()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: get_program(make_architecture()), range(16)))
    assert all(program is made[0] for program in made)


def test_the_cache_is_bounded_and_forgets_what_was_not_used(make_architecture):
    clear_programs()
    first, second = (get_program(make_architecture(latent_dim=width)) for width in (1, 2))
    for width in range(3, CACHED_PROGRAMS + 1):
        get_program(make_architecture(latent_dim=width))
    assert get_program(make_architecture(latent_dim=1)) is first  # used just now: it stays
    get_program(make_architecture(latent_dim=CACHED_PROGRAMS + 1))
    assert get_program(make_architecture(latent_dim=1)) is first
    assert get_program(make_architecture(latent_dim=2)) is not second


def test_a_cleared_program_is_made_again_and_the_old_one_still_works(make_architecture):
    before = get_program(make_architecture())
    weights = before.initial_weights(np.random.default_rng(0))
    expected = before.saliency(weights, FRAMES, LENGTHS, 0)
    clear_programs()
    after = get_program(make_architecture())
    assert after is not before
    assert_array_equal(before.saliency(weights, FRAMES, LENGTHS, 0), expected)
    assert_array_equal(after.saliency(weights, FRAMES, LENGTHS, 0), expected)


COUNT_XLA = """
import os, pathlib, sys
os.environ["XLA_FLAGS"] = f"--xla_dump_to={sys.argv[1]}"
import numpy as np
from sklearn_lstmae.training import loop as training
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.training.plan import TrainingPlan
from sklearn_lstmae.sequences.batch import Sequences
from sklearn_lstmae.sequences.frames import FrameReader
from sklearn_lstmae.sequences.scaling import Scaling

training.XLA_WORK = 0
architecture = Architecture(
    1, 1, 1, (2,), True, "dense", "last", True, "state", False, "tanh", False
)
plan = TrainingPlan(2, 4, 0.01, "mse", "sgd", None, 0.0, 0.0, (1.0,), 0.0, None, 0)
equal = [np.full(n_rows, 3) for n_rows in (5, 5, 9, 16)]
unequal = [np.array([3, *np.random.default_rng(seed).integers(1, 4, 8)]) for seed in range(3)]
for lengths in [*equal, *unequal]:
    sequences = Sequences(np.zeros((len(lengths), 3, 1), "f4"), lengths, "3d")
    reader = FrameReader(sequences, Scaling(None, np.zeros(1), np.ones(1)), 1)
    training.train(architecture, plan, reader)
    print(len(list(pathlib.Path(sys.argv[1]).glob("*.before_optimizations.txt"))))
"""


def test_a_fit_of_other_rows_and_lengths_compiles_nothing_more(tmp_path):
    """XLA writes a file for each function that it compiles."""
    command = [sys.executable, "-c", COUNT_XLA, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    first, *others = map(int, run.stdout.split())
    assert first > 0
    assert others == [first] * 6


# What it computes ------------------------------------------------------------------------


def test_weights_go_in_and_out_and_stay_nowhere(program, weights):
    before = [weight.copy() for weight in weights]
    expected = program.saliency(weights, FRAMES, LENGTHS, 0)
    other = [weight + 1 for weight in weights]
    assert not np.array_equal(program.saliency(other, FRAMES, LENGTHS, 0), expected)
    train_a_little(program, weights)
    assert_array_equal(program.saliency(weights, FRAMES, LENGTHS, 0), expected)
    for weight, same in zip(weights, before, strict=True):
        assert_array_equal(weight, same)


def test_using_a_program_draws_from_no_global_generator(make_architecture, keeps_random_states):
    with keeps_random_states():
        fresh = Program(make_architecture())
        weights = fresh.initial_weights(np.random.default_rng(0))
        fresh.saliency(weights, FRAMES, LENGTHS, 0)
        recipe = Recipe("mse", 0.5, 0.5, "adam", None, shards=1, xla=False)
        train_a_little(fresh, weights, recipe)


# One training step -----------------------------------------------------------------------


def steps_of(
    program,
    weights,
    recipe,
    *,
    frames=FRAMES,
    lengths=LENGTHS,
    future=(),
    shares=SHARES,
    order=None,
    n_steps=3,
    seed=7,
):
    """Weights, losses and counts after some minibatches of all rows."""
    if order is None:
        order = np.tile(np.arange(4, dtype=np.int32), (n_steps, 1))
    steps = program.training_steps(recipe)
    order = np.asarray(order, np.int32).reshape(n_steps, recipe.shards, -1)
    rates = np.full(n_steps, 0.05, "f4")
    tables = [(frames, lengths), *future]
    shares = np.asarray(shares, "f4")
    weights, _, errors, counts = steps(
        weights, steps.initial_state(), tables, order, rates, shares, seed, 0
    )
    return np.concatenate([w.ravel() for w in weights]), errors, counts


def make_recipe(**changes):
    recipe = {"loss": "mse", "dropout": 0.0, "noise": 0.0, "optimizer": "adam", "clipnorm": 1.0}
    return Recipe(**(recipe | {"shards": 1, "xla": False} | changes))


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("shards", [1, 2])
def test_all_ways_to_compute_a_step_agree(shards, xla, program, weights):
    expected = steps_of(program, weights, make_recipe())
    got = steps_of(program, weights, make_recipe(shards=shards, xla=xla))
    assert_allclose(got[0], expected[0], rtol=1e-4, atol=1e-5)
    assert_allclose(got[1], expected[1], rtol=1e-4)
    assert_array_equal(got[2], expected[2])
    assert_array_equal(expected[2], 2 * LENGTHS.sum())


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("shards", [1, 2])
def test_absent_rows_have_no_effect(shards, xla, program, weights):
    few = steps_of(program, weights, make_recipe(), order=[[0, 1]] * 3)
    recipe = make_recipe(shards=shards, xla=xla)
    got = steps_of(program, weights, recipe, order=[[0, -1, -1, 1]] * 3)
    for value, expected in zip(got, few, strict=True):
        assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_a_shard_without_a_row_has_no_effect(program, weights):
    few = steps_of(program, weights, make_recipe(), order=[[0, 1]] * 3)
    recipe = make_recipe(shards=2, xla=True)
    got = steps_of(program, weights, recipe, order=[[0, 1, -1, -1]] * 3)
    for value, expected in zip(got, few, strict=True):
        assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("garbage", [9.0, np.nan, np.inf])
def test_what_padding_holds_has_no_effect(garbage, xla, program, weights):
    padding = np.arange(5) >= LENGTHS[:, np.newaxis]
    dirty = np.where(padding[:, :, np.newaxis], np.float32(garbage), FRAMES)
    recipe = make_recipe(xla=xla)
    clean = steps_of(program, weights, recipe)
    for value, same in zip(clean, steps_of(program, weights, recipe, frames=dirty), strict=True):
        assert_array_equal(value, same)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_more_padding_has_no_effect(xla, program, weights):
    recipe = make_recipe(xla=xla)
    longer = np.pad(FRAMES, ((0, 0), (0, 3), (0, 0)), constant_values=9)
    for value, same in zip(
        steps_of(program, weights, recipe),
        steps_of(program, weights, recipe, frames=longer),
        strict=True,
    ):
        assert_allclose(value, same, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("xla", [False, True], ids=["graph", "xla"])
def test_a_short_minibatch_learns_as_if_it_were_alone(xla, make_architecture):
    """Steps beyond the longest of a minibatch are not computed; nothing may come of that."""
    architecture = make_architecture(bidirectional=True, patch_size=2)
    program = get_program(architecture)
    weights = program.initial_weights(np.random.default_rng(0))
    frames = np.random.default_rng(1).normal(size=(2, 4, 4)).astype("f4")
    lengths = np.array([3, 2], np.int32)
    options = {"lengths": lengths, "order": [[0, 1]] * 2, "n_steps": 2}
    alone = steps_of(program, weights, make_recipe(), frames=frames[:, :2], **options)
    got = steps_of(program, weights, make_recipe(xla=xla), frames=frames, **options)
    for value, expected in zip(got, alone, strict=True):
        assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_step_goes_down_the_gradient_of_the_mean_loss(reverse, make_architecture):
    """The gradient is found with plain Keras layers, and the target with NumPy."""
    architecture = make_architecture(reverse_target=reverse, bottleneck="hidden")
    program = get_program(architecture)
    weights = program.initial_weights(np.random.default_rng(0))
    recipe = make_recipe(optimizer="sgd", clipnorm=None)
    after, [error], [count] = steps_of(program, weights, recipe, n_steps=1)

    mask = np.arange(5) < LENGTHS[:, np.newaxis]
    target = FRAMES.copy()
    if reverse:
        for row, length in zip(target, LENGTHS, strict=True):
            row[:length] = row[:length][::-1]
    network = Network(architecture, fast=False)
    for variable, weight in zip(network.variables, weights, strict=True):
        variable.assign(weight)
    with tf.GradientTape() as tape:
        code = network.encoder(tf.constant(FRAMES), tf.constant(mask))
        output = network.decoders["reconstruct"](code, np.tile(np.arange(5), (4, 1)))
        loss = tf.reduce_mean(tf.boolean_mask(tf.square(output - target), mask))
    gradients = tape.gradient(loss, [variable.value for variable in network.variables])
    step = np.concatenate([w.ravel() for w in weights]) - after
    gradient = np.concatenate([g.numpy().ravel() for g in gradients])
    assert_allclose(step / 0.05, gradient, rtol=1e-3, atol=1e-5)
    assert_allclose(error[0] / count[0], loss, rtol=1e-5)


def test_the_order_of_rows_in_a_minibatch_has_no_effect(program, weights):
    forwards = steps_of(program, weights, make_recipe())
    backwards = steps_of(program, weights, make_recipe(), order=[[3, 1, 2, 0]] * 3)
    for value, same in zip(forwards, backwards, strict=True):
        assert_allclose(value, same, rtol=1e-4, atol=1e-5)


def test_missing_values_have_no_effect_on_the_loss(make_architecture):
    """What a missing value would have been does not matter; that it is missing does."""
    program = get_program(make_architecture(tells_missing=True))
    weights = program.initial_weights(np.random.default_rng(0))
    missing = FRAMES.copy()
    missing[0, 1, 0] = missing[2, 3] = np.nan
    vector, errors, counts = steps_of(program, weights, make_recipe(), frames=missing)
    assert_array_equal(counts, 2 * LENGTHS.sum() - 3)
    assert np.isfinite(vector).all()
    assert np.isfinite(errors).all()


def test_the_loss_falls(program, weights):
    _, errors, _ = steps_of(program, weights, make_recipe(), n_steps=60)
    assert errors[-1, 0] < 0.7 * errors[0, 0]


@pytest.mark.parametrize("changes", [{"dropout": 0.5}, {"noise": 1.0}])
def test_noise_and_dropout_follow_seed_and_step(changes, program, weights):
    recipe = make_recipe(**changes)
    steps = program.training_steps(recipe)
    order = np.arange(4, dtype=np.int32).reshape(1, 1, -1)

    def error(seed, first_step, recipe=recipe):
        rates, state = np.zeros(1, "f4"), program.training_steps(recipe).initial_state()
        tables = [(FRAMES, LENGTHS)]
        _, _, errors, _ = steps(weights, state, tables, order, rates, SHARES, seed, first_step)
        return float(errors[0, 0])

    assert error(1, 2) == error(1, 2)
    assert len({error(1, 2), error(1, 3), error(2, 2), error(2, 3)}) == 4
    _, errors, _ = steps_of(program, weights, make_recipe())
    assert error(1, 2) != errors[0, 0]


def test_steps_in_one_call_or_in_many_are_the_same_to_the_bit(program, weights):
    recipe = make_recipe(dropout=0.5)
    steps = program.training_steps(recipe)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(4, dtype=np.int32), (6, 1)), axis=1)
    order = order.reshape(6, 1, 4)
    rates = np.linspace(0.1, 0.01, 6, dtype="f4")

    def run(parts):
        current, state = weights, steps.initial_state()
        for part in np.split(np.arange(6), parts):
            tables, start = [(FRAMES, LENGTHS)], int(part[0])
            current, state, *_ = steps(
                current, state, tables, order[part], rates[part], SHARES, 3, start
            )
        return np.concatenate([w.ravel() for w in [*current, *state]])

    assert_array_equal(run([]), run([1, 2, 3, 4, 5]))
    assert_array_equal(run([]), run([4]))


# A step of several decoders --------------------------------------------------------------

FUTURE = np.random.default_rng(2).normal(size=(4, 3, 2)).astype("f4")
AHEAD = np.array([2, 3, 1, 2], np.int32)


@pytest.fixture(scope="module")
def composite(make_architecture):
    return get_program(make_architecture(decoders=("reconstruct", "predict")))


@pytest.fixture(scope="module")
def composite_weights(composite):
    return composite.initial_weights(np.random.default_rng(0))


def composite_step(composite, weights, shares, *, n_steps=1, **changes):
    recipe = make_recipe(**({"optimizer": "sgd", "clipnorm": None} | changes))
    return steps_of(
        composite, weights, recipe, future=[(FUTURE, AHEAD)], shares=shares, n_steps=n_steps
    )


@pytest.mark.parametrize(
    ("shards", "xla"), [(1, False), (2, False), (2, True)], ids=["whole", "halves", "xla"]
)
def test_several_decoders_go_down_the_weighted_sum_of_their_mean_losses(
    shards, xla, composite, composite_weights
):
    """Each mean is over the values of the whole minibatch, however it is cut into shards."""
    shares = [0.3, 0.7, 0.0]
    after, [errors], [counts] = composite_step(
        composite, composite_weights, shares, shards=shards, xla=xla
    )

    targets, masks = {"reconstruct": FRAMES.copy(), "predict": FUTURE}, {}
    for row, length in zip(targets["reconstruct"], LENGTHS, strict=True):
        row[:length] = row[:length][::-1]
    for name, lengths in (("reconstruct", LENGTHS), ("predict", AHEAD)):
        masks[name] = np.arange(targets[name].shape[1]) < lengths[:, np.newaxis]
    network = Network(composite.architecture, fast=False)
    for variable, weight in zip(network.variables, composite_weights, strict=True):
        variable.assign(weight)
    with tf.GradientTape() as tape:
        code = network.encoder(tf.constant(FRAMES), tf.constant(masks["reconstruct"]))
        means = []
        for name, target in targets.items():
            output = network.decoders[name](code, np.tile(np.arange(target.shape[1]), (4, 1)))
            difference = tf.boolean_mask(tf.square(output - target), masks[name])
            means.append(tf.reduce_mean(difference))
        loss = 0.3 * means[0] + 0.7 * means[1]
    gradients = tape.gradient(loss, [variable.value for variable in network.variables])
    step = np.concatenate([w.ravel() for w in composite_weights]) - after
    gradient = np.concatenate([g.numpy().ravel() for g in gradients])
    assert_allclose(step / 0.05, gradient, rtol=1e-3, atol=1e-5)
    n_values = [2 * LENGTHS.sum(), 2 * AHEAD.sum()]
    assert_array_equal(counts, [*n_values, sum(n_values)])
    assert_allclose(errors[:2] / counts[:2], means, rtol=1e-5)
    assert errors[2] == 0


@pytest.mark.parametrize("spared", [0, 1])
def test_a_decoder_without_a_share_does_not_learn(spared, composite, composite_weights):
    shares = np.eye(3)[1 - spared]
    after, *_ = composite_step(composite, composite_weights, shares)
    before = np.concatenate([w.ravel() for w in composite_weights])
    parts = [composite.network.encoder, *composite.network.decoders.values()]
    sizes = [sum(int(np.prod(v.shape)) for v in part.variables) for part in parts]
    changed = [part.any() for part in np.split(after - before, np.cumsum(sizes)[:-1])]
    assert changed == [True, spared == 1, spared == 0]


def test_each_row_is_trained_with_its_own_future(composite, composite_weights):
    recipe = make_recipe()
    orders = [[0, 1, 2, 3]], [[2, 0, -1, 1]], [[2, 0, 1, 3]]
    whole, without, other = (
        steps_of(
            composite,
            composite_weights,
            recipe,
            future=[(FUTURE, AHEAD)],
            shares=[0.5, 0.5, 0.0],
            order=order,
            n_steps=1,
        )
        for order in orders
    )
    for value, same in zip(whole, other, strict=True):
        assert_allclose(value, same, rtol=1e-4, atol=1e-5)
    assert_array_equal(without[2], whole[2] - [[6, 4, 10]])


def test_a_minibatch_with_nothing_to_predict_learns_the_rest(make_architecture):
    """Such as one whose last steps are all missing."""
    architecture = make_architecture(decoders=("reconstruct", "predict"), tells_missing=True)
    program = get_program(architecture)
    weights = program.initial_weights(np.random.default_rng(0))
    recipe = make_recipe(optimizer="sgd")
    after, errors, counts = steps_of(
        program,
        weights,
        recipe,
        future=[(np.full_like(FUTURE, np.nan), AHEAD)],
        shares=[0.5, 0.5, 0.0],
        n_steps=2,
    )
    assert np.isfinite(after).all()
    assert not errors[:, 1].any()
    assert not counts[:, 1].any()
    assert errors[1, 0] < errors[0, 0]


# Conditional decoders --------------------------------------------------------------------


@pytest.fixture(scope="module")
def conditional(make_architecture):
    """Two decoders of two layers, the first of which speaks backwards."""
    decoders = ("reconstruct", "predict")
    return get_program(
        make_architecture(decoders=decoders, conditional=True, bottleneck="hidden_cell")
    )


def drawn_weights(program):
    """Such that every part of the network has an effect."""
    generator = np.random.default_rng(0)
    return [
        weight + 0.3 * generator.normal(size=weight.shape).astype("f4")
        for weight in program.initial_weights(generator)
    ]


def plain_network(program, weights):
    network = Network(program.architecture, fast=False)
    for variable, weight in zip(network.variables, weights, strict=True):
        variable.assign(weight)
    return network


@pytest.mark.parametrize("name", ["reconstruct", "predict"])
def test_a_conditional_decoder_reads_its_own_previous_frames(name, conditional):
    """Free-running, frame by frame and told what it said are three ways to the same frames."""
    weights = drawn_weights(conditional)
    width = conditional.architecture.code_width
    codes = np.random.default_rng(1).normal(size=(4, width)).astype("f4")
    said = ForwardNetwork(conditional.architecture, weights).decode(codes, LENGTHS, 5, name)
    if conditional.architecture.says_backwards(name):
        for row, length in zip(said, LENGTHS, strict=True):
            row[:length] = row[:length][::-1]
    decoder = plain_network(conditional, weights).decoders[name]

    frame, states = decoder.first_step(tf.constant(codes))
    assert not np.any(frame)
    frames = []
    for step in range(5):
        frame, states = decoder.next_step(codes, np.full((1, 1), step), frame, states)
        frames.append(frame)
    frames = np.stack(frames, axis=1)
    previous = np.pad(frames[:, :-1], ((0, 0), (1, 0), (0, 0)))
    told = decoder(codes, np.tile(np.arange(5), (4, 1)), previous)
    assert_allclose(told, frames, rtol=1e-4, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        assert_allclose(said[row, :length], frames[row, :length], rtol=1e-4, atol=1e-5)


def test_what_a_conditional_decoder_reads_matters(conditional):
    weights = drawn_weights(conditional)
    decoder = plain_network(conditional, weights).decoders["predict"]
    codes = np.ones((4, conditional.architecture.code_width), "f4")
    positions = np.tile(np.arange(5), (4, 1))
    read = np.random.default_rng(0).normal(size=(4, 5, 2)).astype("f4")
    changed = read.copy()
    changed[:, 2] += 1
    one, two = (decoder(codes, positions, previous).numpy() for previous in (read, changed))
    assert_array_equal(one[:, :2], two[:, :2])
    assert (np.abs(one - two)[:, 2:].max(axis=(1, 2)) > 1e-4).all()


def test_a_conditional_decoder_is_trained_on_true_and_on_own_frames(conditional, monkeypatch):
    """With no share of its own, and with nothing else, its loss is that of plain Keras."""
    weights = drawn_weights(conditional)
    target = FRAMES.copy()
    for row, length in zip(target, LENGTHS, strict=True):
        row[:length] = row[:length][::-1]
    network = plain_network(conditional, weights)
    sets = [("reconstruct", target, LENGTHS), ("predict", FUTURE, AHEAD)]
    mask = np.arange(5) < LENGTHS[:, np.newaxis]
    code = network.encoder(tf.constant(FRAMES), tf.constant(mask))
    for share in (0.0, 1.0):
        monkeypatch.setattr(autoencoding, "OWN_SHARE", share)
        program = Program(conditional.architecture)
        _, [errors], _ = steps_of(
            program,
            weights,
            make_recipe(),
            future=[(FUTURE, AHEAD)],
            shares=[0.5, 0.5, 0.0],
            n_steps=1,
        )
        for error, (name, values, lengths) in zip(errors[:2], sets, strict=True):
            observed = np.arange(values.shape[1]) < lengths[:, np.newaxis]
            positions = np.tile(np.arange(values.shape[1]), (4, 1))
            values = np.where(observed[:, :, np.newaxis], values, 0)
            before = np.pad(values[:, :-1], ((0, 0), (1, 0), (0, 0)))
            output = network.decoders[name](code, positions, before).numpy()
            if share:
                before = np.pad(output[:, :-1], ((0, 0), (1, 0), (0, 0)))
                output = network.decoders[name](code, positions, before).numpy()
            expected = np.square(output - values)[observed].sum()
            assert_allclose(error, expected, rtol=1e-4)


def test_a_conditional_step_is_the_same_when_compiled(conditional, monkeypatch):
    """But for which frames are its own: XLA draws other numbers from a seed."""
    monkeypatch.setattr(autoencoding, "OWN_SHARE", 1.0)
    fresh = Program(conditional.architecture)
    graph, compiled = (
        steps_of(
            fresh,
            drawn_weights(conditional),
            make_recipe(xla=xla),
            future=[(FUTURE, AHEAD)],
            shares=[0.5, 0.5, 0.0],
        )
        for xla in (False, True)
    )
    for value, same in zip(compiled, graph, strict=True):
        assert_allclose(value, same, rtol=1e-3, atol=1e-4)


def test_which_frames_are_its_own_follows_seed_and_step(conditional):
    weights = drawn_weights(conditional)

    def errors(seed):
        return steps_of(
            conditional,
            weights,
            make_recipe(),
            future=[(FUTURE, AHEAD)],
            shares=[0.0, 0.0, 0.0],
            n_steps=2,
            seed=seed,
        )[1][:, :2]

    assert_array_equal(errors(1), errors(1))
    drawn = [*errors(1).T.tolist(), *errors(2).T.tolist()]
    assert all(first != second for first, second in drawn)  # two steps of the same weights
    assert len({tuple(both) for both in drawn}) == 4


# Variational codes -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def variational(make_architecture):
    return get_program(make_architecture(variational=True))


def with_spread(program, weights, kernel, bias):
    """Weights in which what the encoder says of the log-variance is set: a factor, a number."""
    parts = {v.path: weight for v, weight in zip(program.network.variables, weights, strict=True)}
    spread = [variable.path for variable in program.network.encoder.spread.weights]
    parts[spread[0]] = parts[spread[0]] * np.float32(kernel)
    parts[spread[1]] = np.full_like(parts[spread[1]], bias)
    return list(parts.values())


def test_a_code_without_spread_is_trained_like_a_plain_one(variational, make_architecture):
    plain = get_program(make_architecture())
    weights = drawn_weights(variational)
    certain = with_spread(variational, weights, 0, -60)
    spread = {variable.path for variable in variational.network.encoder.spread.weights}
    fewer = [
        weight
        for variable, weight in zip(variational.network.variables, certain, strict=True)
        if variable.path not in spread
    ]
    _, expected, _ = steps_of(plain, fewer, make_recipe(), n_steps=1)
    _, got, _ = steps_of(variational, certain, make_recipe(), n_steps=1)
    assert_allclose(got[:, 0], expected[:, 0], rtol=1e-4)
    uncertain = with_spread(variational, weights, 0, 0)
    losses = [
        steps_of(variational, uncertain, make_recipe(), n_steps=1, seed=seed)[1][0, 0]
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_divergence_is_that_of_the_codes_and_a_standard_normal_has_none(variational):
    weights = drawn_weights(variational)
    codes = ForwardNetwork(variational.architecture, weights).encode(FRAMES, LENGTHS)
    for log_variance in (0.0, 1.5):
        said = with_spread(variational, weights, 0, log_variance)
        _, [errors], _ = steps_of(variational, said, make_recipe(), n_steps=1)
        spread = codes.shape[1] * (np.exp(log_variance) - 1 - log_variance)
        expected = 0.5 * (np.square(codes).sum(axis=1) + spread).sum()
        assert_allclose(errors[1], expected, rtol=1e-4)
    nothing = [np.zeros_like(weight) for weight in weights]
    _, [errors], _ = steps_of(variational, nothing, make_recipe(), n_steps=1)
    assert errors[1] == 0


def test_rows_that_are_absent_do_not_diverge(variational):
    said = with_spread(variational, drawn_weights(variational), 0, -60)
    options = {"shares": [1.0, 0.1], "n_steps": 1}
    few = steps_of(variational, said, make_recipe(), order=[[0, 1]], **options)
    got = steps_of(variational, said, make_recipe(), order=[[0, -1, -1, 1]], **options)
    for value, expected in zip(got, few, strict=True):
        assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_the_divergence_alone_leads_to_the_standard_normal(variational):
    weights = drawn_weights(variational)
    options = {"shares": [0.0, 1.0], "n_steps": 200}
    _, errors, _ = steps_of(variational, weights, make_recipe(), **options)
    assert errors[-1, 1] < 0.01 * errors[0, 1]


# Processes -------------------------------------------------------------------------------


def in_a_fork(queue, architecture):
    try:
        get_program(architecture)
        queue.put("no error")
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_is_told_so(make_architecture):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=in_a_fork, args=(queue, make_architecture()))
    child.start()
    message = queue.get()
    child.join()
    assert "does not survive a fork" in message
