"""
From one machine to another
===========================

A machine that has run for years has many sequences, a new one has few. The sensors of the new
machine have a different level and gain, but the measured quantities behave in the same way. How
much does a model of the old machine help on the new one?
"""

# %%
# Both machines are simulated by waves. The old machine has 400 sequences. The new machine has up to
# 40 for training and 300 for testing, and each of its features has a different level and gain.

import numpy as np

from sklearn_lstmae.datasets import make_waves

old, _ = make_waves(400, 40, 3, noise=0.2, random_state=0)
new, _ = make_waves(340, 40, 3, noise=0.2, random_state=1)
new = new * [5, 0.2, 1] + [20, -3, 0]
new_train, new_test = new[:40], new[40:]

# %%
# Train on the old machine, and save the model to a file.

from tempfile import TemporaryDirectory

from sklearn_lstmae import LSTMAutoencoderTransformer, load, save

folder = TemporaryDirectory()
path = f"{folder.name}/old.lstmae"
parameters = {"latent_dim": 8, "summary_weight": 0, "random_state": 0}  # only reconstruction counts
save(LSTMAutoencoderTransformer(epochs=40, **parameters).fit(old), path)

# %%
# With ``warm_start=True``, ``fit`` begins with the weights of the earlier fit. Level and gain are
# estimated from the new machine alone, so after scaling the sequences resemble those of the old
# machine, and the network only has to learn what is really different. A fresh model has more to
# learn, and gets three times as many epochs. Both are compared by the explained variance of
# held-out sequences, averaged over features.


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
# Without a warm start the old model is useless here, because the new level is far from all training
# data. With a warm start, five sequences suffice to explain nearly everything but noise, which is
# 7 % of the variance of these waves.

# %%
# Use ``partial_fit`` for data that arrive day by day. It makes one pass over each piece, and
# updates level and gain to those of all sequences so far. Its learning rate does not decay as in
# ``fit``, so choose a small one, which does not undo the earlier training.

daily = load(path).set_params(warm_start=True, learning_rate=1e-3).fit(new_train[:10])
daily.set_params(learning_rate=1e-4)
for day in range(1, 4):
    daily.partial_fit(new_train[10 * day : 10 * day + 10])
print(f"10 sequences, then 10 a day for three days: {explained(daily):.2f}")
folder.cleanup()

# %%
# Plot the explained variance, and a wave of the new machine with its reconstructions by the two
# models that were trained on five of its sequences.

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
axes[1].set(title="reconstruction by each", xlabel="step")
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
