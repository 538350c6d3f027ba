"""What the columns of a code depend on."""

import numpy as np

from sklearn_lstmae._sklearn import HasMethods, validate_params
from sklearn_lstmae.fitting.model import fitted_model
from sklearn_lstmae.sequences.batch import SequenceBatch
from sklearn_lstmae.sequences.scaling import moments_of


@validate_params(
    {"transformer": [HasMethods(["transform", "to_keras"])]}, prefer_skip_nested_validation=True
)
def latent_importance(transformer, X):
    """Share of each input value, by step and feature, in each column of the code.

    A value counts for a column if the column changes with it, and if it varies from sequence to
    sequence: the mean absolute gradient of the column by the scaled value, times the standard
    deviation of that value over the sequences of X, divided by the sum of these products over all
    steps and features.

    Parameters
    ----------
    transformer : LSTMAutoencoderTransformer
        A fitted one, as it is or in a `sklearn.frozen.FrozenEstimator`.

    X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
        At least two sequences, over which gradients are averaged.

    Returns
    -------
    shares : ndarray of shape (L, T, F), float64
        T are the steps of the longest sequence. The shares of a column sum to 1; they are all 0
        if nothing that varies in X changes it. A step that few of the sequences reach counts for
        these only, so that its share is smaller. The columns that ``scaling="sequence"`` and
        ``append_states`` append are left out.

    Raises
    ------
    ValueError
        If X is a single sequence, or not of the kind of ``fit``.

    See Also
    --------
    LatentImportanceDisplay : Shares as heat maps.

    Notes
    -----
    An absolute gradient is known as saliency (Simonyan et al. 2014). Its mean over the data is a
    derivative-based measure of global sensitivity (Kucherenko and Song 2016), which the deviation
    makes comparable between inputs. Integrated gradients (Sundararajan et al. 2017) answer
    another question, what one code owes to its difference from a baseline sequence, and depend on
    the baseline.

    Gradients are local: what a column would do if a value changed a little and all others
    stayed. Steps of a sequence depend on each other, so that a column may depend on
    only one of two neighbors with the same information.

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
