"""summary_weight: a second target in training, of which nothing is left in use."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from helpers import make_transformer
from sklearn_lstmae import load, save
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.sequences.summaries import Summary
from sklearn_lstmae.training.loop import fresh_state
from sklearn_lstmae.training.objectives.autoencoder import Autoencoding

# A few epochs are often no better than the mean: the warning says the truth.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The fit is no better:sklearn.exceptions.ConvergenceWarning",
    "ignore:All 3 epochs were run:sklearn.exceptions.ConvergenceWarning",
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 12, 2)).cumsum(1).astype("f4")
RAGGED = [sequence[: 4 + number % 9] for number, sequence in enumerate(X)]
KINDS = {
    "plain": {},
    "ragged, in frames": {"patch_size": 3},
    "all statistics, both ways": {"pooling": "all", "bidirectional": True},
    "a state of two": {"bottleneck": "hidden_cell"},
    "variational": {"kl_weight": 0.1},
    "predict": {"objective": "predict", "horizon": 2},
    "composite": {"objective": "composite", "kl_weight": 0.1},
    "scaled by sequence": {"scaling": "sequence"},
    "missing": {"missing": "mask"},
}


def make(**parameters):
    return make_transformer(**{"epochs": 3, "batch_size": 8} | parameters)


def data_for(kind):
    return RAGGED if "ragged" in kind or kind == "missing" else X


def trained_reader(model, data):
    own = fitted_model(model)
    return own.read(model, data, own.architecture.decoders, as_trained=True)


def shapes_at(place):
    """Two classes: one bump of two forms, anywhere in noise."""
    forms = {0: [2, 2, 2, -2, -2, -2], 1: [2, -2, 2, -2, 2, -2]}
    classes = np.arange(len(place)) % 2
    values = RNG.normal(scale=0.1, size=(len(place), 40))
    for row, (start, form) in enumerate(zip(place, classes, strict=True)):
        values[row, start : start + 6] += forms[form]
    return values, classes


def test_codes_then_tell_shapes_wherever_they_are():
    values, classes = shapes_at(RNG.integers(4, 30, size=120))
    agreement = {}
    for weight in (0.0, 3.0):
        model = make(latent_dim=8, hidden_units=(16,), epochs=60, summary_weight=weight)
        codes = model.set_params(pooling="all").fit_transform(values)
        groups = KMeans(2, n_init=5, random_state=0).fit_predict(codes)
        agreement[weight] = adjusted_rand_score(classes, groups)
    assert agreement[3.0] > 0.9 > agreement[0.0] + 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_decoders_and_the_summary(kind):
    weight, parameters = 0.7, KINDS[kind]
    model = make(summary_weight=weight, **parameters).fit(data_for(kind))
    history = model.history_
    shares = [0.5, 0.5] if model.objective == "composite" else [1.0]
    decoders = [history[f"{task}_loss"] for task in ("reconstruct", "predict")
                if f"{task}_loss" in history]  # fmt: skip
    expected = sum(s * np.array(losses) for s, losses in zip(shares, decoders, strict=True))
    if model.kl_weight:
        expected = expected + model.kl_weight * np.array(history["kl_loss"])
    expected = expected + weight * np.array(history["summary_loss"])
    assert_allclose(history["loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"variational", "composite"}))
def test_the_summary_loss_is_the_mean_squared_error_of_a_linear_layer(kind):
    """In minibatches that are partly empty; the weights hardly move here."""
    parameters = KINDS[kind] | {"learning_rate": 1e-12, "batch_size": 16, "epochs": 1}
    model = make(summary_weight=1.0, warm_start=True, **parameters).fit(data_for(kind))
    reader = trained_reader(model, data_for(kind))
    kernel, bias = model.optimizer_state_["head"]
    summaries = Summary(**model.optimizer_state_["summary"]).apply(reader)
    codes = fitted_model(model).coder.encode(reader)[:, : len(kernel)]
    errors = np.square(codes @ kernel + bias - summaries)
    assert summaries.shape == (24, 32)
    assert_allclose(model.history_["summary_loss"], errors.mean(), rtol=1e-4)


def test_the_layer_learns():
    model = make(latent_dim=8, epochs=40, learning_rate=0.01, summary_weight=1.0).fit(X)
    losses = model.history_["summary_loss"]
    assert losses[0] > 0.9
    assert losses[-1] < 0.6


def test_losses_of_a_fit_remain_those_of_the_decoders():
    model = make(summary_weight=5.0, early_stopping=True, validation_fraction=0.25).fit(X)
    assert max(model.history_["val_loss"]) < 2 < model.history_["loss"][0]
    scaled = (X - model.mean_) / model.scale_
    rebuilt = (model.reconstruct(X) - model.mean_) / model.scale_
    whole = make(summary_weight=5.0).fit(X)
    rebuilt = (whole.reconstruct(X) - whole.mean_) / whole.scale_
    assert whole.loss_ == pytest.approx(np.square(scaled - rebuilt).mean(), rel=1e-4)
    assert whole.baseline_loss_ == pytest.approx(1, rel=1e-4)


def test_nothing_of_it_is_left_after_fit(tmp_path):
    plain, other = make(summary_weight=0.0).fit(X), make(summary_weight=1.0).fit(X)
    assert [w.shape for w in plain.weights_] == [w.shape for w in other.weights_]
    assert vars(plain).keys() == vars(other).keys()
    assert plain.configuration_ == other.configuration_
    assert other.optimizer_state_ is None
    assert "summary_loss" not in plain.history_
    save(plain, tmp_path / "plain"), save(other, tmp_path / "other")
    sizes = [(tmp_path / name).stat().st_size for name in ("plain", "other")]
    assert abs(sizes[0] - sizes[1]) < 400


def test_weight_0_is_the_compiled_step_of_before(make_architecture):
    """The same key of the same step, with the same first weights."""
    architecture = make_architecture()
    plain, other = Autoencoding(architecture, "mse"), Autoencoding(architecture, "mse", 5)
    assert plain == Autoencoding(architecture, "mse", 0) != other
    assert len(plain.shapes) + 2 == len(other.shapes)
    assert plain.n_terms + 1 == other.n_terms
    first, second = (fresh_state(each, 3).weights for each in (plain, other))
    for one, same in zip(first, second, strict=False):
        assert_array_equal(one, same)


def test_the_smallest_weight_changes_nothing_but_rounding():
    """Of sgd, whose steps follow the size of the gradient."""
    settings = {"optimizer": "sgd", "clipnorm": None}
    plain, other = (make(summary_weight=w, **settings).fit(X) for w in (0.0, 1e-20))
    assert_allclose(other.transform(X), plain.transform(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_same_seed_gives_the_same_bits(weight):
    one, same = (make(summary_weight=weight).fit(RAGGED) for _ in range(2))
    assert one.history_ == same.history_
    for weights, others in zip(one.weights_, same.weights_, strict=True):
        assert_array_equal(weights, others)


def test_a_memory_map_gives_the_same_bits(tmp_path):
    mapped = np.memmap(tmp_path / "X", np.float32, "w+", shape=X.shape)
    mapped[:] = X
    one, same = (make(summary_weight=1.0).fit(source) for source in (X, mapped))
    assert_array_equal(one.transform(X), same.transform(X))


def test_what_does_not_fit_in_memory_is_read_with_its_summaries(monkeypatch):
    from sklearn_lstmae.training import loop

    whole = make(summary_weight=1.0).fit(X)
    monkeypatch.setattr(loop, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(loop, "CHUNK_BYTES", 1)
    parts = make(summary_weight=1.0).fit(X)
    assert_allclose(parts.history_["summary_loss"], whole.history_["summary_loss"], rtol=1e-5)


def test_equal_or_short_sequences_have_no_second_target():
    for data in (X[:1], np.repeat(X[:1], 5, axis=0), X[:, :8]):
        model = make(summary_weight=1.0, warm_start=True).fit(data)
        assert "summary_loss" not in model.history_
        assert model.optimizer_state_["summary"] is None
    model.fit(X)
    assert np.isfinite(model.history_["summary_loss"][-1])


@pytest.mark.parametrize("n_rows", [2, 5])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_of_few_sequences_the_last_components_stay_zero(n_rows, optimizer):
    model = make(summary_weight=1.0, warm_start=True, optimizer=optimizer).fit(X[:n_rows])
    kernel, bias = model.optimizer_state_["head"]
    assert (kernel.shape, bias.shape) == ((2, 32), (32,))
    assert kernel[:, : n_rows - 1].all()
    assert not kernel[:, n_rows - 1 :].any()
    assert not bias[n_rows - 1 :].any()


def test_a_jointly_compiled_step_agrees(monkeypatch):
    """With XLA, in two halves of a minibatch, of unequal lengths."""
    from sklearn_lstmae.training import loop

    settings = {"summary_weight": 1.0, "pooling": "all", "batch_size": 16, "optimizer": "sgd"}
    plain = make(**settings).fit(RAGGED)
    monkeypatch.setattr(loop, "XLA_WORK", 0)
    compiled = make(**settings).fit(RAGGED)
    assert_allclose(compiled.history_["loss"], plain.history_["loss"], rtol=1e-4)
    assert_allclose(compiled.transform(X), plain.transform(X), atol=1e-4)


DAMAGE = {
    "a part too little": (lambda s: s["summary"].pop("mean"), "optimizer_state_.summary"),
    "no array": (lambda s: s["summary"].update(mean=3), "summary.mean"),
    "another rank": (lambda s: s["summary"].update(mean=np.zeros((1, 1), "f4")), "summary.mean"),
    "another width": (lambda s: s["summary"].update(mean=np.zeros(3, "f4")), "summary.mean"),
    "another dtype": (
        lambda s: s["summary"].update(mean=s["summary"]["mean"].astype("f8")),
        "summary.mean",
    ),
    "a column too far": (lambda s: s["summary"]["columns"].fill(10**9), "summary.columns"),
    "a dilation too far": (lambda s: s["summary"]["dilations"].fill(2**31), "summary.dilations"),
    "a dilation of 0": (lambda s: s["summary"]["dilations"].fill(0), "summary.dilations"),
    "a head too little": (lambda s: s["head"].pop(), "optimizer_state_.head"),
    "no summary of a head": (lambda s: s.update(summary=None), "optimizer_state_"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_summary_that_does_not_fit_is_refused(damage, tmp_path):
    model = make(summary_weight=1.0).partial_fit(X)
    change, field = DAMAGE[damage]
    change(model.optimizer_state_)
    with pytest.raises(ValueError, match=field):
        save(model, tmp_path / "model")


def test_a_state_of_before_summaries_goes_on(tmp_path):
    model = make(summary_weight=0.0).partial_fit(X)
    del model.optimizer_state_["head"], model.optimizer_state_["summary"]
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_array_equal(loaded.partial_fit(X).transform(X), model.partial_fit(X).transform(X))
    loaded.set_params(summary_weight=1.0).partial_fit(X)


def test_the_warning_of_a_bad_fit_is_about_the_decoders():
    with pytest.warns(ConvergenceWarning, match="no better than predicting each feature's mean"):
        make(summary_weight=100.0, learning_rate=1e-12).fit(X)


def test_a_fit_does_not_depend_on_the_threads_of_products():
    """Another thread may limit them at any time, by a transform."""
    cube = np.random.default_rng(0).normal(size=(512, 200, 2)).cumsum(axis=1)
    fits = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            fits.append(make_transformer(epochs=1, warm_start=True, patch_size=20).fit(cube))
    for name in ("components", "mean", "thresholds"):
        assert_array_equal(*(fit.optimizer_state_["summary"][name] for fit in fits))
    for one, two in zip(*(fit.weights_ for fit in fits), strict=True):
        assert_array_equal(one, two)
