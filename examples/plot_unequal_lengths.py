"""
Sequences of unequal length
===========================

Pass sequences of unequal length as a list of arrays of shape (T_i, F). They need no padding, no
mask and no cutting. In this example the sequences are digits without their blank rows, which leaves
5 to 8 rows of 8 pixels.
"""

# %%
# Split the list into training and test data like any other list.

import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_lstmae.datasets import crop_digits

sequences, digits = crop_digits()
sequences = [sequence / 16 for sequence in sequences]  # pixels from 0 to 1
X_train, X_test, y_train, y_test = train_test_split(
    sequences, digits, test_size=0.5, stratify=digits, random_state=0
)
lengths = np.array([len(sequence) for sequence in X_test])
for length, count in zip(*np.unique(lengths, return_counts=True), strict=True):
    print(f"{count:4} held-out sequences of {length} steps")

# %%
# Codes have the same width for all lengths, so any classifier can follow.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import LSTMAutoencoderTransformer

model = make_pipeline(
    LSTMAutoencoderTransformer(scaling=None, epochs=40, random_state=0),
    StandardScaler(),
    LogisticRegression(max_iter=3000),
)
model.fit(X_train, y_train)
right = model.predict(X_test) == y_test
print(f"Accuracy, all held-out sequences: {right.mean():.3f}")
print(f"Accuracy, those under 8 steps:    {right[lengths < 8].mean():.3f}")

# %%
# Internal padding is masked in the encoder, in the decoder and in the loss. A sequence has exactly
# the same code alone and together with longer ones.

autoencoder = model[0]
shortest = lengths.argmin()
alone = autoencoder.transform([X_test[shortest]])[0]
among_others = autoencoder.transform(X_test)[shortest]
print(f"Same code alone and among others: {np.array_equal(alone, among_others)}")

# %%
# ``reconstruct`` returns each sequence in its own length. ``inverse_transform`` gets only codes, so
# pass the lengths; without them it decodes as many steps as the longest sequence of ``fit`` had.

rebuilt = autoencoder.reconstruct(X_test)
codes = autoencoder.transform(X_test)
decoded = autoencoder.inverse_transform(codes, lengths=lengths)
print(f"Shape of the shortest, decoded:   {rebuilt[shortest].shape}, {decoded[shortest].shape}")

# %%
# Plot two sequences of each length and their reconstructions.

import matplotlib.pyplot as plt

shown = [row for length in (5, 6, 7, 8) for row in np.flatnonzero(lengths == length)[:2]]
figure, axes = plt.subplots(2, len(shown), figsize=(8, 2.4), layout="constrained")
for row, (name, images) in enumerate({"original": X_test, "reconstructed": rebuilt}.items()):
    for ax, which in zip(axes[row], shown, strict=True):
        ax.imshow(images[which], cmap="gray_r", vmin=0, vmax=1, extent=(0, 8, lengths[which], 0))
        ax.set(xticks=[], yticks=[], xlim=(0, 8), ylim=(8.2, 0))
        ax.spines[:].set_visible(False)
        ax.axhline(lengths[which], color="tab:blue")
    axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
for ax, which in zip(axes[0], shown, strict=True):
    ax.set_title(f"{lengths[which]} steps", fontsize=11)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "unequal_lengths.png"
    figure.savefig(picture, dpi=150)
    print(f"Originals and reconstructions: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
