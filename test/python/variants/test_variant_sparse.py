"""Published forms of sparse attention."""
import math

import numpy as np
import pytest
from gallery import attend, check, draws, softmax, variant

import tenon as tn

pytestmark = pytest.mark.executes
draw = draws(6)


def near(i, j, count, size, stride=1, dilation=1):
    """Whether j is among the `size` neighbours of i, of `count` places; at borders the window is shifted inside. Runs of
    `stride` places share a window."""
    leader = i // dilation // stride * stride + stride // 2
    first = np.clip(leader - size // 2, 0, count // dilation - size)
    return (i % dilation == j % dilation) & (j // dilation >= first) & (j // dilation < first + size)


def hidden(seen):
    return lambda s, i, j: np.where(seen(i, j), s, -np.inf)


@variant("Neighbourhood, 1-D, dilated", "NATTEN, arXiv:2204.07143, arXiv:2209.15001")
@tn.jit
def neighbours_1d(q, k, v):
    return tn.attention(q, k, v, mask=tn.masks.neighborhood(q.shape[2], size=7, dilation=4))


@variant("Neighbourhood, 2-D, with a stride", "Generalized neighbourhood attention, arXiv:2504.16922")
@tn.jit
def neighbours_2d(q, k, v):  # places of a grid 12 x 16, row by row
    return tn.attention(q, k, v, mask=tn.masks.neighborhood((12, 16), size=(5, 7), stride=(2, 4)))


@variant("Neighbourhood, 3-D, causal in time", "NATTEN, arXiv:2204.07143")
@tn.jit
def neighbours_3d(q, k, v):  # places of a grid 4 x 6 x 8: time, rows, columns
    near = tn.masks.neighborhood((4, 6, 8), size=(2, 3, 3), dilation=(1, 1, 2), causal=(True, False, False))
    return tn.attention(q, k, v, mask=near)


def grid(count, heads=3):
    return draw(2, heads, count, 16), draw(2, heads, count, 16), draw(2, heads, count, 16)


def test_neighbourhoods():
    check(neighbours_1d, lambda q, k, v: attend(q, k, v, hidden(lambda i, j: near(i, j, 64, 7, dilation=4))), *grid(64))

    def plane(i, j):
        return near(i // 16, j // 16, 12, 5, 2) & near(i % 16, j % 16, 16, 7, 4)

    check(neighbours_2d, lambda q, k, v: attend(q, k, v, hidden(plane)), *grid(192))

    def volume(i, j):
        past = (j // 48 <= i // 48) & (i // 48 - j // 48 < 2)
        return past & near(i // 8 % 6, j // 8 % 6, 6, 3) & near(i % 8, j % 8, 8, 3, dilation=2)

    check(neighbours_3d, lambda q, k, v: attend(q, k, v, hidden(volume)), *grid(192))


@variant("Shards per head", "S2-Attention, arXiv:2407.17678")
@tn.jit
def head_shards(q, k, v):  # of far keys, a head sees every `heads`-th block of 16
    heads = q.shape[1]
    shards = tn.masks.per_head([tn.masks.strided(heads, offset=h, block=16) for h in range(heads)])
    return tn.attention(q, k, v, mask=tn.masks.causal() & (tn.masks.window(31) | shards))


def test_head_shards():
    h = np.arange(4)[:, None, None]
    check(head_shards, lambda q, k, v: attend(q, k, v, hidden(lambda i, j: (j <= i) & ((i - j < 32) | (j // 16 % 4 == h)))),
          draw(2, 4, 200, 16), draw(2, 4, 200, 16), draw(2, 4, 200, 16))


@variant("Packed documents with prefixes", "Prefix LM, arXiv:1910.10683; packing, arXiv:2107.02027")
@tn.jit
def documents(q, k, v, document, prefix_end):  # [B, S]: which document, and before which key its prefix ends
    first = tn.masks.key_interval(tn.zeros(prefix_end.shape, "int64"), prefix_end)
    return tn.attention(q, k, v, mask=tn.masks.document(document) & (tn.masks.causal() | first))


@variant("Tables of intervals", "FlashMask, arXiv:2410.01359")
@tn.jit
def intervals(q, k, v, low, high):  # [B, S]: a query sees keys from `low` to before `high`
    return tn.attention(q, k, v, mask=tn.masks.key_interval(low, high) & tn.masks.causal())


def test_intervals():
    rng = np.random.default_rng(3)
    low, high = rng.integers(0, 100, (2, 130)), rng.integers(60, 140, (2, 130))
    low, high = np.minimum(low, np.arange(130)), np.maximum(high, np.arange(130) + 1)

    def reference(q, k, v, low, high):
        i, j = np.arange(130)[:, None], np.arange(130)
        seen = (j >= low[..., None]) & (j < high[..., None]) & (j <= i)
        return attend(q, k, v, lambda s, *_: np.where(seen[:, None], s, -np.inf))

    check(intervals, reference, draw(2, 3, 130, 16), draw(2, 3, 130, 16), draw(2, 3, 130, 16), low, high)


@variant("A sparse transformer's strided and fixed patterns", "Child et al. 2019, arXiv:1904.10509")
@tn.jit
def sparse_transformer(q, k, v):  # one head strided, one fixed: the last keys, and columns of far ones
    stride = 16
    strided = tn.masks.window(stride) | tn.masks.dilated(-1, 0, stride)
    fixed = tn.masks.window(stride) | tn.masks.strided(stride, offset=stride - 1)
    return tn.attention(q, k, v, mask=tn.masks.causal() & tn.masks.per_head([strided, fixed]))


def test_sparse_transformer():
    def reference(q, k, v):
        i, j = np.arange(150)[:, None], np.arange(150)
        seen = np.stack(np.broadcast_arrays((i - j) % 16 == 0, j % 16 == 15)) | (i - j <= 16)
        return attend(q, k, v, lambda s, *_: np.where(seen & (j <= i), s, -np.inf))

    check(sparse_transformer, reference, draw(1, 2, 150, 16), draw(1, 2, 150, 16), draw(1, 2, 150, 16))


@variant("A predicate of positions", "FlexAttention, arXiv:2412.05496")
@tn.jit
def predicate(q, k, v, depth):  # [S]: of nested spans; a token sees what is before it and not deeper
    return tn.attention(q, k, v, mask=tn.masks.causal(), predicate=lambda b, h, i, j: depth[j] <= depth[i])


def test_predicate():
    depth = np.random.default_rng(4).integers(0, 4, 90)

    def reference(q, k, v, depth):
        return attend(q, k, v, mask=lambda i, j: (j <= i) & (depth[j] <= depth[i]))

    check(predicate, reference, draw(2, 4, 90, 16), draw(2, 2, 90, 16), draw(2, 2, 90, 16), depth)


def test_documents():
    ends = [[30, 31, 90, 120], [60, 61, 62, 120]]
    document = np.array([[np.searchsorted(row, i, "right") for i in range(120)] for row in ends], np.int64)
    start = np.array([[([0] + row)[d] for d in line] for row, line in zip(ends, document)])
    prefix_end = start + 10

    def reference(q, k, v, document, prefix_end):
        i, j = np.arange(120)[:, None], np.arange(120)
        seen = (document[:, :, None] == document[:, None]) & ((j <= i) | (j < prefix_end[:, :, None]))
        return attend(q, k, v, lambda s, *_: np.where(seen[:, None], s, -np.inf))

    check(documents, reference, draw(2, 3, 120, 16), draw(2, 3, 120, 16), draw(2, 3, 120, 16), document, prefix_end)


@variant("Blocks chosen by antidiagonal scores", "XAttention, arXiv:2503.16428")
@tn.jit
def antidiagonal(q, k, v):  # of each 16 queries, the 3 best blocks of 16 keys
    blocks, _ = tn.select_blocks(q, k, score="antidiagonal", stride=4, block_size=16, query_block=16, top_k=3)
    return tn.attention(q, k, v, blocks=blocks, block_size=16, query_block=16)


def test_antidiagonal():
    def reference(q, k, v):
        s = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3])
        b, h, n, _ = s.shape
        tiles = s.reshape(b, h, n // 4, 4, n // 4, 4)
        sums = sum(tiles[:, :, :, 3 - r, :, r] for r in range(4)) / 4
        weights = softmax(sums).reshape(b, h, n // 16, 4, n // 16, 4).sum((3, 5))
        seen = weights >= np.sort(weights)[..., -3:-2]
        seen = seen.repeat(16, 2).repeat(16, 3)
        return softmax(np.where(seen, s, -np.inf)) @ v

    check(antidiagonal, reference, draw(1, 4, 128, 32), draw(1, 4, 128, 32), draw(1, 4, 128, 32))


@variant("Mixture of block attention", "MoBA, arXiv:2502.13189")
@tn.jit
def mixture_of_blocks(q, k, v):  # a query sees its own block of 16 keys and the 2 best before it
    blocks, _ = tn.select_blocks(q, k, block_size=16, top_k=3, local=1, causal=True)
    return tn.attention(q, k, v, blocks=blocks, block_size=16, mask=tn.masks.causal())


def test_mixture_of_blocks():
    def reference(q, k, v):
        b, h, n, d = q.shape
        gates = np.einsum("bhid,bhnd->bhin", q, k.reshape(b, h, n // 16, 16, d).mean(3))
        own = np.arange(n)[:, None] // 16 - np.arange(n // 16)
        gates = np.where(own < 0, -1e30, np.where(own == 0, 1e30, gates))
        seen = (gates >= np.sort(gates)[..., -3:-2]) & (gates > -1e29)
        i, j = np.arange(n)[:, None], np.arange(n)
        s = q @ k.swapaxes(2, 3) / np.sqrt(d)
        return softmax(np.where(seen.repeat(16, 3) & (j <= i), s, -np.inf)) @ v

    check(mixture_of_blocks, reference, draw(1, 3, 128, 16), draw(1, 3, 128, 16), draw(1, 3, 128, 16))


@variant("Entmax with alpha 1.5", "Peters et al. 2019, arXiv:1905.05702")
@tn.jit
def entmax(q, k, v):
    return tn.attention(q, k, v, normalizer=tn.normalizers.entmax(1.5))


def test_entmax():
    def weights(s):
        low, high = s.max(-1, keepdims=True) / 2 - 1, s.max(-1, keepdims=True) / 2
        for _ in range(80):  # the threshold at which weights sum to 1
            middle = (low + high) / 2
            over = (np.maximum(s / 2 - middle, 0) ** 2).sum(-1, keepdims=True) > 1
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return np.maximum(s / 2 - low, 0) ** 2

    check(entmax, lambda q, k, v: attend(q, k, v, weights=weights), draw(2, 3, 40, 16) * 2, draw(2, 3, 50, 16), draw(2, 3, 50, 20))
