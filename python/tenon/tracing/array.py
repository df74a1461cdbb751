"""Traced arrays: what a function decorated with @tenon.jit computes with."""
import numpy as np

from . import dims as dims_
from . import dtypes, scalar, trace as trace_
from .scalar import Scalar


class Array:
    """An array in a function that is being traced: `shape` (numbers and sizes known at the call), `dtype`.

    Has NumPy's operators, methods and slices. Dims of size 1 broadcast; sizes that are only known at the call never do,
    and are checked to be equal then.
    """

    __slots__ = ("ssa", "shape", "dtype", "trace")
    __array_ufunc__ = None

    def __init__(self, ssa, shape, dtype, trace=None):
        self.ssa, self.shape, self.dtype = ssa, tuple(shape), dtype
        self.trace = trace or trace_.current()

    def __repr__(self):
        return f"<tenon array {self.dtype}{dims_.text(self.shape)}>"

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return dims_.product(self.shape)

    @property
    def type(self):
        return self.trace.tensor_type(self.shape, self.dtype)

    def __bool__(self):
        trace_.fail("the truth of a traced array is not known while the function is traced; use tenon.where, "
                    "tenon.cond or tenon.while_loop")

    def __len__(self):
        if not self.shape:
            trace_.fail("an array without dims has no length")
        if not isinstance(self.shape[0], int):
            trace_.fail(f"the size '{self.shape[0]}' is not known while the function is traced")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def astype(self, dtype):
        to = dtypes.dtype_of(dtype)
        return self if to == self.dtype else elementwise("cast", lambda x: scalar.cast(x, to), self)

    def __getitem__(self, key):
        from . import indexing

        return indexing.get_item(self, key)

    @property
    def at(self):
        """`x.at[key].set(value)`: x with other values there, where key is as in x[key]."""
        from . import indexing

        return indexing.At(self)

    @property
    def T(self):
        return self.transpose()

    def transpose(self, *axes):
        from . import movement

        return movement.transpose(self, axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes or None)

    def swapaxes(self, first, second):
        axes = list(range(self.ndim))
        axes[first], axes[second] = axes[second], axes[first]
        return self.transpose(axes)

    def reshape(self, *shape):
        from . import movement

        return movement.reshape(self, shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape)

    def __matmul__(self, other):
        from . import contract

        return contract.matmul(self, other)

    def __rmatmul__(self, other):
        from . import contract

        return contract.matmul(other, self)

    def _reduce(self, name, axis, keepdims):
        from . import reduce

        return getattr(reduce, name)(self, axis, keepdims)

    def sum(self, axis=None, keepdims=False):
        return self._reduce("sum", axis, keepdims)

    def mean(self, axis=None, keepdims=False):
        return self._reduce("mean", axis, keepdims)

    def max(self, axis=None, keepdims=False):
        return self._reduce("max", axis, keepdims)

    def min(self, axis=None, keepdims=False):
        return self._reduce("min", axis, keepdims)

    def argmax(self, axis=-1, keepdims=False):
        return self._reduce("argmax", axis, keepdims)


def as_array(value, like=None):
    """`value` as an Array: arrays of NumPy become constants, numbers arrays without dims of the dtype of `like`."""
    if isinstance(value, Array):
        if value.trace is not trace_.current():
            trace_.fail("an array of another traced function; pass it as an argument")
        return value
    if isinstance(value, Scalar):
        trace_.fail("a number of a region where an array is expected")
    if scalar.is_number(value) and not isinstance(value, np.generic):
        if like is None:
            like = dtypes.bool_ if isinstance(value, bool) else dtypes.int64 if isinstance(value, int) else dtypes.float32
        value = np.asarray(value, dtypes.dtype_of(like).numpy)
    if isinstance(value, dims_.Dim):
        trace = trace_.current()
        number = trace.emit_value(f"arith.index_cast {value.ssa} : index to i64")
        return Array(trace.emit_value(f"tensor.from_elements {number} : tensor<i64>"), (), dtypes.int64)
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        value = np.from_dlpack(value)
    if isinstance(value, (list, tuple)) and any(isinstance(part, Array) for part in value):
        trace_.fail("expected an array, but got a list of arrays; use tenon.stack or tenon.concatenate")
    array = np.asanyarray(value)
    if array.dtype.kind not in "biufV" or array.dtype.names:
        trace_.fail(f"expected an array, but got {type(value).__name__}")
    trace = trace_.current()
    ssa, dtype = trace.capture(array)
    return Array(ssa, array.shape, dtype)


