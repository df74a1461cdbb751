"""Milliseconds of a few attentions, the best of many calls."""
import tempfile
import time

import numpy as np

#: name, heads of queries and of keys, queries, keys, depth, normalizer, mask
TIMED = (("dense", 8, 8, 1024, 1024, 64, "softmax", ""), ("causal", 8, 8, 1024, 1024, 64, "softmax", " mask(#tenon.causal)"),
         ("window of 256", 8, 8, 1024, 1024, 64, "softmax", " mask(#tenon.window<256, 0>)"),
         ("entmax 1.5", 8, 8, 1024, 1024, 64, "entmax alpha(1.5)", ""), ("sparsemax", 8, 8, 1024, 1024, 64, "entmax alpha(2.0)", ""),
         ("one query", 32, 32, 1, 4096, 128, "softmax", ""), ("one query, 8 heads of keys", 32, 8, 1, 4096, 128, "softmax", ""),
         ("one query, 3 heads of keys", 24, 3, 1, 4096, 128, "softmax", ""), ("one query, 1 head of keys", 32, 1, 1, 4096, 128, "softmax", ""))


def measure(targets, threads=1):
    import tenon

    for target in targets:
        for name, heads, groups, queries, keys, depth, normalizer, mask in TIMED:
            q, k = f"tensor<1x{heads}x{queries}x{depth}xf32>", f"tensor<1x{groups}x{keys}x{depth}xf32>"
            with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
                file.write(f"""func.func @main(%q: {q}, %k: {k}, %v: {k}) -> {q} {{
  %scale = arith.constant 0.125 : f32
  %e = tensor.empty() : {q}
  %s = tenon.kv_source %k, %v{mask} : {k}, {k}
  %r = tenon.attention {normalizer} %q sources(%s) outs(%e : {q}) : {q} {{
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index):
    %y = arith.mulf %a, %scale : f32
    tenon.yield %y : f32
  }} -> {q}
  return %r : {q}
}}
""")
                file.flush()
                model = tenon.compile(file.name, threads=threads, target=target)
            r, best = np.random.default_rng(0), float("inf")
            inputs = [r.normal(size=(1, h, n, depth)).astype(np.float32) for h, n in ((heads, queries), (groups, keys), (groups, keys))]
            for _ in range(10 if queries > 1 else 100):
                start = time.perf_counter()
                model(*inputs)
                best = min(best, time.perf_counter() - start)
            print(f"{target} {name}: {best * 1e3:.2f} ms, {4 * heads * queries * keys * depth / best / 1e9:.0f} GFLOP/s of all pairs, "
                  f"{8 * groups * keys * depth / best / 1e9:.1f} GB/s of keys and values", flush=True)
