"""The default network and its training in PyTorch, for any sequences.

All that comes before the training (scaling, frames, summaries) is the library's own code, which is
NumPy, so that a comparison is one of the trainings.

Letters: N sequences, B of a minibatch, K frames, U units, L columns of a code.
"""

import warnings
from dataclasses import replace

import numpy as np

from .jobs import learning_rate_factor


class OursByDefault:
    """The library with default settings, on sequences of a set."""

    def __init__(self, load, epochs):
        import sklearn_lstmae.training.loop
        import sklearn_lstmae.training.objectives.autoencoder  # noqa: F401, as imports count apart
        from sklearn_lstmae import LSTMAutoencoderTransformer

        # Few epochs learn little, which nobody needs to be told in a benchmark.
        warnings.filterwarnings("ignore", "The fit is no better")
        self.X = load()
        self.model = LSTMAutoencoderTransformer(epochs=epochs, random_state=0)

    def fit(self):
        """Train, and return the loss of the last epoch."""
        return self.model.fit(self.X).history_["loss"][-1]

    def start(self):
        """Weights with which `fit` begins, and the rows of each minibatch of each epoch."""
        from sklearn.base import clone

        from sklearn_lstmae.fitting.parameters import resolve_batch_size
        from sklearn_lstmae.fitting.seeds import draw_seed
        from sklearn_lstmae.training.order import draw_order

        frozen = clone(self.model).set_params(epochs=1, learning_rate=1e-30, warm_start=True)
        frozen.fit(self.X)
        weights = frozen.weights_ + frozen.optimizer_state_["head"]
        _, n_frames, _ = prepare(self.model, self.X)
        batch_size, seed = resolve_batch_size("auto", len(self.X)), draw_seed(0)
        orders = [
            [rows[rows >= 0] for rows in draw_order(n_frames, batch_size, seed, epoch)]
            for epoch in range(self.model.epochs)
        ]
        return weights, orders


class TorchByDefault:
    """The same network, minibatches and epochs in PyTorch, from given weights."""

    def __init__(self, load, epochs, threads, start):
        import torch
        import torch._dynamo  # the first optimizer would import it

        from sklearn_lstmae import LSTMAutoencoderTransformer

        torch.set_num_threads(threads)
        self.X = load()
        self.model = LSTMAutoencoderTransformer(epochs=epochs)
        self.weights, self.orders = start

    def fit(self):
        """Train, and return the loss of the last epoch."""
        import torch

        settings = self.model
        frames, n_frames, summaries = prepare(settings, self.X)
        network = build(self.weights, frames)
        tables = [torch.from_numpy(array) for array in tables_of(frames, n_frames)]
        targets = None if summaries is None else torch.from_numpy(summaries)
        n_frames = torch.from_numpy(n_frames)
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=settings.learning_rate, eps=1e-7, fused=True)
        n_steps = len(self.orders) * len(self.orders[0])
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, n_steps)
        )
        for epoch in self.orders:
            sums = torch.zeros(4)  # errors and counts of values, then of summaries
            for rows in map(torch.from_numpy, epoch):
                lengths = n_frames[rows]
                read, target, observed = (table[rows, : lengths.max()] for table in tables)
                output, code = network(read, lengths)
                errors, count = ((output - target).square() * observed).sum(), observed.sum()
                loss = errors / count
                parts = [errors.detach(), count, *torch.zeros(2)]
                if targets is not None:
                    error = (network.head(code) - targets[rows]).square().mean(1).sum()
                    loss = loss + settings.summary_weight * error / len(rows)
                    parts[2:] = error.detach(), torch.tensor(float(len(rows)))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, settings.clipnorm, foreach=True)
                optimizer.step()
                schedule.step()
                sums += torch.stack(parts)
        errors, count, error, n_rows = sums.tolist()
        return errors / count + settings.summary_weight * error / max(n_rows, 1)


def prepare(settings, X):
    """What a network reads and learns: Frames of all sequences, their numbers (N,), summaries."""
    from sklearn_lstmae.fitting.parameters import resolve_patch_size
    from sklearn_lstmae.fitting.seeds import draw_seed
    from sklearn_lstmae.sequences.frames import FrameReader
    from sklearn_lstmae.sequences.scaling import observe, scaling_of
    from sklearn_lstmae.sequences.summaries import learn_summary
    from sklearn_lstmae.sequences.validation import check_sequences

    sequences = check_sequences(settings, X, missing=settings.missing)
    scaling = scaling_of(settings.scaling, observe(sequences))
    patch_size = resolve_patch_size("auto", sequences.n_timesteps, None)
    reader = FrameReader(sequences, scaling, patch_size)
    summary = learn_summary(reader, draw_seed(0))
    if summary is not None:
        reader = replace(reader, summaries=summary.apply(reader))
    block = reader.read(slice(None), int(reader.n_frames.max()))
    return block.frames(block.past), reader.n_frames, block.summaries


