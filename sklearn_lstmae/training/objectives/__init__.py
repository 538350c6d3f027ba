"""What a training learns: one module for each `steps.Objective`."""
