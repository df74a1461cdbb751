"""Small ONNX models that several tests use."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def make(nodes, inputs, outputs, initializers=(), opset=21):
    """inputs, outputs: {name: shape or (shape, type)}; initializers: {name: array}."""
    def values(entries):
        made = []
        for name, entry in entries.items():
            shape, kind = entry if isinstance(entry, tuple) else (entry, FLOAT)
            made.append(helper.make_tensor_value_info(name, kind, shape))
        return made

    graph = helper.make_graph(nodes, "test", values(inputs), values(outputs),
                              [numpy_helper.from_array(array, name) for name, array in dict(initializers).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def add(shape=("N", 4)):
    """y = x + 1 with an open dim."""
    return make([helper.make_node("Add", ["x", "one"], ["y"], name="add")], {"x": list(shape)}, {"y": list(shape)},
                {"one": np.ones(1, np.float32)})


def mlp(seed=0, sizes=(16, 32, 8)):
    """relu(x @ a) @ b with an open number of rows."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(sizes[:2]).astype(np.float32)
    b = rng.standard_normal(sizes[1:]).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
             helper.make_node("Relu", ["h"], ["r"], name="relu"),
             helper.make_node("MatMul", ["r", "b"], ["y"], name="second")]
    return make(nodes, {"x": ["N", sizes[0]]}, {"y": ["N", sizes[2]]}, {"a": a, "b": b}), \
        lambda x: np.maximum(x @ a, 0) @ b
