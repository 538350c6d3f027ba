"""How a network is trained, with TensorFlow, which the first fit imports."""
