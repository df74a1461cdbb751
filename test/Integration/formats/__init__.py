"""Drawn low-precision formats, dequantized alone or as weights of matmuls."""
