"""The codes judged: one contender on one set with one seed, and all together."""

import statistics
import time

from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from benchmarks.records import SECONDS, Scores, Verdict

from .contenders import CONTENDERS, Scaled
from .sets import LONG, SETS

ACCURACY, VARIANCE, SILHOUETTE = "accuracy", "explained variance", "silhouette"
MEAN, CEILING = "mean, waves aside", "ceiling"
LEAD = {"PCA": 0.03, "tutorial": 0.08}  # accuracy that the mean should be above theirs
BEHIND = 0.02  # accuracy that no set should be more below PCA
REBUILT = 0.8  # explained variance of long sequences


class Trials:
    """All that is measured with one choice of settings; in a process of its own."""

    def __init__(self, settings):
        self.settings = settings

    def run(self, contender, name, seed):
        """``{measure: number}``; empty if the contender cannot read the set."""
        split = (SETS | LONG)[name](seed)
        scaled = Scaled(split)
        start = time.perf_counter()
        columns = CONTENDERS[contender](split, scaled, seed, self.settings)
        seconds = time.perf_counter() - start
        if columns is None:
            return {}
        scaler = StandardScaler().fit(columns.train)
        train, test = scaler.transform(columns.train), scaler.transform(columns.test)
        columns.classifier.fit(train, split.y_train)
        values = {ACCURACY: float(columns.classifier.score(test, split.y_test))}
        if columns.rebuild is not None:
            values[VARIANCE] = float(scaled.explained_variance(columns.rebuild()))
        values[SILHOUETTE] = float(silhouette_score(test, split.y_test))
        return values | {SECONDS: seconds}

    def ceiling(self, name, seed):
        """Explained variance of somebody who knows the sequences without their noise."""
        split = LONG[name](seed)
        scaled = Scaled(split)
        return {VARIANCE: float(scaled.explained_variance(scaled.pad(split.clean_test)))}


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
