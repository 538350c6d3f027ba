"""The fast LSTM: the mathematics and weights of ``keras.layers.LSTM``, arranged for speed.

What makes it faster than the same network of Keras' own layers:

- the input projection of all steps is one matrix product outside the loop;
- an input that is the same at each step (the decoder's code) is projected once, not T times;
- the gradient is written by hand: the backward loop only makes the gradients of the gates; those
  of the weights are one product over all steps after the loop, and factors that need no
  recurrence are computed before it;
- masked steps close the gates before the loop (`hold`), which then knows nothing of masks;
- the four gates go through one tanh, since sigmoid(a) = tanh(a / 2) / 2 + 1 / 2; that tanh is what
  is remembered for the gradient, as it is.

Inside the loops all arrays are time-major, (T, B, ...).
"""

from ._tensorflow import tf

# name -> (function, its derivative written in terms of its output)
ACTIVATIONS = {
    "tanh": (tf.tanh, lambda output: 1.0 - tf.square(output)),
    "relu": (tf.nn.relu, lambda output: tf.cast(output > 0, output.dtype)),
}


class Recurrence:
    """The loop of an LSTM and its gradient.

    Parameters
    ----------
    recurrent : tensor of shape (U, 4U)
    activation : key of `ACTIVATIONS`
    backwards : bool
        Run from the last step to the first.
    n_steps : int32 scalar tensor or None
        Steps to run, all others being held or unused; their outputs are zeros. A loop that XLA
        compiled for the longest sequences so costs no more for short ones than they need. None:
        all. Not together with ``backwards`` and a first state that is not zero.
    """

    def __init__(self, recurrent, activation, backwards, n_steps=None):
        self.recurrent = recurrent
        self.activation = activation
        self.backwards = backwards
        self.n_steps = n_steps

    def run(self, projected, every_step, hidden, cell):
        """All steps.

        Parameters
        ----------
        projected : tensor of shape (T, B, 4U) or (T, 1, 4U)
            Preactivations of the gates, without the recurrence.
        every_step : tensor of shape (B, 4U) or None
            Added to them at each step.
        hidden, cell : tensors of shape (B, U)
            State before the first step.

        Returns
        -------
        tensors of shape (T, B, U), (B, U), (B, U)
            The outputs, in the order of the steps, and the last hidden and cell state.
        """
        if every_step is None:
            every_step = tf.zeros([1, self.recurrent.shape[1]])

        @tf.custom_gradient
        def run(recurrent, projected, every_step, hidden, cell):
            [outputs, cells, squashed], last_hidden, last_cell = self._loop(
                recurrent, projected, every_step, hidden, cell
            )

            def gradient(d_outputs, d_hidden, d_cell):
                d_gates, d_first_hidden, d_first_cell = self._backward_loop(
                    recurrent,
                    outputs,
                    squashed,
                    cells,
                    self._before(cell, cells),
                    d_outputs,
                    d_hidden,
                    d_cell,
                )
                return (
                    _outer_sum(self._before(hidden, outputs), d_gates),
                    _sum_to(d_gates, projected, axis=1),
                    _sum_to(tf.reduce_sum(d_gates, 0), every_step, axis=0),
                    d_first_hidden,
                    d_first_cell,
                )

            return (outputs, last_hidden, last_cell), gradient

        return run(self.recurrent, projected, every_step, hidden, cell)

    def _loop(self, recurrent, projected, every_step, hidden, cell):
        """Run all steps; keep outputs, cells and squashed, (T, B, ...)."""
        first, stride, goes_on = self._walk(projected, self.backwards)

        def body(step, hidden, cell, *kept):
            preactivation = projected[step] + hidden @ recurrent + every_step  # (B, 4U)
            squashed, new_hidden, new_cell = _cell(preactivation, cell, self.activation)
            values = new_hidden, new_cell, squashed
            written = [array.write(step, v) for array, v in zip(kept, values, strict=True)]
            return step + stride, new_hidden, new_cell, *written

        memory = [tf.TensorArray(tf.float32, size=tf.shape(projected)[0]) for _ in range(3)]
        _, hidden, cell, *memory = tf.while_loop(goes_on, body, (first, hidden, cell, *memory))
        return [array.stack() for array in memory], hidden, cell

    def _walk(self, steps, backwards):
        """First step, stride and condition of a loop over (T, B, ...).

        The step itself is what the loop carries: one computed from ``n_steps`` at each turn would
        make XLA take the lengths of the sequences for constants, and compile for each minibatch.
        """
        n_steps = tf.shape(steps)[0] if self.n_steps is None else self.n_steps
        if backwards:
            return n_steps - 1, -1, lambda step, *_: step >= 0
        return tf.constant(0), 1, lambda step, *_: step < n_steps

    def _before(self, first, states):
        """The state before each step: (B, U), (T, B, U) -> (T, B, U)."""
        if self.backwards:
            return tf.concat([states[1:], first[tf.newaxis]], 0)
        return tf.concat([first[tf.newaxis], states[:-1]], 0)

    def _backward_loop(
        self, recurrent, outputs, squashed, cells, cells_before, d_outputs, d_hidden, d_cell
    ):
        """Gradients of the preactivations (T, B, 4U) and of the first hidden and cell state.

        All that needs no recurrence is computed for all steps at once, before the loop.
        """
        function, derivative = ACTIVATIONS[self.activation]
        entry, forget, candidate, exit_ = _gates(squashed, self.activation)
        shown = function(cells)
        to_exit = outputs * (1.0 - exit_)
        to_cell = exit_ * derivative(shown)
        to_gates = [
            candidate * entry * (1.0 - entry),
            cells_before * forget * (1.0 - forget),
            entry * derivative(candidate),
        ]  # (T, B, U) each: XLA would not vectorize a product with one cell's tiles
        transposed = tf.transpose(recurrent)  # (4U, U)
        last, stride, goes_on = self._walk(squashed, not self.backwards)

        def body(step, d_hidden, d_cell, d_gates):
            d_hidden = d_hidden + d_outputs[step]
            d_cell = d_cell + d_hidden * to_cell[step]
            d_step = [d_cell * to_gate[step] for to_gate in to_gates]
            d_step = tf.concat([*d_step, d_hidden * to_exit[step]], -1)  # (B, 4U)
            d_before = d_step @ transposed
            return step + stride, d_before, d_cell * forget[step], d_gates.write(step, d_step)

        d_gates = tf.TensorArray(tf.float32, size=tf.shape(squashed)[0])
        _, d_hidden, d_cell, d_gates = tf.while_loop(
            goes_on, body, (last, d_hidden, d_cell, d_gates)
        )
        return d_gates.stack(), d_hidden, d_cell


