"""Low-precision formats: the block formats of GGUF files against the `gguf` package."""
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q6_K", "IQ4_NL", "MXFP4")


def draw_blocks(name, rows, blocks):
    """Random records, and the values that the gguf package reads from them."""
    import gguf

    kind = gguf.GGMLQuantizationType[name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    random = np.random.default_rng(rows * 31 + blocks)
    raw = random.integers(0, 256, (rows, blocks, size)).astype(np.uint8)
    places = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q6_K": [208], "MXFP4": []}.get(name, [0])
    for at in places:
        raw[:, :, at:at + 2] = random.standard_normal((rows, blocks, 1)).astype(np.float16).view(np.uint8)
    if name == "MXFP4":
        raw[:, :, 0] = random.integers(100, 140, (rows, blocks))
    raw = raw.reshape(rows, blocks * size)
    return raw.view(np.int8), gguf.dequantize(raw, kind), block * blocks


def program(name, rows, size, columns):
    return f"""func.func @main(%b: tensor<{rows}x{size}xi8>) -> tensor<{rows}x{columns}xf32> {{
  %y = tenon.dequantize %b axis 1 format <"{name}"> : tensor<{rows}x{size}xi8> -> tensor<{rows}x{columns}xf32>
  return %y : tensor<{rows}x{columns}xf32>
}}
"""


@pytest.mark.parametrize("name", NAMES)
def test_reference_reads_gguf_blocks(name, tmp_path):
    tool = ROOT / "build" / "bin" / "tenon-run"
    if not tool.exists():
        pytest.skip("tenon-run is not built")
    raw, expected, columns = draw_blocks(name, 3, 2)
    (tmp_path / "f.mlir").write_text(program(name, 3, raw.shape[1], columns))
    np.save(tmp_path / "b.npy", raw)
    subprocess.run([tool, "--reference", "--input", f"0={tmp_path}/b.npy", "--output-dir", tmp_path, tmp_path / "f.mlir"], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy"), expected)


@pytest.mark.executes
@pytest.mark.parametrize("name", NAMES)
def test_compiled_reads_gguf_blocks(name, tn, tmp_path):
    raw, expected, columns = draw_blocks(name, 3, 2)
    (tmp_path / "f.mlir").write_text(program(name, 3, raw.shape[1], columns))
    np.testing.assert_array_equal(tn.compile(str(tmp_path / "f.mlir"))(raw), expected)


@pytest.mark.executes
@pytest.mark.parametrize("rows", (1, 5))
@pytest.mark.parametrize("name", NAMES)
def test_matmul_decodes_gguf_weights(name, rows, tn, tmp_path):
    """x times the transposed weight, as llama-like models have it: one kernel, from records in a file."""
    raw, weight, columns = draw_blocks(name, 24, 2)
    raw.tofile(tmp_path / "w.bin")
    size = raw.shape[1]
    (tmp_path / "f.mlir").write_text(f"""tenon.weight @b from "{tmp_path}/w.bin" at 0 length {raw.size} : tensor<24x{size}xi8>
func.func @main(%x: tensor<{rows}x{columns}xf32>) -> tensor<{rows}x24xf32> {{
  %b = tenon.load_weight @b : tensor<24x{size}xi8>
  %w = tenon.dequantize %b axis 1 format <"{name}"> : tensor<24x{size}xi8> -> tensor<24x{columns}xf32>
  %e = tensor.empty() : tensor<{columns}x24xf32>
  %t = linalg.transpose ins(%w : tensor<24x{columns}xf32>) outs(%e : tensor<{columns}x24xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<{rows}x24xf32>
  %f = linalg.fill ins(%zero : f32) outs(%o : tensor<{rows}x24xf32>) -> tensor<{rows}x24xf32>
  %y = linalg.matmul ins(%x, %t : tensor<{rows}x{columns}xf32>, tensor<{columns}x24xf32>) outs(%f : tensor<{rows}x24xf32>) -> tensor<{rows}x24xf32>
  return %y : tensor<{rows}x24xf32>
}}
""")
    x = np.random.default_rng(1).standard_normal((rows, columns)).astype(np.float32)
    expected = x.astype(np.float64) @ weight.T.astype(np.float64)
    model = tn.compile(str(tmp_path / "f.mlir"))
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert sum(kernel["ms"] > 0 for kernel in model.profile(x)) == 1
