"""The codes judged: one contender on one set with one seed, and all together."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.metrics import (
    accuracy_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.records import SECONDS, Scores, Verdict

from .contenders import CONTENDERS, STATES, Scaled
from .sets import LONG, SETS

ACCURACY, RIDGE = "accuracy", "accuracy, ridge"
ARI, NMI = "ARI of k-means", "NMI of k-means"
VARIANCE = "explained variance"
FIT, TRANSFORM = f"{SECONDS} of fit", f"{SECONDS} of transform"
MEAN, CEILING = "mean, waves aside", "ceiling"
REBUILT = 0.8  # explained variance of long sequences


@dataclass(frozen=True)
class Goal:
    """How much higher a mean over the sets should be than another's.

    Attributes
    ----------
    measure, contender, rival_measure, rival : str
    lead : float
        Negative where the contender may be behind.
    """

    measure: str
    contender: str
    rival_measure: str
    rival: str
    lead: float

    def describe(self):
        """One line."""
        of_rival = "that" if self.measure == self.rival_measure else self.rival_measure
        lead = f"at most {-self.lead:g} below" if self.lead < 0 else f"{self.lead:g} above"
        return f"mean {self.measure} of {self.contender} {lead} {of_rival} of {self.rival}"


GOALS = [
    Goal(ACCURACY, "ours", ACCURACY, "catch22", 0.03),
    Goal(ACCURACY, "ours", ACCURACY, "MiniRocket, PCA", -0.04),
    Goal(ACCURACY, "ours", ACCURACY, "PCA", 0.03),
    Goal(ACCURACY, "ours", ACCURACY, "tutorial", 0.08),
    Goal(ARI, "ours", ARI, "catch22", 0.0),
    Goal(ARI, "ours", ARI, "PCA", 0.0),
    Goal(ACCURACY, "ours, states", RIDGE, "MiniRocket", -0.01),
    Goal(ACCURACY, "ours, supervised", ACCURACY, "ours, states", 0.0),
    Goal(VARIANCE, "ours", VARIANCE, "ours, no summary", -0.05),
]
NEEDED = {name for goal in GOALS for name in (goal.contender, goal.rival)}

RIDGE_ALPHAS = np.logspace(-3, 3, 10)  # as is the custom with MiniRocket


class Trials:
    """All that is measured with one choice of settings; in a process of its own."""

    def __init__(self, settings):
        self.settings = settings
        self._set, self._learned = None, {}  # what was learned of one set

    def run(self, contender, name, seed):
        """``{measure: number}``; empty if the contender cannot read the set."""
        contender = CONTENDERS[contender]
        split = (SETS | LONG)[name](seed)
        scaled = Scaled(split)
        seconds, learned = self._learn(contender.learn, name, split, scaled, seed)
        if learned is None:
            return {}
        if learned.transform is None:
            took, predicted = timed(learned.predict)
            values = {ACCURACY: float(accuracy_score(split.y_test, predicted))}
        else:
            took, columns = timed(learned.transform)
            if contender.part is not None:
                columns = [each[:, learned.parts[contender.part]] for each in columns]
            # Not timed. On busy cores two threads took 50 times as long as one.
            with threadpool_limits(1):
                values = judge_columns(*columns, split, seed)
        if learned.rebuild is not None and contender.part != STATES:
            values[VARIANCE] = float(scaled.explained_variance(learned.rebuild()))
        return values | {FIT: seconds, TRANSFORM: took}

    def _learn(self, learn, name, split, scaled, seed):
        """Seconds and Learned; contenders that read parts of the same columns share a fit."""
        if name != self._set:
            self._set, self._learned = name, {}
        key = learn, seed
        if key not in self._learned:
            self._learned[key] = timed(learn, split, scaled, seed, self.settings)
        return self._learned[key]

    def ceiling(self, name, seed):
        """Explained variance of somebody who knows the sequences without their noise."""
        split = LONG[name](seed)
        scaled = Scaled(split)
        return {VARIANCE: float(scaled.explained_variance(scaled.pad(split.clean_test)))}


def timed(function, *arguments):
    """Seconds that a call took, and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def judge_columns(train, test, split, seed):
    """Accuracies of linear classifiers on standardized columns, and clusters of the test rows.

    k-means reads the columns as they are.
    """
    scaler = StandardScaler().fit(train)
    values = {}
    for measure, classifier in [
        (ACCURACY, LogisticRegression(max_iter=3000)),
        (RIDGE, RidgeClassifierCV(alphas=RIDGE_ALPHAS)),
    ]:
        classifier.fit(scaler.transform(train), split.y_train)
        values[measure] = float(classifier.score(scaler.transform(test), split.y_test))
    n_classes = len(set(split.y_train))
    clusters = KMeans(n_classes, n_init=10, random_state=seed).fit_predict(test)
    values[ARI] = float(adjusted_rand_score(split.y_test, clusters))
    values[NMI] = float(normalized_mutual_info_score(split.y_test, clusters))
    return values


def collect(case, contender, runs):
    """Scores of ``{measure: number}`` of each seed."""
    return Scores(case, contender, {key: [run[key] for run in runs] for key in runs[0]})


def average(scores):
    """Means over the SETS, of each contender and measure that applies to all of those measured."""
    names = {each.case for each in scores} & set(SETS)
    result = []
    for contender in dict.fromkeys(each.contender for each in scores):
        found = [
            each.values for each in scores if each.contender == contender and each.case in names
        ]
        measures = [
            key
            for key in (found[0] if found else ())
            if not key.startswith(SECONDS) and sum(key in values for values in found) == len(names)
        ]
        if measures:
            means = {
                key: [
                    statistics.mean(of_seed)
                    for of_seed in zip(*(values[key] for values in found), strict=True)
                ]
                for key in measures
            }
            result.append(Scores(MEAN, contender, means))
    return result


def judge(scores):
    """The goals, from the scores of all sets and their average."""
    table = {(each.case, each.contender): each for each in scores}
    verdicts = []
    for goal in GOALS:
        ours = table[MEAN, goal.contender].mean(goal.measure)
        lead = ours - table[MEAN, goal.rival].mean(goal.rival_measure)
        verdicts.append(Verdict(goal.describe(), f"{ours:.3f}, {lead:+.3f}", lead >= goal.lead))
    for name in LONG:
        ours, theirs, most = (
            table[name, contender].mean(VARIANCE) for contender in ("ours", "tutorial", CEILING)
        )
        verdicts.append(
            Verdict(
                f"explained variance of {name} at least {REBUILT}",
                f"{ours:.3f} ({CEILING} {most:.3f}, tutorial {theirs:.3f})",
                ours >= REBUILT,
            )
        )
    return verdicts
