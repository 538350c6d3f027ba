"""The three contenders: this library, Keras as tutorials write it, and PyTorch.

Each trains and applies the same network and reads and writes the same list of weights (the order
and layout of Keras). A contender lives in a process of its own; whatever it imports, it imports
when it is made, before any clock starts.
"""

import warnings
from functools import partial

import numpy as np

from .harness import Remote
from .jobs import learning_rate_factor


class Ours:
    """This library, with every part switched off that the others do not have."""

    def __init__(self, job, **settings):
        import sklearn_lstmae.training.loop  # noqa: F401, as imports are not measured
        from sklearn_lstmae import LSTMAutoencoderTransformer

        # Nobody needs to be told in a benchmark: "relu" may diverge, few epochs learn little.
        warnings.filterwarnings("ignore", "activation='relu'|The fit is no better")
        self.X = job.data()
        network = {"hidden_units": (job.units,), "latent_dim": job.latent_dim, "pooling": "last"}
        if job.latent_dim is None:
            network = {"hidden_units": (), "latent_dim": job.units, "bottleneck": "hidden"}
        self.model = LSTMAutoencoderTransformer(
            **network,
            patch_size=1,
            bidirectional=False,
            decoder_start="input",
            reverse_target=False,
            time_encoding=False,
            activation=job.activation,
            scaling=None,
            clipnorm=None,
            summary_weight=0.0,
            learning_rate=job.learning_rate,
            epochs=job.epochs,
            batch_size=job.batch_size,
            random_state=0,
        ).set_params(**settings)

    def initial_weights(self):
        """The weights that `fit` begins with: those after an epoch without learning."""
        from sklearn.base import clone

        frozen = clone(self.model).set_params(epochs=1, learning_rate=1e-30)
        return frozen.fit(self.X[:8]).weights_

    def fit(self, epochs=None, rows=None):
        """Train, and return the loss of the last epoch."""
        if epochs is not None:
            self.model.set_params(epochs=epochs)
        return self.model.fit(self.X[:rows]).history_["loss"][-1]

    def orders(self):
        """Rows in the order in which `fit` reads them: an array for each epoch."""
        from sklearn_lstmae.fitting.seeds import draw_seed
        from sklearn_lstmae.training.order import draw_order

        model, n_frames = self.model, np.full(len(self.X), self.X.shape[1])
        seed = draw_seed(model.random_state)
        orders = [
            draw_order(n_frames, model.batch_size, seed, epoch).ravel()
            for epoch in range(model.epochs)
        ]
        return [order[order >= 0] for order in orders]

    def weights(self):
        return self.model.weights_

    def encode(self):
        return self.model.transform(self.X)

    def decode(self, codes):
        return self.model.inverse_transform(codes)


