"""The family of decoders: what they say, how far ahead, on what condition, from which code."""

import importlib.util
import pickle
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from helpers import assert_same, assert_same_fit, padded, ragged
from sklearn_lstmae import LSTMAutoencoderTransformer

LENGTHS = [5, 4, 9, 6, 4, 7, 9, 5]
CUBE = (50 + 3 * np.random.default_rng(0).normal(size=(8, 9, 2))).astype(np.float32)
RAGGED = ragged(CUBE, LENGTHS)
GAPPED = [np.where(np.arange(2 * len(s)).reshape(-1, 2) % 5 == 1, np.nan, s) for s in RAGGED]

VARIANTS = {
    "reconstruct": {},
    "frames, with gaps": {"patch_size": 3, "missing": "mask", "loss": "huber"},
    "two states alone": {"hidden_units": (), "bottleneck": "hidden_cell", "scaling": "sequence"},
    "conditional": {"conditional": True, "bottleneck": "cell", "bidirectional": True},
    "variational": {"kl_weight": 0.1, "noise": 0.1},
    "shifted": {"objective": "predict"},
    "shifted, conditional": {"objective": "predict", "conditional": True, "patch_size": 2},
    "predict": {"objective": "predict", "horizon": 2, "reverse_target": False},
    "predict, conditional": {
        "objective": "predict",
        "horizon": 3,
        "conditional": True,
        "scaling": "sequence",
        "decoder_start": "input",
        "time_encoding": False,
    },
    "predict, frames with gaps": {
        "objective": "predict",
        "horizon": 3,
        "patch_size": 2,
        "missing": "mask",
        "bottleneck": "hidden",
    },
    "composite, shifted": {"objective": "composite", "patch_size": 2, "loss": "mae"},
    "composite": {"objective": "composite", "horizon": 1, "prediction_weight": 0.3},
    "composite, all but scaled": {
        "objective": "composite",
        "horizon": 2,
        "conditional": True,
        "kl_weight": 0.01,
        "missing": "mask",
        "patch_size": 2,
        "noise": 0.1,
        "dropout": 0.1,
        "scaling": None,
    },
    "composite, by sequence": {
        "objective": "composite",
        "horizon": 3,
        "bottleneck": "hidden_cell",
        "missing": "mask",
        "scaling": "sequence",
        "prediction_weight": 0.8,
    },
}


def make(**parameters):
    small = {"latent_dim": 2, "hidden_units": (3,), "bidirectional": False, "patch_size": 1}
    training = {"epochs": 2, "batch_size": 4, "random_state": 0}
    return LSTMAutoencoderTransformer(**small | training | parameters)


def tasks_of(model):
    both = ("reconstruct", "predict")
    return both if model.objective == "composite" else (model.objective,)


def says(model, X):
    """All that a fitted model says about X, a result a row each."""
    results = {"transform": model.transform(X), "score_samples": model.score_samples(X)}
    for task in tasks_of(model):
        results[f"reconstruct {task}"] = model.reconstruct(X, task=task)
        for per in ("step", "feature", "value"):
            results[f"errors {task} {per}"] = model.errors(X, per=per, task=task)
    if model.horizon is not None:
        results["forecast"] = model.forecast(X)
    return results


def said_steps(model, task, length):
    """Which steps of a sequence of ``length`` the decoder says in training: a slice."""
    if task == "predict":
        return slice(1 if model.horizon is None else length - model.horizon, length)
    return slice(0, length - (model.horizon or 0))


# Laws of every variant -------------------------------------------------------------------


def a_row_is_what_it_is_alone(model, X):
    together = says(model, X)
    for row in range(len(X)):
        alone = says(model, X[row : row + 1])
        for name, result in together.items():
            [one], other = alone[name], result[row]
            cut = len(one) if name.endswith(("step", "value")) else None
            assert_array_equal(one, other[:cut] if cut else other, err_msg=name)
            assert not cut or np.isnan(other[cut:]).all()


