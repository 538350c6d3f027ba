"""
One model for many machines
===========================

Twelve machines report CPU and memory every hour. Each has its own level and its own busy hours, and
none has enough data for a separate model. One detector is trained on all of them, tested on
machines that were not used for training, and then monitors all twelve.
"""

# %%
# Simulate two weeks. The load depends on the hour of the day, and memory depends on the load. In
# the last four days two faults occur: on one machine a program leaks memory, on another a job does
# not end.

import numpy as np
import pandas as pd

N_DAYS, N_MACHINES = 14, 12
hours = pd.date_range("2025-03-03", periods=24 * N_DAYS, freq="h")
generator = np.random.default_rng(0)


def simulate():
    """CPU and memory of one machine, in percent."""
    busy_from, level = generator.uniform(0, 24), generator.uniform(10, 25)
    day = np.cos(2 * np.pi * (hours.hour - busy_from) / 24)
    load = level + generator.uniform(20, 35) * np.clip(day + 0.4, 0, None)
    recent = pd.Series(load).rolling(4, min_periods=1).mean()
    memory = generator.uniform(20, 40) + 0.6 * recent + generator.normal(0, 1.5, len(hours))
    return pd.DataFrame(
        {"cpu": load + generator.normal(0, 2, len(hours)), "memory": memory.to_numpy()}, hours
    )


machines = {f"machine {number:02}": simulate() for number in range(N_MACHINES)}
faults = {
    "machine 03": slice("2025-03-14 06:00", "2025-03-15 05:00"),
    "machine 08": slice("2025-03-15 12:00", "2025-03-16 03:00"),
}
machines["machine 03"].loc[faults["machine 03"], "memory"] += np.arange(24)
machines["machine 08"].loc[faults["machine 08"], "cpu"] += 20
frame = pd.concat(machines, names=["machine", "time"]).reset_index("machine")

# %%
# Cut the record of each machine into windows of a day. ``group`` names the column that identifies
# the machine, so that no window contains steps of two machines. The first ten days are free of
# faults.

from sklearn_lstmae import sliding_windows

normal = frame[frame.index < "2025-03-13"]
windows, index = sliding_windows(normal, 24, stride=6, group="machine")
print(f"{len(windows)} windows of {N_MACHINES} machines, {windows.shape[1:]} each")

# %%
# How well does a model reconstruct machines that were not used for training? ``WindowSplit`` holds
# out whole machines.

from sklearn.model_selection import cross_val_score

from sklearn_lstmae import LSTMAutoencoderTransformer, WindowSplit

autoencoder = LSTMAutoencoderTransformer(latent_dim=4, epochs=40, random_state=0)
scores = cross_val_score(autoencoder, windows, cv=WindowSplit(index, n_splits=3))
print("Explained variance, machines not seen:", *(f"{score:.2f}" for score in scores))

# %%
# The threshold should also come from held-out machines. With ``groups``, "conformal" holds out
# whole machines and compares new windows with theirs. ``contamination=0.01`` allows for one false
# alarm in a hundred normal windows.

from sklearn_lstmae import LSTMAutoencoderDetector

detector = LSTMAutoencoderDetector(
    autoencoder, contamination=0.01, threshold="conformal", cv=4, random_state=0
)
detector.fit(windows, groups=index.groups)

# %%
# Monitor the last four days. An hour is flagged if most windows that cover it are outliers. Events
# may therefore begin and end up to a day too early or too late. The errors of single values show
# which of the two features is faulty.

from sklearn_lstmae import find_events, unwind

recent = frame[frame.index >= "2025-03-13"]
windows, index = sliding_windows(recent, 24, stride=2, group="machine")
flagged = unwind(detector.predict(windows) == -1, index)
errors = unwind(detector.errors(windows, per="value"), index)
events = find_events(flagged, 0.5, feature_errors=errors, index=index)  # by machine
print(events[["group", "start", "end", "worst_feature"]].to_string(index=False))

# %%
# Plot the two faulty machines and a normal one.

import matplotlib.dates as mdates
import matplotlib.pyplot as plt

shown = ["machine 03", "machine 08", "machine 00"]
figure, axes = plt.subplots(3, 1, figsize=(9, 5), sharex=True, layout="constrained")
for ax, name in zip(axes, shown, strict=True):
    record = machines[name].loc["2025-03-10":]
    ax.plot(record, linewidth=1, label=list(record))
    for number, event in enumerate(events[events["group"] == name].itertuples()):
        label = "_" * bool(number) + "flagged"  # once in the legend
        ax.axvspan(event.start, event.end, color="C3", alpha=0.2, linewidth=0, label=label)
    if name in faults:
        wrong = record.loc[faults[name]].index
        ax.axvspan(wrong[0], wrong[-1], ymax=0.04, color="black", label="fault")
    ax.set(title=name, ylabel="percent", ylim=(0, 100))
    ax.spines[["top", "right"]].set_visible(False)
axes[-1].xaxis.set_major_formatter(mdates.DateFormatter("%B %d"))
axes[0].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "many_machines.png"
    figure.savefig(picture, dpi=150)
    print(f"Three machines: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
