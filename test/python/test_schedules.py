"""Schedules that the user gives: obeyed, or refused by a message that names kernel, node and schedule."""
import re

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.executes


def model():
    """A matmul with a weight and bias, and a softmax of its result."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.integers(-2, 3, (40, 96)).astype(np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"], name="layer/matmul"),
             helper.make_node("Softmax", ["p"], ["y"], name="layer/softmax", axis=-1)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [32, 40])],
                              [helper.make_tensor_value_info("p", TensorProto.FLOAT, [32, 96]),
                               helper.make_tensor_value_info("y", TensorProto.FLOAT, [32, 96])], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


X = np.random.default_rng(1).integers(-2, 3, (32, 40)).astype(np.float32)
GIVEN = ('#tenon.schedule<algorithm = "contract", parallel = [8, 0, 0], register = [2, 16, 1], vector_dim = 1, '
         'vector_width = 8, version = 1>')


def contraction(compiled):
    return next(kernel for kernel in compiled.explain()["kernels"] if kernel["algorithm"] == "contract")


def test_given_by_node_and_by_kernel(tn, cache):
    plain = tn.compile(model())
    name = contraction(plain)["name"]
    assert "layer/matmul" in contraction(plain)["nodes"]
    assert contraction(plain)["schedule"] != GIVEN
    expected, weights = plain(X)
    for key in ("layer/matmul", name):
        given = tn.compile(model(), schedules={key: GIVEN})
        assert contraction(given)["schedule"] == GIVEN
        result, softmax = given(X)
        assert np.array_equal(result, expected)
        assert np.allclose(softmax, weights, rtol=1e-5)
    assert tn.compile(model()).info["cached"] and tn.compile(model(), schedules={name: GIVEN}).info["cached"]
    assert contraction(tn.compile(model()))["schedule"] == contraction(plain)["schedule"]


@pytest.mark.parametrize("name, text, message", [
    ("layer/matmul", '#tenon.schedule<algorithm = "contract", register = [1, 16, 4], vector_dim = 1, vector_width = 16>',
     r"kernel 'k\d+\w*' cannot have the schedule that is given by the name 'layer/matmul', #tenon.schedule<.*register = \[1, 16, 4\].*>: "
     r"expected register tile 1 for reduction dim 2, but got 4"),
    ("layer/matmul", '#tenon.schedule<algorithm = "attention">',
     r"expected node 'layer/matmul' to be in one kernel with algorithm 'attention', .* but got 0 among k\d+\w* \(contract\).*: name a kernel"),
    ("layer/other", GIVEN, r"a schedule is given for 'layer/other', but no kernel or node has this name; kernels: k0.*; nodes: .*layer/softmax"),
    ("layer/matmul", '#tenon.schedule<algorithm = "contract", tile = 7>',
     r"the schedule given for 'layer/matmul' cannot be read: unknown field 'tile' of the schedule; it is \"#tenon.*tile = 7>\", and should be"),
    ("layer/matmul", '#tenon.schedule<algorithm = "contract", vector_width = 3>', r"cannot be read: expected 'vector_width' to be a power of two"),
    ("layer/matmul", "42 : i64", r"cannot be read: expected a #tenon.schedule; it is \"42 : i64\""),
    ("layer/matmul", "", r"the schedule given for 'layer/matmul' cannot be read")])
def test_refused(tn, cache, name, text, message):
    with pytest.raises(tn.Error, match=message):
        tn.compile(model(), schedules={name: text})


def test_other_types(tn):
    with pytest.raises(tn.InvalidArgument, match="expected schedules to be {name of a kernel or node: .*}, but got 'a': 3"):
        tn.compile(model(), schedules={"a": 3})
    with pytest.raises(tn.InvalidArgument, match="expected samples to be a number that is not negative, but got -1"):
        tn.schedule_spaces(model(), samples=-1)
    from tenon.model import extension

    with pytest.raises(tn.InvalidArgument, match="expected 'schedules' to be an object of strings"):
        extension().compile('{"schedules": {"a": 3}, "cache": false}', model(), None)


def test_spaces(tn, cache):
    spaces = tn.schedule_spaces(model(), best=4, samples=6, seed=2)
    plain = tn.compile(model())
    name = contraction(plain)["name"]
    space = spaces[name]
    assert space["used"]["schedule"] == contraction(plain)["schedule"] and space["used"]["held"]
    assert space["candidates"] > 100 and space["exact"]
    assert [axis["name"] for axis in space["axes"]][:3] == ["vector_dim", "vectors", "rows"]
    assert all(axis["used"] in axis["values"] for axis in space["axes"])
    costs = [candidate["cost"] for candidate in space["best"]]
    assert len(costs) == 4 and costs == sorted(costs)
    assert space["samples"] == tn.schedule_spaces(model(), best=4, samples=6, seed=2)[name]["samples"]
    assert len({candidate["schedule"] for candidate in space["samples"]}) == 6
    expected = plain(X)[0]
    for candidate in space["best"][:2] + space["samples"][:2]:
        assert np.array_equal(tn.compile(model(), schedules={name: candidate["schedule"]})(X)[0], expected)


def test_a_given_schedule_is_the_one_in_use(tn, cache):
    name = contraction(tn.compile(model()))["name"]
    narrow = next(s["schedule"] for s in tn.schedule_spaces(model(), samples=20)[name]["samples"])
    used = tn.schedule_spaces(model(), schedules={name: narrow})[name]["used"]
    assert used["schedule"] == narrow and used["held"]
    foreign = tn.schedule_spaces(model(), schedules={name: GIVEN.replace("[8, 0, 0]", "[9, 0, 0]")})[name]["used"]
    assert not foreign["held"] and foreign["cost"] is None


def test_kernels_of_the_second_round(tn, cache):
    """What packs a weight is made once the contraction has its schedule: its name is looked for again."""
    weight = numpy_helper.from_array(np.random.default_rng(0).integers(-2, 3, (512, 512)).astype(np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 512])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 512])], [weight])
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    plain = tn.compile(net)
    packing = next(kernel["name"] for kernel in plain.explain()["kernels"] if kernel["name"] not in tn.schedule_spaces(net))
    text = '#tenon.schedule<algorithm = "copy", vector_width = 8, version = 1>'
    given = tn.compile(net, schedules={packing: text})
    assert {kernel["name"]: kernel["schedule"] for kernel in given.explain()["kernels"]}[packing] == text
    x = np.random.default_rng(1).integers(-2, 3, (64, 512)).astype(np.float32)
    assert np.array_equal(given(x), plain(x))


@pytest.mark.parametrize("channels, size, taps, stride", [(19, (15, 33), 3, 1), (11, (13, 40), 3, 2), (9, (11, 21), 5, 1)])
def test_units_of_a_depthwise_convolution(tn, cache, channels, size, taps, stride):
    """Units that copy their channels at once or by turns, cut along lines and pixels besides, in loops of any order;
    sums of small integers are exact in any order of theirs."""
    rng = np.random.default_rng(2)
    weight = numpy_helper.from_array(rng.integers(-3, 4, (channels, 1, taps, taps)).astype(np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", group=channels, strides=[stride] * 2, pads=[taps // 2] * 4)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, *size])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [weight])
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    x = rng.integers(-3, 4, (1, channels, *size)).astype(np.float32)
    plain = tn.compile(source)
    kernel = [kernel for kernel in plain.explain()["kernels"] if kernel["algorithm"] == "contract"][-1]
    schedule, expected = kernel["schedule"], plain(x)
    behind = [0] * (len(re.search(r"register = \[(.*?)\]", schedule).group(1).split(",")) - 3)
    for parallel in ([4, 3, 16], [5, 0, 0], [0, 2, 0]):
        for loops, order in (([3, 0, 0], ""), ([2, 4, 0], "order = [1, 0], "), ([2, 0, 16], "order = [2, 0], "), ([0, 4, 0], "")):
            text = re.sub(r"parallel = \[.*?\]", f"parallel = {parallel + behind}", schedule)
            text = re.sub(r"cache = \[.*?\], ", f"cache = {loops + behind}, {order}", text)
            given = tn.compile(source, schedules={kernel["name"]: text})
            assert np.array_equal(given(x), expected), text
