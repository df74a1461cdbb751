"""Measuring a model in several runtimes that take turns, each in a process of its own that is stopped meanwhile."""
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile

#: Runtimes to compare with.
PEERS = ("onnxruntime", "openvino", "jax", "iree", "llama.cpp")


class Worker:
    """A process with one runtime; stopped unless it has a turn."""

    def __init__(self, runtime, model, threads, shapes, inputs, folder, options=None):
        self.runtime, self.error, self.minima, self.cores = runtime, None, {}, {}
        self.peak_bytes = self.same = None
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tenon.bench.worker", runtime, model, str(threads), json.dumps(shapes), inputs, folder,
             json.dumps(options or {})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            # NumPy's own threads spin after they have made the inputs, on cores that the runtime is to have.
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"})
        self.facts = self._reply()
        self._signal(signal.SIGSTOP)

    def _signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def _reply(self):
        line = self.process.stdout.readline()
        message = json.loads(line) if line else {"error": f"the process ended with {self.process.wait()}"}
        self.error = self.error or message.get("error")
        return message

    def ask(self, **request):
        if self.error:
            return {}
        self._signal(signal.SIGCONT)
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            return self._reply()
        except BrokenPipeError:
            self.error = f"the process ended with {self.process.wait()}"
            return {}
        finally:
            self._signal(signal.SIGSTOP)

    def close(self):
        self._signal(signal.SIGKILL)
        self.process.wait()


def _same(ours, theirs, by_cosine):
    """Whether two .npz files hold the same outputs: rtol 1e-3, atol 1e-4; or with a cosine above 0.99."""
    import numpy as np

    def alike(a, b):
        if by_cosine:
            return np.vdot(a, b) > 0.99 * np.linalg.norm(a) * np.linalg.norm(b)
        return np.allclose(a, b, 1e-3, 1e-4, equal_nan=True)

    with np.load(ours) as a, np.load(theirs) as b:
        return len(a.files) == len(b.files) and all(a[name].shape == b[name].shape and alike(a[name], b[name]) for name in a.files)


def steps(peers, rounds, calls=1):
    """How many steps `measure` reports."""
    return (1 + len(peers)) * (1 + rounds * calls)


def measure(model, peers, threads=1, shapes=None, rounds=5, seconds=0.5, report=None, variants=None, inputs=None,
            precision="reorder", cold=False):
    """Rows (dicts) per kind of call and runtime, Tenon's first.

    variants  {runtime: another file of the same meaning}
    inputs    {runtime: .npz file of `worker.save_inputs`}; without one for Tenon, random arrays, which all get
    precision of `tenon.compile`, for Tenon
    cold      Tenon compiles all anew, without its cache
    report    called with what is done next, before each of `steps` steps
    """
    from ..model import measure_peaks

    report = report or (lambda stage: None)
    inputs = inputs or {}
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for runtime in ("tenon", *peers):
                report(f"loading in {runtime}")
                drawn = inputs.get("tenon", os.path.join(folder, "inputs.npz"))
                workers.append(Worker(runtime, (variants or {}).get(runtime, model), threads, shapes or {},
                                      inputs.get(runtime, drawn), folder, {"precision": precision, "cache": not cold}))
                if workers[0].error:
                    break
            peaks = (0.0, 0.0)
            calls = workers[0].facts.get("calls", ["run"])
            for index in range(rounds):
                for call in calls:
                    for worker in workers:
                        report(f"round {index + 1} of {rounds}: {worker.runtime}")
                        answer = worker.ask(seconds=seconds, call=call)
                        if "min_s" in answer:
                            worker.minima.setdefault(call, []).append(answer["min_s"])
                            worker.cores.setdefault(call, []).append(answer["cores"])
                # A neighbour on the same core halves what is seen: the best of the rounds counts, as for the models.
                peaks = tuple(map(max, peaks, measure_peaks(threads)))
            for worker in workers:
                worker.peak_bytes = worker.ask(save=os.path.join(folder, f"{worker.runtime}.npz")).get("peak_bytes")
                worker.same = worker is workers[0] or not (worker.error or workers[0].error) and _same(
                    os.path.join(folder, "tenon.npz"), os.path.join(folder, f"{worker.runtime}.npz"), "tokens" in worker.facts)
            name = os.path.basename(model)
            rows = [row for call in calls
                    for row in _rows(workers, call, name if call == "run" else f"{name} {call}", threads, peaks)]
            for row in rows:
                if row["runtime"] == "tenon":
                    row["precision"] = precision
            return rows
        finally:
            for worker in workers:
                worker.close()


def _rows(workers, call, name, threads, peaks):
    """The rows of one kind of call."""
    rows = []
    for worker in workers:
        facts = worker.facts
        row = {"model": name, "runtime": worker.runtime, "threads": threads, "version": facts.get("version"),
               "load_s": facts.get("load_s"), "compile_s": facts.get("compile_s"), "peak_bytes": worker.peak_bytes, "error": worker.error}
        minima = worker.minima.get(call)
        if minima and not worker.error:
            row.update(median_s=statistics.median(minima), min_s=min(minima), cores=statistics.median(worker.cores[call]))
            if "tokens" in facts:
                row["tokens_per_s"] = facts["tokens"][call] / row["median_s"]
            if worker is not workers[0]:
                row["same"] = worker.same
                if worker.same:
                    row["ratio"] = row["median_s"] / rows[0]["median_s"]
            elif "flops" in facts:
                bound = max(facts["flops"] / peaks[0], facts["bytes"] / peaks[1])
                row.update(kernels=facts["kernels"], gflops=facts["flops"] / row["median_s"] / 1e9,
                           roofline=bound / row["median_s"], peak_gflops=peaks[0] / 1e9, peak_gbs=peaks[1] / 1e9)
        rows.append(row)
    return rows
