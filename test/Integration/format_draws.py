#!/usr/bin/env python3
"""Generated low-precision weights: compiled code against NumPy, for AVX2 and AVX-512 code.

Draws `--count` formats from a seed: integers of 1 to 8 bits, signed and unsigned, codebooks (NF4 among them), floats of 4, 6 and 8
bits (MXFP4 among them); groups of any size or none; offsets, zero points and minimums; scales in f32, f16 and e8m0 per group, column
or tensor; codes in a byte each, packed in a file, or in planes of records. Shapes are odd. A third is dequantized alone, from
arguments, and must be equal to the last bit; the others are weights that a matmul of 1 to 130 rows decodes, compared within 1e-5 of
the sum of magnitudes.
"""
import argparse
import os
import random
import tempfile

import ml_dtypes
import numpy as np

NUMPY = {"f32": np.float32, "f16": np.float16, "i8": np.int8, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu}
FLOATS = {"f4E2M1FN": (4, ml_dtypes.float4_e2m1fn), "f6E2M3FN": (6, ml_dtypes.float6_e2m3fn), "f6E3M2FN": (6, ml_dtypes.float6_e3m2fn),
          "f8E4M3FN": (8, ml_dtypes.float8_e4m3fn), "f8E5M2": (8, ml_dtypes.float8_e5m2)}
NF4 = (-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0, 0.0795803, 0.1609302, 0.2461123,
       0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0)


