"""Formats of integers, and of tables: codebooks and floats of few bits."""
from math import lcm

import ml_dtypes
import numpy as np

from .program import NUMPY, USE, Program
from .records import draw_planes, pack_plane

FLOATS = {"f4E2M1FN": (4, ml_dtypes.float4_e2m1fn), "f6E2M3FN": (6, ml_dtypes.float6_e2m3fn), "f6E3M2FN": (6, ml_dtypes.float6_e3m2fn),
          "f8E4M3FN": (8, ml_dtypes.float8_e4m3fn), "f8E5M2": (8, ml_dtypes.float8_e5m2), "f8E4M3": (8, ml_dtypes.float8_e4m3),
          "f8E3M4": (8, ml_dtypes.float8_e3m4), "f8E4M3FNUZ": (8, ml_dtypes.float8_e4m3fnuz), "f8E5M2FNUZ": (8, ml_dtypes.float8_e5m2fnuz),
          "f16": (16, np.float16), "bf16": (16, ml_dtypes.bfloat16)}
#: Which bits are drawn, so that the numbers are of a size that f16 holds.
BITS = {"f8E5M2": 0xBB, "f8E5M2FNUZ": 0xBB, "f16": 0xBFFF, "bf16": 0xBFFF}
NF4 = (-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0, 0.0795803, 0.1609302, 0.2461123,
       0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0)
STORED = {**USE, "packing": ("bytes", "packed", "records"), "group": ("none", "one", "odd", "even", "32", "128", "beyond K"),
          "scale": ("none", "f32", "f16", "bf16", "f8E8M0FNU", "si6 under f16"), "minimum": ("none", "f32", "f16", "bf16"),
          "parts": ("of all columns", "of each column", "in the record"), "depth": ("one", "odd", "even")}
INTEGER_AXES = {"element": tuple(f"{sign}i{bits}" for sign in "us" for bits in range(1, 9)), "zero": ("none", "as wide", "of 8 bits"),
                "offset": ("none", "some"), **STORED}
TABLE_AXES = {"element": ("codebook of 1", "codebook of 2", "codebook of 3", "codebook of 4", "NF4", *FLOATS), **STORED}
DEPTHS = {"one": (1,), "odd": (3, 17, 33, 65, 257), "even": (8, 32, 64, 96, 100, 128, 160)}
ORDER = ("scales", "zeros", "minimums", "supers")


