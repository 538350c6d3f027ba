"""Each constructor parameter: its effect, and what it refuses."""

import inspect
import re
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import InvalidParameterError

from helpers import flat, make_transformer
from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.fitting.parameters import resolve_batch_size, resolve_patch_size

X = np.random.default_rng(0).normal(size=(24, 6, 2)).astype(np.float32)
make = partial(make_transformer, epochs=1)


def shapes(model):
    return [weight.shape for weight in model.weights_]


@pytest.fixture(scope="module")
def plain():
    return make().fit(X)


@pytest.fixture(scope="module")
def both_ways():
    return make(bidirectional=True).fit(X)


# The network -----------------------------------------------------------------------------


@pytest.mark.parametrize("latent_dim", [np.int64(2), 5])
def test_latent_dim_is_the_width_of_a_code(latent_dim):
    assert make(latent_dim=latent_dim).fit_transform(X).shape == (24, latent_dim)


@pytest.mark.parametrize(("patch_size", "width"), [(1, 2), (4, 8)])
def test_patch_size_is_the_number_of_steps_decoded_at_once(patch_size, width):
    model = make(patch_size=patch_size).fit(X)
    assert shapes(model)[-1] == (width,)
    assert model.reconstruct(X).shape == X.shape
    assert model.errors(X, per="step").shape == X.shape[:2]


def test_patch_size_auto_joins_the_steps_of_long_sequences_only():
    lengths = {"short": 40, "long": 333}
    widths = {}
    for name, n_timesteps in lengths.items():
        series = np.random.default_rng(0).normal(size=(3, n_timesteps))
        widths[name] = shapes(make(hidden_units=(2,)).fit(series))[-1][0]
    assert widths["short"] == 1
    assert 25 <= 333 / widths["long"] <= 40


def test_patch_size_auto_makes_25_to_40_frames():
    sizes = {length: resolve_patch_size("auto", length, None) for length in range(1, 5000)}
    assert {size for length, size in sizes.items() if length <= 40} == {1}
    assert all(24 <= length / size <= 48 for length, size in sizes.items() if length > 40)
    assert all(25 <= length / size <= 40 for length, size in sizes.items() if length > 80)
    assert resolve_patch_size(3, 4999, None) == 3


def test_hidden_units_are_the_widths_of_the_encoder_and_mirrored_in_the_decoder():
    model = make(hidden_units=(4, 3), bidirectional=False, decoder_start="input").fit(X)
    recurrent = [shape[0] for shape in shapes(model) if shape[1:] == (4 * shape[0],)]
    assert [units for units in recurrent if units in (3, 4)] == [4, 3, 3, 4]


def test_hidden_units_may_be_a_list(plain):
    assert_array_equal(flat(make(hidden_units=[4]).fit(X)), flat(plain))


def test_no_hidden_units_is_the_network_of_tutorials():
    model = make(
        hidden_units=(), bottleneck="hidden", decoder_start="input", time_encoding=False
    ).fit(X)
    lstm = [(2, 8), (2, 8), (8,)]
    assert shapes(model) == [*lstm, *lstm, (2, 2), (2,)]


def test_bidirectional_layers_read_from_the_end_too():
    """What comes last enters the state of the first step only if someone reads backwards."""
    one, both = (
        make(bidirectional=bidirectional, pooling="last").fit(X) for bidirectional in (False, True)
    )
    assert len(both.weights_) == len(one.weights_) + 3
    assert shapes(one)[3] == (4, 2)  # the bottleneck
    assert shapes(both)[6] == (8, 2)


@pytest.mark.parametrize(
    ("bottleneck", "width"), [("dense", 2), ("hidden", 2), ("cell", 2), ("hidden_cell", 4)]
)
def test_bottleneck_sets_the_width_of_a_code(bottleneck, width):
    model = make(bottleneck=bottleneck).fit(X)
    codes = model.transform(X)
    assert codes.shape == (24, width)
    assert model.inverse_transform(codes).shape == X.shape


def test_bottleneck_codes_are_the_states_they_are_named_for():
    """A hidden state is tanh of the cell, times a gate between 0 and 1."""
    hidden, cell = (
        make(bottleneck=bottleneck, hidden_units=(3,)).fit_transform(10 * X)
        for bottleneck in ("hidden", "cell")
    )
    both = make(bottleneck="hidden_cell", hidden_units=(3,)).fit_transform(10 * X)
    assert (np.abs(hidden) < 1).all()
    assert (np.abs(both[:, :2]) < np.abs(np.tanh(both[:, 2:]))).all()
    assert_array_equal(np.sign(both[:, :2]), np.sign(both[:, 2:]))
    assert (hidden != cell).all()


