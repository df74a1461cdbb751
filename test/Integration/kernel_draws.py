#!/usr/bin/env python3
"""Generated kernels without contractions, and the expanded math functions: compiled code against NumPy.

Draws element-wise kernels (broadcasts, permutations), reductions, conversions and transposes of odd, empty and dynamic shapes in all
element types from a seed, runs them through tiling, bufferization and expansion (tenon-opt), lowers the rest with LLVM's own tools,
and compares. Bytes around the results must stay. `--math` measures the math functions in ulp instead.
Needs no driver: it tests lib/Transforms/Tiling alone.
"""
import argparse
import ctypes
import os
import random
import re
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

LLVM = "/usr/lib/llvm-22/bin/"
TENON_OPT = os.path.join(os.environ.get("TENON_BUILD", os.path.join(os.path.dirname(__file__), "../../build")), "bin/tenon-opt")
TILE = ["--tenon-tile-generic", "--tenon-bufferize-kernels", "--tenon-check-tiled", "--tenon-expand-linalg", "--cse",
        "--canonicalize", "--tenon-expand-math"]
LOWER = ("builtin.module(func.func(scf-forall-to-for,buffer-loop-hoisting),lower-affine,convert-vector-to-scf,expand-strided-metadata,"
         "lower-affine,canonicalize,cse,convert-scf-to-cf,convert-vector-to-llvm,convert-math-to-llvm,arith-expand,"
         "finalize-memref-to-llvm,convert-index-to-llvm,convert-arith-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,"
         "convert-ub-to-llvm,reconcile-unrealized-casts)")
TARGETS = {"x86-64-v3": 256, "x86-64-v4": 512}
TYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64, "i8": np.int8, "i16": np.int16,
         "i32": np.int32, "i64": np.int64, "i1": np.bool_, "f8E5M2": ml_dtypes.float8_e5m2, "f8E4M3FN": ml_dtypes.float8_e4m3fn,
         "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz, "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz}
SIZES = [1, 2, 3, 5, 7, 8, 16, 17, 31, 33, 40, 64, 65, 100, 130]


