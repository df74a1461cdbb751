"""Measuring models beside other runtimes: `worker` is the process of one runtime, `measure` lets several take turns, `plot`
draws the result; `jax_peer` and `iree_peer` make ONNX models run where a runtime does not read them itself.

Nothing here is imported by `import tenon`.
"""
