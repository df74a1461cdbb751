#!/usr/bin/env python3
"""Runs the node suite of the onnx package and prints what passes, what is wrong and what is refused.

  node_suite.py                  import every case (does the Program verify?)
  node_suite.py --reference      run the Programs on the reference evaluator and compare outputs
  node_suite.py --kind simple    other cases of the package: simple, pytorch-converted, pytorch-operator, real (light_*)

Each case runs in a process of its own pool of one, so that a crash or a hang costs one case.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import numpy_helper

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("TENON_BIN", os.path.join(ROOT, "build", "bin"))


def load_cases(kind):
    from onnx.backend.test.loader import load_model_tests, load_node_model_tests
    if kind == "node":
        return load_node_model_tests()
    if kind == "real":
        folder = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")
        Case = collections.namedtuple("Case", "name model_dir model data_sets rtol atol")
        return [Case(f[:-5], folder, os.path.join(folder, f), None, 1e-3, 1e-7)
                for f in sorted(os.listdir(folder)) if f.endswith(".onnx")]
    return load_model_tests(kind=kind)


def model_path(case, folder):
    if getattr(case, "model", None) is not None and not isinstance(case.model, str):
        path = os.path.join(folder, case.name + ".onnx")
        onnx.save(case.model, path)
        return path
    if isinstance(case.model, str):
        return case.model
    return os.path.join(case.model_dir, "model.onnx")


def read_tensor(path, model_input):
    with open(path, "rb") as f:
        data = f.read()
    kind = model_input.type.WhichOneof("value")
    if kind != "tensor_type":
        raise NotImplementedError(kind)
    tensor = onnx.TensorProto()
    tensor.ParseFromString(data)
    return numpy_helper.to_array(tensor)


def data_sets(case):
    if case.data_sets:
        def array(x):
            return numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else np.asarray(x)
        for inputs, outputs in case.data_sets:
            yield [array(x) for x in inputs], [array(x) for x in outputs]
        return
    model = onnx.load(os.path.join(case.model_dir, "model.onnx"), load_external_data=False)
    names = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in names]
    for folder in sorted(f for f in os.listdir(case.model_dir) if f.startswith("test_data_set")):
        base = os.path.join(case.model_dir, folder)
        yield ([read_tensor(os.path.join(base, f"input_{k}.pb"), v) for k, v in enumerate(inputs)
                if os.path.exists(os.path.join(base, f"input_{k}.pb"))],
               [read_tensor(os.path.join(base, f"output_{k}.pb"), v) for k, v in enumerate(model.graph.output)])


def same(got, want, rtol, atol):
    """None, or what differs."""
    want = np.asarray(want)
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    if str(got.dtype) != str(want.dtype):
        return f"dtype {got.dtype}, expected {want.dtype}"
    if got.dtype.kind in "biu" or got.size == 0:
        return None if np.array_equal(got, want) else "values differ"
    # Expected values of narrow types were accumulated and rounded in that type, ours in f32: allow two units in the
    # last place (bfloat16: 2^-7 each, at the lower end of a binade).
    rtol = max(rtol, {"bfloat16": 2.0**-6, "float16": 2.0**-9}.get(str(got.dtype), 0))
    g, w = got.astype(np.float64), want.astype(np.float64)
    if np.allclose(g, w, rtol=rtol, atol=atol, equal_nan=True):
        return None
    with np.errstate(all="ignore"):
        return f"values differ by {np.nanmax(np.abs(g - w)):.3g}"


def reason_of(text):
    """The reason of an error without the names of nodes, for grouping."""
    line = text.strip().splitlines()[0] if text.strip() else "no message"
    line = re.sub(r"^.*?error: ", "", line)
    found = re.search(r"\(([\w.]+)\): (.*)", line)
    return f"{found.group(1)}: {found.group(2)}" if found else re.sub(r"'[^']*'", "'..'", line)


def import_all(cases, folder, timeout):
    results = {}
    paths = {}
    for case in cases:
        try:
            paths[os.path.abspath(model_path(case, folder))] = case
        except Exception as e:
            results[case.name] = ("refused", f"cannot be written: {e}")
    todo = list(paths)
    while todo:
        part = todo[:150]
        proc = subprocess.run([os.path.join(BIN, "tenon-import"), "--batch", ",".join(part)], capture_output=True,
                              text=True, timeout=timeout * len(part))
        done = 0
        for line in proc.stdout.splitlines():
            row = json.loads(line)
            results[paths[row["model"]].name] = ("pass", "") if row["ok"] else ("refused", reason_of(row["error"]))
            done += 1
        if done < len(part):
            results[paths[part[done]].name] = ("crash", proc.stderr.strip()[-300:] or f"exit {proc.returncode}")
            done += 1
        todo = todo[done:]
    return results


def run_worker():
    """Reads a pickled job (model path, data sets, mode) per line of stdin; answers with a line of JSON."""
    import pickle
    sys.path.insert(0, os.path.join(ROOT, "build", "python"))
    sys.path.insert(0, os.path.join(ROOT, "python"))
    import tenon as tn
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        with open(line.strip(), "rb") as f:
            job = pickle.load(f)
        try:
            model = tn.compile(job["path"], **job["options"])
            problem = None
            for inputs, outputs in job["data"]:
                names = [i.name for i in model.inputs]
                got = model.run(dict(zip(names, [np.asarray(i) for i in inputs])))
                for port, want in zip(model.outputs, outputs):
                    d = same(np.asarray(got[port.name]), want, job["rtol"], job["atol"])
                    problem = problem or (d and f"{port.name}: {d}")
            answer = ("wrong", problem) if problem else ("pass", "")
        except Exception as e:
            answer = ("refused", reason_of(str(e)))
        print(json.dumps(answer), file=out, flush=True)


def run_all(cases, folder, timeout, options):
    import pickle
    import select
    worker, results = None, {}
    for case in cases:
        try:
            sets = [([np.asarray(x) for x in i], [np.asarray(x) for x in o]) for i, o in data_sets(case)]
            path = model_path(case, folder)
            job = os.path.join(folder, "job.pkl")
            with open(job, "wb") as f:
                pickle.dump(dict(path=path, data=sets, rtol=max(case.rtol, 1e-3), atol=max(case.atol, 1e-6),
                                 options=options), f)
        except Exception as e:
            results[case.name] = ("refused", f"case is not of tensors: {type(e).__name__}")
            continue
        if worker is None or worker.poll() is not None:
            worker = subprocess.Popen([sys.executable, __file__, "--worker"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        worker.stdin.write(job + "\n")
        worker.stdin.flush()
        ready, _, _ = select.select([worker.stdout], [], [], timeout)
        line = worker.stdout.readline() if ready else ""
        if line:
            results[case.name] = tuple(json.loads(line))
            continue
        if not ready:
            worker.kill()
        results[case.name] = ("crash", f"exit {worker.wait()}") if ready else ("hang", f"more than {timeout} s")
        worker = None
    if worker:
        worker.stdin.close()
        worker.wait()
    return results


def as_file(value):
    """What tenon-run reads: types that NumPy lacks as their bits, a byte or more each."""
    value = np.asarray(value)
    if value.dtype.kind not in "biu" and str(value.dtype) not in ("float16", "float32", "float64"):
        return value.view(np.uint8 if value.dtype.itemsize == 1 else np.uint16)
    return value


def compare_files(case, model, outputs, prefix):
    for port, want in zip(model.graph.output, outputs):
        want = np.asarray(want)
        got = np.load(prefix + port.name.replace("/", "_") + ".npy") if port.name else want
        if got.dtype != want.dtype and got.dtype.itemsize == want.dtype.itemsize:
            got = got.view(want.dtype)
        if difference := same(got, want, max(case.rtol, 1e-3), max(case.atol, 1e-7)):
            return f"{port.name}: {difference}"
    return None


def run_reference(cases, folder, timeout):
    """All data sets through one process of the reference evaluator; a new one after a crash."""
    results, todo = {}, []
    for number, case in enumerate(cases):
        try:
            path = os.path.abspath(model_path(case, folder))
            model = onnx.load(path, load_external_data=False)
            for n, (inputs, outputs) in enumerate(data_sets(case)):
                prefix = os.path.join(folder, f"{number}_{n}_")
                files = {}
                for port, value in zip(model.graph.input, inputs):
                    files[port.name] = f"{prefix}in{len(files)}.npy"
                    np.save(files[port.name], as_file(value))
                todo.append((case, model, outputs, dict(model=path, inputs=files, prefix=prefix + "out_")))
        except Exception as e:
            results[case.name] = ("refused", f"case is not of tensors: {type(e).__name__}")
    jobs = os.path.join(folder, "jobs")
    while todo:
        part = todo[:100]
        with open(jobs, "w") as f:
            f.writelines(json.dumps(job) + "\n" for *_, job in part)
        proc = subprocess.run([os.path.join(BIN, "tenon-run"), "--reference", "--jobs", jobs], capture_output=True,
                              text=True, timeout=timeout * len(part))
        lines = proc.stdout.splitlines()
        for (case, model, outputs, job), line in zip(part, lines):
            row = json.loads(line)
            problem = row["ok"] and compare_files(case, model, outputs, job["prefix"])
            answer = ("refused", reason_of(row["error"])) if not row["ok"] else ("wrong", problem) if problem else ("pass", "")
            if results.get(case.name, ("pass",))[0] == "pass":
                results[case.name] = answer
        if len(lines) < len(part):
            results[part[len(lines)][0].name] = ("crash", proc.stderr.strip()[-300:] or f"exit {proc.returncode}")
        todo = todo[min(len(lines) + 1, len(part)):]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="node",
                        choices=["node", "simple", "pytorch-converted", "pytorch-operator", "real"])
    parser.add_argument("--reference", action="store_true", help="run on the reference evaluator")
    parser.add_argument("--run", action="store_true", help="compile and run")
    parser.add_argument("--filter", default="", help="regular expression on the cases' names")
    parser.add_argument("--every", type=int, default=1, help="take every n-th case only")
    parser.add_argument("--timeout", type=float, default=30, help="seconds per case")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every case that does not pass")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return run_worker()
    cases = [c for c in load_cases(args.kind) if re.search(args.filter, c.name)][:: args.every]
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        if args.reference:
            results = run_reference(cases, folder, args.timeout)
        elif args.run:
            results = run_all(cases, folder, args.timeout, {})
        else:
            results = import_all(cases, folder, args.timeout)
    counts = collections.Counter(r[0] for r in results.values())
    for kind in ("crash", "hang", "wrong"):
        for name, (k, why) in sorted(results.items()):
            if k == kind:
                print(f"{kind}: {name}: {why}")
    reasons = collections.Counter(why for k, why in results.values() if k == "refused")
    for why, count in reasons.most_common():
        print(f"{count:5} refused: {why[:200]}")
    if args.verbose:
        for name, (k, why) in sorted(results.items()):
            if k == "refused":
                print(f"{name}: {why}")
    print(f"{len(cases)} cases in {time.time() - start:.0f} s: " + ", ".join(f"{v} {k}" for k, v in counts.items()))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
