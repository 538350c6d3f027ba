"""``python -m benchmarks.quality [--set name=value ...] [--sets ...] [--only ...] [--seeds n]``."""

import argparse
import ast
import statistics

from .contenders import CONTENDERS
from .measures import measure
from .sets import LONG, SETS


def setting(text):
    """``name=value`` -> (name, value)."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--set", action="append", type=setting, default=[], metavar="name=value")
    parser.add_argument("--sets", nargs="+", choices=[*SETS, *LONG], default=[*SETS, *LONG])
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    for name in chosen.sets:
        for contender in chosen.only:
            runs = [
                measure(contender, name, seed, dict(chosen.set)) for seed in range(chosen.seeds)
            ]
            shown = [
                f"{key} {statistics.mean(values):.3f} ({statistics.pstdev(values):.3f})"
                for key in runs[0]
                for values in [[run[key] for run in runs]]
            ]
            print(f"{name:22} {contender:12}", "  ".join(shown), flush=True)


if __name__ == "__main__":
    main()
