#!/usr/bin/env python3
"""The nine light_* nets of the onnx package with real weights in place of their splat ones.

The package's nets make every weight with ConstantOfShape(0.02), so each has one constant output and tests nothing.
Here each such node becomes an initializer: convolution and Gemm weights are He-scaled normal numbers, biases small,
batch normalisations get plausible statistics. The seed is that of the net's name: every run gives the same bytes.

    tools/dev/light_models.py [DIRECTORY] [--list] [--only resnet50]     (default: build/models)
"""
import argparse
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
from onnx import numpy_helper

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(onnx.backend.test.__file__).parent / "data" / "light"
NAMES = sorted(path.stem for path in SOURCE.glob("light_*.onnx"))


def _role(graph, name):
    """What a weight is for: (operator, position among its operands), seen through reshaping nodes."""
    for node in graph.node:
        for position, operand in enumerate(node.input):
            if operand == name:
                if node.op_type in ("Unsqueeze", "Reshape") and position == 0:
                    return _role(graph, node.output[0])
                return node.op_type, position
    return "unused", 0


def _values(rng, shape, role, residual):
    op, position = role
    normal = lambda scale: (rng.standard_normal(shape) * scale).astype(np.float32)
    if op == "Conv" and position == 1:
        return normal(np.sqrt(2.0 / np.prod(shape[1:])))
    if op in ("Gemm", "MatMul") and position == 1:
        return normal(np.sqrt(1.0 / max(shape)))
    if op == "BatchNormalization":  # scale, bias, mean, variance
        if position == 1 and residual:  # a residual branch adds its variance: keep it small
            return rng.uniform(0.3, 0.9, shape).astype(np.float32)
        if position in (1, 4):
            return rng.uniform(0.5, 1.5, shape).astype(np.float32)
        return normal(0.1)
    if op == "Mul":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return normal(0.05)


def make(name, logits=False):
    """The net `name` ("light_resnet50" or "resnet50") with random weights, as an onnx.ModelProto.

    With `logits`, what a final softmax reads is a second output: a saturated softmax would hide differences.
    """
    name = name if name.startswith("light_") else f"light_{name}"
    if name not in NAMES:
        raise ValueError(f"no net named {name!r}; there are: {', '.join(NAMES)}")
    model = onnx.load(SOURCE / f"{name}.onnx")
    graph = model.graph
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    residual = any(node.op_type == "Sum" for node in graph.node)
    kept, weights = [], []
    for node in graph.node:
        if node.op_type != "ConstantOfShape" or node.input[0] not in shapes:
            kept.append(node)
            continue
        shape = tuple(int(dim) for dim in shapes[node.input[0]])
        value = _values(rng, shape, _role(graph, node.output[0]), residual)
        weights.append(numpy_helper.from_array(value, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    used = {operand for node in kept for operand in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers + weights)
    constant = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name in used and value.name not in constant]
    del graph.input[:]
    graph.input.extend(inputs)
    if logits and graph.node[-1].op_type == "Softmax":
        graph.output.append(onnx.helper.make_empty_tensor_value_info(graph.node[-1].input[0]))
        graph.output[-1].type.CopyFrom(graph.output[0].type)
    model.ir_version = max(model.ir_version, 4)
    onnx.checker.check_model(model)
    return model


def path(name, directory=None):
    """The file of a net, written on first use."""
    name = name if name.startswith("light_") else f"light_{name}"
    directory = Path(directory or ROOT / "build" / "models")
    file = directory / f"{name}.onnx"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        onnx.save(make(name), temporary)
        temporary.rename(file)
    return file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", help="where to write (default: build/models)")
    parser.add_argument("--only", help="one net")
    parser.add_argument("--list", action="store_true", help="list the nets")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else NAMES
    for name in names:
        print(name if arguments.list else path(name, arguments.directory), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
