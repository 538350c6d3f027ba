"""LSTM autoencoders as scikit-learn estimators.

An LSTM autoencoder turns sequences into vectors of fixed length and back, so that everything in
scikit-learn that works on vectors works on sequences. Sequences may be univariate or multivariate,
of equal or unequal length, complete or with missing values.

Importing this package does not import TensorFlow; the first ``fit`` does.

Notes
-----
In shapes, a letter has the same meaning in every docstring:

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

So do these terms. A *sequence* is one sample. A *step* is one time index. A *frame* is ``P``
consecutive steps, which the LSTM reads at once. A value is *observed* if it is real, neither
padding nor missing. A *code*, or latent vector, is what ``transform`` returns. The *bottleneck* is
the layer that computes it.
"""

from sklearn_lstmae._versions import __version__, show_versions
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
    "show_versions",
    "sliding_windows",
    "unwind",
]
