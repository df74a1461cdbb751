"""Published forms of attention."""
import math

import numpy as np
import pytest
from gallery import attend, check, draws, sigmoid, variant

import tenon as tn

pytestmark = pytest.mark.executes
draw = draws()


def heads(queries=100, keys=100, h=4, g=2, d=16):
    return draw(2, h, queries, d), draw(2, g, keys, d), draw(2, g, keys, d)


@variant("Sliding window with attention sinks", "Xiao et al. 2023, arXiv:2309.17453")
@tn.jit
def window_with_sinks(q, k, v):
    recent, first = tn.masks.window(24), tn.masks.prefix(4)
    return tn.attention(q, k, v, mask=tn.masks.causal() & (recent | first))


def test_window_with_sinks():
    for queries in (100, 1):
        check(window_with_sinks, lambda q, k, v: attend(q, k, v, mask=lambda i, j: (j <= i) & ((j >= i - 24) | (j < 4))), *heads(queries))


@variant("ALiBi", "Press et al. 2021, arXiv:2108.12409")
@tn.jit
def alibi(q, k, v):
    _, heads, _, depth = q.shape

    def score(s, b, h, i, j):
        slope = tn.exp((h + 1).astype("float32") * (-8 / heads * math.log(2)))
        return s / math.sqrt(depth) + slope * (j - i).astype("float32")

    return tn.attention(q, k, v, score=score, mask=tn.masks.causal())


def test_alibi():
    slopes = 2.0 ** (-8 / 4 * np.arange(1, 5))[:, None, None]
    check(alibi, lambda q, k, v: attend(q, k, v, lambda s, i, j: s + slopes * (j - i), lambda i, j: j <= i), *heads())


@variant("Soft-capped scores", "Gemma 2, arXiv:2408.00118")
@tn.jit
def soft_cap(q, k, v):
    cap, factor = 50.0, 1 / math.sqrt(q.shape[3])
    return tn.attention(q, k, v, score=lambda s, b, h, i, j: cap * tn.tanh(s * (factor / cap)), mask=tn.masks.causal())


def test_soft_cap():
    q, k, v = heads()
    check(soft_cap, lambda q, k, v: attend(q, k, v, lambda s, i, j: 50 * np.tanh(s / 50), lambda i, j: j <= i), q * 20, k, v)


@variant("Sigmoid attention", "Ramapuram et al. 2024, arXiv:2409.04431")
@tn.jit
def sigmoid_attention(q, k, v):
    factor, bias = 1 / math.sqrt(q.shape[3]), -math.log(k.shape[2])
    return tn.attention(q, k, v, score=lambda s, b, h, i, j: s * factor + bias, normalizer=tn.normalizers.sigmoid())


def test_sigmoid_attention():
    check(sigmoid_attention, lambda q, k, v: attend(q, k, v, lambda s, i, j: s - np.log(k.shape[2]), weights=sigmoid), *heads(33, 70))


@variant("Latent attention (absorbed projections)", "DeepSeek-V2, arXiv:2405.04434")
@tn.jit
def latent_attention(q, q_rope, up_keys, up_values, latents, k_rope):
    scale = 1 / math.sqrt(q.shape[3] + q_rope.shape[3])
    q = tn.concatenate([tn.einsum("bhsd,hdc->bhsc", q, up_keys), q_rope], 3)  # queries in the space of the latents
    keys = tn.concatenate([latents, k_rope], 2)[:, None]                     # one head, shared by all
    y = tn.attention(q, keys, latents[:, None], scale=scale, mask=tn.masks.causal())
    return tn.einsum("bhsc,hcd->bhsd", y, up_values)


def test_latent_attention():
    def reference(q, q_rope, up_keys, up_values, latents, k_rope):
        keys = np.einsum("btc,hdc->bhtd", latents, up_keys)
        values = np.einsum("btc,hcd->bhtd", latents, up_values)
        shared = np.broadcast_to(k_rope[:, None], (*keys.shape[:3], k_rope.shape[-1]))
        return attend(np.concatenate([q, q_rope], 3), np.concatenate([keys, shared], 3), values, mask=lambda i, j: j <= i)

    for queries in (50, 1):
        check(latent_attention, reference, draw(2, 5, queries, 24), draw(2, 5, queries, 8), draw(5, 24, 48), draw(5, 48, 20),
              draw(2, 50, 48), draw(2, 50, 8), tolerance=5e-5)


@variant("Grouped queries over a paged cache", "Kwon et al. 2023, arXiv:2309.06180")
@tn.jit
def paged_decode(q, key_pages, value_pages, table, lengths):
    return tn.attention(q, key_pages, value_pages, pages=table, lengths=lengths)


