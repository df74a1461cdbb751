"""Wrong programs: each message starts with the user's file and line, and names the operator and what does not fit."""
import numpy as np
import pytest

import tenon as tn


def f4(*shape):
    return np.zeros(shape, np.float32)


def i4(*shape):
    return np.zeros(shape, np.int32)


def u8(*shape):
    return np.zeros(shape, np.uint8)


#: name: (a function on one line, its arguments, the message behind the line)
WRONG = {
    "broadcast": (lambda x, y: x + y, [f4(3, 4), f4(3, 5)],
         "in add: shapes [3, 4] and [3, 5] do not broadcast: sizes 4 and 5 of dim 1 differ"),
    "dtype": (lambda x, y: x * y, [f4(3), i4(3)],
         "in multiply: expected operands of one dtype, but got float32[3] and int32[3]; use .astype()"),
    "matmul": (lambda x, y: x @ y, [f4(3, 4), f4(5, 6)],
         "in matmul: the inner sizes of float32[3, 4] and float32[5, 6] differ: 4 and 5"),
    "linear": (lambda x, y: tn.linear(x, y), [f4(3, 4), f4(6, 5)],
         "in linear: sizes 4 and 5 of dim 'k' of float32[3, 4] and float32[6, 5] differ"),
    "einsum sizes": (lambda x, y: tn.einsum("ij,jk->ik", x, y), [f4(3, 4), f4(5, 6)],
         "in einsum: sizes 4 and 5 of dim 'j' of float32[3, 4] and float32[5, 6] differ"),
    "einsum labels": (lambda x: tn.einsum("ij->ik", x), [f4(3, 4)],
         "in einsum: 'k' of the result of 'ij->ik' is in no input, or twice in the result"),
    "reshape": (lambda x: x.reshape(5, -1), [f4(3, 4)],
         "in reshape: an array of shape [3, 4] cannot become [5, -1]"),
    "transpose": (lambda x: tn.transpose(x, (0, 0)), [f4(3, 4)],
         "in transpose: expected a permutation of 2 dims, but got [0, 0]"),
    "index": (lambda x: x[3], [f4(3, 4)],
         "index 3 is out of range for dim 0 of size 3"),
    "slice": (lambda x: x[tn.ds(2, 2)], [f4(3, 4)],
         "2 elements from 2 leave dim 0 of size 3"),
    "take": (lambda x, y: tn.take(x, y), [f4(3, 4), f4(2)],
         "in take: expected integer indices, but got float32[2]"),
    "concatenate": (lambda x, y: tn.concatenate([x, y]), [f4(3, 4), f4(3, 5)],
         "in concatenate: shapes [3, 4] and [3, 5] differ in dim 1: 4 and 5"),
    "axis": (lambda x: x.sum(2), [f4(3, 4)],
         "in sum: expected an axis from -2 to 1, but got 2"),
    "top_k": (lambda x: tn.top_k(x, 5), [f4(3, 4)],
         "in top_k: expected k from 0 to the 4 elements of dim 1, but got 5"),
    "truth": (lambda x: x if x.sum() > 0 else -x, [f4(3, 4)],
         "the truth of a traced array is not known while the function is traced; use tenon.where, tenon.cond "
         "or tenon.while_loop"),
    "where": (lambda x: tn.where(x, x, 0.0), [f4(3)],
         "in where: expected a condition of bool, but got float32[3]"),
    "set": (lambda x, y: x.at[0].set(y), [f4(3, 4), f4(5)],
         "in x.at[..].set: shapes [5] and [4] do not broadcast: sizes 5 and 4 of dim 0 differ"),
    "attention rank": (lambda x, y: tn.attention(x, y, y), [f4(4, 5, 8), f4(1, 2, 5, 8)],
         "in attention: expected queries [batch, heads, queries, size], but got float32[4, 5, 8]"),
    "attention size": (lambda x, y: tn.attention(x, y, y), [f4(1, 4, 5, 8), f4(1, 4, 5, 16)],
         "in attention: queries float32[1, 4, 5, 8] and keys float32[1, 4, 5, 16] differ in size: 8 and 16"),
    "attention heads": (lambda x, y: tn.attention(x, y, y), [f4(1, 4, 5, 8), f4(1, 3, 5, 8)],
         "in attention: the 3 heads of keys float32[1, 3, 5, 8] do not divide the 4 of queries float32[1, 4, 5, 8]"),
    "attention values": (lambda x, y: tn.attention(x, x, y), [f4(1, 4, 5, 8), f4(1, 4, 6, 8)],
         "in attention: keys float32[1, 4, 5, 8] and values float32[1, 4, 6, 8] differ in keys: 5 and 6"),
    "attention dtype": (lambda x, y: tn.attention(x, y, y), [f4(1, 4, 5, 8), f4(1, 4, 5, 8).astype(np.float16)],
         "in attention: expected operands of one dtype, but got float32[1, 4, 5, 8] and float16[1, 4, 5, 8]; "
         "use .astype()"),
    "lengths": (lambda x, y: tn.attention(x, x, x, lengths=y), [f4(2, 4, 5, 8), i4(3)],
         "in attention: queries float32[2, 4, 5, 8] and lengths int32[3] differ in batches: 2 and 3"),
    "block size": (lambda x: tn.attention(x, x, x, block_size=16), [f4(1, 4, 5, 8)],
         "in attention: expected block_size to be a positive integer and to go with blocks, but got 16"),
    "block weights": (lambda x, y: tn.attention(x, x, x, blocks=y, block_weights=x), [f4(1, 4, 5, 8), i4(1, 4, 5, 2)],
         "in attention: expected block_weights to be floats of the shape of blocks, but got float32[1, 4, 5, 8] for int32[1, 4, 5, 2]"),
    "heads of blocks": (lambda x, y: tn.attention(x, x, x, blocks=y), [f4(1, 4, 5, 8), i4(1, 3, 5, 2)],
         "in attention: the 3 heads of blocks int32[1, 3, 5, 2] do not divide the 4 of queries float32[1, 4, 5, 8]"),
    "lists": (lambda x, y: tn.attention(x, x, x, blocks=y, query_block=2), [f4(1, 4, 5, 8), i4(1, 5, 2)],
         "in attention: expected a list of blocks for each 2 of 5 queries, but got blocks int32[1, 1, 5, 2]"),
    "batches of blocks": (lambda x, y: tn.attention(x, x, x, blocks=y), [f4(1, 4, 5, 8), i4(2, 5, 2)],
         "in attention: queries float32[1, 4, 5, 8] and blocks int32[2, 1, 5, 2] differ in batches: 1 and 2"),
    "mask": (lambda x, y: tn.attention(x, x, x, mask=y), [f4(1, 4, 5, 8), f4(5, 5)],
         "in attention: expected a mask of tenon.masks, but got Array; scores of an array are added in `score`"),
    "window": (lambda x: tn.attention(x, x, x, mask=tn.masks.window(-2)), [f4(1, 4, 5, 8)],
         "in masks.window: expected left to be -1 or more, but got -2"),
    "prefix": (lambda x: tn.attention(x, x, x, mask=tn.masks.prefix("all")), [f4(1, 4, 5, 8)],
         "in masks.prefix: expected a length of 0 or more, but got 'all'"),
    "dilated": (lambda x: tn.attention(x, x, x, mask=tn.masks.dilated(3, 0, 0)), [f4(1, 4, 5, 8)],
         "in masks.dilated: expected a dilation of 1 or more, but got 0"),
    "strided": (lambda x: tn.attention(x, x, x, mask=tn.masks.strided(3, offset=3)), [f4(1, 4, 5, 8)],
         "in masks.strided: expected an offset below the stride 3, but got 3"),
    "neighborhood lists": (lambda x: tn.attention(x, x, x, mask=tn.masks.neighborhood((2, 3), (1, 1, 1))), [f4(1, 4, 6, 8)],
         "in masks.neighborhood: expected size for 2 dims, but got (1, 1, 1)"),
    "neighborhood size": (lambda x: tn.attention(x, x, x, mask=tn.masks.neighborhood((2, 3), 2, dilation=2)), [f4(1, 4, 6, 8)],
         "in masks.neighborhood: expected a size that, times the dilation, fits the grid, and a stride up to the size, but got size 2, "
         "dilation 2 and stride 1 for length 2"),
    "neighborhood grid": (lambda x: tn.attention(x, x, x, mask=tn.masks.neighborhood((), 2)), [f4(1, 4, 6, 8)],
         "in masks.neighborhood: expected a grid of at least one dim, but got ()"),
    "document size": (lambda x, y: tn.attention(x, x, x, mask=tn.masks.document(y)), [f4(2, 4, 5, 8), i4(2, 6)],
         "in a mask: an array of shape [2, 6] is read by queries, of which there are 5: dim 1 has 6"),
    "document dtype": (lambda x, y: tn.attention(x, x, x, mask=tn.masks.document(y)), [f4(2, 4, 5, 8), f4(2, 5)],
         "in a mask: expected int32 or int64 for queries, by batch or not, but got float32[2, 5]"),
    "masks of heads": (lambda x: tn.attention(x, x, x, mask=tn.masks.per_head([])), [f4(1, 4, 5, 8)],
         "in masks.per_head: expected a list of masks, but got []"),
    "predicate": (lambda x: tn.attention(x, x, x, predicate=lambda b, h, i, j: i - j), [f4(1, 4, 5, 8)],
         "in attention: expected the predicate to give a truth value, but got index"),
    "predicate array": (lambda x, y: tn.attention(x, x, x, predicate=lambda b, h, i, j: y[i] > 0), [f4(1, 4, 5, 8), i4(4)],
         "in a mask: an array of shape [4] is read by queries, of which there are 5: dim 0 has 4"),
    "normalizer": (lambda x: tn.attention(x, x, x, normalizer="softplus"), [f4(1, 4, 5, 8)],
         "expected a normalizer such as tenon.softmax(), but got 'softplus'"),
    "sink": (lambda x, y: tn.attention(x, x, x, normalizer=tn.softmax(sink=y)), [f4(1, 4, 5, 8), f4(3)],
         "in attention: expected a sink of floats for each of the 4 heads, but got float32[3]"),
    "score size": (lambda x, y: tn.attention(x, x, x, score=lambda s, b, h, i, j: s + y[h, i, j]), [f4(1, 4, 5, 8), f4(4, 5, 6)],
         "in a score: an array of shape [4, 5, 6] is read by keys, of which there are 5: dim 2 has 6"),
    "score index": (lambda x, y: tn.attention(x, x, x, score=lambda s, b, h, i, j: s + y[j - i]), [f4(1, 4, 5, 8), f4(5)],
         "in a score: an array is read at the indices b, h, i, j themselves or at numbers, not at what is "
         "computed from them; arrange the array before the attention"),
    "score value": (lambda x, y: tn.attention(x, x, x, score=lambda s, b, h, i, j: y), [f4(1, 4, 5, 8), f4(5)],
         "in attention: expected the score to give a number, but got Array"),
    "score truth": (lambda x: tn.attention(x, x, x, score=lambda s, b, h, i, j: s if j > i else 0), [f4(1, 4, 5, 8)],
         "the truth of a traced number is not known while the function is traced; use tenon.where(condition, "
         "a, b), and & | ~ for and, or, not"),
    "conv channels": (lambda x, y: tn.conv(x, y), [f4(1, 4, 9, 9), f4(8, 3, 3, 3)],
         "in conv: the filter float32[8, 3, 3, 3] in 1 groups is for 3 channels, but x float32[1, 4, 9, 9] has 4"),
    "conv stride": (lambda x, y: tn.conv(x, y, stride=0), [f4(1, 3, 9, 9), f4(8, 3, 3, 3)],
         "in conv: expected stride to be one number from 1, or 2, but got 0"),
    "conv padding": (lambda x, y: tn.conv(x, y, padding="full"), [f4(1, 3, 9, 9), f4(8, 3, 3, 3)],
         "in conv: expected padding 'same', 'valid', a number, or one or two per spatial dim, but got 'full'"),
    "moe experts": (lambda x, y, z: tn.moe(x, x @ y, z, z, top_k=2), [f4(7, 4), f4(4, 8), f4(6, 4, 4)],
         "in moe: expected up [E, D, F] with E = 8 and D = 4, but got float32[6, 4, 4]"),
    "moe top_k": (lambda x, y, z: tn.moe(x, x @ y, z, z, top_k=9), [f4(7, 4), f4(4, 8), f4(8, 4, 4)],
         "in moe: top_k 9 of 8 experts"),
    "format bits": (lambda x, y: tn.dequantize(x, tn.format("int9", scale="float32"), scales=y), [u8(3, 8).view(np.int8), f4(3, 1)],
         "in a format: expected the element to be an integer of 1 to 8 bits or one of float8_e4m3fn, "
         "float8_e5m2, float6_e2m3fn, float6_e3m2fn, float4_e2m1fn, float16, bfloat16, float32, "
         "float8_e8m0fnu, but got 'int9'"),
    "format groups": (lambda x, y: tn.dequantize(x, tn.format("int4", group=4, scale="float32"), scales=y), [u8(3, 8).view(np.int8), f4(3, 3)],
         "in dequantize: expected 2 scales along dim 1 (8 elements in groups of 4), but got 3"),
    "format scales": (lambda x: tn.dequantize(x, tn.format("int4", group=4, scale="float32")), [u8(3, 8).view(np.int8)],
         "in dequantize: the format has a scale, but scales are missing"),
    "format codebook": (lambda x, y: tn.dequantize(x, tn.format("uint3", scale="float32", codebook=[0, 1, 2]), scales=y), [u8(3, 8), f4(3, 1)],
         "in a format: expected a codebook with a value for each code of an unsigned element of at most 4 "
         "bits, but got 3 values for uint3"),
    "format records": (lambda x: tn.dequantize(x, "Q4_0"), [u8(3, 20)],
         "in dequantize: expected bytes in records of 18 along the last dim for Q4_0, but got uint8[3, 20]"),
    "cond branches": (lambda x, y: tn.cond(x.sum() > 0, lambda: x, lambda: y), [f4(3, 4), f4(3, 5)],
         "in cond: the results of the branches differ: array 0 is float32[3, 4] and float32[3, 5]"),
    "cond truth": (lambda x: tn.cond(x, lambda: x, lambda: x), [f4(3, 4)],
         "in cond: expected a condition of bool without dims, but got float32[3, 4]"),
    "while state": (lambda x: tn.while_loop(lambda a: a.sum() > 0, lambda a: a[:2], x), [f4(3, 4)],
         "in while_loop: the state and what the body makes of it differ: array 0 is float32[3, 4] and float32[2, 4]"),
    "scan lengths": (lambda x, y: tn.scan(lambda c, p: (c, p[0]), x[0], (x, y)), [f4(3, 4), f4(5, 4)],
         "in scan: lengths 3 and 5 differ"),
    "scan pair": (lambda x: tn.scan(lambda c, p: c, x[0], x), [f4(3, 4)],
         "in scan: expected the body to give a pair (state, y)"),
    "result": (lambda x: "text", [f4(3)],
         "in <lambda>: expected arrays as results, but got 'text'"),
    "list": (lambda x: tn.exp([x, x]), [f4(3)],
         "expected an array, but got a list of arrays; use tenon.stack or tenon.concatenate"),
    "element type": (lambda x: x.astype("float31"), [f4(3)],
         "expected an element type of bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, int4, "
         "uint4, float16, bfloat16, float32, float64, float8_e4m3fn, float8_e5m2, but got 'float31'"),
    "integer exp": (lambda x: x + 0.5, [i4(3)],
         "the number 0.5 does not fit an operand of int32"),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name):
    function, arguments, message = WRONG[name]
    with pytest.raises(tn.InvalidArgument) as caught:
        tn.jit(function)(*arguments)
    assert str(caught.value) == f"{__file__}:{function.__code__.co_firstlineno}: {message}"


def test_innermost_line_of_the_user():
    def inner(x):
        return x + tn.zeros((5,))

    with pytest.raises(tn.InvalidArgument, match=rf"test_jit_errors.py:{inner.__code__.co_firstlineno + 1}: in add: shapes"):
        tn.jit(lambda x: tn.exp(inner(x)))(f4(3))


def test_sizes_known_at_the_call():
    f = tn.jit(lambda x, y: x.reshape(4, -1) @ y, dims={"x": ("n",)})
    f(f4(12), f4(3, 2))
    with pytest.raises(tn.DataError, match=rf"test_jit_errors.py:{f.__wrapped__.__code__.co_firstlineno}: in reshape: an array of shape"):
        f(f4(13), f4(3, 2))
    with pytest.raises(tn.InvalidArgument, match=r"expected argument 'x' of shape \[n\], but got \[3, 4\]"):
        f(f4(3, 4), f4(3, 2))
