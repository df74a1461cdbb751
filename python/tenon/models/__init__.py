"""Models built from files of weights, over tenon.jit."""
