"""Time and extra memory of one epoch on data in stores of two sizes, a process each."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import Remote, started
from benchmarks.jobs import Job
from benchmarks.lines.memmap import Mapped
from benchmarks.records import Record, Verdict

# A small network on wide frames, so that reading is not hidden behind arithmetic.
JOB = Job(1024, 100, 32, 4, 128, epochs=1, latent_dim=4)
PATCH_SIZE = 25
SIZES = (80e6, 2e9)
CHUNK_ROWS = 128
PARTS = ("fit", "encode")
GOAL, MEMORY = 1.5, 100.0


def write(kind, path, n_rows, part):
    """The rows of ``part`` again and again, in the file of a kind."""
    shape = (n_rows, *part.shape[1:])
    file = WRITERS[kind](path, shape)
    for start in range(0, n_rows, len(part)):
        file[start : start + len(part)] = part[: n_rows - start]


def _new_memmap(path, shape):
    return np.lib.format.open_memmap(path / "X.npy", "w+", np.float32, shape)


def _new_h5py(path, shape):
    import h5py

    return h5py.File(path / "X.h5", "w").create_dataset("X", shape, np.float32)


def _new_zarr(path, shape):
    import zarr

    chunks = (CHUNK_ROWS, *shape[1:])
    return zarr.create_array(str(path / "X.zarr"), shape=shape, chunks=chunks, dtype="f4")


def _open_memmap(path):
    return np.load(path / "X.npy", mmap_mode="r")


def _open_h5py(path):
    import h5py

    return h5py.File(path / "X.h5")["X"]


def _open_zarr(path):
    import zarr

    return zarr.open_array(str(path / "X.zarr"), mode="r")


def _open_dask(path):
    import dask.array

    return dask.array.from_zarr(_open_zarr(path))


def _open_xarray(path):
    import xarray

    return xarray.DataArray(_open_dask(path))


WRITERS = {"memmap": _new_memmap, "h5py": _new_h5py, "zarr": _new_zarr}
# How each kind is opened, and whose files it reads.
KINDS = {
    "memmap": (_open_memmap, "memmap"),
    "h5py": (_open_h5py, "h5py"),
    "zarr": (_open_zarr, "zarr"),
    "dask": (_open_dask, "zarr"),
    "xarray": (_open_xarray, "zarr"),
}


class Worker(Mapped):
    """A model that is compiled, and a store."""

    def __init__(self, job, kind, path):
        super(Mapped, self).__init__(job, patch_size=PATCH_SIZE)
        self.warm_up()
        self.X = KINDS[kind][0](path)

    def fit(self):
        """Train on the store itself: of most kinds, a slice of it would be an array in memory."""
        self.model.fit(self.X)


def measure(quick):
    job = replace(JOB, n_sequences=32) if quick else JOB
    part = job.data()
    record = Record()
    for n_bytes in (1e6, 4e6) if quick else SIZES:
        n_rows = round(n_bytes / part[0].nbytes)
        for written in WRITERS:
            with tempfile.TemporaryDirectory() as folder:
                write(written, Path(folder), n_rows, part)
                for kind in (kind for kind, (_, file) in KINDS.items() if file == written):
                    name = f"{kind}, {n_bytes / 1e6:.0f} MB"
                    record.numbers[name] = _measure_one(job, kind, Path(folder))
                    print(f"  {name}: {record.numbers[name]}", flush=True)
    record.verdicts = verdicts(record.numbers, *((1e6, 4e6) if quick else SIZES))
    return record


def _measure_one(job, kind, path):
    """Seconds and MB of each method on one store."""
    with started({kind: partial(Remote, Worker, job, kind, path)}) as remotes:
        found = {}
        for method in PARTS:
            seconds, extra = remotes[kind].timed("extra_memory", method)
            found[method] = {"seconds": seconds, "MB": extra["own"]}
    return found


def verdicts(numbers, small, large):
    """Whether time grows as the data, and memory does not."""
    found = []
    for kind in KINDS:
        one, other = (numbers[f"{kind}, {size / 1e6:.0f} MB"] for size in (small, large))
        growth = other["fit"]["seconds"] / one["fit"]["seconds"] / (large / small)
        extra = other["fit"]["MB"]
        found.append(
            Verdict(
                f"{kind}: an epoch takes at most {GOAL} times as long per byte at "
                f"{large / 1e6:.0f} MB as at {small / 1e6:.0f} MB, in {MEMORY:.0f} MB of memory",
                f"{growth:.2f} times ({one['fit']['seconds']:.1f} and "
                f"{other['fit']['seconds']:.1f} s); {extra:.0f} MB; transform "
                f"{one['encode']['seconds']:.1f} and {other['encode']['seconds']:.1f} s, "
                f"{other['encode']['MB']:.0f} MB",
                growth <= GOAL and extra < MEMORY,
            )
        )
    return found
