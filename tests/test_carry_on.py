"""Training that goes on: partial_fit and warm starts begin where the last call ended."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import InvalidParameterError

from helpers import assert_same, flat, make_transformer
from sklearn_lstmae import load, save

RNG = np.random.default_rng(0)
X = RNG.normal([3, -1], [2, 0.5], size=(24, 6, 2)).astype(np.float32)
LONG = np.concatenate([X, X[::-1]], axis=1)  # long enough for a summary
RAGGED = [sequence[: 3 + number % 4] for number, sequence in enumerate(X)]
TABLE = pd.DataFrame(X[:, :, 0], columns=list("abcdef"))
FRAMES = [pd.DataFrame(sequence, columns=["u", "v"]) for sequence in X]
CHANCE = {"dropout": 0.2, "noise": 0.1}


def make(**parameters):
    return make_transformer(**{"batch_size": 8} | parameters)


def duplicate(model):
    return pickle.loads(pickle.dumps(model))


def assert_same_model(got, expected):
    """Equal in all fitted attributes, to the bit."""
    state, same = ({k: v for k, v in vars(m).items() if k[-1] == "_"} for m in (got, expected))
    assert_same(state, same)


@pytest.fixture(scope="module")
def fitted():
    return make().fit(X)


# partial_fit: one pass, carried on -------------------------------------------------------


@pytest.mark.parametrize("data", [X, RAGGED, X[:, :, 0]], ids=["3d", "list", "2d"])
def test_partial_fit_needs_no_fit_before(data):
    model = make()
    assert model.partial_fit(data, y="ignored") is model
    assert model.n_epochs_ == model.best_epoch_ == len(model.history_["loss"]) == 1
    assert model.transform(data).shape == (24, 2)
    assert vars(model).keys() == vars(make().fit(data)).keys()


def test_the_first_pass_learns_like_an_epoch_at_a_constant_rate():
    """One minibatch: the schedule of fit begins at its peak."""
    passed, fitted = make(batch_size=24).partial_fit(X), make(batch_size=24, epochs=1).fit(X)
    assert_array_equal(flat(passed), flat(fitted))
    assert (passed.loss_, passed.baseline_loss_) == (fitted.loss_, fitted.baseline_loss_)


def test_the_rate_does_not_fall():
    def moves(**parameters):
        model = make(optimizer="sgd", clipnorm=1e-4, batch_size=24, **parameters)
        weights = [flat(model.partial_fit(X)) for _ in range(4)]
        return np.linalg.norm(np.diff(weights, axis=0), axis=1)

    assert_allclose(moves(learning_rate=1.0), 1e-4, rtol=1e-2)
    assert_allclose(moves(learning_rate=2.0), 2e-4, rtol=1e-2)


@pytest.mark.parametrize(
    "parameters",
    [
        CHANCE,
        {"scaling": "sequence"},
        {"scaling": None, "optimizer": "lion"},
        {"summary_weight": 1.0, "pooling": "all"},
    ],
    ids=str,
)
def test_the_same_pieces_give_the_same_bits(parameters, tmp_path):
    """Whether or not the model was pickled, copied or saved between two calls."""
    data = LONG if "summary_weight" in parameters else X
    pieces = [data[:10], data[10:], RAGGED]
    straight, detour = make(**parameters), make(**parameters)
    through_file = tmp_path / "model.lstmae"

    def by_file(model):
        save(model, through_file)
        return load(through_file)

    for piece, change in zip(pieces, (duplicate, by_file, copy.copy), strict=True):
        straight.partial_fit(piece)
        detour = change(detour).partial_fit(piece)
    assert_same_model(detour, straight)
    assert straight.n_epochs_ == 3


def test_pieces_on_a_fitted_model_give_the_same_bits(fitted, tmp_path):
    """partial_fit begins the optimizer anew after fit, and then keeps it."""
    assert fitted.optimizer_state_ is None
    model = duplicate(fitted).partial_fit(X[:10])
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    for one in (loaded, model):
        assert one.optimizer_state_["variables"][0] == 2  # two minibatches
        one.partial_fit(X)
    assert_same_model(loaded, model)
    assert model.optimizer_state_["variables"][0] == 5
    assert model.n_epochs_ == len(model.history_["loss"]) == 4
    model.fit(X)
    assert_same_model(model, fitted)


def test_the_optimizer_goes_on():
    """With momentum, two passes of one call each are not two first passes."""
    model = make().partial_fit(X)
    forgetful = duplicate(model)
    forgetful.optimizer_state_ = None
    assert (flat(model.partial_fit(X)) != flat(forgetful.partial_fit(X))).any()


def test_another_optimizer_begins_anew():
    model = make().partial_fit(X)
    model.set_params(optimizer="rmsprop").partial_fit(X)
    state = model.optimizer_state_
    assert state["optimizer"] == "rmsprop"
    assert state["variables"][0] == 3
    assert (state["n_epochs"], state["n_steps"]) == (2, 6)


def test_the_summary_goes_on():
    """Its definition is that of the first call, its layer that of the last one."""
    first = make(summary_weight=1.0).partial_fit(LONG)
    model = duplicate(first).partial_fit(list(LONG[:, :10]))
    before, after = first.optimizer_state_, model.optimizer_state_
    for name, array in before["summary"].items():
        assert_array_equal(array, after["summary"][name])
    assert all((a != b).any() for a, b in zip(before["head"], after["head"], strict=True))
    assert after["variables"][0] == 6
    warm = duplicate(first).set_params(warm_start=True).fit(list(LONG[:, :10]))
    assert_array_equal(
        warm.optimizer_state_["summary"]["components"], before["summary"]["components"]
    )


def test_a_summary_may_begin_and_end():
    """Then the optimizer begins anew, too, as its vectors have another length."""
    model = make(summary_weight=0.0).partial_fit(LONG)
    assert (model.optimizer_state_["head"], model.optimizer_state_["summary"]) == ([], None)
    model.set_params(summary_weight=1.0).partial_fit(LONG)
    assert model.optimizer_state_["variables"][0] == 3
    assert [array.shape for array in model.optimizer_state_["head"]] == [(2, 32), (32,)]
    model.set_params(summary_weight=0.0).partial_fit(LONG)
    assert model.optimizer_state_["variables"][0] == 3
    assert (model.optimizer_state_["head"], model.optimizer_state_["summary"]) == ([], None)
    assert_allclose(np.isnan(model.history_["summary_loss"]), [True, False, True])


def test_each_pass_draws_its_own_order_and_noise(monkeypatch):
    from sklearn_lstmae.training import loop as training

    drawn = []
    draw = training.draw_order

    def draw_order(*arguments):
        drawn.append(draw(*arguments))
        return drawn[-1]

    monkeypatch.setattr(training, "draw_order", draw_order)
    still = make(optimizer="sgd", learning_rate=1e-30, noise=0.5)
    still.partial_fit(X).partial_fit(X)
    assert (drawn[0] != drawn[1]).any()
    first, second = still.history_["loss"]
    assert first != second


def test_without_a_seed_the_first_one_is_kept():
    model = make(random_state=None).partial_fit(X)
    seed = model.optimizer_state_["seed"]
    assert model.partial_fit(X).optimizer_state_["seed"] == seed
    other = make(random_state=None).partial_fit(X)
    assert other.optimizer_state_["seed"] != seed
    state = np.random.RandomState(0)
    drawn = make(random_state=state).partial_fit(X)
    position = state.get_state()[2]
    drawn.partial_fit(X)
    assert state.get_state()[2] == position


def test_scaling_is_that_of_all_sequences_so_far():
    model = make().partial_fit(X[:5])
    assert_allclose(model.mean_, X[:5].mean(axis=(0, 1)), rtol=1e-5)
    model.partial_fit(X[5:6, :2]).partial_fit(list(X[6:]))
    seen = np.concatenate([piece.reshape(-1, 2) for piece in (X[:5], X[5:6, :2], X[6:])])
    assert_allclose(model.mean_, seen.mean(axis=0, dtype=np.float64), rtol=1e-6)
    assert_allclose(model.scale_, seen.std(axis=0, dtype=np.float64), rtol=1e-6)
    assert_allclose(model.var_, model.scale_**2)
    assert model.n_observed_.tolist() == [140, 140]
    assert model.n_timesteps_ == 6


def test_scaling_goes_on_from_that_of_fit(fitted):
    model = duplicate(fitted).partial_fit(100 + X[:8])
    seen = np.concatenate([X, 100 + X[:8]]).astype(np.float64)
    assert_allclose(model.mean_, seen.mean(axis=(0, 1)), rtol=1e-6)
    assert_allclose(model.scale_, seen.std(axis=(0, 1)), rtol=1e-6)


def test_missing_values_do_not_count():
    holey = X.copy()
    holey[:, 1, 0] = np.nan
    model = make(missing="mask").partial_fit(holey).partial_fit(X)
    assert model.n_observed_.tolist() == [24 * 11, 24 * 12]


def test_a_feature_that_was_constant_may_begin_to_move():
    still = X.copy()
    still[:, :, 1] = 7
    model = make().partial_fit(still)
    assert model.scale_[1] == 1
    model.partial_fit(X)
    expected = np.concatenate([still, X]).astype(np.float64).std(axis=(0, 1))
    assert_allclose(model.scale_, expected, rtol=1e-6)


def test_a_constant_stays_one_over_passes_of_any_dtype():
    still = X.astype(np.float64)
    still[:, :, 1] = 14.62
    model = make().partial_fit(still[:7]).partial_fit(still[7:]).partial_fit(X * [1, 0] + 14.62)
    assert model.scale_[1] == 1
    assert model.partial_fit(still.astype(np.float32)).scale_[1] == 1


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_constant_of_float32_stays_one_in_float64(method, tmp_path):
    still = X.astype(np.float64)
    still[:, :, 1] = 14.62
    model = getattr(make(), method)(still.astype(np.float32))
    save(model, tmp_path / "model")
    for each in (model, load(tmp_path / "model")):
        assert each.partial_fit(still).scale_[1] == 1
        assert each.partial_fit(still).scale_[1] == 1


def test_what_a_constant_sequence_counts_as_is_that_of_all_sequences_so_far():
    sequences = X * np.arange(1, 25)[::-1, np.newaxis, np.newaxis]
    model = make(scaling="sequence").partial_fit(sequences[:9]).partial_fit(sequences[9:])
    assert_allclose(model.scale_, 0.1 * sequences.std(axis=1).min(axis=0), rtol=1e-5)
    assert_array_equal(model.scale_, make(scaling="sequence").fit(sequences).scale_)


def test_a_stream_is_learned():
    waves = np.sin(np.linspace(0, 6, 8) + np.arange(160)[:, np.newaxis])
    model = make(hidden_units=(8,), learning_rate=0.02)
    for _ in range(15):
        for piece in np.split(waves, 4):
            model.partial_fit(piece)
    assert model.score(waves) > 0.8
    assert model.n_epochs_ == 60


def test_names_of_columns_are_checked():
    table = pd.DataFrame(X[:, :, 0], columns=list("abcdef"))
    model = make().partial_fit(table).partial_fit(table[:5])
    assert list(model.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="must be in the same order"):
        model.partial_fit(table[table.columns[::-1]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X[:, :, :1], "X has 1 features, but LSTMAutoencoderTransformer is expecting 2"),
        (X[:, :, 0], "X is 2-D, univariate .* fitted on sequences with 2 features"),
        (np.where(X > 5, np.nan, X), "contains NaN"),
        (X[:0], r"0 sample\(s\)"),
    ],
)
def test_sequences_that_do_not_agree_are_refused(data, message, fitted):
    model = duplicate(fitted)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.partial_fit(data)
    assert vars(model) == before


def test_a_pass_that_diverges_changes_nothing():
    model = make(optimizer="sgd", clipnorm=None).partial_fit(X)
    before = duplicate(model)
    with pytest.raises(ValueError, match="stopped being finite in epoch 1"):
        model.set_params(learning_rate=1e30).partial_fit(X)
    assert_same_model(model, before)


@pytest.mark.parametrize("prepare", [lambda model: model, lambda model: model.partial_fit(X)])
def test_parameters_are_checked_before_each_pass(prepare):
    with pytest.raises(InvalidParameterError, match="'batch_size' parameter"):
        prepare(make()).set_params(batch_size=0).partial_fit(X)
    with pytest.raises(ValueError, match="early_stopping=True has no meaning for partial_fit"):
        prepare(make()).set_params(early_stopping=True).partial_fit(X)


CHANGES = {
    "latent_dim": (3, "latent_dim is 2"),
    "hidden_units": ((4, 4), r"hidden_units is \[4\]"),
    "patch_size": (2, "patch_size is 1"),
    "bottleneck": ("cell", "bottleneck is 'dense'"),
    "objective": ("predict", r"decoders is \['reconstruct'\]"),
    "kl_weight": (0.5, "variational is False"),
    "missing": ("mask", "tells_missing is False"),
}


@pytest.mark.parametrize(("name", "value", "fitted_as"), [(k, *v) for k, v in CHANGES.items()])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_network_is_refused_naming_the_parameter(method, name, value, fitted_as, fitted):
    model = duplicate(fitted).set_params(warm_start=True, **{name: value})
    before = dict(vars(model))
    message = re.escape(f"{name}={value!r} does not match the fitted model")
    with pytest.raises(ValueError, match=f"{message}, whose {fitted_as}"):
        getattr(model, method)(X)
    assert vars(model) == before


@pytest.mark.parametrize(("name", "value"), [("loss", "mae"), ("scaling", None)])
def test_a_pass_keeps_the_settings_that_a_warm_start_may_change(name, value, fitted):
    model = duplicate(fitted).set_params(warm_start=True, **{name: value})
    with pytest.raises(ValueError, match=f"{name}={value!r} does not match the fitted model"):
        model.partial_fit(X)
    assert model.fit(X).configuration_[name] == value


def test_a_model_without_counts_cannot_carry_its_scaling_on(fitted):
    """As one of a file that an earlier version wrote."""
    model = duplicate(fitted)
    del model.n_observed_, model.var_, model.optimizer_state_
    with pytest.raises(ValueError, match="fitted by an earlier version, which did not count"):
        model.partial_fit(X)
    assert model.set_params(warm_start=True).fit(X).n_epochs_ == 4


# Warm starts -----------------------------------------------------------------------------


def test_a_warm_start_goes_on_from_the_fitted_weights(fitted):
    settings = {"optimizer": "sgd", "learning_rate": 1e-30, "warm_start": True}
    still = duplicate(fitted).set_params(**settings).fit(X)
    assert_allclose(flat(still), flat(fitted), rtol=1e-6)
    assert still.loss_ == pytest.approx(fitted.loss_)
    cold = duplicate(fitted).set_params(**settings | {"warm_start": False}).fit(X)
    assert (flat(cold) != flat(fitted)).any()


def test_a_warm_start_of_nothing_is_a_fit(fitted):
    warm = make(warm_start=True).fit(X)
    assert_array_equal(flat(warm), flat(fitted))
    assert warm.optimizer_state_["variables"][0] == 6  # kept for the next one


def test_warm_starts_add_to_the_history(fitted):
    model = duplicate(fitted).set_params(warm_start=True, epochs=3).fit(X)
    assert model.n_epochs_ == model.best_epoch_ == len(model.history_["loss"]) == 5
    assert model.history_["loss"][:2] == fitted.history_["loss"]
    assert model.optimizer_state_["variables"][0] == 9
    model.fit(X)
    assert model.optimizer_state_["variables"][0] == 18
    assert model.optimizer_state_["n_epochs"] == 6
    assert model.set_params(warm_start=False, epochs=2).fit(X).optimizer_state_ is None
    assert_array_equal(flat(model), flat(fitted))


def test_a_warm_start_gives_the_same_bits_after_a_pickle(fitted):
    models = [duplicate(fitted).set_params(warm_start=True, **CHANCE) for _ in range(2)]
    for _ in range(2):
        models = [models[0].fit(X), duplicate(models[1]).fit(X)]
    assert_same_model(*models)


def test_a_warm_start_scales_by_its_own_sequences(fitted):
    other_site = 50 + 10 * X[:12]
    model = duplicate(fitted).set_params(warm_start=True).fit(other_site)
    assert_allclose(model.mean_, other_site.mean(axis=(0, 1)), rtol=1e-5)
    assert_allclose(model.scale_, other_site.std(axis=(0, 1)), rtol=1e-5)
    assert model.n_observed_.tolist() == [72, 72]


def test_level_and_size_of_another_site_do_not_matter(fitted):
    near, far = (
        duplicate(fitted).set_params(warm_start=True).fit(data)
        for data in (X[:12], 64 + 4 * X[:12].astype(np.float64))
    )
    assert_allclose(flat(far), flat(near), atol=1e-4)


def test_a_warm_start_takes_other_lengths_and_layouts():
    long = np.concatenate([X] * 20, axis=1)
    model = make(warm_start=True).fit(X)
    model.fit(long)  # patch_size="auto" would choose longer frames for these alone
    assert model.configuration_["architecture"]["patch_size"] == 1
    assert model.n_timesteps_ == 120
    model.fit(RAGGED)
    assert model.n_timesteps_ == 6
    assert isinstance(model.inverse_transform(model.transform(RAGGED)), list)
    table = make(warm_start=True).fit(X[:, :, 0]).fit(X[:, :4, 0])
    assert table.n_features_in_ == 4


def test_a_warm_start_on_other_features_is_refused(fitted):
    model = duplicate(fitted).set_params(warm_start=True)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"X has 1 features, but .* expecting 2 .*warm_start"):
        model.fit(X[:, :, :1])
    assert vars(model) == before


def test_a_warm_start_on_features_in_another_order_is_refused():
    model = make(warm_start=True).fit(FRAMES)
    weights, others = model.weights_, [frame[["v", "u"]] for frame in FRAMES]
    with pytest.raises(ValueError, match=r"are \['v', 'u'\], .* \['u', 'v'\]: .* the same order"):
        model.fit(others)
    assert model.weights_ is weights
    assert list(model.feature_names_in_) == ["u", "v"]
    model.fit([frame.rename(columns={"v": "w"}) for frame in FRAMES])  # of another machine
    assert list(model.feature_names_in_) == ["u", "w"]
    model.fit(X)
    assert make().fit(FRAMES).fit(others).n_epochs_ == 2
    with pytest.raises(ValueError, match="the same order"):
        make(warm_start=True).fit(TABLE).fit(TABLE[list("fedcba")])


@pytest.mark.filterwarnings("ignore:All 2 epochs were run")
def test_epochs_without_a_validation_loss_have_nan(fitted):
    model = duplicate(fitted).set_params(warm_start=True, early_stopping=True, patience=5).fit(X)
    val_loss = model.history_["val_loss"]
    assert np.isnan(val_loss[:2]).all()
    assert np.isfinite(val_loss[2:]).all()
    assert model.best_epoch_ == 3 + np.argmin(val_loss[2:])
    model.set_params(early_stopping=False).fit(X)
    assert np.isnan(model.history_["val_loss"]).tolist() == [True] * 2 + [False] * 2 + [True] * 2


def test_a_warm_start_that_never_stopped_says_how_many_epochs_it_had(fitted):
    waves = np.sin(np.linspace(0, 6, 6) + np.arange(30)[:, np.newaxis])
    model = make(warm_start=True).fit(waves)
    with pytest.warns(ConvergenceWarning, match="All 3 epochs were run"):
        model.set_params(early_stopping=True, epochs=3).fit(waves)


def test_a_pass_after_a_warm_start_goes_on_from_both(fitted):
    model = duplicate(fitted).set_params(warm_start=True).fit(X[:12]).partial_fit(X[12:])
    assert_allclose(model.mean_, X.mean(axis=(0, 1)), rtol=1e-5)
    assert model.n_epochs_ == 5
    assert model.optimizer_state_["n_epochs"] == 3


@pytest.mark.parametrize(("verbose", "stream"), [(1, "err"), (2, "out")])
def test_a_pass_is_shown(verbose, stream, capfd):
    model = make(verbose=verbose).partial_fit(X)
    said = capfd.readouterr()._asdict()[stream]
    assert f"loss {model.history_['loss'][0]:.4g}" in said
    assert "1/1" in said


def test_a_warm_start_on_shorter_sequences_is_saved_and_resumed(tmp_path):
    longer = np.tile(LONG, (1, 4, 1))
    model = make(warm_start=True).fit(longer).fit(LONG)
    assert model.optimizer_state_["summary"]["dilations"].max() > 1
    save(model, tmp_path / "model")
    assert_same_model(load(tmp_path / "model"), model)
    folder = {"checkpoint_dir": tmp_path / "checkpoints", "resume": True}
    fits = [make(warm_start=True).fit(longer).set_params(**folder).fit(LONG) for _ in range(2)]
    assert_same_model(*fits)


def test_a_table_may_be_followed_by_longer_sequences(tmp_path):
    table = X[:, :, 0]
    model = make().partial_fit(table).partial_fit([*np.tile(table, (1, 3))])
    assert (model.n_features_in_, model.n_timesteps_) == (6, 18)
    save(model, tmp_path / "model")
    assert_same_model(load(tmp_path / "model"), model)
