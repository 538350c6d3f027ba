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


def cluster(columns):
    return KMeans(3, n_init=10, random_state=0).fit_predict(columns)


def rand_index(columns):
    return adjusted_rand_score(kinds, cluster(columns))


flat = X.reshape(len(X), -1)
components = PCA(2, random_state=0).fit_transform(flat)
autoencoders = [
    LSTMAutoencoderTransformer(latent_dim=2, epochs=30, random_state=seed).fit(X)
    for seed in range(3)
]
codes = [autoencoder.transform(X) for autoencoder in autoencoders]
scores = [rand_index(columns) for columns in codes]
print("Adjusted Rand index of three clusters")
print(f"  raw values, 120 columns:   {rand_index(flat):.2f}")
print(f"  PCA, 2 columns:            {rand_index(components):.2f}")
print("  codes, 2 columns:          ", end="")
print(", ".join(f"{score:.2f}" for score in scores), "(random_state 0, 1, 2)")

# %%
# ``LatentDisplay`` draws codes in the plane of their principal components, and so anything else
# that a transformer returns, here the raw values as they are. The upper row has the true kinds,
# the lower one what K-means makes of them. Clusters have no order: each gets the number, and with
# it the color, of the kind that it meets best. Of the three autoencoders the worst is shown.
#
# The kinds form arcs: along an arc, waves begin later and later. Arcs of raw values run into each
# other, those of codes do not. Yet K-means, which looks for round clusters, cuts pieces off. If
# waves began anywhere in the cycle, the arcs would close to rings, and K-means would be at a loss
# with raw values and codes alike. A method that follows arcs, such as ``SpectralClustering`` on
# nearest neighbors, does without codes here: it finds the kinds in the raw values, too.

import matplotlib.pyplot as plt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import FunctionTransformer

from sklearn_lstmae import LatentDisplay

figure, axes = plt.subplot_mosaic(
    [["waves", "raw kinds", "code kinds"], ["waves", "raw clusters", "code clusters"]],
    figsize=(10, 6),
    layout="constrained",
)
names = [f"kind {kind}" for kind in kinds]
inputs = {
    "raw": (FunctionTransformer(), flat),
    "code": (autoencoders[scores.index(min(scores))], X),
}
displays = {}
for name, (transformer, sequences) in inputs.items():
    numbers = cluster(transformer.transform(sequences))
    _, nearest = linear_sum_assignment(-confusion_matrix(numbers, kinds))
    clusters = [f"cluster {nearest[number]}" for number in numbers]
    for labels, what in [(names, "kinds"), (clusters, "clusters")]:
        display = LatentDisplay.from_estimator(
            transformer, sequences, labels, ax=axes[f"{name} {what}"]
        )
        displays[name, what] = display
        if name == "raw":  # one legend a row is enough
            display.ax_.get_legend().remove()
    score = adjusted_rand_score(kinds, numbers)
    axes[f"{name} clusters"].set_title(f"K-means: Rand index {score:.2f}")
axes["raw kinds"].set_title("raw values, 120 columns")
axes["code kinds"].set_title("codes, 2 columns")

for kind, scatter in enumerate(displays["code", "kinds"].scatters_):
    for wave in X[kinds == kind][:3]:
        axes["waves"].plot(wave[:, 0] - 3 * kind, color=scatter.get_facecolor(), linewidth=1)
axes["waves"].set(title="three waves of each kind", xlabel="step", yticks=[])
axes["waves"].spines[["top", "right"]].set_visible(False)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "clustering.png"
    figure.savefig(picture, dpi=150)
    print(f"Waves, raw values and codes: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
