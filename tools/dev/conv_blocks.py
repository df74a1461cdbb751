#!/usr/bin/env python3
"""What one kernel for a 1x1 convolution and the depthwise convolution behind it could save, at most.

    tools/dev/conv_blocks.py                 on one thread
    tools/dev/conv_blocks.py --threads 2

Measures the two kernels on a whole image, where what lies between them goes through the caches or through memory, and on
bands of it that are as small as a unit of such a kernel would be, so that it stays in the second cache level; times of bands are
multiplied by their number. A kernel for both would compute the lines around each band twice: `again` says how many more these are.
"""
import argparse
import time

import numpy as np
import onnx
from onnx import helper, numpy_helper
from rich.console import Console
from rich.table import Table

import tenon as tn

# Channels in and between, size of the image, taps and stride of the depthwise convolution, bands. Of OCR detection at 640x640, of
# MobileNet V2 and V3.
BLOCKS = [(16, 32, 320, 3, 2, 10), (32, 48, 160, 3, 1, 8), (48, 48, 160, 3, 2, 5), (16, 96, 112, 3, 2, 8), (24, 144, 112, 3, 2, 8),
          (16, 64, 112, 3, 2, 4), (24, 144, 56, 3, 1, 2), (32, 192, 28, 3, 1, 2), (96, 576, 14, 5, 1, 2)]


def make_model(inputs, channels, height, width, taps, stride):
    rng = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32) / shape[1], name)

    nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["p"]), helper.make_node("HardSwish", ["p"], ["q"]),
             helper.make_node("Conv", ["q", "w2"], ["y"], group=channels, pads=[taps // 2] * 4, strides=[stride] * 2)]
    weights = [weight("w1", channels, inputs, 1, 1), numpy_helper.from_array(np.ones(channels, np.float32), "b1"),
               weight("w2", channels, 1, taps, taps)]
    graph = helper.make_graph(nodes, "block", [helper.make_tensor_value_info("x", 1, [1, inputs, height, width])],
                              [helper.make_tensor_value_info("y", 1, None)], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def measure(threads, inputs, channels, height, width, taps, stride):
    """Milliseconds of a call, the fastest of several rounds."""
    model = tn.compile(make_model(inputs, channels, height, width, taps, stride), threads=threads)
    x = np.random.default_rng(1).standard_normal((1, inputs, height, width), np.float32)
    out = np.empty_like(model(x))
    best, until = float("inf"), time.perf_counter() + 0.5
    while time.perf_counter() < until:
        start = time.perf_counter()
        model(x, out=out)
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="threads to run with (default 1)")
    options = parser.parse_args()
    table = Table(title=f"1x1 and depthwise convolution, {options.threads} threads")
    for column in ("block", "MB between", "whole ms", "bands ms", "at most", "again"):
        table.add_column(column, justify="left" if column == "block" else "right")
    for inputs, channels, size, taps, stride, bands in BLOCKS:
        whole = measure(options.threads, inputs, channels, size, size, taps, stride)
        height = size // bands
        parts = bands * measure(options.threads, inputs, channels, height, size, taps, stride)
        table.add_row(f"{inputs} -> {channels}, {size}x{size}, {taps}x{taps}/{stride}", f"{channels * size * size * 4 / 1e6:.1f}",
                      f"{whole:.3f}", f"{parts:.3f}", f"{whole / parts:.2f}x", f"{(taps - stride) / height:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
