"""What pre-training is worth where labels are few: ``python -m benchmarks.labels``."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_lstmae import LSTMAutoencoderClassifier, LSTMAutoencoderTransformer

from . import report
from .__main__ import measure_alone
from .quality.sets import SETS
from .records import Order, Record, Scores

ACCURACY = "accuracy"
TUNED, HEAD, RANDOM, CODES, VALUES = (
    "pre-trained", "head alone", "random start", "codes", "values"
)  # fmt: skip
ORDERS = [(TUNED, RANDOM), (TUNED, HEAD), (TUNED, CODES), (TUNED, VALUES)]


@dataclass(frozen=True)
class Size:
    """How much is learned from how many labels a class, and how often."""

    labels: dict[str, tuple[int, ...]]  # of each set
    latent_dim: int = 16
    epochs: int = 100
    n_seeds: int = 5


FULL = Size({"digits": (1, 5, 10, 50), "BasicMotions": (1, 5, 10)})
QUICK = Size({"digits": (1, 2)}, latent_dim=2, epochs=1, n_seeds=2)


def trials(name, seed, size):
    """Accuracy of all contenders on a set: ``{number of labels: {contender: accuracy}}``."""
    split = SETS[name](seed)
    contenders = make_contenders(split.X_train, seed, size)
    accuracies = {}
    for n_labels in size.labels[name]:
        rows = choose(split.y_train, n_labels, seed)
        X, y = split.X_train[rows], split.y_train[rows]
        accuracies[n_labels] = {
            contender: float(model.fit(X, y).score(split.X_test, split.y_test))
            for contender, model in contenders.items()
        }
    return accuracies


def make_contenders(X, seed, size):
    """Classifiers, of which those that look at sequences without labels have looked at X."""
    common = {"latent_dim": size.latent_dim, "random_state": seed}
    pretrained = LSTMAutoencoderTransformer(epochs=size.epochs, **common)
    # One pass at a rate of nothing leaves the weights, to seven digits, as they were drawn: those
    # that the other one started from.
    random = LSTMAutoencoderTransformer(epochs=1, learning_rate=1e-12, **common)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The fit is no better")
        pretrained, random = (FrozenEstimator(each.fit(X)) for each in (pretrained, random))
    flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    return {
        TUNED: LSTMAutoencoderClassifier(pretrained, random_state=seed),
        HEAD: LSTMAutoencoderClassifier(pretrained, fine_tune=False, random_state=seed),
        # At the rate of pre-training: all that this network knows, it learns here.
        RANDOM: LSTMAutoencoderClassifier(random, learning_rate=3e-3, random_state=seed),
        CODES: make_pipeline(pretrained, StandardScaler(), LogisticRegression(max_iter=3000)),
        VALUES: make_pipeline(flatten, StandardScaler(), LogisticRegression(max_iter=3000)),
    }


def choose(y, n_labels, seed):
    """Rows of so many labels of each class; more labels are those of fewer, and others."""
    order = np.random.default_rng(seed).permutation(len(y))
    return np.concatenate([order[y[order] == label][:n_labels] for label in np.unique(y)])


def measure(size):
    """Record of all contenders on all sets, each printed when it is there."""
    scores, orders = [], []
    for name, labels in size.labels.items():
        runs = [trials(name, seed, size) for seed in range(size.n_seeds)]
        for n_labels in labels:
            values = {
                contender: [run[n_labels][contender] for run in runs]
                for contender in runs[0][n_labels]
            }
            case = f"{name}, {n_labels} a class"
            scores += [Scores(case, each, {ACCURACY: values[each]}) for each in values]
            shown = [f"{each} {report.show_spread(ACCURACY, values[each])}" for each in values]
            print(f"{case}:", ", ".join(shown), flush=True)
            for better, worse in ORDERS:
                gains = [one - two for one, two in zip(values[better], values[worse], strict=True)]
                orders.append(Order(f"{better} before {worse}", case, gains))
    return Record(orders=orders, scores=scores)


def main(arguments=None):
    measure_alone("labels", __doc__, lambda quick: measure(QUICK if quick else FULL), arguments)


if __name__ == "__main__":
    main()
