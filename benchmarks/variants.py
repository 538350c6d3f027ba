"""Do the orders of Srivastava et al. (ICML 2015) hold here? ``python -m benchmarks.variants``."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.datasets import make_moving_digits

from . import report
from .__main__ import measure_alone
from .labels import choose
from .records import Order, Record, Scores

PAST, FUTURE, FRAME_SIZE = 10, 10, 12
N_LABELS = 10  # labeled sequences of a class
N_DRAWS = 10  # choices of them, whose accuracies are averaged

PREDICTED = "prediction error"
REBUILT = "reconstruction error"
REBUILT_IN_FIT = "reconstruction error, sequences of fit"
ACCURACY = "accuracy with few labels"

# The first is the paper's: one LSTM each way, whose states are the code and the decoder's start.
NETWORKS = {
    "network of the paper": {
        "hidden_units": (),
        "bottleneck": "hidden_cell",
        "bidirectional": False,
        "decoder_start": "state",
        "time_encoding": False,
    },
    "defaults": {},
}

CONDITIONAL, FORWARDS = {"conditional": True}, {"reverse_target": False}
PREDICT, COMPOSITE = ({"objective": name, "horizon": FUTURE} for name in ("predict", "composite"))
VARIANTS = {
    "reconstruct": {},
    "reconstruct, conditional": CONDITIONAL,
    "reconstruct, forwards": FORWARDS,
    "predict": PREDICT,
    "predict, conditional": PREDICT | CONDITIONAL,
    "composite": COMPOSITE,
    "composite, conditional": COMPOSITE | CONDITIONAL,
    "composite, forwards": COMPOSITE | FORWARDS,
}

# What the paper finds or says: of a measure, one variant is better than another.
ORDERS = [
    (PREDICTED, "predict, conditional", "predict"),
    (PREDICTED, "composite, conditional", "composite"),
    (PREDICTED, "composite", "predict"),
    (PREDICTED, "composite, conditional", "predict, conditional"),
    (ACCURACY, "composite", "reconstruct"),
    (ACCURACY, "composite", "predict"),
    (ACCURACY, "composite, conditional", "reconstruct, conditional"),
    (ACCURACY, "composite, conditional", "predict, conditional"),
    (REBUILT_IN_FIT, "reconstruct", "reconstruct, forwards"),
    (REBUILT_IN_FIT, "composite", "composite, forwards"),
]


@dataclass(frozen=True)
class Size:
    """How much is learned from how many sequences, and how often."""

    n_sequences: int = 600
    n_test: int = 600
    latent_dim: int = 64
    epochs: int = 100
    n_seeds: int = 5


FULL, QUICK = Size(), Size(n_sequences=100, n_test=50, latent_dim=4, epochs=1, n_seeds=2)


def trial(network, variant, seed, size):
    """What a variant is worth: ``{measure: number}``.

    Errors are shares of the variance of the pixels: 0 is perfect, 1 the mean of each.
    """
    films, digits = make_moving_digits(
        size.n_sequences + size.n_test,
        PAST + FUTURE,
        frame_size=FRAME_SIZE,
        random_state=seed,
    )
    model = LSTMAutoencoderTransformer(
        size.latent_dim,
        patch_size=1,
        summary_weight=0.0,
        scaling=None,
        epochs=size.epochs,
        random_state=seed,
    ).set_params(**NETWORKS[network], **VARIANTS[variant])
    # Who only rebuilds is given just what the others' encoders see.
    seen = films[:, :PAST] if model.objective == "reconstruct" else films
    train, test = np.split(seen, [size.n_sequences])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The fit is no better")  # the tables show it
        model.fit(train)

    def error(X, task):
        return float(model.errors(X, task=task).mean() / films.var(axis=(0, 1)).mean())

    values = {}
    if model.objective != "reconstruct":
        values[PREDICTED] = error(test, "predict")
    if model.objective != "predict":
        values[REBUILT] = error(test, "reconstruct")
        values[REBUILT_IN_FIT] = error(train, "reconstruct")
    codes = model.transform(films[:, :PAST])
    return values | {ACCURACY: few_label_accuracy(codes, digits, size.n_sequences, seed)}


def few_label_accuracy(codes, digits, n_sequences, seed):
    """Accuracy of logistic regressions that know a few labels, on rows from ``n_sequences`` on."""
    generator = np.random.default_rng(seed)
    accuracies = []
    for _ in range(N_DRAWS):
        labeled = choose(digits[:n_sequences], N_LABELS, generator)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
        classifier.fit(codes[labeled], digits[labeled])
        accuracies.append(classifier.score(codes[n_sequences:], digits[n_sequences:]))
    return float(np.mean(accuracies))


def measure(size):
    """Record of all variants of both networks, each printed when it is there."""
    scores = []
    for network in NETWORKS:
        for variant in VARIANTS:
            runs = [trial(network, variant, seed, size) for seed in range(size.n_seeds)]
            values = {name: [run[name] for run in runs] for name in runs[0]}
            scores.append(Scores(variant, network, values))
            shown = [f"{name} {report.show_spread(name, each)}" for name, each in values.items()]
            print(f"{network}, {variant}:", ", ".join(shown), flush=True)
    return Record(orders=compare(scores), scores=scores)


def compare(scores):
    """The ORDERS in each network, seed by seed."""
    values = {(each.contender, each.case): each.values for each in scores}
    orders = []
    for name, better, worse in ORDERS:
        for network in NETWORKS:
            pairs = zip(*(values[network, each][name] for each in (better, worse)), strict=True)
            sign = 1 if name == ACCURACY else -1
            gains = [sign * (one - other) for one, other in pairs]
            orders.append(Order(f"{name}: {better} before {worse}", network, gains))
    return orders


def main(arguments=None):
    measure_alone("variants", __doc__, lambda quick: measure(QUICK if quick else FULL), arguments)


if __name__ == "__main__":
    main()
