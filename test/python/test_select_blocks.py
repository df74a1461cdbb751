"""Lists of blocks made by scores: drawn cases equal NumPy in float64, ties fall as described, attention reads the lists."""
import os

import numpy as np
import pytest
import tenon as tn

pytestmark = pytest.mark.executes
COUNT = 240 if os.environ.get("TENON_TEST_FULL") else 16


def masses_of(q, k, o, exist):
    """Masses [W, R, N] of one batch, and which blocks may be taken and which always are, in float64."""
    heads, queries, depth = q.shape
    m, n, s = o["query_block"], o["block_size"], o.get("stride")
    step, key_step = (s, s) if s else (m, n)
    runs, blocks = -(-queries // m), o["blocks"]
    place = np.arange(queries) + exist - queries
    masses = np.zeros((o["heads"], runs, blocks))
    for h in range(heads):
        rows = k[h // (heads // k.shape[0])]
        for r in range(runs):
            starts = range(r * m, min((r + 1) * m, queries), step)
            for u in starts:
                run = q[h, u:u + step]
                scores, owners = [], []
                for v in range(0, blocks * n, key_step):
                    if v >= exist or o["causal"] and v > place[min(u + step, queries) - 1]:
                        continue
                    part = rows[v // n:v // n + 1] if o["score"] == "given" else rows[v:min(v + key_step, exist)]
                    if o["score"] in ("mean", "given"):
                        score = run.mean(0) @ part.mean(0)
                    elif o["score"] == "max":
                        score = run.mean(0) @ part.max(0)
                    elif o["score"] == "bound":
                        mean = run.mean(0)
                        score = np.maximum(mean * part.min(0), mean * part.max(0)).sum()
                    else:
                        score = sum(run[s - 1 - t] @ part[t] for t in range(s) if t < len(part) and s - 1 - t < len(run))
                    scores.append(score / (np.sqrt(depth) * (s or 1)))
                    owners.append(v // n)
                if scores:
                    weights = np.exp(np.array(scores) - max(scores))
                    for owner, weight in zip(owners, weights / weights.sum()):
                        masses[h // (heads // o["heads"]), r, owner] += weight / len(starts) / (heads // o["heads"])
    run, block = np.arange(runs)[:, None], np.arange(blocks)[None]
    first, last = place[0] + run * m, place[-1] - queries + np.minimum((run + 1) * m, queries)
    seen = (block * n < exist) & ((block * n <= last) if o["causal"] else True)
    kept = block < o["sink"]
    if o["local"]:
        kept = kept | ((block >= first // n - o["local"] + 1) & (block <= last // n))
    return masses, np.broadcast_to(seen, masses.shape[1:]), np.broadcast_to(kept, masses.shape[1:])


def take(masses, seen, kept, o):
    """The list of one run; None where rounding may decide otherwise."""
    order = sorted(np.flatnonzero(seen), key=lambda j: (not kept[j], -masses[j], j))
    ranked = [masses[j] for j in order]
    near = lambda x, y: abs(x - y) < 1e-5 * max(abs(x), abs(y), 1e-3)
    room, before, taken = min(o["top_k"] or o["blocks"], o["blocks"]), 0.0, []
    for number, j in enumerate(order):
        if len(taken) == room:
            if number and near(ranked[number - 1], masses[j]) and kept[j] == kept[order[number - 1]]:
                return None
            break
        if not kept[j]:
            if o["mass"] is not None and near(before, o["mass"]) or o["threshold"] is not None and near(masses[j], o["threshold"]):
                return None
            if o["mass"] is not None and before >= o["mass"] or o["threshold"] is not None and masses[j] <= o["threshold"]:
                break
        taken.append(j)
        before += masses[j]
    return sorted(taken)


@pytest.mark.parametrize("seed", range(COUNT))
def test_draws_equal_numpy(seed):
    r = np.random.default_rng(seed)
    g = int(r.integers(1, 3))
    h = g * int(r.choice([1, 2, 3]))
    n, m = int(r.choice([1, 3, 8, 16])), int(r.choice([1, 4, 8, 16]))
    score = ("mean", "max", "bound", "antidiagonal", "given")[seed % 5]
    o = {"score": score, "block_size": n, "query_block": m, "causal": bool(r.integers(2)), "sink": int(r.integers(2)),
         "local": int(r.integers(3)), "top_k": int(r.integers(1, 6)) if r.integers(2) else None,
         "mass": float(r.uniform(0.2, 1)) if r.integers(2) else None, "threshold": float(r.uniform(0, 0.3)) if r.integers(3) == 0 else None,
         "heads": int(r.choice([w for w in range(1, h + 1) if h % w == 0]))}
    if score == "antidiagonal":
        o["block_size"] = n = int(r.choice([4, 8, 16]))
        o["query_block"] = m = int(r.choice([4, 8]))
        o["stride"] = int(r.choice([2, 4]))
    b, s, t = int(r.integers(1, 3)), int(r.choice([1, 5, 16, 33])), int(r.choice([4, 17, 64, 90]))
    o["blocks"] = -(-t // n)
    dtype = (np.float32, np.float64, np.float16)[seed % 3]
    q, k = r.standard_normal((b, h, s, 8)).astype(dtype) * 2, r.standard_normal((b, g, o["blocks"] if score == "given" else t, 8)).astype(dtype)
    t = o["blocks"] * n if score == "given" else t
    lengths = r.integers(0, t + 1, b) if r.integers(2) else None
    options = {name: value for name, value in o.items() if name != "blocks"}
    blocks, counts = (tn.jit(lambda q, k: tn.select_blocks(q, k, **options))(q, k) if lengths is None
                      else tn.jit(lambda q, k, lengths: tn.select_blocks(q, k, lengths=lengths, **options))(q, k, lengths))
    assert blocks.shape == (b, o["heads"], -(-s // m), min(o["top_k"] or o["blocks"], o["blocks"])) and counts.shape == blocks.shape[:3]
    compared = 0
    for i in range(b):
        exist = t if lengths is None else int(lengths[i])
        masses, seen, kept = masses_of(q[i].astype(float), k[i].astype(float), o, exist)
        for w, run in np.ndindex(*counts.shape[1:]):
            found, expected = blocks[i, w, run], take(masses[w, run], seen[run], kept[run], o)
            held = list(found[:counts[i, w, run]])
            assert held == sorted(set(held)) and (found[len(held):] == -1).all()
            if expected is not None:
                compared += 1
                assert held == expected, (o, i, w, run)
    assert compared


def test_ties_take_the_lower_block():
    q, k = np.ones((1, 1, 4, 8), np.float32), np.ones((1, 1, 64, 8), np.float32)
    pick = lambda **options: tn.jit(lambda q, k: tn.select_blocks(q, k, block_size=8, query_block=4, **options))(q, k)[0].tolist()
    assert pick(top_k=3) == [[[[0, 1, 2]]]]
    assert pick(top_k=3, local=1) == [[[[0, 1, 7]]]]
    assert pick(mass=0.5, sink=1, local=2) == [[[[0, 1, 6, 7, -1, -1, -1, -1]]]]
    assert pick(threshold=0.5, top_k=2) == [[[[-1, -1]]]]


def test_attention_over_all_blocks_is_dense():
    r = np.random.default_rng(0)
    q, k, v = r.standard_normal((2, 4, 40, 16)), r.standard_normal((2, 2, 72, 16)), r.standard_normal((2, 2, 72, 16))
    q, k, v = (x.astype(np.float32) for x in (q, k, v))

    def sparse(q, k, v):
        blocks, _ = tn.select_blocks(q, k, block_size=16, query_block=8, causal=True, mass=1.0, heads=2)
        return tn.attention(q, k, v, blocks=blocks, block_size=16, query_block=8, mask=tn.masks.causal())

    dense = tn.jit(lambda q, k, v: tn.attention(q, k, v, mask=tn.masks.causal()))
    assert np.abs(tn.jit(sparse)(q, k, v) - dense(q, k, v)).max() < 1e-5


@pytest.mark.parametrize("options, message", [
    ({"score": "sum"}, "expected score to be one of mean, max, bound, antidiagonal, given, but got 'sum'"),
    ({"top_k": 0}, "expected top_k to be an integer of at least 1, but got 0"),
    ({"mass": 1.5}, "expected mass from 0 to 1, but got 1.5"),
    ({"stride": 3, "score": "antidiagonal"}, "expected a stride that goes with antidiagonal scores and divides 8 and 1, but got 3"),
    ({"heads": 3}, r"expected keys of the queries' size and heads that divide theirs, and so for lists, but got float32\[1, 2, 4, 8\]")])
def test_errors_say_what_is_wrong(options, message):
    x = np.ones((1, 2, 4, 8), np.float32)
    with pytest.raises(tn.Error, match=message):
        tn.jit(lambda x: tn.select_blocks(x, x, block_size=8, **options)[0])(x)
