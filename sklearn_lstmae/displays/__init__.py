"""Pictures of fitted estimators, in scikit-learn's convention.

A display holds numbers; ``plot`` draws them, and ``from_estimator`` does both. matplotlib is
imported when something is drawn.
"""

from sklearn_lstmae.displays.errors import ErrorDisplay
from sklearn_lstmae.displays.importance import LatentImportanceDisplay
from sklearn_lstmae.displays.latent import LatentDisplay, LatentTraversalDisplay
from sklearn_lstmae.displays.learning_curve import LearningCurveDisplay
from sklearn_lstmae.displays.reconstruction import ReconstructionDisplay

__all__ = [
    "ErrorDisplay",
    "LatentDisplay",
    "LatentImportanceDisplay",
    "LatentTraversalDisplay",
    "LearningCurveDisplay",
    "ReconstructionDisplay",
]
