"""Attention that a graph spells out becomes one kernel, with the same results; what only looks like it stays."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import tenon as tn

pytestmark = pytest.mark.executes
rng = np.random.default_rng(0)


def reference(q, k, v, scale, bias=0.0):
    s = q.astype(np.float64) @ k.astype(np.float64).swapaxes(-1, -2) * scale + bias
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p @ v, p


def model(nodes, inputs, outputs, constants=()):
    infos = [helper.make_tensor_value_info(name, TensorProto.BOOL if dtype == bool else TensorProto.FLOAT, shape)
             for name, shape, dtype in inputs]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs]
    weights = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    graph = helper.make_graph([helper.make_node(op, ins, [out], **attributes) for op, ins, out, attributes in nodes], "g", infos, results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def attentions(compiled):
    return sum(kernel["algorithm"] == "attention" for kernel in compiled.explain()["kernels"])


def spell(mask=None, transposed=True, scale_queries=False, dims=4):
    """Nodes of attention over q, k, v [B, H, S, D] ([B, S, D] for 3 dims)."""
    order = [0, 1, 3, 2] if dims == 4 else [0, 2, 1]
    nodes = [("Mul", ["q", "c"], "q1", {})] if scale_queries else []
    nodes += [("Transpose", ["k"], "kt", {"perm": order})] if transposed else []
    nodes.append(("MatMul", ["q1" if scale_queries else "q", "kt" if transposed else "k"], "s0", {}))
    nodes += [] if scale_queries else [("Mul", ["s0", "c"], "s1", {})]
    scores = "s0" if scale_queries else "s1"
    if mask == "add":
        nodes.append(("Add", [scores, "mask"], "s2", {}))
        scores = "s2"
    if mask == "where":
        nodes.append(("Where", ["mask", scores, "low"], "s2", {}))
        scores = "s2"
    return nodes + [("Softmax", [scores], "p", {"axis": -1}), ("MatMul", ["p", "v"], "y", {})]


@pytest.mark.parametrize("mask", [None, "add", "where"])
@pytest.mark.parametrize("scale_queries", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 37, 41, 16), (1, 4, 65, 65, 32), (3, None, 20, 33, 8), (1, 1, 7, 300, 24)])
@pytest.mark.parametrize("form", ["static", "open"])
def test_spelled_out(mask, scale_queries, shape, form):
    b, h, s, t, d = shape
    lead = (b,) if h is None else (b, h)
    names = ["b", "s", "t"] if h is None else ["b", h, "s", "t"]
    q, k, v = (rng.standard_normal((*lead, n, d)).astype(np.float32) for n in (s, t, t))
    dims = lambda n: [*lead, n, d] if form == "static" else [*names[:len(lead)], "s" if n == s and n != t else "t", d]  # noqa: E731
    inputs = [("q", [*dims(s)[:-2], s if form == "static" else "s", d], np.float32), ("k", dims(t), np.float32), ("v", dims(t), np.float32)]
    arrays, bias, constants = [q, k, v], 0.0, [("c", np.float32(0.25)), ("low", np.float32(-1e9))]
    if mask:
        whole = rng.standard_normal((b, 1, 1, t) if h is not None else (b, 1, t)) > -0.5
        whole[..., 0] = True
        arrays.append(whole if mask == "where" else np.where(whole, 0, -1e9).astype(np.float32))
        bias = np.where(whole, 0, -1e9)
        inputs.append(("mask", list(whole.shape) if form == "static" else ["b", *whole.shape[1:-1], "t"], bool if mask == "where" else np.float32))
    nodes = spell(mask, scale_queries=scale_queries, dims=3 if h is None else 4)
    compiled = tn.compile(model(nodes, inputs, [("y", [None] * (len(lead) + 2))], constants))
    expected, _ = reference(q, k, v, 0.25, bias)
    np.testing.assert_allclose(compiled(*arrays), expected, rtol=2e-5, atol=2e-5)
    assert attentions(compiled) == 1


def test_heads_from_one_tensor():
    """Reshapes and transposes around it, as exporters write them."""
    b, s, h, d = 2, 50, 4, 16
    x = rng.standard_normal((b, s, h * d)).astype(np.float32)
    shape = ("shape", np.array([b, s, h, d], np.int64))
    nodes = []
    for name in "qkv":
        nodes += [("MatMul", ["x", f"w{name}"], f"{name}0", {}), ("Reshape", [f"{name}0", "shape"], f"{name}1", {}),
                  ("Transpose", [f"{name}1"], name, {"perm": [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]})]
    nodes += spell(transposed=False)[:-1] + [("MatMul", ["p", "v"], "y0", {}), ("Transpose", ["y0"], "y1", {"perm": [0, 2, 1, 3]}),
                                             ("Reshape", ["y1", "flat"], "y", {})]
    weights = {f"w{name}": rng.standard_normal((h * d, h * d)).astype(np.float32) / 8 for name in "qkv"}
    compiled = tn.compile(model(nodes, [("x", [b, s, h * d], np.float32)], [("y", [b, s, h * d])],
                                [shape, ("flat", np.array([b, s, h * d], np.int64)), ("c", np.float32(0.25)), *weights.items()]))
    q, k, v = ((x.astype(np.float64) @ weights[f"w{name}"]).reshape(b, s, h, d).transpose(0, 2, 1, 3) for name in "qkv")
    expected, _ = reference(q, k, v, 0.25)
    np.testing.assert_allclose(compiled(x), expected.transpose(0, 2, 1, 3).reshape(b, s, h * d), rtol=5e-5, atol=5e-5)
    assert attentions(compiled) == 1


def test_weights_that_others_read_stay():
    q, k, v = (rng.standard_normal((2, 3, 20, 8)).astype(np.float32) for _ in range(3))
    inputs = [(name, [2, 3, 20, 8], np.float32) for name in "qkv"]
    compiled = tn.compile(model(spell(), inputs, [("y", [2, 3, 20, 8]), ("p", [2, 3, 20, 20])], [("c", np.float32(0.25))]))
    y, p = compiled(q, k, v)
    expected, weights = reference(q, k, v, 0.25)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(p, weights, rtol=2e-5, atol=2e-5)
    assert attentions(compiled) == 0


def test_softmax_over_queries_stays():
    q, k, v = (rng.standard_normal((2, 3, 20, 8)).astype(np.float32) for _ in range(3))
    nodes = [(op, ins, out, {"axis": 2} if op == "Softmax" else attributes) for op, ins, out, attributes in spell()]
    compiled = tn.compile(model(nodes, [(name, [2, 3, 20, 8], np.float32) for name in "qkv"], [("y", [2, 3, 20, 8])], [("c", np.float32(0.25))]))
    s = q.astype(np.float64) @ k.swapaxes(-1, -2) * 0.25
    p = np.exp(s - s.max(2, keepdims=True))
    np.testing.assert_allclose(compiled(q, k, v), p / p.sum(2, keepdims=True) @ v, rtol=2e-5, atol=2e-5)
    assert attentions(compiled) == 0


def test_traced_functions_too():
    q, k, v = (rng.standard_normal((1, 4, 33, 16)).astype(np.float32) for _ in range(3))

    @tn.jit
    def f(q, k, v):
        s = 30.0 * tn.tanh(tn.einsum("bhid,bhjd->bhij", q, k) * 0.25 / 30.0)
        s = tn.where(tn.arange(33)[:, None] >= tn.arange(33), s, -1e30)
        return tn.einsum("bhij,bhjd->bhid", tn.nn.softmax(s), v)

    s = 30 * np.tanh(q.astype(np.float64) @ k.swapaxes(-1, -2) * 0.25 / 30)
    s = np.where(np.tri(33) > 0, s, -1e30)
    p = np.exp(s - s.max(-1, keepdims=True))
    np.testing.assert_allclose(f(q, k, v), p / p.sum(-1, keepdims=True) @ v, rtol=2e-5, atol=2e-5)
    assert attentions(f.compile(q, k, v)) == 1


@pytest.mark.parametrize("past", [0, 13])
def test_onnx_attention_keeps_its_mask(past):
    """Causal and window of the operator are masks of the kernel, so that tiles they hide are not visited."""
    q = rng.standard_normal((2, 6, 40, 16)).astype(np.float32)
    k, v = (rng.standard_normal((2, 2, 40, 16)).astype(np.float32) for _ in range(2))
    old = [rng.standard_normal((2, 2, past, 16)).astype(np.float32) for _ in range(2)] if past else []
    names = ["q", "k", "v"] + (["", "pk", "pv"] if past else [])
    node = helper.make_node("Attention", names, ["y"] + (["nk", "nv"] if past else []), is_causal=1, softcap=20.0)
    inputs = [(n, list(a.shape)) for n, a in zip([n for n in names if n], [q, k, v, *old])]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 6, 40, 16])])
    compiled = tn.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10))
    keys, values = (np.concatenate([o, x], 2).repeat(3, 1).astype(np.float64) for o, x in zip(old or [k[:, :, :0], v[:, :, :0]], (k, v)))
    s = 20 * np.tanh(q.astype(np.float64) @ keys.swapaxes(-1, -2) / 4 / 20)
    s = np.where(np.arange(40 + past) <= np.arange(40)[:, None] + past, s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    np.testing.assert_allclose(compiled(q, k, v, *old), p / p.sum(-1, keepdims=True) @ values, rtol=2e-5, atol=2e-5)
    assert attentions(compiled) == 1
