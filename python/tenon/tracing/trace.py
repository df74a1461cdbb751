"""The Program that a traced function becomes, as text, with the user's Python line on each operation."""
import contextlib
import hashlib
import os
import sys
import threading

import numpy as np

from .. import errors
from . import dims as dims_
from . import dtypes

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_state = threading.local()

#: Captured arrays of at most this many elements stand in the Program; larger ones are weights in a file.
_INLINE_ELEMENTS = 64


def current():
    """The trace that is going on in this thread; an error where there is none."""
    trace = getattr(_state, "trace", None)
    if trace is None:
        raise errors.InvalidArgument("this works on arrays of a function that is being traced: "
                                     "call it inside a function decorated with @tenon.jit")
    return trace


def user_frame():
    """(file, line, column, function) of the innermost frame that is not Tenon's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    column = 1
    if hasattr(frame.f_code, "co_positions"):
        positions = list(frame.f_code.co_positions())
        at = frame.f_lasti // 2
        column = (positions[at][2] or 0) + 1 if at < len(positions) else 1
    return frame.f_code.co_filename, frame.f_lineno, column, frame.f_code.co_name


def fail(message, kind=errors.InvalidArgument):
    """Raises an error whose message starts with the user's file and line."""
    file, line, _, _ = user_frame()
    raise kind(f"{file}:{line}: {message}")


@contextlib.contextmanager
def user_lines():
    """Errors of what is traced inside start with the user's file and line."""
    try:
        yield
    except errors.Error as error:
        place, traceback = None, error.__traceback__
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if not code.co_filename.startswith(_PACKAGE):
                place = f"{code.co_filename}:{traceback.tb_lineno}: "
            traceback = traceback.tb_next
        if place is None or str(error).startswith(place):
            raise
        raise type(error)(f"{place}{error}") from error


class Trace:
    """Collects the text of one function. Values are SSA names; arrays wrap them (see array.py)."""

    def __init__(self):
        self.lines = []
        self.weights = {}          # id of the array -> (symbol, array)
        self.factor_values = {}    # name of a size -> SSA value of type index
        self.region_reader = None  # (array, indices) -> number: reads arrays in a region
        self._outer = []
        self._next = 0
        self._names = {}

    @contextlib.contextmanager
    def active(self):
        before = getattr(_state, "trace", None)
        _state.trace = self
        try:
            yield self
        finally:
            _state.trace = before

    @contextlib.contextmanager
    def block(self):
        """Collects what is emitted in a list of its own: the body of a region."""
        self._outer.append(self.lines)
        self.lines = []
        try:
            yield self.lines
        finally:
            self.lines = self._outer.pop()

    @contextlib.contextmanager
    def outside(self):
        """Emits before the region that is being collected."""
        lines, self.lines = self.lines, self._outer[-1]
        try:
            yield
        finally:
            self.lines = lines

    @contextlib.contextmanager
    def reading(self, reader):
        """Arrays indexed by a region's numbers are read by `reader`."""
        before, self.region_reader = self.region_reader, reader
        try:
            yield
        finally:
            self.region_reader = before

    # -- text --------------------------------------------------------------------------------------------------------
    def fresh(self, stem="v"):
        self._next += 1
        return f"%{stem}{self._next}"

    def location(self, operator=None):
        file, line, column, function = user_frame()
        quoted = file.replace("\\", "\\\\").replace('"', '\\"')
        place = f'"{quoted}":{line}:{column}'
        if operator is None:
            return f"loc({place})"
        return f'loc("{function}:{line} ({operator})"({place}))'

    def emit(self, text, operator=None):
        self.lines.append(f"{text} {self.location(operator)}")

    def emit_value(self, text, operator=None):
        name = self.fresh()
        self.emit(f"{name} = {text}", operator)
        return name

    def constant(self, value, dtype=dtypes.index):
        if dtype.is_bool:
            return self.emit_value(f"arith.constant {dtype.literal(value)}")
        return self.emit_value(f"arith.constant {dtype.literal(value)} : {dtype.mlir}")

    # -- sizes -------------------------------------------------------------------------------------------------------
    def dim(self, ssa, name):
        """A size with a name of its own; the same name again is the same size."""
        self.factor_values[name] = ssa
        return dims_.Dim(self, ssa, 1, (name,))

    def unknown_dim(self, ssa, stem="size"):
        """A size that equals no other."""
        self._names[stem] = self._names.get(stem, 0) + 1
        return self.dim(ssa, f"{stem}{self._names[stem]}")

    def index(self, value):
        """The SSA value of a size."""
        return value.ssa if isinstance(value, dims_.Dim) else self.constant(value)

    def index_op(self, op, left, right):
        return self.emit_value(f"{op} {self.index(left)}, {self.index(right)} : index")

    def check(self, condition, message):
        """At run time: an error with this message unless `condition` (an SSA value of type i1)."""
        file, line, _, _ = user_frame()
        text = f"{file}:{line}: {message}".replace("\\", "\\\\").replace('"', '\\"')
        self.emit(f'cf.assert {condition}, "{text}"')

    def check_equal(self, left, right, message):
        """Equal sizes: at once where both are known, else when the function runs."""
        if left == right:
            return
        if isinstance(left, int) and isinstance(right, int):
            fail(message)
        same = self.emit_value(f"arith.cmpi eq, {self.index(left)}, {self.index(right)} : index")
        self.check(same, message)

    @staticmethod
    def tensor_type(shape, dtype):
        return "tensor<" + "".join(f"{dim if isinstance(dim, int) else '?'}x" for dim in shape) + dtype.mlir + ">"

    def empty(self, shape, dtype):
        sizes = ", ".join(dim.ssa for dim in shape if isinstance(dim, dims_.Dim))
        return self.emit_value(f"tensor.empty({sizes}) : {self.tensor_type(shape, dtype)}")

    # -- constants ---------------------------------------------------------------------------------------------------
    def capture(self, array):
        """The SSA value, shape and dtype of a NumPy array that the function uses: a constant of the Program."""
        dtype = dtypes.dtype_of(array.dtype)
        kind = self.tensor_type(array.shape, dtype)
        if array.size <= _INLINE_ELEMENTS:
            values = _nested(array, dtype) if array.ndim else dtype.literal(array.item())
            return self._emit_first(f"arith.constant dense<{values if array.size else ''}> : {kind}"), dtype
        if id(array) not in self.weights:
            self.weights[id(array)] = (f"w{len(self.weights)}", array)
        symbol = self.weights[id(array)][0]
        return self._emit_first(f"tenon.load_weight @{symbol} : {kind}"), dtype

    def _emit_first(self, text):
        """Emits outside of all regions."""
        lines = self.lines
        self.lines = self._outer[0] if self._outer else lines
        try:
            return self.emit_value(text)
        finally:
            self.lines = lines

    def declare_weights(self, folder):
        """The tenon.weight declarations. Arrays that lie in a mapped file stay there; the others are written to
        `folder` (made when needed) under the hash of their bytes."""
        declarations = []
        for symbol, array in self.weights.values():
            kind = self.tensor_type(array.shape, dtypes.dtype_of(array.dtype))
            array = packed_bits(array)
            path, offset = mapped_place(array) or (store_array(array, folder), 0)
            quoted = path.replace("\\", "\\\\").replace('"', '\\"')
            declarations.append(f'tenon.weight @{symbol} from "{quoted}" at {offset} length {array.nbytes} : {kind}')
        return declarations


