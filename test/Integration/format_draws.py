#!/usr/bin/env python3
"""Generated low-precision weights: compiled code against NumPy, for AVX2 and AVX-512 code.

Draws `--count` formats (1 to 8 bits, signed and unsigned, codebooks; groups of any size or none; offsets, zero points and minimums;
scales in f32 and f16 per group, column or tensor) with odd shapes from a seed. Half of them are dequantized alone, from arguments, and
must be equal to the last bit; the others are weights that a matmul of 1 to 9 rows decodes, compared within 1e-4.
"""
import argparse
import os
import random
import tempfile

import numpy as np

NUMPY = {"f32": np.float32, "f16": np.float16, "i8": np.int8}


class Case:
    def __init__(self, seed):
        r = random.Random(seed)
        data = np.random.default_rng(seed)
        self.fused = r.random() < 0.5
        self.rows, self.k, self.n = r.randint(1, 9), r.choice((1, 3, 8, 17, 32, 33, 64, 65, 96, 100, 128, 160)), r.choice((1, 2, 7, 16, 33, 48, 100))
        bits, signed, group = r.randint(1, 8), r.random() < 0.5, r.choice((0, 0, 1, 3, 4, 5, 8, 16, 24, 32, 32, 64, 128))
        codebook = not signed and bits <= 4 and r.random() < 0.3
        low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
        groups = -(-self.k // group) if group else 1
        fields, self.parts = [f"element = {'s' if signed else 'u'}i{bits}"], {}
        codes = data.integers(low, high, (self.k, self.n))
        value = codes.astype(np.float32)
        spread = lambda part: np.repeat(part, group, 0)[:self.k] if group else part
        shape = lambda: (groups, r.choice((1, self.n)))
        if codebook:
            book = data.integers(-20, 20, 1 << bits) / 4
            fields.append(f"codebook = [{', '.join(str(float(v)) for v in book)}]")
            value = book.astype(np.float32)[codes]
        elif r.random() < 0.4:
            offset = r.randint(-9, 9)
            fields.append(f"offset = {offset}")
            value = value - np.float32(offset)
        if not codebook and r.random() < 0.4:
            zero = data.integers(low, high, shape())
            fields.append(f"zero = {'s' if signed else 'u'}i{bits}")
            self.parts["zeros"] = zero.astype(np.uint8).view(np.int8)
            value = value - spread(zero.astype(np.float32))
        scaled, lifted = r.random() < 0.9 or (group and "zeros" not in self.parts), r.random() < 0.3
        scale, minimum = (data.standard_normal(shape()).astype(NUMPY[t]) for t in (r.choice(("f32", "f16")), r.choice(("f32", "f16"))))
        if scaled:
            fields.append(f"scale = {self.name(scale)}")
            value = value * spread(scale.astype(np.float32))
        if lifted:
            fields.append(f"minimum = {self.name(minimum)}")
            value = value + spread(minimum.astype(np.float32))
        self.parts = {**({"scales": scale} if scaled else {}), **self.parts, **({"minimums": minimum} if lifted else {})}
        self.format = ", ".join(fields + ([f"group = {group}"] if group else []))
        self.codes, self.value = codes.astype(np.uint8).view(np.int8), value.astype(np.float32)
        self.x = data.standard_normal((self.rows, self.k)).astype(np.float32)

    @staticmethod
    def name(array):
        return next(name for name, type in NUMPY.items() if array.dtype == type)

    def type(self, array):
        return "tensor<" + "x".join(map(str, array.shape)) + f"x{self.name(array)}>"

    def mlir(self, archive):
        k, n, rows = self.k, self.n, self.rows
        values = f"tensor<{k}x{n}xf32>"
        stored = {"codes": self.codes, **self.parts}
        operands = " ".join(f"{name} %{name} : {self.type(part)}" for name, part in self.parts.items())
        dequantize = f"  %w = tenon.dequantize %codes {operands} axis 0 format <{self.format}> : {self.type(self.codes)} -> {values}"
        if not self.fused:
            arguments = ", ".join(f"%{name}: {self.type(part)}" for name, part in stored.items())
            return f"func.func @main({arguments}) -> {values} {{\n{dequantize}\n  return %w : {values}\n}}\n"
        lines, loads, offset = [], [], 0
        for name, part in stored.items():
            lines.append(f'tenon.weight @{name} from "{archive}" at {offset} length {part.nbytes} : {self.type(part)}')
            loads.append(f"  %{name} = tenon.load_weight @{name} : {self.type(part)}")
            offset += part.nbytes
        x, y = f"tensor<{rows}x{k}xf32>", f"tensor<{rows}x{n}xf32>"
        lines += [f"func.func @main(%x: {x}) -> {y} {{", *loads, dequantize, "  %zero = arith.constant 0.0 : f32",
                  f"  %e = tensor.empty() : {y}", f"  %f = linalg.fill ins(%zero : f32) outs(%e : {y}) -> {y}",
                  f"  %y = linalg.matmul ins(%x, %w : {x}, {values}) outs(%f : {y}) -> {y}", f"  return %y : {y}", "}"]
        return "\n".join(lines) + "\n"

    def agrees(self, result):
        if not self.fused:
            return np.array_equal(result, self.value)
        left, right = self.x.astype(np.float64), self.value.astype(np.float64)
        return bool(np.all(np.abs(result - left @ right) <= 1e-5 * (np.abs(left) @ np.abs(right)) + 1e-6))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--targets", default="host,x86-64-v3")
    options = parser.parse_args()
    if options.print is not None:
        print(Case(options.seed * 100000 + options.print).mlir("weight.bin"))
        return 0
    import tenon

    bad = done = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count) if options.only is None else [options.only]:
            case = Case(options.seed * 100000 + number)
            path = os.path.join(folder, f"format{number}.mlir")
            with open(path, "w") as file:
                file.write(case.mlir(path + ".bin"))
            with open(path + ".bin", "wb") as file:
                for part in (case.codes, *case.parts.values()):
                    file.write(part.tobytes())
            arguments = [case.x] if case.fused else [case.codes, *case.parts.values()]
            for target in options.targets.split(","):
                done += 1
                try:
                    result = tenon.compile(path, threads=1, target=target)(*arguments)
                    problem = None if case.agrees(result) else "differs from NumPy"
                except tenon.Error as error:
                    problem = str(error).splitlines()[0]
                if problem:
                    print(f"case {number} for {target} ({case.format}, {case.rows}x{case.k}x{case.n}): {problem}", flush=True)
                    bad += 1
    print(f"{done - bad} equal, {bad} not, of {done}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
