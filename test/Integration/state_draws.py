#!/usr/bin/env python3
"""Generated linear attentions and recurrences: compiled code against NumPy in float64.

Draws `--count` programs from a seed, for AVX2 and AVX-512 code. Even numbers are linear attentions: rule x chunk (1: step by
step) x heads (one, several, groups of query heads) x shape (odd, empty, dynamic) x dtype x decay per head or per key x with and
without a state to start from, of a type of its own; the sequence may be cut in two calls that hand the state on. Odd numbers are
recurrences: LSTM, GRU, sLSTM and leaky cells x odd sizes x direction x lengths x dtype x dynamic steps and batches. `--list`
prints the cases.
"""
import argparse
import os
import random
import sys
import tempfile

import numpy as np

STEPS = {"f32": 2e-5, "f64": 1e-11, "f16": 4e-3, "bf16": 3e-2}


def numpy_type(name):
    import ml_dtypes

    return {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64}[name]


class Program:
    """A drawn function: its text, arguments and expected results."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = np.random.default_rng(seed)
        self.arguments, self.parameters, self.lines, self.results, self.expected = [], [], [], [], []
        self.dtype = self.r.choice(("f32", "f32", "f32", "f16", "bf16", "f64"))
        self.dynamic = self.r.random() < 0.35
        self.title = self.dtype + (" dynamic" if self.dynamic else "")
        self.draw()

    def type(self, shape, element, dims=()):
        return "tensor<" + "x".join(["?" if self.dynamic and i in dims else str(n) for i, n in enumerate(shape)] + [element]) + ">"

    def argument(self, name, value, dims=(), element=None):
        """Adds an argument; gives (name, type, its value in float64)."""
        element = element or self.dtype
        value = value.astype({"i32": np.int32, "i64": np.int64}.get(element) or numpy_type(element))
        kind = self.type(value.shape, element, dims)
        self.arguments.append(value)
        self.parameters.append(f"%{name}: {kind}")
        return f"%{name}", kind, np.asarray(value, np.float64)

    def result(self, name, kind, expected, steps=1):
        self.results.append((name, kind))
        element = kind[kind.rindex("x") + 1:-1] if "x" in kind else kind[7:-1]
        self.expected.append((expected, steps * max(STEPS[element], STEPS[self.dtype]) * max(1.0, float(np.abs(expected).max(initial=0)))))

    def mlir(self):
        names, kinds = ", ".join(n for n, _ in self.results), ", ".join(k for _, k in self.results)
        return (f"func.func @main({', '.join(self.parameters)}) -> ({kinds}) {{\n" + "\n".join("  " + line for line in self.lines) +
                f"\n  return {names} : {kinds}\n}}\n")


def attend(rule, q, k, v, decay, beta, state, scale):
    """Step by step, in the arrays' own precision."""
    group = q.shape[1] // k.shape[1]
    state, outputs = state.copy(), np.zeros(q.shape[:3] + v.shape[3:])
    for t in range(q.shape[2]):
        if decay is not None:
            gate = decay[:, :, t] if decay.ndim == 4 else decay[:, :, t, None]
            state = state * np.exp(gate)[..., None]
        w = v[:, :, t]
        if beta is not None:
            w = beta[:, :, t, None] * (w - np.einsum("bhde,bhd->bhe", state, k[:, :, t]))
        state = state + k[:, :, t, :, None] * w[:, :, None, :]
        outputs[:, :, t] = scale * np.einsum("bhd,bhde->bhe", q[:, :, t], np.repeat(state, group, 1))
    return outputs, state


