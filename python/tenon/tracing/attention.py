"""tenon.attention: any score, mask, normalizer and storage, as one kernel."""
import math
from typing import Callable, NamedTuple, Optional

from . import dims as dims_
from . import dtypes, indexing, masks, movement, normalizers, scalar, trace as trace_
from .array import Array, as_array, check_dtypes
from .scalar import Scalar

__all__ = ["attention", "kv_source", "KVSource"]


class KVSource(NamedTuple):
    """Keys and values of one storage, under one mask; made by `kv_source`."""
    keys: Array
    values: Array
    mask: Optional[masks.Mask]
    predicate: Optional[Callable]
    lengths: Optional[Array]
    pages: Optional[Array]
    start: Optional[Array]
    blocks: Optional[Array]
    block_weights: Optional[Array]
    block_size: int
    query_block: int

    @property
    def key_count(self):
        return self.keys.shape[2] if self.pages is None else self.pages.shape[-1] * self.keys.shape[2]


def _shown(array):
    return f"{array.dtype}{dims_.text(array.shape)}"


def kv_source(keys, values, *, mask=None, predicate=None, lengths=None, pages=None, start=None, blocks=None, block_size=1,
              query_block=1, block_weights=None):
    """Keys [B, G, T, D] and values [B, G, T, E] for an attention.

    mask       of tenon.masks: which keys a query sees
    predicate  (b, h, i, j) -> whether query i of head h sees key j, where the mask lets it; may read arrays as a score does. What
               can be said as a mask is faster: tiles that a mask hides are not visited
    lengths    integers [B] or [B, G]: how many of the keys exist
    pages      integers [B, M] or [B, G, M]: keys and values are pools of pages [P, G, N, D] and [P, G, N, E], and key k of
               batch b is number k % N of page pages[b, k // N]
    start      integers [B]: the storage is a ring, and key k lies at (start[b] + k) % T
    blocks     integers [B, W, R, L] or [B, R, L]: queries see listed blocks of `block_size` keys alone, of what the mask
               lets through; nothing else is read. Each `query_block` queries in a row share a list: query i of head h of H
               reads blocks[b, h // (H // W), i // query_block]. In any order; a block counts as often as it is listed, and
               numbers without a block (-1) not at all. tenon.select_blocks makes such lists
    block_weights   floats of the shape of `blocks`, added to the scores of an entry's keys
    """
    keys, values = as_array(keys), as_array(values)
    for name, array in (("keys", keys), ("values", values)):
        if array.ndim != 4:
            trace_.fail(f"in attention: expected {name} [batch, heads, keys, size], but got {_shown(array)}")
    for axis, what in enumerate(("batches", "heads", "keys")):
        trace_.current().check_equal(keys.shape[axis], values.shape[axis], f"in attention: keys {_shown(keys)} and values "
                                     f"{_shown(values)} differ in {what}: {keys.shape[axis]} and {values.shape[axis]}")
    if mask is not None and not isinstance(mask, masks.Mask):
        trace_.fail(f"in attention: expected a mask of tenon.masks, but got {type(mask).__name__}; "
                    "scores of an array are added in `score`")
    lists = {}
    for name, value, ranks in (("lengths", lengths, (1, 2)), ("pages", pages, (2, 3)), ("start", start, (1,)), ("blocks", blocks, (3, 4))):
        if value is None:
            lists[name] = None
            continue
        array = as_array(value)
        if array.ndim not in ranks or not array.dtype.is_integer:
            trace_.fail(f"in attention: expected {name} of integers with {' or '.join(map(str, ranks))} dims, but got {_shown(array)}")
        lists[name] = array
    blocks = lists["blocks"]
    for name, size in (("block_size", block_size), ("query_block", query_block)):
        if not isinstance(size, int) or size < 1 or blocks is None and size != 1:
            trace_.fail(f"in attention: expected {name} to be a positive integer and to go with blocks, but got {size}")
    if block_weights is not None:
        block_weights = as_array(block_weights)
        if blocks is None or dims_.text(block_weights.shape) != dims_.text(blocks.shape) or not block_weights.dtype.is_float:
            trace_.fail(f"in attention: expected block_weights to be floats of the shape of blocks, but got {_shown(block_weights)} for "
                        f"{_shown(blocks) if blocks is not None else None}")
    if blocks is not None and blocks.ndim == 3:
        lists["blocks"] = movement.expand_dims(blocks, 1)
        block_weights = None if block_weights is None else movement.expand_dims(block_weights, 1)
    return KVSource(keys, values, mask, predicate, **lists, block_weights=block_weights, block_size=block_size, query_block=query_block)


