"""A plain reference: a network in float64, one sequence at a time and step by step.

It shares the names of the layers with the package and nothing else, and it needs no mask: each
sequence is as long as it is. Letters: T steps, K frames, P steps of a frame, F features, C columns
of the code, D columns of whatever.
"""

import numpy as np
import pytest

ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}
# (K, D) -> (D,); the kind "last" is the last state of each way.
STATISTICS = {
    "mean": lambda values: values.mean(0),
    "maximum": lambda values: values.max(0),
    "minimum": lambda values: values.min(0),
    "deviation": lambda values: values.std(0),
}
WAVELENGTHS = [4, 8, 16, 32, 64, 128, 256, 512]


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


class Reference:
    """A network with weights, in the order of its layers."""

    statistics = STATISTICS

    def __init__(self, architecture, weights):
        from sklearn_lstmae.network.wiring import network_of

        layers = network_of(architecture).by_layer(weights)
        self.architecture = architecture
        self.weights = {
            layer.name: list(map(np.float64, arrays)) for layer, arrays in layers.items()
        }

    # Operations

    def dense(self, name, columns):
        kernel, bias = self.weights[name]
        return columns @ kernel + bias

    def step(self, name, columns, hidden, cell):
        """One step of an LSTM layer: (D,), (U,), (U,) -> (U,), (U,)."""
        kernel, recurrent, bias = self.weights[name]
        activation = ACTIVATIONS[self.architecture.activation]
        gates = np.split(columns @ kernel + hidden @ recurrent + bias, 4)
        entry, forget, exit_ = (sigmoid(gates[place]) for place in (0, 1, 3))
        cell = forget * cell + entry * activation(gates[2])
        return exit_ * activation(cell), cell

    def lstm(self, name, columns, state=None, *, backwards=False, real=None):
        """(K, D) -> outputs (K, U), hidden (U,), cell (U,). Frames not ``real`` are skipped."""
        _, recurrent, _ = self.weights[name]
        hidden, cell = (
            np.zeros(len(recurrent)) if vector is None else vector
            for vector in state or (None, None)
        )
        outputs = np.empty((len(columns), len(recurrent)))
        order = range(len(columns))
        for k in reversed(order) if backwards else order:
            if real is None or real[k]:
                hidden, cell = self.step(name, columns[k], hidden, cell)
            outputs[k] = hidden
        return outputs, hidden, cell

    @staticmethod
    def time(n_frames, kind):
        """(K, D)."""
        angles = [
            [2 * np.pi * k / wavelength for wavelength in WAVELENGTHS] for k in range(n_frames)
        ]
        kinds = {
            "encoded": np.hstack([np.sin(angles), np.cos(angles)]),
            "first": np.eye(n_frames, 1),
            "none": np.empty((n_frames, 0)),
        }
        return kinds[kind]

    # Networks

    def encode(self, frames):
        """What the encoder reads (K, D) -> (C,)."""
        architecture = self.architecture
        ways = ["forward", "backward"] if architecture.bidirectional else ["forward"]
        columns = frames
        for depth in range(len(architecture.hidden_units)):
            runs = [
                self.lstm(f"encoder_{depth}_{way}", columns, backwards=way == "backward")
                for way in ways
            ]
            columns = np.hstack([outputs for outputs, _, _ in runs])
            last = np.hstack([hidden for _, hidden, _ in runs])
        if architecture.bottleneck == "dense":
            kinds = architecture.pooling.split("_")
            if kinds == ["all"]:
                kinds = ["last", "mean", "maximum", "minimum", "deviation"]
            pooled = [last if kind == "last" else STATISTICS[kind](columns) for kind in kinds]
            return self.dense("bottleneck", np.hstack(pooled))
        _, hidden, cell = self.lstm("bottleneck", columns)
        states = {"hidden": [hidden], "cell": [cell], "hidden_cell": [hidden, cell]}
        return np.hstack(states[architecture.bottleneck])

    def decode(self, task, code, n_frames, previous=None):
        """(C,) -> (K, P * F) as the decoder outputs them.

        A conditional decoder reads the ``previous`` frames (K, P * F), else its own outputs.
        """
        architecture = self.architecture
        reads_code = "input" in architecture.decoder_start
        kind = "encoded" if architecture.time_encoding else "none"
        if kind == "none" and not reads_code and not architecture.conditional:
            kind = "first"
        time = self.time(n_frames, kind)
        states = self.first_states(task, code)
        frames = np.zeros((n_frames, architecture.frame_width))
        for k in range(n_frames):
            columns = [time[k]]
            if architecture.conditional and previous is not None:
                columns.append(previous[k])
            elif architecture.conditional:
                columns.append(frames[k - 1] if k else np.zeros(architecture.frame_width))
            if reads_code:
                columns.append(code)
            output = np.hstack(columns)
            for depth, state in enumerate(states):
                states[depth] = self.step(f"{task}_{depth}", output, *state)
                output = states[depth][0]
            frames[k] = self.dense(f"{task}_output", output)
        return frames

    def first_states(self, task, code):
        """(C,) -> hidden and cell of each layer."""
        architecture = self.architecture
        names = [f"{task}_{depth}" for depth in range(1 + len(self.weights))]
        names = [name for name in names if name in self.weights]
        states = [tuple(np.zeros((2, len(self.weights[name][1])))) for name in names]
        if "state" not in architecture.decoder_start:
            return states
        if architecture.bottleneck == "dense":
            return [np.split(self.dense(f"{name}_start", code), 2) for name in names]
        zero = np.zeros(architecture.latent_dim)
        first = {"hidden": (code, zero), "cell": (zero, code), "hidden_cell": np.split(code, 2)}
        return [first[architecture.bottleneck], *states[1:]]

    # Steps

    def read(self, steps):
        """One sequence (T, F), NaN where missing -> what the encoder reads (K, D)."""
        architecture = self.architecture
        patch, features = architecture.patch_size, architecture.n_features
        more = -len(steps) % patch
        observed = np.pad(~np.isnan(steps), ((0, more), (0, 0)))
        values = np.pad(np.nan_to_num(steps), ((0, more), (0, 0)))
        real = np.arange(len(values)) < len(steps)
        parts = [values.reshape(-1, patch * features)]
        if architecture.tells_missing:
            parts.append(observed.reshape(-1, patch * features))
        elif patch > 1:
            parts.append(real.reshape(-1, patch))
        return np.hstack(parts)

    def decode_steps(self, task, code, n_steps):
        """(C,) -> (T, F) in the order of time."""
        architecture = self.architecture
        frames = self.decode(task, code, -(-n_steps // architecture.patch_size))
        if architecture.reverse_target and task == "reconstruct":
            frames = frames[::-1]
        return frames.reshape(-1, architecture.n_features)[:n_steps]


@pytest.fixture(scope="session")
def make_reference():
    return Reference


@pytest.fixture(scope="session")
def draw_weights():
    """A function of an architecture: large weights, biases too."""
    from sklearn_lstmae.network.wiring import network_of

    def draw(architecture, seed=0):
        generator = np.random.default_rng(seed)
        return [
            (0.6 * generator.normal(size=shape)).astype("f4")
            for shape in network_of(architecture).shapes
        ]

    return draw
