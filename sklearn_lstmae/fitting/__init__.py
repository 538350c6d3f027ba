"""The steps of `fit` that need no network: parameters, checkpoints, reports, outcomes."""
