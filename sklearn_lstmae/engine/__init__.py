"""Networks: what they are, how they are compiled, trained and used. TensorFlow and Keras only.

All modules but `architecture`, `plan` and `weights` import TensorFlow.
"""
