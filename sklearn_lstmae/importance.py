"""What the columns of a code depend on."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lstmae._sklearn import HasMethods, validate_params
from sklearn_lstmae.fitting.in_one_step import snapshot
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.sequences.batch import SequenceBatch
from sklearn_lstmae.sequences.scaling import moments_of


@validate_params(
    {"transformer": [HasMethods(["transform", "to_keras"])]}, prefer_skip_nested_validation=True
)
def latent_importance(transformer: Any, X: Any) -> npt.NDArray[np.float64]:
    """Compute the share of each step and feature in each column of the code.

    A value has a large share in a column if the column is sensitive to it and if it varies between
    sequences. The share is the mean absolute gradient of the column with respect to the scaled
    value, times the standard deviation of that value across the sequences of X, divided by the sum
    of these products over all steps and features.

    Parameters
    ----------
    transformer : LSTMAutoencoderTransformer
        Fitted transformer, or a `sklearn.frozen.FrozenEstimator` around one.

    X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
        At least two sequences, over which gradients are averaged.

    Returns
    -------
    shares : ndarray of shape (L, T, F), float64
        The shares, where T is the length of the longest sequence. Those of a column sum to 1, or
        are all 0 if it depends on nothing that varies in X. A step that only some of the sequences
        reach has a smaller share, because only these count for it. The columns that
        ``scaling="sequence"`` and ``append_states`` append are left out.

    Raises
    ------
    ValueError
        If X is a single sequence, or does not fit the transformer.

    See Also
    --------
    LatentImportanceDisplay : Draw the shares as heat maps.
    LatentTraversalDisplay : Move a column, and decode.

    Notes
    -----
    The absolute gradient is known as saliency (Simonyan et al. 2014). Its mean over the data is a
    derivative-based measure of global sensitivity (Kucherenko and Song 2016). Multiplied by the
    standard deviation, it is comparable between values. Integrated gradients (Sundararajan et
    al. 2017) answer a different question: they explain the difference of one code from that of a
    baseline sequence, and depend on that baseline.

    Gradients are local. They show how a column would change if one value changed a little and all
    others stayed the same. Steps of a sequence depend on each other, so a column may depend on only
    one of two neighboring steps that contain the same information.

    References
    ----------
    Simonyan, Vedaldi, Zisserman: "Deep Inside Convolutional Networks: Visualising Image
    Classification Models and Saliency Maps", ICLR Workshop 2014, section 3.

    Kucherenko, Song: "Derivative-based Global Sensitivity Measures and Their Link with Sobol'
    Sensitivity Indices", Monte Carlo and Quasi-Monte Carlo Methods, Springer 2016.

    Sundararajan, Taly, Yan: "Axiomatic Attribution for Deep Networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, latent_importance
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> latent_importance(autoencoder, X).shape
    (2, 20, 1)
    """
    transformer = snapshot(transformer)
    model = fitted_model(transformer)
    reader = model.read(transformer, X)
    if len(reader) < 2:
        raise ValueError(
            "X is a single sequence (n_samples=1), in which nothing varies from sequence to "
            "sequence: pass at least two."
        )
    from sklearn_lstmae.training.saliency import mean_saliency

    saliency = mean_saliency(model.architecture.encoder, model.encoder_weights, reader)
    n_steps = reader.sequences.n_timesteps
    importance = saliency[:, :n_steps] * deviation_of_values(reader)[:n_steps]  # (L, T, F)
    total = importance.sum(axis=(1, 2), keepdims=True)
    return np.divide(importance, total, out=np.zeros_like(importance), where=total > 0)


def deviation_of_values(reader):
    """Standard deviation of each scaled value over the sequences that have it: (K * P, F)."""
    n_frames, n_features = int(reader.n_frames.max()), reader.sequences.n_features
    n_values = n_frames * reader.patch_size * n_features

    def batches():
        """Each sequence as one step, whose features are all of its values."""
        for rows in reader.sequences.blocks():
            batch = reader.read(rows, n_frames).past
            flat = (batch.n_sequences, 1, n_values)
            one = np.ones_like(batch.lengths)
            yield SequenceBatch(batch.values.reshape(flat), one, batch.mask.reshape(flat))

    variance = moments_of(batches(), n_values).variance
    return np.sqrt(variance).reshape(-1, n_features)
