"""
The tutorial's four programs, as four settings
==============================================

A well-known Keras tutorial, `A Gentle Introduction to LSTM Autoencoders
<https://machinelearningmastery.com/lstm-autoencoders/>`_, trains networks on one sequence of nine
steps, 0.1 to 0.9, with LSTM layers of 100 units and 300 epochs. Its four programs reconstruct the
sequence, predict its next steps, do both, and keep only the encoder. Each is one setting here. This
example compares the results that the tutorial prints with those of this library.
"""

# %%
import warnings

import numpy as np

from sklearn_lstmae import LSTMAutoencoderTransformer

warnings.filterwarnings("ignore", message="activation='relu'")  # the tutorial's choice

sequence = np.arange(1, 10).reshape(1, 9) / 10  # one univariate sequence of nine steps

# %%
# The tutorial's network: one LSTM of 100 units whose last hidden state is the code, repeated as
# the input of a second LSTM of 100 units. The tutorial uses a constant learning rate of 0.001. Here
# the rate rises to its peak and decays to zero, which makes a higher peak possible.
network = {
    "latent_dim": 100,
    "hidden_units": (),
    "bottleneck": "hidden",
    "decoder_start": "input",
    "time_encoding": False,
    "reverse_target": False,
    "activation": "relu",
    "scaling": None,
    "learning_rate": 2e-2,
    "epochs": 300,
    "random_state": 0,
}


def show(name, ours, tutorials, target):
    """Print a result and the tutorial's, with the largest error of both."""
    print(f"\n{name}")
    for source, values in [("tutorial", tutorials), ("here", ours)]:
        worst = np.abs(values - target).max()
        print(f"  {source:9}{np.array2string(values, precision=3)}  largest error {worst:.3f}")


# %%
# Reconstruct the sequence
# ------------------------
autoencoder = LSTMAutoencoderTransformer(**network).fit(sequence)
show(
    "reconstruct",
    autoencoder.reconstruct(sequence)[0],
    np.array([0.104, 0.200, 0.299, 0.399, 0.499, 0.600, 0.700, 0.800, 0.900]),
    sequence[0],
)

# %%
# Predict the next step at each step
# ----------------------------------
predictor = LSTMAutoencoderTransformer(**network, objective="predict").fit(sequence)
predicted = np.array([0.166, 0.289, 0.403, 0.510, 0.610, 0.707, 0.800, 0.890])
show("predict", predictor.reconstruct(sequence)[0], predicted, sequence[0, 1:])

# %%
# Both, with two decoders on one encoder
# --------------------------------------
composite = LSTMAutoencoderTransformer(**network, objective="composite").fit(sequence)
print("\ncomposite")
for task, target in [("reconstruct", sequence[0]), ("predict", sequence[0, 1:])]:
    values = composite.reconstruct(sequence, task=task)[0]
    worst = np.abs(values - target).max()
    print(f"  {task:12}{np.array2string(values, precision=3)}  largest error {worst:.3f}")

# %%
# The encoder alone
# -----------------
# ``transform`` is the encoder; ``to_keras`` makes a plain Keras model of it.
codes = autoencoder.transform(sequence)
encoder = autoencoder.to_keras("encoder")
same = np.abs(encoder([sequence[:, :, np.newaxis], np.ones((1, 9), bool)]) - codes).max()
print(f"\nencoder: a code of shape {codes.shape}; the Keras model differs by at most {same:.0e}")

# %%
# Plot the outputs of each decoder and the sequence.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True, layout="constrained")
steps = np.arange(1, 10)
for ax, name, model, tasks in [
    (axes[0], "reconstruct", autoencoder, ["reconstruct"]),
    (axes[1], "predict", predictor, ["predict"]),
    (axes[2], "composite", composite, ["reconstruct", "predict"]),
]:
    ax.plot(steps, sequence[0], color="0.7", linewidth=6, label="sequence")
    for task in tasks:
        outputs = model.reconstruct(sequence, task=task)[0]
        ax.plot(steps[-len(outputs) :], outputs, "o-", markersize=4, label=task)
    ax.set(title=name, xlabel="step", xticks=steps)
    ax.legend(frameon=False, fontsize="small")
