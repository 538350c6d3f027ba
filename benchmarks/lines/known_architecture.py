"""What the fit of an architecture seen before takes over its epochs, with another N."""

import statistics
from dataclasses import replace
from functools import partial

from benchmarks.contenders import Ours
from benchmarks.harness import ROUNDS, Remote, started
from benchmarks.jobs import Job
from benchmarks.records import Record, Timing, Verdict

# Few epochs run as a plain graph, many are compiled with XLA; twice as many are of the same kind.
JOBS = [Job(1000, 24, 1, 32, 32, epochs=epochs) for epochs in (2, 20)]
GOAL = 0.050


def measure(quick):
    record = Record()
    for job in JOBS:
        job = replace(job, n_sequences=100) if quick else job
        over = overheads(job, 2 if quick else 2 * ROUNDS)
        record.timings.append(Timing(f"over {job.epochs} epochs of {job}", {"ours": over}))
        middle = statistics.median(over)
        goal = f"the fit of a known architecture ({job.epochs} epochs) 50 ms over its epochs"
        record.verdicts.append(Verdict(goal, f"{1000 * middle:.0f} ms", middle <= GOAL))
    return record


def overheads(job, rounds):
    """Seconds of a fit with a new N, less what as many further epochs take: one a round."""
    with started({"ours": partial(Remote, Ours, job)}) as remotes:
        fit = remotes["ours"].timed
        fit("fit")
        over = []
        for number in range(rounds):
            rows = job.n_sequences - 7 * (number + 1)
            [first, again, longer] = [
                fit("fit", epochs, rows)[0] for epochs in (job.epochs, job.epochs, 2 * job.epochs)
            ]
            over.append(first - (longer - again))
    return over
