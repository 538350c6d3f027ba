"""ReconstructionDisplay: sequences and the output of a decoder for them."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_lstmae._sklearn import check_matplotlib_support, num_samples
from sklearn_lstmae.displays._drawing import (
    BLUE,
    GRAY,
    VERMILION,
    autoencoder_of,
    dots_at_gaps,
    feature_names_of,
    label_panels,
    legend_of_panels,
    line_style,
    make_panels,
    places_of,
    whole_numbers,
)
from sklearn_lstmae.fitting.arguments import TaskName
from sklearn_lstmae.sequences.numbers import as_numbers
from sklearn_lstmae.sequences.stores import take_rows


class ReconstructionDisplay:
    """Sequences and their reconstructions, with one panel per feature and sequence.

    It is recommended to use `from_estimator` or `from_reconstructions` to create a display. All
    parameters are stored as attributes.

    .. versionadded:: 0.1

    Parameters
    ----------
    originals : list of S arrays of shape (T_i, F)
        The sequences. A missing value, NaN, leaves a gap.

    reconstructions : list of S arrays of shape (H_i, F)
        Output of the decoder for the last H_i steps of each sequence. A reconstruction has all T_i
        steps, a prediction may have fewer.

    samples : list of S int
        Numbers of the sequences, for the titles.

    feature_names : list of F str
        Names of the features, for the labels.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (F, S)
        Axes of the panels.
    figure_ : matplotlib Figure
        Figure containing the panels.
    original_lines_, lines_ : ndarray of matplotlib Line2D, of shape (F, S)
        Lines of the sequences, and of the reconstructions.
    fills_ : ndarray of matplotlib PolyCollection, of shape (F, S)
        Areas between them.

    See Also
    --------
    LSTMAutoencoderTransformer.reconstruct : Encode and decode sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_lstmae import LSTMAutoencoderTransformer, ReconstructionDisplay
    >>> X = np.sin(np.linspace(0, 6, 20) + np.arange(50)[:, np.newaxis])
    >>> autoencoder = LSTMAutoencoderTransformer(latent_dim=2, epochs=2, random_state=0).fit(X)
    >>> ReconstructionDisplay.from_estimator(autoencoder, X, samples=[0, 1])
    <...>
    """

    def __init__(
        self,
        *,
        originals: Sequence[npt.NDArray[Any]],
        reconstructions: Sequence[npt.NDArray[Any]],
        samples: Sequence[int],
        feature_names: Sequence[str],
    ) -> None:
        self.originals = originals
        self.reconstructions = reconstructions
        self.samples = samples
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        samples: int | Sequence[int] = 0,
        features: int | str | Sequence[int | str] | None = None,
        task: TaskName | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Reconstruct some of the sequences, and draw them.

        Parameters
        ----------
        estimator : LSTMAutoencoderTransformer or LSTMAutoencoderDetector
            Fitted estimator. For a detector, its ``autoencoder_`` is used.

        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        samples : int or list of int, default=0
            Numbers of the sequences to draw.

        features : int, str, or list of them, default=None
            Features to draw, by number or name. If None, all.

        task : {"reconstruct", "predict"}, default=None
            What to decode, see `LSTMAutoencoderTransformer.reconstruct`.

        feature_names : list of F str, default=None
            Names of the features. For windows, which have none, pass ``index.feature_names`` of the
            index that `sliding_windows` returned. If None, the names seen during `fit`, if any.

        ax : matplotlib Axes or array of them of shape (F, S), default=None
            Axes to draw on. A single one is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`, for the reconstructions.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = autoencoder_of(estimator, "reconstruct")
        rows = np.arange(num_samples(X))[np.atleast_1d(samples)]
        chosen = take_rows(X, rows)
        result = estimator.reconstruct(chosen, task=task)
        display = cls._of(estimator, chosen, result, rows, features, feature_names)
        return display.plot(ax, **kwargs)

    @classmethod
    def from_reconstructions(
        cls,
        X: Any,
        reconstructions: Any,
        *,
        samples: int | Sequence[int] = 0,
        features: int | str | Sequence[int | str] | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw given reconstructions.

        Parameters
        ----------
        X : array of shape (N, T) or (N, T, F), DataFrame, or list of (T_i, F)
            The sequences.

        reconstructions : like X
            Output of `LSTMAutoencoderTransformer.reconstruct` for X.

        samples : int or list of int, default=0
            Numbers of the sequences to draw.

        features : int, str, or list of them, default=None
            Features to draw, by number or name. If None, all.

        feature_names : list of F str, default=None
            Names of the features. If None, their numbers.

        ax : matplotlib Axes or array of them of shape (F, S), default=None
            Axes to draw on. A single one is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`, for the reconstructions.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the number of reconstructions is not that of sequences.
        """
        check_matplotlib_support(f"{cls.__name__}.from_reconstructions")
        if num_samples(X) != num_samples(reconstructions):
            raise ValueError(
                f"There are {num_samples(reconstructions)} reconstructions of {num_samples(X)} "
                "sequences: pass one for each sequence of X, in the same order."
            )
        rows = np.arange(num_samples(X))[np.atleast_1d(samples)]
        chosen, result = take_rows(X, rows), take_rows(reconstructions, rows)
        display = cls._of(None, chosen, result, rows, features, feature_names)
        return display.plot(ax, **kwargs)

    @classmethod
    def _of(cls, estimator, chosen, result, rows, features, feature_names):
        """Display of some features of the chosen rows of X and their reconstructions."""
        originals, reconstructions = (_as_sequences(part, result) for part in (chosen, result))
        names = feature_names_of(estimator, originals[0].shape[1], feature_names)
        columns = places_of(features, names, "features")
        return cls(
            originals=[sequence[:, columns] for sequence in originals],
            reconstructions=[sequence[:, columns] for sequence in reconstructions],
            samples=rows.tolist(),
            feature_names=[names[column] for column in columns],
        )

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them of shape (F, S), default=None
            Axes to draw on. A single one is divided. If None, a new figure is created.

        **kwargs : dict
            Keyword arguments to pass to matplotlib's `plot`, for the reconstructions.

        Returns
        -------
        self : ReconstructionDisplay
            The display itself.
        """
        shape = len(self.feature_names), len(self.samples)
        self.axes_ = make_panels(self, ax, shape, sharex="col", sharey="row")
        self.figure_ = self.axes_[0, 0].figure
        self.original_lines_, self.lines_, self.fills_ = (np.empty(shape, object) for _ in range(3))
        style = line_style({"color": BLUE, "label": "decoded"}, kwargs)
        for place in np.ndindex(shape):
            panel, (feature, sample) = self.axes_[place], place
            original = self.originals[sample][:, feature]  # (T,)
            decoded = self.reconstructions[sample][:, feature]  # (H,)
            steps = np.arange(len(original))
            last = steps[len(original) - len(decoded) :]
            [self.original_lines_[place]] = panel.plot(
                steps, original, color=GRAY, label="original", **dots_at_gaps(original)
            )
            [self.lines_[place]] = panel.plot(last, decoded, **dots_at_gaps(decoded) | style)
            self.fills_[place] = panel.fill_between(
                last, original[last], decoded, color=VERMILION, alpha=0.3, lw=0, label="error"
            )
            whole_numbers(panel)
        label_panels(
            self.axes_, [f"sequence {sample}" for sample in self.samples], self.feature_names
        )
        legend_of_panels(self.axes_)
        return self


def _as_sequences(X, result):
    """Sequences as `reconstruct` takes and returns them -> list of (T_i, F).

    ``result`` is what it returned: an array has NaN after the ends of sequences.
    """
    # To go through a table means to go through its columns; an array has its sequences as rows.
    rows = X if isinstance(X, (list, tuple)) else _as_floats(X)
    arrays = [_as_floats(sequence) for sequence in rows]
    arrays = [array.reshape(len(array), -1) for array in arrays]
    if isinstance(result, list):
        return arrays
    present = [np.flatnonzero(~np.isnan(array).all(axis=1)) for array in arrays]
    return [array[: 1 + steps[-1]] for array, steps in zip(arrays, present, strict=True)]


def _as_floats(values):
    """An array, table or list of numbers as float64; what is missing is NaN."""
    numbers = as_numbers(values, "ReconstructionDisplay", "X", ensure_2d=False)
    return np.asarray(numbers, dtype=np.float64)
