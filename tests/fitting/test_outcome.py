"""A fit that fails leaves the estimator as it was, a warning that is an error included."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from helpers import assert_same, make_transformer
from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
)
from sklearn_lstmae.fitting.outcome import warn_of_outcome

X = np.random.default_rng(0).normal(size=(24, 6, 2)).astype(np.float32)
WAVES = np.sin(np.arange(6) + np.arange(24)[:, np.newaxis])
Y = np.arange(24) % 2
IDLE = {"learning_rate": 1e-9}  # learns nothing
FALLING = {"early_stopping": True, "learning_rate": 0.01, "epochs": 20, "batch_size": 8}

# With one way only, two epochs are no better than the mean.
make_autoencoder = partial(make_transformer, bidirectional=True)


def make_detector(**parameters):
    frozen = FrozenEstimator(make_autoencoder().fit(X))
    return LSTMAutoencoderDetector(frozen, random_state=0, **parameters)


def make_classifier(autoencoder=None, **parameters):
    frozen = FrozenEstimator(make_autoencoder().fit(X))
    return LSTMAutoencoderClassifier(
        autoencoder or frozen, epochs=2, **{"random_state": 0} | parameters
    )


FITS = {
    "transformer": (make_autoencoder, IDLE, None, "no better than predicting each feature's mean"),
    "not stopped": (make_autoencoder, FALLING, None, "validation loss was still falling"),
    "classifier": (make_classifier, {"learning_rate": 30.0}, Y, "better than predicting how often"),
    "pre-training": (
        lambda **nested: make_classifier(make_autoencoder(**nested)), IDLE, Y, "feature's mean",
    ),
    "detector": (
        lambda **nested: LSTMAutoencoderDetector(make_autoencoder(**nested)), IDLE, None, "mean",
    ),
    "detector of few": (
        make_detector, {"threshold": "conformal", "contamination": 1e-3}, None, "no p-value",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("is_fitted", [True, False], ids=["fitted", "not fitted"])
def test_a_warning_that_is_an_error_keeps_the_model(is_fitted, name):
    make, parameters, y, message = FITS[name]
    sequences = WAVES if name == "not stopped" else X
    model = make(**parameters)
    if is_fitted:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(sequences, y)
    before = dict(vars(model))
    with pytest.raises((ConvergenceWarning, UserWarning), match=message):
        model.fit(2 * sequences, y)
    assert vars(model).keys() == before.keys()
    assert_same(vars(model), before)
    assert all(vars(model)[key] is value for key, value in before.items())


@pytest.mark.parametrize("n_before", [0, 2])
def test_a_validation_loss_that_never_fell_does_not_ask_for_more_epochs(n_before):
    estimator = LSTMAutoencoderTransformer(epochs=5, early_stopping=True)

    def messages(best_epoch, n_epochs=5):
        attributes = {"n_epochs_": n_before + n_epochs, "best_epoch_": n_before + best_epoch}
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            losses = {"loss_": 0.5, "baseline_loss_": 1.0}
            warn_of_outcome(estimator, attributes | losses, n_epochs)
        return [str(each.message) for each in seen]

    assert not messages(best_epoch=1)
    for best_epoch in (2, 5):
        [message] = messages(best_epoch)
        assert "still falling" in message
    estimator.epochs = 1
    assert len(messages(best_epoch=1, n_epochs=1)) == 1  # who knows


@pytest.mark.parametrize(("objective", "n_missing"), [("predict", 1), ("composite", 2)])
def test_a_decoder_that_has_nothing_to_predict_warns(n_missing, objective):
    past = [np.where(np.arange(6)[:, np.newaxis] < 6 - n_missing, each, np.nan) for each in X]
    model = make_transformer(objective=objective, horizon=n_missing, missing="mask")
    with pytest.warns(ConvergenceWarning, match="loss_ is NaN: of the steps that the predicting"):
        model.fit(past)
    assert np.isnan(model.loss_)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit([*past[:-1], X[-1]])  # one sequence says what follows
    assert not any("loss_ is NaN" in str(each.message) for each in seen)
    assert np.isfinite(model.loss_)
