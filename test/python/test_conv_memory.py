"""The memory that a convolution takes beside its input, filter and result: counted by an allocator of the caller's."""
import ctypes
import json
from math import prod

import numpy as np
import pytest
from conftest import ROOT

pytestmark = pytest.mark.executes

# input, filter, strides, pads, dilations, groups, transposed
CASES = {
    "7x7 of stride 2, three channels": ((1, 3, 224, 224), (64, 3, 7, 7), 2, 3, 1, 1, False),
    "3x3 of stride 2": ((1, 64, 112, 112), (64, 64, 3, 3), 2, 1, 1, 1, False),
    "3x3 of stride 2, few results": ((1, 256, 112, 112), (8, 256, 3, 3), 2, 1, 1, 1, False),
    "3x3": ((1, 64, 56, 56), (64, 64, 3, 3), 1, 1, 1, 1, False),
    "3x3, few results": ((1, 256, 112, 112), (8, 256, 3, 3), 1, 1, 1, 1, False),
    "depthwise 3x3 of stride 2": ((1, 384, 56, 56), (384, 1, 3, 3), 2, 1, 1, 384, False),
    "depthwise 3x3": ((1, 384, 56, 56), (384, 1, 3, 3), 1, 1, 1, 384, False),
    "depthwise 31x31": ((1, 256, 28, 28), (256, 1, 31, 31), 1, 15, 1, 256, False),
    "1-D": ((1, 80, 3000), (512, 80, 3), 1, 1, 1, 1, False),
    "1-D of stride 2": ((1, 80, 3000), (80, 80, 3), 2, 1, 1, 1, False),
    "3-D": ((1, 32, 16, 56, 56), (32, 32, 3, 3, 3), 1, 1, 1, 1, False),
    "3-D of stride 2": ((1, 32, 16, 56, 56), (32, 32, 3, 3, 3), 2, 1, 1, 1, False),
    "dilated 5x5": ((1, 96, 56, 56), (96, 96, 5, 5), 1, 4, 2, 1, False),
    "grouped": ((1, 128, 56, 56), (128, 32, 3, 3), 1, 1, 1, 4, False),
    "transposed 4x4": ((1, 128, 28, 28), (128, 128, 4, 4), 2, 1, 1, 1, True),
    "1x1 of stride 2": ((1, 256, 56, 56), (64, 256, 1, 1), 2, 0, 1, 1, False),
    "a batch": ((8, 16, 64, 64), (16, 16, 3, 3), 2, 1, 1, 1, False),
}

# The padded copy of the input is as large as the input, or larger: where that is nearly all there is, the bound of 2 is
# missed until units stage their own rows.
LARGER = {"3x3 of stride 2, few results": 2.1, "3x3, few results": 2.05, "depthwise 31x31": 2.4, "3-D of stride 2": 2.15,
          "transposed 4x4": 2.25}

ALLOC = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class Callbacks(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("user", ctypes.c_void_p), ("alloc", ALLOC), ("free", FREE),
                ("parallel_for", ctypes.c_void_p), ("workers", ctypes.c_int32)]


class Input(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64))]


class Output(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("capacity", ctypes.c_size_t), ("dtype", ctypes.c_int32),
                ("rank", ctypes.c_int32), ("shape", ctypes.c_int64 * 16), ("owned", ctypes.c_int32)]


def text(shape):
    return "tensor<" + "x".join(map(str, shape)) + "xf32>"


def get_result(x, w, stride, pad, dilation, groups, transposed):
    window = [dilation * (k - 1) + 1 for k in w[2:]]
    if transposed:
        return (x[0], w[1] * groups, *(stride * (d - 1) + k - 2 * pad for d, k in zip(x[2:], window)))
    return (x[0], w[0], *((d + 2 * pad - k) // stride + 1 for d, k in zip(x[2:], window)))


@pytest.mark.parametrize("name", CASES)
def test_peak_below_twice_the_tensors(name, tmp_path):
    x, w, stride, pad, dilation, groups, transposed = CASES[name]
    n, y = len(x) - 2, get_result(*CASES[name])
    path, made = tmp_path / "conv.mlir", tmp_path / "conv.so"
    path.write_text(f"""func.func @main(%x: {text(x)}, %w: {text(w)}) -> {text(y)} {{
  %y = tenon.conv %x, %w strides {[stride] * n} dilations {[dilation] * n} pads {[pad] * 2 * n} groups {groups}
      {"transposed" if transposed else ""} : {text(x)}, {text(w)} -> {text(y)}
  return %y : {text(y)}
}}
""")
    library = ctypes.CDLL(str(ROOT / "build" / "lib" / "libtenon.so"))
    reply, error = ctypes.c_char_p(), ctypes.c_char_p()
    request = json.dumps({"path": str(path), "output": str(made)}).encode()
    status = library.tenon_compile(request, None, ctypes.c_size_t(0), None, None, ctypes.byref(reply), ctypes.byref(error))
    assert status == 0, error.value
    held, blocks = {"now": 0, "peak": 0}, {}

    def alloc(_, size, alignment):
        block = (ctypes.c_char * (size + alignment))()
        address = (ctypes.addressof(block) + alignment - 1) // alignment * alignment
        blocks[address] = (block, size)
        held["now"] += size
        held["peak"] = max(held["peak"], held["now"])
        return address

    def free(_, address):
        if address:
            held["now"] -= blocks.pop(address)[1]

    callbacks = Callbacks(ctypes.sizeof(Callbacks), None, ALLOC(alloc), FREE(free), None, 0)
    model = ctypes.c_void_p()
    status = library.tenon_model_load(str(made).encode(), 2, ctypes.byref(callbacks), ctypes.byref(model), ctypes.byref(error))
    assert status == 0, error.value
    float32 = library.tenon_dtype_from_name(b"float32")
    arrays = [np.ones(shape, np.float32) for shape in (x, w)]
    inputs = (Input * 2)(*(Input(a.ctypes.data, float32, a.ndim, (ctypes.c_int64 * a.ndim)(*a.shape), None) for a in arrays))
    output = Output()
    status = library.tenon_model_run_tensors(model, inputs, 2, ctypes.byref(output), 1, ctypes.byref(error))
    assert status == 0, error.value
    assert tuple(output.shape[:output.rank]) == y
    tensors = 4 * (prod(x) + prod(w) + prod(y))
    peak = 4 * (prod(x) + prod(w)) + held["peak"]
    print(f"{name}: {peak / tensors:.2f} of the tensors' {tensors / 1e6:.1f} MB")
    library.tenon_output_release(model, ctypes.byref(output))
    library.tenon_model_destroy(model)
    assert not blocks, "memory that was not given back"
    assert peak < LARGER.get(name, 2) * tensors, f"{peak} bytes at most, for tensors of {tensors}"