def draw_planes(r, bits, block):
    """Planes of powers of two that add up to `bits`: [bits, run] each, low bits first."""
    counts = [count for count in (1, 2, 4, 8) if bits & count]
    r.shuffle(counts)
    return [(count, r.choice([run for run in (1, 2, 4, 8, 16, 32, 64) if block % (run * (8 // count)) == 0])) for count in counts]


def pack_plane(codes, count, run):
    """Bits of the codes of each record [.., block] in bytes, by the formula of #tenon.format."""
    per_byte, block = 8 // count, codes.shape[-1]
    result = np.zeros((*codes.shape[:-1], block // per_byte), np.uint8)
    for j in range(block):
        result[..., j // (run * per_byte) * run + j % run] |= codes[..., j] << (j // run % per_byte * count)
    return result


class Case:
    """w[K, N] with groups along K, or, in records, w[N, K]."""

    def __init__(self, seed):
        r, self.data = random.Random(seed), np.random.default_rng(seed)
        data = self.data
        self.fused = r.random() < 0.67
        self.rows = r.choice((1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 24, 33, 64, 70, 130))
        self.open = r.random() < 0.4  # number of rows
        self.k, self.n = r.choice((1, 3, 8, 17, 32, 33, 64, 65, 96, 100, 128, 160, 257)), r.choice((1, 2, 7, 16, 33, 48, 100))
        self.packing = r.choice(("bytes", "bytes", "packed", "records"))
        kind = r.choice(("int", "int", "int", "codebook", "nf4", "float", "mxfp4"))
        bits, signed = r.randint(1, 8), r.random() < 0.5
        if kind in ("codebook", "nf4"):
            bits, signed = 4 if kind == "nf4" else r.randint(1, 4), False
        element = f"{'s' if signed else 'u'}i{bits}"
        if kind in ("float", "mxfp4"):
            element = "f4E2M1FN" if kind == "mxfp4" else r.choice(list(FLOATS))
            bits = FLOATS[element][0]
            if bits == 6:
                self.packing = "records"  # six bits fill no bytes elsewhere
        if self.packing == "packed" and (bits not in (2, 4) or not self.fused):
            self.packing = "bytes"
        records = self.packing == "records"
        block = r.choice((8, 16, 32, 64, 128)) if records else 0
        group = r.choice((0, 0, 1, 3, 4, 5, 8, 16, 24, 32, 32, 64, 128)) if not records else r.choice([g for g in (4, 8, 16, 32, 128) if block % g == 0] or [block])
        if kind == "mxfp4":
            group = 32 if not records or block % 32 == 0 else group
        self.group, low = group, -(1 << bits - 1) if signed else 0
        codes = data.integers(low, low + (1 << bits), (self.k, self.n))
        fields, self.parts, inside = [f"element = {element}"], {}, {}
        raw = (codes & ((1 << bits) - 1)).astype(np.uint8)
        value = codes.astype(np.float32)
        if element in FLOATS:
            if bits == 8:  # neither NaN nor infinities
                raw &= np.uint8(0x77 if element == "f8E4M3FN" else 0xBB)
            value = raw.view(FLOATS[element][1]).astype(np.float32)
        elif kind in ("codebook", "nf4"):
            book = np.array(NF4 if kind == "nf4" else data.integers(-20, 20, 1 << bits) / 4, np.float32)
            fields.append(f"codebook = [{', '.join(str(float(v)) for v in book)}]")
            value = book[codes]
        elif r.random() < 0.4:
            offset = r.randint(-9, 9)
            fields.append(f"offset = {offset}")
            value = value - np.float32(offset)
        groups = -(-self.k // group) if group else 1
        spread = lambda part: np.repeat(part.astype(np.float32), group, 0)[:self.k] if group else part.astype(np.float32)
        shape = lambda: (groups, r.choice((1, self.n)))
        if kind == "int" and r.random() < 0.4:
            zero = data.integers(low, low + (1 << bits), shape())
            fields.append(f"zero = {'s' if signed else 'u'}i{bits}")
            self.parts["zeros"] = zero.astype(np.uint8).view(np.int8)
            value = value - spread(zero)
        scaled, lifted = r.random() < 0.9 or kind == "mxfp4" or (group and "zeros" not in self.parts), r.random() < 0.3
        for name, wanted in (("scale", scaled), ("minimum", lifted)):
            if not wanted:
                continue
            stored = "f8E8M0FNU" if kind == "mxfp4" and name == "scale" else r.choice(("f32", "f16"))
            here = records and r.random() < 0.6
            size = (-(-self.k // block) * (block // group), self.n) if here else shape()
            if stored == "f8E8M0FNU":
                part = data.integers(110, 140, size).astype(np.uint8).view(NUMPY[stored])
            else:
                part = data.standard_normal(size).astype(NUMPY[stored])
            fields.append(f"{name} = {stored}")
            if here:
                inside[name] = part
            else:
                self.parts[name + "s"] = part
            value = value * spread(part) if name == "scale" else value + spread(part)
        self.format = ", ".join(fields + ([f"group = {group}"] if group else []))
        self.value = value.astype(np.float32)
        order = ("scales", "zeros", "minimums")
        self.parts = {name: self.parts[name] for name in order if name in self.parts}
        self.codes, self.codes_type = raw.view(np.int8), f"tensor<{self.k}x{self.n}xi8>"
        if records:
            self.make_records(r, raw, bits, block, inside)
        elif element in FLOATS:
            self.codes = raw.view(FLOATS[element][1])
            self.codes_type = f"tensor<{self.k}x{self.n}x{element}>"
        if self.packing == "packed":
            flat = np.concatenate([raw.reshape(-1), np.zeros(-raw.size % (8 // bits), np.uint8)]).reshape(-1, 8 // bits)
            self.codes = np.bitwise_or.reduce(flat << np.arange(0, 8, bits, dtype=np.uint8), axis=1)
            self.codes_type = f"tensor<{self.k}x{self.n}x{element if element in FLOATS else f'i{bits}'}>"
        elif element in FLOATS and bits == 4 and not records and self.fused:  # a weight of four bits is packed
            flat = np.concatenate([raw.reshape(-1), np.zeros(raw.size % 2, np.uint8)]).reshape(-1, 2)
            self.codes = flat[:, 0] | flat[:, 1] << 4
        self.x = data.standard_normal((self.rows, self.k)).astype(np.float32)

    def make_records(self, r, raw, bits, block, inside):
        """Rows of records [N, blocks * bytes]; the parts inside come first or last."""
        blocks = -(-self.k // block)
        filled = np.zeros((self.n, blocks * block), np.uint8)
        filled[:, :self.k] = raw.T
        filled = filled.reshape(self.n, blocks, block)
        pieces = [("planes", None)] + [(name, part) for name, part in inside.items()]
        r.shuffle(pieces)
        at, record, fields = 0, [], []
        for name, part in pieces:
            if part is not None:
                fields.append(f"{name}_at = {at}")
                bytes_ = np.ascontiguousarray(part.T).reshape(self.n, blocks, -1).view(np.uint8)
                record.append(bytes_)
                at += bytes_.shape[-1]
                continue
            planes, below = [], 0
            for count, run in draw_planes(r, bits, block):
                record.append(pack_plane(filled >> below & np.uint8((1 << count) - 1), count, run))
                planes.append(f"[{at}, {count}, {run}]")
                below += count
                at += record[-1].shape[-1]
            fields.append(f"planes = [{', '.join(planes)}]")
        self.codes = np.concatenate(record, axis=-1).reshape(self.n, -1).view(np.int8)
        self.codes_type = f"tensor<{self.n}x{self.codes.shape[1]}xi8>"
        self.format += f", block = {block}, bytes = {at}, " + ", ".join(fields)
        self.parts = {name: np.ascontiguousarray(part.T) for name, part in self.parts.items()}
        self.value = np.ascontiguousarray(self.value.T)

    @staticmethod
    def type(array):
        name = next(name for name, type in NUMPY.items() if array.dtype == type)
        return "tensor<" + "x".join(map(str, array.shape)) + f"x{name}>"

    def mlir(self, archive):
        k, n, axis = self.k, self.n, int(self.packing == "records")
        values = f"tensor<{n}x{k}xf32>" if axis else f"tensor<{k}x{n}xf32>"
        types = {"codes": self.codes_type, **{name: self.type(part) for name, part in self.parts.items()}}
        operands = " ".join(f"{name} %{name} : {types[name]}" for name in self.parts)
        dequantize = f"  %w = tenon.dequantize %codes {operands} axis {axis} format <{self.format}> : {self.codes_type} -> {values}"
        if not self.fused:
            arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
            return f"func.func @main({arguments}) -> {values} {{\n{dequantize}\n  return %w : {values}\n}}\n"
        lines, loads, offset = [], [], 0
        for name, part in {"codes": self.codes, **self.parts}.items():
            lines.append(f'tenon.weight @{name} from "{archive}" at {offset} length {part.nbytes} : {types[name]}')
            loads.append(f"  %{name} = tenon.load_weight @{name} : {types[name]}")
            offset += part.nbytes
        m = "?" if self.open else self.rows
        x, y = f"tensor<{m}x{k}xf32>", f"tensor<{m}x{n}xf32>"
        size = [f"  %first = arith.constant 0 : index\n  %m = tensor.dim %x, %first : {x}"] if self.open else []
        maps = ["(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)" if axis else "(m, n, k) -> (k, n)", "(m, n, k) -> (m, n)"]
        maps = ", ".join(f"affine_map<{text}>" for text in maps)
        lines += [f"func.func @main(%x: {x}) -> {y} {{", *loads, dequantize, "  %zero = arith.constant 0.0 : f32", *size,
                  f"  %e = tensor.empty({'%m' if self.open else ''}) : {y}", f"  %f = linalg.fill ins(%zero : f32) outs(%e : {y}) -> {y}",
                  f"  %y = linalg.matmul indexing_maps = [{maps}] ins(%x, %w : {x}, {values}) outs(%f : {y}) -> {y}",
                  f"  return %y : {y}", "}"]
        return "\n".join(lines) + "\n"

    def agrees(self, result):
        if not self.fused:
            return np.array_equal(result, self.value)
        left, right = self.x.astype(np.float64), self.value.astype(np.float64)
        right = right.T if self.packing == "records" else right
        return bool(np.all(np.abs(result - left @ right) <= 1e-5 * (np.abs(left) @ np.abs(right)) + 1e-6))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
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
                    print(f"case {number} for {target} ({case.format}, {case.rows}x{case.k}x{case.n}, {case.packing}): {problem}", flush=True)
                    bad += 1
    print(f"{done - bad} equal, {bad} not, of {done}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
