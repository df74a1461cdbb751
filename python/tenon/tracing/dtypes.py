"""Element types of traced arrays, by the names that NumPy and ml_dtypes give them."""
import math
import struct
from typing import NamedTuple

import numpy as np

from .. import errors


class DType(NamedTuple):
    """name as in NumPy; mlir: the (signless) type in the Program; bits; float, unsigned."""
    name: str
    mlir: str
    bits: int
    is_float: bool = False
    is_unsigned: bool = False

    def __str__(self):
        return self.name

    @property
    def numpy(self):
        from ..model import _numpy_dtype

        return _numpy_dtype(self.name)

    @property
    def is_bool(self):
        return self.mlir == "i1"

    @property
    def is_integer(self):
        return not self.is_float and self.mlir not in ("i1", "index")

    def literal(self, value):
        """`value` as MLIR writes it; exact for every finite number."""
        if self.is_bool:
            return "true" if value else "false"
        if not self.is_float:
            value = int(value)
            low, high = (0, 1 << self.bits) if self.is_unsigned else (-(1 << self.bits - 1), 1 << self.bits - 1)
            if not low <= value < high:
                raise errors.InvalidArgument(f"{value} does not fit into {self.name}")
            return str(value - (1 << self.bits) if self.is_unsigned and value >> (self.bits - 1) else value)
        value = float(value)
        if math.isfinite(value):
            return f"{value:.17e}"
        return {16: f"0x{_half_bits(self.mlir, value):04X}", 32: f"0x{struct.unpack('<I', struct.pack('<f', value))[0]:08X}",
                64: f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"}[self.bits]


def _half_bits(mlir, value):
    bits = struct.unpack("<I", struct.pack("<f", value))[0] >> 16
    return bits if mlir == "bf16" else struct.unpack("<H", struct.pack("<e", value))[0]


bool_ = DType("bool", "i1", 8, is_unsigned=True)
int8, int16, int32, int64 = (DType(f"int{bits}", f"i{bits}", bits) for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (DType(f"uint{bits}", f"i{bits}", bits, is_unsigned=True) for bits in (8, 16, 32, 64))
int4, uint4 = DType("int4", "i4", 4), DType("uint4", "i4", 4, is_unsigned=True)
float16, bfloat16 = DType("float16", "f16", 16, True), DType("bfloat16", "bf16", 16, True)
float32, float64 = DType("float32", "f32", 32, True), DType("float64", "f64", 64, True)
float8_e4m3fn, float8_e5m2 = DType("float8_e4m3fn", "f8E4M3FN", 8, True), DType("float8_e5m2", "f8E5M2", 8, True)
index = DType("index", "index", 64)

ALL = {dtype.name: dtype for dtype in (bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, int4, uint4,
                                       float16, bfloat16, float32, float64, float8_e4m3fn, float8_e5m2)}


def dtype_of(value):
    """The DType that `value` (a DType, a name, a NumPy dtype or scalar type) means."""
    if isinstance(value, DType):
        return value
    name = value if isinstance(value, str) else np.dtype(value).name
    if name not in ALL:
        raise errors.InvalidArgument(f"expected an element type of {', '.join(ALL)}, but got {name!r}")
    return ALL[name]