def broadcast_shapes(shapes, operator):
    """The shape that arrays of these shapes broadcast to; sizes known only at the call are checked then."""
    rank = max(map(len, shapes))
    result = []
    for axis in range(rank):
        found, whose = 1, None
        for number, shape in enumerate(shapes):
            at = axis - rank + len(shape)
            if at < 0 or shape[at] == 1:
                continue
            if whose is None:
                found, whose = shape[at], number
            else:
                trace_.current().check_equal(
                    found, shape[at], f"in {operator}: shapes {dims_.text(shapes[whose])} and {dims_.text(shape)} do "
                    f"not broadcast: sizes {found} and {shape[at]} of dim {axis} differ")
                if isinstance(shape[at], int):
                    found = shape[at]
        result.append(found)
    return tuple(result)


def affine_map(loops, results):
    names = ", ".join(f"d{i}" for i in range(loops))
    return f"affine_map<({names}) -> ({', '.join(r if isinstance(r, str) else f'd{r}' for r in results)})>"


def generic(operator, inputs, shape, body, reduced=(), init=None, dtype=None):
    """One linalg.generic.

    inputs   (Array, results of its map: loop numbers, or text) each
    shape    of the result, one parallel loop each
    body     (Scalars of the inputs [, that of the result so far]) -> Scalar
    reduced  number of further loops, reductions; `init` is then the number that the result starts with, of `dtype`
    """
    trace = trace_.current()
    loops = len(shape) + (reduced or 0)
    with trace.block() as lines:
        names = [trace.fresh("e") for _ in inputs]
        out = trace.fresh("o")
        arguments = [Scalar(name, array.dtype) for name, (array, _) in zip(names, inputs)]
        result = body(*arguments, Scalar(out, dtype)) if init is not None else body(*arguments)
        trace.emit(f"linalg.yield {result.ssa} : {result.dtype.mlir}")
    dtype = result.dtype
    target = trace.empty(shape, dtype)
    kind = trace.tensor_type(shape, dtype)
    if init is not None:
        start = trace.constant(init, dtype)
        target = trace.emit_value(f"linalg.fill ins({start} : {dtype.mlir}) outs({target} : {kind}) -> {kind}")
    maps = [affine_map(loops, results) for _, results in inputs] + [affine_map(loops, range(len(shape)))]
    kinds = ["parallel"] * len(shape) + ["reduction"] * (loops - len(shape))
    ins = ", ".join(array.ssa for array, _ in inputs)
    types = ", ".join(array.type for array, _ in inputs)
    block = ", ".join([f"{name}: {array.dtype.mlir}" for name, (array, _) in zip(names, inputs)] + [f"{out}: {dtype.mlir}"])
    iterators = ", ".join(f'"{kind_}"' for kind_ in kinds)
    text = (f"linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{iterators}]}} "
            + (f"ins({ins} : {types}) " if inputs else "")
            + f"outs({target} : {kind}) {{\n^bb0({block}):\n" + "\n".join(lines) + f"\n}} -> {kind}")
    return Array(trace.emit_value(text, operator), shape, dtype)


def elementwise(operator, function, *values):
    """`function` on the elements of arrays that broadcast; Python's numbers are passed on as they are."""
    from . import movement

    arrays = [value for value in values if isinstance(value, Array)]
    shape = broadcast_shapes([array.shape for array in arrays], operator)
    inputs = []
    for array in arrays:
        lead = len(shape) - array.ndim
        kept = [axis for axis, size in enumerate(array.shape) if not (size == 1 and shape[lead + axis] != 1)]
        if len(kept) < array.ndim:
            array = movement.reshape(array, [array.shape[axis] for axis in kept])
        inputs.append((array, [lead + axis for axis in kept]))

    def body(*elements):
        rest = iter(elements)
        return function(*[next(rest) if isinstance(value, Array) else value for value in values])

    return generic(operator, inputs, shape, body)


