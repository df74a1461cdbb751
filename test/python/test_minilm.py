"""A real encoder (all-MiniLM-L6-v2, the example examples/minilm.py) against float64 NumPy."""
import math

import numpy as np
import pytest

pytest.importorskip("tokenizers")
import minilm  # noqa: E402

import tenon as tn  # noqa: E402

pytestmark = pytest.mark.executes
SENTENCES = ["A cat sits on the mat.", "There is a kitten on the rug, and it does not want to leave before it has been fed.", "Stocks fell.",
             "The quick brown fox jumps over the lazy dog. " * 12]


@pytest.fixture(scope="module")
def encoder():
    try:
        return minilm.Encoder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def reference(encoder, tokens):
    """The vector of one sentence, in float64."""
    w = {name: array.astype(np.float64) for name, array in encoder.weights.items()}
    dense = lambda x, name: x @ w[f"{name}.weight"].T + w[f"{name}.bias"]  # noqa: E731

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:len(tokens)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(6):
        part = f"encoder.layer.{layer}"
        q, k, v = (dense(x, f"{part}.attention.self.{n}").reshape(-1, 12, 32).transpose(1, 0, 2) for n in ("query", "key", "value"))
        s = q @ k.swapaxes(1, 2) / math.sqrt(32)
        p = np.exp(s - s.max(-1, keepdims=True))
        y = (p / p.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(tokens), -1)
        x = norm(x + dense(y, f"{part}.attention.output.dense"), f"{part}.attention.output.LayerNorm")
        h = dense(x, f"{part}.intermediate.dense")
        h = h * (1 + np.vectorize(math.erf)(h / math.sqrt(2))) / 2
        x = norm(x + dense(h, f"{part}.output.dense"), f"{part}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_vectors_equal_float64(encoder):
    expected = np.stack([reference(encoder, [t for t, seen in zip(row.ids, row.attention_mask) if seen])
                         for row in encoder.tokenizer.encode_batch(SENTENCES)])
    together, alone = encoder(SENTENCES), np.concatenate([encoder([sentence]) for sentence in SENTENCES])
    for got in (together, alone):
        assert got.shape == (4, 384)
        assert ((got * expected).sum(1) > 0.9999).all()
        assert np.abs(got - expected).max() < 1e-5
    alike = together @ together.T
    assert alike[0, 1] > 0.5 > alike[0, 2]  # a cat on a mat, a kitten on a rug, and stocks


def test_damaged_file(tmp_path):
    for name, data in (("empty", b""), ("short", b"\x10\0\0\0\0\0\0\0{}"), ("json", b"\x04\0\0\0\0\0\0\0{[[}"),
                       ("cut", b"\x3d\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}      ' + b"1234")):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(tn.FileError, match="damaged"):
            minilm.read_safetensors(path)
