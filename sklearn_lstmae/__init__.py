"""LSTM autoencoders as scikit-learn estimators.

An LSTM autoencoder turns sequences into vectors of fixed length and back, so that whatever
scikit-learn does with vectors works on sequences: univariate or multivariate, of equal or unequal
length, complete or with missing values.

Importing this package does not import TensorFlow; the first ``fit`` does.

Notes
-----
One letter has one meaning, in every shape of every docstring:

====== ========================================================
``N``  sequences
``T``  time steps
``F``  features per step
``L``  latent width: columns of a code
``U``  LSTM units
``B``  rows of a minibatch
``H``  horizon: future steps
``G``  classes
``P``  patch size: steps in a frame
====== ========================================================

And one word too: a *sequence* is one sample; a *step* is one time index; a *frame* is ``P``
consecutive steps, what the LSTM reads at once; a value is *observed* if it is real, neither
padding nor missing; a *latent* vector, or *code*, is what ``transform`` returns; the *bottleneck*
is the layer that makes it.
"""

from sklearn_lstmae._versions import __version__
from sklearn_lstmae.classifier import LSTMAutoencoderClassifier
from sklearn_lstmae.detector import LSTMAutoencoderDetector
from sklearn_lstmae.displays import (
    ErrorDisplay,
    LatentDisplay,
    LatentImportanceDisplay,
    LatentTraversalDisplay,
    LearningCurveDisplay,
    ReconstructionDisplay,
)
from sklearn_lstmae.importance import latent_importance
from sklearn_lstmae.records.events import find_events
from sklearn_lstmae.records.forecasts import label_forecast
from sklearn_lstmae.records.splitting import WindowSplit
from sklearn_lstmae.records.windows import sliding_windows, unwind
from sklearn_lstmae.saving.onnx_export import export_onnx
from sklearn_lstmae.saving.persistence import load, save
from sklearn_lstmae.transformer import LSTMAutoencoderTransformer

__all__ = [
    "ErrorDisplay",
    "LSTMAutoencoderClassifier",
    "LSTMAutoencoderDetector",
    "LSTMAutoencoderTransformer",
    "LatentDisplay",
    "LatentImportanceDisplay",
    "LatentTraversalDisplay",
    "LearningCurveDisplay",
    "ReconstructionDisplay",
    "WindowSplit",
    "__version__",
    "export_onnx",
    "find_events",
    "label_forecast",
    "latent_importance",
    "load",
    "save",
    "sliding_windows",
    "unwind",
]
