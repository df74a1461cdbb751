"""A function that dequantizes, alone or for a matmul, and what it must return."""
import random

import ml_dtypes
import numpy as np

NUMPY = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "i8": np.int8, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu}
#: The axes that all families share.
USE = {"use": ("alone", "weights of a matmul", "arguments of a matmul"), "rows": ("one", "few", "some", "many"),
       "columns": ("one", "odd", "vectors"), "value": ("f32", "f16", "bf16"), "dims": ("static", "dynamic")}
ROWS = {"one": (1,), "few": (2, 3, 4, 5), "some": (7, 8, 9, 13), "many": (24, 33, 64, 70, 130)}
COLUMNS = {"one": (1,), "odd": (2, 7, 33, 65), "vectors": (16, 48, 64, 96)}


class Program:
    """w[K, N] with groups along K, or, in records, w[N, K]. `draw()` of a subclass sets k, n, the format's text, whether it has
    `records`, `codes` with `codes_type`, `parts` (scales and the like, by keyword, in the op's order), and `values`, in f32."""

    def __init__(self, choice, seed):
        self.choice, self.r, self.data = choice, random.Random(seed), np.random.default_rng(seed)
        self.alone, self.stored, self.dynamic = choice["use"] == "alone", "weights" in choice["use"], choice["dims"] == "dynamic"
        self.rows, self.n, self.value = self.r.choice(ROWS[choice["rows"]]), self.r.choice(COLUMNS[choice["columns"]]), choice["value"]
        self.draw()
        self.values = self.values.astype(NUMPY[self.value])
        self.x = self.data.standard_normal((self.rows, self.k)).astype(NUMPY[self.value])
        arrays = [self.codes, *self.parts.values()]
        self.archive = b"".join(array.tobytes() for array in arrays) if self.stored else b""
        self.arguments = ([] if self.alone else [self.x]) + ([] if self.stored else arrays)
        self.title = f"{choice['use']} {self.value}{' dynamic' if self.dynamic else ''} {self.rows}x{self.k}x{self.n} {self.format}"

    @staticmethod
    def type(array):
        name = next(name for name, type in NUMPY.items() if array.dtype == type)
        return "tensor<" + "x".join(map(str, array.shape)) + f"x{name}>"

    def mlir(self, archive):
        k, n, axis = self.k, self.n, int(self.records)
        codes, values = self.codes_type, f"tensor<{n}x{k}x{self.value}>" if axis else f"tensor<{k}x{n}x{self.value}>"
        if self.alone and self.dynamic:  # where groups do not run
            at = codes.index("<") + 1 if axis else codes.index("x") + 1
            codes = codes[:at] + "?" + codes[codes.index("x", at):]
            values = f"tensor<?x{k}x{self.value}>" if axis else f"tensor<{k}x?x{self.value}>"
        types = {"codes": codes, **{name: self.type(part) for name, part in self.parts.items()}}
        operands = " ".join(f"{name} %{name} : {types[name]}" for name in self.parts)
        dequantize = f"  %w = tenon.dequantize %codes {operands} axis {axis} format <{self.format}> : {codes} -> {values}"
        arguments = [f"%{name}: {kind}" for name, kind in types.items()]
        if self.alone:
            return f"func.func @main({', '.join(arguments)}) -> {values} {{\n{dequantize}\n  return %w : {values}\n}}\n"
        lines, loads, offset = [], [], 0
        for name, part in {"codes": self.codes, **self.parts}.items() if self.stored else ():
            lines.append(f'tenon.weight @{name} from "{archive}" at {offset} length {part.nbytes} : {types[name]}')
            loads.append(f"  %{name} = tenon.load_weight @{name} : {types[name]}")
            offset += part.nbytes
        m = "?" if self.dynamic else self.rows
        x, y = f"tensor<{m}x{k}x{self.value}>", f"tensor<{m}x{n}xf32>"
        size = [f"  %first = arith.constant 0 : index\n  %m = tensor.dim %x, %first : {x}"] if self.dynamic else []
        maps = ["(m, n, k) -> (m, k)", "(m, n, k) -> (n, k)" if axis else "(m, n, k) -> (k, n)", "(m, n, k) -> (m, n)"]
        maps = ", ".join(f"affine_map<{text}>" for text in maps)
        lines += [f"func.func @main({', '.join([f'%x: {x}'] + ([] if self.stored else arguments))}) -> {y} {{", *loads, dequantize,
                  "  %zero = arith.constant 0.0 : f32", *size, f"  %e = tensor.empty({'%m' if self.dynamic else ''}) : {y}",
                  f"  %f = linalg.fill ins(%zero : f32) outs(%e : {y}) -> {y}",
                  f"  %y = linalg.matmul indexing_maps = [{maps}] ins(%x, %w : {x}, {values}) outs(%f : {y}) -> {y}", f"  return %y : {y}", "}"]
        return "\n".join(lines) + "\n"

    def problem(self, results):
        """Alone, values are equal to the last bit; sums of products within 1e-5 of those of magnitudes."""
        result, right = np.asarray(results[0], np.float64), self.values.astype(np.float64)
        if self.alone:
            return "" if np.array_equal(result, right) else f"{(result != right).sum()} of {right.size} values differ"
        left, right = self.x.astype(np.float64), right.T if self.records else right
        off = np.abs(result - left @ right) / (np.abs(left) @ np.abs(right) + 0.1)
        return "" if off.max(initial=0) <= 1e-5 else f"off by {off.max():.3g} of the magnitudes"