def the_order_of_rows_does_not_matter(model, X):
    order = np.random.default_rng(1).permutation(len(X))
    ordered = says(model, [X[row] for row in order])
    assert_same(ordered, {k: [v[row] for row in order] for k, v in says(model, X).items()})


def a_longer_row_beside_it_does_not_matter(model, X):
    long = np.concatenate([X[2]] * 5)
    for n_rows in (1, 40):
        beside = model.transform([*X, *[long] * n_rows])
        assert_array_equal(beside[: len(X)], model.transform(X))


def padding_does_not_matter(model, X):
    if model.missing != "mask":
        return
    for n_more in (1, 8):
        array = padded(X, n_more)
        assert_array_equal(model.transform(array), model.transform(X))
        for task in tasks_of(model):
            of_list = model.reconstruct(X, task=task)
            of_array = model.reconstruct(array, task=task)
            for row, sequence in zip(of_array, of_list, strict=True):
                assert_array_equal(row[: len(sequence)], sequence)
                assert np.isnan(row[len(sequence) :]).all()


def a_second_fit_and_a_refit_are_the_first(model, X):
    again = clone(model).fit(X)
    assert_same_fit(again, model)
    used = clone(model).set_params(random_state=1).fit(RAGGED[:3])
    used.set_params(random_state=0).fit(X)
    assert vars(used).keys() == vars(model).keys()
    assert_same_fit(used, model)


def a_pickle_says_the_same(model, X):
    assert_same(says(pickle.loads(pickle.dumps(model)), X), says(model, X))


def shapes_are_those_of_x(model, X):
    for task in tasks_of(model):
        for result, sequence in zip(model.reconstruct(X, task=task), X, strict=True):
            n_steps = len(sequence)
            if task == "predict":
                n_steps = model.horizon or n_steps - 1
            assert (result.shape, result.dtype) == ((n_steps, 2), np.float64)
            assert np.isfinite(result).all()
    assert model.transform(X).shape == (len(X), len(model.get_feature_names_out()))
    assert_array_equal(model.score_samples(X), -model.errors(X))


def reconstructing_is_encoding_and_decoding(model, X):
    if model.objective == "predict":
        return
    lengths = [len(sequence) for sequence in X]
    decoded = model.inverse_transform(model.transform(X), lengths=lengths)
    for one, other in zip(model.reconstruct(X), decoded, strict=True):
        assert_allclose(one, other, rtol=1e-6)


def a_forecast_of_the_past_is_the_prediction_within_the_whole(model, X):
    if model.horizon is None:
        return
    past = [sequence[: -model.horizon] for sequence in X]
    forecast = model.forecast(past)
    assert (forecast.shape, forecast.dtype) == ((len(X), model.horizon, 2), np.float64)
    assert_allclose(forecast, model.reconstruct(X, task="predict"), rtol=1e-6)
    if model.objective == "predict":
        assert_allclose(forecast, model.inverse_transform(model.transform(past)), rtol=1e-6)


def errors_are_nan_where_nothing_is_said_or_observed(model, X):
    for task in tasks_of(model):
        values = model.errors(X, per="value", task=task)
        known = np.zeros_like(values, bool)
        for row, sequence in enumerate(X):
            said = said_steps(model, task, len(sequence))
            known[row, said] = ~np.isnan(sequence[said])
        assert_array_equal(~np.isnan(values), known)
        for per, axes in {"sequence": (1, 2), "step": 2, "feature": 1}.items():
            total, count = np.nansum(values, axis=axes), known.sum(axis=axes)
            mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
            assert_allclose(model.errors(X, per=per, task=task), mean, rtol=1e-6)