class LinearAttention(Program):
    def draw(self):
        r, n = self.r, self.n
        rule = r.choice(("linear", "gated", "delta", "gated_delta"))
        chunk = r.choice((1, 2, 7, 16, 33, 64))
        b, h, group = 0 if r.random() < 0.04 else r.choice((1, 1, 2, 3)), r.choice((1, 2, 3, 4)), r.choice((1, 1, 2, 3))
        t = 0 if r.random() < 0.05 else r.choice((1, 1, 2, 3, 7, 15, 16, 17, 31, 64, 65, 100, 130))
        d, e = 0 if r.random() < 0.03 else r.choice((1, 3, 8, 16, 17, 32, 64)), r.choice((1, 2, 8, 15, 16, 33, 64))
        per_key, scale = r.random() < 0.4, r.choice((1.0, 0.125, 0.3))
        state_type = r.choice((self.dtype, "f64" if self.dtype == "f64" else "f32"))
        given, split = r.random() < 0.6, r.random() < 0.25 and t > 1 and b > 0 and d > 0
        self.title += (f" {rule}{' per key' if per_key and 'gated' in rule else ''} chunk {chunk} b{b} h{h * group}/{h} t{t} d{d} e{e}"
                       f"{' state ' + state_type if given else ''}{' split' if split else ''}")
        dims = (0, 2)
        q = self.argument("q", n.normal(size=(b, h * group, t, d)), dims)
        keys = n.normal(size=(b, h, t, d))
        k = self.argument("k", keys / np.sqrt((keys**2).sum(3, keepdims=True)), dims)
        v = self.argument("v", n.normal(size=(b, h, t, e)), dims)
        decay = beta = None
        if "gated" in rule:
            size = r.choice((0.1, 1.0, 10.0))  # long memory, short memory
            gates = -size * n.random((b, h, t) + ((d,) if per_key else ()))
            if r.random() < 0.15:
                gates[n.random(gates.shape) < 0.1] = -np.inf  # forgets all
            decay = self.argument("g", gates, dims)
        if "delta" in rule:
            beta = self.argument("b", n.random((b, h, t)) * r.choice((1.0, 1.0, 1.9)), dims)
        state = self.argument("s", n.normal(size=(b, h, d, e)), (0,), state_type) if given else None
        start = state[2] if given else np.zeros((b, h, d, e))
        expected, final = attend(rule, q[2], k[2], v[2], decay and decay[2], beta and beta[2], start, scale)
        final_kind, tokens = self.type((b, h, d, e), state_type, (0,)), [(0, t)]
        if split:
            at = r.randrange(1, t)
            tokens = [(0, at), (at, t)]
        for number, (low, high) in enumerate(tokens):
            def part(operand):
                name, kind, value = operand
                if not split:
                    return name, kind
                shape = value.shape[:2] + (high - low,) + value.shape[3:]
                cut = self.type(shape, self.dtype, (0,))
                sizes = ", ".join("%n0" if self.dynamic and i == 0 else str(x) for i, x in enumerate(shape))
                offsets = ", ".join(str(low) if i == 2 else "0" for i in range(len(shape)))
                self.lines.append(f"{name}{number} = tensor.extract_slice {name}[{offsets}] [{sizes}] [{', '.join('1' * len(shape))}] : {kind} to {cut}")
                return f"{name}{number}", cut
            if split and self.dynamic and number == 0:
                self.lines += ["%c0 = arith.constant 0 : index", f"%n0 = tensor.dim %q, %c0 : {q[1]}"]
            (qn, qk), (kn, kk), (vn, vk) = part(q), part(k), part(v)
            text = ""
            for word, operand in (("decay", decay), ("beta", beta)):
                if operand:
                    text += " {}({} : {})".format(word, *part(operand))
            if number or given:
                text += f" state({f'%f{number - 1}' if number else state[0]} : {final_kind if number else state[1]})"
            kind = self.type((b, h * group, high - low, e), self.dtype, (0,) if split else dims)
            self.lines.append(f"%y{number}, %f{number} = tenon.linear_attention {rule} {qn}, {kn}, {vn}{text} scale {scale} chunk {chunk} : "
                              f"{qk}, {kk}, {vk} -> {kind}, {final_kind}")
            self.result(f"%y{number}", kind, expected[:, :, low:high], 4)
        self.result(f"%f{len(tokens) - 1}", final_kind, final, 4)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


#: gates and states of each cell
CELLS = {"lstm": (4, 2), "gru": (3, 1), "slstm": (4, 4), "leaky": (1, 1)}


def step(cell, x, states, weight):
    """One step in NumPy: x [B, gates * H], states [B, H] each. Gives (output, states)."""
    h = states[0]
    size = h.shape[1]
    g = x + h @ weight
    part = [g[:, i * size:(i + 1) * size] for i in range(CELLS[cell][0])]
    if cell == "lstm":
        c = sigmoid(part[1]) * states[1] + sigmoid(part[0]) * np.tanh(part[2])
        h = sigmoid(part[3]) * np.tanh(c)
        return h, [h, c]
    if cell == "gru":  # resets after the product
        own = x[:, 2 * size:]
        z, r = sigmoid(part[0]), sigmoid(part[1])
        n = np.tanh(own + r * (part[2] - own))
        h = (1 - z) * n + z * h
        return h, [h]
    if cell == "slstm":  # exponential gates, with the logarithm of their scale m
        _, c, n, m = states
        top = np.maximum(part[1] + m, part[0])
        i, f = np.exp(part[0] - top), np.exp(part[1] + m - top)
        c, n = f * c + i * np.tanh(part[2]), f * n + i
        h = sigmoid(part[3]) * c / n
        return h, [h, c, n, top]
    h = 0.5 * h + np.tanh(g)
    return 2 * h, [h]