def _nested(array, dtype):
    if array.ndim == 0:
        return dtype.literal(array.item())
    return "[" + ", ".join(_nested(part, dtype) for part in array) + "]"


def packed_bits(array):
    """An array whose elements have less than a byte as the bytes that a tenon.weight has: low bits first."""
    bits = dtypes.dtype_of(array.dtype).bits
    if bits >= 8:
        return array
    codes = np.ascontiguousarray(array).reshape(-1).view(np.uint8) & np.uint8((1 << bits) - 1)
    codes = np.concatenate([codes, np.zeros(-len(codes) % (8 // bits), np.uint8)]).reshape(-1, 8 // bits)
    return np.bitwise_or.reduce(codes << np.arange(0, 8, bits, dtype=np.uint8), axis=1)


def mapped_place(array):
    """(path, byte offset) of a contiguous array that lies in a file mapped by np.memmap; else None."""
    base = array
    while isinstance(base, np.ndarray) and not (isinstance(base, np.memmap) and not isinstance(base.base, np.ndarray)):
        base = base.base
    if not isinstance(base, np.memmap) or not array.flags.c_contiguous or base.filename is None:
        return None
    if base.mode not in ("r", "c"):
        return None
    return os.path.abspath(base.filename), base.offset + array.ctypes.data - base.ctypes.data


def store_array(array, folder):
    """Writes the bytes of an array to a file of `folder` named by their hash, unless it is there; gives the path."""
    data = np.ascontiguousarray(array)
    view = memoryview(data.reshape(-1).view(np.uint8))
    name = hashlib.blake2b(view, digest_size=20).hexdigest() + ".bin"
    path = os.path.join(folder, name)
    if os.path.isfile(path) and os.path.getsize(path) == data.nbytes:
        with contextlib.suppress(OSError):
            os.utime(path)  # for eviction
        return path
    os.makedirs(folder, mode=0o700, exist_ok=True)
    temporary = f"{path}.tmp.{os.getpid()}.{threading.get_ident()}"
    try:
        with open(temporary, "wb") as file:
            file.write(view)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise errors.FileError(f"cannot write the captured array to '{path}': {error.strerror}") from error
    return path
