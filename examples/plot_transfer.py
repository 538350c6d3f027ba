"""
From one machine to another
===========================

A machine that has run for years has many sequences, a new one has few. Its sensors have another
level and another gain, but what they measure moves in the same way. How much of what was learned
on the old machine can the new one use?
"""

# %%
# Waves stand for both: 400 of the old machine; of the new one up to 40 to learn from and 300 to
# judge by, each feature with a level and a gain of its own.

import numpy as np

from sklearn_lstmae.datasets import make_waves

old, _ = make_waves(400, 40, 3, noise=0.2, random_state=0)
new, _ = make_waves(340, 40, 3, noise=0.2, random_state=1)
new = new * [5, 0.2, 1] + [20, -3, 0]
new_train, new_test = new[:40], new[40:]

# %%
# Train on the old machine, and keep the model in a file.

from tempfile import TemporaryDirectory

from sklearn_lstmae import LSTMAutoencoderTransformer, load, save

folder = TemporaryDirectory()
path = f"{folder.name}/old.lstmae"
parameters = {"latent_dim": 8, "summary_weight": 0, "random_state": 0}  # only reconstruction counts
save(LSTMAutoencoderTransformer(epochs=40, **parameters).fit(old), path)

# %%
# With ``warm_start=True``, ``fit`` begins with the weights that there are. Level and gain are
# learned from the new machine alone, so the network sees what it knows, and only has to learn what
# is really different. A fresh model has more to learn, and gets three times the epochs for it. Both
# are judged by the share of the new machine's variance that they give back, feature by feature,
# and on average.


def explained(model):
    error = np.square(new_test - model.reconstruct(new_test)).mean(axis=(0, 1))
    return float(np.mean(1 - error / new_test.var(axis=(0, 1))))


print(f"Model of the old machine, as it is: {explained(load(path)):8.2f}")
sizes = [5, 10, 20, 40]
shares, first = {"new machine only": [], "warm start": []}, {}
for size in sizes:
    fresh = LSTMAutoencoderTransformer(epochs=120, **parameters)
    warm = load(path).set_params(warm_start=True, learning_rate=1e-3)
    for (name, found), model in zip(shares.items(), (fresh, warm), strict=True):
        found.append(explained(model.fit(new_train[:size])))
        first.setdefault(name, model)
    print(f"{size:2} sequences of the new machine: ", end="")
    print(", ".join(f"{name} {found[-1]:5.2f}" for name, found in shares.items()))

# %%
# As it is, the old model is of no use here: the new level is far from all that it has seen. Going
# on from it, five sequences do, and nearly all that is not noise is given back: noise is 7 % of
# the variance of these waves.

# %%
# What comes in day by day is for ``partial_fit``: one pass over each piece, after which level and
# gain are those of all sequences so far. Its learning rate does not fall as that of ``fit`` does,
# so it should be a small one, which does not undo what was learned before.

daily = load(path).set_params(warm_start=True, learning_rate=1e-3).fit(new_train[:10])
daily.set_params(learning_rate=1e-4)
for day in range(1, 4):
    daily.partial_fit(new_train[10 * day : 10 * day + 10])
print(f"10 sequences, then 10 a day for three days: {explained(daily):.2f}")
folder.cleanup()

# %%
# A wave of the new machine, and what the two models that saw five of its sequences make of it.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8.5, 3), layout="constrained")
colors = {"new machine only": "C1", "warm start": "C0"}
for name, found in shares.items():
    axes[0].plot(sizes, found, "o-", color=colors[name], label=name)
axes[0].set(
    title="explained variance", xlabel="sequences of the new machine", xticks=sizes, ylim=(0, 1)
)
axes[0].legend(frameon=False, loc="lower right")
axes[1].plot(new_test[0, :, 0], color="black", linewidth=1, label="held-out wave, feature 0")
for name, model in first.items():
    rebuilt = model.reconstruct(new_test[:1])[0, :, 0]
    axes[1].plot(rebuilt, color=colors[name], label=f"{name}, 5 sequences")
axes[1].set(title="rebuilt by each", xlabel="step")
axes[1].legend(frameon=False, fontsize=8)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "transfer.png"
    figure.savefig(picture, dpi=150)
    print(f"Explained variance and a wave: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
