#!/usr/bin/env python3
"""Generated contractions: compiled code against NumPy, for AVX2 and AVX-512 code.

Draws `--count` sums of products with linear indexing maps (permuted, broadcast, windows with strides and dilations; odd, empty and
dynamic extents; f32, f64, f16, i8 and i32; an epilogue with bias, residual, mask and maximum) from a seed. All numbers are
small integers, so that sums are exact in any order and results must be equal to the last bit. Half of the cases have a
factor that is a weight in a file, which may be packed at load. With `--small-caches` schedules are made for caches of a
few hundred bytes, so that reductions run by chunks.
"""
import argparse
import os
import random
import subprocess
import tempfile

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "i32": np.int32, "i1": np.bool_}


class Case:
    """One drawn contraction. Dims are numbers, parallel ones first; an index is a list of (coefficient, dim)."""

    def __init__(self, seed, long=False):
        """`long`: of fixed extents, the first reduction dim's long."""
        r = self.random = random.Random(seed)
        self.element, self.sum = r.choice((("f32", "f32"),) * 4 + (("f64", "f64"), ("f16", "f32"), ("f16", "f16"), ("i8", "i32"), ("i32", "i32")))
        parallels, reductions = r.randint(1, 4), r.randint(1, 3)
        self.parallels, self.loops = parallels, parallels + reductions
        while True:
            self.extents = [r.choice((1, 2, 3, 4, 5, 7, 8, 9, 14, 16, 17, 30, 33, 40, 65, 100)) for _ in range(self.loops)]
            if long:
                self.extents[parallels] = r.choice((64, 100, 129, 200))
            if np.prod(self.extents) < 2e6:
                break
        if r.random() < 0.05:
            self.extents[r.randrange(self.loops)] = 0
        sides = [r.choice(("l", "r", "l", "r", "lr")) for _ in range(parallels)] + [r.choice(("lr", "lr", "lr", "l", "r")) for _ in range(reductions)]
        self.maps = {}
        for side in "lr":
            index = [[(1, d)] for d in range(self.loops) if side in sides[d]]
            r.shuffle(index)
            if r.random() < 0.5:
                index.sort(key=lambda terms: terms[0][1])
            self.maps[side] = index
        # A window: a parallel dim and a reduction dim, which stands alone on the other side, in one index.
        for p in range(parallels):
            q = r.randrange(parallels, self.loops)
            alone = all([(1, q)] in self.maps[s] for s in "lr")
            if r.random() < 0.5 and alone and len(sides[p]) == 1 and self.extents[p] and self.extents[q]:
                index = self.maps[sides[p]]
                index[index.index([(1, p)])] = [(r.choice((1, 1, 2, 3)), p), (r.choice((1, 1, 2)), q)]
                index.remove([(1, q)])
        self.maps["o"] = [[(1, d)] for d in range(parallels)]
        if r.random() < 0.2:
            r.shuffle(self.maps["o"])
        self.epilogue = [kind for kind in ("bias", "residual", "mask", "maximum") if r.random() < 0.4]
        out = [t[0][1] for t in self.maps["o"]]
        self.maps["bias"] = [[(1, d)] for d in r.sample(out, r.randint(0, len(out)))]
        self.maps["residual"] = self.maps["mask"] = self.maps["o"]
        self.dynamic = {name for name in "lr" if r.random() < 0.3 and not long}
        self.weight = r.choice([name for name in "lr" if name not in self.dynamic] + [None])

    def size(self, terms):
        return sum(c * (self.extents[d] - 1) for c, d in terms) + 1

    def shape(self, name):
        return [self.size(terms) for terms in self.maps[name]]

    def dim_source(self, dim):
        """(argument, position) of a dynamic dim, or None."""
        for name in sorted(self.dynamic):
            if [(1, dim)] in self.maps[name]:
                return name, self.maps[name].index([(1, dim)])
        return None

    def type(self, name, element):
        dims = []
        for terms, size in zip(self.maps[name], self.shape(name)):
            dynamic = name in self.dynamic or (name not in "lr" and self.dim_source(terms[0][1]))
            dims.append("?" if dynamic else str(size))
        return "tensor<" + "x".join(dims + [element]) + ">"

    def inputs(self):
        return [("l", self.element), ("r", self.element)] + [
            (kind, "i1" if kind == "mask" else self.sum) for kind in self.epilogue if kind != "maximum"]

    def mlir(self, archive="weight.bin"):
        names = [f"d{d}" for d in range(self.loops)]
        text = lambda terms, names: " + ".join(n if c == 1 else f"{n} * {c}" for c, n in ((c, names[d]) for c, d in terms))
        amap = lambda index, names: f"affine_map<({', '.join(names)}) -> ({', '.join(text(t, names) for t in index)})>"
        out, kind = self.type("o", self.sum), "f" if self.sum[0] == "f" else "i"
        lines, inputs = [], [(n, e) for n, e in self.inputs() if n != self.weight]
        if self.weight:
            length = int(np.prod(self.shape(self.weight))) * np.dtype(DTYPES[self.element]).itemsize
            type = self.type(self.weight, self.element)
            lines += [f'tenon.weight @weight from "{archive}" at 0 length {length} : {type}']
        lines += [f"func.func @main({', '.join(f'%{n}: {self.type(n, e)}' for n, e in inputs)}) -> {out} {{"]
        if self.weight:
            lines += [f"  %{self.weight} = tenon.load_weight @weight : {type}"]
        sizes = []
        for position, terms in enumerate(self.maps["o"]):
            if source := self.dim_source(terms[0][1]):
                name, at = source
                lines += [f"  %c{position} = arith.constant {at} : index",
                          f"  %s{position} = tensor.dim %{name}, %c{position} : {self.type(name, self.element)}"]
                sizes.append(f"%s{position}")
        zero = "0.0" if kind == "f" else "0"
        lines += [f"  %zero = arith.constant {zero} : {self.sum}", f"  %e = tensor.empty({', '.join(sizes)}) : {out}",
                  f"  %f = linalg.fill ins(%zero : {self.sum}) outs(%e : {out}) -> {out}"]
        kinds = ", ".join(['"parallel"'] * self.parallels + ['"reduction"'] * (self.loops - self.parallels))
        lines += [f"  %t0 = linalg.generic {{indexing_maps = [{', '.join(amap(self.maps[n], names) for n in 'lro')}], iterator_types = [{kinds}]}}",
                  f"      ins(%l, %r : {self.type('l', self.element)}, {self.type('r', self.element)}) outs(%f : {out}) {{",
                  f"  ^bb0(%x: {self.element}, %y: {self.element}, %s: {self.sum}):"]
        x, y = "%x", "%y"
        if self.element != self.sum:
            cast = "extf" if kind == "f" else "extsi"
            lines += [f"    %xe = arith.{cast} %x : {self.element} to {self.sum}", f"    %ye = arith.{cast} %y : {self.element} to {self.sum}"]
            x, y = "%xe", "%ye"
        lines += [f"    %p = arith.mul{kind} {x}, {y} : {self.sum}", f"    %q = arith.add{kind} %s, %p : {self.sum}",
                  f"    linalg.yield %q : {self.sum}", f"  }} -> {out}"]
        order = {terms[0][1]: f"i{position}" for position, terms in enumerate(self.maps["o"])}
        loops = [f"i{position}" for position in range(self.parallels)]
        same = f"affine_map<({', '.join(loops)}) -> ({', '.join(loops)})>"
        for step, what in enumerate(self.epilogue):
            element = "i1" if what == "mask" else self.sum
            inputs, maps, arguments = [f"%t{step} : {out}"], [same], [f"%x: {self.sum}"]
            if what != "maximum":
                results = ", ".join(order[t[0][1]] for t in self.maps[what])
                inputs.append(f"%{what} : {self.type(what, element)}")
                maps.append(f"affine_map<({', '.join(loops)}) -> ({results})>")
                arguments.append(f"%y: {element}")
            operation = {"mask": f"arith.select %y, %x, %zero : {self.sum}",
                         "maximum": f"arith.max{'imum' if kind == 'f' else 's'}{kind} %x, %zero : {self.sum}"}
            parallel = ", ".join(['"parallel"'] * self.parallels)
            operands, types = ", ".join(i.split(" : ")[0] for i in inputs), ", ".join(i.split(" : ")[1] for i in inputs)
            lines += [f"  %t{step + 1} = linalg.generic {{indexing_maps = [{', '.join(maps)}, {same}], iterator_types = [{parallel}]}}",
                      f"      ins({operands} : {types}) outs(%e : {out}) {{", f"  ^bb0({', '.join(arguments)}, %_: {self.sum}):",
                      f"    %v = {operation.get(what, f'arith.add{kind} %x, %y : {self.sum}')}", f"    linalg.yield %v : {self.sum}",
                      f"  }} -> {out}"]
        return "\n".join(lines + [f"  return %t{len(self.epilogue)} : {out}", "}"]) + "\n"

    def arguments(self):
        r = np.random.default_rng(self.random.randrange(1 << 30))
        return [r.integers(0, 2, self.shape(n)).astype(bool) if e == "i1" else r.integers(-2, 3, self.shape(n)).astype(DTYPES[e])
                for n, e in self.inputs()]

    def expected(self, arguments):
        wide = np.float64 if self.sum[0] == "f" else np.int64
        given = {name: a for (name, _), a in zip(self.inputs(), arguments)}

        def over(name, dims, values):
            strides = [sum(c * values.strides[i] for i, terms in enumerate(self.maps[name]) for c, e in terms if e == d) for d in dims]
            return np.lib.stride_tricks.as_strided(values, [self.extents[d] for d in dims], strides)

        every, out = list(range(self.loops)), [t[0][1] for t in self.maps["o"]]
        if 0 in self.extents:
            y = np.zeros(self.shape("o"), wide)
        else:
            l, r = (np.ascontiguousarray(given[n].astype(wide)) for n in "lr")
            y = np.einsum(over("l", every, l), every, over("r", every, r), every, out)
        for what in self.epilogue:
            if what == "maximum":
                y = np.maximum(y, 0)
            elif y.size:
                extra = np.ascontiguousarray(given[what])
                extra = over(what, out, extra)
                y = np.where(extra, y, 0) if what == "mask" else y + extra
        return y.astype(DTYPES[self.sum])


