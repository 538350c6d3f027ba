"""Results as files of JSON, and the tables of README.md that are made from them."""

import datetime
import json
import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .harness import CORES
from .records import SECONDS, Record

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
README = FOLDER / "README.md"
BEGIN = "<!-- begin: written by `python -m benchmarks`, do not edit -->"
END = "<!-- end -->"
PACKAGES = ["tensorflow", "keras", "torch", "numpy", "scikit-learn", "aeon"]


def surroundings():
    """When and where something is measured."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor()}, {min(CORES, os.cpu_count())} cores used",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | {p: find_version(p) for p in PACKAGES},
    }


def find_version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor():
    """Its name, as Linux knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def save(line, record, folder=RESULTS):
    """Keep a record, with its date and machine."""
    folder.mkdir(exist_ok=True)
    content = {"line": line, **surroundings(), **record.to_dict()}
    (folder / f"{line}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(line, folder=RESULTS):
    """Record of a line and its surroundings, or None."""
    path = folder / f"{line}.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Record.from_dict(content), content


# Tables ----------------------------------------------------------------------------------


def verdict_table(entries):
    """Rows "goal, measured, met or missed" of ``{line: record}``."""
    rows = ["| | goal | measured | |", "|---|---|---|---|"]
    for line, record in entries.items():
        for verdict in record.verdicts:
            outcome = "met" if verdict.met else "**missed**"
            rows.append(f"| {line} | {verdict.goal} | {verdict.measured} | {outcome} |")
    return rows


def timing_table(timings):
    """Medians in seconds, ratios to ours with their range, final losses."""
    names = list(dict.fromkeys(name for timing in timings for name in timing.seconds))
    rivals = [name for name in names if name != "ours"]
    losses = any(timing.losses for timing in timings)
    header = ["", *names, *(f"{name} / ours" for name in rivals), *["final losses"] * losses]
    rows = [header, ["---"] * len(header)]
    for timing in timings:
        row = [timing.case, *(show_seconds(timing, name) for name in names)]
        row += [show_ratio(*timing.ratio(rival)) for rival in rivals]
        row += [show_losses(timing)] * losses
        rows.append(row)
    return show_rows(rows)


def show_seconds(timing, name):
    seconds = timing.median(name)
    shown = f"{seconds:.3g} s" if abs(seconds) >= 1 else f"{1000 * seconds:.3g} ms"
    return f"{shown}, {timing.note}" if name == "PyTorch" and timing.note else shown


def score_tables(scores):
    """A table for each measure: a row for each case, a column for each contender."""
    found = {(each.case, each.contender): each.values for each in scores}
    rows = []
    for measure in dict.fromkeys(measure for each in scores for measure in each.values):
        measured = [each for each in scores if measure in each.values]
        names = list(dict.fromkeys(each.contender for each in measured))
        header = [measure, *names]
        rows += ["", *show_rows([header, ["---"] * len(header)])]
        for case in dict.fromkeys(each.case for each in measured):
            values = [found.get((case, name), {}).get(measure) for name in names]
            rows += show_rows([[case, *(show_spread(measure, each) for each in values)]])
    return rows[1:]


def order_table(orders):
    """A row for each claim, a column for each case: mean gain, 95 % interval, what that says."""
    cases = list(dict.fromkeys(order.case for order in orders))
    found = {(order.claim, order.case): order for order in orders}
    rows = [["order", *cases], ["---"] * (1 + len(cases))] if orders else []
    for claim in dict.fromkeys(order.claim for order in orders):
        rows.append([claim, *(show_order(found[claim, case]) for case in cases)])
    return show_rows(rows)


def show_order(order):
    mean, lowest, highest = order.interval()
    return f"{mean:+.3f} ({lowest:+.3f} to {highest:+.3f}): {order.outcome}"


def show_rows(rows):
    return ["| " + " | ".join(row) + " |" for row in rows]


def show_spread(measure, values):
    """Mean and standard deviation; of seconds the median, as the first fit also compiles."""
    if not values:
        return "n/a"
    if measure.startswith(SECONDS):
        median = statistics.median(values)
        return f"{median:.2g}" if median >= 0.01 else "< 0.01"
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def figures(line, record):
    """Links to the figures of a line, if it has any."""
    if line == "growth":  # whose cases read "axis=value"
        axes = dict.fromkeys(timing.case.split("=")[0] for timing in record.timings)
        return [f"![{axis}](images/growth_{axis}.png)" for axis in axes]
    if line == "quality":
        return ["![accuracy](images/quality_accuracy.png)", ""]
    if line == "ranks":
        return ["![speed by number of ranks](images/ranks.png)"]
    return []


def show_ratio(middle, lowest, highest):
    return f"{middle:.2f} ({lowest:.2f} to {highest:.2f})"


def show_losses(timing):
    middle = {name: sorted(values)[len(values) // 2] for name, values in timing.losses.items()}
    shown = ", ".join(f"{loss:.3g}" for loss in middle.values())
    return shown if timing.agrees else f"{shown}: ours is higher"


def describe(content):
    """One sentence on when and where."""
    numbers = content["versions"].items()
    versions = ", ".join(f"{name} {number}" for name, number in numbers if number)
    return f"{content['date']}, {content['machine']}, {content['system']}; {versions}."


def make_tables(lines, folder=RESULTS):
    """The text between the markers, from the results of the lines that were measured."""
    loaded = {line: load(line, folder) for line in lines}
    loaded = {line: both for line, both in loaded.items() if both is not None}
    if not loaded:
        return "Nothing is measured yet."
    measured = {}
    for line, (_, content) in loaded.items():
        measured.setdefault(describe(content), []).append(line)
    text = [f"Measured ({', '.join(names)}): {where}" for where, names in measured.items()]
    text += ["", *verdict_table({line: record for line, (record, _) in loaded.items()})]
    for line, (record, _) in loaded.items():
        table = timing_table(record.timings) if record.timings else score_tables(record.scores)
        table = [*order_table(record.orders), "", *table] if record.orders else table
        shown = figures(line, record) + ([] if line == "growth" else table)
        text += ["", f"### {line}", "", *shown] if shown else []
    return "\n".join(text)


def write_tables(lines, readme=README, folder=RESULTS):
    """Put the tables between the markers of a file; the rest of it stays."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    text = f"{before}{BEGIN}\n\n{make_tables(lines, folder)}\n\n{END}{after}"
    readme.write_text(text, encoding="utf-8")
