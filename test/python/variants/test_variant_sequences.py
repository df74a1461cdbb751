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


@variant("Linear attention with a feature map", "Katharopoulos et al., arXiv:2006.16236")
@tn.jit
def feature_map_attention(q, k, v):  # [B, H, T, D]
    q, k = (tn.where(x > 0, x + 1, tn.exp(x)) for x in (q, k))
    ones = tn.ones(v.shape[:3] + (1,))  # their column is the sum of weights
    y, _ = tn.linear_attention(q, k, tn.concatenate([v, ones], -1), scale=1.0)
    return y[..., :-1] / y[..., -1:]


def test_feature_map_attention():
    def reference(q, k, v):
        q, k = (np.where(x > 0, x + 1, np.exp(x)) for x in (q, k))
        weights = np.tril(q @ k.swapaxes(-1, -2))
        return weights / weights.sum(-1, keepdims=True) @ v

    check(feature_map_attention, reference, draw(2, 3, 70, 16), draw(2, 3, 70, 16), draw(2, 3, 70, 20))


def steps(q, k, v, keep, beta=None):
    """Linear attention one token after the other; keep [B, H, T, 1] or [B, H, T, K] is what stays of the state."""
    state, rows = np.zeros(k.shape[:2] + (k.shape[3], v.shape[3])), []
    for t in range(q.shape[2]):
        state = state * keep[:, :, t, :, None]
        write = v[:, :, t]
        if beta is not None:
            write = beta[:, :, t, None] * (write - np.einsum("bhd,bhde->bhe", k[:, :, t], state))
        state = state + k[:, :, t, :, None] * write[:, :, None, :]
        rows.append(np.einsum("bhd,bhde->bhe", q[:, :, t], state) / np.sqrt(q.shape[-1]))
    return np.stack(rows, 2)


@variant("Gated linear attention", "GLA, arXiv:2312.06635")
@tn.jit
def gated_linear_attention(q, k, v, gate):  # gate [B, H, T, D]: a forget gate per key
    return tn.linear_attention(q, k, v, decay=-tn.nn.softplus(-gate) / 16)[0]


def test_gated_linear_attention():
    check(gated_linear_attention, lambda q, k, v, gate: steps(q, k, v, sigmoid(gate)**(1 / 16)),
          draw(1, 2, 90, 16), draw(1, 2, 90, 16), draw(1, 2, 90, 24), draw(1, 2, 90, 16))


@variant("Gated DeltaNet", "Yang et al., arXiv:2412.06464")
@tn.jit
def gated_delta_net(q, k, v, a, b, rate, bias):  # a, b [B, H, T]; rate, bias [H]
    decay = -tn.exp(rate)[:, None] * tn.nn.softplus(a + bias[:, None])
    return tn.linear_attention(tn.nn.l2_norm(q), tn.nn.l2_norm(k), v, decay=decay, beta=tn.sigmoid(b))[0]


def test_gated_delta_net():
    def reference(q, k, v, a, b, rate, bias):
        q, k = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (q, k))
        keep = np.exp(-np.exp(rate)[:, None] * np.log1p(np.exp(a + bias[:, None])))
        return steps(q, k, v, keep[..., None], sigmoid(b))

    check(gated_delta_net, reference, draw(1, 4, 90, 16), draw(1, 4, 90, 16), draw(1, 4, 90, 24), draw(1, 4, 90), draw(1, 4, 90),
          draw(4), draw(4))


@variant("mLSTM: a matrix memory with exponential gates", "xLSTM, arXiv:2405.04517")
@tn.jit
def mlstm(q, k, v, i, f):  # q, k, v [B, H, T, D]; i, f [B, H, T]: logarithms of the input gate, arguments of the forget gate
    def level(gates, highest):  # the logarithm of the scale that keeps the memory finite
        forget, i = gates
        now = tn.maximum(forget + highest, i)
        return (forget + highest - now, i - now, now), now

    forget = -tn.nn.softplus(-f)
    gates, _ = tn.recurrence(level, (forget.transpose(2, 0, 1), i.transpose(2, 0, 1)), tn.full(f.shape[:2], -1e30))
    decay, write, highest = (x.transpose(1, 2, 0) for x in gates)
    values = tn.concatenate([v, tn.ones(v.shape[:3] + (1,))], -1) * tn.exp(write)[..., None]
    y, _ = tn.linear_attention(q, k, values, decay=decay)
    return y[..., :-1] / tn.maximum(tn.absolute(y[..., -1:]), tn.exp(-highest)[..., None])


def test_mlstm():
    def reference(q, k, v, i, f):  # weights of all steps before, without a running maximum
        total = np.cumsum(-np.log1p(np.exp(-f)), -1)
        weights = np.tril(np.exp(i[..., None, :] + total[..., None] - total[..., None, :]))
        score = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) * weights
        return score @ v / np.maximum(np.abs(score.sum(-1, keepdims=True)), 1)

    check(mlstm, reference, draw(2, 3, 40, 16), draw(2, 3, 40, 16), draw(2, 3, 40, 12), draw(2, 3, 40), draw(2, 3, 40) + 2,
          tolerance=5e-5)


@variant("LSTM", "Hochreiter and Schmidhuber 1997")
@tn.jit
def lstm(x, weight, recurrent, bias):  # x [T, B, I]; weight [4 H, I]; recurrent [4 H, H]; gates i, f, g, o
    def cell(gates, state):
        h, c = state
        i, f, g, o = tn.split(gates + tn.linear(h, recurrent), 4)
        c = tn.sigmoid(f) * c + tn.sigmoid(i) * tn.tanh(g)
        h = tn.sigmoid(o) * tn.tanh(c)
        return h, (h, c)

    start = tn.zeros((x.shape[1], recurrent.shape[1]))
    return tn.recurrence(cell, tn.linear(x, weight, bias), (start, start))[0]


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
    def cell(gates, h):
        (z, r, n), (hz, hr, hn) = tn.split(gates, 3), tn.split(tn.linear(h, recurrent), 3)
        z, r = tn.sigmoid(z + hz), tn.sigmoid(r + hr)
        h = (1 - z) * tn.tanh(n + r * hn) + z * h
        return h, h

    return tn.recurrence(cell, tn.linear(x, weight, bias), tn.zeros((x.shape[1], recurrent.shape[1])))[0]


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
    def cell(gates, state):
        h, c, n, highest = state
        i, f, z, o = tn.split(gates + tn.linear(h, recurrent), 4)
        stay = highest - tn.nn.softplus(-f)
        level = tn.maximum(stay, i)
        keep, add = tn.exp(stay - level), tn.exp(i - level)
        c, n = keep * c + add * tn.tanh(z), keep * n + add
        h = tn.sigmoid(o) * c / n
        return h, (h, c, n, level)

    zero = tn.zeros((x.shape[1], recurrent.shape[1]))
    return tn.recurrence(cell, tn.linear(x, weight, bias), (zero, zero, zero, zero - 1e30))[0]


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
