"""
Clusters of codes
=================

Three kinds of waves differ in frequency and in how far their features lag behind each other. Each
wave begins at a different phase. Two waves of a kind have the same shape, but differ at every step,
so distances between raw values mostly measure the difference in phase. How well do codes of an LSTM
autoencoder cluster in comparison?
"""

# %%
# Waves have 40 steps, 3 features and noise. Waves of a kind begin within two fifths of a cycle.

from sklearn_lstmae.datasets import make_waves

X, kinds = make_waves(300, 40, 3, n_classes=3, shift=0.4, noise=0.3, random_state=0)

# %%
# Apply K-means to raw values, to principal components and to codes. The adjusted Rand index
# compares clusters with kinds: 1 is perfect, 0 is chance level. Initial weights are random, so
# three networks are trained.

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
# ``LatentDisplay`` projects codes on their first two principal components. It accepts any
# transformer; for raw values, it gets one that returns its input. The upper row shows the true
# kinds, the lower row the clusters of K-means. Clusters have no order, so each gets the number and
# the color of the kind with which it agrees best. The worst of the three autoencoders is shown.
#
# The kinds form arcs, because the phase varies along an arc. The arcs of raw values overlap, those
# of codes do not. Still, K-means cuts pieces off the arcs, because it looks for round clusters. If
# waves began anywhere in the cycle, the arcs would close to rings. Codes of 2 columns are chosen
# here because they can be drawn; wider codes, such as the default of 16 columns, can separate kinds
# that 2 columns cannot. A method that follows arcs, such as ``SpectralClustering`` on nearest
# neighbors, needs no codes here: it finds the kinds in the raw values, too.

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
        if name == "raw":  # one legend per row is enough
            display.ax_.get_legend().remove()
    score = adjusted_rand_score(kinds, numbers)
    axes[f"{name} clusters"].set_title(f"K-means: adjusted Rand {score:.2f}")
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
