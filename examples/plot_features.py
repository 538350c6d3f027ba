"""
Codes, states and other features
================================

An LSTM autoencoder offers two kinds of columns: the code, a few numbers from which the sequence can
be decoded, and the states, statistics of the encoder's outputs. How useful are they, compared with
principal components and with random convolutions, which need no training at all?

In this example each of scikit-learn's digits is placed at a random position of a wider image, a
strip, and the strips are read from left to right. As in most records, it matters *what* occurs, not
*where*.
"""

# %%
# A strip has 24 columns of pixels, and is a sequence of 24 steps with 8 features. A third of the
# strips are for training.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8).transpose(0, 2, 1) / 16  # (N, 8 columns, 8 pixels each)
starts = np.random.default_rng(0).integers(0, 17, size=len(images))
strips = np.zeros((len(images), 24, 8))  # (N, T, F)
for strip, image, start in zip(strips, images, starts, strict=True):
    strip[start : start + 8] = image
X_train, X_test, y_train, y_test = train_test_split(
    strips, digits, train_size=600, stratify=digits, random_state=0
)

# %%
# A single fit gives both kinds of columns. ``append_states=True`` appends the states to the 16
# columns of the code; their names differ.

from sklearn_lstmae import LSTMAutoencoderTransformer

autoencoder = LSTMAutoencoderTransformer(
    epochs=40, scaling=None, append_states=True, random_state=0
)
train, test = autoencoder.fit_transform(X_train), autoencoder.transform(X_test)
print("Columns:", ", ".join(autoencoder.get_feature_names_out()[[0, 1, 16, 527]]), "...")

# %%
# Compute random convolutions as in ROCKET (Dempster et al. 2020). The columns are the share of
# positive values and the maximum of each kernel's output. A kernel reads 9 consecutive steps of one
# feature, or every second one of 17 steps.

from scipy.ndimage import convolve1d


def convolve(X, n_kernels=250, seed=0):
    generator = np.random.default_rng(seed)
    columns = []
    for _ in range(n_kernels):
        dilation, weights = generator.choice([1, 2]), generator.normal(size=9)
        kernel = np.zeros(8 * dilation + 1)
        kernel[::dilation] = weights - weights.mean()
        feature = X[:, :, generator.integers(X.shape[2])]
        output = convolve1d(feature, kernel, axis=1, mode="constant") + generator.uniform(-1, 1)
        columns += [(output > 0).mean(axis=1), output.max(axis=1)]
    return np.stack(columns, axis=1)


# %%
# A logistic regression classifies each set of columns, standardized. K-means looks for ten clusters
# of held-out images, and the adjusted Rand index compares the clusters with the digits: 1 is
# perfect, 0 is chance level.

from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

flat_train, flat_test = (X.reshape(len(X), -1) for X in (X_train, X_test))
pca = PCA(16, random_state=0).fit(flat_train)
features = {
    "code": (train[:, :16], test[:, :16]),
    "states": (train[:, 16:], test[:, 16:]),
    "principal components": (pca.transform(flat_train), pca.transform(flat_test)),
    "random convolutions": (convolve(X_train), convolve(X_test)),
}
print("On the held-out images: columns  accuracy  adjusted Rand index")
for name, (columns, held_out) in features.items():
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    accuracy = model.fit(columns, y_train).score(held_out, y_test)
    clusters = KMeans(10, n_init=10, random_state=0).fit_predict(held_out)
    rand_index = adjusted_rand_score(y_test, clusters)
    print(f"  {name:22} {held_out.shape[1]:7} {accuracy:9.3f} {rand_index:20.2f}")

# %%
# The first principal components of the values mostly represent the position of a digit: strips lie
# on an arc, along which the digit moves to the right. A code of 16 numbers must contain the
# position, too, because the decoder needs it to reconstruct the strip. The states need not contain
# it.

import matplotlib.pyplot as plt
from sklearn.preprocessing import FunctionTransformer

from sklearn_lstmae import LatentDisplay

figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
for ax, (name, (_, held_out)) in zip(axes.ravel(), features.items(), strict=True):
    display = LatentDisplay.from_estimator(FunctionTransformer(), held_out, y_test, ax=ax)
    display.ax_.set_title(f"{name}, {held_out.shape[1]} columns")
    if ax is not axes[0, 1]:  # one legend is enough
        display.ax_.get_legend().remove()

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "features.png"
    figure.savefig(picture, dpi=150)
    print(f"Held-out digits by four kinds of columns: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
