"""Sequences as arrays: validation, padding, scaling and scoring. No Keras, no TensorFlow."""
