#!/usr/bin/env python3
"""Time of matmuls with low-precision weights, x[M,K] * dequantize(w)[N,K]^T, beside the same matmul in f32.

Each model has an open M, as that of a language model, and is called with several; `--static` fixes M. `--copies` matmuls with weights of
their own share a call, which spreads the cost of a call and, with enough of them, makes the weights come from memory. Shown are the
best milliseconds of a matmul, weights (in billions) and operations per second, and the ratio to f32 (above 1: faster).
"""
import argparse
import json
import os
import tempfile
import time

import numpy as np

SIZES = ("576x576", "1536x576", "576x1536", "49152x576", "4096x4096")  # NxK
FORMATS = ("Q4_1", "Q4_0", "Q8_0", "Q6_K", "i4g32", "i4g128", "u2g32", "u3g32", "u5g32", "u6g128", "u7g32", "i8g32", "nf4g64", "t2")
NF4 = "-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0, 0.0795803, 0.1609302, 0.2461123, " \
      "0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0"
RECORDS = {"Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q6_K": (256, 210),
           "IQ4_NL": (32, 18), "MXFP4": (32, 17)}
SCALES = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q6_K": (208,), "MXFP4": ()}


def draw_records(name, n, k, random):
    """Random bytes whose scales are small numbers."""
    block, size = RECORDS[name]
    raw = random.integers(0, 256, (n, k // block, size), np.uint8)
    for at in SCALES.get(name, (0,)):
        raw[:, :, at:at + 2] = (random.random((n, k // block, 1), np.float32) * 0.1).astype(np.float16).view(np.uint8)
    if name == "MXFP4":
        raw[:, :, 0] = random.integers(110, 120, (n, k // block))
    return raw.reshape(n, -1)


def describe(name, k):
    """The format's text and group of a name: iNgG, uNgG (zero points), nf4gG, t2 (ternary by a codebook, one scale a row)."""
    if name == "t2":
        return "element = ui2, codebook = [-1.0, 0.0, 1.0, 0.0], scale = f32", 0
    if name.startswith("nf4"):
        return f"element = ui4, codebook = [{NF4}], group = {name[4:]}, scale = f16", int(name[4:])
    bits, group = name[1:].split("g")
    zero = f", zero = ui{bits}" if name[0] == "u" else ""
    return f"element = {name[0]}i{bits}{zero}, group = {group}, scale = f16".replace("= ii", "= si").replace("= ui", "= ui"), int(group)


def make_model(name, n, k, rows, copies, folder):
    """Program text, with weights in a file beside it."""
    random = np.random.default_rng(n + k)
    path = os.path.join(folder, f"{name}-{n}x{k}-{rows or 'open'}")
    parts = []  # name, array, type
    if name == "f32":
        parts.append(("w", random.standard_normal((n, k), np.float32), f"tensor<{n}x{k}xf32>"))
    elif name in RECORDS:
        raw = draw_records(name, n, k, random)
        parts.append(("w", raw, f"tensor<{n}x{raw.shape[1]}xi8>"))
    else:
        text, group = describe(name, k)
        bits = int(text.split("element = ")[1][2])
        groups = -(-k // group) if group else 1
        parts.append(("w", random.integers(0, min(1 << bits, 3 if name == "t2" else 256), (n, k), np.uint8), f"tensor<{n}x{k}xi8>"))
        scale = random.random((n, groups), np.float32) * 0.1
        scale, kind = (scale.astype(np.float16), "f16") if "scale = f16" in text else (scale, "f32")
        parts.append(("s", scale, f"tensor<{n}x{groups}x{kind}>"))
        if "zero" in text:
            parts.append(("z", random.integers(0, 1 << bits, (n, groups), np.uint8), f"tensor<{n}x{groups}xi8>"))
    m = rows or "?"
    x, y, values = f"tensor<{m}x{k}xf32>", f"tensor<{m}x{n}xf32>", f"tensor<{n}x{k}xf32>"
    head, body, results, offset = [], [], [], 0
    with open(path + ".bin", "wb") as file:
        for copy in range(copies):
            for part, array, kind in parts:
                data = np.roll(array, copy, 0)
                file.write(data.tobytes())
                head.append(f'tenon.weight @{part}{copy} from "{path}.bin" at {offset} length {data.nbytes} : {kind}')
                body.append(f"  %{part}{copy} = tenon.load_weight @{part}{copy} : {kind}")
                offset += data.nbytes
            c, source = copy, f"%w{copy}"
            if name != "f32":
                kinds = {part: kind for part, _, kind in parts}
                given = " ".join(f"{word} %{part}{c} : {kinds[part]}" for word, part in (("scales", "s"), ("zeros", "z")) if part in kinds)
                text = f'"{name}"' if name in RECORDS else describe(name, k)[0]
                body.append(f"  %d{c} = tenon.dequantize %w{c} {given} axis 1 format <{text}> : {kinds['w']} -> {values}")
                source = f"%d{c}"
            body += [f"  %e{c} = tensor.empty({'' if rows else '%m'}) : {y}",
                     f"  %f{c} = linalg.fill ins(%zero : f32) outs(%e{c} : {y}) -> {y}",
                     f"  %y{c} = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, "
                     f"affine_map<(m, n, k) -> (m, n)>] ins(%x, {source} : {x}, {values}) outs(%f{c} : {y}) -> {y}"]
            results.append(f"%y{c}")
    if not rows:
        body.insert(0, f"  %zi = arith.constant 0 : index\n  %m = tensor.dim %x, %zi : {x}")
    body.insert(0, "  %zero = arith.constant 0.0 : f32")
    kinds = ", ".join([y] * copies)
    text = "\n".join([*head, f"func.func @main(%x: {x}) -> ({kinds}) {{", *body, f"  return {', '.join(results)} : {kinds}", "}"])
    with open(path + ".mlir", "w") as file:
        file.write(text + "\n")
    return path + ".mlir"


def measure(model, m, k, n, copies, seconds):
    """Best seconds of one matmul."""
    x = np.random.default_rng(0).standard_normal((m, k), np.float32)
    out = [np.empty((m, n), np.float32) for _ in range(copies)]
    best, until, calls = float("inf"), time.perf_counter() + seconds, 0
    while calls < 5 or time.perf_counter() < until:
        start = time.perf_counter()
        model(x, out=out)
        best = min(best, time.perf_counter() - start)
        calls += 1
    return best / copies


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--sizes", default=",".join(SIZES), help="NxK,...")
    parser.add_argument("--rows", default="1,4,16,128", help="the values of M")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--static", action="store_true", help="one model for each M")
    parser.add_argument("--target", default="host")
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--json", action="store_true", help="rows as JSON, one a line")
    options = parser.parse_args()
    import tenon

    rows = [int(m) for m in options.rows.split(",")]
    if not options.json:
        print(f"{'format':8} {'N x K':>11} {'M':>4}   {'ms':>8}   {'G weights/s':>11} {'GFLOP/s':>8} {'f32 / it':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes.split(","):
            n, k = map(int, size.split("x"))
            baseline = {}
            for name in ["f32", *options.formats.split(",")]:
                if name in RECORDS and k % RECORDS[name][0]:
                    continue  # GGUF has no records for such rows
                models = {}
                for m in rows:
                    fixed = m if options.static else None
                    if fixed not in models:
                        path = make_model(name, n, k, fixed, options.copies, folder)
                        models[fixed] = tenon.compile(path, threads=options.threads, target=options.target)
                    best = measure(models[fixed], m, k, n, options.copies, options.seconds)
                    baseline.setdefault(m, best)
                    row = {"format": name, "n": n, "k": k, "m": m, "threads": options.threads, "ms": best * 1e3,
                           "weights_per_s": n * k / best, "flops": 2 * m * n * k / best, "speedup": baseline[m] / best}
                    if options.json:
                        print(json.dumps(row), flush=True)
                    else:
                        print(f"{name:8} {size:>11} {m:4}   {row['ms']:8.4f}   {row['weights_per_s'] / 1e9:11.1f} "
                              f"{row['flops'] / 1e9:8.1f} {row['speedup']:8.2f}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
