"""time a model, beside other runtimes if wanted

Each runtime lives in a process of its own; they take turns, and the others are stopped meanwhile. Every runtime gets the
same inputs and number of threads, and its outputs are compared with Tenon's: a wrong row gets no ratio. Shown are the median
and the minimum of the rounds' fastest calls; the ratio is peer / tenon of the medians (above 1: tenon is faster). The
roofline's peaks are measured in the same run. Of a language model (.gguf; peer: llama.cpp) two rows are timed: a prompt of
512 tokens, and 32 tokens one by one behind 128; its outputs are alike where the cosine of the logits is above 0.99, as
llama.cpp rounds activations to 8 bits.
"""
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile

from . import common

PEERS = ("onnxruntime", "openvino", "llama.cpp")


def _peers(text):
    import argparse

    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"no runtime {name!r} to compare with; there are: {', '.join(PEERS)}")
    return names


def add_arguments(parser):
    common.add_model(parser, nargs="*")
    parser.add_argument("--suite", metavar="FILE.json", help="a list of rows {name, kind, model, shapes, variants: {runtime: model}}, with "
                        "models beside the file; tools/dev/suite_models.py writes cpu.json and unseen.json")
    parser.add_argument("--only", metavar="REGEX", default="", help="rows of the suite whose name matches")
    parser.add_argument("--against", type=_peers, default=[], metavar="RUNTIME,...", help=f"peers: {', '.join(PEERS)}")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=1x3x224x224", type=common.parse_shape,
                        help="fix the shape of an input; may be repeated")
    parser.add_argument("--threads", type=common.positive, default=1, help="threads of every runtime (default 1)")
    parser.add_argument("--rounds", type=common.positive, default=5, help="turns of each runtime (default 5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn (default 0.5)")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")


class Worker:
    """A process with one runtime; stopped unless it has a turn."""

    def __init__(self, runtime, model, threads, shapes, inputs):
        self.runtime, self.facts, self.error, self.minima = runtime, {}, None, {}
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tenon.bench_worker", runtime, model, str(threads), json.dumps(shapes), inputs],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)})
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


def measure(model, peers, threads=1, shapes=None, rounds=5, seconds=0.5, report=None, variants=None):
    """Rows (dicts) per kind of call and runtime, Tenon's first. `variants` has other files of the same model, by runtime."""
    from ..model import measure_peaks

    report = report or (lambda stage, done, total: None)
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for position, runtime in enumerate(["tenon", *peers]):
                report(f"loading in {runtime}", position, 1 + len(peers))
                workers.append(Worker(runtime, (variants or {}).get(runtime, model), threads, shapes or {}, os.path.join(folder, "inputs.npz")))
                if workers[0].error:
                    break
            peaks = (0.0, 0.0)
            calls = workers[0].facts.get("calls", ["run"])
            for index in range(rounds):
                for call in calls:
                    for worker in workers:
                        report(f"round {index + 1}: {worker.runtime}", index, rounds)
                        answer = worker.ask(seconds=seconds, call=call)
                        if "min_s" in answer:
                            worker.minima.setdefault(call, []).append(answer["min_s"])
                # A neighbour on the same core halves what is seen: the best of the rounds counts, as for the models.
                peaks = tuple(map(max, peaks, measure_peaks(threads)))
            for worker in workers:
                worker.peak_bytes = worker.ask(save=os.path.join(folder, f"{worker.runtime}.npz")).get("peak_bytes")
                worker.same = worker is workers[0] or not (worker.error or workers[0].error) and _same(
                    os.path.join(folder, "tenon.npz"), os.path.join(folder, f"{worker.runtime}.npz"), "tokens" in worker.facts)
            name = os.path.basename(model)
            return [row for call in calls
                    for row in _rows(workers, call, name if call == "run" else f"{name} {call}", threads, peaks)]
        finally:
            for worker in workers:
                worker.close()


def _rows(workers, call, name, threads, peaks):
    """The rows of one kind of call."""
    rows = []
    for worker in workers:
        facts = worker.facts
        row = {"model": name, "runtime": worker.runtime, "threads": threads, "version": facts.get("version"),
               "load_s": facts.get("load_s"), "peak_bytes": worker.peak_bytes, "error": worker.error}
        minima = worker.minima.get(call)
        if minima and not worker.error:
            row.update(median_s=statistics.median(minima), min_s=min(minima))
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


