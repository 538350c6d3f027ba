"""What the weights of an Architecture look like, said without TensorFlow."""

from sklearn_lstmae.network.architecture import TIME_WAVELENGTHS, Architecture


def weight_shapes(architecture: Architecture) -> list[tuple[int, ...]]:
    """Shapes of the weights of a network, in the order of `network.Network.variables`."""
    shapes = _encoder(architecture)
    for _ in architecture.decoders:
        shapes += _decoder(architecture)
    return shapes


def _encoder(architecture):
    shapes, width = [], architecture.input_width
    ways = 2 if architecture.bidirectional else 1
    for units in architecture.hidden_units:
        shapes += ways * _lstm(units, width)
        width = ways * units
    if architecture.bottleneck != "dense":
        return shapes + _lstm(architecture.latent_dim, width)
    pooled = width * (2 if architecture.pooling == "last_mean" else 1)
    layers = 2 if architecture.variational else 1
    return shapes + layers * _dense(architecture.latent_dim, pooled)


def _decoder(architecture):
    is_dense = architecture.bottleneck == "dense"
    units = architecture.hidden_units[::-1]
    if not is_dense:
        units = (architecture.latent_dim, *units)
    starts, hidden, width = [], [], _decoder_width(architecture)
    for size in units:
        if is_dense and "state" in architecture.decoder_start:
            starts += _dense(2 * size, architecture.code_width)
        hidden += _lstm(size, width)
        width = size
    return starts + hidden + _dense(architecture.frame_width, width)


def _decoder_width(architecture):
    """Columns that the first layer of a decoder reads."""
    reads_code = "input" in architecture.decoder_start
    time = 0 if reads_code or architecture.conditional else 1
    if architecture.time_encoding:
        time = 2 * len(TIME_WAVELENGTHS)
    code = architecture.code_width if reads_code else 0
    return time + code + (architecture.frame_width if architecture.conditional else 0)


def _lstm(units, width):
    return [(width, 4 * units), (units, 4 * units), (4 * units,)]


def _dense(units, width):
    return [(width, units), (units,)]
