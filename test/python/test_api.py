"""The Python interface: interfaces of models, arrays in and out, errors."""
import threading

import numpy as np
import pytest
import small_models
from onnx import TensorProto, helper

pytestmark = pytest.mark.executes


def test_interface(tn):
    model = tn.compile(small_models.add())
    assert model.inputs == (tn.Value("x", ("N", 4), "float32"),)
    assert model.outputs == (tn.Value("y", ("N", 4), "float32"),)
    assert "x: float32[N, 4]" in repr(model)


def test_path_bytes_and_proto_agree(tn, tmp_path):
    proto = small_models.add()
    path = tmp_path / "add.onnx"
    path.write_bytes(proto.SerializeToString())
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    for model in (path, str(path), proto.SerializeToString(), proto):
        np.testing.assert_array_equal(tn.compile(model)(x), x + 1)


def test_call_by_name_and_run(tn):
    model, reference = small_models.mlp()
    compiled = tn.compile(model)
    x = np.random.default_rng(1).standard_normal((5, 16)).astype(np.float32)
    for result in (compiled(x), compiled(x=x), compiled.run({"x": x})["y"]):
        np.testing.assert_allclose(result, reference(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 64, 129])
def test_open_dims(tn, rows):
    model, reference = small_models.mlp()
    x = np.random.default_rng(rows).standard_normal((rows, 16)).astype(np.float32)
    np.testing.assert_allclose(tn.compile(model)(x), reference(x), rtol=1e-3, atol=1e-4)


def test_fixed_shapes(tn):
    model = tn.compile(small_models.add(), shapes={"x": [3, 4]})
    assert model.inputs[0].shape == (3, 4)
    with pytest.raises(tn.InvalidArgument, match=r"expected input x: float32\[3, 4\], but got shape \[2, 4\]"):
        model(np.zeros((2, 4), np.float32))


def test_out(tn):
    model = tn.compile(small_models.add())
    x, y = np.zeros((2, 4), np.float32), np.full((2, 4), 9, np.float32)
    assert model(x, out=y) is y
    assert (y == 1).all()
    with pytest.raises(tn.Error, match="out|memory|bytes"):
        model(x, out=np.zeros((1, 4), np.float32))
    with pytest.raises(tn.InvalidArgument, match="contiguous"):
        model(x, out=np.zeros((4, 2), np.float32).T)


def test_layouts(tn):
    """Whatever a layout or alignment, the result is that of the contiguous copy."""
    model = tn.compile(small_models.add())
    base = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    raw = np.zeros(base[:, :4].size * 4 + 1, np.uint8)
    misaligned = raw[1:].view(np.float32).reshape(4, 4)
    misaligned[:] = base[:, :4]
    readonly = base[:, :4].copy()
    readonly.flags.writeable = False
    for x in (base.T[:, ::1][:4], base[:, :4], base[::-1, ::-1][:, :4], readonly, np.asfortranarray(base[:, :4])):
        np.testing.assert_array_equal(model(x), x + 1)
    np.testing.assert_array_equal(model(misaligned.copy()), misaligned + 1)