SMALL = """module attributes {{tenon.target = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = "",
    vector_bits = {bits}, vector_registers = {registers}, l1_bytes = 256, l2_bytes = 65536, l3_bytes = 1048576>}} {{
{text}}}
"""


def schedule_for_small_caches(module, bits):
    """The text of `module` with schedules for small caches."""
    opt = os.path.join(os.path.dirname(__file__), "..", "..", "build", "bin", "tenon-opt")
    text = SMALL.format(bits=bits, registers=32 if bits == 512 else 16, text=module)
    return subprocess.run([opt, "--tenon-optimize-program", "--tenon-make-kernels"], input=text, capture_output=True, text=True, check=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--small-caches", action="store_true", help="schedules for small caches: reductions by chunks")
    parser.add_argument("--targets", default="host,x86-64-v3")
    options = parser.parse_args()
    if options.print is not None:
        print(Case(options.seed * 100000 + options.print, options.small_caches).mlir())
        return 0
    import tenon

    bad = done = chunks = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count) if options.only is None else [options.only]:
            case = Case(options.seed * 100000 + number, options.small_caches)
            path = os.path.join(folder, f"contract{number}.mlir")
            arguments = case.arguments()
            expected = case.expected(arguments)
            if case.weight:
                arguments.pop("lr".index(case.weight)).tofile(path + ".bin")
            for target in options.targets.split(","):
                done += 1
                module = case.mlir(path + ".bin")
                if options.small_caches:
                    wide = "avx512bw" in open("/proc/cpuinfo").read() and (target, os.environ.get("TENON_TARGET", "host")) == ("host", "host")
                    module = schedule_for_small_caches(module, 512 if wide else 256)
                    chunks += module.count(", cache = [")
                with open(path, "w") as file:
                    file.write(module)
                try:
                    result = tenon.compile(path, threads=1, target=target)(*arguments)
                except tenon.Error as error:
                    print(f"case {number} for {target}: {str(error).splitlines()[0]}", flush=True)
                    bad += 1
                    continue
                if result.shape != expected.shape or not np.array_equal(result, expected):
                    print(f"case {number} for {target}: {np.count_nonzero(result != expected)} of {expected.size} elements differ", flush=True)
                    bad += 1
    if options.small_caches:
        print(f"{chunks} reductions by chunks")
    print(f"{done - bad} equal, {bad} not, of {done}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
