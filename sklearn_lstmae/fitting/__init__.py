"""What `fit` does, step by step, and the fitted model that later methods read."""
