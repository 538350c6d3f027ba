"""How a fitted network is used, in NumPy: any number of sequences, block by block, on all cores."""
