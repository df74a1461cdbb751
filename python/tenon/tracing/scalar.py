"""Numbers inside of regions: the elements that element-wise operations, scores of attention and cells work on."""
import math
import numbers

from .. import errors
from . import dtypes, trace as trace_

_FLOAT_COMPARE = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}


class Scalar:
    """One number in a region: an SSA value with an element type (`index` for the indices of a region).

    Works like a number: operators, and tenon's functions (`tenon.exp`, `tenon.where`, ...). Python's numbers take the
    type of what they meet.
    """

    __slots__ = ("ssa", "dtype")
    __array_ufunc__ = None

    def __init__(self, ssa, dtype):
        self.ssa, self.dtype = ssa, dtype

    def __repr__(self):
        return f"<tenon scalar {self.dtype}>"

    def __bool__(self):
        trace_.fail("the truth of a traced number is not known while the function is traced; "
                    "use tenon.where(condition, a, b), and & | ~ for and, or, not", errors.InvalidArgument)

    def __index__(self):
        trace_.fail("the index of a region is not known while the function is traced; to read a NumPy array by it, "
                    "make that array traced first: tenon.asarray(array)[h, i, j]")

    def astype(self, dtype):
        return cast(self, dtypes.dtype_of(dtype))


def is_number(value):
    return isinstance(value, (numbers.Number, bool)) and not isinstance(value, complex)


def literal(value, dtype):
    """A Python number as a Scalar of `dtype`."""
    if not dtype.is_float and not dtype.is_bool and isinstance(value, float) and not value.is_integer():
        trace_.fail(f"the number {value} does not fit an operand of {dtype}")
    return Scalar(trace_.current().constant(value, dtype), dtype)


def common_type(kinds, values, operator):
    """The one dtype of typed operands (`kinds`); indices join what they meet. `values` tells of Python's numbers."""
    found = {kind for kind in kinds if kind.mlir != "index"}
    if len(found) > 1:
        names = " and ".join(str(kind) for kind in sorted(found))
        trace_.fail(f"in {operator}: expected operands of one dtype, but got {names}; use .astype()")
    fractional = any(isinstance(value, float) and not float(value).is_integer() for value in values)
    if found:
        return found.pop()
    return dtypes.float32 if fractional else dtypes.index


def unify(values, operator):
    """Operands of one type: Scalars and Python's numbers."""
    dtype = common_type([v.dtype for v in values if isinstance(v, Scalar)],
                        [v for v in values if not isinstance(v, Scalar)], operator)
    if dtype.is_bool and any(is_number(v) and not isinstance(v, bool) and v not in (0, 1) for v in values):
        trace_.fail(f"in {operator}: a number and a bool; use .astype()")
    return [(v if v.dtype == dtype else cast(v, dtype)) if isinstance(v, Scalar) else literal(v, dtype) for v in values]


def _emit(text, dtype):
    return Scalar(trace_.current().emit_value(text), dtype)


def _op(name, values, dtype=None):
    kind = values[0].dtype
    return _emit(f"{name} {', '.join(v.ssa for v in values)} : {kind.mlir}", dtype or kind)


def arithmetic(float_op, int_op, unsigned_op=None):
    def build(x, y):
        if x.dtype.is_bool:
            trace_.fail("arithmetic on bools; use .astype(), or & | ^ for logic")
        if x.dtype.is_float:
            return _op(float_op, (x, y))
        return _op(unsigned_op if unsigned_op and x.dtype.is_unsigned else int_op, (x, y))
    return build


def compare(predicate):
    def build(x, y):
        if x.dtype.is_float:
            return _emit(f"arith.cmpf {_FLOAT_COMPARE[predicate]}, {x.ssa}, {y.ssa} : {x.dtype.mlir}", dtypes.bool_)
        sign = "" if predicate in ("eq", "ne") else "u" if x.dtype.is_unsigned else "s"
        return _emit(f"arith.cmpi {sign}{predicate}, {x.ssa}, {y.ssa} : {x.dtype.mlir}", dtypes.bool_)
    return build


def logic(op):
    def build(x, y):
        if x.dtype.is_float:
            trace_.fail(f"expected bools or integers for & | ^, but got {x.dtype}")
        return _op(op, (x, y))
    return build


def unary(op):
    """A function of floats; integers and indices become float32."""
    def build(x):
        return _op(op, (x if x.dtype.is_float else cast(x, dtypes.float32),))
    return build


