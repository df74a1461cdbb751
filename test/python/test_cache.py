"""The cache of compiled models: hits load no compiler, every part of the key matters, damage is survived."""
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
import small_models
from conftest import ROOT
from onnx import helper


def info(tn, *arguments, **named):
    return tn.compile(*arguments, **named).info


def test_second_compile_is_a_hit(tn, cache):
    model = small_models.add()
    assert not info(tn, model)["cached"]
    second = tn.compile(model)
    assert second.info["cached"] and second.info["seconds"] < 0.3
    np.testing.assert_array_equal(second(np.zeros((2, 4), np.float32)), np.ones((2, 4), np.float32))
    assert not info(tn, model, cache=False)["cached"]


def test_every_part_of_the_key_matters(tn, cache):
    base, _ = small_models.mlp()
    assert not info(tn, base)["cached"]
    weights, _ = small_models.mlp(seed=1)
    nodes = small_models.mlp()[0]
    nodes.graph.node[1].op_type = "Sigmoid"
    for change, arguments in {"weights": (weights,), "nodes": (nodes,)}.items():
        assert not info(tn, *arguments)["cached"], change
    assert not info(tn, base, shapes={"x": [4, 16]})["cached"]
    assert not info(tn, base, shapes={"x": [5, 16]})["cached"]
    assert not info(tn, base, target="x86-64-v3")["cached"]
    assert info(tn, base)["cached"]


