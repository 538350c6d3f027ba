"""
Moving digits: reconstruct the past, predict the future
=======================================================

A digit moves in a straight line through a frame and bounces off its walls. A network reads ten
frames and outputs these ten again, the ten that follow, or both. Its decoder is conditional (it
reads its own previous frame) or not. These are the six networks of Srivastava, Mansimov and
Salakhutdinov, "Unsupervised Learning of Video Representations using LSTMs" (ICML 2015). The paper
uses moving MNIST; this example uses scikit-learn's digits, which are smaller and need no download.
"""
# sphinx_gallery_thumbnail_path = "../examples/images/moving_digits.png"

# %%
# Films of 20 frames of 12 x 12 pixels. No two of them show the same image of a digit.

import numpy as np

from sklearn_lstmae.datasets import make_moving_digits

SIZE, PAST = 12, 10
films, digits = make_moving_digits(1100, 20, frame_size=SIZE, random_state=0)  # (N, 20, 144)
train, test = films[:1000], films[1000:]
past, future = test[:, :PAST], test[:, PAST:]

# %%
# ``objective`` determines what is decoded, and ``conditional`` whether the decoder reads its own
# previous frame. All other settings are the same. With a ``horizon`` of ten, the encoder reads the
# first ten of 20 frames in training. A network that only reconstructs is trained on these ten
# alone.

from sklearn_lstmae import LSTMAutoencoderTransformer


def explained_variance(output, true):
    """1 is perfect, 0 no better than the mean of each pixel."""
    mean = train.mean(axis=(0, 1))
    return 1 - ((true - output) ** 2).sum() / ((true - mean) ** 2).sum()


print("Explained variance, held out    past  future")
rows = {"true": (past, future)}
for objective in ("reconstruct", "predict", "composite"):
    for conditional in (False, True):
        model = LSTMAutoencoderTransformer(
            latent_dim=64,
            objective=objective,
            horizon=None if objective == "reconstruct" else 20 - PAST,
            conditional=conditional,
            scaling=None,
            learning_rate=0.01,
            epochs=30,
            random_state=0,
        )
        model.fit(train[:, :PAST] if objective == "reconstruct" else train)
        rebuilt = None if objective == "predict" else model.reconstruct(past)
        predicted = None if objective == "reconstruct" else model.forecast(past)
        name = f"{objective}, conditional" if conditional else objective
        rows[name] = rebuilt, predicted
        shares = [
            " " * 5 if output is None else f"{explained_variance(output, true):.3f}"
            for output, true in [(rebuilt, past), (predicted, future)]
        ]
        print(f"  {name:26}  {shares[0]}   {shares[1]}")

# %%
# Plot one held-out film, which is clearer than most, and the outputs of each network. With so few
# films and epochs all outputs are blurred: they show where the digit is better than what it looks
# like.

import matplotlib.pyplot as plt

FILM = 12
CELL = SIZE + 2  # a frame and its border, in pixels
canvas = np.zeros((len(rows), 20 + 1, CELL, CELL))  # an empty column between past and future
for row, (rebuilt, predicted) in zip(canvas, rows.values(), strict=True):
    for output, first in [(rebuilt, 0), (predicted, PAST + 1)]:
        if output is not None:
            frames = output[FILM].reshape(-1, SIZE, SIZE)
            framed = np.pad(frames, [(0, 0), (1, 1), (1, 1)], constant_values=0.15)
            row[first : first + len(frames)] = framed

figure, ax = plt.subplots(figsize=(10, 3.5), layout="constrained")
image = canvas.transpose(0, 2, 1, 3).reshape(len(rows) * CELL, -1)
ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
ax.set_yticks((np.arange(len(rows)) + 0.5) * CELL - 0.5, list(rows), fontsize=11)
columns = [*range(PAST), *range(PAST + 1, 21)]
ax.set_xticks((np.array(columns) + 0.5) * CELL - 0.5, range(1, 21))
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
for column, name in [(PAST / 2, "past: seen"), (PAST * 1.5 + 1, "future: not seen")]:
    ax.text(column * CELL, -3, name, ha="center", va="bottom", fontsize=11)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "moving_digits.png"
    figure.savefig(picture, dpi=150)
    print(f"Frames: examples/images/{picture.name}")
# sphinx_gallery_end_ignore
