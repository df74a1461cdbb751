#!/usr/bin/env python3
"""Compiled once with open sizes against compiled for each size: matmul and attention on ten odd sizes, one thread.

Calls of both alternate; shown is the best of each and how much longer the open one takes. Exit status 1 where that is more
than `--most` per cent in the geometric mean of an operation.
"""
import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "python"), str(ROOT / "build" / "python")]
import tenon as tn  # noqa: E402

MATMUL = [(127, 1001, 1003), (33, 515, 771), (201, 300, 1111), (77, 1025, 640), (7, 999, 1234), (301, 301, 301), (65, 2049, 511), (17, 768, 3073),
          (413, 127, 919), (255, 255, 2001)]
HEADS, DEPTH = 8, 64
ATTENTION = [(127, 127), (333, 333), (77, 901), (197, 197), (515, 515), (65, 1030), (31, 257), (1001, 1001), (259, 777), (145, 3001)]


def in_turns(calls, seconds):
    """Seconds of each call, the best of those that fit into `seconds`."""
    best, until = [float("inf")] * len(calls), time.perf_counter() + seconds
    for call in calls:
        call()
    while time.perf_counter() < until:
        for number, call in enumerate(calls):
            start = time.process_time()
            call()
            best[number] = min(best[number], time.process_time() - start)
    return best


def compare(title, make, dims, sizes, draw, seconds):
    open_one, ratios = tn.jit(make, dims=dims, threads=1), []
    for size in sizes:
        arrays = draw(size)
        fixed = tn.jit(make, threads=1)
        same = np.array_equal(fixed(*arrays), open_one(*arrays))
        a, b = in_turns([lambda: open_one(*arrays), lambda: fixed(*arrays)], seconds)
        ratios.append(a / b)
        print(f"{title:10} {'x'.join(map(str, size)):18} open {a * 1e3:8.3f} ms, fixed {b * 1e3:8.3f} ms: {100 * (a / b - 1):+6.1f} %"
              f"{'' if same else '   other bits'}", flush=True)
    mean = float(np.exp(np.mean(np.log(ratios))))
    print(f"{title:10} geometric mean {100 * (mean - 1):+.1f} %, worst {100 * (max(ratios) - 1):+.1f} %", flush=True)
    return mean


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each size (default 1)")
    parser.add_argument("--most", type=float, default=7.0, metavar="PER CENT")
    options = parser.parse_args()
    r = np.random.default_rng(0)
    arrays = lambda *shapes: [r.standard_normal(shape).astype(np.float32) for shape in shapes]  # noqa: E731
    means = [
        compare("matmul", lambda x, w: x @ w, {"x": ("m", "k"), "w": ("k", "n")}, MATMUL,
                lambda s: arrays((s[0], s[1]), (s[1], s[2])), options.seconds),
        compare("attention", lambda q, k, v: tn.attention(q, k, v), {name: (1, HEADS, size, DEPTH) for name, size in zip("qkv", "stt")}, ATTENTION,
                lambda s: arrays(*[(1, HEADS, size, DEPTH) for size in (s[0], s[1], s[1])]), options.seconds),
    ]
    return int(max(means) > 1 + options.most / 100)


if __name__ == "__main__":
    sys.exit(main())
