"""
Digits, row by row
==================

Scikit-learn's digits are images of 8 x 8 pixels. Read from top to bottom, each image is a sequence
of 8 steps, and each step is a row of 8 pixels. An LSTM autoencoder compresses the sequence to 16
numbers. From these, a logistic regression predicts the digit, and the decoder reconstructs the
image.
"""

# %%
# Train on half of the images, and hold the other half out.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)  # (N, T, F): images, rows, pixels of a row
X_train, X_test, y_train, y_test = train_test_split(
    images, digits, test_size=0.5, stratify=digits, random_state=0
)

# %%
# The autoencoder is trained without labels. Its codes are an ordinary table, which any classifier
# can read.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import LSTMAutoencoderTransformer


def report(name, train, test, explained_variance=None):
    """Print a row of the table, with the accuracy of a classifier of these columns."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    accuracy = model.fit(train, y_train).score(test, y_test)
    shown = "" if explained_variance is None else f"{explained_variance:.3f}"
    print(f"  {name:32} {train.shape[1]:8} {accuracy:9.3f} {shown:>19}".rstrip())


# %%
# PCA is the usual method of dimensionality reduction. ``score`` of the autoencoder is the share of
# the variance that the reconstruction explains: 1 is perfect, 0 is no better than each feature's
# mean. The function computes the same for PCA.
#
# A classifier may also read the encoder's outputs, not only the bottleneck: with
# ``append_states=True``, ``transform`` appends their mean, deviation, maximum and minimum over the
# steps to the code. Compare these 528 columns with the 64 pixels themselves.

from sklearn.decomposition import PCA


def compare(train, test, **parameters):
    """Print four rows of the table; returns the fitted autoencoder."""
    model = LSTMAutoencoderTransformer(append_states=True, random_state=0, **parameters)
    columns, test_columns = model.fit_transform(train), model.transform(test)
    report("LSTM autoencoder, code", columns[:, :16], test_columns[:, :16], model.score(test))

    center, scale = (0, 1) if model.scaling is None else (model.mean_, model.scale_)
    pixels, test_pixels = (((X - center) / scale).reshape(-1, 64) for X in (train, test))
    pca = PCA(16).fit(pixels)
    components, test_components = pca.transform(pixels), pca.transform(test_pixels)
    lost = test_pixels - pca.inverse_transform(test_components)
    centered = test_pixels - np.tile(pixels.reshape(-1, 8).mean(axis=0), 8)
    explained = 1 - np.square(lost).sum() / np.square(centered).sum()
    report("PCA", components, test_components, explained)

    report("LSTM autoencoder, code and states", columns, test_columns)
    report("pixels", pixels, test_pixels)
    return model


print("On the held-out half:               columns  accuracy  explained variance")
print("each feature scaled (the default)")
autoencoder = compare(X_train, X_test)

# %%
# Here a feature is a column of pixels, and the leftmost column is nearly always blank. Scaled to a
# standard deviation of 1, its few gray pixels weigh as much as the strokes of a digit. All pixels
# have the same unit, so scaling is not needed: divide them by 16 and use ``scaling=None``.

print("pixels divided by 16, no scaling (scaling=None)")
proportional = compare(X_train / 16, X_test / 16, scaling=None)

# %%
# Plot held-out digits and their reconstructions from 16 numbers.

import matplotlib.pyplot as plt

rows = {
    "original": X_test,
    "reconstructed\n(default)": autoencoder.reconstruct(X_test),
    "reconstructed\n(no scaling)": proportional.reconstruct(X_test / 16) * 16,
}
shown = [(y_test == digit).argmax() for digit in range(10)]
figure, axes = plt.subplots(len(rows), 10, figsize=(8, 2.5), layout="constrained")
for row, (name, drawn) in enumerate(rows.items()):
    for ax, image in zip(axes[row], drawn[shown], strict=True):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color("silver")
    axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "digits.png"
    figure.savefig(picture, dpi=150)
    print(f"Originals and reconstructions: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
