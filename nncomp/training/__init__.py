"""Training: data, the loop, checkpoints, curves. What runs a step is given by the driver."""
