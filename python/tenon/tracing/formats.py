"""Weights in few bits: formats as data, dequantize, quantize.

A contraction that reads what `dequantize` gives decodes the weights in registers: they never exist in memory.
"""
from typing import NamedTuple, Optional, Tuple

from .. import errors
from . import dims as dims_
from . import dtypes, trace as trace_
from .array import Array, as_array
from .movement import axis_of

__all__ = ["format", "dequantize", "quantize", "Format"]

#: Block formats of GGUF files: elements and bytes of a record.
GGUF = {"Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q6_K": (256, 210),
        "IQ4_NL": (32, 18), "MXFP4": (32, 17)}

_ELEMENTS = {"float8_e4m3fn": "f8E4M3FN", "float8_e5m2": "f8E5M2", "float6_e2m3fn": "f6E2M3FN", "float6_e3m2fn": "f6E3M2FN",
             "float4_e2m1fn": "f4E2M1FN", "float16": "f16", "bfloat16": "bf16", "float32": "f32", "float8_e8m0fnu": "f8E8M0FNU"}


def _element(name, what):
    if name in _ELEMENTS:
        return _ELEMENTS[name]
    for prefix, short in (("uint", "ui"), ("int", "si")):
        if name.startswith(prefix) and name[len(prefix):].isdigit() and 1 <= int(name[len(prefix):]) <= 8:
            return short + name[len(prefix):]
    raise errors.InvalidArgument(f"in a format: expected {what} to be an integer of 1 to 8 bits or one of {', '.join(_ELEMENTS)}, "
                                 f"but got {name!r}")


class Format(NamedTuple):
    """How numbers are stored; made by `format`."""
    text: str
    element: str
    group: int = 0
    scale: Optional[str] = None
    zero: Optional[str] = None
    minimum: Optional[str] = None
    record: Optional[Tuple[int, int]] = None


def format(element, *, group=0, scale=None, zero=None, minimum=None, offset=0, codebook=None):
    """A format: what a code means, and which elements share a scale.

        value = scale * q + minimum,    q = codebook[code], or code - offset - zero

    element   "int4", "uint3", .. (1 to 8 bits), "float8_e4m3fn", "float4_e2m1fn", ..; or the name of a block format of GGUF
              files (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q6_K, IQ4_NL, MXFP4), which needs nothing else
    group     elements along the axis that share scale, zero and minimum; 0: all
    scale, zero, minimum   their element types, where there are such parts
    offset    a number that is taken from each code
    codebook  the value of each code, for unsigned codes of at most 4 bits
    """
    if element in GGUF:
        return Format(f'<"{element}">', element, record=GGUF[element])
    parts = [f"element = {_element(element, 'the element')}"]
    if codebook is not None:
        bits = int(element[4:]) if element.startswith("uint") else 0
        if not 1 <= bits <= 4 or len(codebook) != 1 << bits:
            raise errors.InvalidArgument(f"in a format: expected a codebook with a value for each code of an unsigned element of at "
                                         f"most 4 bits, but got {len(codebook)} values for {element}")
        parts.append("codebook = [" + ", ".join(f"{float(value):.9e}" for value in codebook) + "]")
    if offset:
        parts.append(f"offset = {int(offset)}")
    if zero:
        parts.append(f"zero = {_element(zero, 'the zero point')}")
    if group:
        if group < 0 or not (scale or zero or minimum):
            raise errors.InvalidArgument(f"in a format: a group of {group} needs a scale, a zero point or a minimum")
        parts.append(f"group = {int(group)}")
    for name, value in (("scale", scale), ("minimum", minimum)):
        if value:
            parts.append(f"{name} = {_element(value, name)}")
    return Format(f"<{', '.join(parts)}>", element, group, scale, zero, minimum)


def _of(value):
    return value if isinstance(value, Format) else format(value)


def _parts(operator, fmt, shape, axis, given):
    """The operands of the parts that the format has, as text; checks their shapes."""
    text = ""
    groups = 1 if fmt.group == 0 else -(-shape[axis] // fmt.group) if isinstance(shape[axis], int) else None
    for word, name, kind in (("scales", "scale", fmt.scale), ("zeros", "zero", fmt.zero), ("minimums", "minimum", fmt.minimum)):
        value = given.get(word)
        if (kind is None) != (value is None):
            trace_.fail(f"in {operator}: the format {'has a' if kind else 'has no'} {name}, but {word} "
                        f"{'are missing' if value is None else 'are given'}")
        if value is None:
            continue
        array = as_array(value)
        if array.ndim != len(shape):
            trace_.fail(f"in {operator}: expected {word} with {len(shape)} dims, as the codes have, but got {array.dtype}{dims_.text(array.shape)}")
        if groups is not None and array.shape[axis] not in (groups, 1) or array.shape[axis] == 1 != groups and fmt.group:
            trace_.fail(f"in {operator}: expected {groups} {word} along dim {axis} ({shape[axis]} elements in groups of {fmt.group}), "
                        f"but got {array.shape[axis]}")
        text += f" {word} {array.ssa} : {array.type}"
    return text


def dequantize(codes, format, *, scales=None, zeros=None, minimums=None, axis=-1, dtype="float32"):
    """The numbers that codes stand for.

    codes   one integer (or small float) per element, int8 or as narrow as the format's; for a block format of GGUF files the
            bytes of the records along the last dim
    scales, zeros, minimums   one per group along `axis`; a size of 1 along another dim stands for all of it
    """
    fmt, codes, dtype = _of(format), as_array(codes), dtypes.dtype_of(dtype)
    axis = axis_of(axis, codes.ndim, "dequantize")
    shape = codes.shape
    if fmt.record:
        block, size = fmt.record
        if axis != codes.ndim - 1 or codes.dtype.bits != 8 or codes.dtype.is_float or not isinstance(shape[-1], int) or shape[-1] % size:
            trace_.fail(f"in dequantize: expected bytes in records of {size} along the last dim for {fmt.element}, but got "
                        f"{codes.dtype}{dims_.text(shape)}")
        shape = shape[:-1] + (shape[-1] // size * block,)
    parts = _parts("dequantize", fmt, shape, axis, {"scales": scales, "zeros": zeros, "minimums": minimums})
    trace = trace_.current()
    kind = trace.tensor_type(shape, dtype)
    return Array(trace.emit_value(f"tenon.dequantize {codes.ssa}{parts} axis {axis} format {fmt.text} : {codes.type} -> {kind}",
                                  "dequantize"), shape, dtype)


def quantize(x, format, *, scales=None, zeros=None, minimums=None, axis=-1):
    """The codes whose values are nearest to x, with given scales; rounds to even and saturates. Integers come as int8 or
    uint8, floats in their own type."""
    fmt, x = _of(format), as_array(x)
    if fmt.record:
        trace_.fail(f"in quantize: the block format {fmt.element} is for reading files only")
    axis = axis_of(axis, x.ndim, "quantize")
    parts = _parts("quantize", fmt, x.shape, axis, {"scales": scales, "zeros": zeros, "minimums": minimums})
    integer = fmt.element.startswith(("int", "uint"))
    dtype = (dtypes.uint8 if fmt.element.startswith("u") else dtypes.int8) if integer else dtypes.dtype_of(fmt.element)
    trace = trace_.current()
    kind = trace.tensor_type(x.shape, dtype)
    return Array(trace.emit_value(f"tenon.quantize {x.ssa}{parts} axis {axis} format {fmt.text} : {x.type} -> {kind}", "quantize"),
                 x.shape, dtype)