@pytest.mark.parametrize(
    ("pooling", "width"), [("last", 8), ("mean", 8), ("last_mean", 16), ("all", 40)]
)
def test_pooling_is_what_the_bottleneck_sees(pooling, width, both_ways):
    model = make(pooling=pooling, bidirectional=True).fit(X)
    assert (width, 2) in shapes(model)
    differs = (model.transform(X) != both_ways.transform(X)).any()
    assert differs == (pooling != "last_mean")


@pytest.mark.parametrize("reverse_target", [False, True])
def test_reverse_target_begins_with_the_last_step(reverse_target):
    """What is said first does not depend on how much is said after it."""
    model = make(reverse_target=reverse_target).fit(X)
    codes = model.transform(X)
    long, short = model.inverse_transform(codes), model.inverse_transform(codes, lengths=3)
    first, other = (long[:, -3:], long[:, :3]) if reverse_target else (long[:, :3], long[:, -3:])
    assert_allclose(short, first, rtol=1e-5, atol=1e-6)
    assert np.abs(short - other).max() > 1e-3


def test_decoder_start_is_where_the_code_enters():
    starts = ("input", "state", "input_state")
    models = {start: make(decoder_start=start).fit(X) for start in starts}
    into_state, encoded = (2, 8), 16
    assert {start: into_state in shapes(models[start]) for start in starts} == {
        "input": False,
        "state": True,
        "input_state": True,
    }
    assert {start: (encoded + 2, 16) in shapes(models[start]) for start in starts} == {
        "input": True,
        "state": False,
        "input_state": True,
    }
    for model in models.values():
        decoded = model.inverse_transform([[0.0, 0.0], [1.0, -1.0]])
        assert (decoded[0] != decoded[1]).any()


def test_time_encoding_tells_the_decoder_the_time():
    told, untold = (make(time_encoding=told).fit(X) for told in (True, False))
    assert (16 + 2, 16) in shapes(told)  # sines and cosines of eight wavelengths, and the code
    assert (2, 16) in shapes(untold)


@pytest.mark.parametrize("decoder_start", ["input", "state", "input_state"])
@pytest.mark.parametrize("time_encoding", [False, True])
def test_decoders_say_different_things_at_different_times(decoder_start, time_encoding):
    model = make(decoder_start=decoder_start, time_encoding=time_encoding).fit(X)
    said = model.reconstruct(X)
    assert (said[:, 1:] != said[:, :-1]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("bottleneck", ["dense", "hidden"])
def test_activation(bottleneck):
    tanh = make(bottleneck=bottleneck, hidden_units=(3,)).fit(10 * X)
    with pytest.warns(UserWarning, match="activation='relu' lets the state .* without bound"):
        relu = make(bottleneck=bottleneck, hidden_units=(3,), activation="relu").fit(10 * X)
    assert (tanh.transform(X) != relu.transform(X)).any()
    if bottleneck == "hidden":  # a gate times relu of the cell
        assert (tanh.transform(X) < 0).any()
        assert (relu.transform(X) >= 0).all()


# Data ------------------------------------------------------------------------------------


def test_scaling_by_feature_takes_mean_and_deviation_of_fit():
    data = X * [3, 1] + [-50, 1]
    model = make(scaling="feature").fit(data)
    assert_allclose(model.mean_, data.mean(axis=(0, 1)), rtol=1e-6)
    assert_allclose(model.scale_, data.std(axis=(0, 1)), rtol=1e-6)
    assert_allclose(model.baseline_loss_, 1, rtol=1e-6)


def test_scaling_by_feature_makes_units_irrelevant(plain):
    other_units = make().fit(4 * X.astype(np.float64) + 64)
    assert_allclose(
        other_units.transform(4 * X.astype(np.float64) + 64), plain.transform(X), atol=1e-4
    )
    assert_allclose(
        other_units.reconstruct(4 * X.astype(np.float64) + 64),
        4 * plain.reconstruct(X) + 64,
        atol=1e-3,
    )


def test_scaling_by_sequence_appends_means_and_log_deviations():
    model = make(scaling="sequence").fit(X)
    codes = model.transform(X)
    assert codes.shape == (24, 2 + 2 * 2)
    assert_allclose(codes[:, 2:4], X.mean(axis=1), rtol=1e-5, atol=1e-6)
    assert_allclose(codes[:, 4:], np.log(X.std(axis=1)), rtol=1e-5, atol=1e-6)
    assert list(model.get_feature_names_out()[2:]) == [
        "mean_x0",
        "mean_x1",
        "log_deviation_x0",
        "log_deviation_x1",
    ]


def test_scaling_by_sequence_leaves_level_and_size_to_the_appended_columns():
    model = make(scaling="sequence").fit(X)
    size = np.exp(np.random.default_rng(1).normal(size=(24, 1, 2)))
    level = np.random.default_rng(2).normal(size=(24, 1, 2))
    codes, changed = model.transform(X), model.transform(X * size + level)
    assert_allclose(changed[:, :2], codes[:, :2], atol=1e-4)
    assert (np.abs(changed[:, 2:] - codes[:, 2:]) > 1e-4).all()
    assert_allclose(
        model.inverse_transform(changed), model.inverse_transform(codes) * size + level, atol=1e-3
    )


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e6])
def test_scaling_by_sequence_takes_a_stuck_sensor_for_the_least_lively(unit):
    waves = unit * X.astype(np.float64)
    stuck = np.full((2, 6, 2), [20 * unit, -0.1])
    model = make(scaling="sequence").fit(np.concatenate([waves, stuck]))
    for still in (stuck, stuck[:, :1], 0 * stuck):
        columns = model.transform(still)[:, 4:]
        assert_allclose(columns, np.log(model.scale_)[np.newaxis].repeat(2, axis=0), rtol=1e-6)
        assert (columns < model.transform(waves)[:, 4:].min(axis=0) - 2).all()
        others = np.abs(model.reconstruct(waves) - waves).max()
        assert np.abs(model.reconstruct(still) - still).max() < 0.2 * others
    assert_allclose(model.scale_, 0.1 * waves.std(axis=1).min(axis=0), rtol=1e-9)


