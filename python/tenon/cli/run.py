"""run a model on arrays from files, or on random ones

Compiles the model (or takes it from the cache), runs it once, and shows each output's shape and range. Inputs that no
--input names are random; their open dims are 1, or what --dim says.

A model with open dims runs generic code. --specialize shows what it gains where the same shapes come often (in Python:
tenon.compile(model, specialize=4)): it runs the model until a copy for these shapes is compiled and in use, and times both.
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
    parser.add_argument("--specialize", action="store_true",
                        help="also compile the model for the shapes of its inputs, as hot shapes are, and time both")
    parser.add_argument("--save", metavar="DIR", help="write every output to DIR/NAME.npy")


def _best(calls, seconds=0.5):
    """Milliseconds of the fastest run of each call; they take turns for `seconds` each."""
    best, until = [float("inf")] * len(calls), time.perf_counter() + seconds * len(calls)
    while time.perf_counter() < until:
        for number, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[number] = min(best[number], time.perf_counter() - start)
    return [seconds * 1e3 for seconds in best]


def _compare(model, generic, feeds, console):
    """Waits for the copy, and times it beside a model that has none."""
    if model.info["specialize"]:
        console.print(f"no copy: {model.info['specialize']}", highlight=False)
        return
    start = time.perf_counter()
    while (state := model.specializations[0])["state"] not in ("ready", "failed"):
        model.run(feeds)
        time.sleep(0.05)  # leaves the compile the processor
    if state["state"] == "failed":
        console.print(f"no copy: {state['reason']}", highlight=False, markup=False, soft_wrap=True)
        return
    waited = time.perf_counter() - start
    before, after = _best([lambda: generic.run(feeds), lambda: model.run(feeds)])
    console.print(f"generic code {before:.3f} ms, copy for these shapes {after:.3f} ms, ready after {waited:.1f} s, same bits",
                  highlight=False)


def main(options):
    import os
    import re

    import numpy as np

    model = common.open_model(options, specialize=1 if options.specialize else None)
    arrays = common.read_inputs(model, dict(options.input), options.dim)
    start = time.perf_counter()
    feeds = {value.name: array for value, array in zip(model.inputs, arrays)}
    outputs = model.run(feeds)
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
    if options.specialize:
        _compare(model, common.open_model(options), feeds, console)
