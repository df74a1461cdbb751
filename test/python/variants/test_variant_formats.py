"""Published formats of weights, in matmuls that decode them in registers."""
import numpy as np
import pytest
from gallery import check, draws, variant

import tenon as tn

pytestmark = pytest.mark.executes
draw = draws(4)
rng = np.random.default_rng(5)

NF4 = [-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0, 0.0795803, 0.1609302, 0.2461123,
       0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0]


@variant("3 bits with zero points in groups", "GPTQ, arXiv:2210.17323")
@tn.jit
def three_bits(x, codes, scales, zeros):  # codes [N, K]; scales, zeros [N, K / 64]
    weight = tn.dequantize(codes, tn.format("uint3", group=64, scale="float32", zero="uint3"), scales=scales, zeros=zeros)
    return tn.linear(x, weight)


def test_three_bits():
    def reference(x, codes, scales, zeros):
        weight = (codes.astype(float) - zeros.repeat(64, 1)) * scales.repeat(64, 1)
        return x @ weight.T

    for rows in (1, 9):
        check(three_bits, reference, draw(rows, 256), rng.integers(0, 8, (70, 256), np.uint8), np.abs(draw(70, 4)),
              rng.integers(0, 8, (70, 4), np.uint8))


@variant("Ternary weights", "BitNet b1.58, arXiv:2402.17764")
@tn.jit
def ternary(x, codes, scale):  # codes [N, K] of -1, 0, 1; scale [1, 1]
    return tn.linear(x, tn.dequantize(codes, tn.format("int2", scale="float32"), scales=scale))


def test_ternary():
    for rows in (1, 20):
        check(ternary, lambda x, codes, scale: x @ (codes * scale).T, draw(rows, 130), rng.integers(-1, 2, (50, 130), np.int8),
              np.array([[0.7]], np.float32))


@variant("NF4", "QLoRA, arXiv:2305.14314")
@tn.jit
def nf4(x, codes, scales):  # codes [N, K]; scales [N, K / 64]: the largest magnitude of each group
    return tn.linear(x, tn.dequantize(codes, tn.format("uint4", group=64, scale="float32", codebook=NF4), scales=scales))


def test_nf4():
    for rows in (1, 17):
        check(nf4, lambda x, codes, scales: x @ (np.array(NF4)[codes] * scales.repeat(64, 1)).T, draw(rows, 192),
              rng.integers(0, 16, (33, 192), np.uint8), np.abs(draw(33, 3)))


@variant("MXFP4 records, as gpt-oss has them in GGUF files", "OCP Microscaling Formats 1.0")
@tn.jit
def mxfp4(x, records):  # bytes [N, K / 32 * 17]: an exponent, then 32 codes
    return tn.linear(x, tn.dequantize(records, "MXFP4"))


def test_mxfp4():
    values = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])

    def reference(x, records):
        blocks = records.reshape(len(records), -1, 17)
        codes = np.concatenate([blocks[..., 1:] & 15, blocks[..., 1:] >> 4], -1)
        weight = values[codes] * 2.0 ** (blocks[..., :1].astype(float) - 127)
        return x @ weight.reshape(len(records), -1).T

    records = rng.integers(0, 256, (40, 3, 17), np.uint8)
    records[..., 0] = rng.integers(120, 130, (40, 3))
    for rows in (1, 11):
        check(mxfp4, reference, draw(rows, 96), records.reshape(40, -1))