add = arithmetic("arith.addf", "arith.addi")
sub = arithmetic("arith.subf", "arith.subi")
mul = arithmetic("arith.mulf", "arith.muli")
maximum = arithmetic("arith.maximumf", "arith.maxsi", "arith.maxui")
minimum = arithmetic("arith.minimumf", "arith.minsi", "arith.minui")


def div(x, y):
    """True division: of floats."""
    x, y = (v if v.dtype.is_float else cast(v, dtypes.float32) for v in (x, y))
    return _op("arith.divf", (x, y))


def _safe_divisor(x, y):
    """1 instead of a divisor that would trap: 0, and -1 (the caller negates)."""
    zero = literal(0, y.dtype)
    one = literal(1, y.dtype)
    bad = compare("eq")(y, zero)
    if not y.dtype.is_unsigned and y.dtype.mlir != "index":
        minus = compare("eq")(y, literal(-1, y.dtype))
        bad = _emit(f"arith.ori {bad.ssa}, {minus.ssa} : i1", dtypes.bool_)
        return select(bad, one, y), minus
    return select(bad, one, y), None


def floordiv(x, y):
    """Rounds down; an integer division by zero gives the dividend."""
    if x.dtype.is_float:
        return _op("math.floor", (_op("arith.divf", (x, y)),))
    safe, minus = _safe_divisor(x, y)
    result = _op("arith.divui" if x.dtype.is_unsigned else "arith.floordivsi", (x, safe))
    return select(minus, neg(x), result) if minus is not None else result


def mod(x, y):
    """x - floor(x / y) * y: the sign of y, as in Python; 0 for an integer y of zero."""
    if x.dtype.is_float:
        return sub(x, mul(floordiv(x, y), y))
    safe, minus = _safe_divisor(x, y)
    if x.dtype.is_unsigned:
        return _op("arith.remui", (x, safe))
    result = sub(x, mul(_op("arith.floordivsi", (x, safe)), safe))
    return select(minus, literal(0, x.dtype), result) if minus is not None else result


def neg(x):
    return _op("arith.negf", (x,)) if x.dtype.is_float else sub(literal(0, x.dtype), x)


def absolute(x):
    return _op("math.absf", (x,)) if x.dtype.is_float else maximum(x, neg(x)) if not x.dtype.is_unsigned else x


def invert(x):
    if x.dtype.is_float:
        trace_.fail(f"expected a bool or an integer for ~, but got {x.dtype}")
    return _op("arith.xori", (x, literal(True if x.dtype.is_bool else (1 << x.dtype.bits) - 1 if x.dtype.is_unsigned else -1, x.dtype)))


def select(condition, x, y):
    return _emit(f"arith.select {condition.ssa}, {x.ssa}, {y.ssa} : {x.dtype.mlir}", x.dtype)


def where(condition, x, y):
    if not condition.dtype.is_bool:
        trace_.fail(f"expected a condition of bool, but got {condition.dtype}")
    return select(condition, x, y)


def power(x, y):
    x, y = (v if v.dtype.is_float else cast(v, dtypes.float32) for v in (x, y))
    return _op("math.powf", (x, y))


def sigmoid(x):
    if not x.dtype.is_float:
        x = cast(x, dtypes.float32)
    one = literal(1.0, x.dtype)
    return _op("arith.divf", (one, add(one, _op("math.exp", (neg(x),)))))


def softplus(x):
    """max(x, 0) + log1p(exp(-|x|)): does not overflow."""
    if not x.dtype.is_float:
        x = cast(x, dtypes.float32)
    rest = _op("math.log1p", (_op("math.exp", (neg(absolute(x)),)),))
    return add(maximum(x, literal(0.0, x.dtype)), rest)


def sign(x):
    zero, one, minus = literal(0, x.dtype), literal(1, x.dtype), literal(-1, x.dtype)
    return select(compare("gt")(x, zero), one, select(compare("lt")(x, zero), minus, x))


def is_nan(x):
    if not x.dtype.is_float:
        return literal(False, dtypes.bool_)
    return _emit(f"arith.cmpf uno, {x.ssa}, {x.ssa} : {x.dtype.mlir}", dtypes.bool_)


