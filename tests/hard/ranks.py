"""Fits on several ranks, real processes on loopback, against one process with as many shards."""

from collections import Counter

import numpy as np

from helpers import flat, make_transformer, ragged
from sklearn_lstmae import distributed
from sklearn_lstmae.training.shards import Shards, sharing

# Two summands have one sum; of more the ring adds in another order.
MOST = {2: 0.0, 3: 1e-6, 4: 1e-6}


def draw_job(generator):
    """Parameters and sequences, all at random."""
    options = {
        "objective": generator.choice(["reconstruct", "predict", "composite"]).item(),
        "missing": generator.choice(["error", "mask"]).item(),
        "dropout": generator.choice([0.0, 0.2]).item(),
        "noise": generator.choice([0.0, 0.1]).item(),
        "optimizer": generator.choice(["adam", "sgd"]).item(),
        "early_stopping": bool(generator.integers(2)),
        "validation_fraction": 0.3,
        "batch_size": generator.integers(4, 20).item(),
    }
    if options["objective"] != "reconstruct":
        options["horizon"] = 2
    n = generator.integers(30, 60)
    X = generator.normal(size=(n, 12, 2)).astype("f4")
    if options["missing"] == "mask":
        X[generator.random(X.shape) < 0.1] = np.nan
    return options, ragged(X, generator.integers(8, 13, size=n))


def difference(n_ranks, options, X):
    """Largest difference between a weight of one fit and of the other."""
    from distributed import Client, LocalCluster

    local = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=n_ranks, threads_per_worker=1, processes=False, **local) as cluster,
        Client(cluster) as client,
    ):
        got = distributed.fit(make_transformer(**options), X, client=client)
    with sharing(Shards(n_ranks, range(n_ranks))):
        expected = make_transformer(**options).fit(X)
    return np.abs(flat(got) - flat(expected)).max()


def run(n, seed, tell=lambda *_: None):
    """Violations of ``n`` random fits: Counter of (which, number of the fit)."""
    found: Counter = Counter()
    for number in range(n):
        generator = np.random.default_rng([seed, number])
        n_ranks = generator.choice([2, 3, 4]).item()
        options, X = draw_job(generator)
        largest = difference(n_ranks, options, X)
        tell(f"{n_ranks} ranks, {options}: {largest:.1e}")
        if not largest <= MOST[n_ranks]:
            found[f"{n_ranks} ranks differ from one process", number] += 1
    return found
