"""Low-precision operators of ONNX models beyond the node suite: weights that matmuls decode, MatMulNBits, low-bit types."""
import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_models import onnxruntime_outputs

pytestmark = pytest.mark.executes


def make_model(nodes, inputs, output, initializers, opset=23):
    graph = helper.make_graph(nodes, "g", inputs, [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)],
                             ir_version=10)


def nbits_model(bits, block, k, n, zeros, bias, dtype=np.float32):
    """x times a matrix in MatMulNBits' layout; `zeros`: none, "packed" bytes, or "float"."""
    random = np.random.default_rng(bits * k + block)
    blocks = -(-k // block)
    named = {"B": random.integers(0, 256, (n, blocks, block * bits // 8), np.uint8),
             "s": (random.random(n * blocks) * 0.1 + 0.01).astype(dtype)}
    if zeros == "packed":
        named["z"] = random.integers(0, 256, n * -(-blocks * bits // 8), np.uint8)
    if zeros == "float":
        named["z"] = (random.random((n, blocks)) * 8).astype(dtype)
    names = ["x", "B", "s", "z" if zeros else "", "", "c" if bias else ""]
    if bias:
        named["c"] = random.standard_normal(n).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    node = helper.make_node("MatMulNBits", names, ["y"], domain="com.microsoft", K=k, N=n, bits=bits, block_size=block)
    return make_model([node], [helper.make_tensor_value_info("x", kind, ["m", k])], helper.make_tensor_value_info("y", kind, ["m", n]),
                      [numpy_helper.from_array(array, name) for name, array in named.items()])


@pytest.mark.parametrize("bits, block, k, n", [(4, 32, 100, 17), (4, 128, 256, 40), (2, 16, 64, 24), (8, 32, 96, 33)])
@pytest.mark.parametrize("zeros", (None, "packed", "float"))
def test_matmul_nbits(tn, bits, block, k, n, zeros):
    if bits == 8 and zeros == "float":
        pytest.skip("onnxruntime refuses it")
    model = nbits_model(bits, block, k, n, zeros, bias=zeros is None)
    compiled = tn.compile(model)
    for rows in (1, 3, 40):
        x = np.random.default_rng(rows).standard_normal((rows, k)).astype(np.float32)
        want = onnxruntime_outputs(model, {"x": x})["y"]
        np.testing.assert_allclose(compiled(x), want, rtol=1e-3, atol=1e-4 * np.abs(want).max())
    if k % block == 0:  # else x is filled up with zeros first
        assert sum(kernel["ms"] > 0 for kernel in compiled.profile(x)) == 1


@pytest.mark.parametrize("change, message", [
    ({"bits": 3}, "expected codes of 2, 4 or 8 bits, but got 3"),
    ({"block_size": 0}, "expected positive K and N and blocks of whole bytes, but got 64, 24 and blocks of 0"),
    ({"K": 96}, "expected 24 x 6 x 8 bytes of codes, but got 768 elements of uint8"),
    ({"N": 12}, "expected 12 x 4 x 8 bytes of codes, but got 768 elements of uint8"),
])
def test_matmul_nbits_refuses(tn, change, message):
    model = nbits_model(4, 16, 64, 24, None, False)
    for attribute in model.graph.node[0].attribute:
        attribute.i = change.get(attribute.name, attribute.i)
    with pytest.raises(tn.Error, match=message):
        tn.compile(model)


@pytest.mark.parametrize("name, count, message", [
    ("s", 95, "expected 24 x 4 scales, but got 95 elements of float32"),
    ("z", 47, "expected 48 zero points, but got 47 elements of uint8"),
])
def test_matmul_nbits_refuses_parts(tn, name, count, message):
    model = nbits_model(4, 16, 64, 24, "packed", False)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:count], name))
    with pytest.raises(tn.Error, match=message):
        tn.compile(model)


def test_matmul_nbits_refuses_order_and_integers(tn):
    model = nbits_model(4, 16, 64, 24, None, False)
    model.graph.node[0].input[4] = "g"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(64, np.int32), "g"))
    with pytest.raises(tn.Error, match=r"groups by an index \(g_idx\) are not supported"):
        tn.compile(model)
    model = nbits_model(4, 16, 64, 24, None, False)
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.INT32
    with pytest.raises(tn.Error, match="expected an input of floats, but got int32"):
        tn.compile(model)


