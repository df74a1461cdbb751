#!/usr/bin/env python3
"""Generated attentions: compiled code against NumPy in float64, for AVX2 and AVX-512 code.

Draws `--count` attentions from a seed: score (scale, bias, soft cap, ALiBi, relative position) x mask (causal, window,
prefix, all_of, any_of, not; lengths of batches, of heads) x normalizer (softmax with a sink or without) x heads (MHA, GQA, MQA) x
sources (one or two) x storage
(contiguous, pages, pages per head, ring, ring of pages) x dtype x shape (odd, empty, one query, dynamic). `--list` prints the cases.
"""
import argparse
import os
import random
import sys
import tempfile

import numpy as np

SIZES = [1, 2, 3, 5, 7, 16, 17, 33, 64, 65, 100, 130]
SCORES = ("plain", "scale", "bias", "softcap", "alibi", "relative", "headwise")
NORMALIZERS = ("softmax", "softmax", "sigmoid", "relu", "none")


def numpy_type(name):
    import ml_dtypes

    return {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64}[name]


class Mask:
    """A drawn mask: its text, and which pairs it lets through."""

    def __init__(self, r, depth=0):
        kind = r.choice(("causal", "causal", "window", "window", "prefix") + (("all", "any", "not") if depth < 2 else ()))
        align = r.choice(("", "start"))
        place = (lambda q, s, t: q) if align else (lambda q, s, t: q + t - s)
        if kind == "causal":
            self.text = "#tenon.causal" + (f"<{align}>" if align else "")
            self.sees = lambda q, k, s, t: k <= place(q, s, t)
        elif kind == "window":
            left, right = r.choice((-1, 0, 1, 4, 20)), r.choice((-1, 0, 0, 2, 30))
            self.text = f"#tenon.window<{left}, {right}{', ' + align if align else ''}>"
            self.sees = lambda q, k, s, t: ((left < 0) | (place(q, s, t) - left <= k)) & ((right < 0) | (k <= place(q, s, t) + right))
        elif kind == "prefix":
            length = r.choice((0, 1, 3, 10, 200))
            self.text = f"#tenon.prefix<{length}>"
            self.sees = lambda q, k, s, t: k < length
        elif kind == "not":
            part = Mask(r, depth + 1)
            self.text = f"#tenon.not<{part.text}>"
            self.sees = lambda q, k, s, t: ~np.asarray(part.sees(q, k, s, t), bool)
        else:
            parts = [Mask(r, depth + 1) for _ in range(r.randint(1, 3))]
            self.text = f"#tenon.{kind}_of<{', '.join(p.text for p in parts)}>"
            combine = np.logical_and if kind == "all" else np.logical_or

            def sees(q, k, s, t):
                result = parts[0].sees(q, k, s, t)
                for p in parts[1:]:
                    result = combine(result, p.sees(q, k, s, t))
                return result

            self.sees = sees


