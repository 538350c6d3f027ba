"""The codes judged: one contender on one set with one seed, and all together."""

import statistics
import time

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
LEAD = {"PCA": 0.03, "tutorial": 0.08}  # accuracy that the mean should be above theirs
BEHIND = 0.02  # accuracy that no set should be more below PCA
REBUILT = 0.8  # explained variance of long sequences

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
    """Mean accuracy over the SETS of each contender that could read all of those measured."""
    names = {each.case for each in scores} & set(SETS)
    result = []
    for contender in dict.fromkeys(each.contender for each in scores):
        counted = [
            each.values[ACCURACY]
            for each in scores
            if each.contender == contender and each.case in names and ACCURACY in each.values
        ]
        if names and len(counted) == len(names):
            means = [statistics.mean(of_seed) for of_seed in zip(*counted, strict=True)]
            result.append(Scores(MEAN, contender, {ACCURACY: means}))
    return result


def judge(scores):
    """The goals, from the scores of all sets and their average."""
    table = {(each.case, each.contender): each for each in scores}

    def lead(case, rival):
        return table[case, "ours"].mean(ACCURACY) - table[case, rival].mean(ACCURACY)

    verdicts = []
    for rival, goal in LEAD.items():
        points = lead(MEAN, rival)
        verdicts.append(
            Verdict(
                f"mean accuracy {100 * goal:.0f} points above that of {rival}",
                f"{table[MEAN, 'ours'].mean(ACCURACY):.3f}, {100 * points:+.1f} points",
                points >= goal,
            )
        )
    worst = min(SETS, key=lambda name: lead(name, "PCA"))
    points = lead(worst, "PCA")
    goal = f"accuracy on no set more than {100 * BEHIND:.0f} points below that of PCA"
    verdicts.append(Verdict(goal, f"{100 * points:+.1f} points on {worst}", points >= -BEHIND))
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