def errors_are_those_of_what_is_said(model, X):
    task = tasks_of(model)[-1]
    past = X if task == "predict" else [s[: said_steps(model, task, len(s)).stop] for s in X]
    function = {
        "mse": np.square,
        "mae": np.abs,
        "huber": lambda d: np.where(abs(d) <= 1, d**2 / 2, abs(d) - 0.5),
    }[model.loss]
    values = model.errors(X, per="value", task=task)
    for row, output in enumerate(model.reconstruct(past, task=task)):
        said = said_steps(model, task, len(X[row]))
        _, scale = scale_of(model, X[row])
        expected = function((X[row][said] - output) / scale)
        assert_allclose(values[row, said], expected, rtol=1e-3, atol=1e-4)


def scale_of(model, sequence):
    """Mean and deviation by which a sequence is scaled."""
    if model.scaling != "sequence":
        return model.mean_, model.scale_
    seen = sequence[: len(sequence) - (model.horizon or 0)].astype(np.float64)
    known = ~np.isnan(seen)
    mean = np.nansum(seen, axis=0) / np.maximum(known.sum(axis=0), 1)
    squares = np.nansum(np.square(seen - mean), axis=0)
    deviation = np.sqrt(squares / np.maximum(known.sum(axis=0), 1))
    return mean, np.where(deviation > 0, deviation, model.scale_)


def the_score_and_the_loss_are_made_of_errors(model, X):
    shares = {"reconstruct": 1 - model.prediction_weight, "predict": model.prediction_weight}
    losses = {t: np.nanmean(model.errors(X, per="value", task=t)) for t in tasks_of(model)}
    loss = sum(shares[t] * losses[t] for t in losses) / sum(shares[t] for t in losses)
    assert_allclose(model.loss_, loss, rtol=1e-4)
    if model.loss != "mse":
        return
    task = tasks_of(model)[0]
    deviations = 0.0
    for sequence in X:
        mean, scale = scale_of(model, sequence)
        said = sequence[said_steps(model, task, len(sequence))]
        deviations += np.nansum(np.square((said - mean) / scale))
    errors = np.nansum(model.errors(X, per="value", task=task))
    assert_allclose(model.score(X), 1 - errors / deviations, rtol=1e-4, atol=1e-4)


def the_history_has_a_list_a_loss(model, X):
    parts = [f"{task}_loss" for task in tasks_of(model)]
    others = [("kl_loss", model.kl_weight), ("summary_loss", model.summary_weight)]
    seen = max(map(len, X)) - (model.horizon or 0)  # shorter than a kernel: no summary
    others = {n: w for n, w in others if w and (n != "summary_loss" or seen >= 9)}
    assert list(model.history_) == ["loss", *parts, *others]
    assert {len(losses) for losses in model.history_.values()} == {2}
    weight = model.prediction_weight
    shares = [1 - weight, weight] if len(parts) == 2 else [1.0]
    named = zip([*parts, *others], [*shares, *others.values()], strict=True)
    total = sum(share * np.array(model.history_[part]) for part, share in named)
    assert_allclose(model.history_["loss"], total, rtol=1e-5)


LAWS = [
    a_row_is_what_it_is_alone,
    the_order_of_rows_does_not_matter,
    a_longer_row_beside_it_does_not_matter,
    padding_does_not_matter,
    a_second_fit_and_a_refit_are_the_first,
    a_pickle_says_the_same,
    shapes_are_those_of_x,
    reconstructing_is_encoding_and_decoding,
    a_forecast_of_the_past_is_the_prediction_within_the_whole,
    errors_are_nan_where_nothing_is_said_or_observed,
    errors_are_those_of_what_is_said,
    the_score_and_the_loss_are_made_of_errors,
    the_history_has_a_list_a_loss,
]


@pytest.mark.parametrize("name", VARIANTS)
def test_laws_hold_for_the_whole_family(name):
    """One test a variant, since each compiles a network of its own."""
    model = make(**VARIANTS[name])
    X = GAPPED if model.missing == "mask" else RAGGED
    model.fit(X)
    for law in LAWS:
        law(model, X)


