"""Are anomalies of known kinds found along a record? ``python -m benchmarks.anomaly``."""