def build_keras(job):
    """The network of the tutorials, compiled; with the library's learning rates."""
    import keras
    from keras import layers

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            step = keras.ops.cast(step, "float32")
            return job.learning_rate * learning_rate_factor(
                step, job.n_steps, keras.ops.minimum, keras.ops.cos
            )

    bottleneck = [layers.Dense(job.latent_dim)] if job.latent_dim else []
    model = keras.Sequential(
        [
            keras.Input((job.n_timesteps, job.n_features)),
            layers.LSTM(job.units, activation=job.activation),
            *bottleneck,
            layers.RepeatVector(job.n_timesteps),
            layers.LSTM(job.units, activation=job.activation, return_sequences=True),
            layers.TimeDistributed(layers.Dense(job.n_features)),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(Schedule()), loss="mse")
    return model


class Keras:
    """Keras as tutorials write it: a Sequential model, ``fit(X, X)`` and ``predict``."""

    def __init__(self, job):
        import keras

        keras.utils.set_random_seed(0)
        self.job, self.X = job, job.data()
        self.model = self.encoder = self.decoder = self.start = None

    def begin_with(self, weights):
        """Let every fit begin with these weights."""
        self.start = weights

    def fit(self, epochs=None):
        """Train, and return the loss of the last epoch."""
        self._begin()
        history = self.model.fit(
            self.X,
            self.X,
            epochs=epochs or self.job.epochs,
            batch_size=self.job.batch_size,
            verbose=0,
        )
        return history.history["loss"][-1]

    def fit_in_order(self, orders):
        """`fit`, the rows of each epoch in a given order."""
        self._begin()
        for order in orders:
            X = self.X[order]
            history = self.model.fit(X, X, batch_size=self.job.batch_size, shuffle=False, verbose=0)
        return history.history["loss"][-1]

    def _begin(self):
        """Build the model once, and later put it back to its beginning.

        So only the first fit traces and compiles.
        """
        if self.model is None:
            self.model = build_keras(self.job)
        else:
            for variable in self.model.optimizer.variables:
                variable.assign(0 * variable)
        if self.start is not None:
            self.model.set_weights(self.start)

    def set_weights(self, weights):
        """Take over the weights of another contender, to encode and decode."""
        import keras

        self.model = build_keras(self.job)
        self.model.set_weights(weights)
        layers = self.model.layers
        depth = 2 if self.job.latent_dim else 1
        code = keras.Input(layers[depth - 1].output.shape[1:])
        self.encoder = keras.Sequential([self.model.inputs[0], *layers[:depth]])
        self.decoder = keras.Sequential([code, *layers[depth:]])

    def encode(self):
        return self.encoder.predict(self.X, verbose=0)

    def decode(self, codes):
        return self.decoder.predict(codes, verbose=0)


def build_torch(job):
    """The same network as a module of PyTorch, whose ``nn.LSTM`` knows tanh only."""
    from torch import nn

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            code_width = job.latent_dim or job.units
            self.reader = nn.LSTM(job.n_features, job.units, batch_first=True)
            self.bottleneck = nn.Linear(job.units, code_width) if job.latent_dim else nn.Identity()
            self.writer = nn.LSTM(code_width, job.units, batch_first=True)
            self.output = nn.Linear(job.units, job.n_features)
            # Keras has one bias a gate; two of them, both trained, would move twice as far.
            for layer in (self.reader, self.writer):
                nn.init.zeros_(layer.bias_hh_l0).requires_grad_(False)

        def encode(self, x):
            _, (hidden, _) = self.reader(x)
            return self.bottleneck(hidden[-1])

        def decode(self, code):
            repeated = code[:, None].expand(-1, job.n_timesteps, -1)
            return self.output(self.writer(repeated)[0])

        def forward(self, x):
            return self.decode(self.encode(x))

    return Autoencoder()


class Torch:
    """PyTorch as somebody who knows it well writes it: tensors in memory, one plain loop."""

    def __init__(self, job, threads):
        import torch
        import torch._dynamo  # the first optimizer would import it

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.job, self.X = job, torch.from_numpy(job.data())
        self.model = self.start = None

    def begin_with(self, weights):
        """Let every fit begin with these weights."""
        self.start = weights

    def fit(self, epochs=None):
        """Train, and return the loss of the last epoch."""
        import torch

        n_rows, epochs = len(self.X), epochs or self.job.epochs
        return self._train(torch.randperm(n_rows) for _ in range(epochs))

    def fit_in_order(self, orders):
        """`fit`, the rows of each epoch in a given order."""
        import torch

        return self._train(torch.from_numpy(order) for order in orders)

    def _train(self, orders):
        import torch

        job, X = self.job, self.X
        self.model = model = build_torch(job)
        if self.start is not None:
            self.set_weights(self.start)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=job.learning_rate, eps=1e-7, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, job.n_steps)
        )
        for order in orders:
            total = torch.zeros(())
            for rows in order.split(job.batch_size):
                x = X[rows]
                optimizer.zero_grad(set_to_none=True)
                loss = torch.nn.functional.mse_loss(model(x), x)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach() * len(rows)
        return total.item() / len(X)

    def set_weights(self, weights):
        """Take over the weights of another contender: [kernel, recurrent kernel, bias], ..."""
        import torch

        if self.model is None:
            self.model = build_torch(self.job)
        model, arrays = self.model, iter(weights)
        tensors = (torch.from_numpy(array.T.copy()) for array in arrays)
        with torch.no_grad():
            for layer in (model.reader, model.bottleneck, model.writer, model.output):
                if isinstance(layer, torch.nn.LSTM):
                    layer.weight_ih_l0.copy_(next(tensors))
                    layer.weight_hh_l0.copy_(next(tensors))
                    layer.bias_ih_l0.copy_(next(tensors))
                    layer.bias_hh_l0.zero_()
                elif isinstance(layer, torch.nn.Linear):
                    layer.weight.copy_(next(tensors))
                    layer.bias.copy_(next(tensors))

    def encode(self):
        import torch

        with torch.inference_mode():
            return self.model.encode(self.X).numpy()

    def decode(self, codes):
        import torch

        with torch.inference_mode():
            return self.model.decode(torch.from_numpy(codes)).numpy()


def starters(job):
    """Functions that start each contender's process: {name: function without arguments}."""
    return {
        "ours": partial(Remote, Ours, job),
        "Keras": partial(Remote, Keras, job),
        "PyTorch, 1 thread": partial(Remote, Torch, job, 1),
        "PyTorch, 2 threads": partial(Remote, Torch, job, 2),
    }
