"""One contender on one set with one seed: its codes judged."""

import time

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from .contenders import CONTENDERS, Scaled
from .sets import LONG, SETS

ACCURACY, VARIANCE = "accuracy", "explained variance"


def measure(contender, name, seed, settings):
    """``{measure: number}``, empty where the contender cannot do the set."""
    split = (SETS | LONG)[name](seed)
    scaled = Scaled(split)
    start = time.perf_counter()
    result = CONTENDERS[contender](split, scaled, seed, settings)
    seconds = time.perf_counter() - start
    if result is None:
        return {}
    train, test, rebuilt = result
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    classifier = LogisticRegression(max_iter=3000).fit(train, split.y_train)
    values = {ACCURACY: classifier.score(test, split.y_test)}
    if rebuilt is not None:
        values[VARIANCE] = scaled.explained_variance(rebuilt)
    values["silhouette"] = silhouette_score(test, split.y_test)
    return {name: float(value) for name, value in values.items()} | {"seconds": seconds}
