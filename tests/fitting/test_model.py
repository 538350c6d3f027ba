"""A fitted transformer as values: what every method after fit works with."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.fitting.model import FittedModel, fitted_model, unfrozen
from sklearn_lstmae.inference.coder import Coder
from sklearn_lstmae.network.wiring import network_of
from sklearn_lstmae.sequences.validation import check_sequences

# One epoch is often no better than the mean, and `fit` warns of that.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*no better than:sklearn.exceptions.ConvergenceWarning"
)

X = np.random.default_rng(0).normal(3.0, 2.0, size=(10, 6, 2))
KINDS = {
    "default": {},
    "composite, by sequence": {"objective": "composite", "horizon": 2, "scaling": "sequence"},
    "next step, two states": {"objective": "predict", "bottleneck": "hidden_cell"},
    "missing, not scaled": {"missing": "mask", "scaling": None, "patch_size": 2},
}


@pytest.fixture(scope="module")
def fitted():
    return {
        name: LSTMAutoencoderTransformer(
            latent_dim=2, hidden_units=(3,), epochs=1, random_state=0, **parameters
        ).fit(X)
        for name, parameters in KINDS.items()
    }


@pytest.fixture(params=KINDS)
def transformer(request, fitted):
    return fitted[request.param]


@pytest.fixture
def composite(fitted):
    return fitted["composite, by sequence"]


def test_a_model_has_what_fit_learned(transformer):
    model = fitted_model(transformer)
    assert model.architecture.to_dict() == transformer.configuration_["architecture"] | {
        "hidden_units": (3,),
        "decoders": model.architecture.decoders,
    }
    assert model.horizon == transformer.horizon
    assert (model.missing, model.loss, model.layout) == (transformer.missing, "mse", "3d")
    assert model.n_timesteps == 6
    assert model.scaling.kind == transformer.scaling
    for weight, same in zip(model.weights, transformer.weights_, strict=True):
        assert weight is same


def test_a_model_does_not_change(transformer):
    model = fitted_model(transformer)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.horizon = 5


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_frozen_transformer_has_the_same_model(depth, composite):
    estimator = composite
    for _ in range(depth):
        estimator = FrozenEstimator(estimator)
    assert unfrozen(estimator) is composite
    assert fitted_model(estimator).weights is composite.weights_


@pytest.mark.parametrize("depth", [0, 1])
def test_what_is_not_fitted_has_no_model(depth):
    estimator = LSTMAutoencoderTransformer()
    for _ in range(depth):
        estimator = FrozenEstimator(estimator)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        fitted_model(estimator)


def test_attributes_without_weights_describe_a_model_that_reads(transformer):
    """As training needs it, before there are any."""
    attributes = {name: v for name, v in vars(transformer).items() if name != "weights_"}
    model, whole = FittedModel.of(attributes), fitted_model(transformer)
    assert model.weights == []
    assert (model.architecture, model.n_columns) == (whole.architecture, whole.n_columns)
    one, two = (each.read(transformer, X).read(slice(None), 6) for each in (model, whole))
    assert_array_equal(one.past.values, two.past.values)


def test_the_encoder_alone_has_its_part_of_the_weights(transformer):
    model = fitted_model(transformer)
    encoder = model.architecture.encoder
    assert [weight.shape for weight in model.encoder_weights] == network_of(encoder).shapes
    reader = model.read(transformer, X)
    codes = Coder(encoder, model.encoder_weights).encode(reader)
    assert_array_equal(codes, model.coder.encode(reader))


def test_a_model_encodes_and_decodes_as_its_transformer(transformer):
    model = fitted_model(transformer)
    codes = model.coder.encode(model.read(transformer, X))
    assert_array_equal(codes, transformer.transform(X))
    assert codes.shape[1] == model.n_columns
    if "reconstruct" in model.architecture.decoders:
        decoded = model.decode(codes, np.full(10, 6), "reconstruct")
        assert_array_equal(decoded, transformer.inverse_transform(codes))


def test_decoded_sequences_are_in_the_units_of_the_statistics(composite):
    """Means of a sequence are added, deviations are factors."""
    model = fitted_model(composite)
    codes = np.zeros((2, model.n_columns), np.float32)
    codes[1, 2:] = [5, -5, np.log(2), np.log(3)]
    plain, scaled = model.decode(codes, np.array([4, 4]), "reconstruct")
    assert_allclose(scaled, plain * [2, 3] + [5, -5], rtol=1e-4)


def test_without_its_horizon_the_encoder_reads_all_steps(composite):
    model = fitted_model(composite)
    sequences = check_sequences(composite, X, missing="error", fitted=model.spec)
    used = model.reader(sequences)
    trained = model.reader(sequences, model.architecture.decoders, as_trained=True)
    assert (used.horizon, used.tasks, trained.horizon) == (None, (), 2)
    lengths = [reader.read(slice(None), 6).past.lengths[0] for reader in (used, trained)]
    assert lengths == [6, 4]


@pytest.mark.parametrize(
    ("name", "least"), [("composite, by sequence", 3), ("next step, two states", 2)]
)
def test_sequences_too_short_for_training_are_refused(name, least, fitted):
    """But not in use, where nothing is to be predicted."""
    model = fitted_model(fitted[name])
    short = X[:, : least - 1]
    with pytest.raises(ValueError, match=f"needs at least {least}"):
        model.read(fitted[name], short, as_trained=True)
    assert len(model.read(fitted[name], short)) == 10


def test_only_a_decoder_that_predicts_leaves_steps_out(fitted):
    transformer = fitted["default"]
    model = fitted_model(transformer)
    reader = model.read(transformer, X, ("reconstruct",), as_trained=True)
    assert reader.horizon is None


def test_sequences_must_agree_with_those_of_fit(composite):
    model = fitted_model(composite)
    with pytest.raises(ValueError, match=r"3 features, but .* expecting 2 features"):
        model.read(composite, np.zeros((2, 6, 3)))
    with pytest.raises(ValueError, match="NaN"):
        model.read(composite, np.full((2, 6, 2), np.nan))


def test_classes_are_read_with_their_sequences(composite):
    model = fitted_model(composite)
    sequences = check_sequences(composite, X, missing="error", fitted=model.spec)
    reader = model.reader(sequences, classes=np.arange(10)).subset(np.array([7, 2]))
    assert_array_equal(reader.read(slice(None), 6).classes, [7, 2])


@pytest.mark.parametrize("missing", ["error", "mask"])
def test_a_network_that_reads_missingness_reads_it(missing, fitted):
    transformer = fitted["missing, not scaled" if missing == "mask" else "default"]
    reader = fitted_model(transformer).read(transformer, X)
    assert reader.may_miss == (missing == "mask")