class Foreign:
    """An array of another library: only DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack(tn):
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(tn.compile(small_models.add())(Foreign(x)), x + 1)
    np.testing.assert_array_equal(np.from_dlpack(tn.compile(small_models.add())(x)), x + 1)


def test_results_outlive_the_model(tn):
    model = tn.compile(small_models.add())
    y = model(np.ones((3, 4), np.float32))
    del model
    assert (y == 2).all()


def test_threads_may_share_a_model(tn):
    model, reference = small_models.mlp()
    compiled = tn.compile(model)
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal((rows, 16)).astype(np.float32) for rows in range(1, 9)]
    wrong = []

    def work(x):
        for _ in range(20):
            if not np.allclose(compiled(x), reference(x), 1e-3, 1e-4):
                wrong.append(x.shape)

    threads = [threading.Thread(target=work, args=(x,)) for x in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_thread_count_gives_the_same_bits(tn, threads):
    model, _ = small_models.mlp(sizes=(256, 512, 128))
    x = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    np.testing.assert_array_equal(tn.compile(model, threads=1)(x), tn.compile(model, threads=threads)(x))


@pytest.mark.parametrize("feed, message", [
    ((np.zeros((2, 4), np.float64),), "but got dtype float64"),
    ((np.zeros((2, 5), np.float32),), r"but got shape \[2, 5\]"),
    ((np.zeros(4, np.float32),), r"but got shape \[4\]"),
    ((), "input x: float32"),
    ((np.zeros((2, 4), np.float32),) * 2, "expected 1 inputs, but got 2"),
])
def test_wrong_inputs(tn, feed, message):
    with pytest.raises(tn.InvalidArgument, match=message):
        tn.compile(small_models.add())(*feed)


def test_unknown_name(tn):
    with pytest.raises(tn.InvalidArgument, match="no input named 'z'"):
        tn.compile(small_models.add()).run({"z": np.zeros((1, 4), np.float32)})


def test_symbols_must_agree(tn):
    model = small_models.make([helper.make_node("Add", ["a", "b"], ["y"])], {"a": ["N"], "b": ["N"]}, {"y": ["N"]})
    with pytest.raises(tn.InvalidArgument, match="N = 2"):
        tn.compile(model)(np.zeros(2, np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("arguments, error, message", [
    ({"model": "no-such-file.onnx"}, "FileError", "no file 'no-such-file.onnx'"),
    ({"model": 3}, "InvalidArgument", "expected a path, bytes or an onnx.ModelProto, but got int"),
    ({"model": b"", "precision": "fastest"}, "InvalidArgument", "precision"),
    ({"model": b"", "threads": 0}, "InvalidArgument", "threads"),
    ({"model": small_models.add(), "target": "pdp11"}, "Error", "pdp11"),
    ({"model": small_models.add(), "shapes": {"nope": [1]}}, "Error", "nope"),
    ({"model": b"not a model"}, "Error", "."),
])
def test_compile_errors(tn, arguments, error, message):
    with pytest.raises(getattr(tn, error), match=message):
        tn.compile(**arguments)


def test_unsupported_nodes_are_named(tn):
    model = small_models.make([helper.make_node("NoSuchOperator", ["x"], ["h"], name="first"),
                               helper.make_node("StringNormalizer", ["h"], ["y"], name="second")],
                              {"x": [1]}, {"y": [1]})
    with pytest.raises(tn.Error) as caught:
        tn.compile(model)
    assert "first" in str(caught.value) and "second" in str(caught.value)


def test_data_errors_name_the_node(tn):
    model = small_models.make([helper.make_node("Gather", ["x", "i"], ["y"], name="lookup")],
                              {"x": [4, 2], "i": (["K"], TensorProto.INT64)}, {"y": ["K", 2]})
    compiled = tn.compile(model)
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_array_equal(compiled(x, np.array([3, 0, -1])), x[[3, 0, -1]])
    for index in (4, -5, 2**40):
        with pytest.raises(tn.DataError, match="lookup"):
            compiled(x, np.array([0, index]))
    np.testing.assert_array_equal(compiled(x, np.array([1])), x[[1]])


def test_integer_division_by_zero(tn):
    kind = TensorProto.INT32
    model = small_models.make([helper.make_node("Div", ["a", "b"], ["y"], name="quotient")],
                              {"a": ([3], kind), "b": ([3], kind)}, {"y": ([3], kind)})
    compiled = tn.compile(model)
    with pytest.raises(tn.DataError, match="quotient"):
        compiled(np.ones(3, np.int32), np.array([1, 0, 1], np.int32))


def test_nan_and_infinity_pass_through(tn):
    x = np.array([[np.nan, np.inf, -np.inf, 0]], np.float32)
    np.testing.assert_array_equal(tn.compile(small_models.add())(x), x + 1)


def test_load(tn, tmp_path):
    path = tmp_path / "add.so"
    tn.compile(small_models.add(), output=path)
    x = np.zeros((1, 4), np.float32)
    np.testing.assert_array_equal(tn.load(path)(x), x + 1)
    with pytest.raises(tn.FileError, match="no file"):
        tn.load(tmp_path / "none.so")
    (tmp_path / "bad.so").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(tn.FileError):
        tn.load(tmp_path / "bad.so")


def test_profile_and_explain(tn):
    model, _ = small_models.mlp()
    compiled = tn.compile(model)
    rows = [row for row in compiled.profile(runs=3) if row["calls"]]  # without those that packed weights at load
    assert rows and all(row["calls"] == 1 and row["ms"] > 0 and 0 <= row["roofline"] for row in rows)
    assert sum(row["flops"] for row in rows) >= 2 * (16 * 32 + 32 * 8)
    assert len(compiled.explain()["kernels"]) >= 1


def test_progress_may_raise(tn, cache):
    def progress(stage, done, total):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        tn.compile(small_models.add(), progress=progress)


def test_onnx_backend(tn):
    import tenon.onnx_backend as backend

    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
    np.testing.assert_array_equal(backend.prepare(small_models.add()).run([x]).y, x + 1)
    node = helper.make_node("Mul", ["a", "b"], ["y"])
    np.testing.assert_array_equal(backend.run_node(node, [x, x], outputs_info=[(np.float32, x.shape)])[0], x * x)
