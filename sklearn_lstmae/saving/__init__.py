"""From a fitted estimator to a file, and back: save and load, ONNX."""
