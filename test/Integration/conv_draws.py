#!/usr/bin/env python3
"""Generated convolutions: compiled code against the reference evaluator, and the evaluator against NumPy.

Draws `--count` convolutions (dims, groups, strides, dilations, pads, layouts, transposed, per-sample filters, element types,
odd, empty and dynamic sizes) from a seed. All numbers are small multiples of 1/8, so that sums are exact in any order and results
must be equal to the last bit. Prints how many cases agree and lists refusals by their constraint; a case on which evaluator and
NumPy do not agree is "disputed". TENON_TARGET=x86-64-v3 draws them for AVX2.

With `--precision fast` the draws are convolutions for Winograd's algorithm, in both tile sizes, and for Fourier transforms, of random numbers and of
numbers made to be hard. Results are compared with NumPy's in float64: their error relative to max |x| * sum |w| must be below the
bound of docs/rationale/precision.md, and one thread and two must give the same bits. Prints the largest error of each tile size.
"""
import argparse
import collections
import itertools
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

# A source tree needs no installation.
ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "python"), str(ROOT / "build" / "python")]

FLOATS = ("f32", "f16", "bf16")


def to_bf16(x):
    """Rounds float32 to bfloat16 (ties to even), kept in float32."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


class Case:
    """One drawn convolution."""

    def __init__(self, seed):
        r = random.Random(seed)
        self.seed = seed
        self.n = r.choice((1, 2, 2, 2, 3))
        n = self.n
        self.dtype = r.choice(("f32", "f32", "f32", "f16", "bf16", "i8", "i32"))
        self.groups = r.choice((1, 1, 1, 2, 3, 4))
        depthwise = r.random() < 0.2
        per_group, filters = (1, r.choice((1, 1, 2))) if depthwise else (r.choice((1, 2, 3, 5, 8)), r.choice((1, 2, 3, 4, 7)))
        self.channels, self.filters = per_group * self.groups, filters * self.groups
        self.batch = r.choice((1, 1, 1, 2, 3))
        self.transposed = r.random() < 0.3
        self.per_sample = r.random() < 0.2
        self.last = r.random() < 0.3
        self.kernel = [r.choice((1, 1, 2, 3, 3, 5)) for _ in range(n)]
        if r.random() < 0.15:
            self.kernel = [1] * n
        self.strides = [r.choice((1, 1, 1, 2, 2, 3)) for _ in range(n)]
        self.dilations = [r.choice((1, 1, 1, 2, 3)) for _ in range(n)]
        self.pads = [r.choice((0, 0, 0, 1, 1, 2, 3)) for _ in range(2 * n)]
        if r.random() < 0.1:
            self.pads = [p - 1 for p in self.pads]
        limit = 5 if n == 3 else 19 if n == 1 else 11
        self.size = [r.randint(1, limit) for _ in range(n)]
        if depthwise and r.random() < 0.4:  # more taps than are unrolled
            self.kernel = [r.choice((8, 9, 11)) for _ in range(min(n, 2))] + [1] * (n - 2)
            self.pads = [r.choice((0, 1, 4, 5, 7)) for _ in range(2 * n)]
            self.size = [r.randint(1, 17) for _ in range(min(n, 2))] + [r.randint(1, 3)] * (n - 2)
        if r.random() < 0.05:
            self.size[r.randrange(n)] = 0
        if r.random() < 0.03:
            self.batch = 0
        if r.random() < 0.1:  # one window covers the input
            self.size, self.pads = [d * (k - 1) + 1 for d, k in zip(self.dilations, self.kernel)], [0] * (2 * n)
        self.output_padding = []
        if self.transposed and r.random() < 0.4:
            self.output_padding = [r.randrange(max(s, d)) for s, d in zip(self.strides, self.dilations)]
        self.bias = r.random() < 0.5
        self.dynamic = [r.random() < 0.5 for _ in range(2 + n)] if r.random() < 0.3 else [False] * (2 + n)
        self.dynamic_channels = r.random() < 0.2
        if self.transposed:
            extra = self.output_padding or [0] * n
            size = [s * (D - 1) + e + d * (k - 1) + 1 - self.pads[i] - self.pads[n + i]
                    for i, (D, s, e, d, k) in enumerate(zip(self.size, self.strides, extra, self.dilations, self.kernel))]
        else:
            size = [(D + self.pads[i] + self.pads[n + i] - d * (k - 1) - 1) // s + 1
                    for i, (D, s, d, k) in enumerate(zip(self.size, self.strides, self.dilations, self.kernel))]
        self.out_size = [max(0, s) for s in size]

    algorithm = None

    def layout(self, first, second, spatial):
        return [first, *spatial, second] if self.last else [first, second, *spatial]

    @property
    def input_shape(self):
        return self.layout(self.batch, self.channels, self.size)

    @property
    def filter_shape(self):
        outer, inner = (self.channels, self.filters // self.groups) if self.transposed else (self.filters, self.channels // self.groups)
        return ([self.batch] if self.per_sample else []) + self.layout(outer, inner, self.kernel)

    @property
    def result_shape(self):
        return self.layout(self.batch, self.filters, self.out_size)

    @property
    def result_dtype(self):
        return "i32" if self.dtype == "i8" else self.dtype

    def data(self):
        r = np.random.default_rng(self.seed)
        def draw(shape):
            x = r.integers(-16, 17, size=shape)
            return x.astype(np.float32) / 8 if self.dtype in FLOATS else x.astype(np.int64)
        values = [draw(self.input_shape), draw(self.filter_shape)]
        return values + ([draw([self.filters])] if self.bias else [])

    def types(self):
        """Types of input, filter, (bias) and result, with the drawn dims dynamic."""
        def text(shape, dynamic, dtype):
            return "tensor<" + "".join(("?" if dyn else str(size)) + "x" for size, dyn in zip(shape, dynamic)) + dtype + ">"
        dyn = self.layout(self.dynamic[0], self.dynamic[1] and self.dynamic_channels, self.dynamic[2:])
        dyn_out = self.layout(self.dynamic[0], False, self.dynamic[2:])
        dyn_filter = ([self.dynamic[0]] if self.per_sample else []) + [False] * (self.n + 2)
        types = [text(self.input_shape, dyn, self.dtype), text(self.filter_shape, dyn_filter, self.dtype)]
        if self.bias:
            types.append(text([self.filters], [False], self.dtype))
        return types + [text(self.result_shape, dyn_out, self.result_dtype)]

    def mlir(self, name="main"):
        types = self.types()
        args = ["%x", "%w", "%b"][:len(types) - 1]
        flags = "".join(" " + flag for flag, on in (("transposed", self.transposed), ("per_sample", self.per_sample),
                                                    ("channels_last", self.last), (f"algorithm {self.algorithm}", self.algorithm)) if on)
        extra = f" {{output_padding = array<i64: {', '.join(map(str, self.output_padding))}>}}" if self.output_padding else ""
        return (f"func.func @{name}({', '.join(f'{a}: {t}' for a, t in zip(args, types))}) -> {types[-1]} {{\n"
                f"  %y = tenon.conv %x, %w {'bias %b ' if self.bias else ''}strides {self.strides} dilations {self.dilations} "
                f"pads {self.pads} groups {self.groups}{flags}{extra} : {', '.join(types[:-1])} -> {types[-1]}\n"
                f"  return %y : {types[-1]}\n}}\n")

    def expected(self):
        return self.encode(self.exact(), self.result_dtype)

    def exact(self):
        """The result by NumPy in float64, straight from the op's description."""
        n, g = self.n, self.groups
        x, w, *bias = [v.astype(np.float64) for v in self.data()]
        if self.last:  # to channels-first
            x = np.moveaxis(x, -1, 1)
            w = np.moveaxis(w, -1, 2 if self.per_sample else 1)
        if not self.per_sample:
            w = np.broadcast_to(w, (self.batch, *w.shape))
        y = np.zeros((self.batch, self.filters, *self.out_size))
        if x.size and y.size:
            xg = x.reshape(self.batch, g, self.channels // g, *self.size)
            yg = y.reshape(self.batch, g, self.filters // g, *self.out_size)
            wg = w.reshape(self.batch, g, w.shape[1] // g, *w.shape[2:])
            for tap in itertools.product(*map(range, self.kernel)):
                wt = wg[(slice(None),) * 4 + tap]
                many, few = (self.size, self.out_size) if self.transposed else (self.out_size, self.size)
                at = [np.arange(m) * s + k * d - p for m, s, k, d, p in
                      zip(many, self.strides, tap, self.dilations, self.pads)]
                inside = [(a >= 0) & (a < f) for a, f in zip(at, few)]
                here = np.ix_(*(np.flatnonzero(i) for i in inside))
                there = np.ix_(*(a[i] for a, i in zip(at, inside)))
                if self.transposed:
                    yg[(slice(None),) * 3 + there] += np.einsum("ngc...,ngcf->ngf...", xg[(slice(None),) * 3 + here], wt)
                else:
                    yg[(slice(None),) * 3 + here] += np.einsum("ngc...,ngfc->ngf...", xg[(slice(None),) * 3 + there], wt)
        if bias:
            y += bias[0].reshape(1, -1, *[1] * n)
        return np.moveaxis(y, 1, -1) if self.last else y

    @staticmethod
    def encode(values, dtype):
        """As the array that holds `dtype` (bf16 as its 16 bits)."""
        if dtype == "bf16":
            return (to_bf16(values.astype(np.float32)).view(np.uint32) >> 16).astype(np.uint16)
        return values.astype({"f32": np.float32, "f16": np.float16, "i8": np.int8, "i32": np.int32}[dtype])

    def arguments(self):
        return [np.ascontiguousarray(self.encode(v, self.dtype)) for v in self.data()]


class FastCase(Case):
    """One drawn convolution for Winograd's algorithm or Fourier transforms, of numbers that are random or hard."""

    #: Error relative to max |x| * sum |w|.
    BOUNDS = {"winograd2": 2.0**-19, "winograd4": 2.0**-16, "fft": 2.0**-20}

    def __init__(self, seed):
        r = random.Random(seed)
        self.seed, self.n, self.dtype = seed, 2, "f32"
        self.algorithm = r.choice(("winograd2", "winograd4", "winograd4", "fft", "fft"))
        if self.algorithm == "fft":
            self.draw_depthwise(r)
        else:
            self.draw_winograd(r)
        self.transposed = self.per_sample = self.last = False
        self.strides, self.dilations, self.output_padding = [1, 1], [1, 1], []
        self.batch = r.choice((0, 1, 1, 1, 2, 3)) if r.random() < 0.2 else 1
        self.bias = r.random() < 0.5
        self.out_size = [max(0, D + self.pads[i] + self.pads[2 + i] - self.kernel[i] + 1) for i, D in enumerate(self.size)]
        self.kinds = [r.choice(("normal", "positive", "signs", "checkers", "spikes", "ramp")) for _ in range(2)]

    def draw_winograd(self, r):
        self.groups = 1
        self.channels, self.filters = (r.choice((1, 2, 3, 7, 15, 16, 17, 32, 33, 64, 100)) for _ in range(2))
        self.kernel = [3, 3]
        self.pads = r.choice(([1] * 4, [1] * 4, [0] * 4, [r.randint(0, 2) for _ in range(4)], [r.randint(-1, 4) for _ in range(4)]))
        self.size = [r.choice((1, 2, 3, 5, 7, 8, 13, 14, 17, 28, 31, 33)) for _ in range(2)]
        self.dynamic = [r.random() < 0.5 for _ in range(4)] if r.random() < 0.4 else [False] * 4
        self.dynamic_channels = r.random() < 0.2

    def draw_depthwise(self, r):
        """Images of one window and of several, pads of both kinds of plans: what wraps around is zeros, or there is none."""
        self.groups = self.channels = self.filters = r.choice((1, 2, 3, 7, 15, 16, 17, 33, 40))
        self.kernel = [r.choice((1, 2, 3, 5, 7, 9, 13, 21, 31, 33, 64)) for _ in range(2)]
        self.size = [r.choice((1, 2, 3, 5, 8, 13, 14, 17, 28, 31, 40, 70, 90)) for _ in range(2)]
        same, wide = [k // 2 for k in self.kernel], [r.randint(0, min(63, 2 * k)) for k in self.kernel]
        self.pads = r.choice((same + same, same + same, [0] * 4, wide + same, same + wide))
        self.dynamic, self.dynamic_channels = [r.random() < 0.2, False, False, False], False

    def data(self):
        r = np.random.default_rng(self.seed)

        def draw(shape, kind):
            if kind == "normal":
                x = r.standard_normal(shape)
            elif kind == "positive":  # nothing cancels but in the transforms
                x = r.uniform(0.5, 1, shape)
            elif kind == "signs":  # every number as large as the largest
                x = r.choice((-1.0, 1.0), shape)
            elif kind == "checkers":  # what the transforms' largest rows add up
                x = np.broadcast_to((-1.0) ** np.add.outer(np.arange(shape[-2]), np.arange(shape[-1])), shape) * r.uniform(0.9, 1, shape)
            elif kind == "spikes":  # one number beside which the others are rounding errors
                x = r.standard_normal(shape) * np.where(r.random(shape) < 0.01, 1e4, 1)
            else:  # neighbours differ in their last bits
                x = 1 + r.uniform(-1, 1, shape) * 2.0**-20
            return (x * 10.0 ** r.integers(-3, 4)).astype(np.float32)

        values = [draw(self.input_shape, self.kinds[0]), draw(self.filter_shape, self.kinds[1])]
        return values + ([draw([1, self.filters], "normal")[0]] if self.bias else [])

    def error(self, result):
        """The largest error, relative to max |x| * sum |w|, less what adding the bias may round off."""
        x, w, *bias = [v.astype(np.float64) for v in self.data()]
        exact = self.exact()
        if not exact.size or not x.size:
            return 0.0
        allowed = 2.0**-24 * np.abs(exact) + (2.0**-24 * np.abs(bias[0]).reshape(1, -1, 1, 1) if bias else 0)
        scale = np.abs(x).max() * np.abs(w).sum((1, 2, 3)).reshape(1, -1, 1, 1)
        return float((np.maximum(np.abs(result - exact) - allowed, 0) / scale).max())


def check_bound(case, folder):
    """Compiles and runs one case of the class fast: ("equal" | "wrong" | "refused", detail); the detail of equal is the error."""
    import tenon

    path = folder / f"conv{case.seed}.mlir"
    path.write_text(case.mlir())
    results = []
    for threads in (1, 2):
        try:
            results.append(tenon.compile(str(path), threads=threads, precision="fast")(*case.arguments()))
        except tenon.Error as error:
            return "refused", str(error).splitlines()[0].split("error: ")[-1]
    if list(results[0].shape) != case.result_shape:
        return "wrong", f"shape {results[0].shape} instead of {case.result_shape}"
    if results[0].tobytes() != results[1].tobytes():
        return "wrong", "one thread and two give different bits"
    error = case.error(results[0])
    if not error <= case.BOUNDS[case.algorithm]:
        return "wrong", f"error {error:.2e} of {case.algorithm}, {case.kinds}"
    return "equal", error


def compare(result, expected):
    """What is different, or "". Arrays of bits or numbers; zeros of any sign are equal."""
    if result.shape != expected.shape:
        return f"shape {result.shape} instead of {expected.shape}"
    differ = int(np.count_nonzero(result != expected))
    return f"{differ} of {expected.size} elements differ" if differ else ""


def evaluate(cases, folder):
    """Runs all cases on the evaluator, which leaves its results in the folder; {seed: what is wrong with them}."""
    jobs = folder / "jobs"
    with open(jobs, "w") as file:
        for case in cases:
            (folder / f"conv{case.seed}.mlir").write_text(case.mlir())
            inputs = {}
            for number, array in enumerate(case.arguments()):
                inputs[str(number)] = str(folder / f"conv{case.seed}-in{number}.npy")
                np.save(inputs[str(number)], array)
            job = {"model": str(folder / f"conv{case.seed}.mlir"), "inputs": inputs, "prefix": str(folder / f"conv{case.seed}-out")}
            file.write(json.dumps(job) + "\n")
    run = subprocess.run([str(ROOT / "build" / "bin" / "tenon-run"), "--reference", "--jobs", str(jobs)], capture_output=True, text=True)
    replies = [json.loads(line) for line in run.stdout.splitlines()]
    disputed = {}
    for case, reply in itertools.zip_longest(cases, replies):
        if not reply:
            disputed[case.seed] = f"the evaluator ended with {run.returncode}: {run.stderr[-200:]}"
        elif not reply["ok"]:
            disputed[case.seed] = reply["error"]
        elif different := compare(reference(case, folder), case.expected()):
            disputed[case.seed] = f"evaluator and NumPy: {different}"
    return disputed


def reference(case, folder):
    return np.load(folder / f"conv{case.seed}-out0.npy")


def check(case, folder):
    """Compiles and runs one case: ("equal" | "wrong" | "refused", detail)."""
    import tenon

    try:
        model = tenon.compile(str(folder / f"conv{case.seed}.mlir"), threads=1)
    except tenon.Error as error:
        return "refused", str(error).splitlines()[0].split("error: ")[-1]
    arguments = case.arguments()
    if case.dtype == "bf16":
        import ml_dtypes

        arguments = [a.view(ml_dtypes.bfloat16) for a in arguments]
    result = model(*arguments)
    if case.result_dtype == "bf16":
        result = result.view(np.uint16)
    different = compare(result, reference(case, folder))
    return ("wrong", different) if different else ("equal", "")


def worker(first, last, seed, folder, queue, kind):
    for number in range(first, last):
        queue.put((number, "started", ""))
        case = kind(seed * 100000 + number)
        if kind is FastCase:
            queue.put((number, *check_bound(case, folder)))
            continue
        if os.path.exists(folder / f"conv{case.seed}-out0.npy"):
            queue.put((number, *check(case, folder)))
    queue.put((last, "end", ""))


def run(count, seed, folder, kind):
    """Runs all cases in a process of their own, which is replaced when a case kills it."""
    context = multiprocessing.get_context("spawn")
    outcomes, first = {}, 0
    while first < count:
        queue = context.Queue()
        process = context.Process(target=worker, args=(first, count, seed, folder, queue, kind))
        process.start()
        current = first
        while True:
            try:
                number, outcome, detail = queue.get(timeout=1 if not process.is_alive() else 60)
            except Exception:  # queue.Empty: killed, or hanging
                outcomes[current] = ("crashed", f"exit code {process.exitcode}")
                process.kill()
                first = current + 1
                break
            if outcome == "end":
                first = count
                break
            current = number
            if outcome != "started":
                outcomes[number] = (outcome, detail)
        process.join()
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("reorder", "fast"), default="reorder")
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--at-least", type=float, default=0.8, help="share of cases that must agree")
    options = parser.parse_args()
    kind = FastCase if options.precision == "fast" else Case
    if options.print is not None:
        print(kind(options.seed * 100000 + options.print).mlir())
        return 0
    import tenon  # noqa: F401  (fails here, not once per case)

    with tempfile.TemporaryDirectory() as folder:
        cases = [kind(options.seed * 100000 + number) for number in range(options.count)]
        disputed = evaluate(cases, Path(folder)) if kind is Case else {}
        outcomes = run(options.count, options.seed, Path(folder), kind)
    outcomes.update({number: ("disputed", disputed[case.seed]) for number, case in enumerate(cases) if case.seed in disputed})
    counts = collections.Counter(outcome for outcome, _ in outcomes.values())
    refusals = collections.Counter(detail for outcome, detail in outcomes.values() if outcome == "refused")
    for detail, number in refusals.most_common():
        print(f"refused {number}: {detail}")
    for number, (outcome, detail) in sorted(outcomes.items()):
        if outcome in ("wrong", "crashed", "disputed"):
            print(f"{outcome}: case {number}: {detail}")
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in ("equal", "refused", "wrong", "crashed", "disputed")), f"of {options.count}")
    if kind is FastCase:
        for algorithm, bound in kind.BOUNDS.items():
            errors = [detail for number, (outcome, detail) in outcomes.items() if outcome == "equal" and cases[number].algorithm == algorithm]
            print(f"{algorithm}: largest error {max(errors, default=0):.2e} of max |x| * sum |w|, bound {bound:.2e}, in {len(errors)} cases")
    bad = counts["wrong"] + counts["crashed"] + counts["disputed"]
    return 0 if counts["equal"] >= options.at_least * options.count and not bad else 1


if __name__ == "__main__":
    raise SystemExit(main())
