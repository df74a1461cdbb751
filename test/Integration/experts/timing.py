"""Times of a few mixtures of experts."""
import os
import tempfile
import time

import numpy as np

TIMED = ((512, 512, 1024, 8, 2), (1, 1024, 1024, 8, 2), (64, 512, 512, 64, 4))


def measure(targets, threads):
    """Milliseconds of a few gated mixtures, the best of twelve calls, with matrices as weights and as arguments."""
    import tenon

    for target in targets:
        for tokens, depth, hidden, experts, top in TIMED:
            r = np.random.default_rng(0)
            draw = lambda *shape: r.normal(size=shape).astype(np.float32)
            matrices = [draw(experts, depth, hidden), draw(experts, depth, hidden), draw(experts, hidden, depth)]
            types = [f"tensor<{'x'.join(map(str, m.shape))}xf32>" for m in matrices]
            x, l = f"tensor<{tokens}x{depth}xf32>", f"tensor<{tokens}x{experts}xf32>"
            inputs = [draw(tokens, depth), draw(tokens, experts)]
            for stored in (True, False):
                with tempfile.TemporaryDirectory() as folder:
                    archive, path = os.path.join(folder, "weights.bin"), os.path.join(folder, "moe.mlir")
                    with open(archive, "wb") as file:
                        file.write(b"".join(m.tobytes() for m in matrices))
                    size, text, loads, arguments = matrices[0].nbytes, "", "", ""
                    for i, kind in enumerate(types):
                        if stored:
                            text += f'tenon.weight @w{i} from "{archive}" at {i * size} length {size} : {kind}\n'
                            loads += f"  %w{i} = tenon.load_weight @w{i} : {kind}\n"
                        else:
                            arguments += f", %w{i}: {kind}"
                    with open(path, "w") as file:
                        file.write(f"{text}func.func @main(%x: {x}, %l: {l}{arguments}) -> {x} {{\n{loads}  %y = tenon.moe silu %x, %l route softmax "
                                   f"top_k {top} normalize gate %w0 : {types[0]} up %w1 : {types[1]} down %w2 : {types[2]} : {x}, {l} -> {x}\n"
                                   f"  return %y : {x}\n}}\n")
                    model, best = tenon.compile(path, threads=threads, target=target), float("inf")
                    for _ in range(12):
                        start = time.perf_counter()
                        model(*inputs, *([] if stored else matrices))
                        best = min(best, time.perf_counter() - start)
                used = 12 * min(experts, tokens * top) * depth * hidden
                print(f"{target} {tokens} tokens of {depth}, {experts} experts of {hidden}, top {top}, {'weights' if stored else 'arguments'}: "
                      f"{best * 1e3:.2f} ms, {6 * tokens * top * depth * hidden / best / 1e9:.0f} GFLOP/s, {used / best / 1e9:.1f} GB/s of matrices",
                      flush=True)
