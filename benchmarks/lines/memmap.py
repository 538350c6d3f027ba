"""Extra memory of fit and transform on a file that is larger than what they may take."""

import tempfile
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.contenders import Ours
from benchmarks.harness import Remote, started
from benchmarks.jobs import Job
from benchmarks.records import Record, Verdict

FILE_BYTES = 300e6
JOB = Job(1024, 48, 64, 64, 128, epochs=1)  # its sequences are repeated until the file is full
GOAL = 100.0
WARM_UP_EPOCHS = 20


class Mapped(Ours):
    """Works on a file, after a small fit in memory that starts and compiles everything."""

    def __init__(self, job, path):
        super().__init__(job)
        self.warm_up()
        self.X = np.load(path, mmap_mode="r")

    def warm_up(self):
        """Fit so many epochs that the network is compiled with XLA, as that of the file is."""
        n_epochs = self.model.epochs
        self.model.set_params(epochs=WARM_UP_EPOCHS).fit(self.X)
        self.model.set_params(epochs=n_epochs)
        self.encode()

    def extra_memory(self, method):
        """MB on top of what the process had: its own memory (RssAnon), and all (peak RSS)."""
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before, stop, highest = status(), threading.Event(), 0.0

        def watch():
            nonlocal highest
            while not stop.wait(0.002):
                highest = max(highest, status()["RssAnon"])

        watcher = threading.Thread(target=watch)
        watcher.start()
        getattr(self, method)()
        stop.set()
        watcher.join()
        after = status()
        highest = max(highest, after["RssAnon"])
        return {"own": highest - before["RssAnon"], "all": after["VmHWM"] - before["VmRSS"]}


def status():
    """Fields of /proc/self/status that are sizes, in MB."""
    lines = [line.split() for line in Path("/proc/self/status").read_text().splitlines()]
    return {line[0][:-1]: int(line[1]) * 1024 / 1e6 for line in lines if line[-1] == "kB"}


def write_file(path, job, n_bytes):
    """Noisy waves in a .npy file of about ``n_bytes``."""
    part = job.data()
    n_parts = max(1, round(n_bytes / part.nbytes))
    shape = (n_parts * len(part), *part.shape[1:])
    file = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, len(file), len(part)):
        file[start : start + len(part)] = part
    file.flush()


def measure(quick):
    job = replace(JOB, units=8) if quick else JOB
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "waves.npy")
        write_file(path, job, FILE_BYTES / 10 if quick else FILE_BYTES)
        size = path.stat().st_size / 1e6
        record = Record(numbers={"MB of the file": round(size)})
        with started({"ours": partial(Remote, Mapped, job, path)}) as remotes:
            for method, name in {"fit": "fit", "encode": "transform"}.items():
                extra = remotes["ours"].call("extra_memory", method)
                verdict = Verdict(
                    f"{name} on a file of {size:.0f} MB in less than {GOAL:.0f} MB of memory",
                    f"{extra['own']:.0f} MB; {extra['all']:.0f} MB with the pages of the file "
                    "that the system keeps in memory while there is room",
                    extra["own"] < GOAL,
                )
                record.verdicts.append(verdict)
                record.numbers[f"MB in {name}"] = extra
    return record
