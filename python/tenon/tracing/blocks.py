"""Which blocks of keys queries should see: lists for tenon.kv_source, by what is cheap to know of each block."""
import math
import numbers

from . import dims as dims_
from . import dtypes, trace as trace_
from .array import Array, as_array, check_dtypes

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
    runs, blocks = -(-queries // query_block), keys if score == "given" else -(-keys // block_size)
    shape = (batch, heads, runs, min(blocks, top_k) if top_k is not None else blocks)
    scale = 1 / (math.sqrt(max(depth, 1)) * (stride or 1)) if scale is None else scale
    trace = trace_.current()
    text = f"tenon.select_blocks {score} {q.ssa}, {k.ssa}" + (f" lengths({lengths.ssa} : {lengths.type})" if lengths is not None else "")
    text += f" keys {block_size} queries {query_block}" + (f" stride {stride}" if stride else "") + f" scale {float(scale):.9e}"
    for name, value in (("threshold", threshold), ("mass", mass)):
        text += f" {name} {float(value):.9e}" if value is not None else ""
    text += (f" sink {sink}" if sink else "") + (f" local {local}" if local else "") + (" causal" if causal else "")
    names, kinds = [trace.fresh(), trace.fresh()], [trace.tensor_type(part, dtypes.int64) for part in (shape, shape[:3])]
    trace.emit(f"{', '.join(names)} = {text} : {q.type}, {k.type} -> {', '.join(kinds)}", "select_blocks")
    return Array(names[0], shape, dtypes.int64), Array(names[1], shape[:3], dtypes.int64)
