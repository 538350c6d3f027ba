"""Are the codes of the default settings worth having? ``python -m benchmarks.quality``."""
