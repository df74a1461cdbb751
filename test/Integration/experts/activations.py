"""The activations of tenon.grouped_matmul and tenon.moe in NumPy."""
from math import erf

import numpy as np

ACTIVATIONS = {
    "identity": lambda x: x, "relu": lambda x: np.maximum(x, 0), "relu_squared": lambda x: np.maximum(x, 0)**2,
    "silu": lambda x: x / (1 + np.exp(-x)), "gelu": lambda x: x / 2 * (1 + np.vectorize(erf, otypes=[float])(x / np.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))}
