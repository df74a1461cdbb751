"""TopK of ONNX: what the node suite has no case for."""
import numpy as np
import onnx
import pytest

import tenon as tn


def make(dtype, largest=1):
    helper, kinds = onnx.helper, onnx.TensorProto
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], name="pick", axis=1, largest=largest)
    inputs = [helper.make_tensor_value_info("x", dtype, [2, "n"]), helper.make_tensor_value_info("k", kinds.INT64, [1])]
    outputs = [helper.make_tensor_value_info("v", dtype, None), helper.make_tensor_value_info("i", kinds.INT64, None)]
    graph = helper.make_graph([node], "g", inputs, outputs)
    return tn.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)]))


def test_unsigned_elements_beyond_the_signed_range():
    x = np.array([[1, 2**63 + 5, 7, 7], [0, 1, 2, 2**64 - 1]], np.uint64)
    values, indices = make(onnx.TensorProto.UINT64)(x, np.array([3]))
    assert values.tolist() == [[2**63 + 5, 7, 7], [2**64 - 1, 2, 1]] and indices.tolist() == [[1, 2, 3], [3, 2, 1]]
    values, indices = make(onnx.TensorProto.UINT64, largest=0)(x, np.array([2]))
    assert values.tolist() == [[1, 7], [0, 1]] and indices.tolist() == [[0, 2], [0, 1]]


def test_k_is_checked_at_run_time():
    model = make(onnx.TensorProto.FLOAT)
    with pytest.raises(tn.Error, match=r"node 'pick' \(TopK\): expected 'k' from 0 to the size along 'axis'"):
        model(np.zeros((2, 4), np.float32), np.array([5]))
