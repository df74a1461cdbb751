"""Times of a few linear attentions."""
import tempfile
import time

import numpy as np

TIMED = (("linear", 8, 1024, 64, 64), ("gated", 8, 1024, 64, 64), ("gated per key", 8, 1024, 64, 64), ("delta", 8, 1024, 64, 64), ("gated_delta", 8, 1024, 64, 64),
         ("gated_delta", 32, 1, 128, 128))


def measure(targets, threads):
    """Milliseconds of a few linear attentions, the best of ten calls."""
    import tenon

    for target in targets:
        for rule, h, t, d, e in TIMED:
            q, v, b, s = f"tensor<1x{h}x{t}x{d}xf32>", f"tensor<1x{h}x{t}x{e}xf32>", f"tensor<1x{h}x{t}xf32>", f"tensor<1x{h}x{d}x{e}xf32>"
            g, name = q if "key" in rule else b, rule.split()[0]
            text = (f" decay(%g : {g})" if "gated" in rule else "") + (f" beta(%b : {b})" if "delta" in rule else "")
            with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
                file.write(f"""func.func @main(%q: {q}, %k: {q}, %v: {v}, %g: {g}, %b: {b}, %s: {s}) -> ({v}, {s}) {{
  %y, %f = tenon.linear_attention {name} %q, %k, %v{text} state(%s : {s}) : {q}, {q}, {v} -> {v}, {s}
  return %y, %f : {v}, {s}
}}
""")
                file.flush()
                model = tenon.compile(file.name, threads=threads, target=target)
            r, best = np.random.default_rng(0), float("inf")
            k = r.normal(size=(1, h, t, d))
            inputs = [r.normal(size=(1, h, t, d)), k / np.sqrt((k**2).sum(3, keepdims=True)), r.normal(size=(1, h, t, e)),
                      -r.random((1, h, t, d) if "key" in rule else (1, h, t)), r.random((1, h, t)), r.normal(size=(1, h, d, e))]
            inputs = [x.astype(np.float32) for x in inputs]
            for _ in range(10):
                start = time.perf_counter()
                model(*inputs)
                best = min(best, time.perf_counter() - start)
            print(f"{target} {rule}, {h} heads, {t} tokens, {d}x{e}: {best * 1e3:.3f} ms, {best / t * 1e6:.2f} us per token", flush=True)