def test_no_scaling_takes_values_as_they_are():
    model = make(scaling=None).fit(5 * X)
    assert_array_equal(model.scale_, 1)
    values = model.errors(5 * X, per="value")
    assert_allclose(values, (5 * X - model.reconstruct(5 * X)) ** 2, rtol=1e-4, atol=1e-5)
    assert_allclose(model.baseline_loss_, np.square(5 * X - 5 * X.mean((0, 1))).mean(), rtol=1e-5)


def test_missing_decides_on_nan():
    holes = X.copy()
    holes[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match=r'contains NaN at sequence 3, step 2.*missing="mask"'):
        make().fit(holes)
    model = make(missing="mask").fit(holes)
    assert np.isfinite(model.transform(holes)).all()
    tags = [make(missing=missing).__sklearn_tags__().input_tags for missing in ("error", "mask")]
    assert [tag.allow_nan for tag in tags] == [False, True]


@pytest.mark.parametrize(
    ("loss", "of_difference"),
    [
        ("mse", np.square),
        ("mae", np.abs),
        ("huber", lambda d: np.where(np.abs(d) <= 1, d**2 / 2, np.abs(d) - 0.5)),
    ],
)
def test_loss_is_what_is_learned_and_reported(loss, of_difference):
    model = make(loss=loss).fit(X)
    difference = (X - model.reconstruct(X)) / model.scale_
    expected = of_difference(difference)
    assert_allclose(model.errors(X, per="value"), expected, rtol=1e-3, atol=1e-5)
    assert_allclose(model.loss_, expected.mean(), rtol=1e-4)
    scaled = (X - model.mean_) / model.scale_
    assert_allclose(model.baseline_loss_, of_difference(scaled).mean(), rtol=1e-4)
    assert_allclose(model.history_["loss"][0], expected.mean(), rtol=0.1)


# Training --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start():
    """The initial weights: those that one infinitesimal step of gradient descent leaves."""
    return flat(make(optimizer="sgd", learning_rate=1e-30).fit(X))


def test_learning_rate_is_the_length_of_a_step(start):
    steps = [
        flat(make(optimizer="sgd", clipnorm=None, learning_rate=rate, batch_size=24).fit(X)) - start
        for rate in (0.01, 0.02)
    ]
    assert np.linalg.norm(steps[0]) > 0
    assert_allclose(steps[1], 2 * steps[0], rtol=1e-2, atol=1e-7)


