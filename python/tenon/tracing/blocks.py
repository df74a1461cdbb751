"""Which blocks of keys queries should see: lists for tenon.kv_source, by what is cheap to know of each block."""
import math
import numbers

import numpy as np

from . import contract, dims as dims_
from . import dtypes, functions, indexing, movement, reduce, trace as trace_
from .array import Array, as_array, check_dtypes, where

__all__ = ["select_blocks"]

SCORES = ("mean", "max", "bound", "antidiagonal", "given")


def _shown(array):
    return f"{array.dtype}{dims_.text(array.shape)}"


def select_blocks(q, k, *, block_size, query_block=1, score="mean", stride=None, scale=None, lengths=None, causal=False, top_k=None,
                  threshold=None, mass=None, sink=0, local=0, heads=None):
    """(blocks [B, W, R, L], counts [B, W, R]): for each run of `query_block` of the queries q [B, H, S, D], the blocks of
    `block_size` keys, of k [B, G, T, D], that weigh most; as tenon.kv_source takes them. Lists are in ascending order and end in
    -1s; `counts` says how many blocks each holds. L is `top_k`, or without it the number of blocks.

    score        what stands for queries and keys, whose products are scores:
                 "mean"          the mean of a run, the mean of a block's keys
                 "max"           the mean of a run, the largest of a block's keys in each dim
                 "bound"         the mean of a run; the score is the largest that a key between the least and the largest of a
                                 block's keys in each dim could have (Quest)
                 "antidiagonal"  runs of `stride` queries and keys; the score is the sum along an antidiagonal of the square
                                 of their products (XAttention). `stride` divides both sizes of blocks
                 "given"         the mean of a run; k has a row per block, [B, G, N, D]: centroids
    scale        factor of the scores; without it 1 / sqrt(D), divided by `stride` where there is one
    lengths      integers [B]: how many of the keys exist
    causal       a query sees the keys up to its own place, the last query beside the last key
    heads        W, the heads that have lists of their own, which divides H; without it H. G: lists are shared by the query
                 heads that share keys

    A softmax makes weights of the scores of all keys that a run's last query sees; a block's mass is what falls on it, the mean over
    the list's queries and heads. The first `sink` blocks are taken always, and `local` blocks back from the place of the run:
    from `local` - 1 before the one that its first query stands in, to that of its last query. Then blocks are taken by their
    mass, the largest first and of equals the lower number, up to `top_k` in all, while those taken have less than `mass`
    together, and while the next one has more than `threshold`. NaN counts as more than any mass.
    """
    q, k = as_array(q), as_array(k)
    for name, array in (("queries", q), ("keys", k)):
        if array.ndim != 4 or not array.dtype.is_float or any(not isinstance(size, int) for size in array.shape[1:]):
            trace_.fail(f"in select_blocks: expected {name} [batch, heads, {name}, size] of floats, of sizes without names but for the "
                        f"batch, but got {_shown(array)}")
    check_dtypes("select_blocks", [q, k])
    batch, all_heads, queries, depth = q.shape
    groups, keys = k.shape[1:3]
    heads = all_heads if heads is None else heads
    if score not in SCORES:
        trace_.fail(f"in select_blocks: expected score to be one of {', '.join(SCORES)}, but got {score!r}")
    for name, value, least in (("block_size", block_size, 1), ("query_block", query_block, 1), ("top_k", top_k, 1), ("sink", sink, 0),
                               ("local", local, 0), ("stride", stride, 1)):
        if value is not None and (not isinstance(value, int) or value < least):
            trace_.fail(f"in select_blocks: expected {name} to be an integer of at least {least}, but got {value!r}")
    for name, value in (("threshold", threshold), ("mass", mass)):
        if value is not None and not (isinstance(value, numbers.Real) and 0 <= value <= 1):
            trace_.fail(f"in select_blocks: expected {name} from 0 to 1, but got {value!r}")
    if (stride is None) != (score != "antidiagonal") or stride and (block_size % stride or query_block % stride):
        trace_.fail(f"in select_blocks: expected a stride that goes with antidiagonal scores and divides {block_size} and {query_block}, "
                    f"but got {stride}")
    if depth != k.shape[3] or groups == 0 or all_heads % groups or heads < 1 or all_heads % heads:
        trace_.fail(f"in select_blocks: expected keys of the queries' size and heads that divide theirs, and so for lists, but got "
                    f"{_shown(q)}, {_shown(k)} and {heads} heads of lists")
    trace_.current().check_equal(batch, k.shape[0], f"in select_blocks: queries {_shown(q)} and keys {_shown(k)} differ in batches: {batch} "
                                 f"and {k.shape[0]}")
    if lengths is not None:
        lengths = as_array(lengths)
        if lengths.ndim != 1 or not lengths.dtype.is_integer:
            trace_.fail(f"in select_blocks: expected lengths of integers [batch], but got {_shown(lengths)}")
    kind = dtypes.float64 if q.dtype.name == "float64" else dtypes.float32
    q, k = q.astype(kind), k.astype(kind)
    runs, blocks = -(-queries // query_block), keys if score == "given" else -(-keys // block_size)
    keys = blocks * block_size if score == "given" else keys
    room = min(blocks, top_k) if top_k is not None else blocks
    if 0 in (runs, blocks, all_heads, depth) or batch == 0:
        shape = (batch, heads, runs, room)
        return movement.full(shape, -1, dtypes.int64), movement.zeros(shape[:3], dtypes.int64)
    if lengths is None:
        exist = np.int64(keys)
    else:
        exist = functions.clip(lengths.astype(dtypes.int64), 0, keys)[:, None, None, None]
    step, key_step = (stride, stride) if stride else (query_block, block_size)
    scores = _scores(q, k, score, block_size, step, key_step, runs * query_block // step, blocks, exist,
                     (1 / (math.sqrt(depth) * (stride or 1))) if scale is None else scale)

    def reached(step, key_step, rows, columns):
        """Whether the last query of a run of `step` sees the first key of a run of `key_step`: [rows, columns]."""
        row, column = np.arange(rows)[:, None], np.arange(columns)[None]
        seen = (column * key_step < exist) & (row * step < queries)
        last = np.minimum((row + 1) * step, queries) - 1 - queries
        return seen & (column * key_step <= last + exist) if causal else seen

    seen = reached(step, key_step, runs * query_block // step, blocks * (block_size // key_step))
    seen = as_array(seen)
    scores = where(seen, scores, -math.inf)
    powers = where(seen, functions.exp(scores - reduce.max(scores, -1, keepdims=True)), 0.0)
    total = reduce.sum(powers, -1, keepdims=True)
    weights = powers / where(total == 0.0, 1.0, total)
    parts = (batch, heads, all_heads // heads, runs, query_block // step, blocks, block_size // key_step)
    counted = -(-np.minimum(query_block, queries - np.arange(runs) * query_block) // step) * (all_heads // heads)
    masses = reduce.sum(movement.reshape(weights, parts), (2, 4, 6)) * as_array((1 / counted[:, None]).astype(kind.name))
    return _take(masses, as_array(reached(query_block, block_size, runs, blocks)), exist, queries, query_block, block_size, room,
                 threshold, mass, sink, local)


def _scores(q, k, score, block_size, step, key_step, rows, blocks, exist, scale):
    """Scores [B, H, rows, columns] of what stands for runs of `step` queries and of `key_step` keys."""
    batch, heads, queries, depth = q.shape
    groups, keys = k.shape[1:3]

    def padded(x, size):
        return x if x.shape[2] == size else movement.pad(x, ((0, 0), (0, 0), (0, size - x.shape[2]), (0, 0)))

    q = movement.reshape(padded(q, rows * step), (batch, heads, rows, step, depth))
    if score == "antidiagonal":
        q = movement.reshape(indexing.flip(q, 3), (batch, heads, rows, step * depth))
    else:
        counts = np.minimum(step, queries - np.arange(rows) * step)[:, None]
        q = reduce.sum(q, 3) * as_array((1 / counts).astype(q.dtype.name))
    q = movement.reshape(q, (batch, groups, heads // groups, rows, q.shape[3]))

    def product(left, right):
        return contract.einsum("bgrud,bgvd->bgruv", left, right)

    if score == "given":
        scores = product(q, k)
    else:
        size = blocks * block_size
        there = as_array(np.arange(size)[:, None] < exist)

        def parts(fill):
            return movement.reshape(where(there, padded(k, size), fill), (batch, groups, size // key_step, key_step, depth))

        if score == "antidiagonal":
            scores = product(q, movement.reshape(parts(0.0), (batch, groups, size // key_step, key_step * depth)))
        elif score == "mean":
            counts = functions.clip(as_array(exist - np.arange(blocks)[:, None] * block_size), 1, block_size)
            scores = product(q, reduce.sum(parts(0.0), 3) / counts.astype(k.dtype))
        elif score == "max":
            scores = product(q, reduce.max(parts(-math.inf), 3))
        else:
            scores = (product(functions.maximum(q, 0.0), reduce.max(parts(-math.inf), 3))
                      + product(functions.minimum(q, 0.0), reduce.min(parts(math.inf), 3)))
    return movement.reshape(scores * float(scale), (batch, heads, rows, scores.shape[4]))


def _take(masses, reached, exist, queries, query_block, block_size, room, threshold, mass, sink, local):
    """Blocks in the order that they are taken in, cut off by the rules, then sorted."""
    batch, heads, runs, blocks = masses.shape
    run, block = np.arange(runs)[:, None], np.arange(blocks)[None]
    first, last = run * query_block - queries, np.minimum((run + 1) * query_block, queries) - 1 - queries
    kept = (block < sink) | np.zeros_like(run, bool)
    if local:
        kept = kept | (((block + local) * block_size > first + exist) & (block * block_size <= last + exist))
    # One number says what comes first: kept blocks from 4 on, NaN 3, then masses, which are at most 1; -1 what is not seen.
    rank = where(functions.isnan(masses), 3.0, masses)
    rank = where(reached, where(as_array(kept), rank + 4.0, rank), -1.0)
    values, order = reduce.top_k(rank, room)
    taken = values >= 0.0
    is_kept = values >= 4.0
    if threshold is not None:
        taken = taken & (is_kept | (values > float(threshold)))
    if mass is not None:
        each = functions.maximum(where(is_kept, values - 4.0, values), 0.0)
        before = contract.matmul(each, as_array(np.triu(np.ones((room, room)), 1).astype(masses.dtype.name)))
        taken = taken & (is_kept | (before < float(mass)))
    numbers = reduce.sort(where(taken, order, blocks), -1)[0]
    return where(numbers == blocks, -1, numbers), reduce.sum(taken.astype(dtypes.int64), -1)
