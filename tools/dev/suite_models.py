#!/usr/bin/env python3
"""The problems of `make bench`: models in build/models/suites, and the lists cpu.json and unseen.json beside them.

    tools/dev/suite_models.py [DIRECTORY] [--only REGEX] [--list]     (default: build/models/suites)

Every problem is an ONNX model with seeded random weights; a list has, per row, its name, its kind (compute, structural,
memory, model) and its model. Where a runtime has no such operator, `variants` names a model of the same meaning for it, and
`inputs` the arrays of each; a `note` says what to think of when reading the row.
Nobody tunes to the problems of unseen.json.
"""
import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "dev"))
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT / "python"))


class Graph:
    """Builds a model node by node; weights are drawn from a seed of the model's name."""

    def __init__(self, name, opset=22):
        self.name, self.opset = name, opset
        self.rng = np.random.default_rng(list(name.encode()))
        self.nodes, self.inputs, self.weights = [], [], []

    def input(self, name, *shape):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def weight(self, *shape, scale=None):
        scale = (1 / np.sqrt(max(np.prod(shape[1:]), 1))) if scale is None else scale
        return self.constant((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, array):
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.weights.append(numpy_helper.from_array(array, f"w{len(self.weights)}"))
        return self.weights[-1].name

    def __getattr__(self, op):
        def node(*inputs, outputs=1, **attributes):
            names = [f"{op}_{len(self.nodes)}_{i}" for i in range(outputs)]
            self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
            return names[0] if outputs == 1 else names
        return node

    def save(self, folder, *results, suffix=""):
        graph = helper.make_graph(self.nodes, self.name, self.inputs,
                                  [helper.make_tensor_value_info(r, TensorProto.FLOAT, None) for r in results], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        model = onnx.shape_inference.infer_shapes(model)
        path = folder / f"{self.name}{suffix}.onnx"
        onnx.save(model, path)
        return path.name


# -- kernels ----------------------------------------------------------------------------------------------------------
def matmul(folder, name, m, n, k):
    g = Graph(name)
    return g.save(folder, g.MatMul(g.input("x", m, k), g.weight(k, n)))


def batched(folder, name, b, m, n, k):
    g = Graph(name)
    return g.save(folder, g.MatMul(g.input("x", b, m, k), g.input("y", b, k, n)))


def gelu(g, x):
    half = g.Mul(x, g.constant(0.5))
    return g.Mul(half, g.Add(g.Erf(g.Mul(x, g.constant(np.sqrt(0.5)))), g.constant(1.0)))


def linear(g, x, inner, outer):
    return g.Add(g.MatMul(x, g.weight(inner, outer)), g.weight(outer, scale=0.1))


def mlp(folder, name, m, d, f):
    g = Graph(name)
    return g.save(folder, linear(g, gelu(g, linear(g, g.input("x", m, d), d, f)), f, d))


def spelled(g, q, k, v, heads, groups, queries, keys, depth, mask):
    if groups != heads:
        shape = g.constant(np.array([1, heads, keys, depth], np.int64))
        k, v = (g.Reshape(g.Expand(g.Unsqueeze(x, g.constant(np.array([2]))), g.constant(np.array([1, groups, heads // groups, keys, depth]))),
                          shape) for x in (k, v))
    s = g.Mul(g.MatMul(q, g.Transpose(k, perm=[0, 1, 3, 2])), g.constant(1 / np.sqrt(depth)))
    if mask is not None:
        s = g.Add(s, g.constant(np.where(mask, 0, -1e30)))
    return g.MatMul(g.Softmax(s, axis=-1), v)


def attention(folder, name, heads, queries, keys, depth, groups=None, causal=False, window=None):
    """The operator Attention; for runtimes without it, products and a softmax."""
    groups = groups or heads
    i, j = np.arange(queries)[:, None], np.arange(keys)[None]
    mask = None if not causal else (j <= i) if window is None else (j <= i) & (j > i - window)
    files = []
    for suffix in ("", ".spelled"):
        g = Graph(name, 22 if suffix else 24 if window is None else 26)
        q, k, v = g.input("q", 1, heads, queries, depth), g.input("k", 1, groups, keys, depth), g.input("v", 1, groups, keys, depth)
        if not suffix:
            y = g.Attention(q, k, v, is_causal=int(causal), **({} if window is None else {"left_window_size": window - 1}))
        else:
            y = spelled(g, q, k, v, heads, groups, queries, keys, depth, mask)
        files.append(g.save(folder, y, suffix=suffix))
    return files[0], {"openvino": files[1], "onnxruntime": files[1], "iree": files[1]}


def paged_decode(folder, name, batch, heads, groups, keys, depth, page):
    """A token of each sequence over a cache of pages that lie in any order: a Program, since ONNX has no word for pages.

    Other runtimes have none either: theirs is the contiguous equivalent, products of each group's heads with its keys.
    """
    import tenon as tn
    from tenon.bench.worker import save_inputs

    rng = np.random.default_rng(list(name.encode()))
    pages = keys // page
    q = rng.standard_normal((batch, heads, 1, depth)).astype(np.float32)
    stored = [rng.standard_normal((batch * pages, groups, page, depth)).astype(np.float32) for _ in range(2)]
    table = rng.permutation(batch * pages).reshape(batch, pages).astype(np.int32)

    @tn.jit
    def decode(q, key_pages, value_pages, table, lengths):
        return tn.attention(q, key_pages, value_pages, pages=table, lengths=lengths)

    arrays = {"q": q, "key_pages": stored[0], "value_pages": stored[1], "table": table, "lengths": np.full(batch, keys, np.int32)}
    (folder / f"{name}.mlir").write_text(decode.lower(**arrays))
    save_inputs(folder / f"{name}.npz", arrays)

    g = Graph(name)
    q_, k, v = g.input("q", batch, heads, 1, depth), g.input("k", batch, groups, keys, depth), g.input("v", batch, groups, keys, depth)
    s = g.MatMul(g.Reshape(q_, g.constant(np.array([batch, groups, heads // groups, depth]))), g.Transpose(k, perm=[0, 1, 3, 2]))
    y = g.MatMul(g.Softmax(g.Mul(s, g.constant(1 / np.sqrt(depth))), axis=-1), v)
    contiguous = g.save(folder, g.Reshape(y, g.constant(np.array([batch, heads, 1, depth]))), suffix=".contiguous")
    k, v = (x[table].transpose(0, 2, 1, 3, 4).reshape(batch, groups, keys, depth) for x in stored)
    save_inputs(folder / f"{name}.contiguous.npz", {"q": q, "k": k, "v": v})
    peers = ("onnxruntime", "openvino", "jax", "iree")
    return (f"{name}.mlir", dict.fromkeys(peers, contiguous), {"tenon": f"{name}.npz", **dict.fromkeys(peers, f"{name}.contiguous.npz")},
            f"keys and values lie in pages of {page}; the other runtimes have no such operator and read them as contiguous arrays")


def norm(folder, name, rows, width, rms=False):
    g = Graph(name, 23)
    x, scale = g.input("x", rows, width), g.weight(width, scale=1.0)
    y = g.RMSNormalization(x, scale, axis=-1) if rms else g.LayerNormalization(x, scale, g.weight(width, scale=0.1), axis=-1)
    if not rms:
        return g.save(folder, y)
    main = g.save(folder, y)
    g = Graph(name)
    x, scale = g.input("x", rows, width), g.weight(width, scale=1.0)
    mean = g.ReduceMean(g.Mul(x, x), g.constant(np.array([-1])), keepdims=1)
    spelled_out = g.save(folder, g.Mul(g.Div(x, g.Sqrt(g.Add(mean, g.constant(1e-5)))), scale), suffix=".spelled")
    return main, {"openvino": spelled_out, "iree": spelled_out}


def softmax(folder, name, rows, width):
    g = Graph(name)
    return g.save(folder, g.Softmax(g.input("x", rows, width), axis=-1))


def conv(folder, name, channels, filters, sizes, kernel, stride=1, dilation=1, groups=1, transposed=False, relu=False):
    g = Graph(name)
    x = g.input("x", 1, channels, *sizes)
    n = len(sizes)
    pad = (kernel - 1) * dilation // 2 if not transposed else (kernel - stride) // 2
    attributes = dict(kernel_shape=[kernel] * n, strides=[stride] * n, pads=[pad] * (2 * n), dilations=[dilation] * n, group=groups)
    if transposed:
        y = g.ConvTranspose(x, g.weight(channels, filters, *[kernel] * n), **attributes)
    else:
        y = g.Conv(x, g.weight(filters, channels // groups, *[kernel] * n), g.weight(filters, scale=0.1), **attributes)
    return g.save(folder, g.Relu(y) if relu else y)


def lstm(folder, name, hidden, steps, inputs):
    g = Graph(name)
    y = g.LSTM(g.input("x", steps, 1, inputs), g.weight(1, 4 * hidden, inputs, scale=0.05), g.weight(1, 4 * hidden, hidden, scale=0.05),
               g.weight(1, 8 * hidden, scale=0.05), hidden_size=hidden)
    return g.save(folder, y)


# -- models -----------------------------------------------------------------------------------------------------------
def layer_norm(g, x, width, epsilon=1e-6):
    return g.LayerNormalization(x, g.weight(width, scale=1.0), g.weight(width, scale=0.1), axis=-1, epsilon=epsilon)


def self_attention(g, x, count, width, heads):
    split = g.constant(np.array([1, count, heads, width // heads]))
    q, k, v = (g.Transpose(g.Reshape(linear(g, x, width, width), split), perm=perm)
               for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    s = g.Div(g.MatMul(q, k), g.constant(np.sqrt(width // heads)))
    y = g.Transpose(g.MatMul(g.Softmax(s, axis=-1), v), perm=[0, 2, 1, 3])
    return linear(g, g.Reshape(y, g.constant(np.array([1, count, width]))), width, width)


def vit_tiny(folder, name):
    g = Graph(name)
    x = g.Conv(g.input("x", 1, 3, 224, 224), g.weight(192, 3, 16, 16), g.weight(192, scale=0.1), kernel_shape=[16, 16], strides=[16, 16])
    x = g.Transpose(g.Reshape(x, g.constant(np.array([1, 192, 196]))), perm=[0, 2, 1])
    x = g.Add(g.Concat(g.weight(1, 1, 192, scale=1.0), x, axis=1), g.weight(1, 197, 192, scale=0.1))
    for _ in range(12):
        x = g.Add(x, self_attention(g, layer_norm(g, x, 192), 197, 192, 3))
        x = g.Add(x, linear(g, gelu(g, linear(g, layer_norm(g, x, 192), 192, 768)), 768, 192))
    x = g.Gather(layer_norm(g, x, 192), g.constant(np.array(0)), axis=1)
    return g.save(folder, linear(g, x, 192, 1000))


def convnext_tiny(folder, name):
    g = Graph(name)
    x, before = g.input("x", 1, 3, 224, 224), 3
    for stage, (width, blocks) in enumerate(((96, 3), (192, 3), (384, 9), (768, 3))):
        size = 4 if stage == 0 else 2
        if stage:
            x = g.Transpose(layer_norm(g, g.Transpose(x, perm=[0, 2, 3, 1]), before), perm=[0, 3, 1, 2])
        x = g.Conv(x, g.weight(width, before, size, size), g.weight(width, scale=0.1), kernel_shape=[size, size], strides=[size, size])
        if stage == 0:
            x = g.Transpose(layer_norm(g, g.Transpose(x, perm=[0, 2, 3, 1]), width), perm=[0, 3, 1, 2])
        for _ in range(blocks):
            y = g.Conv(x, g.weight(width, 1, 7, 7), g.weight(width, scale=0.1), kernel_shape=[7, 7], pads=[3] * 4, group=width)
            y = layer_norm(g, g.Transpose(y, perm=[0, 2, 3, 1]), width)
            y = g.Mul(linear(g, gelu(g, linear(g, y, width, 4 * width)), 4 * width, width), g.weight(width, scale=0.1))
            x = g.Add(x, g.Transpose(y, perm=[0, 3, 1, 2]))
        before = width
    x = layer_norm(g, g.ReduceMean(x, g.constant(np.array([2, 3])), keepdims=0), 768)
    return g.save(folder, linear(g, x, 768, 1000))


def minilm(folder, name):
    """The real weights; inputs are embedded tokens, so that both sides time the encoder."""
    import minilm as example

    weights = example.read_safetensors(example.model_directory() / "model.safetensors")
    g = Graph(name)
    w = lambda key: g.constant(np.array(weights[key]))  # noqa: E731
    dense = lambda x, key: g.Add(g.MatMul(x, g.constant(np.ascontiguousarray(weights[f"{key}.weight"].T))), w(f"{key}.bias"))  # noqa: E731
    normed = lambda x, key: g.LayerNormalization(x, w(f"{key}.weight"), w(f"{key}.bias"), axis=-1, epsilon=1e-12)  # noqa: E731
    x = normed(g.input("x", 1, 128, 384), "embeddings.LayerNorm")
    for layer in range(6):
        part = f"encoder.layer.{layer}"
        split = g.constant(np.array([1, 128, 12, 32]))
        q, k, v = (g.Transpose(g.Reshape(dense(x, f"{part}.attention.self.{n}"), split), perm=perm)
                   for n, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])))
        y = g.MatMul(g.Softmax(g.Div(g.MatMul(q, k), g.constant(np.sqrt(32.0))), axis=-1), v)
        y = g.Reshape(g.Transpose(y, perm=[0, 2, 1, 3]), g.constant(np.array([1, 128, 384])))
        x = normed(g.Add(x, dense(y, f"{part}.attention.output.dense")), f"{part}.attention.output.LayerNorm")
        x = normed(g.Add(x, dense(gelu(g, dense(x, f"{part}.intermediate.dense")), f"{part}.output.dense")), f"{part}.output.LayerNorm")
    return g.save(folder, x)


def light(folder, name):
    import light_models

    onnx.save(light_models.make(name), folder / f"{name}.onnx")
    return f"{name}.onnx"


def packaged(package, file):
    def find(folder, name):
        import importlib.util

        spec = importlib.util.find_spec(package)
        if spec is None:
            raise FileNotFoundError(f"the package {package} is not installed: run 'make setup'")
        matches = sorted(Path(spec.submodule_search_locations[0]).rglob(file))
        return str(matches[0])
    return find


# -- lists ------------------------------------------------------------------------------------------------------------
C, S, M, N = "compute", "structural", "memory", "model"
CPU = [
    ("matmul_1024", C, matmul, (1024, 1024, 1024)), ("matmul_2048", C, matmul, (2048, 2048, 2048)), ("matmul_1000", C, matmul, (1000, 1000, 1000)),
    ("matmul_127x1001x1003", C, matmul, (127, 1001, 1003)), ("matmul_128x4096x1024", C, matmul, (128, 4096, 1024)),
    ("matmul_1x4096x4096", M, matmul, (1, 4096, 4096)), ("matmul_4x4096x4096", M, matmul, (4, 4096, 4096)),
    ("batched_12x128x128x64", C, batched, (12, 128, 128, 64)), ("mlp_128x768x3072", C, mlp, (128, 768, 3072)),
    ("attention_8x1024x64", C, attention, (8, 1024, 1024, 64)), ("attention_causal", S, attention, (8, 1024, 1024, 64, None, True)),
    ("attention_window_256", S, attention, (8, 1024, 1024, 64, None, True, 256)), ("attention_gqa_32_8", C, attention, (32, 512, 512, 128, 8)),
    ("attention_decode", S, attention, (32, 1, 4096, 128)), ("paged_decode_batch4", S, paged_decode, (4, 32, 8, 2048, 128, 16)),
    ("layer_norm_512x4096", S, norm, (512, 4096)), ("rms_norm_512x4096", S, norm, (512, 4096, True)), ("softmax_4096", S, softmax, (4096, 4096)),
    ("conv3x3_64_56", C, conv, (64, 64, (56, 56), 3)), ("conv3x3_512_7", C, conv, (512, 512, (7, 7), 3)),
    ("conv1x1_256_1024_14", C, conv, (256, 1024, (14, 14), 1)), ("conv1x1_64_256_56", C, conv, (64, 256, (56, 56), 1)),
    ("conv7x7_2_3_64_224", C, conv, (3, 64, (224, 224), 7, 2)), ("depthwise3x3_384_28", S, conv, (384, 384, (28, 28), 3, 1, 1, 384)),
    ("depthwise7x7_192_56", S, conv, (192, 192, (56, 56), 7, 1, 1, 192)), ("depthwise31x31_256_28", S, conv, (256, 256, (28, 28), 31, 1, 1, 256)),
    ("conv5x5_dilated_96_56", C, conv, (96, 96, (56, 56), 5, 1, 2)), ("conv1d_80_512_3000", C, conv, (80, 512, (3000,), 3)),
    ("conv3d_32_16x56x56", C, conv, (32, 32, (16, 56, 56), 3)), ("transposed4x4_2_128_28", C, conv, (128, 128, (28, 28), 4, 2, 1, 1, True)),
    ("lstm_512x128", M, lstm, (512, 128, 512)),
    *[(name, N, light, ()) for name in ("light_resnet50", "light_densenet121", "light_squeezenet", "light_shufflenet", "light_inception_v1", "light_vgg19")],
    ("minilm_128", N, minilm, ()), ("vit_tiny", N, vit_tiny, ()), ("convnext_tiny", N, convnext_tiny, ()),
    ("ocr_detection", N, packaged("rapidocr_onnxruntime", "ch_PP-OCRv4_det_infer.onnx"), (), {"x": [1, 3, 640, 640]}),
    ("ocr_recognition", N, packaged("rapidocr_onnxruntime", "ch_PP-OCRv4_rec_infer.onnx"), (), {"x": [1, 3, 48, 320]}),
    ("ocr_classifier", N, packaged("rapidocr_onnxruntime", "ch_ppocr_mobile_v2.0_cls_infer.onnx"), (), {"x": [1, 3, 48, 192]}),
    ("silero_vad", N, packaged("silero_vad", "silero_vad_openvino_16k.onnx"), ()),
]
UNSEEN = [
    ("u_matmul_768x3072x768", C, matmul, (768, 3072, 768)), ("u_matmul_333x777x555", C, matmul, (333, 777, 555)),
    ("u_matmul_197x576x192", C, matmul, (197, 576, 192)), ("u_matmul_64x11008x4096", C, matmul, (64, 11008, 4096)),
    ("u_matmul_17x2050x1030", C, matmul, (17, 2050, 1030)), ("u_matmul_1x2560x6912", M, matmul, (1, 2560, 6912)),
    ("u_matmul_3x3000x3000", M, matmul, (3, 3000, 3000)), ("u_batched_32x77x77x48", C, batched, (32, 77, 77, 48)),
    ("u_mlp_197x192x768", C, mlp, (197, 192, 768)), ("u_attention_12x384x64", C, attention, (12, 384, 384, 64)),
    ("u_attention_6x777x80", C, attention, (6, 777, 777, 80)), ("u_attention_causal_16x640x96", S, attention, (16, 640, 640, 96, None, True)),
    ("u_attention_window_100", S, attention, (4, 1500, 1500, 64, None, True, 100)), ("u_attention_decode_gqa", S, attention, (24, 1, 3000, 64, 8)),
    ("u_layer_norm_197x768", S, norm, (197, 768)), ("u_rms_norm_33x2560", S, norm, (33, 2560, True)), ("u_softmax_1000x777", S, softmax, (1000, 777)),
    ("u_conv3x3_48_40", C, conv, (48, 48, (40, 40), 3)), ("u_conv3x3_2_128_256_28", C, conv, (128, 256, (28, 28), 3, 2)),
    ("u_conv1x1_192_48_35", C, conv, (192, 48, (35, 35), 1)), ("u_conv5x5_24_64_31", C, conv, (24, 64, (31, 31), 5)),
    ("u_conv11x11_4_3_64", C, conv, (3, 64, (224, 224), 11, 4)), ("u_depthwise5x5_240_28", S, conv, (240, 240, (28, 28), 5, 1, 1, 240)),
    ("u_depthwise3x3_2_96_112", S, conv, (96, 96, (112, 112), 3, 2, 1, 96)), ("u_grouped3x3_256_28_g32", C, conv, (256, 256, (28, 28), 3, 1, 1, 32)),
    ("u_conv1d_256_1000_k9", C, conv, (256, 256, (1000,), 9)), ("u_conv3d_16_8x40x40", C, conv, (16, 48, (8, 40, 40), 3)),
    ("u_transposed2x2_2_256_28", C, conv, (256, 128, (28, 28), 2, 2, 1, 1, True)), ("u_lstm_256x60", M, lstm, (256, 60, 128)),
    ("u_zfnet512", N, light, ()),
]


def build(rows, folder, only, progress):
    entries = []
    for number, (name, kind, make, arguments, *shapes) in enumerate(rows):
        if not re.search(only, name):
            continue
        progress(name, number, len(rows))
        made = make(folder, name.replace("u_zfnet512", "light_zfnet512"), *arguments)
        model, *more = made if isinstance(made, tuple) else (made,)
        entries.append({"name": name, "kind": kind, "model": model, **dict(zip(("variants", "inputs", "note"), more)),
                        **({"shapes": shapes[0]} if shapes else {})})
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "build" / "models" / "suites")
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    options = parser.parse_args()
    if options.list:
        for suite, rows in (("cpu", CPU), ("unseen", UNSEEN)):
            for name, kind, *_ in rows:
                print(f"{suite:7} {kind:11} {name}")
        return
    options.directory.mkdir(parents=True, exist_ok=True)

    def progress(name, done, total):
        if sys.stderr.isatty():
            print(f"\r\033[K{done + 1}/{total} {name}", end="", file=sys.stderr, flush=True)

    for suite, rows in (("cpu", CPU), ("unseen", UNSEEN)):
        entries = build(rows, options.directory, options.only, progress)
        (options.directory / f"{suite}.json").write_text(json.dumps(entries, indent=1) + "\n")
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