def test_clipnorm_is_the_longest_gradient(start):
    lengths = {
        clipnorm: np.linalg.norm(
            flat(make(optimizer="sgd", clipnorm=clipnorm, learning_rate=1.0, batch_size=24).fit(X))
            - start
        )
        for clipnorm in (0.01, 0.02, 1e6, None)
    }
    assert_allclose([lengths[0.01], lengths[0.02]], [0.01, 0.02], rtol=1e-4)
    assert_allclose(lengths[1e6], lengths[None], rtol=1e-6)
    assert lengths[None] > 0.02


OPTIMIZERS = [
    "adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "rmsprop", "sgd",
]  # fmt: skip


def test_each_optimizer_learns_in_its_own_way():
    weights = set()
    for optimizer in OPTIMIZERS:
        rate = {"adadelta": 10.0, "adagrad": 0.1, "sgd": 0.1}.get(optimizer, 0.01)
        small = {"bidirectional": False, "pooling": "last", "epochs": 20}
        model = make(optimizer=optimizer, learning_rate=rate, **small).fit(X)
        assert model.loss_ < model.history_["loss"][0]
        weights.add(flat(model).tobytes())
    assert len(weights) == len(OPTIMIZERS)


def test_epochs_are_run_and_kept_in_the_history():
    model = make(epochs=3).fit(X)
    assert model.n_epochs_ == model.best_epoch_ == len(model.history_["loss"]) == 3
    assert list(model.history_) == ["loss", "reconstruct_loss"]


@pytest.mark.parametrize(
    ("n_sequences", "expected"),
    [(1, 4), (40, 4), (79, 4), (80, 8), (159, 8), (160, 16), (319, 16), (320, 32), (10**6, 32)],
)
def test_batch_size_auto_makes_some_ten_minibatches_of_few_sequences(n_sequences, expected):
    assert resolve_batch_size("auto", n_sequences) == expected
    assert resolve_batch_size(7, n_sequences) == 7


def test_batch_size_is_auto_by_default(plain):
    assert_array_equal(flat(make(batch_size=4).fit(X)), flat(plain))


def test_batch_size_is_the_number_of_sequences_of_a_step():
    """A batch as large as X is one step, and more than that cannot be."""
    whole, larger = (make(batch_size=batch_size).fit(X) for batch_size in (len(X), 10**9))
    assert_allclose(flat(larger), flat(whole), rtol=1e-5, atol=1e-6)
    steps = {
        batch_size: make(
            batch_size=batch_size, optimizer="sgd", clipnorm=1e-4, learning_rate=1.0
        ).fit(X)
        for batch_size in (8, 24)
    }
    start = flat(make(optimizer="sgd", learning_rate=1e-30).fit(X))
    moved = {size: np.linalg.norm(flat(model) - start) for size, model in steps.items()}
    # Three steps whose rates the schedule lowers: 1, (1 + cos 60°) / 2 and (1 + cos 120°) / 2.
    assert_allclose(moved[24], 1e-4, rtol=1e-2)
    assert 1.2e-4 < moved[8] < 2e-4


@pytest.mark.parametrize("regularizer", ["dropout", "noise"])
def test_chance_in_training_and_none_afterwards(regularizer, plain):
    model = make(**{regularizer: 0.5}).fit(X)
    assert model.history_["loss"] != plain.history_["loss"]
    assert (flat(model) != flat(plain)).any()
    assert_array_equal(model.transform(X), model.transform(X))
    assert_allclose(model.loss_, np.mean(model.errors(X)), rtol=1e-6)


def test_noise_leaves_the_target_clean():
    """However large the noise, a decoder that learns nothing is as wrong as without it."""
    settings = {"optimizer": "sgd", "learning_rate": 1e-30, "bottleneck": "hidden"}
    quiet, noisy = (make(noise=noise, **settings).fit(X) for noise in (0.0, 1000.0))
    assert_allclose(noisy.history_["loss"], quiet.history_["loss"], rtol=0.3)


# Early stopping --------------------------------------------------------------------------


def test_early_stopping_keeps_the_best_weights_and_stops_after_patience():
    # Noise cannot be learned, so that the loss on other sequences soon rises.
    model = make(early_stopping=True, patience=3, epochs=500, learning_rate=0.05).fit(X)
    losses = model.history_["val_loss"]
    assert len(losses) == len(model.history_["loss"]) == model.n_epochs_ < 500
    assert model.best_epoch_ == np.argmin(losses) + 1 == model.n_epochs_ - 3


