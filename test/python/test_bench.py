"""`tenon bench`: peers that read ONNX through a converter, suites with inputs and variants, pictures."""
import importlib.util
import json
import os
import pty
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_models
import suite_models
from onnx import helper

from tenon.bench import jax_peer, measure, plot
from tenon.bench.worker import save_inputs

PEERS = [name for name, module in (("onnxruntime", "onnxruntime"), ("openvino", "openvino"), ("jax", "jax"), ("iree", "iree"))
         if importlib.util.find_spec(module)]
FAST = dict(rounds=1, seconds=0.05)
C, A, N = suite_models.conv, suite_models.attention, suite_models.norm
SMALL = {
    "matmul": (suite_models.matmul, (9, 10, 11)), "batched": (suite_models.batched, (3, 4, 5, 6)), "mlp": (suite_models.mlp, (5, 8, 12)),
    "attention": (A, (4, 7, 9, 8)), "causal": (A, (4, 12, 12, 8, 2, True)), "window": (A, (2, 12, 12, 8, None, True, 3)),
    "layer_norm": (N, (5, 12)), "rms_norm": (N, (5, 12, True)), "softmax": (suite_models.softmax, (5, 12)),
    "conv": (C, (4, 6, (9, 8), 3, 2, 1, 2, False, True)), "conv1d": (C, (4, 6, (17,), 5, 1, 2)), "conv3d": (C, (2, 3, (4, 5, 6), 3)),
    "transposed": (C, (4, 6, (5, 6), 4, 2, 1, 1, True)), "lstm": (suite_models.lstm, (6, 5, 7)),
}


def opset(number, nodes, inputs, constants=()):
    return small_models.make(nodes, inputs, {"y": None}, constants, opset=number)


FORMS = {  # what the nets of the suite hold, each beside its neighbours
    "pool": opset(11, [helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
                       helper.make_node("AveragePool", ["a"], ["b"], kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
                       helper.make_node("AveragePool", ["b"], ["c"], kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1),
                       helper.make_node("LRN", ["c"], ["d"], size=3), helper.make_node("GlobalAveragePool", ["d"], ["y"])], {"x": [1, 4, 10, 9]}),
    "old": opset(9, [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w", "b"], ["g"], transB=1, alpha=0.5),
                     helper.make_node("Unsqueeze", ["g"], ["u"], axes=[2]), helper.make_node("Clip", ["u"], ["c"], min=-1.0, max=1.0),
                     helper.make_node("Softmax", ["c"], ["y"])], {"x": [2, 3, 4]},
                 {"w": np.linspace(-1, 1, 60, dtype=np.float32).reshape(5, 12), "b": np.arange(5, dtype=np.float32)}),
    "same": opset(13, [helper.make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3])], {"x": [1, 2, 7, 8]},
                  {"w": np.linspace(-1, 1, 36, dtype=np.float32).reshape(2, 2, 3, 3)}),
    "sizes": opset(13, [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Slice", ["s", "one", "two"], ["n"]),
                        helper.make_node("Concat", ["n", "rest"], ["to"], axis=0), helper.make_node("Reshape", ["x", "to"], ["r"]),
                        helper.make_node("Slice", ["r", "last", "before", "axis", "back"], ["z"]), helper.make_node("Gather", ["z", "pick"], ["p"], axis=1),
                        helper.make_node("HardSigmoid", ["p"], ["h"], alpha=0.25), helper.make_node("Pad", ["h", "pads"], ["y"], mode="reflect")],
                   {"x": [3, 4]}, {"one": np.array([1]), "two": np.array([2]), "rest": np.array([-1]), "last": np.array([-1]), "before": np.array([-100]),
                                   "axis": np.array([0]), "back": np.array([-1]), "pick": np.array([2, -1, 0]), "pads": np.array([1, 0, 0, 1])}),
    "resize": opset(13, [helper.make_node("Resize", ["x", "", "scales"], ["r"], mode="nearest"), helper.make_node("ReduceMean", ["r"], ["y"], axes=[3])],
                    {"x": [1, 2, 3, 4]}, {"scales": np.array([1, 1, 2, 3], np.float32)}),
    "both_ways": opset(14, [helper.make_node("LSTM", ["x", "w", "r"], ["a", "y"], hidden_size=3, direction="bidirectional")], {"x": [5, 2, 4]},
                       {"w": np.linspace(-1, 1, 96, dtype=np.float32).reshape(2, 12, 4), "r": np.linspace(1, -1, 72, dtype=np.float32).reshape(2, 12, 3)}),
}


@pytest.fixture
def bench(tmp_path, subprocess_environment):
    subprocess_environment["TENON_CACHE_DIR"] = str(tmp_path / "cache")

    def call(*arguments, code=0):
        run = subprocess.run([sys.executable, "-m", "tenon", "bench", *map(str, arguments)], env=subprocess_environment, cwd=tmp_path,
                             capture_output=True, text=True)
        assert run.returncode == code, f"{run.stdout}\n{run.stderr}"
        assert "Traceback" not in run.stderr
        return run

    return call