BODIES = {
    "lstm": """
      %i = SIGMOID %g0
      %f = SIGMOID %g1
      %n = math.tanh %g2
      %o = SIGMOID %g3
      %a = arith.mulf %f, %s1
      %d = arith.mulf %i, %n
      %c = arith.addf %a, %d
      %t = math.tanh %c
      %h = arith.mulf %o, %t
      YIELD %h, %h, %c""",
    "gru": """
      %z = SIGMOID %g0
      %r = SIGMOID %g1
      %k = arith.subf %g2, %x2
      %l = arith.mulf %r, %k
      %m = arith.addf %x2, %l
      %n = math.tanh %m
      %u = arith.subf %one, %z
      %a = arith.mulf %u, %n
      %d = arith.mulf %z, %s0
      %h = arith.addf %a, %d
      YIELD %h, %h""",
    "slstm": """
      %fm = arith.addf %g1, %s3
      %top = arith.maximumf %fm, %g0
      %i0 = arith.subf %g0, %top
      %i = math.exp %i0
      %f0 = arith.subf %fm, %top
      %f = math.exp %f0
      %z = math.tanh %g2
      %o = SIGMOID %g3
      %a = arith.mulf %f, %s1
      %d = arith.mulf %i, %z
      %c = arith.addf %a, %d
      %v = arith.mulf %f, %s2
      %n = arith.addf %v, %i
      %p = arith.mulf %o, %c
      %h = arith.divf %p, %n
      YIELD %h, %h, %c, %n, %top""",
    "leaky": """
      %t = math.tanh %g0
      %k = arith.mulf %half, %s0
      %h = arith.addf %k, %t
      %y = arith.addf %h, %h
      YIELD %y, %h"""}


class Recurrence(Program):
    def draw(self):
        r, n = self.r, self.n
        cell = r.choice(list(CELLS))
        gates, states = CELLS[cell]
        steps = 0 if r.random() < 0.05 else r.choice((1, 2, 3, 7, 16, 25))
        b, h = 0 if self.dynamic and r.random() < 0.1 else r.choice((1, 2, 3, 5, 8)), r.choice((1, 3, 8, 16, 17, 33))
        reverse, ragged = r.random() < 0.4, r.random() < 0.4
        length_type = r.choice(("i32", "i64"))
        element, sums = self.dtype, self.dtype
        self.title += f" {cell} t{steps} b{b} h{h}{' reverse' if reverse else ''}{' lengths ' + length_type if ragged else ''}"
        xs = self.argument("x", n.normal(size=(steps, b, gates * h)), (0, 1))
        w = self.argument("w", n.normal(size=(h, gates * h)) / np.sqrt(h))
        start = []
        for number in range(states):
            value = n.normal(size=(b, h)) * 0.5
            value = np.abs(value) + 0.5 if cell == "slstm" and number == 2 else value
            start.append(self.argument(f"init{number}", value, (0,)))
        lengths = self.argument("lens", n.integers(-1, steps + 2, b), (0,), length_type) if ragged else None
        # What is expected.
        now, outputs = [s[2] for s in start], np.zeros((steps, b, h))
        for t in range(steps)[::-1] if reverse else range(steps):
            output, after = step(cell, xs[2][t], now, w[2])
            live = (t < lengths[2])[:, None] if ragged else np.ones((b, 1), bool)
            outputs[t] = np.where(live, output, 0)
            now = [np.where(live, new, old) for new, old in zip(after, now)]
        # The program.
        state, row, out = self.type((b, h), element, (0,)), self.type((b, gates * h), element, (0,)), self.type((steps, b, h), element, (0, 1))
        size = "%n1" if self.dynamic else ""
        if self.dynamic:
            self.lines += ["%c0 = arith.constant 0 : index", "%c1 = arith.constant 1 : index", f"%n0 = tensor.dim %x, %c0 : {xs[1]}",
                           f"%n1 = tensor.dim %x, %c1 : {xs[1]}"]
        self.lines += [f"%zero = arith.constant 0.0 : {element}", f"%one = arith.constant 1.0 : {element}",
                       f"%half = arith.constant 0.5 : {element}", f"%e = tensor.empty({'%n0, %n1' if self.dynamic else ''}) : {out}"]
        names = [f"%init{i}" for i in range(states)]
        lines = [f"%r:{1 + states} = tenon.recurrence{' reverse' if reverse else ''} inputs(%x : {xs[1]}) states({', '.join(names)} : "
                 f"{', '.join([state] * states)}){f' lengths(%lens : {lengths[1]})' if ragged else ''} outs(%e : {out}) {{",
                 f"^bb0(%xt: {row}, {', '.join(f'%t{i}: {state}' for i in range(states))}):",
                 f"  %e0 = tensor.empty({size}) : {row}", f"  %e1 = tensor.empty({size}) : {state}",
                 f"  %product = linalg.matmul ins(%t0, %w : {state}, {w[1]}) outs(%filled : {row}) -> {row}"]
        lines.insert(4, f"  %filled = linalg.fill ins(%zero : {element}) outs(%e0 : {row}) -> {row}")
        for g in range(gates):
            for source, name in (("product", "ps"), ("xt", "xs")):
                lines.append(f"  %{name}{g} = tensor.extract_slice %{source}[0, {g * h}] [{size or b}, {h}] [1, 1] : {row} to {state}")
        body, fresh = [], 0
        for line in BODIES[cell].strip().splitlines():
            line = line.strip()
            if "SIGMOID" in line:
                name, operand = line.split(" = SIGMOID ")
                fresh += 1
                a, c, d = (f"%q{fresh}{letter}" for letter in "abc")
                body += [f"{a} = arith.negf {operand} : {sums}", f"{c} = math.exp {a} : {sums}", f"{d} = arith.addf {c}, %one : {sums}",
                         f"{name} = arith.divf %one, {d} : {sums}"]
            elif line.startswith("YIELD"):
                values = line[6:]
                body.append(f"linalg.yield {values} : {', '.join([element] * (1 + states))}")
            else:
                body.append(f"{line} : {sums}")
        identity = "affine_map<(d0, d1) -> (d0, d1)>"
        inputs = [f"%ps{g}" for g in range(gates)] + [f"%xs{g}" for g in range(gates)] + [f"%t{i}" for i in range(states)]
        block = [f"%pe{g}: {element}" for g in range(gates)] + [f"%x{g}: {element}" for g in range(gates)] + [f"%s{i}: {element}" for i in range(states)]
        sums_of = [f"%g{g} = arith.addf %pe{g}, %x{g} : {element}" for g in range(gates)]
        block += [f"%o{i}: {element}" for i in range(1 + states)]
        lines += [f"  %m:{1 + states} = linalg.generic {{indexing_maps = [{', '.join([identity] * (len(inputs) + 1 + states))}], "
                  f'iterator_types = ["parallel", "parallel"]}} ins({", ".join(inputs)} : {", ".join([state] * len(inputs))}) '
                  f"outs({', '.join(['%e1'] * (1 + states))} : {', '.join([state] * (1 + states))}) {{", f"  ^bb0({', '.join(block)}):"]
        lines += ["    " + line for line in sums_of + body]
        lines += [f"  }} -> ({', '.join([state] * (1 + states))})",
                  f"  tenon.yield {', '.join(f'%m#{i}' for i in range(1 + states))} : {', '.join([state] * (1 + states))}",
                  f"}} -> {', '.join([out] + [state] * states)}"]
        self.lines += lines
        self.result("%r#0", out, outputs, 8)
        for number in range(states):
            self.result(f"%r#{number + 1}", state, now[number], 8)


