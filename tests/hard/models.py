"""Valid models to begin with: those of ``tests/fixtures``, and small ones that are trained here."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import (
    LSTMAutoencoderClassifier,
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    load,
    save,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMALL = {"latent_dim": 2, "hidden_units": (3,), "epochs": 2, "batch_size": 8, "random_state": 0}
CUBE = np.random.default_rng(0).normal([3, -1], [2, 0.5], size=(12, 6, 2)).astype(np.float32)
Y = np.arange(12) % 2


def without_training():
    """Models by name, which need no TensorFlow."""
    kinds = ("transformer", "detector", "classifier")
    models = {kind: load(FIXTURES / f"{kind}-1.lstmae") for kind in kinds}
    scaler = StandardScaler().fit(np.arange(6.0).reshape(3, 2))
    transformer = models["transformer"]
    return models | {
        "pipeline": Pipeline([("scaler", scaler), ("lstm", transformer)]),
        "frozen": FrozenEstimator(transformer),
        "unfitted": LSTMAutoencoderTransformer(),
    }


def trained():
    """Models by name, of as many kinds of attributes as there are."""
    plain = LSTMAutoencoderTransformer(**SMALL)
    table = pd.DataFrame(CUBE[:, :, 0], columns=list("abcdef"))
    frames = [pd.DataFrame(row, columns=["left", "right"]) for row in CUBE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two epochs are no better than the mean
        frozen = FrozenEstimator(plain.fit(CUBE))
        return {
            "plain": plain,
            "table": LSTMAutoencoderTransformer(
                **SMALL | {"hidden_units": ()}, bottleneck="hidden_cell"
            ).fit(table),
            "rich": LSTMAutoencoderTransformer(
                **SMALL, objective="composite", horizon=2, scaling="sequence", missing="mask",
                early_stopping=True, append_states=True, kl_weight=0.1,
            ).fit(frames),
            "series": LSTMAutoencoderTransformer(**SMALL, scaling=None).fit(
                [row[: 3 + i % 3, 0] for i, row in enumerate(CUBE)]
            ),
            "carried on": LSTMAutoencoderTransformer(**SMALL).partial_fit(CUBE),
            "warm": LSTMAutoencoderTransformer(**SMALL, warm_start=True, summary_weight=0.5).fit(
                CUBE
            ),
            "detector, frozen": LSTMAutoencoderDetector(
                frozen, score_from="both", random_state=0
            ).fit(CUBE),
            "detector, cv": LSTMAutoencoderDetector(
                LSTMAutoencoderTransformer(**SMALL), threshold="cv", cv=2, random_state=0
            ).fit(CUBE),
            "classifier, frozen": LSTMAutoencoderClassifier(frozen, epochs=2, random_state=0).fit(
                CUBE, np.array(["no", "yes"])[Y]
            ),
            "classifier, times": LSTMAutoencoderClassifier(frozen, epochs=2, random_state=0).fit(
                CUBE, np.array(["2024-01-01", "2024-02-01"], "M8[D]")[Y]
            ),
            "classifier, objects": LSTMAutoencoderClassifier(
                frozen, epochs=2, fine_tune=False, random_state=0
            ).fit(CUBE, np.array(["a", "b"], object)[Y]),
        }  # fmt: skip


def to_bytes(model):
    """The file of a model."""
    file = BytesIO()
    save(model, file)
    return file.getvalue()
