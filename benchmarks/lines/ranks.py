"""Time of a training step on one and two ranks, and what it makes of more: a figure."""

import os
import socket
import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import Remote, started
from benchmarks.records import Record

# Sequences of a minibatch in each rank: minibatches grow with the number of ranks.
SHARES = [16, 32, 64, 128]
N_TIMESTEPS, N_FEATURES = 100, 8
N_STEPS = 8  # minibatches of an epoch
EPOCHS = (20, 60)  # the difference of two fits is without their start
ROUNDS = 3
# Seconds that a message takes from one machine to the next: assumed, not measured.
LATENCY = 1e-4
MOST_RANKS = 100
IMAGES = Path(__file__).parents[1] / "images"
# Okabe and Ito's colors, told apart by everybody, and a marker each.
STYLES = [("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D")]


class Rank:
    """A process that fits once, with one thread, as one of several."""

    def __init__(self):
        os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

    def fit(self, share, addresses, rank, epochs):
        """Final loss of a fit on this rank's part of the sequences."""
        from sklearn_lstmae import LSTMAutoencoderTransformer
        from sklearn_lstmae.distributed import fit_rank

        shape = share * N_STEPS, N_TIMESTEPS, N_FEATURES
        X = np.random.default_rng(rank).normal(size=shape).cumsum(1).astype(np.float32)
        model = LSTMAutoencoderTransformer(
            batch_size=share * len(addresses), epochs=epochs, summary_weight=0.0, random_state=0
        )
        return fit_rank(model, X, addresses, rank).history_["loss"][-1]


def measure(quick):
    record = Record()
    epochs, rounds = ((1, 3), 1) if quick else (EPOCHS, ROUNDS)
    for share in SHARES[:1] if quick else SHARES:
        for n_ranks in (1, 2):
            steps = [_step_seconds(share, n_ranks, epochs) for _ in range(rounds)]
            record.numbers[f"{share} sequences a rank, {n_ranks}"] = steps
            print(f"  {share} sequences a rank, {n_ranks} ranks: {steps}", flush=True)
    return record


def _step_seconds(share, n_ranks, epochs):
    few, many = (_fit_seconds(share, n_ranks, number) for number in epochs)
    return (many - few) / ((epochs[1] - epochs[0]) * N_STEPS)


def _fit_seconds(share, n_ranks, epochs):
    """Seconds of a fit on ranks that begin together: those of the slowest."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(n_ranks)]
    names = {f"rank {rank}": partial(Remote, Rank) for rank in range(n_ranks)}
    with started(names) as remotes, ThreadPoolExecutor(n_ranks) as calls:
        running = [
            calls.submit(remote.timed, "fit", share, addresses, rank, epochs)
            for rank, remote in enumerate(remotes.values())
        ]
        return max(call.result()[0] for call in running)


def _free_ports(number):
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def speedup(one, two, n_ranks):
    """How many times as many sequences a second ``n_ranks`` ranks learn from as one does.

    A step takes ``one`` second on one rank and ``two`` on two. More ranks add up their gradients in
    a ring: each adds two messages, one after the other.
    """
    exchange = max(0.0, two - one) + 2 * (n_ranks - 2) * LATENCY
    return n_ranks * one / (one + exchange)


def draw(record, folder=IMAGES):
    """The figure, from the record; returns its path in a list."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.9), layout="constrained")
    axes = figure.subplots()
    ranks = np.geomspace(2, MOST_RANKS, 50)
    axes.loglog([1, MOST_RANKS], [1, MOST_RANKS], color="0.6", linewidth=1)
    axes.annotate("ideal", (30, 30), xytext=(-6, 6), textcoords="offset points", ha="right")
    for share, (color, marker) in zip(SHARES, STYLES, strict=True):
        names = [f"{share} sequences a rank, {n_ranks}" for n_ranks in (1, 2)]
        one, two = (statistics.median(record.numbers[name]) for name in names)
        measured = [1.0, speedup(one, two, 2)]
        axes.plot(ranks, [speedup(one, two, n) for n in ranks], "--", color=color, linewidth=1)
        axes.plot([1, 2], measured, marker, color=color, label=f"{share} sequences per rank")
    axes.set_xlabel("ranks")
    axes.set_ylabel("sequences per second, compared with one rank")
    axes.grid(which="both", alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / "ranks.png", dpi=120)
    return [folder / "ranks.png"]
