"""Generated attentions for AVX2 and AVX-512 code equal NumPy's in float64; causal tiles are skipped; no score matrix exists."""
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import tenon
from drawn import run_draws


def test_draws_equal_numpy():
    run_draws("attention_draws", 24, 800, 7, jobs=2)  # the first of them are the covering design


def attention(path, tokens, mask):
    """A model of q, k, v, and of the numbers of documents where the mask is one of documents."""
    kind, ids = f"tensor<1x2x{tokens}x64xf32>", ""
    if "document" in mask:
        ids = f", %ids: tensor<{tokens}xi64>"
        mask = (f" mask_operands(%ids, %ids : tensor<{tokens}xi64>, tensor<{tokens}xi64>)"
                f" maps [affine_map<(b, h, q, k) -> (q)>, affine_map<(b, h, q, k) -> (k)>]{mask}")
    path.write_text(f"""func.func @main(%q: {kind}, %k: {kind}, %v: {kind}{ids}) -> {kind} {{
  %e = tensor.empty() : {kind}
  %s = tenon.kv_source %k, %v{mask} : {kind}, {kind}
  %r = tenon.attention softmax %q sources(%s) outs(%e : {kind}) : {kind} {{
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %a : f32
  }} -> {kind}
  return %r : {kind}
}}
""")
    return tenon.compile(str(path), threads=1)


def peak_of(call):
    """What `call` returns, and by how many bytes the process grew at most while it ran."""
    def status(entry):
        return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(entry)) * 1024

    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    before = status("VmRSS")
    result = call()
    return result, status("VmHWM") - before


@pytest.mark.executes
def test_no_tensor_of_all_scores(tmp_path):
    """While 4,096 tokens are worked on, the result and a few MiB are added; the scores of one head alone would take 64 MiB."""
    large = attention(tmp_path / "large.mlir", 4096, " mask(#tenon.causal)")
    x = np.random.default_rng(0).normal(size=(1, 2, 4096, 64)).astype(np.float32)
    result, grown = peak_of(lambda: large(x, x, x))
    assert np.isfinite(result).all()
    assert grown < 2 * x.nbytes + (8 << 20)
    scores, grown = peak_of(lambda: (x[0, 0] @ x[0, 0].T).sum())  # freed again at once, and seen all the same
    assert np.isfinite(scores) and grown > 4 * 4096 * 4096 - (1 << 20)


@pytest.mark.executes
def test_hidden_tiles_are_not_visited(tmp_path):
    """Half of the work of a causal mask is left, a few per cent of a short window's."""
    x = np.random.default_rng(0).normal(size=(1, 2, 2048, 64)).astype(np.float32)
    times = {}
    for name, mask in (("dense", ""), ("causal", " mask(#tenon.causal)"), ("window", " mask(#tenon.window<64, 0>)")):
        model = attention(tmp_path / f"{name}.mlir", 2048, mask)
        best = min(_timed(model, x) for _ in range(5))
        times[name] = best
    assert times["causal"] < 0.8 * times["dense"], json.dumps(times)
    assert times["window"] < 0.45 * times["dense"], json.dumps(times)


def _timed(model, x):
    start = time.perf_counter()
    model(x, x, x)
    return time.perf_counter() - start


def near(x, y, count, size):
    """Whether y is in the window of x on a line of `count` places."""
    first = np.clip(x - size // 2, 0, count - size)
    return (y >= first) & (y < first + size)


DOCUMENTS = np.searchsorted([768, 1536, 1792, 3072], np.arange(4096), "right")  # tiles count from key 0, which documents do not say


@pytest.mark.executes
@pytest.mark.parametrize("mask, sees, most", [
    ("", lambda i, j: (i >= 0) & (j >= 0), 1.0),
    ("#tenon.causal", lambda i, j: j <= i, 0.55),
    ("#tenon.window<255, 0>", lambda i, j: (j <= i) & (j >= i - 255), 0.13),
    ("#tenon.any_of<#tenon.window<100, 0>, #tenon.prefix<64>>", lambda i, j: ((j <= i) & (j >= i - 100)) | (j < 64), 0.15),
    ("#tenon.not<#tenon.window<1000, 1000>>", lambda i, j: abs(i - j) > 1000, 0.65),
    ("#tenon.all_of<#tenon.causal, #tenon.not<#tenon.all_of<#tenon.window<2000, -1>, #tenon.not<#tenon.window<600, -1>>>>>",
     lambda i, j: (j <= i) & ((j < i - 2000) | (j >= i - 600)), 0.40),
    ("#tenon.all_of<#tenon.causal, #tenon.strided<4, 1, 256>>", lambda i, j: (j <= i) & (j // 256 % 4 == 1), 0.16),
    ("#tenon.neighborhood<grid = [64, 64], size = [9, 64]>", lambda i, j: near(i // 64, j // 64, 64, 9), 0.19),
    ("#tenon.neighborhood<grid = [64, 64], size = [9, 9]>", lambda i, j: near(i // 64, j // 64, 64, 9) & near(i % 64, j % 64, 64, 9), 0.19),
    ("#tenon.all_of<#tenon.causal, #tenon.document<0, 1>>", lambda i, j: (j <= i) & (DOCUMENTS[i] == DOCUMENTS[j]), 0.25)])
def test_visited_keys_are_those_of_the_analysis(tmp_path, mask, sees, most):
    """A value that is NaN makes every row NaN whose unit looks at it, hidden or not: 64 runs, each with a block of NaNs, show
    which units visit which keys. Those are the tiles, of the first key that a row sees to the last, in which a row sees a key."""
    tokens, block = 4096, 64
    model = attention(tmp_path / "visits.mlir", tokens, f" mask({mask})" if mask else "")
    kernel = next(k for k in model.explain()["kernels"] if k["algorithm"] == "attention")
    rows, keys = (int(re.search(pattern, kernel["schedule"])[1]) for pattern in (r"parallel = \[1, 1, (\d+), 0\]", r"cache = \[0, 0, 0, (\d+)\]"))
    q, k = (np.random.default_rng(n).standard_normal((1, 2, tokens, 64)).astype(np.float32) / 8 for n in (0, 1))
    more = [DOCUMENTS] if "document" in mask else []
    visited = np.zeros((tokens // rows, tokens // block), bool)
    for number in range(tokens // block):
        v = np.ones((1, 2, tokens, 64), np.float32)
        v[:, :, number * block:(number + 1) * block] = np.nan
        visited[:, number] = np.isnan(model(q, k, v, *more)[0, 0, :, 0]).reshape(-1, rows).any(1)
    seen = sees(np.arange(tokens)[:, None], np.arange(tokens)[None]).reshape(tokens // rows, rows, tokens).any(1)
    expected = np.zeros_like(visited)
    for unit, row in enumerate(seen):
        last = tokens - np.argmax(row[::-1])
        for first in range(np.argmax(row), last, keys):
            end = min(first + keys, last)
            expected[unit, first // block:-(-end // block)] |= row[first:end].any()
    assert (visited == expected).all()
    assert visited.mean() <= most, visited.mean()
