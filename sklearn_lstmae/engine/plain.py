"""Plain Keras models of a fitted network: ``keras.layers`` and ``keras.ops`` only.

Letters: n sequences, T steps, K frames, P steps a frame, F features, C columns of the code.
"""

from ._tensorflow import keras
from .architecture import Architecture
from .network import Network

ops = keras.ops
PARTS = ("encoder", "decoder", "autoencoder")


def build_plain_model(architecture: Architecture, weights, part):
    """A fresh Keras model of one of `PARTS` with these weights."""
    network = Network(architecture, fast=False)
    for variable, weight in zip(network.variables, weights, strict=True):
        variable.assign(weight)
    if part == "encoder":
        return _encoder(architecture, network)
    if part == "decoder":
        return _decoder(architecture, network)
    encoder, decoder = _encoder(architecture, network), _decoder(architecture, network)
    x, mask = encoder.inputs
    return keras.Model([x, mask], decoder([encoder([x, mask]), mask]), name="autoencoder")


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


def _decoder(architecture, network):
    """(n, C), (n, T) -> (n, T, F), zero in the padding."""
    z = keras.Input((architecture.code_width,), name="z")
    mask = keras.Input((None,), dtype="bool", name="mask")
    patch = architecture.patch_size
    frame_mask = _frame_mask(mask, architecture)  # (n, K)
    frames = network.decoder(z, _positions(frame_mask))  # (n, K, P * F)
    steps = keras.layers.Reshape((-1, architecture.n_features), name="steps")(frames)
    step = _positions(mask)  # (n, T)
    frame = step // patch
    if architecture.reverse_target:
        n_frames = ops.sum(ops.cast(frame_mask, "int32"), axis=1, keepdims=True)
        frame = ops.maximum(n_frames - 1 - frame, 0)
    place = frame * patch + step % patch
    output = ops.take_along_axis(steps, place[:, :, None], axis=1)  # (n, T, F)
    return keras.Model([z, mask], ops.where(mask[:, :, None], output, 0.0), name="decoder")


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
