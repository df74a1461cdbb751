#!/usr/bin/env python3
"""Generated matmuls of groups, mixtures of experts, routes and selections: compiled code against NumPy in float64.

Draws `--count` programs from a seed, for AVX2 and AVX-512 code: group sizes (ragged, empty groups, one group with all) x
gather x scatter x biases x factors x activation x dtype x shape (odd, empty, dynamic); mixtures with top-k 1 to 8, thresholds,
groups of experts, biases, gates and shared experts; top_k, sort and segment_reduce. `--list` prints the cases.
"""
import argparse
import os
import random
import sys
import tempfile
from math import erf

import numpy as np

SIZES = [1, 2, 3, 5, 7, 8, 16, 17, 33, 64, 65, 100, 130, 300]
ACTIVATIONS = {
    "identity": lambda x: x, "relu": lambda x: np.maximum(x, 0), "relu_squared": lambda x: np.maximum(x, 0)**2,
    "silu": lambda x: x / (1 + np.exp(-x)), "gelu": lambda x: x / 2 * (1 + np.vectorize(erf, otypes=[float])(x / np.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))}
STEPS = {"f32": 2e-5, "f64": 1e-12, "f16": 4e-3, "bf16": 3e-2}


def numpy_type(name):
    import ml_dtypes

    return {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64}[name]


def order(values, largest=True):
    """Indices from large to small; NaN is the largest, of equals the lower index comes first."""
    key = np.where(np.isnan(values), np.inf, values)
    nan = np.isnan(values).astype(int)
    return np.lexsort((np.arange(len(values)), -key, -nan) if largest else (np.arange(len(values)), key, nan))


