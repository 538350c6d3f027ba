"""Speed of the library beside the tutorials' Keras code and a PyTorch script."""