def _problems(options):
    """(name, kind, model, shapes, variants) of what is to be measured."""
    import re

    from .. import errors

    problems = [(os.path.basename(model), "model", model, dict(options.shape), {}) for model in options.model]
    if options.suite:
        try:
            with open(options.suite) as file:
                entries = json.load(file)
            folder = os.path.dirname(os.path.abspath(options.suite))
            problems += [(entry["name"], entry["kind"], os.path.join(folder, entry["model"]), entry.get("shapes", {}),
                          {runtime: os.path.join(folder, path) for runtime, path in entry.get("variants", {}).items()})
                         for entry in entries if re.search(options.only, entry["name"])]
        except OSError as error:
            raise errors.FileError(f"cannot read the suite {options.suite!r}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise errors.InvalidArgument(f"the suite {options.suite!r} is no list of rows with name, kind and model: {error!r}") from error
    if not problems:
        raise errors.InvalidArgument("expected a model, or a suite with rows")
    for _, _, model, _, _ in problems:
        if not os.path.isfile(model):
            raise errors.FileError(f"no file {model!r}")
    return problems


def _summary(rows, console):
    """Geometric means of the ratios to the best peer of each row, by kind, and the slowest rows."""
    best = {}
    for row in rows:
        if "ratio" in row and row["ratio"] < best.get(row["model"], (float("inf"),))[0]:
            best[row["model"]] = row["ratio"], row["runtime"], row["kind"]
    if len(best) < 2:
        return
    shown = common.table("tenon against the fastest peer of each row", ["kind", ">rows", ">geometric mean", ">slowest", "row", "peer"])
    for kind in [*dict.fromkeys(entry[2] for entry in best.values()), None]:
        chosen = {name: entry for name, entry in best.items() if kind is None or entry[2] == kind}
        name = min(chosen, key=lambda n: chosen[n][0])
        shown.add_row(kind or "all", str(len(chosen)), f"{statistics.geometric_mean(entry[0] for entry in chosen.values()):.2f}",
                      f"{chosen[name][0]:.2f}", name, chosen[name][1])
    console.print(shown)


def main(options):
    rows = []
    problems = _problems(options)
    for number, (name, kind, model, shapes, variants) in enumerate(problems):
        with common.progress(f"{name} ({number + 1} of {len(problems)})") as report:
            made = measure(model, options.against, options.threads, shapes, options.rounds, options.seconds, report, variants)
        for row in made:
            row["model"] = row["model"].replace(os.path.basename(model), name)
            row["kind"] = kind
        rows += made
    if options.json:
        print(json.dumps(rows, indent=2))
        return any(row["error"] for row in rows)
    shown = common.table(f"{options.threads} thread{'s' if options.threads > 1 else ''}, {options.rounds} rounds",
                         ["model", "runtime", ">load s", ">median ms", ">min ms", ">ratio", ">tokens/s", ">GFLOP/s",
                          ">roofline", ">memory MB"])
    for row in rows:
        number = lambda key, form, scale=1: form.format(row[key] * scale) if row.get(key) is not None else ""
        cells = [number("load_s", "{:.2f}"), number("median_s", "{:.3f}", 1e3), number("min_s", "{:.3f}", 1e3),
                 number("ratio", "{:.2f}") or ("wrong" if row.get("same") is False else ""),
                 number("tokens_per_s", "{:.1f}"), number("gflops", "{:.0f}"), number("roofline", "{:.0%}"), number("peak_bytes", "{:.0f}", 1e-6)]
        if row["error"]:
            cells[1] = "failed"
        shown.add_row(row["model"], f"{row['runtime']} {row['version'] or ''}", *cells)
    console = common.console()
    console.print(shown)
    peaks = next((row for row in rows if "peak_gflops" in row), None)
    if peaks:
        console.print(f"peaks measured in this run: {peaks['peak_gflops']:.0f} GFLOP/s, {peaks['peak_gbs']:.1f} GB/s; "
                      "ratio above 1: tenon is faster", highlight=False)
    _summary(rows, console)
    for row in rows:
        if row["error"]:
            console.print(f"{row['model']} in {row['runtime']}: {row['error']}", highlight=False, markup=False)
    return 1 if any(row["error"] or row.get("same") is False for row in rows) else 0