class Format(Program):
    def draw(self):
        r, c = self.r, self.choice
        self.k, self.records = r.choice(DEPTHS[c["depth"]]), c["packing"] == "records"
        self.group = {"none": 0, "one": 1, "odd": r.choice((3, 5)), "even": r.choice((4, 8, 16, 24)), "32": 32, "128": 128,
                      "beyond K": self.k + r.choice((1, 8))}[c["group"]]
        self.block = r.choice((8, 16, 32, 64, 128)) if self.records else 0
        if c["parts"] == "in the record" and self.records and self.group:  # whole groups, and whole super-groups
            self.block = lcm(8, 4 * self.group)
        self.fields, self.parts, self.inside = [], {}, {}
        raw, bits, element, value = self.draw_codes()
        self.values = self.draw_scale(value + self.draw_zero() if "zero" in c else value)
        self.format = ", ".join([f"element = {element}"] + self.fields + ([f"group = {self.group}"] if self.group else []))
        self.parts = {name: self.parts[name] for name in ORDER if name in self.parts}
        if self.records:
            self.make_records(raw, bits)
            return
        self.codes, width = raw.view(np.int8) if bits <= 8 else raw, "i8"
        if element in FLOATS or c["packing"] == "packed":
            self.codes, width = self.codes_of_element(raw, bits, FLOATS.get(element)), element if element in FLOATS else f"i{bits}"
        self.codes_type = f"tensor<{self.k}x{self.n}x{width}>"

    def draw_codes(self):
        """Codes as unsigned numbers, their width, the element, and the values."""
        name, shape = self.choice["element"], (self.k, self.n)
        if name in FLOATS:
            bits, kind = FLOATS[name]
            raw = (self.data.integers(0, 1 << bits, shape) & BITS.get(name, 0xFFFF)).astype(np.uint16 if bits == 16 else np.uint8)
            value = raw.view(kind).astype(np.float32)
            raw[~np.isfinite(value)] = 0
            return raw, bits, name, np.nan_to_num(value, nan=0, posinf=0, neginf=0)
        if name == "NF4" or "codebook" in name:
            bits = 4 if name == "NF4" else int(name.split()[-1])
            book = np.array(NF4 if name == "NF4" else self.data.integers(-20, 20, 1 << bits) / 4, np.float32)
            self.fields.append(f"codebook = [{', '.join(str(float(v)) for v in book)}]")
            raw = self.data.integers(0, 1 << bits, shape).astype(np.uint8)
            return raw, bits, f"ui{bits}", book[raw]
        bits, signed = int(name[2:]), name[0] == "s"
        low = -(1 << bits - 1) if signed else 0
        codes = self.data.integers(low, low + (1 << bits), shape)
        return (codes & ((1 << bits) - 1)).astype(np.uint8), bits, name, codes.astype(np.float32)

    def draw_zero(self):
        """What offset and zero points add to the codes."""
        c, name = self.choice, self.choice["element"]
        offset, zeros = self.r.randint(1, 9) * self.r.choice((-1, 1)) if c["offset"] == "some" else 0, np.zeros((1, 1))
        if offset:
            self.fields.append(f"offset = {offset}")
        if c["zero"] != "none":
            bits, signed = int(name[2:]) if c["zero"] == "as wide" else 8, name[0] == "s"
            low = -(1 << bits - 1) if signed else 0
            zeros = self.data.integers(low, low + (1 << bits), self.size(self.group))
            self.fields.append(f"zero = {name[0]}i{bits}")
            self.parts["zeros"] = (zeros & 0xFF).astype(np.uint8).view(np.int8)
            zeros = self.spread(zeros, self.group)
        return -np.float32(offset) - zeros.astype(np.float32)

    def draw_scale(self, value):
        c, scale = self.choice, None
        if c["scale"] == "si6 under f16":
            small = self.data.integers(-32, 32, self.size(self.group, True)).astype(np.int8)
            self.add("scale", "si6", small, self.group)
            above = (self.group or 8) * 4
            supers = self.data.standard_normal(self.size(above, True)).astype(np.float16)
            self.fields.append(f"super = {above}")
            self.add("super_scale", "f16", supers, above)
            scale = self.spread(small, self.group) * self.spread(supers, above)
        elif c["scale"] != "none":
            stored = c["scale"]
            size = self.size(self.group, True)
            part = (self.data.integers(118, 131, size).astype(np.uint8).view(NUMPY[stored]) if stored == "f8E8M0FNU"
                    else self.data.standard_normal(size).astype(NUMPY[stored]))
            self.add("scale", stored, part, self.group)
            scale = self.spread(part, self.group)
        value = value if scale is None else value * scale
        if c["minimum"] != "none":
            part = self.data.standard_normal(self.size(self.group, True)).astype(NUMPY[c["minimum"]])
            self.add("minimum", c["minimum"], part, self.group)
            value = value + self.spread(part, self.group)
        return value

    def in_record(self):
        return self.choice["parts"] == "in the record" and bool(self.block and self.group)

    def size(self, group, in_record=False):
        """Of a part with an entry for each `group` elements; records have all entries that fit."""
        if in_record and self.in_record():
            return -(-self.k // self.block) * (self.block // group), self.n
        return -(-self.k // group) if group else 1, 1 if self.choice["parts"] == "of all columns" else self.n

    def spread(self, part, group):
        return np.repeat(part.astype(np.float32), group, 0)[:self.k] if group else part.astype(np.float32)

    def add(self, name, stored, part, group):
        self.fields.append(f"{name} = {stored}")
        if self.in_record():
            self.inside[name] = (part, self.block // group)
        else:
            self.parts["supers" if name == "super_scale" else name + "s"] = part

    def codes_of_element(self, raw, bits, kind):
        """Codes in a tensor of elements of their width, as a file holds them, or an argument."""
        if self.stored and bits in (2, 4):  # one behind the other, low bits first
            stream = np.unpackbits(raw.reshape(-1, 1), axis=1, bitorder="little")[:, :bits].reshape(-1)
            return np.packbits(stream, bitorder="little")
        if kind:
            return raw.view(kind[1])
        return raw.astype(bool) if bits == 1 else raw.view({2: ml_dtypes.int2, 4: ml_dtypes.int4}.get(bits, np.int8))

    def make_records(self, raw, bits):
        """Rows of records [N, blocks * bytes]; the parts inside come in any order."""
        block, blocks = self.block, -(-self.k // self.block)
        filled = np.zeros((self.n, blocks * block), raw.dtype)
        filled[:, :self.k] = raw.T
        filled = filled.reshape(self.n, blocks, block)
        pieces = ["planes", *self.inside]
        self.r.shuffle(pieces)
        at, record, fields = 0, [], []
        for name in pieces:
            if name != "planes":
                part, count = self.inside[name]
                fields.append(f"{'super' if name == 'super_scale' else name}_at = {at}")
                record.append(np.ascontiguousarray(part.T).reshape(self.n, blocks, count).view(np.uint8))
                at += record[-1].shape[-1]
                continue
            planes, below = [], 0
            for count, run in draw_planes(self.r, bits, block):
                record.append(pack_plane((filled >> below & ((1 << count) - 1)).astype(np.uint8), count, run))
                planes.append(f"[{at}, {count}, {run}]")
                below += count
                at += record[-1].shape[-1]
            fields.append(f"planes = [{', '.join(planes)}]")
        self.codes = np.concatenate(record, axis=-1).reshape(self.n, -1).view(np.int8)
        self.codes_type = f"tensor<{self.n}x{self.codes.shape[1]}xi8>"
        self.format += f", block = {block}, bytes = {at}, " + ", ".join(fields)
        self.parts = {name: np.ascontiguousarray(part.T) for name, part in self.parts.items()}
        self.values = np.ascontiguousarray(self.values.T)
