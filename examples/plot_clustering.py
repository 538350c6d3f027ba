"""
Clusters of codes
=================

Three kinds of waves differ in frequency and in how far their features lag behind each other. Each
wave begins at its own moment, so that two waves of a kind differ at every step although they have
the same shape: distances between raw values, step by step, see the moment first. How are the
codes of an LSTM autoencoder to cluster?
"""

# %%
# Waves of 40 steps and 3 features, with noise. Those of a kind begin within two fifths of a cycle.

from pathlib import Path

from sklearn_lstmae.datasets import make_waves

X, kinds = make_waves(300, 40, 3, n_classes=3, shift=0.4, noise=0.3, random_state=0)

# %%
# K-means on raw values, on principal components and on codes. The adjusted Rand index compares
# clusters with kinds: 1 is perfect, 0 is chance. A network begins at random weights, so we look
# at three.

from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from sklearn_lstmae import LSTMAutoencoderTransformer


def rand_index(columns):
    clusters = KMeans(3, n_init=10, random_state=0).fit_predict(columns)
    return adjusted_rand_score(kinds, clusters)


flat = X.reshape(len(X), -1)
components = PCA(2, random_state=0).fit_transform(flat)
codes = [
    LSTMAutoencoderTransformer(latent_dim=2, epochs=30, random_state=seed).fit_transform(X)
    for seed in range(3)
]
print("Adjusted Rand index of three clusters")
print(f"  raw values, 120 columns:   {rand_index(flat):.2f}")
print(f"  PCA, 2 columns:            {rand_index(components):.2f}")
print("  codes, 2 columns:          ", end="")
print(", ".join(f"{rand_index(columns):.2f}" for columns in codes), "(random_state 0, 1, 2)")

# %%
# Two columns can be drawn as they are. The kinds form arcs: along an arc, waves begin later
# and later. If they began anywhere in the cycle, the arcs would close to rings, and K-means,
# which looks for round clusters, would be at a loss with raw values and codes alike. A method
# that follows arcs, such as ``SpectralClustering`` on nearest neighbors, does without codes here:
# it finds the kinds in the raw values, too.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 2.9), layout="constrained")
for kind in range(3):
    color = f"C{kind}"
    for wave in X[kinds == kind][:3]:
        axes[0].plot(wave[:, 0] - 3 * kind, color=color, linewidth=1)
    axes[1].scatter(*components[kinds == kind].T, s=8, color=color)
    axes[2].scatter(*codes[0][kinds == kind].T, s=8, color=color)
axes[0].set(title="three waves of each kind", xlabel="step", yticks=[])
axes[1].set(title=f"PCA: Rand index {rand_index(components):.2f}", xlabel="first", ylabel="second")
axes[2].set(title=f"codes: Rand index {rand_index(codes[0]):.2f}", xlabel="first", ylabel="second")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

picture = Path(__file__).parent / "images" / "clustering.png"
figure.savefig(picture, dpi=150)
print(f"Waves, components and codes: {picture.relative_to(Path(__file__).parents[1])}")
