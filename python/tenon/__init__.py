"""Tenon compiles tensor programs to machine code.

    import tenon as tn
    model = tn.compile("model.onnx")
    result = model(array)

`compile` takes a path, bytes or an onnx.ModelProto; what it made is kept in a cache, so that the next start costs
milliseconds and loads no compiler. `load` opens what `tenon compile -o model.so` wrote.

    @tn.jit
    def attend(q, k, v):
        return tn.attention(q, k, v, score=lambda s, b, h, i, j: tn.tanh(s / 8), mask=tn.masks.causal())

`jit` compiles functions of arrays: NumPy's operators and functions, contractions, attention of any kind, convolutions,
recurrences, mixtures of experts, weights in few bits, loops and branches.
"""
from pathlib import Path as _Path

# In a source tree the extension module lies in build/, beside nothing else.
_built = _Path(__file__).resolve().parents[2] / "build" / "python" / "tenon"
if _built.is_dir():
    __path__.append(str(_built))

from .errors import (DataError, Error, FileError, InternalError, InvalidArgument, OutOfMemory,  # noqa: E402
                     Unsupported)
from .model import Model, Value, compile, load, schedule_spaces, version  # noqa: E402
from .tracing import masks, nn, normalizers  # noqa: E402
from .tracing.array import Array, as_array as asarray, where  # noqa: E402
from .tracing.attention import attention, kv_source  # noqa: E402
from .tracing.blocks import select_blocks  # noqa: E402
from .tracing.contract import einsum, linear, matmul  # noqa: E402
from .tracing.control import cond, fori_loop, scan, while_loop  # noqa: E402
from .tracing.conv import avg_pool, conv, max_pool  # noqa: E402
from .tracing.dtypes import (bfloat16, bool_, float16, float32, float64, float8_e4m3fn, float8_e5m2, int8,  # noqa: E402
                             int16, int32, int64, uint8, uint16, uint32, uint64)
from .tracing.experts import grouped_matmul, moe, route, segment_reduce  # noqa: E402
from .tracing.formats import dequantize, format, quantize  # noqa: E402
from .tracing.function import Function, Spec, jit, spec  # noqa: E402
from .tracing.functions import *  # noqa: E402, F401, F403
from .tracing.functions import __all__ as _functions  # noqa: E402
from .tracing.indexing import ds, flip, size_of, take  # noqa: E402
from .tracing.movement import (arange, broadcast_to, concatenate, expand_dims, full, ones, pad, repeat, reshape,  # noqa: E402
                               split, squeeze, stack, transpose, tril, zeros)
from .tracing.normalizers import normalizer, softmax  # noqa: E402
from .tracing.reduce import all, any, argmax, max, mean, min, prod, sort, sum, top_k  # noqa: E402, A004
from .tracing.state import linear_attention, recurrence  # noqa: E402

__version__ = "0.1.0"
__all__ = ["compile", "load", "schedule_spaces", "version", "Model", "Value", "Error", "InvalidArgument", "OutOfMemory", "DataError",
           "FileError", "Unsupported", "InternalError",
           "jit", "asarray", "spec", "Function", "Spec", "Array", "masks", "nn", "normalizers", "normalizer", "softmax", "attention",
           "kv_source", "select_blocks",
           "linear_attention", "recurrence",
           "einsum", "linear", "matmul", "cond", "fori_loop", "scan", "while_loop", "avg_pool", "conv", "max_pool",
           "grouped_matmul", "moe", "route", "segment_reduce", "dequantize", "format", "quantize", "where",
           "arange", "broadcast_to", "concatenate", "ds", "expand_dims", "flip", "full", "ones", "pad", "repeat", "reshape",
           "size_of", "split", "squeeze", "stack", "take", "transpose", "tril", "zeros",
           "all", "any", "argmax", "max", "mean", "min", "prod", "sort", "sum", "top_k",
           "bfloat16", "bool_", "float16", "float32", "float64", "float8_e4m3fn", "float8_e5m2", "int8", "int16", "int32",
           "int64", "uint8", "uint16", "uint32", "uint64", *_functions]