def run_tool(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def compile_kernels(text, cpu, folder):
    """A shared object of the kernels, with one C argument per word of the memref descriptors."""
    target = (f'#tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "{cpu}", features = "", vector_bits = {TARGETS[cpu]}, '
              "vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>")
    tiled = run_tool([TENON_OPT, *TILE, "-"], f"module attributes {{tenon.target = {target}}} {{\n{text}\n}}")
    tiled = re.sub(r"tenon\.(schedule|target) = #tenon\.\w+<[^>]*>,? ?|tenon\.copies = \d+ : i64,? ?|tenon\.kernel,? ?", "", tiled)
    lowered = run_tool([LLVM + "mlir-opt", "--pass-pipeline=" + LOWER, "-"], tiled)
    source, shared = os.path.join(folder, cpu + ".ll"), os.path.join(folder, cpu + ".so")
    with open(source, "w") as file:
        file.write(run_tool([LLVM + "mlir-translate", "--mlir-to-llvmir"], lowered))
    run_tool([LLVM + "clang", "-O2", "-march=" + cpu, "-fno-unroll-loops", "-fPIC", "-shared", "-Wno-override-module", "-x", "ir",
              source, "-o", shared], "")
    undefined = {line.split()[-1].split("@")[0] for line in run_tool(["nm", "-uD", shared], "").splitlines() if " U " in line}
    extra = undefined - {"malloc", "memset", "memcpy", "memmove"}
    if extra:
        sys.exit(f"{cpu}: library calls are left: {sorted(extra)}")
    return ctypes.CDLL(shared)


def call(library, name, arrays):
    words = []
    for array in arrays:
        pointer = ctypes.c_void_p(array.ctypes.data)
        strides = [int(np.prod(array.shape[dim + 1:])) for dim in range(array.ndim)]
        words += [pointer, pointer, ctypes.c_int64(0), *map(ctypes.c_int64, array.shape), *map(ctypes.c_int64, strides)]
    getattr(library, name)(*words)


class Draw:
    """Kernels as text, each with inputs and expected outputs."""

    def __init__(self, seed):
        self.random, self.numpy, self.text, self.cases = random.Random(seed), np.random.default_rng(seed), "", []

    def shape(self, rank):
        while True:
            sizes = [self.random.choice(SIZES) for _ in range(rank)]
            if self.random.random() < 0.05:
                sizes[self.random.randrange(rank)] = 0
            if np.prod(sizes) < 60000:
                return sizes

    def values(self, shape, kind):
        if kind == "i1":
            return np.asarray(self.numpy.integers(0, 2, shape)).astype(bool)
        if kind[0] == "i":
            return np.asarray(self.numpy.integers(-50, 50, shape)).astype(TYPES[kind])
        return np.asarray(self.numpy.standard_normal(shape) * 3).astype(TYPES[kind])

    def type(self, shape, kind, dynamic=None):
        dims = ["?" if dynamic and dynamic[dim] else str(size) for dim, size in enumerate(shape)]
        return "tensor<" + "".join(dim + "x" for dim in dims) + kind + ">"

    def add(self, algorithm, inputs, types, result, body, expected, tolerance=0.0, note=""):
        name = f"k{len(self.cases)}"
        arguments = ", ".join(f"%x{i}: {t}" for i, t in enumerate(types))
        self.text += (f"func.func @{name}({arguments}, %o: {result}) -> {result} attributes {{tenon.kernel, tenon.schedule = "
                      f'#tenon.schedule<algorithm = "{algorithm}">}} {{\n{body}\n return %d : {result}\n}}\n')
        self.cases.append((name, inputs, np.asarray(expected), tolerance, f"{algorithm} {types} -> {result} {note}"))

    @staticmethod
    def map(rank, dims):
        return f"affine_map<({', '.join(f'd{i}' for i in range(rank))}) -> ({', '.join(f'd{i}' for i in dims)})>"

    def dynamic(self, shape):
        chance = self.random.choice([0, 0, 1, 0.5])
        return [self.random.random() < chance for _ in shape]

    def generic(self, maps, iterators, types, kinds, result, init, scalar):
        block = ", ".join(f"%a{i}: {kind}" for i, kind in enumerate(kinds))
        operands = ", ".join(f"%x{i}" for i in range(len(types)))
        return (f" %d = linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{', '.join(iterators)}]}} "
                f"ins({operands} : {', '.join(types)}) outs({init} : {result}) {{\n ^bb0({block}):\n{scalar}\n"
                f"  linalg.yield %r : {kinds[-1]}\n }} -> {result}")

    def elementwise(self):
        rank = self.random.randint(1, 4)
        shape, kind = self.shape(rank), self.random.choice(list(TYPES))
        dynamic, keep = self.dynamic(shape), [dim for dim in range(rank) if self.random.random() < 0.6]
        order = list(range(rank))
        if self.random.random() < 0.5:
            self.random.shuffle(order)
        pick = lambda dims: ([shape[dim] for dim in dims], [dynamic[dim] for dim in dims])
        x, y = self.values(pick(order)[0], kind), self.values(pick(keep)[0], kind)
        op = "arith.xori" if kind == "i1" else "arith.addi" if kind[0] == "i" else "arith.addf"
        left = x.transpose(np.argsort(order))
        right = y.reshape([shape[dim] if dim in keep else 1 for dim in range(rank)])
        if kind == "i1":
            expected = left ^ right
        elif kind[0] == "i":
            expected = left + right
        else:
            wide = np.float64 if kind == "f64" else np.float32
            expected = (left.astype(wide) + right.astype(wide)).astype(TYPES[kind])
        types = [self.type(*pick(order)[:1], kind, pick(order)[1]), self.type(*pick(keep)[:1], kind, pick(keep)[1])]
        result = self.type(shape, kind, dynamic)
        body = self.generic([self.map(rank, order), self.map(rank, keep), self.map(rank, range(rank))], ['"parallel"'] * rank, types,
                            [kind] * 3, result, "%o", f"  %r = {op} %a0, %a1 : {kind}")
        self.add("elementwise", [x, y], types, result, body, np.broadcast_to(expected, shape), note=f"order {order} keep {keep}")

    def reduction(self):
        rank = self.random.randint(1, 4)
        shape, kind = self.shape(rank), self.random.choice(["f32", "f64", "f16", "bf16", "i32", "i64"])
        dynamic = self.dynamic(shape)
        gone = [dim for dim in range(rank) if self.random.random() < 0.5] or [self.random.randrange(rank)]
        keep = [dim for dim in range(rank) if dim not in gone]
        sum_kind = "f32" if kind in ("f16", "bf16") else kind
        infinity = "0xFFF0000000000000" if sum_kind == "f64" else "0xFF800000"
        op, start, fold, initial = self.random.choice(
            [("addi", "0", np.sum, 0), ("maxsi", "-100", np.max, -100)] if kind[0] == "i" else
            [("addf", "0.0", np.sum, 0), ("maximumf", infinity, np.max, -np.inf)])
        x = self.values(shape, kind)
        expected = fold(x.astype(np.int64 if kind[0] == "i" else np.float64), axis=tuple(gone), initial=initial).astype(TYPES[sum_kind])
        types = [self.type(shape, kind, dynamic)]
        result = self.type([shape[dim] for dim in keep], sum_kind, [dynamic[dim] for dim in keep])
        extend = f"  %e = arith.extf %a0 : {kind} to {sum_kind}\n" if sum_kind != kind else ""
        body = (f" %s = arith.constant {start} : {sum_kind}\n %f = linalg.fill ins(%s : {sum_kind}) outs(%o : {result}) -> {result}\n" +
                self.generic([self.map(rank, range(rank)), self.map(rank, keep)],
                             ['"reduction"' if dim in gone else '"parallel"' for dim in range(rank)], types, [kind, sum_kind], result,
                             "%f", f"{extend}  %r = arith.{op} {'%e' if extend else '%a0'}, %a1 : {sum_kind}"))
        self.add("rows", [x], types, result, body, expected, 1e-3, f"over {gone} {op}")

    def conversion(self):
        floats = [kind for kind in TYPES if kind[0] in "fb"]
        width = lambda kind: 8 if kind.startswith("f8") else int(kind.lstrip("bf"))
        source, target = self.random.sample(floats, 2)
        if width(source) == width(target):
            return
        shape = self.shape(self.random.randint(1, 3))
        x, rank = self.values(shape, source), len(shape)
        types, result = [self.type(shape, source)], self.type(shape, target)
        op = "extf" if width(target) > width(source) else "truncf"
        body = self.generic([self.map(rank, range(rank))] * 2, ['"parallel"'] * rank, types, [source, target], result, "%o",
                            f"  %r = arith.{op} %a0 : {source} to {target}")
        with np.errstate(all="ignore"):
            self.add("elementwise", [x], types, result, body, x.astype(np.float64).astype(TYPES[target]))

    def transpose(self):
        rank = self.random.randint(2, 4)
        shape, kind, order = self.shape(rank), self.random.choice(list(TYPES)), list(range(rank))
        self.random.shuffle(order)
        x = self.values(shape, kind)
        types, result = [self.type(shape, kind)], self.type([shape[dim] for dim in order], kind)
        body = f" %d = linalg.transpose ins(%x0 : {types[0]}) outs(%o : {result}) permutation = {order}"
        self.add("copy", [x], types, result, body, x.transpose(order))


def check(library, cases):
    failures = 0
    for name, inputs, expected, tolerance, note in cases:
        guarded = np.full(128 + expected.nbytes, 0xAB, np.uint8)
        result = guarded[64:64 + expected.nbytes].view(expected.dtype).reshape(expected.shape)
        result[...] = np.zeros((), expected.dtype)
        call(library, name, [*inputs, result])
        if expected.dtype.kind in "biu":
            good = np.array_equal(result, expected)
        else:
            good = np.allclose(result.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance, equal_nan=True)
        if not good or (guarded[:64] != 0xAB).any() or (guarded[-64:] != 0xAB).any():
            failures += 1
            print("FAIL" if not good else "WROTE OUTSIDE", note)
    return failures


FUNCTIONS = {"exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10,
             "tanh": np.tanh, "erf": None, "sin": np.sin, "cos": np.cos, "tan": np.tan, "atan": np.arctan, "asin": np.arcsin,
             "acos": np.arccos, "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
             "cbrt": np.cbrt, "rsqrt": lambda x: 1 / np.sqrt(x)}
#: Forms with a lowering of their own: the body of the kernel, from %a to %r, and what it computes.
FORMS = {"exp_nonpositive": ("  %p = math.absf %a : f32\n  %n = arith.negf %p : f32\n  %r = math.exp %n {tenon.nonpositive} : f32\n",
                             lambda x: np.exp(-np.abs(x))),
         **{f"pow_{power.replace('.', '_')}": (f"  %y = arith.constant {power} : f32\n  %r = math.powf %a, %y : f32\n",
                                              lambda x, power=power: np.power(x, float(power))) for power in ("0.25", "0.5", "0.75", "1.5")}}


def check_math(cpu, folder, limit=2.0):
    """Every function on f32 within `limit` ulp, NaN and infinity where they belong."""
    import math
    functions = {name: (f"  %r = math.{name} %a : f32\n", function) for name, function in FUNCTIONS.items()}
    functions["erf"] = (functions["erf"][0], np.vectorize(math.erf))
    functions.update(FORMS)
    text = ""
    for name, (body, _) in functions.items():
        text += (f"func.func @{name}_(%x: tensor<?xf32>, %o: tensor<?xf32>) -> tensor<?xf32> attributes {{tenon.kernel}} {{\n"
                 " %d = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = [\"parallel\"]}"
                 f" ins(%x : tensor<?xf32>) outs(%o : tensor<?xf32>) {{\n ^bb0(%a: f32, %b: f32):\n{body}"
                 "  linalg.yield %r : f32\n } -> tensor<?xf32>\n return %d : tensor<?xf32>\n}\n")
    library, failures, random_ = compile_kernels(text, cpu, folder), 0, np.random.default_rng(0)
    special = [0.0, -0.0, 1, -1, 0.5, 2, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 88, -88, -103, 104, 0.625]
    x = np.concatenate([special, random_.uniform(-1, 1, 4000), random_.uniform(-20, 20, 4000), random_.uniform(-110, 110, 4000),
                        random_.standard_normal(4000) * np.exp(random_.uniform(-30, 15, 4000))]).astype(np.float32)
    for name, (_, function) in functions.items():
        result = np.zeros_like(x)
        call(library, name + "_", [x, result])
        with np.errstate(all="ignore"):
            exact = function(x.astype(np.float64))
            rounded = exact.astype(np.float32)
        finite = np.isfinite(rounded) & np.isfinite(result)
        worst = (np.abs(result[finite] - exact[finite]) / np.spacing(np.abs(rounded[finite]))).max()
        same = np.array_equal(np.isnan(rounded), np.isnan(result)) and np.array_equal(np.isinf(rounded), np.isinf(result))
        failures += worst > limit or not same
        print(f"{name:8} {worst:.3f} ulp{'' if same else '  NaN or infinity differ'}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=25, help="kernels of each kind")
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--math", action="store_true")
    options = parser.parse_args()
    with open("/proc/cpuinfo") as info:
        wide = "avx512f" in info.read()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for cpu in options.target or (["x86-64-v3", "x86-64-v4"] if wide else ["x86-64-v3"]):
            if options.math:
                failures += check_math(cpu, folder)
                continue
            draw = Draw(options.seed)
            for _ in range(options.count):
                for kind in (draw.elementwise, draw.reduction, draw.conversion, draw.transpose):
                    kind()
            bad = check(compile_kernels(draw.text, cpu, folder), draw.cases)
            print(f"{cpu}: {len(draw.cases) - bad} of {len(draw.cases)} kernels agree")
            failures += bad
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
