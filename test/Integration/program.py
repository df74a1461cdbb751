"""A drawn function: its text, its arguments, and what its results must be."""
import random

import numpy as np

STEPS = {"f32": 2e-5, "f64": 1e-11, "f16": 4e-3, "bf16": 3e-2}  # how far a result of each type may be off, by its size
DTYPES = tuple(STEPS)


def numpy_type(name):
    import ml_dtypes

    return {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64, "i32": np.int32, "i64": np.int64}[name]


class Program:
    """`draw()` of a subclass reads the choice, and says what the function is by the methods below."""

    def __init__(self, choice, seed):
        self.choice, self.r, self.n = choice, random.Random(seed), np.random.default_rng(seed)
        self.arguments, self.parameters, self.lines, self.results, self.expected = [], [], [], [], []
        self.archive, self.weights = b"", []
        self.dtype, self.dynamic, self.stored = choice["dtype"], choice["dims"] == "dynamic", choice.get("weights") == "stored"
        self.title = type(self).__name__.lower() + f" {self.dtype}{' dynamic' if self.dynamic else ''}{' stored' if self.stored else ''}"
        self.draw()

    def type(self, shape, element, dims=()):
        """The type of a tensor whose dims `dims` are dynamic where the case is."""
        return "tensor<" + "x".join(["?" if self.dynamic and i in dims else str(n) for i, n in enumerate(shape)] + [element]) + ">"

    def argument(self, name, value, dims=(), element=None):
        """Adds an argument; gives (name, type, its value in float64, or its integers)."""
        element = element or self.dtype
        value = np.asarray(value).astype(numpy_type(element))
        kind = self.type(value.shape, element, dims)
        self.arguments.append(value)
        self.parameters.append(f"%{name}: {kind}")
        return f"%{name}", kind, value if value.dtype.kind == "i" else value.astype(np.float64)

    def weight(self, name, value):
        """Adds a constant that lives in the archive, where weights are stored, or an argument; gives what `argument` does."""
        if not self.stored:
            return self.argument(name, value)
        value = value.astype(numpy_type(self.dtype))
        kind = self.type(value.shape, self.dtype)
        self.weights.append(f'tenon.weight @{name} from "ARCHIVE" at {len(self.archive)} length {value.nbytes} : {kind}')
        self.archive += value.tobytes()
        self.lines.append(f"%{name} = tenon.load_weight @{name} : {kind}")
        return f"%{name}", kind, value.astype(np.float64)

    def normal(self, *shape):
        return self.n.normal(size=shape)

    def result(self, name, kind, expected, steps=1, exact=False, size=None):
        """Adds a result: `expected` to the last bit, or within `steps` of its type's or the case's precision, for numbers of
        magnitude `size`, the largest expected one where it is not given."""
        self.results.append((name, kind))
        element = kind[kind.rindex("x") + 1:-1]
        size = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)) if size is None else size)
        self.expected.append((expected, None if exact else steps * max(STEPS[element], STEPS[self.dtype]) * size))

    def mlir(self, archive):
        names, kinds = ", ".join(n for n, _ in self.results), ", ".join(k for _, k in self.results)
        weights = "".join(line.replace("ARCHIVE", archive) + "\n" for line in self.weights)
        return (weights + f"func.func @main({', '.join(self.parameters)}) -> ({kinds}) {{\n" + "\n".join("  " + line for line in self.lines) +
                f"\n  return {names} : {kinds}\n}}\n")

    def problem(self, results):
        if len(results) != len(self.expected):
            return f"{len(results)} results"
        for number, (result, (expected, tolerance)) in enumerate(zip(results, self.expected)):
            result, expected = np.asarray(result, np.float64), np.asarray(expected, np.float64)
            if result.shape != expected.shape:
                return f"result {number} has shape {result.shape} for {expected.shape}"
            finite = np.isfinite(expected)
            if not np.array_equal(result[~finite], expected[~finite], equal_nan=True):
                return f"result {number} is finite elsewhere"
            worst = np.abs(result[finite] - expected[finite]).max(initial=0)
            if not worst <= (tolerance or 0):
                return f"result {number} is off by {worst:.3g}"
        return ""