def test_without_early_stopping_the_last_weights_are_kept():
    model = make(epochs=3, patience=1).fit(X)
    assert model.n_epochs_ == model.best_epoch_ == 3
    assert "val_loss" not in model.history_


def test_early_stopping_that_never_stopped_is_told():
    wave = np.sin(np.linspace(0, 6, 8) + np.arange(30)[:, np.newaxis])
    with pytest.warns(ConvergenceWarning, match="All 3 epochs were run .* increase epochs"):
        make(early_stopping=True, epochs=3).fit(wave)
    make(epochs=3).fit(wave)  # without it nobody asked for a stop, and a warning would be an error


@pytest.mark.filterwarnings("ignore:All 1 epochs were run")  # one epoch cannot stop early
def test_validation_fraction_is_set_aside():
    """Sequences that are set aside cannot be learned from: what they hold does not matter."""
    model = make(early_stopping=True, validation_fraction=0.5, scaling=None).fit(X)
    used = []
    for row in range(len(X)):
        changed = X.copy()
        changed[row] *= 2
        again = make(early_stopping=True, validation_fraction=0.5, scaling=None).fit(changed)
        used.append((flat(again) != flat(model)).any())
        assert (again.history_["val_loss"] != model.history_["val_loss"]) or used[-1]
    assert sum(used) == 12


def test_one_sequence_cannot_be_split():
    with pytest.raises(ValueError, match="n_samples=1"):
        make(early_stopping=True).fit(X[:1])


# Chance and output -----------------------------------------------------------------------


@pytest.mark.parametrize("random_state", [0, np.int64(0), np.int32(0)])
def test_random_state_of_any_integer_type(random_state, plain):
    assert_array_equal(flat(make(random_state=random_state).fit(X)), flat(plain))


@pytest.mark.parametrize("random_state", [1, 2**32 - 1, None, np.random.RandomState(1)])
def test_random_state_of_another_kind_gives_another_result(random_state, plain):
    assert (flat(make(random_state=random_state).fit(X)) != flat(plain)).any()


def test_each_epoch_has_an_order_of_its_own():
    from sklearn_lstmae.training.order import draw_order

    orders = [draw_order(np.full(20, 6), 8, seed=0, epoch=epoch) for epoch in range(2)]
    assert (orders[0] != orders[1]).any()
    for order in orders:
        assert_array_equal(np.sort(order[order >= 0]), np.arange(20))


@pytest.mark.parametrize(("verbose", "stream"), [(0, None), (1, "err"), (True, "err"), (2, "out")])
def test_verbose(verbose, stream, capfd, plain):
    model = make(verbose=verbose, epochs=3).fit(X)
    said = capfd.readouterr()._asdict()
    text = said.pop(stream) if stream else ""
    assert set(said.values()) <= {""}
    if stream == "err":  # one line, written over and over
        assert text.count("\n") == 1
        last = text.split("\r")[-1]
        assert re.search(r" 3/3 \[\d+:\d+<\d+:\d+,", last)  # epochs, time, time left
        assert f"loss {model.history_['loss'][-1]:.4g}" in last
    if stream == "out":
        lines = [f"loss {loss:.4g}, reconstruct_loss {loss:.4g}" for loss in model.history_["loss"]]
        assert text.splitlines() == [f"epoch {i}/3: {line}" for i, line in enumerate(lines, 1)]
    assert_array_equal(flat(model), flat(make(epochs=3).fit(X)))