def hold(projected, mask):
    """Preactivations (T, B, 4U) with which steps that are masked, (T, B, 1), hold the cell.

    The hidden state is zero there, and no gradient passes but the cell's. Large enough for whatever
    the recurrence adds, and finite, so that no product with zero is NaN.
    """
    units = projected.shape[-1] // 4
    holding = tf.concat([tf.fill([units], value) for value in (-1e30, 1e30, 0.0, -1e30)], 0)
    return tf.where(mask, projected, holding)


def _cell(preactivation, cell, activation):
    """(B, 4U), (B, U) -> what `_gates` reads (B, 4U), hidden (B, U), cell (B, U)."""
    function, _ = ACTIVATIONS[activation]
    squashed = _squash(preactivation, activation)
    entry, forget, candidate, exit_ = _gates(squashed, activation)
    new_cell = forget * cell + entry * candidate
    return squashed, exit_ * function(new_cell), new_cell


def _squash(preactivation, activation):
    """The nonlinearities of the gates, but for what `_gates` makes of them: (..., 4U) -> same."""
    entry, forget, candidate, exit_ = tf.split(preactivation, 4, axis=-1)
    if activation == "tanh":
        half, full = [tf.fill([entry.shape[-1]], value) for value in (0.5, 1.0)]
        return tf.tanh(preactivation * tf.concat([half, half, full, half], 0))
    function, _ = ACTIVATIONS[activation]
    return tf.concat(
        [tf.sigmoid(entry), tf.sigmoid(forget), function(candidate), tf.sigmoid(exit_)], -1
    )


def _gates(squashed, activation):
    """(..., 4U) -> input gate, forget gate, candidate, output gate, (..., U) each; Keras' order."""
    entry, forget, candidate, exit_ = tf.split(squashed, 4, axis=-1)
    if activation == "tanh":
        entry, forget, exit_ = (0.5 * gate + 0.5 for gate in (entry, forget, exit_))
    return entry, forget, candidate, exit_


def _outer_sum(left, right):
    """(T, B, U), (T, B, V) -> (U, V): the sum of outer products, as one matrix product."""
    flat = [tf.reshape(array, [-1, array.shape[-1]]) for array in (left, right)]
    return tf.matmul(*flat, transpose_a=True)


def _sum_to(gradient, like, axis):
    """Undo the broadcasting of ``like`` along ``axis``, if its size there is 1."""
    return tf.reduce_sum(gradient, axis, keepdims=True) if like.shape[axis] == 1 else gradient
