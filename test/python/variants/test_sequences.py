"""Published recurrences and linear attentions."""
import numpy as np
import pytest
from gallery import check, draws, sigmoid, variant

import tenon as tn

pytestmark = pytest.mark.executes
draw = draws(1)


@variant("Cosine attention in linear time", "Cottention, arXiv:2409.18747")
@tn.jit
def cosine_attention(q, k, v):
    q, k = tn.nn.l2_norm(q), tn.nn.l2_norm(k)
    return tn.einsum("bhsd,bhde->bhse", q, tn.einsum("bhtd,bhte->bhde", k, v)) / k.shape[2]


def test_cosine_attention():
    def reference(q, k, v):
        q, k = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (q, k))
        return (q @ k.swapaxes(-1, -2)) @ v / k.shape[2]

    check(cosine_attention, reference, draw(2, 3, 50, 16), draw(2, 3, 70, 16), draw(2, 3, 70, 20))


@variant("mLSTM: a matrix memory with exponential gates", "xLSTM, arXiv:2405.04517")
@tn.jit
def mlstm(q, k, v, i, f):  # q, k, v [T, H, D]; i, f [T, H]: logarithms of the input gate, arguments of the forget gate
    def cell(state, x):
        memory, total, highest = state
        q, k, v, i, f = x
        stay = highest - tn.nn.softplus(-f)
        level = tn.maximum(stay, i)
        keep, add = tn.exp(stay - level)[:, None], tn.exp(i - level)[:, None]
        memory = memory * keep[:, :, None] + (add * k)[:, :, None] * v[:, None, :]
        total = total * keep + add * k
        size = tn.maximum(tn.absolute((total * q).sum(1)), tn.exp(-level))
        return (memory, total, level), (memory * q[:, :, None]).sum(1) / size[:, None]

    _, h, d = q.shape
    start = tn.zeros((h, d, v.shape[2])), tn.zeros((h, d)), tn.full((h,), -1e30)
    return tn.scan(cell, start, (q, k * d ** -0.5, v, i, f))[1]


def test_mlstm():
    def reference(q, k, v, i, f):
        steps, heads, depth = q.shape
        log_f = -np.log1p(np.exp(-f))
        rows = []
        for t in range(steps):  # weights of all steps before, without a running maximum
            weight = np.exp(i[:t + 1] + np.cumsum(log_f, 0)[t] - np.cumsum(log_f, 0)[:t + 1])
            score = np.einsum("hd,thd->th", q[t], k[:t + 1]) / np.sqrt(depth) * weight
            rows.append(np.einsum("th,the->he", score, v[:t + 1]) / np.maximum(np.abs(score.sum(0)), 1)[:, None])
        return np.stack(rows)

    check(mlstm, reference, draw(40, 3, 16), draw(40, 3, 16), draw(40, 3, 12), draw(40, 3), draw(40, 3) + 2, tolerance=5e-5)


@variant("LSTM", "Hochreiter and Schmidhuber 1997")
@tn.jit
def lstm(x, weight, recurrent, bias):  # x [T, B, I]; weight [4 H, I]; recurrent [4 H, H]; gates i, f, g, o
    def cell(state, gates):
        h, c = state
        i, f, g, o = tn.split(gates + tn.linear(h, recurrent), 4)
        c = tn.sigmoid(f) * c + tn.sigmoid(i) * tn.tanh(g)
        h = tn.sigmoid(o) * tn.tanh(c)
        return (h, c), h

    start = tn.zeros((x.shape[1], recurrent.shape[1]))
    return tn.scan(cell, (start, start), tn.linear(x, weight, bias))[1]


def test_lstm():
    def reference(x, weight, recurrent, bias):
        h = c = np.zeros((x.shape[1], recurrent.shape[1]))
        rows = []
        for row in x:
            i, f, g, o = np.split(row @ weight.T + bias + h @ recurrent.T, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            rows.append(h)
        return np.stack(rows)

    check(lstm, reference, draw(30, 2, 10), draw(4 * 17, 10), draw(4 * 17, 17) / 4, draw(4 * 17))


@variant("GRU", "Cho et al. 2014, arXiv:1406.1078")
@tn.jit
def gru(x, weight, recurrent, bias):  # x [T, B, I]; weight [3 H, I]; recurrent [3 H, H]; gates z, r, n
    def cell(h, gates):
        (z, r, n), (hz, hr, hn) = tn.split(gates, 3), tn.split(tn.linear(h, recurrent), 3)
        z, r = tn.sigmoid(z + hz), tn.sigmoid(r + hr)
        h = (1 - z) * tn.tanh(n + r * hn) + z * h
        return h, h

    return tn.scan(cell, tn.zeros((x.shape[1], recurrent.shape[1])), tn.linear(x, weight, bias))[1]


def test_gru():
    def reference(x, weight, recurrent, bias):
        h, rows = np.zeros((x.shape[1], recurrent.shape[1])), []
        for row in x:
            (z, r, n), (hz, hr, hn) = np.split(row @ weight.T + bias, 3, -1), np.split(h @ recurrent.T, 3, -1)
            z, r = sigmoid(z + hz), sigmoid(r + hr)
            h = (1 - z) * np.tanh(n + r * hn) + z * h
            rows.append(h)
        return np.stack(rows)

    check(gru, reference, draw(30, 2, 10), draw(3 * 17, 10), draw(3 * 17, 17) / 4, draw(3 * 17))


@variant("sLSTM: scalar memory with exponential gates", "xLSTM, arXiv:2405.04517")
@tn.jit
def slstm(x, weight, recurrent, bias):  # x [T, B, I]; weight [4 H, I]; recurrent [4 H, H]; gates i, f, z, o
    def cell(state, gates):
        h, c, n, highest = state
        i, f, z, o = tn.split(gates + tn.linear(h, recurrent), 4)
        stay = highest - tn.nn.softplus(-f)
        level = tn.maximum(stay, i)
        keep, add = tn.exp(stay - level), tn.exp(i - level)
        c, n = keep * c + add * tn.tanh(z), keep * n + add
        h = tn.sigmoid(o) * c / n
        return (h, c, n, level), h

    zero = tn.zeros((x.shape[1], recurrent.shape[1]))
    return tn.scan(cell, (zero, zero, zero, zero - 1e30), tn.linear(x, weight, bias))[1]


def test_slstm():
    def reference(x, weight, recurrent, bias):
        h = c = n = np.zeros((x.shape[1], recurrent.shape[1]))
        rows = []
        for row in x:
            i, f, z, o = np.split(row @ weight.T + bias + h @ recurrent.T, 4, -1)
            c, n = sigmoid(f) * c + np.exp(i) * np.tanh(z), sigmoid(f) * n + np.exp(i)
            h = sigmoid(o) * c / n
            rows.append(h)
        return np.stack(rows)

    check(slstm, reference, draw(30, 2, 10), draw(4 * 17, 10), draw(4 * 17, 17) / 4, draw(4 * 17))
