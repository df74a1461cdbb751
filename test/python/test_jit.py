"""Traced functions against NumPy: operators, movement, regions, control flow, open dims, constants."""
import numpy as np
import pytest

import tenon as tn

rng = np.random.default_rng(0)


def draw(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def close(got, expected, tolerance=1e-5):
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def test_movement_and_reductions():
    x = draw(3, 4)

    @tn.jit
    def f(x, at):
        return {
            "take": x[at], "flip": x[::-1], "pad": tn.pad(x, [(1, 2), (0, 3)], 1.5), "join": tn.concatenate([x, x], 1),
            "set": x.at[1:3, 0].set(7.0), "argmax": x.argmax(1), "split": tn.split(x, 2, 1)[1], "sort": tn.sort(x, 0)[0],
            "T": x.T, "where": tn.where(x > 0, x, 0.0), "tril": tn.tril(x), "repeat": tn.repeat(x, 2, 1),
            "einsum": tn.einsum("ij,kj->ik", x, x), "mean": x.mean(), "count": (x > 0).sum(), "row": x[1], "step": x[:, ::3],
            "reshape": x.reshape(2, -1, 3), "new": x[:, None], "stack": tn.stack([x, x], 1), "floor": x // 0.3, "rest": x % 0.3}

    got = f(x, np.array([2, 0, -1]))
    expected = {
        "take": x[[2, 0, -1]], "flip": x[::-1], "pad": np.pad(x, [(1, 2), (0, 3)], constant_values=1.5),
        "join": np.concatenate([x, x], 1), "set": x.copy(), "argmax": x.argmax(1), "split": x[:, 2:], "sort": np.sort(x, 0),
        "T": x.T, "where": np.maximum(x, 0), "tril": np.tril(x), "repeat": np.repeat(x, 2, 1), "einsum": x @ x.T,
        "mean": x.mean(), "count": (x > 0).sum(), "row": x[1], "step": x[:, ::3], "reshape": x.reshape(2, 2, 3),
        "new": x[:, None], "stack": np.stack([x, x], 1), "floor": x // np.float32(0.3), "rest": x % np.float32(0.3)}
    expected["set"][1:3, 0] = 7
    assert list(got) == list(expected)
    for name in expected:
        close(got[name], expected[name])


@pytest.mark.parametrize("name", ["exp", "log1p", "tanh", "sqrt", "sigmoid", "erf", "sin", "absolute", "negative", "sign"])
def test_functions(name):
    x = np.abs(draw(5, 7)) + np.float32(0.1)
    reference = {"sigmoid": lambda v: 1 / (1 + np.exp(-v)), "erf": np.vectorize(__import__("math").erf)}.get(name) or getattr(np, name)
    close(tn.jit(lambda x: getattr(tn, name)(x))(x), reference(x.astype(np.float64)).astype(np.float32))


def test_integers_and_casts():
    x, y = rng.integers(-9, 9, (4, 5)), rng.integers(1, 5, (4, 5)) * rng.choice([-1, 1], (4, 5))
    f = tn.jit(lambda x, y, z: (x // y, x % y, x & y, ~x, z.astype("int8"), z.astype("uint8"), x.astype("float32") / 2))
    z = np.array([300.0, -300.0, np.nan, 2.7, -2.7], np.float32)
    got = f(x, y, z)
    for a, b in zip(got[:4], (x // y, x % y, x & y, ~x)):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(got[4], [127, -128, 0, 2, -2])
    np.testing.assert_array_equal(got[5], [255, 0, 0, 2, 0])
    close(got[6], (x / 2).astype(np.float32))


def test_score_region_reads_arrays():
    bias, q, k, v = draw(4, 33, 50), draw(2, 4, 33, 16), draw(2, 2, 50, 16), draw(2, 2, 50, 8)

    @tn.jit
    def attend(q, k, v):
        return tn.attention(q, k, v, score=lambda s, b, h, i, j: tn.tanh(s * 0.1 + tn.asarray(bias)[h, i, j]) * 10,
                            mask=tn.masks.causal() & tn.masks.window(20))

    s = np.tanh(np.einsum("bhqd,bhkd->bhqk", q, np.repeat(k, 2, 1)) * 0.1 + bias) * 10
    i, j = np.arange(33)[:, None] + 17, np.arange(50)[None]
    s = np.where((j <= i) & (j >= i - 20), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    close(attend(q, k, v), np.einsum("bhqk,bhkd->bhqd", p / p.sum(-1, keepdims=True), np.repeat(v, 2, 1)))


def test_control_flow():
    x = draw(3, 4)

    @tn.jit
    def f(x, n):
        for_ = tn.fori_loop(0, n, lambda i, s: s * 0.5 + x * i.astype("float32"), x)
        while_ = tn.while_loop(lambda a, c: c < 5, lambda a, c: (a + 1.0, c + 1), (x, tn.full((), 0, "int64")))
        scan = tn.scan(lambda c, row: (c + row, c * row), tn.zeros((4,)), x)
        back = tn.scan(lambda c, row: (c * 0.5 + row, c), tn.zeros((4,)), x, reverse=True)
        return for_, while_, scan, back, tn.cond(x.sum() > 0, lambda a: a * 2, lambda a: a - 1, x)

    for_, (summed, count), (total, products), (state, states), branch = f(x, np.array(3))
    expected = x
    for i in range(3):
        expected = expected * 0.5 + x * i
    close(for_, expected)
    close(summed, x + 5)
    assert count == 5
    close(total, x.sum(0))
    close(products, np.stack([x[0] * 0, x[0] * x[1], (x[0] + x[1]) * x[2]]))
    close(states, np.stack([x[1] + 0.5 * x[2], x[2], x[2] * 0]))
    close(state, x[0] + 0.5 * x[1] + 0.25 * x[2])
    close(branch, x * 2 if x.sum() > 0 else x - 1)


def test_scan_reads_constants():
    """Arrays that the body captures are constants of the function, though the body is traced twice."""
    x, weight = draw(4, 1, 20), draw(20, 20) / 5
    got = tn.jit(lambda x: tn.scan(lambda c, row: (c @ weight + row, c), np.zeros((1, 20), np.float32), x)[0])(x)
    expected = np.zeros((1, 20))
    for row in x:
        expected = expected @ weight + row
    close(got, expected, 1e-4)


def test_open_dims_are_compiled_once():
    weight = draw(64, 128)
    f = tn.jit(lambda x, y: (tn.linear(x, weight), x * y, tn.concatenate([x, y], 0).sum(0), x.reshape(-1, 2, 64).mean(0), x[1:]),
               dims={"x": ("n", 128), "y": ("n", 128)})
    for n in (1, 5, 200):
        x, y = draw(n, 128), draw(n, 128)
        got = f(x, y)
        for a, b in zip(got, (x @ weight.T, x * y, x.sum(0) + y.sum(0), x.reshape(-1, 2, 64).mean(0), x[1:])):
            close(a, b, 1e-4)
    assert len(f._models) == 1
    with pytest.raises(tn.InvalidArgument, match=r"n = 3"):
        f(draw(3, 128), draw(4, 128))


def test_nested_arguments_and_constants():
    @tn.jit
    def f(params, x, flag=True):
        y = x @ params["w"] + params["layers"][0]
        return {"y": y, "pair": (y, -y)} if flag else [y]

    params = {"w": draw(4, 3), "layers": [draw(3)]}
    x = draw(2, 4)
    got = f(params, x)
    close(got["pair"][1], -(x @ params["w"] + params["layers"][0]))
    assert isinstance(f(params, x, flag=False), list)


def test_arrays_in_files_stay_there(tmp_path):
    data = draw(100, 40)
    path = tmp_path / "weights.bin"
    path.write_bytes(b"head" * 4 + data.tobytes())
    mapped = np.memmap(path, np.float32, "r", offset=16, shape=(100, 40))
    f = tn.jit(lambda x: tn.linear(x, mapped[10:50]))
    x = draw(3, 40)
    assert f'from "{path}" at {16 + 10 * 160} length {40 * 160}' in f.lower(x)
    close(f(x), x @ data[10:50].T, 1e-4)


def test_compiles_ahead_of_time(tmp_path):
    f = tn.jit(lambda x: tn.nn.softmax(x * 2))
    f.compile(tn.spec(("n", 8)), output=tmp_path / "f.so")
    x = draw(6, 8)
    close(tn.load(tmp_path / "f.so")(x), f(x))


def test_function_calls_function():
    inner = tn.jit(lambda x: x + 1)
    x = draw(4)
    close(tn.jit(lambda x: inner(x) * 2)(x), (x + 1) * 2)


def test_donated_arguments_are_updated_in_place():
    f = tn.jit(lambda cache, row, at: (cache.at[tn.ds(at, 1)].set(row[None]), cache.sum()), donate="cache")
    cache = draw(50, 4)
    before, row = cache.copy(), draw(4)
    updated, total = f(cache, row, np.array(7))
    assert updated is cache
    before_total = before.sum()
    before[7] = row
    np.testing.assert_array_equal(cache, before)
    close(total, before_total, 1e-4)
    with pytest.raises(tn.DataError, match="test_jit.py:.*1 elements from"):
        f(cache, row, np.array(50))
    with pytest.raises(tn.InvalidArgument, match="updated in place"):
        f(np.asfortranarray(cache), row, np.array(0))
    with pytest.raises(tn.InvalidArgument, match="no result can take the memory"):
        tn.jit(lambda x: x.sum(), donate="x")(cache)


@pytest.mark.parametrize("kind", ("int4", "uint4"))
def test_captured_codes_are_packed(kind):
    """ml_dtypes keeps a byte an element; the weight has two elements a byte, an odd number of them too."""
    import ml_dtypes

    low, high = (0, 16) if kind == "uint4" else (-8, 8)
    codes = rng.integers(low, high, (33, 35)).astype(getattr(ml_dtypes, kind))
    scales = np.abs(draw(3, 35)) + 0.1
    fmt = tn.format(kind, group=16, scale="float32")

    @tn.jit
    def f(x):
        return x @ tn.dequantize(codes, fmt, scales=scales, axis=0), tn.dequantize(codes, fmt, scales=scales, axis=0)

    weight = codes.astype(np.float32) * np.repeat(scales, 16, 0)[:33]
    x = draw(5, 33)
    product, alone = f(x)
    close(product, x @ weight, 1e-4)
    np.testing.assert_array_equal(alone, weight)
    assert f"length {(33 * 35 + 1) // 2} : tensor<33x35xi4>" in f.lower(x)