def test_a_changed_file_misses(tn, cache, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(small_models.mlp(seed=0)[0].SerializeToString())
    x = np.ones((1, 16), np.float32)
    first = tn.compile(path)(x)
    path.write_bytes(small_models.mlp(seed=1)[0].SerializeToString())
    model = tn.compile(path)
    assert not model.info["cached"]
    assert not np.allclose(model(x), first)


def test_hits_load_no_compiler(tn, cache, subprocess_environment):
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    subprocess_environment["TENON_CACHE_DIR"] = str(cache)
    code = ("import tenon, small_models; import numpy as np\n"
            "model = tenon.compile(small_models.add().SerializeToString())\n"
            "assert (model(np.zeros((1, 4), np.float32)) == 1).all()\n"
            "print(model.info['cached'], any('libtenon_compiler' in line or 'LLVM' in line for line in open('/proc/self/maps')))")
    for expected in ("False True", "True False"):
        run = subprocess.run([sys.executable, "-c", code], env=subprocess_environment, capture_output=True, text=True)
        assert run.stdout.strip() == expected, run.stderr


@pytest.mark.parametrize("damage", ["truncate", "zero", "flip", "directory"])
def test_damaged_files_are_not_trusted(tn, cache, damage):
    model = small_models.add()
    tn.compile(model)
    files = [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        path.unlink()
        if damage == "truncate":
            path.write_bytes(data[: len(data) // 2])
        elif damage == "zero":
            path.write_bytes(b"")
        elif damage == "flip":
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
        else:
            path.mkdir()
    try:
        result = tn.compile(model)(np.zeros((1, 4), np.float32))
    except tn.Error as error:
        assert damage == "directory", error
    else:
        assert (result == 1).all()


def chain(layers=120):
    """A model whose kernels all differ: its compile can be met in the middle."""
    sizes = [17 + index for index in range(layers + 1)]
    nodes, weights = [], {}
    for index, (k, n) in enumerate(zip(sizes, sizes[1:])):
        weights[f"w{index}"] = np.full((k, n), 1 / k, np.float32)
        nodes.append(helper.make_node("MatMul", [f"h{index}", f"w{index}"], [f"h{index + 1}"]))
    return small_models.make(nodes, {"h0": ["N", sizes[0]]}, {f"h{layers}": ["N", sizes[-1]]}, weights)


def stop_in_the_middle(command, environment, cache, kernels, number):
    """Sends a signal when so many kernels are in the cache; gives the exit status and what was said."""
    # A shell starts its background jobs with interrupts ignored, and what they start inherits that.
    process = subprocess.Popen(command, env={**environment, "TENON_CACHE_DIR": str(cache)}, stderr=subprocess.PIPE,
                               text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    end = time.time() + 60
    while process.poll() is None and time.time() < end and len(list(cache.glob("kernels/*.o"))) < kernels:
        time.sleep(0.002)
    assert process.poll() is None, "it ended too early"
    process.send_signal(number)
    return process.wait(60), process.communicate()[1]


@pytest.mark.parametrize("kernels", [0, 1, 20])
def test_killed_writers_leave_a_working_cache(tn, cache, tmp_path, subprocess_environment, kernels):
    path = tmp_path / "chain.onnx"
    path.write_bytes(chain().SerializeToString())
    command = [sys.executable, "-c", f"import tenon; tenon.compile({str(path)!r})"]
    assert stop_in_the_middle(command, subprocess_environment, cache, kernels, signal.SIGKILL)[0] == -signal.SIGKILL
    whole = len(list(cache.glob("kernels/*.o")))
    for hit in (False, True):
        model = tn.compile(path)
        assert model.info["cached"] == hit
        np.testing.assert_allclose(model(np.ones((3, 17), np.float32)), np.ones((3, 137), np.float32), 1e-3)
        assert hit or model.info["compiled_kernels"] <= 120 - whole, "what was written whole is used"


def test_interrupted_compile(tn, cache, tmp_path, subprocess_environment):
    path = tmp_path / "chain.onnx"
    path.write_bytes(chain().SerializeToString())
    command = [sys.executable, "-m", "tenon", "compile", str(path)]
    status, said = stop_in_the_middle(command, subprocess_environment, cache, 2, signal.SIGINT)
    assert status == 130 and "interrupted" in said and "Traceback" not in said
    assert len(list(cache.glob("kernels/*.o"))) < 120, "it went on to the end"
    assert not list(cache.glob("models/*")), "a part of a model stays behind"
    assert not tn.compile(path).info["cached"]


def test_what_progress_raises_ends_the_compile(tn, cache):
    class Enough(Exception):
        pass

    def progress(stage, done, total):
        if stage == "kernels" and done == 3:
            raise Enough

    with pytest.raises(Enough):
        tn.compile(chain(), progress=progress)
    assert 3 <= len(list(cache.glob("kernels/*.o"))) < 120


def test_two_processes_share_a_cache(cache, subprocess_environment):
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    subprocess_environment["TENON_CACHE_DIR"] = str(cache)
    code = ("import tenon, small_models; import numpy as np\n"
            "for seed in range(4):\n"
            "    model, reference = small_models.mlp(seed)\n"
            "    x = np.ones((2, 16), np.float32)\n"
            "    assert np.allclose(tenon.compile(model)(x), reference(x), 1e-3, 1e-4)")
    processes = [subprocess.Popen([sys.executable, "-c", code], env=subprocess_environment, stderr=subprocess.PIPE)
                 for _ in range(2)]
    for process in processes:
        assert process.wait() == 0, process.stderr.read().decode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_cache(tn, cache):
    cache.mkdir(mode=0o500)
    tn.compile(small_models.add())


def test_without_a_cache_nothing_stays_behind(tn, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    model = tn.compile(small_models.mlp()[0], cache=False)
    assert model.info["path"] is None
    assert not list(tmp_path.iterdir())
    model, reference = small_models.mlp()
    x = np.ones((2, 16), np.float32)
    np.testing.assert_allclose(tn.compile(model, cache=False)(x), reference(x), 1e-3, 1e-4)
    monkeypatch.setenv("TENON_CACHE_DIR", "/dev/null/cache")
    with pytest.warns(RuntimeWarning, match="no cache: cannot make '/dev/null/cache'"):
        np.testing.assert_allclose(tn.compile(model)(x), reference(x), 1e-3, 1e-4)
    assert not list(tmp_path.iterdir())


def test_a_replaced_output_is_loaded_anew(tn, tmp_path):
    """The dynamic loader knows libraries by name: it must not take the new one for the old one."""
    x, models = np.ones((2, 16), np.float32), []
    for seed in range(3):
        model, reference = small_models.mlp(seed)
        models.append((tn.compile(model, output=tmp_path / "model.so"), reference(x)))
    for compiled, want in models:
        np.testing.assert_allclose(compiled(x), want, 1e-3, 1e-4)


def test_compiled_models_know_their_weights(tn, tmp_path):
    """A shared object whose weights lie elsewhere refuses others; the same in another file are as good."""
    x, path, output = np.ones((2, 16), np.float32), tmp_path / "mlp.onnx", tmp_path / "mlp.so"

    def write(seed):
        model, reference = small_models.mlp(seed)
        path.write_bytes(model.SerializeToString())
        return model, reference(x)

    _, want = write(0)
    tn.compile(path, output=output)
    write(0)
    np.testing.assert_allclose(tn.load(output)(x), want, 1e-3, 1e-4)
    write(1)
    with pytest.raises(tn.FileError, match="not those that the model was compiled with"):
        tn.load(output)
    path.unlink()
    with pytest.raises(tn.FileError, match="cannot open the weights"):
        tn.load(output)
    sidecar, other = tmp_path / "mlp.so.weights", tmp_path / "other.so"
    tn.compile(write(0)[0], output=output)
    tn.compile(write(1)[0], output=other)
    np.testing.assert_allclose(tn.load(output)(x), want, 1e-3, 1e-4)
    good = sidecar.read_bytes()
    for wrong in ((tmp_path / "other.so.weights").read_bytes(), good[:-1], good[:10]):
        sidecar.write_bytes(wrong)
        with pytest.raises(tn.FileError, match="not those that the model was compiled with|too short"):
            tn.load(output)


def test_a_failing_compile_leaves_the_old_output(tn, tmp_path, subprocess_environment):
    model, reference = small_models.mlp(0)
    tn.compile(model, output=tmp_path / "mlp.so")
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "other.onnx").write_bytes(small_models.mlp(1)[0].SerializeToString())
    code = ("import resource, sys, tenon; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
            "tenon.compile(open('other.onnx', 'rb').read(), output='mlp.so', cache=False)")
    for limit in (1000, 5000):  # less than the weights, than the objects
        run = subprocess.run([sys.executable, "-c", code, str(limit)], env=subprocess_environment, cwd=tmp_path,
                             capture_output=True, text=True)
        assert "FileError: cannot" in run.stderr and "File too large" in run.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.name != "other.onnx"} == files


FULL_DISK = """
import sys, warnings
import numpy as np
import small_models, tenon
from onnx import helper

for count in map(int, sys.argv[1:]):
    w = np.arange(count, dtype=np.float32)
    model = small_models.make([helper.make_node("Add", ["x", "w"], ["y"])], {"x": ["N", 1]}, {"y": ["N", count]}, {"w": w})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            compiled = tenon.compile(model.SerializeToString())
        except tenon.FileError as error:
            print("error", error)
            continue
    result = compiled(np.ones((1, 1), np.float32))
    assert (result[0] == w + 1).all()
    print("warned" if caught else "cached", *[warning.message for warning in caught])
"""


def on_full_disk(folder, size, environment, *counts):
    """Runs FULL_DISK with a file system of `size` MiB at `folder`; gives its lines and what lies there at the end."""
    folder.mkdir(exist_ok=True)
    environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    inside = f'mount -t tmpfs -o size={size}m tmpfs "$0" && "$@"; code=$?; echo; find "$0" -mindepth 2; exit $code'
    run = subprocess.run(["unshare", "-rm", "sh", "-c", inside, str(folder), sys.executable, "-c", FULL_DISK,
                          *map(str, counts)], env=environment, capture_output=True, text=True)
    if "Operation not permitted" in run.stderr or "mount:" in run.stderr:
        pytest.skip("no right to make a file system: " + run.stderr.splitlines()[0])
    assert run.returncode == 0, run.stderr
    lines, _, left = run.stdout.partition("\n\n")
    return lines.splitlines(), left.splitlines()


def test_a_cache_that_fills_up(tmp_path, subprocess_environment):
    """Weights that fill the disk to within a few pages: one step after the other fails for want of room."""
    disk, temporary, mib = tmp_path / "disk", tmp_path / "temporary", 1 << 20
    temporary.mkdir()
    subprocess_environment.update(TENON_CACHE_DIR=str(disk / "cache"), TMPDIR=str(temporary), TENON_CACHE_LIMIT="0")
    counts = [(17 * mib - kib * 1024) // 4 for kib in (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 200)]
    lines, left = on_full_disk(disk, 17, subprocess_environment, *counts)
    assert len(lines) == len(counts)
    assert lines[0].startswith("warned no cache: cannot write") and "No space left" in lines[0]
    assert not any(line.startswith("error") for line in lines), lines
    assert not [name for name in left if ".tmp." in name]
    assert not list(temporary.iterdir())
    lines, _ = on_full_disk(disk, 1, subprocess_environment, 1000)
    assert lines[0].startswith("warned no cache: the disk of")


def test_full_disks_everywhere(tmp_path, subprocess_environment):
    disk = tmp_path / "disk"
    subprocess_environment.update(TENON_CACHE_DIR=str(disk / "cache"), TMPDIR=str(disk))
    lines, left = on_full_disk(disk, 20, subprocess_environment, 6 << 20, 1000)
    assert lines[0].startswith("error cannot write") and "No space left" in lines[0]
    assert lines[1] == "cached", "the failure left nothing behind"
    assert not [name for name in left if ".tmp." in name or "tenon-model" in name]


def test_limited_file_sizes(tmp_path, subprocess_environment):
    """A limit of the process is met like a full disk."""
    subprocess_environment.update(TENON_CACHE_DIR=str(tmp_path / "cache"), TMPDIR=str(tmp_path))
    subprocess_environment["PYTHONPATH"] += f":{ROOT / 'test' / 'python'}"
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))\n" + FULL_DISK
    run = subprocess.run([sys.executable, "-c", code, "100000", "1000"], env=subprocess_environment, capture_output=True,
                         text=True)
    lines = run.stdout.splitlines()
    assert run.returncode == 0, run.stderr
    assert lines[0].startswith("error cannot write") and "File too large" in lines[0]
    assert lines[1] == "cached"
