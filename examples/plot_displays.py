"""
Plots of a fitted autoencoder
=============================

Displays, which follow scikit-learn's convention, answer the first questions about an autoencoder:
has it learned anything, what does it reconstruct, where do the codes lie, what do their columns
mean, and where is a long record unusual?
"""

# %%
# The data are noisy waves of three kinds and two features, each with its own length.

import numpy as np
import pandas as pd

from sklearn_lstmae import LSTMAutoencoderTransformer
from sklearn_lstmae.datasets import make_waves

arrays, kinds = make_waves(300, 40, 2, min_timesteps=25, shift=0.4, noise=0.3, random_state=0)
X = [pd.DataFrame(wave, columns=["height", "speed"]) for wave in arrays]
autoencoder = LSTMAutoencoderTransformer(
    latent_dim=4, epochs=100, early_stopping=True, patience=5, random_state=0
).fit(X)
print(f"Explained variance: {autoencoder.score(X):.3f}")

# %%
# A display draws on given axes, or makes a figure of its own. Here, each display is a part of one
# figure.

import matplotlib.pyplot as plt

from sklearn_lstmae import (
    ErrorDisplay,
    LatentDisplay,
    LatentImportanceDisplay,
    LatentTraversalDisplay,
    LearningCurveDisplay,
    ReconstructionDisplay,
)

figure = plt.figure(figsize=(10, 8.5), layout="constrained")
parts = figure.subfigures(3, 2, wspace=0.05, hspace=0.05).ravel()


def axes_of(place, title):
    parts[place].suptitle(title, fontsize=11, fontweight="bold")
    return parts[place].subplots()


ax = axes_of(0, "LearningCurveDisplay")
LearningCurveDisplay.from_estimator(autoencoder, ax=ax)

ax = axes_of(1, "LatentDisplay")
LatentDisplay.from_estimator(autoencoder, X, [f"kind {kind}" for kind in kinds], ax=ax)

# The reconstruction contains no noise: a code of 4 numbers for up to 40 steps of 2 features keeps
# only the wave.

ax = axes_of(2, "ReconstructionDisplay")
ReconstructionDisplay.from_estimator(autoencoder, X, samples=[0, 1], ax=ax)

# Columns of the code have no names, but two displays help to interpret them. The first decodes the
# mean code with one column moved, which shows what the column changes. The second uses the gradient
# of the encoder, which shows the values on which the column depends.

ax = axes_of(3, "LatentTraversalDisplay")
columns = [0, 1]
LatentTraversalDisplay.from_estimator(autoencoder, X, columns=columns, deviations=[-2, 0, 2], ax=ax)

ax = axes_of(4, "LatentImportanceDisplay")
LatentImportanceDisplay.from_estimator(autoencoder, X, columns=columns, ax=ax)

# The last display shows errors along a record: ten days of a daily cycle, in which one evening is
# missing. The autoencoder is trained on windows of a day, and the errors are mapped back to the
# hours of the record.

from sklearn_lstmae import sliding_windows

hours = pd.date_range("2025-01-01", periods=240, freq="h")
noise = 0.1 * np.random.default_rng(0).normal(size=240)
record = pd.Series(np.sin(np.arange(240) * 2 * np.pi / 24) + noise, hours)
evening = hours[162:168]
record[evening] = 0.0

windows, _ = sliding_windows(record, 24, stride=2)
daily = LSTMAutoencoderTransformer(latent_dim=2, epochs=40, random_state=0).fit(windows)
ax = axes_of(5, "ErrorDisplay")
display = ErrorDisplay.from_estimator(
    daily, record, 24, threshold=0.3, intervals=[(evening[0], evening[-1])], ax=ax
)
print(f"The largest error is at {display.errors.idxmax()}.")

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "displays.png"
    figure.savefig(picture, dpi=150)
    print(f"Six displays: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
