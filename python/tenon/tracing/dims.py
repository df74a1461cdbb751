"""Sizes of traced arrays: numbers, or products of names that are known when the function is called."""
from .. import errors


class Dim:
    """A size that is known when the compiled function is called: constant * the product of `factors`.

    `factors` are names, of arguments' dims or of computed sizes; equal sizes compare equal. `ssa` is the value of type
    `index` in the Program.
    """

    __slots__ = ("trace", "ssa", "constant", "factors")

    def __init__(self, trace, ssa, constant, factors):
        self.trace, self.ssa, self.constant, self.factors = trace, ssa, constant, tuple(sorted(factors))

    def __repr__(self):
        names = "*".join(self.factors)
        return names if self.constant == 1 else f"{self.constant}*{names}"

    def __eq__(self, other):
        return isinstance(other, Dim) and (self.constant, self.factors) == (other.constant, other.factors)

    def __hash__(self):
        return hash((self.constant, self.factors))

    def __bool__(self):
        return True

    def __index__(self):
        raise errors.InvalidArgument(f"the size '{self}' is not known while the function is traced; "
                                     "give the argument a static shape to use it as a number")

    def _binary(self, other, op, symbol, swap=False):
        if not isinstance(other, (int, Dim)) or isinstance(other, bool):
            return NotImplemented
        left, right = (other, self) if swap else (self, other)
        return self.trace.dim(self.trace.index_op(op, left, right), f"({left}{symbol}{right})")

    def __add__(self, other):
        return self if isinstance(other, int) and other == 0 else self._binary(other, "arith.addi", "+")

    __radd__ = __add__

    def __sub__(self, other):
        if isinstance(other, int) and other == 0:
            return self
        return 0 if self == other else self._binary(other, "arith.subi", "-")

    def __rsub__(self, other):
        return self._binary(other, "arith.subi", "-", swap=True)

    def __mul__(self, other):
        if isinstance(other, int) and not isinstance(other, bool):
            if other in (0, 1):
                return other and self
            return Dim(self.trace, self.trace.index_op("arith.muli", self, other), self.constant * other, self.factors)
        if isinstance(other, Dim):
            return Dim(self.trace, self.trace.index_op("arith.muli", self, other), self.constant * other.constant,
                       self.factors + other.factors)
        return NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other):
        if other == 1:
            return self
        exact = divide([self], [other])
        if exact is not None:
            return exact
        return self._binary(other, "arith.floordivsi", "//")

    def __mod__(self, other):
        return 0 if divide([self], [other]) is not None else self._binary(other, "arith.remsi", "%")


def _split(dims):
    constant, factors = 1, []
    for dim in dims:
        constant *= dim.constant if isinstance(dim, Dim) else dim
        factors += dim.factors if isinstance(dim, Dim) else ()
    return constant, sorted(factors)


def same_product(left, right):
    """Whether the products of two lists of dims are the same for sure."""
    return _split(left) == _split(right)


def divide(dims, by):
    """The product of `dims` divided by that of `by`, where that is known to be exact; else None."""
    constant, factors = _split(dims)
    divisor, others = _split(by)
    for factor in others:
        if factor not in factors:
            return None
        factors.remove(factor)
    if divisor == 0 or constant % divisor:
        return None
    constant //= divisor
    if not factors:
        return constant
    trace = next(dim.trace for dim in dims if isinstance(dim, Dim))
    ssa = trace.constant(constant)
    for factor in factors:
        ssa = trace.emit_value(f"arith.muli {ssa}, {trace.factor_values[factor]} : index")
    return Dim(trace, ssa, constant, factors)


def product(dims):
    """The product of some dims, 1 for none."""
    result = 1
    for dim in dims:
        result = dim * result if isinstance(dim, Dim) else result * dim
    return result


def maximum(trace, left, right):
    """max(left, right) of two dims."""
    if isinstance(left, int) and isinstance(right, int):
        return max(left, right)
    return trace.dim(trace.index_op("arith.maxsi", left, right), f"max({left},{right})")


def minimum(trace, left, right):
    """min(left, right) of two dims."""
    if isinstance(left, int) and isinstance(right, int):
        return min(left, right)
    return trace.dim(trace.index_op("arith.minsi", left, right), f"min({left},{right})")


def text(shape):
    """A shape as messages show it."""
    return "[" + ", ".join(map(str, shape)) + "]"
