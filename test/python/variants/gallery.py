"""What the gallery's tests share: the mark of a variant (tools/dev/gen_docs.py makes docs/generated/gallery.md of the marked
functions), and NumPy in float64 to compare with."""
import numpy as np


def variant(title, source):
    """Marks a function as an entry of the gallery: what it is called, and where it was published."""
    return lambda function: function


def draws(seed=0):
    """draw(*shape): normal numbers, float32."""
    rng = np.random.default_rng(seed)
    return lambda *shape: rng.standard_normal(shape).astype(np.float32)


def wide(array):
    return array.astype(np.float64) if isinstance(array, np.ndarray) and array.dtype.kind == "f" else array


def check(function, reference, *arrays, tolerance=2e-5):
    """The compiled function equals `reference` of the same arrays in float64, relative to the largest element."""
    got, expected = function(*arrays), reference(*map(wide, arrays))
    got, expected = (x if isinstance(x, (tuple, list)) else (x,) for x in (got, expected))
    assert len(got) == len(expected)
    for ours, right in zip(got, expected):
        assert ours.shape == right.shape
        assert np.isfinite(right).all() and np.abs(right).max() > 0
        assert np.abs(ours - right).max() <= tolerance * max(np.abs(right).max(), 1e-30)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def attend(q, k, v, score=None, mask=None, weights=softmax, scale=None):
    """Attention of [B, H, S, D] spelled out. score(s [B, H, S, T], i, j), mask(i, j) with i the place of a query beside
    the last key and j that of a key."""
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], 1) for x in (k, v))
    s = q @ k.swapaxes(-1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    j = np.arange(k.shape[2])[None]
    i = np.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
    if score is not None:
        s = score(s, i, j)
    if mask is None:
        return weights(s) @ v
    seen = np.broadcast_to(mask(i, j), s.shape)
    return np.where(seen, weights(np.where(seen, s, -np.inf)), 0) @ v


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def conv(x, w, pad, groups=1, dilation=1):
    """A 2-D convolution with stride 1 of x [N, C, H, W] with w [F, C / groups, K, L]."""
    n, c, height, width = x.shape
    f, _, rows, columns = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    result = np.zeros((n, groups, f // groups, height, width))
    for r in range(rows):
        for s in range(columns):
            part = padded[:, :, r * dilation:r * dilation + height, s * dilation:s * dilation + width]
            result += np.einsum("ngchw,gfc->ngfhw", part.reshape(n, groups, c // groups, height, width),
                                w[:, :, r, s].reshape(groups, f // groups, c // groups))
    return result.reshape(n, f, height, width)
