"""`tenon explain`: the graph and the remarks of the manifest, and the page, also with names that mean harm."""
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import small_models
from conftest import ROOT
from onnx import helper

from tenon.cli import explain_page

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))), None)
HARM = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">[/]{}&amp;"


def net(names=("first", "relu", "second"), x="x"):
    """Two products; what the first one gives is also an output, so that the relu stays apart."""
    nodes = [helper.make_node("MatMul", [x, "a"], ["h"], name=names[0]), helper.make_node("Relu", ["h"], ["r"], name=names[1]),
             helper.make_node("MatMul", ["r", "b"], ["y"], name=names[2])]
    rng = np.random.default_rng(0)
    return small_models.make(nodes, {x: ["N", 64]}, {"h": ["N", 48], "y": ["N", 32]},
                             {"a": rng.standard_normal((64, 48)).astype(np.float32), "b": rng.standard_normal((48, 32)).astype(np.float32)})


@pytest.fixture
def page(tn, tmp_path, subprocess_environment):
    def make(model, *arguments, name="net.onnx"):
        (tmp_path / name).write_bytes(model.SerializeToString())
        run = subprocess.run([sys.executable, "-m", "tenon", "explain", name, "--html", "page.html", "--dim", "N=32", *arguments], cwd=tmp_path,
                             env=subprocess_environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return tmp_path / "page.html"

    return make


def browse(file, fragment=""):
    """The page's elements after its script has run."""
    if BROWSER is None:
        pytest.skip("no headless Chromium: apt-get install chromium-headless-shell")
    run = subprocess.run([BROWSER, "--no-sandbox", "--headless", "--disable-gpu", "--dump-dom", f"file://{file}{fragment}"], capture_output=True,
                         text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


def data_of(file):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', file.read_text(), re.S)[1])


def test_graph(tn):
    manifest = tn.compile(net()).explain()
    dispatches, outputs = manifest["graph"]["dispatches"], manifest["graph"]["outputs"]
    running = [i for i, dispatch in enumerate(dispatches) if not dispatch["at_load"]]
    of = lambda node: next(i for i in running if node in dispatches[i]["nodes"])
    assert "x" in dispatches[of("first")]["from"]
    assert of("first") in dispatches[of("second")]["from"] or of("relu") in dispatches[of("second")]["from"]
    assert outputs == [[of("first")], [of("second")]]
    assert dispatches[of("second")]["results"] == ["tensor<?x32xf32>"]
    assert {dispatch["kernel"] for dispatch in dispatches} == {kernel["name"] for kernel in manifest["kernels"]}
    assert all(isinstance(source, str) or source < i for i, dispatch in enumerate(dispatches) for source in dispatch["from"])
    assert all(kernel["ops"] for kernel in manifest["kernels"])


def test_graph_through_loops(tn):
    @tn.jit
    def f(x, w):
        return tn.fori_loop(0, 4, lambda i, y: tn.tanh(y @ w), x) + w

    x = np.ones((8, 8), np.float32)
    graph = f.compile(x, x).explain()["graph"]
    assert any({"x", "w"} <= set(dispatch["from"]) for dispatch in graph["dispatches"]), "what a loop starts with and what its body reads"
    assert any(isinstance(source, int) for source in graph["outputs"][0])


def test_remarks(tn, tmp_path, subprocess_environment):
    remarks = tn.compile(net()).explain()["remarks"]
    assert any(remark["node"] == "relu" and "the contraction's result is used elsewhere too" in remark["message"] for remark in remarks)
    (tmp_path / "net.onnx").write_bytes(net().SerializeToString())
    run = subprocess.run([sys.executable, "-m", "tenon", "explain", "net.onnx"], cwd=tmp_path, env=subprocess_environment, capture_output=True, text=True)
    assert run.returncode == 0 and "not fused" in run.stdout and "used elsewhere too" in run.stdout


def test_page_holds_what_was_measured(page):
    file = page(net())
    data = data_of(file)
    assert data["inputs"] == [{"name": "x", "type": "float32 32x64"}] and [output["name"] for output in data["outputs"]] == ["h", "y"]
    busy = [kernel for kernel in data["kernels"].values() if kernel.get("ms")]
    assert busy and all(kernel["schedule"] and kernel["roofline"] > 0 and kernel["gbs"] > 0 for kernel in busy)
    assert not re.search(r"""(?:src|href)=["']?\s*(?:https?:)?//""", file.read_text()), "nothing is loaded"


def test_page_in_a_browser(page):
    file = page(net())
    number = next(i for i, dispatch in enumerate(data_of(file)["dispatches"]) if "second" in dispatch["nodes"])
    seen = browse(file, f"#kernel-{number}")
    rows = re.findall(r'<g class="row([^"]*)" data-row="(\d+)"', seen)
    assert sum("port" in kind for kind, _ in rows) == 3 and len(rows) >= 5
    assert len(re.findall(r'<path class="edge', seen)) >= 4
    assert re.search(r'<g class="row chosen"|<g class="row[^"]* chosen"', seen)
    chosen = re.search(r'id="chosen">(.*?)<details open=""><summary><b>kernels by time', seen, re.S)[1]
    assert "#tenon.schedule&lt;" in chosen and "GFLOP/s" in chosen and "second" in chosen
    assert "used elsewhere too" in seen


def test_names_that_mean_harm(page, tmp_path):
    model = net(names=(HARM, HARM + "2", "ok"), x=HARM)
    file = page(model, name="<img src=x onerror=alert(1)>[bold].onnx")
    text = file.read_text()
    assert HARM not in text and "<img" not in text and text.count("<script") == 2
    assert any(HARM in dispatch["nodes"] for dispatch in data_of(file)["dispatches"]), "the name is there, as text"
    seen = browse(file)
    assert "<title>&lt;img" in seen and "<img" not in re.sub(r"<script.*?</script>|<title>.*?</title>", "", seen, flags=re.S)
    assert "owned</title>" not in seen and "&lt;/script&gt;" in seen


def test_a_large_graph_stays_readable(tmp_path):
    """A thousand dispatches: drawn at once, small ones folded away, lines lead on across them."""
    count = 1000
    manifest = {"kernels": [{"name": f"k{i}", "nodes": [f"n{i}"], "ops": ["linalg.generic"], "algorithm": "elementwise", "schedule": "s"} for i in range(count)],
                "graph": {"dispatches": [{"kernel": f"k{i}", "nodes": [f"n{i}"], "results": ["tensor<8xf32>"], "at_load": False,
                                          "from": ["x"] if i == 0 else sorted({i - 1, max(i - 30, 0)})} for i in range(count)], "outputs": [[count - 1]]},
                "inputs": [{"name": "x", "dtype": "float32", "shape": [8]}], "outputs": [{"name": "y", "dtype": "float32", "shape": [8]}],
                "target": {"cpu": "c"}, "tenon_version": "0", "remarks": []}
    rows = [{"name": f"k{i}", "ms": 10.0 if i % 100 == 0 else 0.001, "calls": 1, "gflops": 1.0, "roofline": 0.5, "bytes": 8.0} for i in range(count)]
    file = tmp_path / "large.html"
    file.write_text(explain_page.page("large", manifest, rows, 1, (1e9, 1e9), {}))
    seen = browse(file)
    assert "10 of 1000 shown" in seen
    edges = set(re.findall(r'data-from="(\d+)" data-to="(\d+)"', seen))
    assert {("1", "101"), ("101", "201"), ("901", "1001")} <= edges, "through what is hidden"
    whole = browse(file, "#kernel-555")
    assert "1000 of 1000 shown" in whole and re.search(r'<h2>k555</h2>', whole)


def test_errors(tn, tmp_path, subprocess_environment):
    (tmp_path / "net.onnx").write_bytes(net().SerializeToString())
    call = lambda *arguments: subprocess.run([sys.executable, "-m", "tenon", "explain", "net.onnx", *arguments], cwd=tmp_path, env=subprocess_environment,
                                             capture_output=True, text=True)
    run = call("--html", "none/page.html")
    assert run.returncode == 1 and "cannot write 'none/page.html'" in run.stderr
    run = call("--html", "p.html", "--json")
    assert run.returncode == 2 and "not allowed with" in run.stderr


def explain_space(tmp_path, environment, *arguments):
    (tmp_path / "net.onnx").write_bytes(net().SerializeToString())
    return subprocess.run([sys.executable, "-m", "tenon", "explain", "net.onnx", "--space", *arguments], cwd=tmp_path, env=environment,
                          capture_output=True, text=True)


def test_spaces_of_all_kernels(tmp_path, subprocess_environment):
    run = explain_space(tmp_path, subprocess_environment)
    assert run.returncode == 0, run.stderr
    assert "candidates" in run.stdout and "first" in run.stdout and "second" in run.stdout
    assert re.search(r"│ k\d+_matmul\S* │ first\S* +│ +\d{3,} │ 0\.\d{4} │ 0\.\d{4} │ #tenon", run.stdout)
    run = explain_space(tmp_path, subprocess_environment, "--top", "1")
    assert re.search(r"and \d more \(--top\)", run.stdout)


def test_space_of_a_kernel(tmp_path, subprocess_environment):
    run = explain_space(tmp_path, subprocess_environment, "first", "--best", "2")
    assert run.returncode == 0, run.stderr
    for part in ("vector_dim", "parallel", "the dim along which vectors run", "in use", "best 1", "best 2", "schedules={name: schedule}"):
        assert part in run.stdout
    assert "best 3" not in run.stdout
    run = explain_space(tmp_path, subprocess_environment, "third")
    assert run.returncode == 1 and re.search("no kernel or node named 'third' has a schedule space; the kernels are k0", run.stderr)


def test_every_axis_has_a_meaning(tn):
    from tenon.cli import explain_space

    texts = (ROOT / "lib" / "Schedule").glob("*.cpp")
    axes = {name for text in texts for name in re.findall(r'(?:push_back\(\{|addNumbers\(|addLists\()"(\w+)"', text.read_text())}
    assert axes | {"vector_dim", "vectors", "rows", "pack", "prepack"} == set(explain_space.MEANINGS)


def test_space_wants_the_model(tmp_path, subprocess_environment):
    run = subprocess.run([sys.executable, "-m", "tenon", "explain", "net.so", "--space"], cwd=tmp_path, env=subprocess_environment,
                         capture_output=True, text=True)
    assert run.returncode == 1 and "'net.so' is compiled already: --space wants the model it was made of" in run.stderr