def attention(q, k=None, v=None, *, score=None, scale=None, mask=None, predicate=None, normalizer=None, probability=None,
              return_lse=False, lengths=None, pages=None, start=None, blocks=None, block_size=1, query_block=1, block_weights=None,
              sources=None):
    """Attention of queries [B, H, S, D] over keys [B, G, T, D] and values [B, G, T, E]: an array [B, H, S, E]. G divides
    H: head h reads head h // (H // G).

    score        (s, b, h, i, j) -> the score of query i for key j of head h in batch b, where s is their product times
                 `scale`. Arrays may be read at [b, h, i, j] or a choice of these in this order: score=lambda s, b, h, i, j:
                 s + bias[h, i, j]
    scale        factor of the products; without it 1 / sqrt(D), or 1 where there is a score
    mask         of tenon.masks: masks.causal() & masks.window(256)
    normalizer   tenon.softmax() (default), tenon.normalizers.entmax(1.5), ..: see tenon.normalizers; tenon.normalizer(..)
                 is one of your own
    probability  (p, b, h, i, j) -> what is multiplied with the value of key j, where p is the weight by the normalizer; reads
                 arrays as `score` does
    return_lse   gives (result, lse): lse [B, H, S] is the logarithm of the softmax's sum, by which the attentions over parts
                 of the keys are joined
    predicate, lengths, pages, start, blocks, block_size, query_block, block_weights   as of tenon.kv_source
    sources      instead of k and v: a list of tenon.kv_source under one normalizer
    """
    q = as_array(q)
    if q.ndim != 4:
        trace_.fail(f"in attention: expected queries [batch, heads, queries, size], but got {_shown(q)}")
    if (sources is None) == (k is None):
        trace_.fail("in attention: expected either k and v, or sources")
    if sources is None:
        if v is None:
            trace_.fail("in attention: keys without values")
        sources = [kv_source(k, v, mask=mask, predicate=predicate, lengths=lengths, pages=pages, start=start, blocks=blocks,
                             block_size=block_size, query_block=query_block, block_weights=block_weights)]
    elif any(value is not None for value in (mask, predicate, lengths, pages, start, blocks, block_weights)):
        trace_.fail("in attention: with sources, masks, lengths, pages, start and blocks belong to each source")
    if not sources or not all(isinstance(source, KVSource) for source in sources):
        trace_.fail("in attention: expected sources made by tenon.kv_source")
    trace = trace_.current()
    for source in sources:
        _check_source(trace, q, source)
    if scale is None:
        scale = 1.0 if score is not None or not isinstance(q.shape[3], int) else 1 / math.sqrt(max(q.shape[3], 1))
    kind = dtypes.float64 if q.dtype.name == "float64" else dtypes.float32

    normalizer = normalizers.of(normalizer)
    if return_lse and normalizer.text != "softmax":
        trace_.fail(f"in attention: only a softmax has a log-sum-exp, but the normalizer is {normalizer.text.split()[0]}")

    names = [trace.fresh("s")] + [trace.fresh("i") for _ in range(4)]
    extras = _Extras(trace, q, sources, names[1:], kind, "score")

    def region(what, body, factor=1):
        with trace.block() as lines:
            value = Scalar(names[0], kind)
            if not (scalar.is_number(factor) and factor == 1):
                value = scalar.mul(value, scalar.literal(float(factor), kind))
            if body is not None:
                with extras.reading():
                    made = body(value, *[Scalar(name, dtypes.index) for name in names[1:]])
                if scalar.is_number(made):
                    made = scalar.literal(float(made), kind)
                if not isinstance(made, Scalar):
                    trace_.fail(f"in attention: expected the {what} to give a number, but got {type(made).__name__}")
                value = scalar.cast(made, kind)
            trace.emit(f"tenon.yield {value.ssa} : {kind.mlir}")
        return "\n".join(lines)

    bodies = [region("score", score, scale)] + ([region("probability", probability)] if probability is not None else [])
    made = [_emit_source(trace, q, source, kind) for source in sources]
    shape = (q.shape[0], q.shape[1], q.shape[2], sources[0].values.shape[3])
    target, result_type = trace.empty(shape, q.dtype), trace.tensor_type(shape, q.dtype)
    block = ", ".join([f"{names[0]}: {kind.mlir}"] + [f"{name}: index" for name in names[1:]]
                      + [f"{name}: {array.dtype.mlir}" for array, _, name in extras.found])
    rule = normalizers.emit_rule(trace, normalizer.rule, kind) if normalizer.rule else None
    text = f"tenon.attention {normalizer.text} {q.ssa} sources({', '.join(made)})"
    if normalizer.sink is not None:
        sink = as_array(normalizer.sink)
        if sink.ndim != 1 or sink.shape[0] != q.shape[1] or not sink.dtype.is_float:
            trace_.fail(f"in attention: expected a sink of floats for each of the {q.shape[1]} heads, but got {_shown(sink)}")
        text += f" sink({sink.ssa} : {sink.type})"
    if rule is not None:
        text += f" rule({rule})"
    if extras.found:
        text += f" extras{extras.text}"
    text += f" outs({target} : {result_type})"
    results = result_type
    if return_lse:
        sums = trace.tensor_type(shape[:3], kind)
        text += f" lse({trace.empty(shape[:3], kind)} : {sums})"
        results += f", {sums}"
    text += f" : {q.type} " + " probability ".join(f"{{\n^bb0({block}):\n{body}\n}}" for body in bodies) + f" -> {results}"
    if not return_lse:
        return Array(trace.emit_value(text, "attention"), shape, q.dtype)
    name = trace.fresh()
    trace.emit(f"{name}:2 = {text}", "attention")
    return Array(f"{name}#0", shape, q.dtype), Array(f"{name}#1", shape[:3], kind)


