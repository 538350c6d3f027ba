"""Measure what the codes of the default settings are worth, or try other settings out."""

import argparse
import ast
import json
from functools import partial
from pathlib import Path

from benchmarks import report
from benchmarks.__main__ import show
from benchmarks.harness import Remote, started
from benchmarks.records import Record
from sklearn_lstmae import LSTMAutoencoderTransformer

from . import figure
from .contenders import CONTENDERS
from .measures import CEILING, NEEDED, Trials, average, collect, judge
from .sets import LONG, SETS

SEEDS = 3
ALL = [*SETS, *LONG]


class Kept:
    """Results of trials by their arguments, in a file of JSON that an interrupted run leaves.

    With ``path=None``, they are in memory only.
    """

    def __init__(self, path):
        self.path = path
        self.results = {}
        if path is not None and path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            self.results = dict(json.loads(line) for line in lines)

    def get(self, call, settings, *task):
        """Result of ``call(*task)``, which is called if it is not known yet."""
        key = json.dumps([settings, *task])
        if key not in self.results:
            self.results[key] = call(*task)
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    print(json.dumps([key, self.results[key]]), file=file)
        return self.results[key]


def setting(text):
    """``name=value`` -> (name, value), a Python literal or else a string."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def make_parser(line, description, sets, contenders, n_seeds):
    """Parser of a command that measures contenders on sets with chosen settings and seeds."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{line}",
        description=description,
        epilog="Results are kept, and README.md written, only if no option but --keep is given.",
    )
    parser.add_argument(
        "--set",
        action="append",
        type=setting,
        default=[],
        metavar="parameter=value",
        help="a parameter of the transformer; may be repeated",
    )
    for option, names, one in [("--sets", [*sets], "set"), ("--only", [*contenders], "contender")]:
        parser.add_argument(
            option, nargs="+", choices=names, default=names, metavar=one, help=f"of {names}"
        )
    parser.add_argument(
        "--seeds", type=int, default=n_seeds, metavar="n", help=f"0 to n - 1; {n_seeds} by default"
    )
    return parser


def main(arguments=None):
    parser = make_parser("quality", __doc__, ALL, CONTENDERS, SEEDS)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="file",
        help="of the results of single trials: what it has is not measured again",
    )
    chosen = parser.parse_args(arguments)
    if chosen.seeds < 1:
        parser.error(f"--seeds {chosen.seeds} is less than 1")
    settings = dict(chosen.set)
    try:
        LSTMAutoencoderTransformer().set_params(**settings)
    except ValueError as error:
        parser.error(str(error))
    record = measure(settings, chosen.sets, chosen.only, chosen.seeds, Kept(chosen.keep))
    chosen.keep = None
    whole = chosen == parser.parse_args([])
    if whole:
        figure.draw(record)
    show("quality", record, keep=whole)


def measure(settings, sets, contenders, n_seeds, kept):
    """Record of all contenders on all sets, each printed when it is there."""
    scores = []
    with started({"trials": partial(Remote, Trials, settings)}) as remotes:
        call = remotes["trials"].call
        for name in sets:
            tasks = {contender: ("run", contender, name) for contender in contenders}
            if name in LONG:
                tasks[CEILING] = ("ceiling", name)
            for contender, task in tasks.items():
                runs = [kept.get(call, settings, *task, seed) for seed in range(n_seeds)]
                scores.append(collect(name, contender, runs))
                shown = [
                    f"{key} {report.show_spread(key, values)}"
                    for key, values in scores[-1].values.items()
                ]
                print(f"{name}, {contender}:", ", ".join(shown) or "n/a", flush=True)
    scores += average(scores)
    complete = set(sets) == set(ALL) and set(contenders) >= NEEDED
    parameters = LSTMAutoencoderTransformer().set_params(**settings).get_params()
    return Record(
        verdicts=judge(scores) if complete else [],
        numbers={"parameters": parameters},
        scores=scores,
    )


if __name__ == "__main__":
    main()
