"""Share of the time of an epoch that its matrix products alone would take on both cores."""

import statistics
from functools import partial

from benchmarks.contenders import Ours
from benchmarks.harness import ROUNDS, Remote, started, take_turns
from benchmarks.records import Record, Timing, Verdict

from .epochs import SHAPES

JOBS = SHAPES[1:3]  # 1000 x 100 x 8
GOAL = 0.5


class Products:
    """Large float32 matrix products."""

    def __init__(self, size):
        import tensorflow as tf

        self.multiply, self.size = tf.function(tf.linalg.matmul), size
        self.matrix = tf.random.stateless_uniform((size, size), seed=(0, 0))

    def run(self, times):
        """Floating point operations of so many products."""
        for _ in range(times):
            self.multiply(self.matrix, self.matrix).numpy()
        return times * 2 * self.size**3


class Counted(Ours):
    """Our fit, and how many operations its matrix products are in theory."""

    def __init__(self, job):
        super().__init__(job)
        self.job = job

    def operations(self):
        """Six for each weight, step and sequence.

        First with all weights; then without those that need not be used at each step: the
        bottleneck and the decoder's kernel, since the decoder reads the same at each step.
        """
        sizes = [weight.size for weight in self.weights()]
        times = 6 * self.job.epochs * self.job.n_sequences * self.job.n_timesteps
        return times * sum(sizes), times * (sum(sizes) - sum(sizes[3:6]))


def measure(quick):
    jobs = [job.shrunk() for job in JOBS] if quick else JOBS
    starters = {"product": partial(Remote, Products, 256 if quick else 2048)}
    starters |= {str(job): partial(Remote, Counted, job) for job in jobs}
    with started(starters) as remotes:
        runs = {name: lambda r=remote: r.timed("fit") for name, remote in remotes.items()}
        runs["product"] = lambda: remotes["product"].timed("run", 10)
        results = take_turns(runs, 2 if quick else ROUNDS)
        operations = {str(job): remotes[str(job)].call("operations") for job in jobs}
    floor = statistics.median(done / seconds for seconds, done in results["product"])
    record = Record(numbers={"GFLOP/s of matrix products": round(floor / 1e9, 1)})
    for job in jobs:
        timing = Timing(str(job), {"ours": [s for s, _ in results[str(job)]]}, job.epochs)
        shares = [
            count / job.epochs / floor / timing.median("ours") for count in operations[str(job)]
        ]
        record.timings.append(timing)
        record.verdicts.append(
            Verdict(
                f"{GOAL:.0%} of the speed of matrix products at {job}",
                f"{shares[0]:.0%} ({shares[1]:.0%} counting only products that each step needs)",
                shares[0] >= GOAL,
            )
        )
    return record
