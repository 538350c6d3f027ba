"""Shares of inputs in the columns of a code."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import InvalidParameterError

from helpers import make_transformer as make
from helpers import padded, ragged
from sklearn_lstmae import latent_importance

RNG = np.random.default_rng(0)
CUBE = RNG.normal(size=(12, 6, 3)) * [1, 5, 0.2] + [0, 100, 0]
LENGTHS = [6, 4, 6, 3, 5, 6, 4, 3, 6, 5, 6, 4]
RAGGED = ragged(CUBE, LENGTHS)
PADDED = padded(RAGGED)

CONFIGURATIONS = {
    "both ways": {"bidirectional": True},
    "frames of 4": {
        "patch_size": 4,
        "bottleneck": "hidden_cell",
        "hidden_units": (4, 3),
        "bidirectional": True,
    },
    "missing": {"missing": "mask", "scaling": None},
}


@pytest.fixture(scope="module")
def model():
    return make().fit(CUBE)


def by_finite_differences(model, X):
    """The same shares from `transform` alone: each value moved a little up and down."""
    n_steps, n_features = X.shape[1:]
    deviation = X.std(axis=0)  # (T, F)
    shares = np.empty((len(model.get_feature_names_out()), n_steps, n_features))
    for step in range(n_steps):
        for feature in range(n_features):
            move = np.zeros_like(X)
            move[:, step, feature] = 0.02 * deviation[step, feature]
            change = model.transform(X + move) - model.transform(X - move)  # (N, L)
            shares[:, step, feature] = np.abs(change).mean(axis=0)
    return shares / shares.sum(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_shares_agree_with_finite_differences_of_transform(configuration):
    X = CUBE / 10 if configuration == "missing" else CUBE  # unscaled values saturate the cells
    model = make(**CONFIGURATIONS[configuration]).fit(X)
    shares = latent_importance(model, X)
    assert_allclose(shares, by_finite_differences(model, X), rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("X", [CUBE, RAGGED, CUBE[:, :, 0]], ids=["3d", "list", "2d"])
def test_shares_of_a_column_sum_to_one(X):
    model = make().fit(X)
    shares = latent_importance(model, X)
    n_features = 1 if np.ndim(X[0]) == 1 else 3
    assert shares.shape == (2, 6, n_features)
    assert (shares >= 0).all()
    assert_allclose(shares.sum(axis=(1, 2)), 1)


def test_a_feature_that_the_encoder_does_not_read_has_no_share():
    model = make(bidirectional=True).fit(CUBE)
    kernels = [weight for weight in model.weights_ if weight.shape == (3, 16)]
    assert len(kernels) == 2  # one each way
    for kernel in kernels:
        kernel[1] = 0
    shares = latent_importance(model, CUBE)
    assert_array_equal(shares[:, :, 1], 0)
    assert (shares[:, :, [0, 2]] > 0).all()


def test_a_value_that_is_the_same_in_all_sequences_has_no_share(model):
    X = CUBE.copy()
    X[:, :, 2] = 7.0
    X[:, 3, 0] = -1.0
    shares = latent_importance(model, X)
    assert_allclose(shares[:, :, 2], 0, atol=1e-12)
    assert_allclose(shares[:, 3, 0], 0, atol=1e-12)
    assert_allclose(shares.sum(axis=(1, 2)), 1)


def test_where_nothing_varies_shares_are_zero(model):
    assert_array_equal(latent_importance(model, CUBE[[0, 0]]), np.zeros((2, 6, 3)))


def test_units_do_not_matter():
    X = CUBE * [1, 1000, 0.01] - [5, 0, 3]
    shares = latent_importance(make().fit(X), X)
    assert_allclose(shares, latent_importance(make().fit(CUBE), CUBE), rtol=1e-3, atol=1e-6)


def test_the_order_of_sequences_does_not_matter(model):
    shares = latent_importance(model, CUBE)
    assert_allclose(latent_importance(model, CUBE[::-1]), shares, rtol=1e-5)


def test_blocks_add_up(model, monkeypatch):
    from sklearn_lstmae.sequences.batch import Sequences
    from sklearn_lstmae.training import saliency

    shares = latent_importance(model, CUBE)
    monkeypatch.setattr(saliency, "rows_at_a_time", lambda architecture, n_frames: 5)
    monkeypatch.setattr(Sequences, "blocks", lambda self: [slice(0, 7), slice(7, 12)])
    assert_allclose(latent_importance(model, CUBE), shares, rtol=1e-5)


def test_padding_does_not_matter():
    model = make(missing="mask").fit(RAGGED)
    shares = latent_importance(model, RAGGED)
    assert_allclose(latent_importance(model, PADDED), shares, rtol=1e-6)
    more = np.pad(PADDED, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    assert_allclose(latent_importance(model, more), shares, rtol=1e-6)


def test_a_step_that_few_sequences_reach_counts_for_these_only(model):
    """The others, which end before, change nothing there."""
    short = [sequence[:4] for sequence in CUBE]
    shares = latent_importance(model, [*CUBE[:2], *short[2:]])
    all_reach = latent_importance(model, CUBE)
    assert (shares[:, 4:] > 0).all()
    assert (shares[:, 4:].sum(axis=(1, 2)) < all_reach[:, 4:].sum(axis=(1, 2)) / 2).all()


def test_a_missing_value_counts_as_one_that_is_not_there():
    model = make(missing="mask").fit(PADDED)
    X = CUBE.copy()
    X[:, 2, 1] = np.nan
    shares = latent_importance(model, X)
    assert_array_equal(shares[:, 2, 1], 0)
    assert np.isfinite(shares).all()


def test_columns_that_a_scaling_appends_are_left_out():
    model = make(scaling="sequence").fit(CUBE)
    assert model.transform(CUBE).shape == (12, 8)
    assert latent_importance(model, CUBE).shape == (2, 6, 3)


def test_a_frozen_transformer_is_one(model):
    shares = latent_importance(FrozenEstimator(model), CUBE)
    assert_array_equal(shares, latent_importance(model, CUBE))


def test_what_is_refused(model):
    with pytest.raises(ValueError, match=r"single sequence \(n_samples=1\).*at least two"):
        latent_importance(model, CUBE[:1])
    with pytest.raises(InvalidParameterError, match="'transform' and 'to_keras'"):
        latent_importance("a string", CUBE)
    with pytest.raises(NotFittedError):
        latent_importance(make(), CUBE)
    with pytest.raises(ValueError, match="X has 2 features"):
        latent_importance(model, CUBE[:, :, :2])
