"""Plain Keras models of a fitted network: ``keras.layers`` and ``keras.ops`` only.

Letters: n sequences, T steps, K frames, P steps a frame, F features, C columns of the code.
"""

import numpy as np

from sklearn_lstmae.network._tensorflow import check_process, keras
from sklearn_lstmae.network.architecture import Architecture
from sklearn_lstmae.network.network import Network

ops = keras.ops
# The parts of a network with these decoders; "autoencoder" is all of them.
PARTS = {
    ("reconstruct",): ("encoder", "decoder"),
    ("predict",): ("encoder", "predictor"),
    ("reconstruct", "predict"): ("encoder", "decoder", "predictor"),
}
NAMES = {"reconstruct": "decoder", "predict": "predictor"}


def build_plain_model(architecture: Architecture, weights, part, n_timesteps):
    """A fresh Keras model of one part with these weights.

    ``n_timesteps`` is the most that a conditional decoder says.
    """
    check_process()
    network = Network(architecture, fast=False)
    for variable, weight in zip(network.variables, weights, strict=True):
        variable.assign(weight)
    models = {}
    if part in ("encoder", "autoencoder"):
        models["encoder"] = _encoder(architecture, network)
    for name in architecture.decoders:
        if part in (NAMES[name], "autoencoder"):
            models[NAMES[name]] = _decoder(architecture, network.decoders[name], n_timesteps)
    if part != "autoencoder":
        [model] = models.values()
        return model
    x, mask = models["encoder"].inputs
    code = models["encoder"]([x, mask])
    outputs = {name: models[NAMES[name]]([code, mask]) for name in architecture.decoders}
    only = next(iter(outputs.values()))
    return keras.Model([x, mask], outputs if len(outputs) > 1 else only, name="autoencoder")


def _encoder(architecture, network):
    """(n, T, F), (n, T) -> (n, C)."""
    x = keras.Input((None, architecture.n_features), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    real = ops.cast(mask, "float32")[:, :, None]  # (n, T, 1)
    observed = ops.logical_and(mask[:, :, None], ops.equal(x, x))  # (n, T, F)
    values = _to_frames(ops.where(observed, x, 0.0), architecture)
    parts = [values]
    if architecture.tells_missing:
        parts.append(_to_frames(ops.cast(observed, "float32"), architecture))
    elif architecture.patch_size > 1:
        parts.append(_to_frames(real, architecture))
    code = network.encoder(ops.concatenate(parts, -1), _frame_mask(mask, architecture))
    return keras.Model([x, mask], code, name="encoder")


def _decoder(architecture, decoder, n_timesteps):
    """(n, C), (n, T) -> (n, T, F), zero in the padding."""
    z = keras.Input((architecture.code_width,), name="z")
    mask = keras.Input((None,), dtype="bool", name="mask")
    patch = architecture.patch_size
    frame_mask = _frame_mask(mask, architecture)  # (n, K)
    if architecture.conditional:
        frames = _say_freely(decoder, z, architecture.n_frames(n_timesteps))
    else:
        frames = decoder(z, _positions(frame_mask))  # (n, K, P * F)
    steps = keras.layers.Reshape((-1, architecture.n_features), name="steps")(frames)
    step = _positions(mask)  # (n, T)
    frame = step // patch
    if architecture.says_backwards(decoder.name):
        n_frames = ops.sum(ops.cast(frame_mask, "int32"), axis=1, keepdims=True)
        frame = ops.maximum(n_frames - 1 - frame, 0)
    place = frame * patch + step % patch
    output = ops.take_along_axis(steps, place[:, :, None], axis=1)  # (n, T, F)
    output = ops.where(mask[:, :, None], output, 0.0)
    return keras.Model([z, mask], output, name=NAMES[decoder.name])


def _say_freely(decoder, code, n_frames):
    """Frames of a conditional decoder, one layer call after the other: (n, C) -> (n, K, P * F)."""
    previous, states = decoder.first_step(code)
    said = []
    for position in range(n_frames):
        at = np.full((1, 1), position, np.float32)
        previous, states = decoder.next_step(code, at, previous, states)
        said.append(previous)
    return ops.stack(said, axis=1)


def _positions(mask):
    """(n, T) -> (n, T): 0, 1, 2, ..."""
    return ops.cumsum(ops.ones_like(mask, dtype="int32"), axis=1) - 1


def _to_frames(steps, architecture):
    """(n, T, D) -> (n, K, P * D), zeros after the last step."""
    patch = architecture.patch_size
    if patch == 1:
        return steps
    longer = ops.pad(steps, [[0, 0], [0, patch - 1], [0, 0]])
    # Every P-th step from p on; the end is cut so that all P parts have K steps.
    parts = [longer[:, p : p - patch + 1 or None : patch] for p in range(patch)]
    return ops.concatenate(parts, -1)


def _frame_mask(mask, architecture):
    """(n, T) -> (n, K): frames that hold a real step."""
    patch = architecture.patch_size
    return mask if patch == 1 else mask[:, ::patch]
