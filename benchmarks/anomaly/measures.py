"""Scores along a record judged: one contender on one set with one seed, and all together."""

import functools

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.records import Scores, Verdict
from sklearn_lstmae import find_events, sliding_windows, unwind

from .contenders import CONTENDERS
from .sets import KINDS, SETS

ROC, PRECISION, F1 = "ROC-AUC", "average precision", "event F1"
N_WINDOWS = 500  # to learn from, about
COVER = 10  # overlapping windows that cover a step when it is scored
MAX_GAP = 5  # steps between two runs of alarms that are one
BEHIND = 0.01  # ROC-AUC that no kind should be more below PCA


class Trials:
    """All that is measured with one choice of settings; in a process of its own."""

    def __init__(self, settings):
        self.settings = settings
        # Contenders that differ in what they look at are learned once.
        self.learn = functools.cache(self._learn)

    def _learn(self, learner, name, seed):
        normal, length = SETS[name](seed).normal, SETS[name](seed).length
        windows, _ = sliding_windows(normal, length, -(-(len(normal) - length) // N_WINDOWS))
        return learner(windows, seed, self.settings)

    def run(self, contender, name, seed):
        """``{case: {measure: number}}``."""
        chosen, contender = SETS[name](seed), CONTENDERS[contender]
        score = self.learn(contender.learn, name, seed)[contender.look]
        stride = chosen.length // COVER if contender.overlap else chosen.length
        values = {}
        for case, (record, labels) in chosen.judged.items():
            windows, index = sliding_windows(record, chosen.length, stride)
            values[case] = measure(unwind(score(windows), index), labels)
        return values


def measure(scores, labels):
    """``{measure: number}`` of the scores of steps (S,), given which are anomalous (S,)."""
    return {
        ROC: float(roc_auc_score(labels, scores)),
        PRECISION: float(average_precision_score(labels, scores)),
        F1: event_f1(scores, labels),
    }


def event_f1(scores, labels):
    """F1 of anomalies found and false alarms, when as many steps are called as are anomalous.

    An alarm is a run of steps with higher scores than the others, gaps of up to 5 steps between
    them included. An anomaly is found if an alarm has one of its steps; an alarm is false if it has
    no anomalous step.
    """
    threshold = np.quantile(scores, 1 - labels.mean())
    alarms, anomalies = find_events(scores, threshold, max_gap=MAX_GAP), find_events(labels, 0.5)
    starts, ends = (alarms[name].to_numpy()[:, np.newaxis] for name in ("start", "end"))
    meet = (starts <= anomalies["end"].to_numpy()) & (ends >= anomalies["start"].to_numpy())
    found, false = meet.any(axis=0).sum(), (~meet.any(axis=1)).sum()
    return float(2 * found / (found + len(anomalies) + false))


def collect(contender, runs):
    """Scores of ``{case: {measure: number}}`` of each seed."""
    return [
        Scores(case, contender, {key: [run[case][key] for run in runs] for key in measures})
        for case, measures in runs[0].items()
    ]


def average(scores):
    """Means over the kinds of anomaly, seed by seed, of each contender and set that has them."""
    table = {(each.case, each.contender): each.values for each in scores}
    result = []
    for name, cases in KINDS.items():
        for contender in dict.fromkeys(each.contender for each in scores):
            kinds = [table.get((case, contender)) for case in cases]
            if all(kinds):
                means = {
                    key: np.mean([values[key] for values in kinds], axis=0).tolist()
                    for key in kinds[0]
                }
                result.append(Scores(f"{name}, mean", contender, means))
    return result


def judge(scores):
    """The goals, from scores and their averages."""
    table = {(each.case, each.contender): each.mean(ROC) for each in scores}
    verdicts = []
    for name, cases in KINDS.items():
        mean = f"{name}, mean"
        lead = {case: table[case, "ours"] - table[case, "PCA"] for case in [mean, *cases]}
        worst = min(cases, key=lead.get)
        verdicts += [
            Verdict(
                f"{name}: mean ROC-AUC above that of PCA",
                f"{table[mean, 'ours']:.3f}, {100 * lead[mean]:+.1f} points",
                lead[mean] > 0,
            ),
            Verdict(
                f"{name}: on no kind more than {100 * BEHIND:.0f} point below PCA",
                f"{100 * lead[worst]:+.1f} points on {worst}",
                lead[worst] >= -BEHIND,
            ),
        ]
    return verdicts
