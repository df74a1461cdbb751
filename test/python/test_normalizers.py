"""Normalizers from Python: entmax, rules of one's own, regions on weights, log-sum-exps; and split keys on several threads."""
import re

import numpy as np
import pytest
import tenon as tn

pytestmark = pytest.mark.executes


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def scores(q, k):
    k = np.repeat(k, q.shape[1] // k.shape[1], 1).astype(np.float64)
    return q.astype(np.float64) @ k.swapaxes(2, 3) / np.sqrt(q.shape[3])


def softmax(s):
    powers = np.exp(s - s.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def entmax(s, alpha):
    z = (alpha - 1) * s
    low, high = z.max(-1, keepdims=True) - 1, z.max(-1, keepdims=True)
    for _ in range(80):
        middle = (low + high) / 2
        over = (np.maximum(z - middle, 0) ** (1 / (alpha - 1))).sum(-1, keepdims=True) > 1
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.maximum(z - low, 0) ** (1 / (alpha - 1))


@pytest.mark.parametrize("alpha", [1.1, 1.5, 1.75, 2])
@pytest.mark.parametrize("queries, keys", [(1, 300), (70, 65), (5, 1)])
def test_entmax(alpha, queries, keys):
    q, k, v = draw(2, 4, queries, 16) * 3, draw(2, 2, keys, 16), draw(2, 2, keys, 8)
    ours = tn.jit(lambda q, k, v: tn.attention(q, k, v, normalizer=tn.normalizers.entmax(alpha)))(q, k, v)
    right = entmax(scores(q, k), alpha) @ np.repeat(v, 2, 1)
    assert np.abs(ours - right).max() <= 3e-5
    # Weights sum to 1.
    ones = tn.jit(lambda q, k, v: tn.attention(q, k, v, normalizer=tn.normalizers.entmax(alpha)))(q, k, np.ones_like(v))
    assert np.abs(ones - 1).max() <= 2e-6


@pytest.mark.parametrize("queries, keys", [(1, 300), (70, 65), (5, 1)])
def test_a_rule_with_a_state_of_two(queries, keys):
    q, k, v = draw(2, 4, queries, 16), draw(2, 2, keys, 16), draw(2, 2, keys, 8)

    @tn.jit
    def ours(q, k, v):
        rule = tn.normalizer(init=(0.0, 0), update=lambda state, s: (state[0] + tn.absolute(s), tn.maximum(state[1], s)),
                             combine=lambda a, b: (a[0] + b[0], tn.maximum(a[1], b[1])), finish=lambda s, state: s / (state[0] + state[1]))
        return tn.attention(q, k, v, normalizer=rule)

    s = scores(q, k)
    right = s / (np.abs(s).sum(-1, keepdims=True) + np.maximum(s.max(-1, keepdims=True), 0)) @ np.repeat(v, 2, 1)
    assert np.abs(ours(q, k, v) - right).max() <= 2e-5


def test_probability_reads_arrays_and_indices():
    q, k, v, keep = draw(2, 4, 33, 16), draw(2, 2, 70, 16), draw(2, 2, 70, 8), (draw(2, 4, 33, 70) > 0).astype(np.float32)
    ours = tn.jit(lambda q, k, v, keep: tn.attention(q, k, v, probability=lambda p, b, h, i, j: p * keep[b, h, i, j] * (h + 1).astype("float32")))
    right = softmax(scores(q, k)) * keep * np.arange(1, 5)[:, None, None] @ np.repeat(v, 2, 1)
    assert np.abs(ours(q, k, v, keep) - right).max() <= 2e-5


def test_return_lse():
    q, k, v = draw(2, 4, 33, 16), draw(2, 2, 70, 16), draw(2, 2, 70, 8)
    result, lse = tn.jit(lambda q, k, v: tn.attention(q, k, v, return_lse=True))(q, k, v)
    s = scores(q, k)
    assert lse.shape == (2, 4, 33) and lse.dtype == np.float32
    assert np.abs(lse - np.log(np.exp(s).sum(-1))).max() <= 1e-5
    assert np.abs(result - softmax(s) @ np.repeat(v, 2, 1)).max() <= 1e-5


@pytest.mark.parametrize("heads, groups, queries, keys", [(8, 1, 1, 4096), (6, 3, 2, 3000), (2, 2, 64, 2100)])
@pytest.mark.parametrize("sink", [False, True])
def test_split_keys_are_the_same_on_any_number_of_threads(tmp_path, heads, groups, queries, keys, sink):
    q, k, v, z = draw(1, heads, queries, 32) * 2, draw(1, groups, keys, 32), draw(1, groups, keys, 16), draw(heads)
    types = [f"tensor<{'x'.join(map(str, x.shape))}xf32>" for x in (q, k, v, z)]
    out, sums = f"tensor<1x{heads}x{queries}x16xf32>", f"tensor<1x{heads}x{queries}xf32>"
    path = tmp_path / "split.mlir"
    path.write_text(f"""func.func @main(%q: {types[0]}, %k: {types[1]}, %v: {types[2]}, %z: {types[3]}) -> ({out}, {sums}) {{
  %e = tensor.empty() : {out}
  %l = tensor.empty() : {sums}
  %s = tenon.kv_source %k, %v mask(#tenon.causal) : {types[1]}, {types[2]}
  %r:2 = tenon.attention softmax %q sources(%s) {f"sink(%z : {types[3]})" if sink else ""} outs(%e : {out}) lse(%l : {sums}) : {types[0]} {{
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %a : f32
  }} -> {out}, {sums}
  return %r#0, %r#1 : {out}, {sums}
}}
""")
    runs = [tn.compile(path, threads=threads)(q, k, v, z) for threads in (1, 2, 2)]
    for other in runs[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(runs[0], other))
    s = scores(q, k) * np.sqrt(32)
    s = np.where(np.arange(keys) <= np.arange(queries)[:, None] + keys - queries, s, -np.inf)
    top = s.max(-1, keepdims=True)
    powers = np.exp(s - top)
    total = powers.sum(-1, keepdims=True) + (np.exp(z[:, None, None] - top) if sink else 0)
    assert np.abs(runs[0][0] - powers / total @ np.repeat(v, heads // groups, 1)).max() <= 2e-5
    assert np.abs(runs[0][1] - (np.log(total) + top)[..., 0]).max() <= 1e-4


ERRORS = {
    "alpha": (lambda x: tn.attention(x, x, x, normalizer=tn.normalizers.entmax(3)), "expected an alpha above 1 and at most 2 for entmax, but got 3"),
    "lse": (lambda x: tn.attention(x, x, x, normalizer=tn.normalizers.entmax(), return_lse=True),
            "in attention: only a softmax has a log-sum-exp, but the normalizer is entmax"),
    "init": (lambda x: tn.attention(x, x, x, normalizer=tn.normalizer("0", None, None, None)),
             "expected a number or a tuple of numbers as 'init' of a normalizer, but got '0'"),
    "function": (lambda x: tn.attention(x, x, x, normalizer=tn.normalizer(0, None, None, None)),
                 "expected a function as 'update' of a normalizer, but got None"),
    "state": (lambda x: tn.attention(x, x, x, normalizer=tn.normalizer((0, 0), lambda a, s: s, lambda a, b: a, lambda s, a: s)),
              "in a normalizer: expected 'update' to give 2 numbers, but got Scalar"),
    "reading": (lambda x: tn.attention(x, x, x, normalizer=tn.normalizer(0, lambda a, s: a + x[0, 0, 0, a], lambda a, b: a, lambda s, a: s)),
                "in a normalizer: arrays cannot be read here"),
    "probability": (lambda x: tn.attention(x, x, x, probability=lambda p, b, h, i, j: "p"),
                    "in attention: expected the probability to give a number, but got str"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_line(name):
    function, message = ERRORS[name]
    with pytest.raises(tn.InvalidArgument) as caught:
        tn.jit(function)(draw(1, 2, 5, 8))
    assert re.search(rf"test_normalizers\.py:\d+: .*{re.escape(message)}", str(caught.value)), caught.value
