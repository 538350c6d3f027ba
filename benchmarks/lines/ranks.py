"""Time of a training step on one and two ranks, and what it makes of more: a figure."""

import os
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import numpy as np

from benchmarks.harness import Remote, started
from benchmarks.records import Record
from benchmarks.report import FOLDER
from sklearn_lstmae.displays._drawing import BLUE, GREEN, PURPLE, VERMILION

# Sequences of a minibatch in each rank: minibatches grow with the number of ranks.
SHARES = [16, 32, 64, 128]
N_TIMESTEPS, N_FEATURES = 100, 8
N_STEPS = 8  # minibatches of an epoch
EPOCHS = 60
FIRST = 10  # epochs that are not counted, since the first one compiles
# Seconds that a message takes from one machine to the next: assumed, not measured.
LATENCY = 1e-4
MOST_RANKS = 100
IMAGES = FOLDER / "images"
STYLES = [(BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (PURPLE, "D")]


class Clock:
    """A callback that keeps the time at which each epoch ends."""

    def __init__(self):
        self.times = []

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def teardown(self, estimator, context):
        """Nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """Only ends are kept."""

    def on_fit_task_end(self, estimator, context):
        """An epoch, or at last the fit, has ended."""
        self.times.append(time.perf_counter())


class Rank:
    """A process that fits once, with one thread, as one of several."""

    def __init__(self):
        os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

    def fit(self, share, addresses, rank, epochs):
        """Seconds of each epoch of a fit on this rank's part of the sequences, but the first.

        None where other ranks keep the time.
        """
        from sklearn_lstmae import LSTMAutoencoderTransformer
        from sklearn_lstmae.distributed import fit_rank

        shape = share * N_STEPS, N_TIMESTEPS, N_FEATURES
        X = np.random.default_rng(rank).normal(size=shape).cumsum(1).astype(np.float32)
        model = LSTMAutoencoderTransformer(
            batch_size=share * len(addresses), epochs=epochs, summary_weight=0.0, random_state=0
        )
        clock = Clock()
        fit_rank(model.set_callbacks(clock), X, addresses, rank)
        return np.diff(clock.times[:epochs]).tolist() if rank == 0 else None


def measure(quick):
    record = Record()
    for share in SHARES[:1] if quick else SHARES:
        for n_ranks in (1, 2):
            steps = _step_seconds(share, n_ranks, 3 if quick else EPOCHS, 1 if quick else FIRST)
            record.numbers[f"{share} sequences a rank, {n_ranks}"] = steps
            print(f"  {share} sequences a rank, {n_ranks}: {np.quantile(steps, [0.25, 0.5, 0.75])}")
    return record


def _step_seconds(share, n_ranks, epochs, first):
    """Seconds of a step, the mean of each epoch, on ranks that begin together."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(n_ranks)]
    starters = {f"rank {rank}": partial(Remote, Rank) for rank in range(n_ranks)}
    with started(starters) as remotes, ThreadPoolExecutor(n_ranks) as calls:
        running = [
            calls.submit(remote.call, "fit", share, addresses, rank, epochs)
            for rank, remote in enumerate(remotes.values())
        ]
        seconds, *_ = (call.result() for call in running)
    return [each / N_STEPS for each in seconds[first:]]


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
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        set_ticks([], minor=True)
    axes.set_xlabel("ranks (1 and 2 measured, more computed)")
    axes.set_ylabel("speed, compared with one rank")
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / "ranks.png", dpi=120)
    return [folder / "ranks.png"]