def cast(x, to):
    """Float to integer truncates and saturates, NaN becomes 0; integers wrap; to bool is `!= 0`."""
    source = x.dtype
    if source == to:
        return x
    if source.mlir == "index" or to.mlir == "index":
        if to.is_float:
            return cast(cast(x, dtypes.int64), to)
        if source.is_float:
            return cast(cast(x, dtypes.int64), to)
        return _emit(f"arith.index_cast {x.ssa} : {source.mlir} to {to.mlir}", to)
    if to.is_bool:
        return compare("ne")(x, literal(0, source))
    if source.is_float and to.is_float:
        if source.bits == to.bits:
            return cast(cast(x, dtypes.float32), to)
        if source.bits < to.bits:
            if source.bits < 32 and to.bits == 64:
                return cast(cast(x, dtypes.float32), to)
            return _emit(f"arith.extf {x.ssa} : {source.mlir} to {to.mlir}", to)
        return _emit(f"arith.truncf {x.ssa} : {source.mlir} to {to.mlir}", to)
    if source.is_float:
        return _float_to_integer(x if source.bits >= 32 else cast(x, dtypes.float32), to)
    if to.is_float:
        wide = to if to.bits >= 32 else dtypes.float32
        op = "arith.uitofp" if source.is_unsigned else "arith.sitofp"
        result = _emit(f"{op} {x.ssa} : {source.mlir} to {wide.mlir}", wide)
        return cast(result, to)
    bits = 1 if source.is_bool else source.bits
    if to.bits == bits:
        return Scalar(x.ssa, to)
    if to.bits < bits:
        return _emit(f"arith.trunci {x.ssa} : {source.mlir} to {to.mlir}", to)
    return _emit(f"arith.{'extui' if source.is_unsigned else 'extsi'} {x.ssa} : {source.mlir} to {to.mlir}", to)


def _float_to_integer(x, to):
    low, high = (0, 1 << to.bits) if to.is_unsigned else (-(1 << to.bits - 1), 1 << to.bits - 1)
    too_high, too_low = compare("ge")(x, literal(float(high), x.dtype)), compare("le")(x, literal(float(low), x.dtype))
    bad = _op("arith.ori", (_op("arith.ori", (too_high, too_low)), is_nan(x)))
    safe = select(bad, literal(0.0, x.dtype), x)
    op = "arith.fptoui" if to.is_unsigned else "arith.fptosi"
    work = to if to.bits >= 32 else dtypes.int32
    if to.bits < 32:
        op = "arith.fptosi"
    result = _emit(f"{op} {safe.ssa} : {x.dtype.mlir} to {work.mlir}", work)
    result = select(too_high, Scalar(literal(high - 1, work).ssa, work), select(too_low, literal(low, work), result))
    return cast(result, to) if to.bits < 32 else Scalar(result.ssa, to)


def _gelu(x):
    half = mul(literal(0.5, x.dtype), x)
    return mul(half, add(literal(1.0, x.dtype), _op("math.erf", (mul(x, literal(math.sqrt(0.5), x.dtype)),))))


def _gelu_tanh(x):
    cube = mul(x, mul(x, x))
    inner = mul(literal(math.sqrt(2 / math.pi), x.dtype), add(x, mul(literal(0.044715, x.dtype), cube)))
    return mul(mul(literal(0.5, x.dtype), x), add(literal(1.0, x.dtype), _op("math.tanh", (inner,))))


#: name -> (number of operands, builder on Scalars of one type)
FUNCTIONS = {
    "add": (2, add), "subtract": (2, sub), "multiply": (2, mul), "divide": (2, div), "floor_divide": (2, floordiv),
    "remainder": (2, mod), "power": (2, power), "maximum": (2, maximum), "minimum": (2, minimum),
    "equal": (2, compare("eq")), "not_equal": (2, compare("ne")), "less": (2, compare("lt")),
    "less_equal": (2, compare("le")), "greater": (2, compare("gt")), "greater_equal": (2, compare("ge")),
    "bitwise_and": (2, logic("arith.andi")), "bitwise_or": (2, logic("arith.ori")), "bitwise_xor": (2, logic("arith.xori")),
    "negative": (1, neg), "absolute": (1, absolute), "invert": (1, invert), "sign": (1, sign), "isnan": (1, is_nan),
    "exp": (1, unary("math.exp")), "log": (1, unary("math.log")), "log1p": (1, unary("math.log1p")),
    "sqrt": (1, unary("math.sqrt")), "rsqrt": (1, unary("math.rsqrt")), "tanh": (1, unary("math.tanh")),
    "erf": (1, unary("math.erf")), "sin": (1, unary("math.sin")), "cos": (1, unary("math.cos")),
    "floor": (1, unary("math.floor")), "ceil": (1, unary("math.ceil")), "round": (1, unary("math.roundeven")),
    "sigmoid": (1, sigmoid), "softplus": (1, softplus),
    "gelu": (1, lambda x: _gelu(x if x.dtype.is_float else cast(x, dtypes.float32))),
    "gelu_tanh": (1, lambda x: _gelu_tanh(x if x.dtype.is_float else cast(x, dtypes.float32))),
}
