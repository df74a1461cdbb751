"""Published blocks of convolutions."""
import numpy as np
import pytest
from gallery import check, conv, draws, sigmoid, softmax, variant

import tenon as tn

pytestmark = pytest.mark.executes
draw = draws(2)


@variant("CondConv: filters mixed per sample", "Yang et al. 2019, arXiv:1904.04971")
@tn.jit
def cond_conv(x, router, filters):  # router [E, C]; filters [E, F, C, 3, 3]
    weights = tn.sigmoid(tn.linear(x.mean((2, 3)), router))
    return tn.conv(x, tn.einsum("ne,efcij->nfcij", weights, filters), padding="same", per_sample=True)


def test_cond_conv():
    def reference(x, router, filters):
        weights = sigmoid(x.mean((2, 3)) @ router.T)
        return np.concatenate([conv(x[n:n + 1], np.tensordot(weights[n], filters, 1), 1) for n in range(len(x))])

    check(cond_conv, reference, draw(3, 10, 14, 15), draw(4, 10), draw(4, 12, 10, 3, 3))


@variant("31x31 depthwise beside a small kernel", "RepLKNet, arXiv:2203.06717")
@tn.jit
def large_kernel(x, large, small, bias):  # large [C, 1, 31, 31]; small [C, 1, 5, 5]
    channels = x.shape[1]
    y = tn.conv(x, large, bias, padding="same", groups=channels)
    return tn.nn.relu(y + tn.conv(x, small, padding="same", groups=channels))


def test_large_kernel():
    def reference(x, large, small, bias):
        y = conv(x, large, 15, x.shape[1]) + conv(x, small, 2, x.shape[1]) + bias[:, None, None]
        return np.maximum(y, 0)

    check(large_kernel, reference, draw(1, 9, 28, 30), draw(9, 1, 31, 31), draw(9, 1, 5, 5), draw(9))


@variant("Selective kernel block", "SKNet, arXiv:1903.06586")
@tn.jit
def selective_kernel(x, narrow, wide, squeeze, excite):  # squeeze [R, C]; excite [2 C, R]
    branches = [tn.nn.relu(tn.conv(x, narrow, padding=1)), tn.nn.relu(tn.conv(x, wide, padding=2, dilation=2))]
    pooled = (branches[0] + branches[1]).mean((2, 3))
    choice = tn.linear(tn.nn.relu(tn.linear(pooled, squeeze)), excite).reshape(x.shape[0], 2, -1)
    choice = tn.nn.softmax(choice, 1)[:, :, :, None, None]
    return branches[0] * choice[:, 0] + branches[1] * choice[:, 1]


def test_selective_kernel():
    def reference(x, narrow, wide, squeeze, excite):
        a, b = np.maximum(conv(x, narrow, 1), 0), np.maximum(conv(x, wide, 2, dilation=2), 0)
        choice = np.maximum((a + b).mean((2, 3)) @ squeeze.T, 0) @ excite.T
        choice = softmax(choice.reshape(len(x), 2, -1), 1)[..., None, None]
        return a * choice[:, 0] + b * choice[:, 1]

    check(selective_kernel, reference, draw(2, 8, 13, 17), draw(10, 8, 3, 3) / 8, draw(10, 8, 3, 3) / 8, draw(4, 10), draw(20, 4))
