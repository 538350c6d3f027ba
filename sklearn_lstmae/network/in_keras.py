"""A fitted network as plain Keras models: ``keras.layers`` and ``keras.ops`` only.

Letters: n sequences, T steps, K frames, P steps a frame, F features, C columns of the code, D
columns of whatever. A vector is (n, D), a series (n, K, D), a mask (n, K).
"""

from sklearn_lstmae.sequences.tasks import TASKS

from ._tensorflow import check_process, keras
from .architecture import FREQUENCIES, Architecture
from .wiring import LEAST_VARIANCE, TIMES, Lstm, Operations, Read, first_given, network_of

ops = keras.ops


def _mean(values, mask):
    """(n, K, D), (n, K) -> (n, D)."""
    weight = ops.cast(mask, "float32")[:, :, None]
    return ops.sum(values * weight, 1) / ops.maximum(ops.sum(weight, 1), 1.0)


def _maximum(values, mask):
    """(n, K, D), (n, K) -> (n, D)."""
    maximum = ops.max(ops.where(mask[:, :, None], values, -float("inf")), 1)
    return ops.where(ops.any(mask, 1)[:, None], maximum, 0.0)


def _minimum(values, mask):
    """(n, K, D), (n, K) -> (n, D)."""
    return -_maximum(-values, mask)


def _deviation(values, mask):
    """(n, K, D), (n, K) -> (n, D)."""
    variance = _mean(ops.square(values - _mean(values, mask)[:, None]), mask)
    return ops.sqrt(variance + LEAST_VARIANCE)


POOL = {"mean": _mean, "maximum": _maximum, "minimum": _minimum, "deviation": _deviation}


class KerasOperations(Operations):
    """The operations of a network as Keras layers with these weights.

    Parameters
    ----------
    architecture : Architecture
    weights : list of float32 arrays
        In the order of `wiring.Network.shapes`.
    """

    def __init__(self, architecture: Architecture, weights):
        self._layers = {}
        for layer, arrays in network_of(architecture).by_layer(weights).items():
            made = _make_layer(layer, architecture.activation)
            made.build((None, None, layer.width))
            made.set_weights(arrays)
            self._layers[layer] = made

    def lstm(self, layer, read, *, mask=None, state=None):
        """Apply an LSTM layer."""
        series, code = list(read.series), read.code
        given = first_given(*series, code, *(state or ()))
        zero = ops.zeros_like(given[..., :1])  # (n, 1) or (n, K, 1)
        if read.time is not None:
            zero = zero[:, :1] if series else zero[:, None]  # (n, 1, 1)
            series.insert(0, zero + read.time)
        if code is not None:
            # Not a sum: Keras would take (1, K, 1) for a bias where K is the width of the code.
            ones = ops.ones_like(ops.sum(series[0], -1, keepdims=True))  # (n, K, 1)
            series.append(code[:, None] * ones)
        if state is not None:
            zeros = ops.zeros_like(first_given(*state))
            state = [zeros if vector is None else vector for vector in state]
        columns = ops.concatenate(series, -1)
        outputs, *state = self._layers[layer](columns, mask=mask, initial_state=state)
        return ops.flip(outputs, axis=1) if layer.backwards else outputs, state

    def dense(self, layer, columns):
        """Apply a dense layer."""
        return self._layers[layer](columns)

    def join(self, vectors):
        """Vectors as one."""
        return ops.concatenate(vectors, -1)

    def halves(self, vector):
        """Two vectors."""
        return ops.split(vector, 2, axis=-1)

    def pool(self, kind, series, mask):
        """A statistic over the real frames."""
        return POOL[kind](ops.concatenate(series, -1), mask)

    def time(self, n_frames, kind):
        """The time of each frame: (K, D); ``n_frames`` is a number, or (K,) of 0, 1, 2, ..."""
        positions = ops.arange(n_frames) if isinstance(n_frames, int) else n_frames
        positions = ops.cast(positions, "float32")[:, None]
        if kind == "encoded":
            angles = positions * FREQUENCIES
            return ops.concatenate([ops.sin(angles), ops.cos(angles)], -1)
        return ops.cast(ops.equal(positions, 0.0), "float32")[:, : TIMES[kind]]

    def scan(self, decoder, code, read, states, n_frames):
        """One frame after another, one call of each layer after the other."""
        frame = ops.repeat(ops.zeros_like(code[:, None, :1]), decoder.output.units, axis=2)
        frames = []
        for k in range(n_frames):
            time = read.time[k : k + 1]
            frame, states = decoder.run(self, Read(time, (frame,), read.code), states)
            frames.append(frame)
        return ops.concatenate(frames, 1)


