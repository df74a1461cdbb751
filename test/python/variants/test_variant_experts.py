"""Published mixtures of experts."""
import numpy as np
import pytest
from gallery import check, draws, silu, softmax, variant

import tenon as tn

pytestmark = pytest.mark.executes
draw = draws(3)


def expert(x, gate, up, down):
    return (silu(x @ gate) * (x @ up)) @ down


def mix(x, weights, gate, up, down):
    """Every expert of every token, times its weight."""
    return sum(weights[:, e:e + 1] * expert(x, gate[e], up[e], down[e]) for e in range(len(up)))


def layer(tokens=70, width=24, experts=8, inner=40):
    return (draw(tokens, width), draw(width, experts), draw(experts, width, inner) / 5, draw(experts, width, inner) / 5,
            draw(experts, inner, width) / 6)


@variant("Top-2 of 8 experts", "Mixtral, arXiv:2401.04088")
@tn.jit
def top_two(x, router, gate, up, down):
    return tn.moe(x, x @ router, up, down, gate=gate, top_k=2, normalize=True)


def test_top_two():
    def reference(x, router, gate, up, down):
        logits = x @ router
        weights = np.where(logits >= np.sort(logits)[:, -2:-1], softmax(logits), 0)
        return mix(x, weights / weights.sum(1, keepdims=True), gate, up, down)

    check(top_two, reference, *layer())


@variant("Experts routed by ReLU", "ReMoE, arXiv:2412.14711")
@tn.jit
def relu_routed(x, router, gate, up, down):
    return tn.moe(x, x @ router, up, down, gate=gate, score="relu", threshold=0.0)


def test_relu_routed():
    check(relu_routed, lambda x, router, *rest: mix(x, np.maximum(x @ router, 0), *rest), *layer())


@variant("Shared expert beside routed ones", "DeepSeekMoE, arXiv:2401.06066")
@tn.jit
def shared_expert(x, router, gate, up, down, shared_gate, shared_up, shared_down):
    return tn.moe(x, x @ router, up, down, gate=gate, top_k=3, shared_gate=shared_gate, shared_up=shared_up,
                  shared_down=shared_down)


def test_shared_expert():
    def reference(x, router, gate, up, down, shared_gate, shared_up, shared_down):
        logits = x @ router
        weights = np.where(logits >= np.sort(logits)[:, -3:-2], softmax(logits), 0)
        return mix(x, weights, gate, up, down) + expert(x, shared_gate, shared_up, shared_down)

    check(shared_expert, reference, *layer(), draw(24, 30) / 5, draw(24, 30) / 5, draw(30, 24) / 5)
