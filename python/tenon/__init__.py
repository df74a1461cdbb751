"""Tenon compiles tensor programs to machine code.

    import tenon as tn
    model = tn.compile("model.onnx")
    result = model(array)

`compile` takes a path, bytes or an onnx.ModelProto; what it made is kept in a cache, so that the next start costs
milliseconds and loads no compiler. `load` opens what `tenon compile -o model.so` wrote.
"""
from pathlib import Path as _Path

# In a source tree the extension module lies in build/, beside nothing else.
_built = _Path(__file__).resolve().parents[2] / "build" / "python" / "tenon"
if _built.is_dir():
    __path__.append(str(_built))

from .errors import (DataError, Error, FileError, InternalError, InvalidArgument, OutOfMemory,  # noqa: E402
                     Unsupported)
from .model import Model, Value, compile, load, version  # noqa: E402

__version__ = "0.1.0"
__all__ = ["compile", "load", "version", "Model", "Value", "Error", "InvalidArgument", "OutOfMemory", "DataError",
           "FileError", "Unsupported", "InternalError"]
