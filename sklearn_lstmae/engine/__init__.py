"""Networks: what they are, how they are compiled, trained and used; no scikit-learn.

`architecture`, `plan`, `progress`, `weights`, `forward` and `inference` do without TensorFlow.
"""
