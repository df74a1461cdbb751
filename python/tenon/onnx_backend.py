"""The interface of `onnx.backend.base`: Tenon as an ONNX backend, so that the onnx package's own runner can test it.

    import tenon.onnx_backend as backend
    outputs = backend.prepare(model, "CPU").run(inputs)
"""
import numpy as np
from onnx import helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from . import errors
from .model import compile as _compile


class TenonBackendRep(BackendRep):
    """A compiled model."""

    def __init__(self, model):
        self.model = model

    def run(self, inputs, **kwargs):
        """Inputs: a list in the order of the model's inputs, one array, or {name: array}."""
        if isinstance(inputs, dict):
            results = self.model.run(inputs)
        else:
            inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
            results = self.model.run({value.name: np.asarray(array)
                                      for value, array in zip(self.model.inputs, inputs, strict=True)})
        names = [value.name for value in self.model.outputs]
        return namedtupledict("Outputs", names)(*(results[name] for name in names))


class TenonBackend(Backend):
    """Compiles ONNX models for the host."""

    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        if not cls.supports_device(device):
            return False
        try:
            _compile(model)
            return True
        except errors.Unsupported:
            return False

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        if not cls.supports_device(device):
            raise errors.InvalidArgument(f"expected device 'CPU', but got {device!r}")
        super().prepare(model, device)  # the checker of the onnx package
        return TenonBackendRep(_compile(model, **kwargs))

    @classmethod
    def run_model(cls, model, inputs, device="CPU", **kwargs):
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node, inputs, device="CPU", outputs_info=None, **kwargs):
        super().run_node(node, inputs, device, outputs_info)
        arrays = [np.asarray(array) for array in inputs]
        names = [name for name in node.input if name]
        given = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                 for name, array in zip(names, arrays, strict=True)]
        if outputs_info is None:
            raise errors.InvalidArgument("run_node needs outputs_info: (dtype, shape) of each output")
        made = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
                for name, (dtype, shape) in zip(node.output, outputs_info, strict=True)]
        opset = [helper.make_opsetid("", kwargs.pop("opset_version", 21))]
        model = helper.make_model(helper.make_graph([node], "node", given, made), opset_imports=opset)
        return cls.run_model(model, arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device):
        return device.split(":")[0] == "CPU"


is_compatible = TenonBackend.is_compatible
prepare = TenonBackend.prepare
run_model = TenonBackend.run_model
run_node = TenonBackend.run_node
supports_device = TenonBackend.supports_device