@pytest.mark.parametrize("name", [*SMALL, *FORMS])
def test_jax_functions_mean_what_onnx_says(tn, tmp_path, name):
    jax = pytest.importorskip("jax")
    if name in SMALL:
        make, arguments = SMALL[name]
        made = make(tmp_path, name, *arguments)
        path = tmp_path / (made if isinstance(made, str) else made[0])
    else:
        path = tmp_path / f"{name}.onnx"
        onnx.save(FORMS[name], path)
    model = tn.compile(path, threads=1)
    arrays = dict(zip((value.name for value in model.inputs), model.random_inputs()))
    function, weights, names, outputs = jax_peer.load(str(path))
    assert sorted(names) == sorted(arrays)
    results = jax.jit(function)(weights, arrays)
    for value, expected in model.run(arrays).items():
        np.testing.assert_allclose(results[outputs.index(value)], expected, rtol=2e-4, atol=2e-5)


def test_what_jax_functions_lack_is_said(tmp_path):
    pytest.importorskip("jax")
    path = tmp_path / "m.onnx"
    onnx.save(opset(13, [helper.make_node("CumSum", ["x", "a"], ["c"]), helper.make_node("Selu", ["c"], ["y"])], {"x": [4]}, {"a": np.array(0)}), path)
    with pytest.raises(jax_peer.Unsupported, match="no jax function for CumSum, Selu"):
        jax_peer.load(str(path))


def times_of_threads(process):
    """{thread: ticks of processor time}"""
    fields = {int(path.parent.name): path.read_text().rpartition(")")[2].split() for path in Path(f"/proc/{process}/task").glob("*/stat")}
    return {thread: int(values[11]) + int(values[12]) for thread, values in fields.items()}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("peer", ["jax", "iree"])
def test_peers_agree_and_keep_to_their_threads(tn, tmp_path, peer, threads):
    if peer not in PEERS:
        pytest.skip(f"{peer} is not installed: make setup-peers")
    path = tmp_path / suite_models.matmul(tmp_path, "m", 512, 512, 512)
    inputs = str(tmp_path / "x.npz")
    save_inputs(inputs, {"x": np.ones((512, 512), np.float32)})
    worker = measure.Worker(peer, str(path), threads, {}, inputs, str(tmp_path))
    try:
        assert worker.error is None
        before = times_of_threads(worker.process.pid)
        answer = worker.ask(seconds=1, call="run")
        after = times_of_threads(worker.process.pid)
    finally:
        worker.close()
    spent = sorted((after[thread] - before.get(thread, 0) for thread in after), reverse=True)
    # Other work on the machine makes processor times less, never more; and each thread still has its part.
    assert answer["cores"] < threads + 0.15, spent
    busy = sum(time > 0.1 * sum(spent) for time in spent)
    assert busy == 1 if threads == 1 else busy >= min(threads, len(os.sched_getaffinity(0))), spent
    rows = measure.measure(str(path), [peer], threads, **FAST)
    assert rows[1]["same"] and rows[1]["ratio"] > 0


def test_what_a_peer_cannot_run_is_a_row(tn, tmp_path, bench):
    if not {"jax", "iree"} <= set(PEERS):
        pytest.skip("jax and iree are not installed: make setup-peers")
    onnx.save(opset(13, [helper.make_node("CumSum", ["x", "a"], ["y"])], {"x": [4, 5]}, {"a": np.array(1)}), tmp_path / "sums.onnx")
    model = suite_models.matmul(tmp_path, "product", 8, 8, 8)
    (tmp_path / "s.json").write_text(json.dumps([{"name": "sums", "kind": "memory", "model": "sums.onnx"},
                                                 {"name": "product", "kind": "compute", "model": model}]))
    run = bench("--suite", "s.json", "--against", "jax,iree", "--rounds", 1, "--seconds", 0.02, "--json")
    rows = {(row["model"], row["runtime"]): row for row in json.loads(run.stdout)}
    assert len(rows) == 6 and "no jax function for CumSum" in rows["sums", "jax"]["error"] and "ratio" not in rows["sums", "jax"]
    assert rows["product", "jax"]["same"] and rows["product", "iree"]["same"]
    assert "1/2 sums: tenon" in run.stderr and "jax failed" in run.stderr, "rows are said as they are done"
    run = bench("sums.onnx", "--against", "jax", "--rounds", 1, "--seconds", 0.02, code=1)
    assert "sums.onnx in jax: Unsupported: no jax function for CumSum" in run.stdout


def test_pages_against_contiguous_arrays(tn, tmp_path):
    model, variants, inputs, note = suite_models.paged_decode(tmp_path, "paged", 3, 4, 2, 24, 16, 8)
    inside = lambda files: {name: str(tmp_path / path) for name, path in files.items()}
    rows = measure.measure(str(tmp_path / model), PEERS, variants=inside(variants), inputs=inside(inputs), **FAST)
    assert [row["error"] for row in rows] == [None] * len(rows)
    assert all(row["same"] for row in rows[1:]) and "contiguous" in note
    refused = measure.measure(str(tmp_path / model), ["onnxruntime"], inputs=inside(inputs), **FAST)[1]
    assert "onnxruntime reads no Programs" in refused["error"]