def make(seed):
    return (LinearAttention, Recurrence)[seed % 2](seed)


TIMED = (("linear", 8, 1024, 64, 64), ("gated", 8, 1024, 64, 64), ("gated per key", 8, 1024, 64, 64), ("delta", 8, 1024, 64, 64), ("gated_delta", 8, 1024, 64, 64),
         ("gated_delta", 32, 1, 128, 128))


def measure(targets):
    """Milliseconds of a few linear attentions on one thread, the best of ten calls."""
    import time

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
                model = tenon.compile(file.name, threads=1, target=target)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--time", action="store_true", help="time a few linear attentions instead")
    parser.add_argument("--targets", default="host,x86-64-v3")
    options = parser.parse_args()
    if options.print is not None:
        print(make(options.seed * 100000 + options.print).mlir())
        return 0
    if options.time:
        return measure(options.targets.split(","))
    import tenon

    bad = done = 0
    with tempfile.TemporaryDirectory() as folder, np.errstate(over="ignore"):
        for number in range(options.count) if options.only is None else [options.only]:
            case = make(options.seed * 100000 + number)
            if options.list:
                print(number, case.title, flush=True)
            path = os.path.join(folder, f"state{number}.mlir")
            with open(path, "w") as file:
                file.write(case.mlir())
            for target in options.targets.split(","):
                done += 1
                try:
                    results = tenon.compile(path, threads=2, target=target)(*case.arguments)
                except tenon.Error as error:
                    print(f"case {number} for {target} ({case.title}): {str(error).splitlines()[0]}", flush=True)
                    bad += 1
                    continue
                results = [np.asarray(a, np.float64) for a in (results if isinstance(results, (tuple, list)) else [results])]
                off = [np.abs(a - b).max(initial=0) if a.shape == b.shape else np.inf for a, (b, _) in zip(results, case.expected)]
                if len(results) != len(case.expected) or not all(a <= t for a, (_, t) in zip(off, case.expected)):
                    print(f"case {number} for {target} ({case.title}): off by {', '.join(f'{a:.3g}' for a in off)}", flush=True)
                    bad += 1
    print(f"{done - bad} equal, {bad} not, of {done}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
