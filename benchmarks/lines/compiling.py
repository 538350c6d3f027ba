"""A frame of an LSTM layer as a plain graph and compiled with XLA, for many sizes.

What the library's rule on when to compile, `training.loop.uses_xla`, was made from.
"""

from functools import partial

from benchmarks.contenders import Ours
from benchmarks.harness import ROUNDS, Remote, started, take_turns
from benchmarks.jobs import Job
from benchmarks.records import Record, Timing, Verdict

UNITS = [16, 32, 64, 128, 256]
BATCHES = [8, 32, 128]
LAYERS = 2  # of LSTM, in the network of a job
VALUES = 200_000  # hidden values of all minibatches of a fit: so that each takes some time


class Path:
    """Fits of any job, always or never compiled with XLA."""

    def __init__(self, xla):
        from sklearn_lstmae.training import loop

        loop.XLA_WORK = 0 if xla else float("inf")

    def prepare(self, job):
        self.ours = Ours(job)

    def fit(self):
        return self.ours.fit()


def measure(quick):
    record = Record()
    starters = {"ours": partial(Remote, Path, True), "plain graph": partial(Remote, Path, False)}
    with started(starters) as remotes:
        for units in UNITS[:1] if quick else UNITS:
            for batch_size in BATCHES[:1] if quick else BATCHES:
                epochs = max(2, min(100, VALUES // (4 * units * batch_size)))
                job = Job(4 * batch_size, 48, 4, units, batch_size, epochs=epochs)
                record.timings.append(race(remotes, job, 1 if quick else ROUNDS))
                print(f"  {job}", flush=True)
    lowest = min(timing.ratio("plain graph")[0] for timing in record.timings)
    goal = "compiled with XLA, minibatches of no size take longer than as a plain graph"
    record.verdicts.append(Verdict(goal, f"at least {lowest:.2f} times as fast", lowest >= 1))
    return record


def race(remotes, job, rounds):
    """Seconds of 1,000 frames of a layer, forwards and backwards, once the job is known."""
    for remote in remotes.values():
        remote.call("prepare", job)
    runs = {name: partial(remote.timed, "fit") for name, remote in remotes.items()}
    seconds = {name: [took for took, _ in runs] for name, runs in take_turns(runs, rounds).items()}
    frames = LAYERS * job.n_steps * job.n_timesteps
    case = f"{job.units} units, batches of {job.batch_size}"
    return Timing(case, seconds, per=frames / 1000)