def tables_of(frames, n_frames):
    """What is read, the target in the decoder's order, and which of its values are real."""
    values, n_values = frames.values, frames.values.shape[2]
    real = np.arange(values.shape[1]) < n_frames[:, np.newaxis]  # (N, K)
    observed = np.repeat(real[:, :, np.newaxis], n_values, axis=2)
    if frames.indicators.shape[2]:
        n_features = n_values // frames.indicators.shape[2]
        observed = np.repeat(frames.indicators, n_features, axis=2)
    place = np.arange(values.shape[1])
    backwards = np.where(real, n_frames[:, np.newaxis] - 1 - place, place)[:, :, np.newaxis]
    read = np.concatenate([values, frames.indicators], axis=2, dtype=np.float32)
    target, observed = (np.take_along_axis(each, backwards, 1) for each in (values, observed))
    return read, target, observed.astype(np.float32)


def build(weights, frames):
    """The default network with these weights, in the order and layout of the library."""
    import torch
    from torch import nn

    from sklearn_lstmae.network.architecture import FREQUENCIES

    n_values = frames.values.shape[2]
    n_read = n_values + frames.indicators.shape[2]
    latent_dim, units = weights[7].shape[0], weights[1].shape[0]
    places = np.arange(frames.values.shape[1], dtype=np.float32)[:, np.newaxis]
    times = np.hstack([np.sin(places * FREQUENCIES), np.cos(places * FREQUENCIES)])

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(n_read, units, batch_first=True, bidirectional=True)
            self.bottleneck = nn.Linear(4 * units, latent_dim)
            self.start = nn.Linear(latent_dim, 2 * units)
            self.decoder = nn.LSTM(times.shape[1] + latent_dim, units, batch_first=True)
            self.output = nn.Linear(units, n_values)
            self.head = nn.Linear(latent_dim, weights[-1].shape[0]) if len(weights) > 15 else None
            self.register_buffer("times", torch.from_numpy(times.astype(np.float32)))

        def forward(self, read, lengths):
            n_frames = read.shape[1]
            if (lengths == n_frames).all():
                outputs, (last, _) = self.encoder(read)
            else:
                packed = nn.utils.rnn.pack_padded_sequence(
                    read, lengths, batch_first=True, enforce_sorted=False
                )
                outputs, (last, _) = self.encoder(packed)
                outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
            mean = outputs.sum(1) / lengths[:, None]
            code = self.bottleneck(torch.cat([last[0], last[1], mean], 1))
            hidden, cell = self.start(code).chunk(2, 1)
            time = self.times[:n_frames].expand(len(code), -1, -1)
            inputs = torch.cat([time, code[:, None].expand(-1, n_frames, -1)], 2)
            states = hidden.contiguous()[None], cell.contiguous()[None]
            return self.output(self.decoder(inputs, states)[0]), code

    network, arrays = Network(), iter(weights)
    encoder, decoder = network.encoder, network.decoder
    with torch.no_grad():
        fill_lstm(encoder, "_l0", arrays)
        fill_lstm(encoder, "_l0_reverse", arrays)
        fill_linear(network.bottleneck, arrays)
        fill_linear(network.start, arrays)
        fill_lstm(decoder, "_l0", arrays)
        fill_linear(network.output, arrays)
        if network.head is not None:
            fill_linear(network.head, arrays)
    return network


def fill_lstm(layer, way, arrays):
    """Take the next three of the library's weights: kernel, recurrent kernel, bias."""
    import torch

    for name in ("weight_ih", "weight_hh", "bias_ih"):
        getattr(layer, name + way).copy_(torch.from_numpy(next(arrays).T.copy()))
    # Keras has one bias a gate; two of them, both trained, would move twice as far.
    getattr(layer, "bias_hh" + way).zero_().requires_grad_(False)


def fill_linear(layer, arrays):
    """Take the next two of the library's weights: kernel and bias."""
    import torch

    for parameter in (layer.weight, layer.bias):
        parameter.copy_(torch.from_numpy(next(arrays).T.copy()))
