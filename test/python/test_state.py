"""States along a sequence from Python: linear attention in every rule, cells as functions, messages."""
import numpy as np
import pytest

import tenon as tn

rng = np.random.default_rng(0)
pytestmark = pytest.mark.executes


def draw(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def close(got, expected, tolerance=2e-5):
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def attend(q, k, v, decay=None, beta=None, state=None, scale=1.0):
    """Step by step in float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    s = np.zeros(k.shape[:2] + (k.shape[3], v.shape[3])) if state is None else np.asarray(state, np.float64)
    y = np.zeros(q.shape[:3] + v.shape[3:])
    for t in range(q.shape[2]):
        if decay is not None:
            s = s * np.exp(np.float64(decay[:, :, t] if decay.ndim == 4 else decay[:, :, t, None]))[..., None]
        w = v[:, :, t]
        if beta is not None:
            w = beta[:, :, t, None] * (w - np.einsum("bhde,bhd->bhe", s, k[:, :, t]))
        s = s + k[:, :, t, :, None] * w[:, :, None, :]
        y[:, :, t] = scale * np.einsum("bhd,bhde->bhe", q[:, :, t], np.repeat(s, q.shape[1] // k.shape[1], 1))
    return y, s


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
@pytest.mark.parametrize("chunk", [1, 16])
def test_rules_and_hand_over(rule, chunk):
    """The state of the first call starts the second one; any number of tokens runs in one compiled function."""
    q, k, v = draw(2, 4, 45, 8), draw(2, 2, 45, 8), draw(2, 2, 45, 6)
    k /= np.linalg.norm(k, axis=-1, keepdims=True)
    decay = -np.abs(draw(2, 2, 45)) if "gated" in rule else None
    beta = sigmoid(draw(2, 2, 45)) if "delta" in rule else None

    def run(q, k, v, state, decay=None, beta=None):
        return tn.linear_attention(q, k, v, decay=decay, beta=beta, state=state, chunk=chunk)

    f = tn.jit(run, dims={name: (2, 4 if name == "q" else 2, "t") + {"q": (8,), "k": (8,), "v": (6,)}.get(name, ())
                          for name in ("q", "k", "v", "decay", "beta")})
    expected, final = attend(q, k, v, decay, beta, scale=8**-0.5)
    state, parts = np.zeros((2, 2, 8, 6), np.float32), []
    for low, high in ((0, 40), (40, 41), (41, 45)):
        gates = {name: x[:, :, low:high] for name, x in (("decay", decay), ("beta", beta)) if x is not None}
        y, state = f(q[:, :, low:high], k[:, :, low:high], v[:, :, low:high], state, **gates)
        parts.append(y)
    close(np.concatenate(parts, 2), expected)
    close(state, final)
    assert len(f._models) == 1


def test_onnx_with_open_dims():
    """One compiled model serves prefill and decoding: any batch, any number of tokens, states handed on."""
    from onnx import TensorProto, helper

    def port(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [helper.make_node("CausalConvWithState", ["x", "w", "", "tail"], ["mixed", "tail_out"], activation="silu"),
         helper.make_node("Transpose", ["mixed"], ["k"], perm=[0, 2, 1]),
         helper.make_node("LinearAttention", ["q", "k", "k", "past", "g", "b"], ["y", "present"], kv_num_heads=2, q_num_heads=4)],
        "g", [port("x", "B", 12, "T"), port("w", 12, 1, 4), port("tail", "B", 12, 3), port("q", "B", "T", 24),
              port("past", "B", 2, 6, 6), port("g", "B", "T", 2), port("b", "B", "T", 1)],
        [port("y", "B", "T", 24), port("present", "B", 2, 6, 6), port("tail_out", "B", 12, 3)])
    model = tn.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 27)], ir_version=10), threads=2)
    batch, tokens = 2, 70
    x, w, tail, past = draw(batch, 12, tokens), draw(12, 1, 4) / 4, draw(batch, 12, 3), draw(batch, 2, 6, 6)
    q, g, b = draw(batch, tokens, 24), -np.abs(draw(batch, tokens, 2)), sigmoid(draw(batch, tokens, 1))
    padded = np.concatenate([tail, x], 2).astype(np.float64)
    mixed = sum(w[:, 0, tap, None] * padded[:, :, tap:tap + tokens] for tap in range(4))
    k = (mixed * sigmoid(mixed)).reshape(batch, 2, 6, tokens).swapaxes(2, 3)
    expected, final = attend(q.reshape(batch, tokens, 4, 6).swapaxes(1, 2), k, k, g.swapaxes(1, 2), np.repeat(b, 2, 2).swapaxes(1, 2),
                             past, 6**-0.5)
    parts = []
    for low, high in ((0, 66), (66, 67), (67, 70)):
        part = slice(low, high)
        got = model.run({"x": x[:, :, part], "w": w, "tail": tail, "q": q[:, part], "past": past, "g": g[:, part], "b": b[:, part]})
        past, tail = got["present"], got["tail_out"]
        parts.append(got["y"])
    close(np.concatenate(parts, 1), expected.swapaxes(1, 2).reshape(batch, tokens, 24), 5e-5)
    close(past, final, 5e-5)
    np.testing.assert_array_equal(tail, padded[:, :, -3:])


def test_cells():
    """LSTM with lengths, GRU backwards, sLSTM with stabilised gates; weights are captured."""
    t, b, h = 11, 3, 8
    x, w, u = draw(t, b, 5), draw(5, 4 * h) / 3, draw(h, 4 * h) / 3
    zero, lengths = np.zeros((b, h), np.float32), np.array([11, 4, 0], np.int32)

    @tn.jit
    def f(x, zero, lengths):
        def lstm(xt, state):
            i, f, g, o = tn.split(xt + state[0] @ u, 4)
            c = tn.sigmoid(f) * state[1] + tn.sigmoid(i) * tn.tanh(g)
            y = tn.sigmoid(o) * tn.tanh(c)
            return y, (y, c)

        def gru(xt, state):
            z, r, g = tn.split(xt[:, :3 * h], 3)
            p, s, k = tn.split(state @ u[:, :3 * h], 3)
            z = tn.sigmoid(z + p)
            y = (1 - z) * tn.tanh(g + tn.sigmoid(r + s) * k) + z * state
            return {"y": y}, y

        def slstm(xt, state):
            hidden, c, n, m = state
            i, f, z, o = tn.split(xt + hidden @ u, 4)
            top = tn.maximum(f + m, i)
            i, f = tn.exp(i - top), tn.exp(f + m - top)
            c, n = f * c + i * tn.tanh(z), f * n + i
            y = tn.sigmoid(o) * c / n
            return y, (y, c, n, top)

        inputs = tn.linear(x, w.T)
        return (tn.recurrence(lstm, inputs, (zero, zero), lengths=lengths), tn.recurrence(gru, inputs, zero, reverse=True),
                tn.recurrence(slstm, inputs, (zero, zero, zero, zero)))

    (ys, (hidden, cell)), (back, first), (zs, last) = f(x, zero, lengths)
    inputs = np.float64(x) @ w
    s, c, expected = np.zeros((b, h)), np.zeros((b, h)), np.zeros((t, b, h))
    for step in range(t):
        i, g, n, o = np.split(inputs[step] + s @ u, 4, 1)
        now = sigmoid(g) * c + sigmoid(i) * np.tanh(n)
        y = sigmoid(o) * np.tanh(now)
        live = (step < lengths)[:, None]
        s, c, expected[step] = np.where(live, y, s), np.where(live, now, c), np.where(live, y, 0)
    close(ys, expected)
    close(hidden, s)
    close(cell, c)
    s, expected = np.zeros((b, h)), np.zeros((t, b, h))
    for step in reversed(range(t)):
        (z, r, g), (p, q, k) = np.split(inputs[step, :, :3 * h], 3, 1), np.split(s @ u[:, :3 * h], 3, 1)
        z = sigmoid(z + p)
        s = expected[step] = (1 - z) * np.tanh(g + sigmoid(r + q) * k) + z * s
    close(back["y"], expected)
    close(first, s)
    s, c, n, m, expected = *(np.zeros((b, h)) for _ in range(4)), np.zeros((t, b, h))
    for step in range(t):
        i, g, z, o = np.split(inputs[step] + s @ u, 4, 1)
        top = np.maximum(g + m, i)
        i, g = np.exp(i - top), np.exp(g + m - top)
        c, n, m = g * c + i * np.tanh(z), g * n + i, top
        s = expected[step] = sigmoid(o) * c / n
    close(zs, expected)
    close(last[3], m)


@pytest.mark.parametrize("call, message", [
    (lambda x, g: tn.linear_attention(x, x, x, rule="fast"), "expected rule to be one of linear, gated, delta, gated_delta, but got 'fast'"),
    (lambda x, g: tn.linear_attention(x, x, x, rule="gated"), "expected a decay with the rule gated"),
    (lambda x, g: tn.linear_attention(x, x, x, rule="linear", decay=g), "expected no decay with the rule linear"),
    (lambda x, g: tn.linear_attention(x[0], x, x), r"expected q of floats with 4 dims, but got float32\[2, 5, 4\]"),
    (lambda x, g: tn.linear_attention(x[:, :1], x, x), "the 2 heads of k .* do not divide the 1 of q"),
    (lambda x, g: tn.linear_attention(x, x[:, :, 1:], x), r"expected k \[1, 2, 5, 4\], but got float32\[1, 2, 4, 4\]"),
    (lambda x, g: tn.linear_attention(x, x, x, beta=g[:, :, 1:]), r"expected beta \[1, 2, 5\], but got float32\[1, 2, 4\]"),
    (lambda x, g: tn.linear_attention(x, x, x, state=x), r"expected state \[1, 2, 4, 4\], but got float32\[1, 2, 5, 4\]"),
    (lambda x, g: tn.linear_attention(x, x, x, chunk=0), "expected chunk of at least 1, but got 0"),
    (lambda x, g: tn.recurrence(lambda x, s: (s, s), (), g), "expected at least one input"),
    (lambda x, g: tn.recurrence(lambda x, s: s, x, g), r"expected the cell to give a pair \(y, states\)"),
    (lambda x, g: tn.recurrence(lambda x, s: (s, s[0]), x, g), r"the states and what the cell makes of them differ: array 0 is float32\[1, 2, 5\] and float32\[2, 5\]"),
    (lambda x, g: tn.recurrence(lambda x, s: (s, s), (x, x[0]), g), "inputs of 1 and 2 steps"),
    (lambda x, g: tn.recurrence(lambda x, s: (s, s), x, g, lengths=g), "expected lengths of integers with one dim"),
    (lambda x, g: tn.recurrence(lambda x, s: (s, s), x, g, lengths=np.array([1, 2])), "2 lengths for states and outputs of 1 entries"),
])
def test_messages(call, message):
    with pytest.raises(tn.InvalidArgument, match=message) as info:
        tn.jit(call)(draw(1, 2, 5, 4), draw(1, 2, 5))
    assert "test_state.py:" in str(info.value)