class Storage:
    """Where the keys and values of a source lie: in order, in pages of a pool, in a ring."""

    def __init__(self, r, keys):
        self.kind = r.choice(("in order",) * 6 + ("pages", "pages", "pages of heads", "ring", "ring of pages"))
        self.lengths = r.choice(("", "", "", "batches", "heads"))
        self.page, self.pool, self.index = r.choice((1, 2, 4, 5, 16, 32)), r.choice((1, 3, 20)), r.choice(("i32", "i64"))
        if self.paged():
            self.pages = -(-keys // self.page)
        self.keys = self.pages * self.page if self.paged() else keys

    def paged(self):
        return "pages" in self.kind

    def title(self):
        return (f"{self.keys}{' of each ' + self.lengths if self.lengths else ''} {self.kind}"
                f"{f' of {self.page} from {self.pool}' if self.paged() else ''}")

    def shape(self, b, g, depth):
        return (self.pool, g, self.page, depth) if self.paged() else (b, g, self.keys, depth)

    def operands(self, b, g):
        """Keyword, shape and element type of each operand beside keys and values; their draws are in `draw`."""
        if self.paged():
            yield "pages", (b, g, self.pages) if "heads" in self.kind else (b, self.pages), self.index
        if "ring" in self.kind:
            yield "start", (b,), self.index
        if self.lengths:
            yield "lengths", (b, g) if self.lengths == "heads" else (b,), "i64"

    def draw(self, r, keyword, shape):
        high = {"pages": self.pool + 2, "start": self.keys + 3, "lengths": self.keys + 2}[keyword]
        return r.integers(-1, high, shape)

    def read(self, values, b, g):
        """Keys and values in order, [b, g, keys, depth], and how many there are, [b, g], from an iterator over arguments."""
        stored = [next(values), next(values)]
        at = {keyword: next(values).astype(int) for keyword, _, _ in self.operands(b, g)}
        place = np.broadcast_to(np.arange(self.keys), (b, g, self.keys))
        if "start" in at and self.keys:
            place = (place + np.maximum(at["start"], 0)[:, None, None]) % self.keys
        page, batch, head = np.arange(b)[:, None, None], np.arange(b)[:, None, None], np.arange(g)[None, :, None]
        if self.paged():
            table = at["pages"] if at["pages"].ndim == 3 else np.broadcast_to(at["pages"][:, None], (b, g, self.pages))
            page, place = np.clip(table[batch, head, place // self.page], 0, self.pool - 1), place % self.page
        count = at.get("lengths", np.full((b, g), self.keys))
        count = np.broadcast_to(count if count.ndim == 2 else count[:, None], (b, g))
        return *(x[page, head, place] for x in stored), np.clip(count, 0, self.keys)


class Case:
    def __init__(self, seed):
        r = self.random = random.Random(seed)
        self.dtype = r.choice(("f32", "f32", "f32", "f16", "bf16", "f64"))
        self.b, self.g = r.choice((1, 1, 2, 3)), r.choice((1, 2, 3))
        self.h = self.g * r.choice((1, 1, 2, 4))
        self.s = r.choice([1, 1] + SIZES)
        self.d, self.e = r.choice((1, 3, 8, 16, 40, 64)), r.choice((1, 5, 8, 16, 33, 64))
        if r.random() < 0.04:
            setattr(self, r.choice("bse"), 0)
        self.score, self.normalizer = r.choice(SCORES), r.choice(NORMALIZERS)
        self.sink = self.normalizer == "softmax" and r.random() < 0.3
        self.dynamic = r.random() < 0.4
        self.sources = []
        for _ in range(r.choice((1, 1, 1, 2))):
            t = r.choice(SIZES + [0, 300]) if r.random() < 0.2 else r.choice(SIZES)
            storage = Storage(r, t)
            self.sources.append((storage.keys, Mask(r) if r.random() < 0.7 else None, storage))
        # A bias over keys fits one source.
        if len({t for t, _, _ in self.sources}) > 1 and self.score in ("bias", "relative"):
            self.score = "scale"

    def title(self):
        masks = " + ".join(f"{storage.title()} {mask.text if mask else 'dense'}" for _, mask, storage in self.sources)
        return (f"{self.dtype} {'dynamic ' if self.dynamic else ''}b{self.b} h{self.h}/{self.g} s{self.s} d{self.d} e{self.e} "
                f"{self.score} {self.normalizer}{' with a sink' if self.sink else ''} over {masks}")

    def type(self, shape, element, dims=None):
        named = ["?" if self.dynamic and (dims is None or i in dims) else str(n) for i, n in enumerate(shape)]
        return "tensor<" + "x".join(named + [element]) + ">"

    def mlir(self):
        element, sums = self.dtype, "f64" if self.dtype == "f64" else "f32"
        q, o = self.type((self.b, self.h, self.s, self.d), element, (0, 2)), self.type((self.b, self.h, self.s, self.e), element, (0, 2))
        arguments, lines, names = [f"%q: {q}"], [], []
        for i, (t, mask, storage) in enumerate(self.sources):
            k, v = (self.type(storage.shape(self.b, self.g, depth), element, (0, 2)) for depth in (self.d, self.e))
            arguments += [f"%k{i}: {k}", f"%v{i}: {v}"]
            text, types = "", ""
            for keyword, shape, index in storage.operands(self.b, self.g):
                kind, name = self.type(shape, index, (0, len(shape) - 1) if keyword == "pages" else (0,)), f"%{keyword}{i}"
                arguments.append(f"{name}: {kind}")
                text += f" lengths {name}" if keyword == "lengths" else f" {keyword}({name} : {kind})"
                types = f", {kind}" if keyword == "lengths" else ""
            text += f" mask({mask.text})" if mask else ""
            lines.append(f"  %s{i} = tenon.kv_source %k{i}, %v{i}{text} : {k}, {v}{types}")
            names.append(f"%s{i}")
        extra, block, t, sink = "", "", self.sources[0][0], ""
        if self.sink:
            arguments.append(f"%z: tensor<{self.h}x{sums}>")
            sink = f" sink(%z : tensor<{self.h}x{sums}>)"
        if self.score in ("bias", "relative", "headwise"):
            shape, maps = {"bias": ((self.b, 1, self.s, t), "(b, 0, q, k)"), "relative": ((self.h, t), "(h, k)"), "headwise": ((self.h,), "(h)")}[self.score]
            kept = {"bias": (0, 2, 3), "relative": (1,), "headwise": ()}[self.score]
            kind = self.type(shape, sums, kept)
            arguments.append(f"%x: {kind}")
            extra = f" extras(%x : {kind}) maps [affine_map<(b, h, q, k) -> {maps}>]"
            block = f", %y: {sums}"
        body = {"plain": [], "scale": ["%r = arith.mulf %a, %scale"], "bias": ["%r = arith.addf %a, %y"], "relative": ["%r = arith.addf %a, %y"],
                "headwise": ["%r = arith.mulf %a, %y"], "softcap": ["%c0 = arith.mulf %a, %scale", "%c1 = math.tanh %c0", "%r = arith.divf %c1, %scale"],
                "alibi": ["%r = arith.addf %a, %slope"]}[self.score]
        body = [f"    {line} : {sums}" for line in body]
        if self.score == "alibi":
            body = [f"    %d = arith.subi %i, %j : index", "    %n = arith.index_cast %d : index to i32", f"    %f = arith.sitofp %n : i32 to {sums}",
                    f"    %slope = arith.mulf %f, %scale : {sums}"] + body
        made = []
        for dim in ((0, 2) if self.dynamic else ()):
            made += [f"  %i{dim} = arith.constant {dim} : index", f"  %n{dim} = tensor.dim %q, %i{dim} : {q}"]
        sizes = ", ".join(f"%n{dim}" for dim in ((0, 2) if self.dynamic else ()))
        return "\n".join(
            [f"func.func @main({', '.join(arguments)}) -> {o} {{", f"  %scale = arith.constant 0.25 : {sums}"] + made + [f"  %e = tensor.empty({sizes}) : {o}"]
            + lines + [f"  %r = tenon.attention {self.normalizer} %q sources({', '.join(names)}){sink}{extra} outs(%e : {o}) : {q} {{",
                       f"  ^bb0(%a: {sums}, %b: index, %h: index, %i: index, %j: index{block}):"] + body
            + [f"    tenon.yield {'%r' if body else '%a'} : {sums}", f"  }} -> {o}", f"  return %r : {o}", "}"]) + "\n"

    def arguments(self):
        r, kind = np.random.default_rng(self.random.randrange(1 << 30)), numpy_type(self.dtype)
        draw = lambda *shape: r.normal(size=shape).astype(kind)
        values = [draw(self.b, self.h, self.s, self.d)]
        for t, _, storage in self.sources:
            values += [draw(*storage.shape(self.b, self.g, depth)) for depth in (self.d, self.e)]
            for keyword, shape, index in storage.operands(self.b, self.g):
                values.append(storage.draw(r, keyword, shape).astype({"i32": np.int32, "i64": np.int64}[index]))
        t, sums = self.sources[0][0], np.float64 if self.dtype == "f64" else np.float32
        if self.sink:
            values.append((3 * r.normal(size=self.h)).astype(sums))
        shape = {"bias": (self.b, 1, self.s, t), "relative": (self.h, t), "headwise": (self.h,)}.get(self.score)
        return values + ([r.normal(size=shape).astype(sums)] if shape else [])

    def expected(self, arguments):
        values = [np.asarray(a, np.float64) for a in arguments]
        rest = iter(values)
        q, scores, seen, vs = next(rest), [], [], []
        for t, mask, storage in self.sources:
            k, v, count = (np.repeat(x, self.h // self.g, axis=1) for x in storage.read(rest, self.b, self.g))
            a = np.einsum("bhsd,bhtd->bhst", q, k)
            i, j = np.arange(self.s)[:, None], np.arange(t)[None, :]
            x = values[-1] if self.score in ("bias", "relative", "headwise") else None
            if self.score == "scale":
                a = a * 0.25
            elif self.score == "bias":
                a = a + x
            elif self.score == "relative":
                a = a + x[None, :, None, :]
            elif self.score == "headwise":
                a = a * x[None, :, None, None]
            elif self.score == "softcap":
                a = np.tanh(a * 0.25) / 0.25
            elif self.score == "alibi":
                a = a + (i - j) * 0.25
            pairs = np.zeros((self.b, self.h, self.s, t), bool)
            for b, h in np.ndindex(self.b, self.h):
                pairs[b, h] = (j < count[b, h]) & (mask.sees(i, j, self.s, count[b, h]) if mask else True)
            scores.append(a)
            seen.append(pairs)
            vs.append(v)
        a, m, v = np.concatenate(scores, 3), np.concatenate(seen, 3), np.concatenate(vs, 2)
        if self.normalizer == "softmax":
            sink = next(rest)[None, :, None, None] if self.sink else -np.inf
            top = np.maximum(np.max(np.where(m, a, -np.inf), axis=3, keepdims=True, initial=-np.inf), sink)
            top = np.where(np.isfinite(top), top, 0)
            w = np.where(m, np.exp(a - top), 0)
            total = w.sum(3, keepdims=True) + np.exp(sink - top)
            w = w / np.where(total == 0, 1, total)
        else:
            w = np.where(m, {"sigmoid": lambda a: 1 / (1 + np.exp(-a)), "relu": lambda a: np.maximum(a, 0), "none": lambda a: a}[self.normalizer](a), 0)
        return np.einsum("bhst,bhte->bhse", w, v)

    def tolerance(self, expected):
        step = {"f32": 2e-5, "f64": 1e-12, "f16": 2e-3, "bf16": 1.6e-2}[self.dtype]
        return step * max(1.0, float(np.abs(expected).max(initial=0)))


TIMED = (("dense", 8, 1024, 1024, 64, ""), ("causal", 8, 1024, 1024, 64, " mask(#tenon.causal)"),
         ("window of 256", 8, 1024, 1024, 64, " mask(#tenon.window<256, 0>)"), ("one query", 32, 1, 4096, 128, ""))


def measure(targets):
    """Milliseconds of a few attentions on one thread, the best of ten calls."""
    import time

    import tenon

    for target in targets:
        for name, heads, queries, keys, depth, mask in TIMED:
            q, k = f"tensor<1x{heads}x{queries}x{depth}xf32>", f"tensor<1x{heads}x{keys}x{depth}xf32>"
            with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
                file.write(f"""func.func @main(%q: {q}, %k: {k}, %v: {k}) -> {q} {{
  %scale = arith.constant 0.125 : f32
  %e = tensor.empty() : {q}
  %s = tenon.kv_source %k, %v{mask} : {k}, {k}
  %r = tenon.attention softmax %q sources(%s) outs(%e : {q}) : {q} {{
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index):
    %y = arith.mulf %a, %scale : f32
    tenon.yield %y : f32
  }} -> {q}
  return %r : {q}
}}
""")
                file.flush()
                model = tenon.compile(file.name, threads=1, target=target)
            r, best = np.random.default_rng(0), float("inf")
            inputs = [r.normal(size=(1, heads, n, depth)).astype(np.float32) for n in (queries, keys, keys)]
            for _ in range(10):
                start = time.perf_counter()
                model(*inputs)
                best = min(best, time.perf_counter() - start)
            print(f"{target} {name}: {best * 1e3:.2f} ms, {4 * heads * queries * keys * depth / best / 1e9:.0f} GFLOP/s of all pairs, "
                  f"{8 * heads * keys * depth / best / 1e9:.1f} GB/s of keys and values", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--time", action="store_true", help="time a few attentions instead")
    parser.add_argument("--targets", default="host,x86-64-v3")
    options = parser.parse_args()
    if options.print is not None:
        print(Case(options.seed * 100000 + options.print).mlir())
        return 0
    if options.time:
        return measure(options.targets.split(","))
    import tenon

    bad = done = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count) if options.only is None else [options.only]:
            case = Case(options.seed * 100000 + number)
            if options.list:
                print(number, case.title(), flush=True)
            path = os.path.join(folder, f"attention{number}.mlir")
            with open(path, "w") as file:
                file.write(case.mlir())
            arguments = case.arguments()
            expected = case.expected(arguments)
            for target in options.targets.split(","):
                done += 1
                try:
                    result = np.asarray(tenon.compile(path, threads=1, target=target)(*arguments), np.float64)
                except tenon.Error as error:
                    print(f"case {number} for {target} ({case.title()}): {str(error).splitlines()[0]}", flush=True)
                    bad += 1
                    continue
                worst = np.abs(result - expected).max(initial=0) if result.shape == expected.shape else np.inf
                if not worst <= case.tolerance(expected):
                    print(f"case {number} for {target} ({case.title()}): off by {worst:.3g}", flush=True)
                    bad += 1
    print(f"{done - bad} equal, {bad} not, of {done}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
