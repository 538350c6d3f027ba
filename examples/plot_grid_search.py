"""
Choose the width of the code by cross-validation
================================================

The width of the code is an ordinary parameter, and the autoencoder is an ordinary step of a
pipeline. ``GridSearchCV`` can therefore choose the width, although X is a 3-D array.
"""

# %%
# Each digit is a sequence of 8 rows of 8 pixels.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
X_train, X_test, y_train, y_test = train_test_split(
    images, digits, test_size=0.5, stratify=digits, random_state=0
)

# %%
# The number of epochs is small, because there are ten fits: three widths on three folds each, and
# the best width on all training data. The network is compiled once per width, not once per fit.

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lstmae import LSTMAutoencoderTransformer

pipeline = Pipeline(
    [
        ("autoencoder", LSTMAutoencoderTransformer(epochs=15, random_state=0)),
        ("scaler", StandardScaler()),
        ("classifier", LogisticRegression(max_iter=3000)),
    ]
)
widths = [4, 8, 16]
search = GridSearchCV(pipeline, {"autoencoder__latent_dim": widths}, cv=3)
search.fit(X_train, y_train)

means, deviations = search.cv_results_["mean_test_score"], search.cv_results_["std_test_score"]
print("latent_dim  accuracy in cross-validation")
for width, mean, deviation in zip(widths, means, deviations, strict=True):
    print(f"{width:10}  {mean:.3f} +- {deviation:.3f}")
print(f"The best, {search.best_params_['autoencoder__latent_dim']}, on the held-out half: ", end="")
print(f"{search.score(X_test, y_test):.3f}")

# %%
# With fewer columns, digits are harder to classify.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
ax.errorbar(widths, means, yerr=deviations, marker="o", capsize=3)
ax.set(xlabel="latent_dim", ylabel="accuracy", xticks=widths)
ax.set_title("Three folds: mean and deviation", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "grid_search.png"
    figure.savefig(picture, dpi=150)
    print(f"Accuracy by width: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