# What is refused -------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
COUNTS = [0, -1, 2.5, "3", None, True, NAN]
REFUSED = {
    "latent_dim": COUNTS,
    "patch_size": [*COUNTS, "long"],
    "hidden_units": [4, (0,), (-1,), (2.5,), ("3",), (True,), (4, None), None, "4", {4}],
    "bidirectional": [2, "yes", None],
    "bottleneck": ["state", None, 1],
    "pooling": ["max", None],
    "summary_weight": [-0.1, 1e39, 10**400, INF, NAN, "0", None],
    "objective": ["forecast", None],
    "horizon": [0, -1, 2.5, "3", True, NAN],
    "prediction_weight": [0.0, 1.0, -0.1, NAN, "0.5", None],
    "conditional": [2, "yes", None],
    "reverse_target": [2, "no", None],
    "decoder_start": ["output", None],
    "time_encoding": [2, None],
    "dropout": [-0.1, 1.0, 1, NAN, "0", None],
    "noise": [-0.1, 1e300, INF, NAN, "0", None],
    "kl_weight": [-0.1, 1e300, INF, NAN, "0", None],
    "activation": ["sigmoid", None, len],
    "loss": ["rmse", None, len],
    "append_states": [2, "yes", None],
    "scaling": ["minmax", True, 1],
    "missing": ["fill", None, NAN],
    "optimizer": ["adamw2", None, "Adam"],
    "learning_rate": [0, -1, 1e300, 10**400, NAN, INF, "fast", None],
    "clipnorm": [0, -1.0, 1e300, NAN, INF, "1"],
    "epochs": COUNTS,
    "batch_size": [*COUNTS, "8"],
    "early_stopping": [2, "yes", None],
    "validation_fraction": [0, 0.0, 1.0, 1.5, -0.1, NAN, "a", None],
    "patience": COUNTS,
    "checkpoint_dir": [0, True, b"folder", ["folder"]],
    "resume": [2, "yes", None],
    "warm_start": [2, "yes", None],
    "random_state": [-1, 2**32, 0.5, "seed", np.random.default_rng(0)],
    "verbose": [-1, 0.5, "loud", None],
}


def test_every_parameter_refuses_something():
    assert sorted(REFUSED) == sorted(inspect.signature(LSTMAutoencoderTransformer).parameters)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_what_a_parameter_refuses(name, value):
    """In `fit`, before anything else: not when it is set, and not after the data were read."""
    LSTMAutoencoderTransformer(**{name: value})
    model = make().set_params(**{name: value})
    before = dict(vars(model))
    message = f"The '{name}' parameter of LSTMAutoencoderTransformer must be"
    with pytest.raises(InvalidParameterError, match=message):
        model.fit("not even data")
    assert vars(model) == before


@pytest.mark.parametrize(
    "size",
    [
        {"latent_dim": 10**9},
        {"latent_dim": 2**63},
        {"hidden_units": (10**5,)},
        {"patch_size": 10**9},
        {"patch_size": 10**30},
    ],
    ids=repr,
)
def test_a_network_that_is_too_large_is_refused_before_it_is_made(size):
    [value] = size.values()
    message = (
        rf"latent_dim=.*{re.escape(str(value))}.* weights, but at most 2147483647 can be trained"
    )
    with pytest.raises(ValueError, match=message):
        make(**size).fit(X)


@pytest.mark.parametrize("clipnorm", [1e19, 1e30, 3e38])
def test_a_norm_that_no_gradient_has_clips_nothing(clipnorm):
    unclipped = make(clipnorm=None, kl_weight=1e3).fit(X)
    clipped = make(clipnorm=clipnorm, kl_weight=1e3).fit(X)
    assert_allclose(flat(clipped), flat(unclipped), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("loss", ["huber", "mae", "mse"]),
        ("optimizer", OPTIMIZERS),
        ("activation", ["relu", "tanh"]),
        ("bottleneck", ["cell", "dense", "hidden", "hidden_cell"]),
    ],
)
def test_an_unknown_name_is_answered_with_those_allowed(name, allowed):
    with pytest.raises(InvalidParameterError) as caught:
        make(**{name: "unknown"}).fit(X)
    for one in [*allowed, "unknown"]:
        assert f"'{one}'" in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"hidden_units": ()}, ["hidden_units=()", "bottleneck='dense'"]),
        ({"bottleneck": "cell", "pooling": "mean"}, ["pooling='mean'", "bottleneck='cell'"]),
        ({"bottleneck": "hidden", "pooling": "last"}, ["pooling='last'", "bottleneck='hidden'"]),
    ],
)
def test_a_combination_without_meaning_names_both_parameters(parameters, names):
    with pytest.raises(ValueError, match="bottleneck") as caught:
        make(**parameters).fit(X)
    for name in names:
        assert name in str(caught.value)


def test_unknown_parameters():
    with pytest.raises(TypeError, match="unexpected keyword argument 'zz'"):
        LSTMAutoencoderTransformer(zz=1)
    with pytest.raises(ValueError, match="Invalid parameter 'zz'"):
        make().set_params(zz=1)


def test_all_but_the_first_parameter_are_keyword_only():
    first, *others = inspect.signature(LSTMAutoencoderTransformer).parameters.values()
    assert first.name == "latent_dim"
    assert {other.kind for other in others} == {inspect.Parameter.KEYWORD_ONLY}