class Program:
    """A drawn function: its text, arguments and expected results (each with a tolerance, or None for equality)."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = np.random.default_rng(seed)
        self.arguments, self.parameters, self.lines, self.expected, self.results = [], [], [], [], []
        self.archive, self.weights = b"", []
        self.dtype = self.r.choice(("f32", "f32", "f32", "f16", "bf16", "f64"))
        self.dynamic = self.r.random() < 0.35
        self.stored = self.r.random() < 0.5  # weights are constants of the program, packed at load
        self.title = self.dtype + (" dynamic" if self.dynamic else "") + (" stored" if self.stored else "")
        self.draw()

    def type(self, shape, element, dims=(0,)):
        named = ["?" if self.dynamic and i in dims else str(n) for i, n in enumerate(shape)]
        return "tensor<" + "x".join(named + [element]) + ">"

    def argument(self, name, value, element, dims=()):
        """Adds an argument and returns (name, type)."""
        kind = self.type(value.shape, element, dims)
        self.arguments.append(value)
        self.parameters.append(f"%{name}: {kind}")
        return f"%{name}", kind

    def weight(self, name, value):
        """Adds a constant that lives in the archive, or an argument, and returns (name, type)."""
        if not self.stored:
            return self.argument(name, value, self.dtype)
        kind = self.type(value.shape, self.dtype, ())
        self.weights.append(f'tenon.weight @{name} from "ARCHIVE" at {len(self.archive)} length {value.nbytes} : {kind}')
        self.archive += value.tobytes()
        self.lines.append(f"%{name} = tenon.load_weight @{name} : {kind}")
        return f"%{name}", kind

    def floats(self, *shape):
        return self.n.normal(size=shape).astype(numpy_type(self.dtype))

    def result(self, name, kind, expected, exact=False):
        self.results.append((name, kind))
        step = STEPS[self.dtype]
        self.expected.append((expected, None if exact else step * max(1.0, float(np.abs(expected).max(initial=0)))))

    def mlir(self, archive):
        names, kinds = ", ".join(n for n, _ in self.results), ", ".join(k for _, k in self.results)
        weights = "".join(line.replace("ARCHIVE", archive) + "\n" for line in self.weights)
        return (weights + f"func.func @main({', '.join(self.parameters)}) -> ({kinds}) {{\n" + "\n".join("  " + line for line in self.lines) +
                f"\n  return {names} : {kinds}\n}}\n")


class Grouped(Program):
    def draw(self):
        r, n = self.r, self.n
        groups, depth, columns = r.choice((1, 2, 3, 8, 13)), r.choice((1, 3, 8, 16, 33, 64)), r.choice(SIZES)
        length = r.choice([0] * (r.random() < 0.2) + SIZES)
        cuts = np.sort(n.integers(0, length + 1, groups + 1))
        if r.random() < 0.7:
            cuts[0], cuts[-1] = 0, length
        if r.random() < 0.25:  # one group holds all
            at = r.randrange(groups)
            cuts[:at + 1], cuts[at + 1:] = 0, length
        gather, scatter, biases, factors = (r.random() < 0.5 for _ in range(4))
        rows = r.choice(SIZES[:10]) if gather else length
        activation = r.choice(list(ACTIVATIONS))
        targets = r.choice(SIZES[:10]) if scatter else length
        self.title += (f" grouped_matmul {activation} {rows}x{depth}x{columns} groups {cuts.tolist()} of {length}"
                       + "".join(f" {k}" for k, v in dict(gather=gather, scatter=scatter, biases=biases, factors=factors).items() if v))
        x, xt = self.argument("x", self.floats(rows, depth), self.dtype, (0,))
        matrices = self.floats(groups, depth, columns)
        w, wt = self.weight("w", matrices)
        o, ot = self.argument("o", cuts.astype(np.int64), "i64")
        y = np.zeros((length, columns))
        read = n.integers(0, rows, length) if gather else np.arange(length)
        xs, ws = np.asarray(self.arguments[0], np.float64), np.asarray(matrices, np.float64)
        inside = np.zeros(length, bool)
        for e in range(groups):
            part = slice(cuts[e], cuts[e + 1])
            inside[part] = True
            y[part] = xs[read[part]] @ ws[e]
        text = ""
        if gather:
            name, kind = self.argument("r", read.astype(np.int64), "i64", (0,))
            text += f" rows {name} : {kind}"
        if biases:
            b = self.floats(groups, columns)
            name, kind = self.argument("b", b, self.dtype)
            text += f" biases {name} : {kind}"
            for e in range(groups):
                y[cuts[e]:cuts[e + 1]] += np.asarray(b[e], np.float64)
        y = ACTIVATIONS[activation](y)
        if factors:
            f = self.floats(length, columns)
            name, kind = self.argument("f", f, self.dtype, (0,))
            text += f" factors {name} : {kind}"
            y *= np.asarray(f, np.float64)
        start = self.floats(targets, columns)
        init, kind = self.argument("i", start, self.dtype, (0,))
        expected = np.asarray(start, np.float64).copy()
        if scatter:
            to = n.integers(0, targets, length)
            name, toKind = self.argument("s", to.astype(np.int64), "i64", (0,))
            text += f" scatter {name} : {toKind}"
            scale = np.ones(length)
            if r.random() < 0.6:
                scales = self.floats(length)
                name, scaleKind = self.argument("c", scales, self.dtype, (0,))
                text += f" scales {name} : {scaleKind}"
                scale = np.asarray(scales, np.float64)
            if r.random() < 0.5:  # from zeros
                expected[:] = 0
                self.lines += [f"%zero = arith.constant 0.0 : {self.dtype}"]
                size = ""
                if self.dynamic:
                    self.lines += ["%c0 = arith.constant 0 : index", f"%d = tensor.dim {init}, %c0 : {kind}"]
                    size = "%d"
                self.lines += [f"%e = tensor.empty({size}) : {kind}",
                               f"%z = linalg.fill ins(%zero : {self.dtype}) outs(%e : {kind}) -> {kind}"]
                init = "%z"
            np.add.at(expected, to[inside], (y * scale[:, None])[inside])
        else:
            expected[inside] = y[inside]
        self.lines.append(f"%y = tenon.grouped_matmul {activation} {x}, {w} offsets {o}{text} outs({init} : {kind}) : {xt}, {wt}, {ot} -> {kind}")
        self.result("%y", kind, expected)


def draw_routing(p, experts, tokens):
    """Attributes of a route, its logits and biases as arguments, and each token's weights by expert (NaN: not taken)."""
    r = p.r
    score = r.choice(("softmax", "sigmoid", "relu"))
    top = r.choice([k for k in range(0, 9) if k <= experts])
    threshold = r.choice((0.0, 0.1, 0.3)) if top == 0 or r.random() < 0.2 else None
    groups = r.choice([g for g in (1, 1, 2, 4) if experts % g == 0])
    kept = r.randint(1, groups)
    group_top = r.randint(1, min(2, experts // groups))
    normalize, scale = r.random() < 0.5, r.choice((1.0, 1.0, 2.5))
    logits = p.floats(tokens, experts)
    l, lt = p.argument("l", logits, p.dtype, (0,))
    scores = np.asarray(logits, np.float64)
    if score == "softmax":
        scores = np.exp(scores - scores.max(1, keepdims=True))
        scores /= scores.sum(1, keepdims=True)
    else:
        scores = 1 / (1 + np.exp(-scores)) if score == "sigmoid" else np.maximum(scores, 0)
    text, choices = "", scores
    if r.random() < 0.3:
        biases = p.floats(experts)
        b, bt = p.argument("b", biases, p.dtype)
        text += f" biases {b} : {bt}"
        choices = scores + np.asarray(biases, np.float64)
    for name, value, default in (("top_k", top, 0), ("threshold", threshold, None), ("groups", groups, 1), ("top_groups", kept, 1),
                                 ("group_top", group_top, 1)):
        if value != default:
            text += f" {name} {value}"
    text += (" normalize" if normalize else "") + (f" scale {scale}" if scale != 1 else "")
    weights = np.full((tokens, experts), np.nan)
    per = experts // groups
    for t in range(tokens):
        allowed = np.ones(experts, bool)
        if groups > 1:
            ranks = np.array([np.sort(choices[t, g * per:(g + 1) * per])[::-1][:group_top].sum() for g in range(groups)])
            allowed[:] = False
            for g in order(ranks)[:kept]:
                allowed[g * per:(g + 1) * per] = True
        taken = [e for e in order(choices[t]) if allowed[e] and (threshold is None or choices[t, e] > threshold)]
        taken = taken[:top] if top else taken
        total = scores[t, taken].sum() if normalize else 1
        weights[t, taken] = scale * scores[t, taken] / (total if total else 1)
    p.title += f" {tokens}x{experts} {score}{text}"
    return score, text, l, lt, weights, top or experts


class Route(Program):
    def draw(self):
        experts, tokens = self.r.choice((1, 2, 4, 8, 12, 16)), self.r.choice([0] * (self.r.random() < 0.2) + SIZES[:12])
        self.title += " route"
        score, text, l, lt, weights, room = draw_routing(self, experts, tokens)
        offsets, list_, values = [0], [], []
        for e in range(experts):
            taken = np.flatnonzero(~np.isnan(weights[:, e]))
            list_ += taken.tolist()
            values += weights[taken, e].tolist()
            offsets.append(len(list_))
        rest = [0] * (tokens * room - len(list_))
        ot, tt, wt = self.type((experts + 1,), "i64", ()), self.type((tokens * room,), "i64"), self.type((tokens * room,), self.dtype)
        self.lines.append(f"%o, %t, %w = tenon.route {score} {l}{text} : {lt} -> {ot}, {tt}, {wt}")
        self.result("%o", ot, np.array(offsets), exact=True)
        self.result("%t", tt, np.array(list_ + rest, np.int64), exact=True)
        self.result("%w", wt, np.array(values + rest, np.float64))


class Moe(Program):
    def draw(self):
        r = self.r
        experts, tokens = r.choice((1, 2, 4, 8, 12, 16)), r.choice([0] * (r.random() < 0.1) + SIZES[:12])
        depth, hidden = r.choice((1, 8, 17, 48, 64)), r.choice((1, 5, 16, 33, 64, 100))
        activation = r.choice(list(ACTIVATIONS))
        gated, shared = r.random() < 0.7, r.random() < 0.4
        self.title += f" moe {activation} {depth}x{hidden}{' gated' if gated else ''}{' shared' if shared else ''}"
        x, xt = self.argument("x", self.floats(tokens, depth), self.dtype, (0,))
        score, text, l, lt, weights, _ = draw_routing(self, experts, tokens)
        kind = numpy_type(self.dtype)

        def part(name, *shape):
            value = (self.n.normal(size=shape) / np.sqrt(shape[-2])).astype(kind)
            n, t = self.weight(name, value)
            return f" {{}} {n} : {t}", np.asarray(value, np.float64)

        def expert(row, gate, up, down):
            h = row @ up
            h = ACTIVATIONS[activation](row @ gate) * h if gate is not None else ACTIVATIONS[activation](h)
            return h @ down

        gate_text, gate = part("g", experts, depth, hidden) if gated else ("", None)
        up_text, up = part("u", experts, depth, hidden)
        down_text, down = part("d", experts, hidden, depth)
        operands = gate_text.format("gate") + up_text.format("up") + down_text.format("down")
        rows = np.asarray(self.arguments[0], np.float64)
        y = np.zeros((tokens, depth))
        for e in range(experts):
            taken = np.flatnonzero(~np.isnan(weights[:, e]))
            y[taken] += weights[taken, e][:, None] * expert(rows[taken], gate[e] if gated else None, up[e], down[e])
        if shared:
            width = r.choice((3, 16, 40))
            gate_text, gate = part("sg", depth, width) if gated else ("", None)
            up_text, up = part("su", depth, width)
            down_text, down = part("sd", width, depth)
            operands += gate_text.format("shared_gate") + up_text.format("shared_up") + down_text.format("shared_down")
            y += expert(rows, gate, up, down)
        self.lines.append(f"%y = tenon.moe {activation} {x}, {l} route {score}{text}{operands} : {xt}, {lt} -> {xt}")
        self.result("%y", xt, y)


class Select(Program):
    def draw(self):
        r = self.r
        shape = [r.choice(SIZES[:12]) for _ in range(r.randint(1, 3))]
        values = self.n.integers(-4, 5, shape).astype(np.float64)  # many ties
        values[self.n.random(shape) < 0.1] = np.nan
        values = values.astype(numpy_type(self.dtype))
        numbers = np.asarray(values, np.float64)
        axis = r.randrange(len(shape))
        x, xt = self.argument("x", values, self.dtype, (0,))
        kind = r.choice(("top_k", "sort", "segment_reduce"))
        if kind == "segment_reduce":
            segments = r.choice((1, 2, 5))
            cuts = np.sort(self.n.integers(0, shape[0] + 1, segments + 1))
            what = r.choice(("sum", "max", "min", "mean"))
            o, ot = self.argument("o", cuts.astype(np.int64), "i64", (0,))
            yt = self.type([segments] + shape[1:], self.dtype)
            self.lines.append(f"%y = tenon.segment_reduce {what} {x} offsets {o} : {xt}, {ot} -> {yt}")
            starts = {"sum": 0.0, "mean": 0.0, "max": -np.inf, "min": np.inf}
            expected = np.full([segments] + shape[1:], starts[what])
            for s in range(segments):
                part = numbers[cuts[s]:cuts[s + 1]]
                if len(part):
                    expected[s] = getattr(np, what)(part, axis=0)
            self.title += f" segment_reduce {what} {shape} {cuts.tolist()}"
            self.result("%y", yt, np.asarray(expected.astype(numpy_type(self.dtype)), np.float64), exact=what in ("max", "min"))
            if what not in ("max", "min"):
                self.expected[-1] = (self.expected[-1][0], 16 * STEPS[self.dtype])
            return
        largest = r.random() < 0.5
        k = shape[axis] if kind == "sort" else r.randint(0, shape[axis])
        places = np.apply_along_axis(lambda line: order(line, largest), axis, numbers)
        places = np.take(places, np.arange(k), axis)
        result = list(shape)
        result[axis] = k
        dims = (0,) if axis or kind == "sort" else ()
        vt, it = self.type(result, self.dtype, dims), self.type(result, "i64", dims)
        word = {"top_k": "" if largest else "smallest ", "sort": "descending " if largest else ""}[kind]
        self.lines.append(f"%v, %i = tenon.{kind} {word}{x} axis {axis} : {xt} -> {vt}, {it}")
        self.title += f" {kind} {word}{shape} axis {axis} k {k}"
        self.result("%v", vt, np.take_along_axis(numbers, places, axis), exact=True)
        self.result("%i", it, places, exact=True)


def make(seed):
    return (Grouped, Moe, Grouped, Moe, Route, Select)[seed % 6](seed)


def equals(result, expected, tolerance):
    if result.shape != expected.shape:
        return False
    if tolerance is None:
        return np.array_equal(result, expected, equal_nan=True)
    same_nan = np.isnan(result) == np.isnan(expected)
    return bool(same_nan.all()) and bool((np.abs(np.nan_to_num(result) - np.nan_to_num(expected)) <= tolerance).all())


TIMED = ((512, 512, 1024, 8, 2), (1, 1024, 1024, 8, 2), (64, 512, 512, 64, 4))


def measure(targets):
    """Milliseconds of a few gated mixtures on one thread, the best of twelve calls, with matrices as weights and as arguments."""
    import time

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
                    model, best = tenon.compile(path, threads=1, target=target), float("inf")
                    for _ in range(12):
                        start = time.perf_counter()
                        model(*inputs, *([] if stored else matrices))
                        best = min(best, time.perf_counter() - start)
                used = 12 * min(experts, tokens * top) * depth * hidden
                print(f"{target} {tokens} tokens of {depth}, {experts} experts of {hidden}, top {top}, {'weights' if stored else 'arguments'}: "
                      f"{best * 1e3:.2f} ms, {6 * tokens * top * depth * hidden / best / 1e9:.0f} GFLOP/s, {used / best / 1e9:.1f} GB/s of matrices",
                      flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--time", action="store_true", help="time a few mixtures instead")
    parser.add_argument("--targets", default="host,x86-64-v3")
    options = parser.parse_args()
    if options.print is not None:
        print(make(options.seed * 100000 + options.print).mlir("weights.bin"))
        return 0
    if options.time:
        return measure(options.targets.split(","))
    import tenon

    bad = done = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count) if options.only is None else [options.only]:
            case = make(options.seed * 100000 + number)
            if options.list:
                print(number, case.title, flush=True)
            path = os.path.join(folder, f"experts{number}.mlir")
            archive = os.path.join(folder, f"experts{number}.bin")
            with open(archive, "wb") as file:
                file.write(case.archive)
            with open(path, "w") as file:
                file.write(case.mlir(archive))
            for target in options.targets.split(","):
                done += 1
                try:
                    results = tenon.compile(path, threads=2, target=target)(*case.arguments)
                except tenon.Error as error:
                    print(f"case {number} for {target} ({case.title}): {str(error).splitlines()[0]}", flush=True)
                    bad += 1
                    continue
                results = [np.asarray(a, np.float64) for a in (results if isinstance(results, (tuple, list)) else [results])]
                wrong = [i for i, (a, (b, t)) in enumerate(zip(results, case.expected)) if not equals(a, np.asarray(b, np.float64), t)]
                if wrong or len(results) != len(case.expected):
                    print(f"case {number} for {target} ({case.title}): results {wrong} differ", flush=True)
                    bad += 1
    print(f"{done - bad} equal, {bad} not, of {done}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