def test_voice_detection(tn, tmp_path):
    path = suite_models.packaged("silero_vad", "silero_vad_openvino_16k.onnx")(tmp_path, "silero_vad")
    rows = measure.measure(path, ["onnxruntime"], **FAST)
    assert rows[0]["error"] is None and rows[1]["same"]


def test_a_suite_says_what_is_wrong_with_it(tn, tmp_path, bench):
    suite_models.matmul(tmp_path, "m", 4, 4, 4)
    (tmp_path / "s.json").write_text(json.dumps([{"name": "m", "kind": "compute", "model": "m.onnx", "inputs": {"tenon": "none.npz"}}]))
    assert "none.npz" in bench("--suite", "s.json", code=1).stderr
    assert "is no regular expression" in bench("--suite", "s.json", "--only", "(", code=1).stderr
    assert "expected a file named *.svg or *.png, but got 'x.gif'" in bench("m.onnx", "--plot", "x.gif", code=2).stderr
    assert "the folder" in bench("m.onnx", "--plot", "none/x.svg", code=1).stderr
    assert "expected a positive number of seconds, but got '0'" in bench("m.onnx", "--seconds", "0", code=2).stderr
    help_ = bench("--help").stdout
    assert all(word in help_ for word in ("examples", "how to read it", "exit status", *measure.PEERS))


def row(model, runtime, kind="compute", **more):
    return {"model": model, "runtime": runtime, "kind": kind, "threads": 2, "error": None, "peak_bytes": 10**8, **more}


@pytest.mark.parametrize("memory", [False, True])
def test_picture(tmp_path, memory):
    pytest.importorskip("matplotlib")
    name = "<script>$x^2$ & ]]>"
    rows = [row(name, "tenon"), row(name, "jax", ratio=12.5), row(name, "iree", error="no"),
            row("b", "tenon", "model"), row("b", "jax", "model", ratio=0.5), row("b", "iree", "model", same=False)]
    plot.draw(rows, str(tmp_path / "p.svg"), memory)
    text = (tmp_path / "p.svg").read_text()
    xml.fromstring(text)  # names are escaped
    for said in ("compute", "12.50", "0.50", "failed", "wrong", "2 threads", "&lt;script&gt;$x^2$"):  # beside each outline stands its text
        assert f"<!-- {said}" in text or said in text, said
    assert ("peak memory" in text) == memory
    plot.draw(rows, str(tmp_path / "p.png"), memory)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    plot.draw(rows[:1], str(tmp_path / "alone.svg"), memory)


def test_bench_draws(tn, tmp_path, bench):
    pytest.importorskip("matplotlib")
    suite_models.matmul(tmp_path, "m", 16, 16, 16)
    rows = json.loads(bench("m.onnx", "--against", "onnxruntime", "--rounds", 1, "--seconds", 0.02, "--json", "--plot", "p.svg").stdout)
    assert "ratio" in rows[1] and (tmp_path / "p.svg").stat().st_size > 1000
    assert max(row["peak_bytes"] for row in rows) < 200e6, "each process's own peak: what the parent measures peaks with is more"


def test_bar_on_a_terminal(tn, tmp_path, subprocess_environment):
    suite_models.matmul(tmp_path, "m", 16, 16, 16)
    master, slave = pty.openpty()
    run = subprocess.Popen([sys.executable, "-m", "tenon", "bench", "m.onnx", "--rounds", "3", "--seconds", "0.3", "--json"], cwd=tmp_path,
                           env={**subprocess_environment, "TERM": "xterm", "COLUMNS": "120"}, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    assert run.wait() == 0
    os.close(master)
    assert b"round 3 of 3: tenon" in shown and b"3/4" in shown and b"left" in shown


def test_cold_compiles(bench, tmp_path):
    """A model that the cache has is compiled anew, and the slowest of each kind is named."""
    names = {"small": suite_models.matmul(tmp_path, "small", 8, 8, 8), "chain": suite_models.mlp(tmp_path, "chain", 5, 8, 12)}
    suite = [{"name": name, "kind": "products", "model": model if isinstance(model, str) else model[0]} for name, model in names.items()]
    (tmp_path / "suite.json").write_text(json.dumps(suite))
    arguments = ("--suite", "suite.json", "--rounds", 1, "--seconds", 0.01)
    assert "cold compiles" not in bench(*arguments).stdout
    shown = bench(*arguments, "--cold").stdout
    assert "cold compiles" in shown and "products" in shown.split("cold compiles")[1]
    warm, cold = (json.loads(bench(*arguments, "--json", *more).stdout) for more in ((), ("--cold",)))
    assert all(0 < row["compile_s"] <= row["load_s"] for row in warm + cold)
    assert sum(row["compile_s"] for row in warm) < sum(row["compile_s"] for row in cold)