def _check_source(trace, q, source):
    keys, values = source.keys, source.values
    check_dtypes("attention", [q, keys])
    if not q.dtype.is_float:
        trace_.fail(f"in attention: expected floats, but got queries {_shown(q)}")
    trace.check_equal(q.shape[3], keys.shape[3], f"in attention: queries {_shown(q)} and keys {_shown(keys)} differ in size: "
                      f"{q.shape[3]} and {keys.shape[3]}")
    heads, groups = q.shape[1], keys.shape[1]
    if not isinstance(heads, int) or not isinstance(groups, int) or groups == 0 or heads % groups:
        trace_.fail(f"in attention: the {groups} heads of keys {_shown(keys)} do not divide the {heads} of queries {_shown(q)}")
    batched = keys if source.pages is None else source.pages
    trace.check_equal(q.shape[0], batched.shape[0], f"in attention: queries {_shown(q)} and {'keys' if batched is keys else 'pages'} "
                      f"{_shown(batched)} differ in batches: {q.shape[0]} and {batched.shape[0]}")
    if source.blocks is not None:
        lists = source.blocks.shape[1]
        if not isinstance(lists, int) or lists == 0 or heads % lists:
            trace_.fail(f"in attention: the {lists} heads of blocks {_shown(source.blocks)} do not divide the {heads} of queries {_shown(q)}")
        if isinstance(q.shape[2], int) and isinstance(source.blocks.shape[2], int) and \
                source.blocks.shape[2] != -(-q.shape[2] // source.query_block):
            trace_.fail(f"in attention: expected a list of blocks for each {source.query_block} of {q.shape[2]} queries, but got blocks "
                        f"{_shown(source.blocks)}")
    for name in ("lengths", "start", "blocks"):
        array = getattr(source, name)
        if array is not None:
            trace.check_equal(q.shape[0], array.shape[0], f"in attention: queries {_shown(q)} and {name} {_shown(array)} differ in "
                              f"batches: {q.shape[0]} and {array.shape[0]}")


def _emit_source(trace, q, source, kind):
    names = [trace.fresh("i") for _ in range(4)]
    extras = _Extras(trace, q, [source], names, kind, "mask")
    numbers = [extras.add_table(array, by_keys) for array, by_keys in source.mask.tables] if source.mask else []
    region = None
    if source.predicate is not None:
        with trace.block() as lines:
            with extras.reading():
                seen = source.predicate(*[Scalar(name, dtypes.index) for name in names])
            if isinstance(seen, bool):
                seen = scalar.literal(seen, dtypes.bool_)
            if not isinstance(seen, Scalar) or not seen.dtype.is_bool:
                trace_.fail(f"in attention: expected the predicate to give a truth value, but got {getattr(seen, 'dtype', type(seen).__name__)}")
            trace.emit(f"tenon.yield {seen.ssa} : i1")
        block = ", ".join([f"{name}: index" for name in names] + [f"{name}: {array.dtype.mlir}" for array, _, name in extras.found])
        region = f" predicate {{\n^bb0({block}):\n" + "\n".join(lines) + "\n}"
    text = f"tenon.kv_source {source.keys.ssa}, {source.values.ssa}"
    if source.pages is not None:
        text += f" pages({source.pages.ssa} : {source.pages.type})"
    if source.start is not None:
        text += f" start({source.start.ssa} : {source.start.type})"
    if source.blocks is not None:
        text += f" blocks({source.blocks.ssa} : {source.blocks.type})"
        if source.block_weights is not None:
            text += f" weights({source.block_weights.ssa} : {source.block_weights.type})"
        text += f" keys {source.block_size} queries {source.query_block}"
    if source.lengths is not None:
        text += f" lengths {source.lengths.ssa}"
    if extras.found:
        text += f" mask_operands{extras.text}"
    if source.mask is not None:
        text += f" mask({source.mask.attribute(numbers)})"
    text += f" : {source.keys.type}, {source.values.type}" + (f", {source.lengths.type}" if source.lengths is not None else "")
    return trace.emit_value(text + (region or ""), "kv_source")


class _Extras:
    """Arrays that a score or a mask reads: operands of the op, each with a map of (b, h, q, k)."""

    def __init__(self, trace, q, sources, names, kind, reader):
        self.trace, self.names, self.kind, self.reader = trace, names, kind, reader
        self.sizes = [q.shape[0], q.shape[1], q.shape[2], sources[0].key_count]
        self.one_source = len({str(source.key_count) for source in sources}) == 1
        self.found = []

    def reading(self):
        return self.trace.reading(self.read)

    @property
    def text(self):
        """The operands, their types and their maps."""
        maps = [f"affine_map<(b, h, q, k) -> ({', '.join('bhqk'[r] for r in results)})>" for _, results, _ in self.found]
        return (f"({', '.join(array.ssa for array, _, _ in self.found)} : {', '.join(array.type for array, _, _ in self.found)})"
                f" maps [{', '.join(maps)}]")

    def add_table(self, value, by_keys):
        """The number of the operand that holds integers for each query, or key: [n], [B, n] or, of queries, [B, H, n]."""
        array = as_array(value)
        if array.dtype.name not in ("int32", "int64") or not 1 <= array.ndim <= (2 if by_keys else 3):
            trace_.fail(f"in a mask: expected int32 or int64 for {'keys' if by_keys else 'queries'}, by batch or not, but got {_shown(array)}")
        used = [*range(array.ndim - 1), 3 if by_keys else 2]
        self._check(array, used)
        return self._find(array, used)

    def _check(self, array, used):
        for axis, loop in enumerate(used):
            size, wanted = array.shape[axis], self.sizes[loop]
            what = ("batches", "heads", "queries", "keys")[loop]
            self.trace.check_equal(size, wanted, f"in a {self.reader}: an array of shape {dims_.text(array.shape)} is read by {what}, of "
                                   f"which there are {wanted}: dim {axis} has {size}")

    def _find(self, array, used):
        for number, (known, results, _) in enumerate(self.found):
            if known.ssa == array.ssa and results == used:
                return number
        self.found.append((array, used, self.trace.fresh("x")))
        return len(self.found) - 1

    def read(self, array, indices):
        if len(indices) != array.ndim:
            trace_.fail(f"in a {self.reader}: {len(indices)} indices into an array of shape {dims_.text(array.shape)}")
        loops = [self.names.index(part.ssa) if isinstance(part, Scalar) and part.ssa in self.names else None for part in indices]
        for part, loop in zip(indices, loops):
            if loop is None and isinstance(part, Scalar):
                trace_.fail(f"in a {self.reader}: an array is read at the indices b, h, i, j themselves or at numbers, not at what is "
                            "computed from them; arrange the array before the attention")
        used = [loop for loop in loops if loop is not None]
        if len(set(used)) < len(used):
            trace_.fail(f"in a {self.reader}: an array is read at one index twice")
        if 3 in used and not self.one_source:
            trace_.fail(f"in a {self.reader}: an array is read by keys, but the sources have different numbers of keys")
        with self.trace.outside():
            if any(loop is None for loop in loops):
                array = indexing.get_item(array, tuple(part if loop is None else slice(None) for part, loop in zip(indices, loops)))
            self._check(array, used)
        element = Scalar(self.found[self._find(array, used)][2], array.dtype)
        return scalar.cast(element, self.kind) if array.dtype.is_float else element
