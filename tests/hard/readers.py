"""Readers during refits: each answer is that of the old model or that of the new one.

A model is fitted again and again, in turns in two ways, while other threads call its methods,
copy it and save it. The two answers of each call, or the errors that it raises, are known before.
"""

import copy
import io
import pickle
import sys
import threading
import warnings
from collections import Counter
from itertools import count, cycle

import numpy as np

from helpers import make_transformer
from sklearn_lstmae import LSTMAutoencoderClassifier, LSTMAutoencoderDetector, load, save

RNG = np.random.default_rng(0)
X = RNG.normal([3, -1], [2, 0.5], size=(24, 6, 2))
OTHER = 2 * X[::-1] + 5
FEW = X[:3]


def through_file(model):
    file = io.BytesIO()
    save(model, file)
    file.seek(0)
    return load(file)


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "file": through_file,
}


def make_detector(threshold):
    autoencoder = make_transformer(scaling="sequence")
    return LSTMAutoencoderDetector(
        autoencoder, threshold=threshold, contamination=0.3, cv=2, score_from="both", random_state=0
    )


# name: (estimator, first way to fit it, the other way, questions). A way is parameters and data;
# parameters that differ make answers of another shape, too.
CASES = {
    "transformer": (
        lambda: make_transformer().set_output(transform="pandas"),
        ({"latent_dim": 2, "scaling": "feature", "append_states": False}, (X,)),
        ({"latent_dim": 3, "scaling": "sequence", "append_states": True}, (OTHER,)),
        {
            "transform": lambda model: model.transform(FEW),
            "names": lambda model: model.get_feature_names_out(),
            "reconstruct": lambda model: model.reconstruct(FEW),
            "inverse_transform": lambda model: model.inverse_transform(np.zeros((2, 3))),
            "errors": lambda model: model.errors(FEW, per="value"),
            "score": lambda model: model.score(FEW),
        },
    ),
    **{
        f"detector, {threshold}": (
            lambda threshold=threshold: make_detector(threshold),
            ({"autoencoder__latent_dim": 2, "score_from": "both"}, (X,)),
            ({"autoencoder__latent_dim": 3, "score_from": "reconstruction"}, (OTHER,)),
            {
                "decision_function": lambda model: model.decision_function(FEW),
                "predict": lambda model: model.predict(X),
                "score_samples": lambda model: model.score_samples(FEW),
                "p_values": lambda model: model.p_values(FEW),
                "explain": lambda model: model.explain(FEW),
            },
        )
        for threshold in ("train", "cv", "conformal")
    },
    "classifier": (
        lambda: LSTMAutoencoderClassifier(make_transformer(), epochs=2, random_state=0),
        ({"autoencoder__latent_dim": 2}, (X, np.array(["no", "yes"])[np.arange(24) % 2])),
        ({"autoencoder__latent_dim": 3}, (OTHER, np.arange(24) % 3)),
        {
            "predict": lambda model: model.predict(X),
            "predict_proba": lambda model: model.predict_proba(FEW),
            "score": lambda model: model.score(FEW, ["no", "no", "yes"]),
        },
    ),
}


def answer(question, model):
    """What a model answers, as something that can be compared to the bit; an error is one, too."""
    try:
        result = question(model)
    except (AttributeError, ValueError) as error:
        return type(error).__name__, str(error)
    if hasattr(result, "columns"):
        return [*result.columns], result.to_numpy().tolist()
    return np.asarray(result).tolist()


def questions_of(name):
    """Questions to a model, and to copies of it: {name: function of a model}."""
    questions = CASES[name][3]
    _, first = next(iter(questions.items()))
    copies = {
        f"{how}, then the first": lambda model, copy_of=copy_of: first(copy_of(model))
        for how, copy_of in COPIES.items()
    }
    return questions | copies


def run(name, n_calls, n_readers=2):
    """Ask ``n_calls`` questions while the model is fitted in turns; raise where an answer is wrong.

    Returns
    -------
    Counter of str
        How often each answer was that of the first way or the other, and how often it was fitted.
    """
    make, *ways, _ = CASES[name]
    questions, expected = questions_of(name), {key: [] for key in questions_of(name)}
    model = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few epochs
        for parameters, data in [*ways, *ways[:1]]:
            model.set_params(**parameters).fit(*data)
            for key, question in questions.items():
                expected[key].append(answer(question, model))
        for key, (first, _, again) in expected.items():
            assert first == again, f"{key}: a fit like the first one answers otherwise"
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)  # threads take turns often
        try:
            counts = _race(model, ways, questions, expected, n_calls, n_readers)
        finally:
            sys.setswitchinterval(interval)
    assert counts["fits"], "No fit ended while readers asked."
    return counts


def _race(model, ways, questions, expected, n_calls, n_readers):
    counts, errors, number, lock = Counter(), [], count(), threading.Lock()

    def read():
        try:
            for key in cycle(questions):
                if next(number) >= n_calls or errors:
                    return
                got = answer(questions[key], model)
                place = next((i for i, known in enumerate(expected[key]) if known == got), None)
                if place is None:
                    raise AssertionError(f"{key}: {str(got)[:500]} is of neither model.")
                with lock:
                    counts[("first", "other")[place]] += 1
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(n_readers)]
    for reader in readers:
        reader.start()
    for parameters, data in cycle(ways[::-1]):
        if not any(reader.is_alive() for reader in readers):
            break
        model.set_params(**parameters).fit(*data)
        counts["fits"] += 1
    for error in errors:
        raise error
    return counts