TYPES = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int4": TensorProto.INT4, "uint4": TensorProto.UINT4,
         "int2": TensorProto.INT2, "float8_e4m3fn": TensorProto.FLOAT8E4M3FN, "float4_e2m1fn": TensorProto.FLOAT4E2M1}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("scaled", ("tensor", "column", "row", "block"))
def test_dequantized_weight_is_one_kernel(tn, kind, scaled):
    """x @ DequantizeLinear(w): against float64, decoded in the matmul."""
    random = np.random.default_rng(len(kind) + len(scaled))
    k, n, block = 96, 40, 32
    dtype = np.dtype(getattr(ml_dtypes, kind)) if hasattr(ml_dtypes, kind) else np.dtype(kind)
    integer = "int" in kind
    bits = int("".join(filter(str.isdigit, kind))) if integer else 0
    low, high = ((0, 1 << bits) if kind[0] == "u" else (-(1 << bits - 1), 1 << bits - 1)) if integer else (-6, 7)
    codes = random.integers(low, high, (k, n)).astype(dtype)
    shape, axis = {"tensor": ((), 0), "column": ((n,), 1), "row": ((k,), 0), "block": ((k // block, n), 0)}[scaled]
    scale = (random.random(shape) + 0.5).astype(np.float32)
    zero = random.integers(low, high, shape).astype(dtype) if integer else None
    wide = {"tensor": lambda a: a, "column": lambda a: a[None], "row": lambda a: a[:, None],
            "block": lambda a: np.repeat(a, block, 0)}[scaled]
    weight = (codes.astype(np.float64) - (wide(zero.astype(np.float64)) if integer else 0)) * wide(scale.astype(np.float64))
    parts = {"w": codes, "s": scale, **({"z": zero} if integer else {})}
    nodes = [helper.make_node("DequantizeLinear", list(parts), ["v"], axis=axis, block_size=block if scaled == "block" else 0),
             helper.make_node("MatMul", ["x", "v"], ["y"])]
    model = make_model(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["m", k])],
                       helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m", n]),
                       [numpy_helper.from_array(np.asarray(array), name) for name, array in parts.items()], opset=25)
    compiled = tn.compile(model)
    for rows in (1, 9, 30):
        x = random.standard_normal((rows, k)).astype(np.float32)
        want = x.astype(np.float64) @ weight
        np.testing.assert_allclose(compiled(x), want, rtol=1e-4, atol=1e-5 * np.abs(want).max())
    kernels = [kernel for kernel in compiled.profile(x) if kernel["ms"] > 0]
    assert len(kernels) == 1


def test_quotients_have_the_precision_of_the_scale(tn):
    """1.0005 / 0.1 in float16 is 10.0; in float32 it is above."""
    x = np.array([105.0625, 0.7, -3.3, 250.5], np.float16)
    scale = np.float16(10.0)
    for precision, quotient in ((0, (x / scale).astype(np.float32)), (TensorProto.FLOAT, x.astype(np.float32) / np.float32(scale))):
        node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], output_dtype=TensorProto.INT8, precision=precision)
        model = make_model([node], [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [4])],
                           helper.make_tensor_value_info("y", TensorProto.INT8, [4]), [numpy_helper.from_array(np.asarray(scale), "s")])
        np.testing.assert_array_equal(tn.compile(model)(x), np.clip(np.rint(quotient), -128, 127).astype(np.int8))


def test_code_that_llvm_refuses_is_an_internal_error(tn, tmp_path):
    path = tmp_path / "f.mlir"
    path.write_text("""func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = llvm.call_intrinsic "llvm.no.such.thing"(%a) : (f32) -> f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
""")
    with pytest.raises(tn.InternalError):
        tn.compile(str(path))
