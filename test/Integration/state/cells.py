"""Cells of recurrences: one step in NumPy, and as the body of a linalg.generic."""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


#: gates and states of each cell
CELLS = {"lstm": (4, 2), "gru": (3, 1), "slstm": (4, 4), "leaky": (1, 1)}


def step(cell, x, states, weight):
    """One step in NumPy: x [B, gates * H], states [B, H] each. Gives (output, states)."""
    h = states[0]
    size = h.shape[1]
    g = x + h @ weight
    part = [g[:, i * size:(i + 1) * size] for i in range(CELLS[cell][0])]
    if cell == "lstm":
        c = sigmoid(part[1]) * states[1] + sigmoid(part[0]) * np.tanh(part[2])
        h = sigmoid(part[3]) * np.tanh(c)
        return h, [h, c]
    if cell == "gru":  # resets after the product
        own = x[:, 2 * size:]
        z, r = sigmoid(part[0]), sigmoid(part[1])
        n = np.tanh(own + r * (part[2] - own))
        h = (1 - z) * n + z * h
        return h, [h]
    if cell == "slstm":  # exponential gates, with the logarithm of their scale m
        _, c, n, m = states
        top = np.maximum(part[1] + m, part[0])
        i, f = np.exp(part[0] - top), np.exp(part[1] + m - top)
        c, n = f * c + i * np.tanh(part[2]), f * n + i
        h = sigmoid(part[3]) * c / n
        return h, [h, c, n, top]
    h = 0.5 * h + np.tanh(g)
    return 2 * h, [h]


BODIES = {
    "lstm": """
      %i = SIGMOID %g0
      %f = SIGMOID %g1
      %n = math.tanh %g2
      %o = SIGMOID %g3
      %a = arith.mulf %f, %s1
      %d = arith.mulf %i, %n
      %c = arith.addf %a, %d
      %t = math.tanh %c
      %h = arith.mulf %o, %t
      YIELD %h, %h, %c""",
    "gru": """
      %z = SIGMOID %g0
      %r = SIGMOID %g1
      %k = arith.subf %g2, %x2
      %l = arith.mulf %r, %k
      %m = arith.addf %x2, %l
      %n = math.tanh %m
      %u = arith.subf %one, %z
      %a = arith.mulf %u, %n
      %d = arith.mulf %z, %s0
      %h = arith.addf %a, %d
      YIELD %h, %h""",
    "slstm": """
      %fm = arith.addf %g1, %s3
      %top = arith.maximumf %fm, %g0
      %i0 = arith.subf %g0, %top
      %i = math.exp %i0
      %f0 = arith.subf %fm, %top
      %f = math.exp %f0
      %z = math.tanh %g2
      %o = SIGMOID %g3
      %a = arith.mulf %f, %s1
      %d = arith.mulf %i, %z
      %c = arith.addf %a, %d
      %v = arith.mulf %f, %s2
      %n = arith.addf %v, %i
      %p = arith.mulf %o, %c
      %h = arith.divf %p, %n
      YIELD %h, %h, %c, %n, %top""",
    "leaky": """
      %t = math.tanh %g0
      %k = arith.mulf %half, %s0
      %h = arith.addf %k, %t
      %y = arith.addf %h, %h
      YIELD %y, %h"""}
