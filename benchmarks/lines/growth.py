"""How the time of an epoch grows with N, T, F, U and B: a figure each."""

from dataclasses import replace

from benchmarks.jobs import Job
from benchmarks.records import Record
from benchmarks.report import FOLDER
from sklearn_lstmae.displays._drawing import BLACK, BLUE, GREEN, VERMILION

from .epochs import race

BASE = Job(512, 48, 4, 64, 32, epochs=20)
AXES = {
    "n_sequences": ("N, sequences", [128, 256, 512, 1024, 2048]),
    "n_timesteps": ("T, steps of a sequence", [12, 24, 48, 96, 192]),
    "n_features": ("F, features of a step", [1, 4, 16, 64]),
    "units": ("U, LSTM units", [16, 32, 64, 128, 256]),
    "batch_size": ("B, sequences of a minibatch", [8, 16, 32, 64, 128, 256]),
}
IMAGES = FOLDER / "images"
ROUNDS = 2
STYLES = {"ours": (BLUE, "o"), "Keras": (VERMILION, "s"), "PyTorch": (GREEN, "^")}


def measure(quick):
    record, raced = Record(), {}
    for axis, (_, values) in AXES.items():
        for value in values[:1] if quick else values:
            job = replace(BASE, **{axis: value})
            job = replace(job, epochs=2) if quick else job
            if job not in raced:
                raced[job] = race(job, 1 if quick else ROUNDS)
                print(f"  {job}", flush=True)
            point = replace(raced[job], case=f"{axis}={value}")
            record.timings.append(point)
    return record


def draw(record, folder=IMAGES):
    """A figure for each axis, from the record; returns their paths."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    folder.mkdir(exist_ok=True)
    paths = []
    for axis, (label, _) in AXES.items():
        points = [
            (int(timing.case.split("=")[1]), timing)
            for timing in record.timings
            if timing.case.startswith(f"{axis}=")
        ]
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.subplots()
        values = [value for value, _ in points]
        for name, (color, marker) in STYLES.items():
            seconds = [timing.median(name) for _, timing in points]
            axes.loglog(values, seconds, color=color, marker=marker, label=name)
        doubtful = [(value, timing) for value, timing in points if not timing.agrees]
        if doubtful:
            axes.scatter(
                [value for value, _ in doubtful],
                [timing.median("ours") for _, timing in doubtful],
                s=90,
                facecolors="none",
                edgecolors=BLACK,
                label="ours learned less",
            )
        axes.set_xticks(values, [str(value) for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
        axes.set_ylabel("seconds an epoch")
        axes.grid(which="both", alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        paths.append(folder / f"growth_{axis}.png")
        figure.savefig(paths[-1], dpi=120)
    return paths