# What each parameter does ----------------------------------------------------------------

PREDICT = {"objective": "predict", "horizon": 2, "reverse_target": False}  # as in VARIANTS
COMPOSITE = {"objective": "composite", "horizon": 2}
CONDITIONAL = PREDICT | {"conditional": True, "time_encoding": False}


@pytest.fixture(scope="module")
def predictor():
    return make(**PREDICT).fit(CUBE)


@pytest.fixture(scope="module")
def composite():
    return make(**COMPOSITE).fit(CUBE)


@pytest.fixture(scope="module")
def conditional():
    return make(**CONDITIONAL).fit(CUBE)


def test_the_horizon_is_not_seen_where_it_is_predicted(composite):
    other = CUBE.copy()
    other[:, -2:] += 5
    changed, same = (composite.reconstruct(X, task="predict") for X in (other, CUBE))
    assert_array_equal(changed, same)
    assert_array_equal(composite.errors(other), composite.errors(CUBE))
    assert (composite.errors(other, task="predict") != composite.errors(CUBE, task="predict")).all()
    assert (composite.transform(other) != composite.transform(CUBE)).any(axis=1).all()
    seen = CUBE.copy()
    seen[:, -3] += 5
    predictions = (composite.reconstruct(X, task="predict") for X in (seen, CUBE))
    assert np.not_equal(*predictions).any(axis=(1, 2)).all()


@pytest.mark.parametrize(("horizon", "n_steps"), [(None, 8), (2, 2), (np.int64(3), 3)])
def test_the_horizon_is_the_number_of_steps_said(horizon, n_steps):
    model = make(**PREDICT | {"horizon": horizon}).fit(CUBE)
    assert model.reconstruct(CUBE).shape == (8, n_steps, 2)
    assert model.inverse_transform(model.transform(CUBE)).shape == (8, n_steps, 2)
    assert model.inverse_transform(model.transform(CUBE), lengths=4).shape == (8, 4, 2)
    assert model.configuration_["horizon"] == horizon


def test_the_heavier_loss_falls_lower():
    waves = np.sin(np.linspace(0, 6, 9) + np.arange(30)[:, np.newaxis])
    losses = {}
    for weight in (0.02, 0.98):
        model = make(**COMPOSITE, prediction_weight=weight, epochs=30, learning_rate=0.01)
        model.fit(waves)
        losses[weight] = [model.errors(waves, task=t).mean() for t in ("reconstruct", "predict")]
    (reconstructing, neglected), (also_neglected, predicting) = losses[0.02], losses[0.98]
    assert reconstructing < 0.9 * also_neglected
    assert predicting < 0.9 * neglected


def test_a_heavier_divergence_draws_codes_together():
    model, spread, divergence = make(summary_weight=0.0, epochs=40, learning_rate=0.02), [], []
    for weight in (1e-4, 1.0):
        model.set_params(kl_weight=weight).fit(CUBE)
        spread.append(np.abs(model.transform(CUBE)).mean())
        divergence.append(model.history_["kl_loss"][-1])
    assert spread[1] < 0.3 * spread[0]
    assert 0 <= divergence[1] < 0.3 * divergence[0]


def test_codes_of_a_variational_encoder_are_not_drawn():
    model = make(kl_weight=0.1).fit(CUBE)
    assert_array_equal(model.transform(CUBE), model.transform(CUBE))
    assert len(model.weights_) == len(make().fit(CUBE).weights_) + 2