def apply(name, *values):
    """One of scalar.FUNCTIONS on arrays, on numbers of a region, or on a mixture of either with Python's numbers."""
    count, builder = scalar.FUNCTIONS[name]
    assert len(values) == count
    if any(isinstance(value, Scalar) for value in values):
        if any(isinstance(value, Array) for value in values):
            trace_.fail(f"in {name}: a number of a region and an array; index the array by the region's indices")
        return builder(*scalar.unify(values, name))
    if all(scalar.is_number(value) and not isinstance(value, np.generic) for value in values):
        values = [as_array(values[0])] + list(values[1:])
    values = [value if isinstance(value, Array) or (scalar.is_number(value) and not isinstance(value, np.generic))
              else as_array(value) for value in values]
    check_dtypes(name, values)
    return elementwise(name, lambda *elements: builder(*scalar.unify(elements, name)), *values)


def check_dtypes(operator, values):
    kinds = {value.dtype for value in values if isinstance(value, Array)}
    if len(kinds) > 1:
        shown = " and ".join(f"{value.dtype}{dims_.text(value.shape)}" for value in values if isinstance(value, Array))
        trace_.fail(f"in {operator}: expected operands of one dtype, but got {shown}; use .astype()")


def where(condition, x, y):
    """x where condition, else y: element by element."""
    values = [condition, x, y]
    if any(isinstance(value, Scalar) for value in values):
        if not isinstance(condition, Scalar):
            return x if condition else y
        return scalar.where(condition, *scalar.unify([x, y], "where"))
    values = [as_array(condition)] + [v if scalar.is_number(v) and not isinstance(v, np.generic) else as_array(v) for v in (x, y)]
    if not values[0].dtype.is_bool:
        trace_.fail(f"in where: expected a condition of bool, but got {values[0].dtype}{dims_.text(values[0].shape)}")
    if not any(isinstance(value, Array) for value in values[1:]):
        kind = dtypes.float32 if any(isinstance(value, float) for value in values[1:]) else None
        values[1:] = [as_array(value, kind) for value in values[1:]]
    check_dtypes("where", values[1:])
    return elementwise("where", lambda c, a, b: scalar.where(c, *scalar.unify([a, b], "where")), *values)


def _operator(name, swap=False):
    def method(self, other):
        if not (isinstance(other, (Array, Scalar, np.ndarray, dims_.Dim)) or scalar.is_number(other)):
            return NotImplemented
        if isinstance(other, dims_.Dim):
            other = as_array(other).astype(self.dtype) if isinstance(self, Array) else Scalar(other.ssa, dtypes.index)
        return apply(name, other, self) if swap else apply(name, self, other)
    return method


for _name, _symbol in (("add", "add"), ("subtract", "sub"), ("multiply", "mul"), ("divide", "truediv"),
                       ("floor_divide", "floordiv"), ("remainder", "mod"), ("power", "pow"),
                       ("bitwise_and", "and"), ("bitwise_or", "or"), ("bitwise_xor", "xor")):
    for _class in (Array, Scalar):
        setattr(_class, f"__{_symbol}__", _operator(_name))
        setattr(_class, f"__r{_symbol}__", _operator(_name, swap=True))
for _name, _symbol in (("equal", "eq"), ("not_equal", "ne"), ("less", "lt"), ("less_equal", "le"), ("greater", "gt"),
                       ("greater_equal", "ge")):
    for _class in (Array, Scalar):
        setattr(_class, f"__{_symbol}__", _operator(_name))
for _name, _symbol in (("negative", "neg"), ("absolute", "abs"), ("invert", "invert")):
    for _class in (Array, Scalar):
        setattr(_class, f"__{_symbol}__", (lambda name: lambda self: apply(name, self))(_name))
for _class in (Array, Scalar):
    _class.__hash__ = object.__hash__

