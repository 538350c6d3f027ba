"""Fit one model on several machines, and apply fitted models to collections of Dask.

This needs the extra ``dask``: ``pip install "dask[array]" distributed``.
"""

from sklearn_lstmae.distributed.cluster import fit
from sklearn_lstmae.distributed.lazy import predict, predict_proba, score_samples, transform
from sklearn_lstmae.distributed.ranks import LostRankError, fit_rank

__all__ = [
    "LostRankError",
    "fit",
    "fit_rank",
    "predict",
    "predict_proba",
    "score_samples",
    "transform",
]
