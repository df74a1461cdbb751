"""The llama family from GGUF files: RMS norms, RoPE, grouped heads, gated feed-forward, a paged cache of keys and values."""
import time

import numpy as np

from .. import errors
from ..tracing import masks, nn, reduce
from ..tracing.array import as_array
from ..tracing.attention import attention
from ..tracing.control import fori_loop
from ..tracing.function import jit
from ..tracing.indexing import ds, take
from ..tracing.movement import stack
from .gguf_file import GGUFFile

PAGE = 256


class Llama:
    """A language model. `prefill` and `decode` run it; `generate` makes text tokens from prompt tokens."""

    def __init__(self, path, context=2048, threads=None):
        start = time.perf_counter()
        self.file = file = path if isinstance(path, GGUFFile) else GGUFFile(path)
        name = file.get("general.architecture")
        if name != "llama":
            raise errors.Unsupported(f"'{file.path}' holds a model of kind '{name}'; known is llama")
        self.layers, self.width = file.get("llama.block_count"), file.get("llama.embedding_length")
        self.heads = file.get("llama.attention.head_count")
        self.groups = file.get("llama.attention.head_count_kv", self.heads)
        self.depth = file.get("llama.attention.key_length", self.width // self.heads)
        self.epsilon = float(file.get("llama.attention.layer_norm_rms_epsilon"))
        self.vocabulary = file.tensor("token_embd.weight").data.shape[0]
        self.context = -(-min(context, file.get("llama.context_length")) // PAGE) * PAGE
        self.end = file.get("tokenizer.ggml.eos_token_id", -1)
        rotated = file.get("llama.rope.dimension_count", self.depth)
        if rotated != self.depth:
            raise errors.Unsupported(f"'{file.path}': RoPE turns {rotated} of {self.depth} dims; only all are known")
        angles = np.arange(self.context)[:, None] * float(file.get("llama.rope.freq_base", 10000.0)) ** (
            -np.arange(0, self.depth, 2) / self.depth)
        self._cos, self._sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        pages = self.context // PAGE
        self.pages = np.arange(pages, dtype=np.int32)[None]
        self.reset()
        options = {"donate": ("keys", "values"), "threads": threads}
        self._logits = jit(self._step, dims={"tokens": ("s",)}, **options)
        self._last = jit(self._last_step, dims={"tokens": ("s",)}, **options)
        self._last_one = jit(self._last_step, **options)
        self._next = jit(self._choose, dims={"tokens": ("s",)}, **options)
        self._next_one = jit(self._choose, **options)
        self.load_s = time.perf_counter() - start

    def reset(self):
        """Forgets all keys and values."""
        shape = (self.context // PAGE, self.groups, PAGE, self.depth)
        self.keys = [np.zeros(shape, np.float32) for _ in range(self.layers)]
        self.values = [np.zeros(shape, np.float32) for _ in range(self.layers)]
        self.length = 0

    # -- what is compiled --------------------------------------------------------------------------------------------
    def _rotate(self, x, cos, sin):
        """Turns pairs of neighbours of x [S, H, D] by the angles of its positions."""
        pairs = x.reshape(x.shape[0], x.shape[1], self.depth // 2, 2)
        a, b = pairs[..., 0], pairs[..., 1]
        return stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)

    def _append(self, pool, rows, length, pages):
        """Puts rows [S, G, D] behind the `length` that the pool of pages holds."""
        def put(i, pool):
            at = length + i
            page = pages[0, at // PAGE]
            row = take(rows, i.reshape(1))
            return pool.at[ds(page, 1), :, ds(at % PAGE, 1)].set(row.reshape(1, self.groups, 1, self.depth))

        return fori_loop(0, rows.shape[0], put, pool)

    def _hidden(self, tokens, length, keys, values, pages):
        file, count = self.file, tokens.shape[0]
        x = file.tensor("token_embd.weight").rows(tokens)
        run = ds(length, count)
        cos, sin = (as_array(table)[run].reshape(count, 1, self.depth // 2) for table in (self._cos, self._sin))
        keys, values = list(keys), list(values)
        for layer in range(self.layers):
            part = lambda name: file.tensor(f"blk.{layer}.{name}.weight")  # noqa: B023, E731
            h = nn.rms_norm(x, file.vector(f"blk.{layer}.attn_norm.weight"), self.epsilon)
            q = self._rotate(part("attn_q")(h).reshape(count, self.heads, self.depth), cos, sin)
            k = self._rotate(part("attn_k")(h).reshape(count, self.groups, self.depth), cos, sin)
            v = part("attn_v")(h).reshape(count, self.groups, self.depth)
            keys[layer] = self._append(keys[layer], k, length, pages)
            values[layer] = self._append(values[layer], v, length, pages)
            y = attention(q.transpose(1, 0, 2)[None], keys[layer], values[layer], mask=masks.causal(), pages=pages,
                          lengths=(length + count).reshape(1))
            x = x + part("attn_output")(y[0].transpose(1, 0, 2).reshape(count, self.heads * self.depth))
            h = nn.rms_norm(x, file.vector(f"blk.{layer}.ffn_norm.weight"), self.epsilon)
            x = x + part("ffn_down")(nn.silu(part("ffn_gate")(h)) * part("ffn_up")(h))
        return nn.rms_norm(x, file.vector("output_norm.weight"), self.epsilon), keys, values

    def _head(self, x):
        return self.file.tensors.get("output.weight", self.file.tensor("token_embd.weight"))(x)

    def _step(self, tokens, length, keys, values, pages):
        """Logits [S, vocabulary] of all tokens."""
        x, keys, values = self._hidden(tokens, length, keys, values, pages)
        return self._head(x), keys, values

    def _last_step(self, tokens, length, keys, values, pages):
        """Logits [vocabulary] of the last token."""
        x, keys, values = self._hidden(tokens, length, keys, values, pages)
        return self._head(x[tokens.shape[0] - 1:])[0], keys, values

    def _choose(self, tokens, length, keys, values, pages, noise=None, temperature=None):
        """The token that follows: the likeliest, or with `noise` (Gumbel's) one drawn by the probabilities."""
        logits, keys, values = self._last_step(tokens, length, keys, values, pages)
        if noise is not None:
            logits = logits / temperature + noise
        return reduce.argmax(logits), keys, values

    # -- what is called -----------------------------------------------------------------------------------------------
    def _run(self, function, tokens, *more):
        tokens = np.asarray(tokens, np.int32)
        if tokens.ndim != 1 or tokens.size == 0 or tokens.min() < 0 or tokens.max() >= self.vocabulary:
            raise errors.InvalidArgument(f"expected token numbers from 0 to {self.vocabulary - 1}, one at least")
        if self.length + tokens.size > self.context:
            raise errors.InvalidArgument(f"{self.length + tokens.size} tokens do not fit the context of {self.context}")
        result, self.keys, self.values = function(tokens, np.array(self.length), self.keys, self.values, self.pages, *more)
        self.length += tokens.size
        return result

    def logits(self, tokens):
        """Logits [S, vocabulary] of tokens behind those seen so far."""
        return self._run(self._logits, tokens)

    def last_logits(self, tokens):
        """Logits [vocabulary] of the last of `tokens`."""
        return self._run(self._last_one if len(tokens) == 1 else self._last, tokens)

    def next_token(self, tokens, rng=None, temperature=1.0):
        """The token behind `tokens`: the likeliest without `rng`, else drawn."""
        more = () if rng is None else (rng.gumbel(size=self.vocabulary).astype(np.float32), np.array(temperature, np.float32))
        function = self._next_one if len(tokens) == 1 else self._next
        return int(self._run(function, tokens, *more))

    def generate(self, tokens, count, rng=None, temperature=1.0):
        """Yields up to `count` tokens that follow a prompt; ends behind the file's end token."""
        token = None
        for _ in range(count):
            token = self.next_token(tokens if token is None else [token], rng, temperature)
            yield token
            if token == self.end:
                return


