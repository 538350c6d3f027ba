"""Measure which anomalies along a record are found, or try settings of the autoencoder out."""

from functools import partial

from benchmarks.__main__ import show
from benchmarks.harness import Remote, started
from benchmarks.quality.__main__ import make_parser
from benchmarks.records import Record
from sklearn_lstmae import LSTMAutoencoderDetector

from .contenders import CONTENDERS, OURS
from .measures import Trials, average, collect, judge
from .sets import SETS

SEEDS = 3
QUICK = {"hidden_units": (4,), "epochs": 1}


def main(arguments=None):
    parser = make_parser("anomaly", __doc__, SETS, CONTENDERS, SEEDS)
    parser.add_argument(
        "--quick", action="store_true", help="one seed, the simulated machine, tiny networks"
    )
    chosen = parser.parse_args(arguments)
    settings, sets, n_seeds = dict(chosen.set), chosen.sets, chosen.seeds
    if chosen.quick:
        settings, sets, n_seeds = QUICK | settings, ["machine"], 1
    record = measure_all(settings, sets, chosen.only, n_seeds)
    show("anomaly", record, keep=chosen == parser.parse_args([]))


def measure_all(settings, sets, contenders, n_seeds):
    """Record of all contenders on all sets."""
    scores = []
    with started({"trials": partial(Remote, Trials, settings)}) as remotes:
        call = remotes["trials"].call
        for name in sets:
            for contender in contenders:
                runs = [call("run", contender, name, seed) for seed in range(n_seeds)]
                scores += collect(contender, runs)
                print(f"{name}, {contender}: measured", flush=True)
    scores += average(scores)
    complete = set(sets) == set(SETS) and {"ours", "PCA"} <= set(contenders)
    settings = {f"autoencoder__{name}": value for name, value in (OURS | settings).items()}
    parameters = LSTMAutoencoderDetector().set_params(**settings).autoencoder.get_params()
    return Record(
        verdicts=judge(scores) if complete else [],
        numbers={"parameters": parameters},
        scores=scores,
    )


if __name__ == "__main__":
    main()