def test_paged_decode():
    rng = np.random.default_rng(1)
    table = rng.permutation(12).reshape(3, 4).astype(np.int32)
    lengths = np.array([1, 37, 64], np.int64)

    def reference(q, keys, values, table, lengths):
        rows = []
        for b, count in enumerate(lengths):
            k, v = (pool[table[b]].transpose(1, 0, 2, 3).reshape(2, 64, 16)[None, :, :count] for pool in (keys, values))
            rows.append(attend(q[b:b + 1], k, v))
        return np.concatenate(rows)

    check(paged_decode, reference, draw(3, 8, 1, 16), draw(12, 2, 16, 16), draw(12, 2, 16, 16), table, lengths)


@variant("Relative position buckets", "T5, Raffel et al. 2019, arXiv:1910.10683")
@tn.jit
def relative_buckets(q, k, v, table):                          # table [heads, buckets]
    distance = tn.arange(k.shape[2])[None] - tn.arange(q.shape[2])[:, None]
    size = tn.maximum(tn.absolute(distance), 1).astype("float32")
    far = 8 + (tn.log(size / 8) * (8 / math.log(16))).astype("int64")
    bucket = tn.where(tn.absolute(distance) < 8, tn.absolute(distance), tn.minimum(far, 15)) + tn.where(distance > 0, 16, 0)
    bias = tn.take(table, bucket, 1)
    return tn.attention(q, k, v, score=lambda s, b, h, i, j: s + bias[h, i, j])


def test_relative_buckets():
    def reference(q, k, v, table):
        distance = np.arange(90)[None] - np.arange(70)[:, None]
        size = np.abs(distance)
        far = 8 + (np.log(np.maximum(size, 1).astype(np.float32) / 8) * np.float32(8 / np.log(16))).astype(int)
        bucket = np.where(size < 8, size, np.minimum(far, 15)) + np.where(distance > 0, 16, 0)
        return attend(q, k, v, lambda s, i, j: s + table[:, bucket], scale=1.0)

    q, k, v = heads(70, 90)
    check(relative_buckets, reference, q, k / 4, v, draw(4, 32))


@variant("Learned sink per head", "gpt-oss, arXiv:2508.10925")
@tn.jit
def learned_sink(q, k, v, sink):  # sink [H]: a score that takes weight and gives no value
    return tn.attention(q, k, v, mask=tn.masks.causal() & tn.masks.window(32), normalizer=tn.softmax(sink=sink))


def test_learned_sink():
    def reference(q, k, v, sink):
        def weights(s):
            highest = np.maximum(s.max(-1, keepdims=True), sink[:, None, None])
            e = np.exp(s - highest)
            return e / (e.sum(-1, keepdims=True) + np.exp(sink[:, None, None] - highest))

        return attend(q, k, v, mask=lambda i, j: (j <= i) & (j >= i - 32), weights=weights)

    for queries, keys, groups in ((100, 100, 2), (1, 300, 2), (65, 65, 4), (7, 130, 1)):
        check(learned_sink, reference, draw(2, 4, queries, 16), draw(2, groups, keys, 16), draw(2, groups, keys, 16), draw(4) * 3)


@variant("Taylor softmax", "de Brebisson & Vincent 2016, arXiv:1511.05042")
@tn.jit
def taylor_softmax(q, k, v):  # the exponential's first terms instead of it
    power = lambda s: 1 + s + s * s / 2
    rule = tn.normalizer(0.0, lambda sum, s: sum + power(s), lambda a, b: a + b, lambda s, sum: power(s) / sum)
    return tn.attention(q, k, v, mask=tn.masks.causal(), normalizer=rule)


def test_taylor_softmax():
    def weights(s):
        powers = np.where(np.isfinite(s), 1 + np.where(np.isfinite(s), s, 0) * (1 + np.where(np.isfinite(s), s, 0) / 2), 0)
        return powers / powers.sum(-1, keepdims=True)

    for queries in (100, 1):
        check(taylor_softmax, lambda q, k, v: attend(q, k, v, mask=lambda i, j: j <= i, weights=weights), *heads(queries))


@variant("Ring attention: parts of the keys, joined", "Liu et al. 2023, arXiv:2310.01889")
@tn.jit
def ring_attention(q, k, v):
    places = zip(tn.split(k, 4, 2), tn.split(v, 4, 2))  # the keys that each place holds
    parts = [tn.attention(q, keys, values, return_lse=True) for keys, values in places]
    results, sums = tn.stack([part for part, _ in parts]), tn.stack([lse for _, lse in parts])
    weights = tn.exp(sums - sums.max(0, keepdims=True))
    return (results * (weights / weights.sum(0, keepdims=True))[..., None]).sum(0)


def test_ring_attention():
    check(ring_attention, attend, *heads(33, 200))
