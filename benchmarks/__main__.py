"""``python -m benchmarks [line ...] [--quick]``."""

import argparse
import importlib
import time

from . import report

TABLE = [
    "epochs",
    "floor",
    "whole_fit",
    "default_fit",
    "known_architecture",
    "grid_search",
    "searches",
    "inference",
    "throughput",
    "memory",
    "memmap",
    "import_time",
]
LINES = [*TABLE, "growth", "compiling", "stores", "ranks"]
# In README.md; `python -m benchmarks.quality`, `... .anomaly` and so on measure the last four.
SHOWN = [*LINES, "quality", "anomaly", "variants", "labels"]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "lines",
        nargs="*",
        metavar="line",
        help=f"of {LINES}; without any, all but the last four",
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny jobs, to try it out; nothing is kept"
    )
    parser.add_argument("--tables", action="store_true", help="only write README.md anew")
    chosen = parser.parse_args(arguments)
    for line in chosen.lines:
        if line not in LINES:
            parser.error(f"{line!r} is not one of {LINES}")
    for line in [] if chosen.tables else chosen.lines or TABLE:
        run(line, chosen.quick)
    if not chosen.quick:
        report.write_tables(SHOWN)


def run(line, quick):
    """Measure a line, print what it found and keep it."""
    print(f"{line} ...", flush=True)
    module = importlib.import_module(f"benchmarks.lines.{line}")
    start = time.perf_counter()
    record = module.measure(quick)
    print("\n".join(report.timing_table(record.timings) if record.timings else []))
    if record.verdicts:
        print("\n".join(report.verdict_table({line: record})))
    print(f"{line} took {time.perf_counter() - start:.0f} s\n", flush=True)
    if not quick:
        report.save(line, record)
        if hasattr(module, "draw"):
            module.draw(record)


def measure_alone(line, description, measure, arguments):
    """A command of its own: ``measure(quick)`` makes a record, which is shown and kept."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{line}", description=description)
    parser.add_argument(
        "--quick", action="store_true", help="tiny networks, to try it out; nothing is kept"
    )
    quick = parser.parse_args(arguments).quick
    show(line, measure(quick), keep=not quick)


def show(line, record, keep):
    """Print the tables of what a command of its own has measured, and keep it."""
    verdicts = report.verdict_table({line: record}) if record.verdicts else []
    for table in (report.order_table(record.orders), report.score_tables(record.scores), verdicts):
        if table:
            print("", *table, sep="\n")
    if keep:
        report.save(line, record)
        report.write_tables(SHOWN)


if __name__ == "__main__":
    main()