def test_a_conditional_decoder_reads_what_it_said(conditional):
    """Without the weights of the previous frame only the first step is the same."""
    deaf = pickle.loads(pickle.dumps(conditional))
    # It alone reads four columns: the previous frame, and the code.
    [place] = [number for number, w in enumerate(deaf.weights_) if w.shape == (2 + 2, 4 * 3)]
    kernel = deaf.weights_[place]
    deaf.weights_[place] = np.concatenate([np.zeros((2, 12), np.float32), kernel[2:]])
    with_it, without = (model.forecast(CUBE, steps=6) for model in (conditional, deaf))
    assert_array_equal(with_it[:, 0], without[:, 0])
    assert (with_it[:, 1:] != without[:, 1:]).any(axis=(0, 2)).all()


# Forecasts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "n_features"),
    [
        (CUBE, 2),
        (CUBE[:, :, 0], 1),
        (RAGGED, 2),
        ([sequence[:, 0] for sequence in RAGGED], 1),
    ],
    ids=["3d", "2d", "list", "list-1d"],
)
def test_forecasts_have_one_shape_in_every_layout(X, n_features):
    model = make(**PREDICT).fit(X)
    forecast = model.forecast(X)
    assert (forecast.shape, forecast.dtype) == ((8, 2, n_features), np.float64)
    assert np.abs(forecast - 50).max() < 20  # in original units
    ended = model.forecast(X, steps=2, until=lambda step: True)
    assert [sequence.shape for sequence in ended] == [(1, n_features)] * 8


def test_a_sequence_shorter_than_the_horizon_can_be_gone_on_from(predictor):
    assert predictor.forecast(CUBE[:, :1]).shape == (8, 2, 2)


def test_fewer_steps_are_the_first_ones(predictor, conditional):
    whole = predictor.forecast(CUBE)
    assert_allclose(predictor.forecast(CUBE, steps=1), whole[:, :1], rtol=1e-7)
    assert_array_equal(conditional.forecast(CUBE), conditional.forecast(CUBE, steps=2))
    long = conditional.forecast(CUBE, steps=11)
    assert long.shape == (8, 11, 2)
    for steps in (1, np.int64(7)):
        assert_allclose(conditional.forecast(CUBE, steps=steps), long[:, :steps], rtol=1e-6)


def test_until_ends_a_forecast_after_the_first_step_that_holds(conditional):
    whole = conditional.forecast(CUBE, steps=7)
    threshold = np.median(whole[:, :, 0])
    seen = []

    def until(step):
        seen.append(step.copy())
        return step[0] > threshold

    forecast = conditional.forecast(CUBE, steps=7, until=until)
    assert isinstance(forecast, list)
    for ended, row in zip(forecast, whole, strict=True):
        above = np.flatnonzero(row[:, 0] > threshold)
        assert_array_equal(ended, row[: above[0] + 1] if above.size else row)
    assert {step.shape for step in seen} == {(2,)}
    assert_array_equal(np.stack(seen), np.concatenate(forecast))


@pytest.mark.parametrize(("holds", "length"), [(True, 1), (False, 5), (np.bool_(True), 1)])
def test_until_may_hold_at_once_or_never(conditional, holds, length):
    forecast = conditional.forecast(RAGGED, steps=5, until=lambda step: holds)
    assert [sequence.shape for sequence in forecast] == [(length, 2)] * 8


@pytest.mark.parametrize(
    "parameters", [{}, {"objective": "predict"}, {"objective": "composite"}], ids=str
)
def test_a_forecast_needs_a_horizon(parameters):
    model = make(**parameters).fit(CUBE)
    with pytest.raises(ValueError, match="has learned a horizon: fit with objective='predict' or"):
        model.forecast(CUBE)


def test_more_steps_than_the_horizon_need_a_condition(predictor):
    with pytest.raises(ValueError, match=r"steps=3 is more than horizon=2.*conditional=True"):
        predictor.forecast(CUBE, steps=3)


def test_until_needs_steps(conditional):
    with pytest.raises(ValueError, match="until needs steps"):
        conditional.forecast(CUBE, until=lambda step: True)


