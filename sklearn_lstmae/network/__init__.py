"""What a network is and how it computes: one description, and a back end for each framework."""
