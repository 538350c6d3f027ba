"""Epoch time of an architecture that was compiled before, on six shapes."""

import statistics
from dataclasses import replace
from functools import partial

from benchmarks.contenders import starters
from benchmarks.harness import ROUNDS, started, take_turns
from benchmarks.jobs import Job
from benchmarks.records import Record, Verdict, make_timing

# Epochs are as many as make the library compile with XLA, as it does in a fit of usual length.
SHAPES = [
    Job(2000, 24, 1, 32, 32, epochs=10),
    Job(1000, 100, 8, 64, 32, epochs=5),
    Job(1000, 100, 8, 64, 128, epochs=13),
    Job(500, 140, 1, 128, 64, epochs=9),
    Job(200, 500, 16, 64, 32, epochs=5),
]
# Not part of the means.
WIDE = [Job(300, 100, 8, 256, 64, epochs=4)]


def measure(quick):
    timings = [
        race(job.shrunk() if quick else job, 2 if quick else ROUNDS) for job in SHAPES + WIDE
    ]
    return Record(timings, judge(timings))


def race(job, rounds):
    """Timing of whole fits, all from the same weights, after a fit to warm up.

    Its losses are of a further fit, in which all contenders read the rows in our order: then
    little but rounding can tell them apart. (PyTorch's Adam adds its epsilon elsewhere.)
    """
    with started(starters(job)) as remotes:
        ours = remotes["ours"]
        weights = ours.call("initial_weights")
        losses, orders = {"ours": [ours.call("fit")]}, ours.call("orders")
        for name, rival in list(remotes.items())[1:]:
            rival.call("begin_with", weights)
            losses[name] = [rival.call("fit_in_order", orders)]
            rival.call("fit", 1)
        runs = {name: partial(remote.timed, "fit") for name, remote in remotes.items()}
        timing = make_timing(str(job), take_turns(runs, rounds, warm_up=0), per=job.epochs)
        losses["PyTorch"] = losses[f"PyTorch, {timing.note}"]
        return replace(timing, losses={name: losses[name] for name in timing.seconds})


def judge(timings):
    """The goals, from the timings of all shapes; the means are those of the first ones."""
    counted = timings[: len(SHAPES)]
    agree = all(timing.agrees for timing in timings)
    doubt = "" if agree else " (our final loss is more than 10 % higher)"
    verdicts = []
    for rival, goal in {"Keras": 6.0, "PyTorch": 2.5}.items():
        mean = statistics.geometric_mean(timing.ratio(rival)[0] for timing in counted)
        verdicts.append(
            Verdict(
                f"geometric mean over the first five shapes: {goal:g} times as fast as {rival}",
                f"{mean:.2f} times{doubt}",
                mean >= goal and agree,
            )
        )
    lowest = min(timing.ratio("PyTorch")[0] for timing in timings)
    goal = "none of the six shapes slower than PyTorch"
    verdicts.append(Verdict(goal, f"at least {lowest:.2f} times as fast{doubt}", lowest >= 1))
    verdicts[-1].met &= agree
    return verdicts
