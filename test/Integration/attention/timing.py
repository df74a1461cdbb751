"""Milliseconds of a few attentions on one thread, the best of ten calls."""
import tempfile
import time

import numpy as np

TIMED = (("dense", 8, 1024, 1024, 64, ""), ("causal", 8, 1024, 1024, 64, " mask(#tenon.causal)"),
         ("window of 256", 8, 1024, 1024, 64, " mask(#tenon.window<256, 0>)"), ("one query", 32, 1, 4096, 128, ""))


def measure(targets):
    import tenon

    for target in targets:
        for name, heads, queries, keys, depth, mask in TIMED:
            q, k = f"tensor<1x{heads}x{queries}x{depth}xf32>", f"tensor<1x{heads}x{keys}x{depth}xf32>"
            with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
                file.write(f"""func.func @main(%q: {q}, %k: {k}, %v: {k}) -> {q} {{
  %scale = arith.constant 0.125 : f32
  %e = tensor.empty() : {q}
  %s = tenon.kv_source %k, %v{mask} : {k}, {k}
  %r = tenon.attention softmax %q sources(%s) outs(%e : {q}) : {q} {{
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index):
    %y = arith.mulf %a, %scale : f32
    tenon.yield %y : f32
  }} -> {q}
  return %r : {q}
}}
""")
                file.flush()
                model = tenon.compile(file.name, threads=1, target=target)
            r, best = np.random.default_rng(0), float("inf")
            inputs = [r.normal(size=(1, heads, n, depth)).astype(np.float32) for n in (queries, keys, keys)]
            for _ in range(10):
                start = time.perf_counter()
                model(*inputs)
                best = min(best, time.perf_counter() - start)
            print(f"{target} {name}: {best * 1e3:.2f} ms, {4 * heads * queries * keys * depth / best / 1e9:.0f} GFLOP/s of all pairs, "
                  f"{8 * heads * keys * depth / best / 1e9:.1f} GB/s of keys and values", flush=True)