@pytest.mark.parametrize("until", [None, bool])
@pytest.mark.parametrize(
    "steps", [0, -1, True, 2.5, "2", [2], 2**31, 2**63, 10**30, np.uint64(2**63)]
)
def test_steps_that_are_no_count_are_refused(conditional, steps, until):
    with pytest.raises(
        ValueError, match="steps must be an int of at least 1 and at most 2147483647"
    ):
        conditional.forecast(CUBE, steps=steps, until=until)


def test_a_forecast_needs_a_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        make(**PREDICT).forecast(CUBE)


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(("horizon", "least"), [(None, 2), (2, 3), (5, 6)])
@pytest.mark.parametrize("objective", ["predict", "composite"])
def test_a_sequence_within_the_horizon_is_named_in_fit(objective, horizon, least):
    X = [CUBE[0], CUBE[1, : least - 1], CUBE[2]]
    match = f"Sequence 1 of X has {least - 1} timesteps.*horizon={horizon} needs at least {least}"
    with pytest.raises(ValueError, match=match):
        make(objective=objective, horizon=horizon).fit(X)


@pytest.mark.parametrize("method", ["errors", "score_samples", "score"])
def test_a_sequence_within_the_horizon_is_named_later(method, composite):
    with pytest.raises(ValueError, match=r"Sequence 2 of X has 2 timesteps.*at least 3"):
        getattr(composite, method)([CUBE[0], CUBE[1], CUBE[2, :2]])


def test_a_sequence_within_the_horizon_is_named_where_it_is_predicted(composite):
    X = [CUBE[0], CUBE[1, :2]]
    with pytest.raises(ValueError, match=r"Sequence 1 of X has 2 timesteps.*smaller horizon"):
        composite.reconstruct(X, task="predict")
    assert composite.transform(X).shape == (2, 2)
    assert [len(sequence) for sequence in composite.reconstruct(X)] == [9, 2]


@pytest.mark.parametrize("method", ["reconstruct", "errors"])
@pytest.mark.parametrize("task", ["predict", "both", 1, ["reconstruct"]])
def test_a_task_that_was_not_learned_is_refused(method, task):
    model = make().fit(CUBE)
    with pytest.raises(ValueError, match=r"task=.* is not one of \['reconstruct'\]"):
        getattr(model, method)(CUBE, task=task)


@pytest.mark.parametrize("method", ["reconstruct", "errors"])
def test_a_predictor_does_not_reconstruct(method, predictor):
    with pytest.raises(ValueError, match=r"task='reconstruct' is not one of \['predict'\]"):
        getattr(predictor, method)(CUBE, task="reconstruct")


@pytest.mark.parametrize(
    ("parameters", "first", "second"),
    [
        ({"kl_weight": 0.1, "bottleneck": "hidden"}, "kl_weight=0.1", "bottleneck='hidden'"),
        ({"kl_weight": 1, "bottleneck": "hidden_cell"}, "kl_weight=1", "bottleneck='hidden_cell'"),
        ({"horizon": 2}, "horizon=2", "objective='reconstruct'"),
        ({"prediction_weight": 0.3}, "prediction_weight=0.3", "objective='reconstruct'"),
        (
            {"prediction_weight": 0.3, "objective": "predict"},
            "prediction_weight=0.3",
            "objective='predict'",
        ),
    ],
)
def test_two_parameters_without_meaning_are_both_named(parameters, first, second):
    with pytest.raises(ValueError, match=first) as caught:
        make(**parameters).fit(CUBE)
    assert second in str(caught.value)
    assert not isinstance(caught.value, InvalidParameterError)


# The tutorial's programs, and Keras ------------------------------------------------------

TUTORIAL = {
    "latent_dim": 100,
    "hidden_units": (),
    "bottleneck": "hidden",
    "decoder_start": "input",
    "time_encoding": False,
    "reverse_target": False,
    "activation": "relu",
    "scaling": None,
    "learning_rate": 2e-2,
    "epochs": 5,
    "random_state": 0,
}
NINE = np.arange(1, 10).reshape(1, 9) / 10


