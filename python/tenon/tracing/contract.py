"""Sums of products: matmul and einsum. Every contraction ends in the same register tile."""
import re

from . import dims as dims_
from . import dtypes, scalar, trace as trace_
from .array import as_array, broadcast_shapes, check_dtypes, generic
from .movement import reshape, transpose
from . import reduce


def matmul(x, y):
    """x [.., M, K] times y [.., K, N], as of NumPy: leading dims broadcast, a vector is a row or a column. 16-bit floats
    are summed in float32."""
    x, y = as_array(x), as_array(y)
    if x.ndim == 0 or y.ndim == 0:
        trace_.fail(f"in matmul: expected arrays of one dim or more, but got {_shown(x)} and {_shown(y)}")
    left, right = (reshape(x, (1,) + x.shape) if x.ndim == 1 else x), (reshape(y, y.shape + (1,)) if y.ndim == 1 else y)
    if left.shape[-1] != right.shape[-2] and isinstance(left.shape[-1], int) and isinstance(right.shape[-2], int):
        trace_.fail(f"in matmul: the inner sizes of {_shown(x)} and {_shown(y)} differ: {left.shape[-1]} and {right.shape[-2]}")
    lead, other = "abcdefgh"[:left.ndim - 2], "abcdefgh"[:right.ndim - 2]
    batch = broadcast_shapes([left.shape[:-2], right.shape[:-2]], "matmul")
    longest = "abcdefgh"[:len(batch)]
    lead, other = longest[len(longest) - len(lead):], longest[len(longest) - len(other):]
    # Dims of size 1 that the other side widens vanish from the operand.
    def narrowed(array, labels):
        kept = [i for i, label in enumerate(labels) if array.shape[i] != 1 or batch[longest.index(label)] == 1]
        return reshape(array, [array.shape[i] for i in kept] + list(array.shape[-2:])), "".join(labels[i] for i in kept)

    left, lead = narrowed(left, lead)
    right, other = narrowed(right, other)
    result = contract("matmul", left, lead + "mk", right, other + "kn", longest + "mn")
    if x.ndim == 1 or y.ndim == 1:
        shape = list(result.shape[:-2]) + ([] if x.ndim == 1 else [result.shape[-2]]) + ([] if y.ndim == 1 else [result.shape[-1]])
        result = reshape(result, shape)
    return result


def contract(operator, x, x_labels, y, y_labels, out):
    """out[labels] = the sum over the labels that out lacks of x * y."""
    check_dtypes(operator, [x, y])
    if x.dtype.is_bool:
        trace_.fail(f"in {operator}: arithmetic on bools; use .astype()")
    sizes = {}
    for array, labels in ((x, x_labels), (y, y_labels)):
        for label, size in zip(labels, array.shape):
            if label in sizes:
                trace_.current().check_equal(sizes[label], size, f"in {operator}: sizes {sizes[label]} and {size} of dim '{label}' of "
                                             f"{_shown(x)} and {_shown(y)} differ")
            sizes.setdefault(label, size)
            if isinstance(size, int):
                sizes[label] = size
    summed = [label for label in dict.fromkeys(x_labels + y_labels) if label not in out]
    loops = {label: i for i, label in enumerate(list(out) + summed)}
    dtype = dtypes.float32 if x.dtype.is_float and x.dtype.bits < 32 else x.dtype
    result = generic(operator, [(x, [loops[l] for l in x_labels]), (y, [loops[l] for l in y_labels])], [sizes[l] for l in out],
                     lambda a, b, acc: scalar.add(acc, scalar.mul(scalar.cast(a, dtype), scalar.cast(b, dtype))),
                     reduced=len(summed), init=0, dtype=dtype)
    return result.astype(x.dtype)


def _shown(array):
    return f"{array.dtype}{dims_.text(array.shape)}"


def einsum(equation, *operands):
    """Einstein's summation of one or more arrays, as of NumPy, without ellipses: 'bhqd,bhkd->bhqk'."""
    match = re.fullmatch(r"\s*([a-zA-Z]+(?:\s*,\s*[a-zA-Z]+)*)\s*(?:->\s*([a-zA-Z]*))?\s*", equation)
    if not match:
        trace_.fail(f"in einsum: expected an equation such as 'ij,jk->ik', but got {equation!r}")
    inputs = [part.strip() for part in match.group(1).split(",")]
    arrays = [as_array(a) for a in operands]
    if len(inputs) != len(arrays):
        trace_.fail(f"in einsum: {equation!r} is of {len(inputs)} arrays, but got {len(arrays)}")
    letters = "".join(inputs)
    out = match.group(2)
    if out is None:
        out = "".join(sorted(label for label in set(letters) if letters.count(label) == 1))
    for label in out:
        if label not in letters or out.count(label) > 1:
            trace_.fail(f"in einsum: {label!r} of the result of {equation!r} is in no input, or twice in the result")
    for labels, array in zip(inputs, arrays):
        if len(labels) != array.ndim:
            trace_.fail(f"in einsum: {labels!r} is for {len(labels)} dims, but the array has shape {dims_.text(array.shape)}")
        if len(set(labels)) != len(labels):
            trace_.fail(f"in einsum: {labels!r} has a label twice; diagonals are not supported")
    labels, result = inputs[0], arrays[0]
    for number in range(1, len(arrays)):
        later = "".join(inputs[number + 1:]) + out
        right_labels, right = inputs[number], arrays[number]
        kept = "".join(label for label in dict.fromkeys(labels + right_labels) if label in later)
        if number == len(arrays) - 1:
            kept = out
        result = contract("einsum", result, labels, right, right_labels, kept)
        labels = kept
    gone = [i for i, label in enumerate(labels) if label not in out]
    if gone:
        result = reduce.sum(result, gone)
        labels = "".join(label for label in labels if label in out)
    return transpose(result, [labels.index(label) for label in out]) if labels != out else result


def linear(x, weight, bias=None):
    """x [.., K] times the transpose of weight [N, K], plus bias [N]: a layer as most checkpoints store it. A weight made
    by tenon.dequantize is decoded in registers."""
    x, weight = as_array(x), as_array(weight)
    if weight.ndim != 2 or x.ndim < 1:
        trace_.fail(f"in linear: expected x [.., K] and weight [N, K], but got {_shown(x)} and {_shown(weight)}")
    lead = x.shape[:-1]
    rows = reshape(x, (dims_.product(lead), x.shape[-1]))
    result = contract("linear", rows, "mk", weight, "nk", "mn")
    result = reshape(result, lead + (weight.shape[0],))
    return result if bias is None else result + bias


__all__ = ["matmul", "einsum", "linear"]
