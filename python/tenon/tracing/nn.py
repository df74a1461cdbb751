"""tenon.nn: activations, normalisations and layers, of arrays that are traced."""
from .contract import linear
from .conv import avg_pool, conv, max_pool
from .functions import gelu, gelu_tanh, relu, sigmoid, silu, softplus, tanh
from .reduce import l2_norm, layer_norm, log_softmax, rms_norm, softmax

__all__ = ["linear", "conv", "max_pool", "avg_pool", "gelu", "gelu_tanh", "relu", "sigmoid", "silu", "softplus", "tanh",
           "l2_norm", "layer_norm", "log_softmax", "rms_norm", "softmax"]