@pytest.mark.filterwarnings("ignore:activation='relu'")  # the tutorial's choice
@pytest.mark.parametrize("objective", ["reconstruct", "predict", "composite"])
def test_programs_of_the_tutorial(objective):
    model = LSTMAutoencoderTransformer(**TUTORIAL, objective=objective).fit(NINE)
    assert model.transform(NINE).shape == (1, 100)
    for task in tasks_of(model):
        n_steps = {"reconstruct": 9, "predict": 8}[task]
        assert model.reconstruct(NINE, task=task).shape == (1, n_steps)
        errors = model.errors(NINE, per="step", task=task)
        assert_array_equal(np.isnan(errors[0]), np.arange(9) < 9 - n_steps)
    encoder = model.to_keras("encoder")
    code = encoder([NINE[:, :, np.newaxis], np.ones((1, 9), bool)])
    assert_allclose(code, model.transform(NINE), atol=1e-5)


def test_a_composite_has_two_decoders_in_keras(composite):
    x = ((CUBE - composite.mean_) / composite.scale_).astype(np.float32)
    mask = np.ones((8, 9), bool)
    whole = composite.to_keras("autoencoder")
    said = whole([x, mask])
    assert said.keys() == {"reconstruct", "predict"}
    original = {name: steps * composite.scale_ + composite.mean_ for name, steps in said.items()}
    assert_allclose(original["reconstruct"], composite.reconstruct(CUBE), rtol=1e-4)
    assert_allclose(original["predict"][:, :2], composite.forecast(CUBE), rtol=1e-4)
    assert {"encoder", "decoder", "predictor"} <= {layer.name for layer in whole.layers}
    codes = composite.transform(CUBE)
    for part, name in (("decoder", "reconstruct"), ("predictor", "predict")):
        assert_allclose(composite.to_keras(part)([codes, mask]), said[name], atol=1e-5)


def test_a_predictor_has_no_decoder_in_keras(predictor):
    with pytest.raises(ValueError, match=r"part='decoder' is not one of \['encoder', 'predictor'"):
        predictor.to_keras("decoder")
    codes = predictor.transform(CUBE)
    steps = predictor.to_keras("predictor")([codes, np.ones((8, 2), bool)])
    assert_allclose(steps * predictor.scale_ + predictor.mean_, predictor.forecast(CUBE), rtol=1e-4)


def test_keras_can_draw_or_tell_a_model(composite, tmp_path, capsys):
    model = composite.to_keras("autoencoder")
    if shutil.which("dot") and importlib.util.find_spec("pydot"):
        import keras

        keras.utils.plot_model(model, tmp_path / "model.png", show_shapes=True, expand_nested=True)
        assert (tmp_path / "model.png").stat().st_size
    model.summary(expand_nested=True)
    said = capsys.readouterr().out
    for name in ("encoder", "decoder", "predictor"):
        assert name in said


def test_a_forecast_does_not_go_on_within_a_frame_that_was_never_learned():
    model = make(objective="predict", horizon=3, patch_size=2, conditional=True).fit(CUBE)
    assert model.forecast(CUBE).shape == (8, 3, 2)
    with pytest.raises(ValueError, match=r"steps=4 .* no multiple of patch_size=2"):
        model.forecast(CUBE, steps=4)
    with pytest.raises(ValueError, match=r"steps=5 .* no multiple of patch_size=2"):
        model.inverse_transform(model.transform(CUBE), lengths=5)


def test_auto_frames_divide_the_horizon_where_they_can():
    long = np.random.default_rng(0).normal(size=(4, 200, 1))
    sizes = [
        make(objective="predict", horizon=horizon, patch_size="auto")
        .fit(long)
        .configuration_["architecture"]["patch_size"]
        for horizon in (1, 8, 12)
    ]
    assert sizes == [6, 4, 6]
