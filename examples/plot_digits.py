"""
Digits, row by row
==================

Scikit-learn's digits are images of 8 x 8 pixels. Read from top to bottom, each is a sequence of 8
steps, a row of 8 pixels each. An LSTM autoencoder makes 16 numbers of it, from which a logistic
regression tells the digit and the decoder draws the image again.
"""

# %%
# Half of the images to learn from, the other half held out.

from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)  # (N, T, F): images, rows, pixels of a row
X_train, X_test, y_train, y_test = train_test_split(
    images, digits, test_size=0.5, stratify=digits, random_state=0
)

# %%
# The autoencoder never sees a label. Its codes are columns like any others, so the rest of the
# pipeline is what it would be for a table.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import LSTMAutoencoderTransformer

model = make_pipeline(
    LSTMAutoencoderTransformer(random_state=0),
    StandardScaler(),
    LogisticRegression(max_iter=3000),
)
model.fit(X_train, y_train)
autoencoder = model[0]


def report(name, accuracy, explained_variance):
    print(f"  {name:28}  {accuracy:8.3f}  {explained_variance:18.3f}")


print("On the held-out half:           accuracy  explained variance")
print("each feature scaled (the default)")
report("LSTM autoencoder, 16 columns", model.score(X_test, y_test), autoencoder.score(X_test))

# %%
# Principal components of the same values in the same pipeline. ``score`` of the autoencoder is
# the share of variance that the decoder gives back: 1 is perfect, 0 is no better than each
# feature's mean. The function reckons the same for PCA.

from sklearn.decomposition import PCA


def report_components(train, test):
    flat_train, flat_test = train.reshape(-1, 64), test.reshape(-1, 64)
    pca_model = make_pipeline(PCA(16), StandardScaler(), LogisticRegression(max_iter=3000))
    pca_model.fit(flat_train, y_train)
    rebuilt = pca_model[0].inverse_transform(pca_model[0].transform(flat_test))
    variance = ((test - train.mean(axis=(0, 1))) ** 2).sum()
    lost = ((flat_test - rebuilt) ** 2).sum() / variance
    report("PCA, 16 columns", pca_model.score(flat_test, y_test), 1 - lost)


report_components(
    (X_train - autoencoder.mean_) / autoencoder.scale_,
    (X_test - autoencoder.mean_) / autoencoder.scale_,
)

# %%
# A feature is a column of pixels here, and the leftmost one is nearly always blank. Scaled to
# deviation 1, its few gray pixels weigh as much as the strokes of a digit. All pixels have one
# unit, so we can leave them in proportion: ``scaling=None``, and values of about 1.

pixel_model = make_pipeline(
    LSTMAutoencoderTransformer(scaling=None, random_state=0),
    StandardScaler(),
    LogisticRegression(max_iter=3000),
)
pixel_model.fit(X_train / 16, y_train)

print("pixels in proportion (scaling=None)")
report(
    "LSTM autoencoder, 16 columns",
    pixel_model.score(X_test / 16, y_test),
    pixel_model[0].score(X_test / 16),
)
report_components(X_train / 16, X_test / 16)

# %%
# Held-out digits, and what the decoders draw from 16 numbers.

import matplotlib.pyplot as plt

rows = {
    "original": X_test,
    "rebuilt\n(default)": autoencoder.reconstruct(X_test),
    "rebuilt\n(no scaling)": pixel_model[0].reconstruct(X_test / 16) * 16,
}
shown = [(y_test == digit).argmax() for digit in range(10)]
figure, axes = plt.subplots(len(rows), 10, figsize=(8, 2.5), layout="constrained")
for row, (name, drawn) in enumerate(rows.items()):
    for ax, image in zip(axes[row], drawn[shown], strict=True):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color("silver")
    axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)

picture = Path(__file__).parent / "images" / "digits.png"
figure.savefig(picture, dpi=150)
print(f"Originals beside reconstructions: {picture.relative_to(Path(__file__).parents[1])}")
