"""run a model on arrays from files, or on random ones

Compiles the model (or takes it from the cache), runs it once, and shows each output's shape and range. Inputs that no
--input names are random; their open dims are 1, or what --dim says.
"""
import argparse
import time

from . import common


def _pair(text):
    name, separator, value = text.rpartition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, but got {text!r}")
    return name, value


def add_arguments(parser):
    common.add_model(parser)
    common.add_compile_options(parser)
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE", type=_pair,
                        help="an input from a .npy file, or a .pb file with a TensorProto")
    common.add_dims(parser)
    parser.add_argument("--save", metavar="DIR", help="write every output to DIR/NAME.npy")


def main(options):
    import os
    import re

    import numpy as np

    model = common.open_model(options)
    arrays = common.read_inputs(model, dict(options.input), options.dim)
    start = time.perf_counter()
    outputs = model.run({value.name: array for value, array in zip(model.inputs, arrays)})
    milliseconds = (time.perf_counter() - start) * 1e3
    shown = common.table(None, ["output", "dtype", "shape", ">min", ">mean", ">max"])
    for name, array in outputs.items():
        numbers = array.astype(np.float64) if array.size and array.dtype.kind != "c" else None
        cells = ["", "", ""] if numbers is None else [f"{value:.6g}" for value in
                                                      (numbers.min(), numbers.mean(), numbers.max())]
        shown.add_row(name, str(array.dtype), "x".join(map(str, array.shape)) or "scalar", *cells)
        if options.save:
            os.makedirs(options.save, exist_ok=True)
            np.save(os.path.join(options.save, re.sub(r"[^\w.-]", "_", name) + ".npy"), array)
    console = common.console()
    console.print(shown)
    info = model.info
    origin = "loaded" if options.model.endswith(".so") else "from the cache" if info.get("cached") else "compiled"
    console.print(f"{origin} in {info.get('seconds', 0):.2f} s, ran in {milliseconds:.2f} ms (first call)",
                  highlight=False)
