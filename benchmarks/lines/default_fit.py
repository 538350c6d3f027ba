"""Whole fits with default settings on public sets, against the same network in PyTorch."""

import statistics
import time
from functools import partial

from benchmarks.harness import Remote, started
from benchmarks.quality.sets import SETS
from benchmarks.records import Record, Verdict, make_timing
from benchmarks.twin import OursByDefault, TorchByDefault

# 30 to 898 sequences; those of the gestures are of unequal length.
NAMES = ["CBF", "ECG200", "GesturePebbleZ1", "AllGestureWiimoteX", "digits"]
EPOCHS = 100
ROUNDS = 5
FIRST, SECOND, COLD = "first fit of a process", "second fit", "imports and first fit"
GOALS = {FIRST: 1.5, SECOND: 3.0}


def load(name, most=None):
    """Sequences to learn from."""
    return SETS[name](0).X_train[:most]


def measure(quick):
    record = Record()
    epochs, rounds, most = (2, 1, 24) if quick else (EPOCHS, ROUNDS, None)
    for name in NAMES[1:3] if quick else NAMES:
        record.timings += race(name, epochs, rounds, most)
        print(f"  {name}", flush=True)
    record.verdicts = judge(record.timings)
    return record


def race(name, epochs, rounds, most=None):
    """Timings of fits in fresh processes, from the same weights, with the same minibatches."""
    of_set = partial(load, name, most)
    with started({"ours": partial(Remote, OursByDefault, of_set, epochs)}) as remotes:
        start = remotes["ours"].call("start")
    starters = {"ours": partial(Remote, OursByDefault, of_set, epochs)}
    for threads in (1, 2):
        rival = f"PyTorch, {threads} thread{'s' * (threads > 1)}"
        starters[rival] = partial(Remote, TorchByDefault, of_set, epochs, threads, start)
    results = {kind: {rival: [] for rival in starters} for kind in (FIRST, SECOND, COLD)}
    for _ in range(rounds):
        for rival, starter in starters.items():
            for kind, result in fit_twice(starter).items():
                results[kind][rival].append(result)
    X = of_set()
    lengths = [len(sequence) for sequence in X]
    steps = f"{min(lengths)} to {max(lengths)}" if len(set(lengths)) > 1 else str(lengths[0])
    case = f"{name} ({len(X)} x {steps} x {X[0].shape[1]})"
    return [make_timing(f"{kind}, {case}", runs) for kind, runs in results.items()]


def fit_twice(starter):
    """{kind: (seconds, loss)} of two fits in a new process."""
    begun = time.perf_counter()
    with started({"only": starter}) as remotes:
        first = remotes["only"].timed("fit")
        cold = time.perf_counter() - begun
        second = remotes["only"].timed("fit")
    return {FIRST: first, SECOND: second, COLD: (cold, first[1])}


def judge(timings):
    """The goals, from the timings of all sets."""
    agree = all(timing.agrees for timing in timings)
    doubt = "" if agree else " (our final loss is more than 10 % higher)"
    verdicts = []
    for kind, goal in GOALS.items():
        of_kind = [timing for timing in timings if timing.case.startswith(kind)]
        ratios = [timing.ratio("PyTorch")[0] for timing in of_kind]
        mean, lowest = statistics.geometric_mean(ratios), min(ratios)
        verdicts.append(
            Verdict(
                f"{kind}, default settings: {goal} times as fast as PyTorch (geometric mean)",
                f"{mean:.2f} times{doubt}",
                mean >= goal and agree,
            )
        )
        verdicts.append(
            Verdict(
                f"{kind}, default settings: on no set slower than PyTorch",
                f"at least {lowest:.2f} times as fast{doubt}",
                lowest >= 1 and agree,
            )
        )
    return verdicts
