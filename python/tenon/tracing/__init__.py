"""Functions of arrays, traced and compiled: see function.py for `jit`, array.py for what they compute with."""
