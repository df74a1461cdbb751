"""GGUF files: metadata and tensors, mapped, and the tokenizer that a file carries."""
import os

import numpy as np

from .. import errors
from ..tracing import formats
from ..tracing.array import Array
from ..tracing.indexing import take
from ..tracing.contract import linear


class Weight:
    """A matrix [N, K] in a format of GGUF files: its bytes, where the file has them."""

    def __init__(self, name, data, kind):
        self.name, self.data, self.kind = name, data, kind

    def values(self, data=None, dtype="float32"):
        """The numbers (traced) of all rows, or of some rows' bytes."""
        data = self.data if data is None else data
        if self.kind in ("F32", "F16", "BF16"):
            return data.astype(dtype) if isinstance(data, Array) else data
        return formats.dequantize(data, self.kind, dtype=dtype)

    def rows(self, indices):
        """The rows at `indices`, as numbers."""
        from ..tracing.array import as_array

        return self.values(take(as_array(self.data), indices))

    def __call__(self, x):
        """x [.., K] times the transpose of the matrix."""
        from ..tracing.array import as_array

        return linear(x, self.values(as_array(self.data)))


class GGUFFile:
    """An open file: `metadata` {key: value}, `tensors` {name: Weight}."""

    def __init__(self, path):
        try:
            from gguf import GGUFReader
        except ImportError as error:
            raise ImportError("reading GGUF files needs the package gguf: pip install gguf tokenizers") from error
        self.path = os.fspath(path)
        if not os.path.isfile(self.path):
            raise errors.FileError(f"no file {self.path!r}")
        try:
            reader = GGUFReader(self.path)
            self.metadata = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
        except (ValueError, IndexError, KeyError, OverflowError, MemoryError, UnicodeDecodeError) as error:
            raise errors.InvalidArgument(f"'{self.path}' is no GGUF file, or is damaged: {error}") from error
        self.tensors = {}
        for tensor in reader.tensors:
            kind = tensor.tensor_type.name
            if kind not in formats.GGUF and kind not in ("F32", "F16", "BF16"):
                raise errors.Unsupported(f"'{self.path}': tensor '{tensor.name}' has the format {kind}; known are F32, F16, BF16, "
                                         f"{', '.join(formats.GGUF)}")
            data = tensor.data
            if kind == "BF16":
                import ml_dtypes

                data = data.view(ml_dtypes.bfloat16)
            self.tensors[tensor.name] = Weight(tensor.name, data, kind)

    def get(self, key, default=None):
        """A value of the metadata; an error that names the key where it is missing and has no default."""
        if key not in self.metadata and default is None:
            raise errors.InvalidArgument(f"'{self.path}' lacks the key '{key}'")
        return self.metadata.get(key, default)

    def tensor(self, name):
        if name not in self.tensors:
            raise errors.InvalidArgument(f"'{self.path}' lacks the tensor '{name}'")
        return self.tensors[name]

    def vector(self, name):
        """A tensor of one dim, as float32."""
        return np.asarray(self.tensor(name).data, np.float32)

    def tokenizer(self):
        """The file's own tokenizer (byte-level BPE), as an object of the package tokenizers."""
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

        kind = self.get("tokenizer.ggml.model")
        if kind != "gpt2":
            raise errors.Unsupported(f"'{self.path}' has a tokenizer of kind '{kind}'; known is gpt2 (byte-level BPE)")
        tokens = self.get("tokenizer.ggml.tokens")
        merges = [tuple(merge.split(" ", 1)) for merge in self.get("tokenizer.ggml.merges")]
        tokenizer = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(tokens)}, merges=merges))
        split = [pre_tokenizers.Digits(individual_digits=True)] if self.get("tokenizer.ggml.pre", "default") in ("smollm", "default") else []
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split + [pre_tokenizers.ByteLevel(add_prefix_space=False)])
        tokenizer.decoder = decoders.ByteLevel()
        kinds = self.get("tokenizer.ggml.token_type", [])
        tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token, k in zip(tokens, kinds) if k == 3])
        return tokenizer
