"""Attention over listed blocks and tokens: what is not listed is never read; lists reach every axis."""
import numpy as np
import pytest
import tenon as tn

pytestmark = pytest.mark.executes


@pytest.mark.parametrize("rows, block, query_block", [(64, 16, 16), (64, 64, 64), (64, 300, 32), (3, 16, 1), (64, 1, 64), (1, 1, 1)])
def test_unlisted_blocks_are_not_read(rows, block, query_block):
    """Keys and values that are NaN wherever no list of their head has them: one look at them would show in the result."""
    r, keys, heads = np.random.default_rng(block), 1024, 2
    q = r.standard_normal((1, heads, rows, 16)).astype(np.float32)
    k, v = (r.standard_normal((1, heads, keys, 16)).astype(np.float32) for _ in range(2))
    blocks = -(-keys // block)
    lists = r.integers(0, blocks, (1, heads, -(-rows // query_block), 3))
    lists[..., 1] = r.choice([-1, -9, blocks, 1 << 40], lists.shape[:-1])  # no blocks
    attend = tn.jit(lambda q, k, v, lists: tn.attention(q, k, v, blocks=lists, block_size=block, query_block=query_block))
    expected = attend(q, k, v, lists)
    for h in range(heads):
        listed = np.isin(np.arange(keys) // block, lists[0, h])
        k[0, h, ~listed] = v[0, h, ~listed] = np.nan
    assert np.isfinite(expected).all() and (attend(q, k, v, lists) == expected).all()


def test_each_list_alone():
    """Of two lists, each unit reads its own: NaNs in the blocks of one reach the rows of that one alone."""
    q, k, v = (np.random.default_rng(n).standard_normal((1, 1, 128, 16)).astype(np.float32) for n in range(3))
    lists = np.array([[[[0, 3], [2, 5]]]])
    attend = tn.jit(lambda q, k, v, lists: tn.attention(q, k, v, blocks=lists, block_size=16, query_block=64))
    v[:, :, 32:48] = np.nan
    seen = np.isnan(attend(q, k, v, lists))
    assert not seen[:, :, :64].any() and seen[:, :, 64:].all()


def test_empty_lists_give_zeros():
    x = np.ones((2, 4, 20, 8), np.float32)
    attend = tn.jit(lambda x, lists: tn.attention(x, x, x, blocks=lists, block_size=4, query_block=5))
    assert (attend(x, np.full((2, 2, 4, 3), -1)) == 0).all()
    assert (attend(x, np.zeros((2, 2, 4, 0), np.int32)) == 0).all()


def test_sizes_with_names():
    """One kernel for any number of queries, keys and entries; queries beyond the lists see nothing."""
    attend = tn.jit(lambda q, k, v, lists: tn.attention(q, k, v, blocks=lists, block_size=4, query_block=6),
                    dims={"q": ("b", 2, "s", 8), "k": ("b", 1, "t", 8), "v": ("b", 1, "t", 8), "lists": ("b", 1, "r", "l")})
    r = np.random.default_rng(0)
    for b, s, t, rows, entries in ((1, 13, 30, 3, 2), (2, 1, 7, 1, 5), (3, 20, 64, 2, 4), (1, 6, 3, 1, 0)):
        q, k, v = r.standard_normal((b, 2, s, 8)), r.standard_normal((b, 1, t, 8)), r.standard_normal((b, 1, t, 8))
        lists = r.integers(-1, t // 4 + 2, (b, 1, rows, entries))
        expected = np.zeros_like(q)
        for n, h, i in np.ndindex(b, 2, min(s, rows * 6)):
            seen = [j for block in lists[n, 0, i // 6] if block >= 0 for j in range(block * 4, min(t, block * 4 + 4))]
            weights = np.exp(k[n, 0, seen] @ q[n, h, i] / np.sqrt(8))
            expected[n, h, i] = weights @ v[n, 0, seen] / max(weights.sum(), 1e-30)
        assert np.abs(attend(*(x.astype(np.float32) for x in (q, k, v)), lists) - expected).max(initial=0) < 1e-5


REGION = """probability {
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
    %n = arith.index_cast %j : index to i32
    %f = arith.sitofp %n : i32 to f32
    %w = arith.mulf %a, %y : f32
    %u = arith.mulf %w, %f : f32
    tenon.yield %u : f32
  }"""


@pytest.mark.parametrize("block", [1, 16, 300])
@pytest.mark.parametrize("normalizer, region", [("softmax", ""), ("softmax", REGION), ("sigmoid", REGION), ("entmax alpha(1.5)", "")])
def test_every_normalizer_reads_lists(tmp_path, normalizer, region, block):
    """Lists give what a dense source gives whose predicate lets listed keys through; regions read keys by their numbers."""
    rows, keys, share = 10, 70, 5
    q, k, l, s = f"tensor<1x4x{rows}x8xf32>", f"tensor<1x2x{keys}x8xf32>", "tensor<1x2x2x3xi64>", f"tensor<1x4x{rows}x{keys}xi8>"
    lists = f"blocks(%l : {l}) keys {block} queries {share} : {k}, {k}"
    dense = f"""mask_operands(%s : {s}) maps [affine_map<(b, h, q, k) -> (b, h, q, k)>] : {k}, {k} predicate {{
  ^bb0(%b: index, %h: index, %i: index, %j: index, %z: i8):
    %sees = arith.trunci %z : i8 to i1
    tenon.yield %sees : i1
  }}"""

    def compiled(name, source):
        path = tmp_path / f"{name}.mlir"
        path.write_text(f"""func.func @main(%q: {q}, %k: {k}, %v: {k}, %l: {l}, %s: {s}, %x: tensor<{keys}xf32>) -> {q} {{
  %e = tensor.empty() : {q}
  %source = tenon.kv_source %k, %v {source}
  %r = tenon.attention {normalizer} %q sources(%source) extras(%x : tensor<{keys}xf32>) maps [affine_map<(b, h, q, k) -> (k)>] outs(%e : {q}) : {q} {{
  ^bb0(%a: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
    %w = arith.addf %a, %y : f32
    tenon.yield %w : f32
  }} {region} -> {q}
  return %r : {q}
}}
""")
        return tn.compile(str(path), threads=1)

    r = np.random.default_rng(block)
    blocks = -(-keys // block)
    listed = np.stack([r.permutation(np.concatenate([np.arange(blocks), [-1, -1, -1]]))[:3] for _ in range(4)]).reshape(1, 2, 2, 3)
    at = listed[:, :, np.arange(rows) // share].repeat(2, 1)  # [1, 4, rows, 3]
    seen = (at[..., None, :] == (np.arange(keys) // block)[:, None]).any(-1).astype(np.int8)
    arrays = [r.standard_normal(shape).astype(np.float32) for shape in ((1, 4, rows, 8), (1, 2, keys, 8), (1, 2, keys, 8))]
    arrays += [listed.astype(np.int64), seen, r.standard_normal(keys).astype(np.float32)]
    expected = compiled("dense", dense)(*arrays)
    assert np.abs(compiled("lists", lists)(*arrays) - expected).max() <= 2e-5 * max(1, np.abs(expected).max())