def _make_layer(layer, activation):
    if not isinstance(layer, Lstm):
        return keras.layers.Dense(
            layer.units, kernel_initializer="zeros", dtype="float32", name=layer.name
        )
    return keras.layers.LSTM(
        layer.units,
        activation=activation,
        go_backwards=layer.backwards,
        return_sequences=True,
        return_state=True,
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        seed=0,
        dtype="float32",
        name=layer.name,
    )


def parts_of(architecture: Architecture):
    """Names of the models that a network can be taken apart into, and of the whole."""
    decoders = [TASKS[task].keras_name for task in architecture.decoders]
    return ["encoder", *decoders, "autoencoder"]


def build_model(architecture: Architecture, weights, part, n_timesteps, append_states=False):
    """A fresh Keras model of one part with these weights.

    ``n_timesteps`` is the longest output of a conditional decoder. With ``append_states`` the
    encoder outputs the statistics of its states after the code.
    """
    check_process()
    operations = KerasOperations(architecture, weights)
    models = {}
    if part in ("encoder", "autoencoder"):
        models["encoder"] = _build_encoder(architecture, operations, append_states)
    for task in architecture.decoders:
        name = TASKS[task].keras_name
        if part in (name, "autoencoder"):
            models[name] = _build_decoder(architecture, operations, task, n_timesteps)
    if part != "autoencoder":
        return models[part]
    x, mask = models["encoder"].inputs
    code = models["encoder"]([x, mask])[:, : architecture.code_width]
    outputs = {t: models[TASKS[t].keras_name]([code, mask]) for t in architecture.decoders}
    only = next(iter(outputs.values()))
    return keras.Model([x, mask], outputs if len(outputs) > 1 else only, name="autoencoder")


def _build_encoder(architecture, operations, append_states):
    """(n, T, F), (n, T) -> (n, C), with statistics of the states after the code or not."""
    x = keras.Input((None, architecture.n_features), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    real = ops.cast(mask, "float32")[:, :, None]  # (n, T, 1)
    observed = ops.logical_and(mask[:, :, None], ops.equal(x, x))  # (n, T, F)
    series = [_to_frames(ops.where(observed, x, 0.0), architecture)]
    if architecture.tells_missing:
        series.append(_to_frames(ops.cast(observed, "float32"), architecture))
    elif architecture.patch_size > 1:
        series.append(_to_frames(real, architecture))
    encoder = network_of(architecture).encoder
    parts = encoder.encode_parts(operations, series, _frame_mask(mask, architecture), append_states)
    return keras.Model([x, mask], ops.concatenate(parts, -1), name="encoder")


def _build_decoder(architecture, operations, task, n_timesteps):
    """(n, C), (n, T) -> (n, T, F), zero in the padding."""
    z = keras.Input((architecture.code_width,), name="z")
    mask = keras.Input((None,), dtype="bool", name="mask")
    patch = architecture.patch_size
    frame_mask = _frame_mask(mask, architecture)  # (n, K)
    n_frames = _positions(frame_mask)[0]  # (K,)
    if architecture.conditional:
        n_frames = architecture.n_frames(n_timesteps)
    frames = network_of(architecture).decoders[task].decode(operations, z, n_frames)
    steps = keras.layers.Reshape((-1, architecture.n_features), dtype="float32", name="steps")(
        frames
    )
    step = _positions(mask)  # (n, T)
    frame = step // patch
    if architecture.reverses(task):
        last = ops.sum(ops.cast(frame_mask, "int32"), axis=1, keepdims=True) - 1
        frame = ops.maximum(last - frame, 0)
    place = frame * patch + step % patch
    output = ops.take_along_axis(steps, place[:, :, None], axis=1)  # (n, T, F)
    output = ops.where(mask[:, :, None], output, 0.0)
    return keras.Model([z, mask], output, name=TASKS[task].keras_name)


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
