"""time a model, beside other runtimes if wanted

Each runtime lives in a process of its own; they take turns, and the others are stopped meanwhile. Every runtime gets the
same inputs and number of threads, and its outputs are compared with Tenon's: a wrong row gets no ratio. Shown are the median
and the minimum of the rounds' fastest calls; the ratio is peer / tenon of the medians (above 1: tenon is faster). The
roofline's peaks are measured in the same run.
"""
import argparse
import json
import os
import statistics
from typing import NamedTuple

from ..bench.measure import PEERS
from . import common

EPILOG = """the runtimes
  onnxruntime  reads the model itself, on its CPU provider
  openvino     reads the model itself, in float32 and for latency
  jax          the model's operators as one jax.jit function (tenon.bench.jax_peer has the operators that it knows)
  iree         imported from ONNX, compiled for this processor with O3 and data tiling; its load time is mostly that
  llama.cpp    language models (.gguf): a prompt of 512 tokens, and 32 tokens one by one behind 128; outputs are alike
               where the cosine of the logits is above 0.99, as llama.cpp rounds activations to 8 bits
What a runtime cannot run is a row with the reason. `make setup-peers` installs all of them in a source tree; elsewhere
pip install onnxruntime openvino 'jax[cpu]' iree-base-compiler iree-base-runtime llama-cpp-python, as wanted.

how to read it
  load s     to read and compile the model and to run it once; Tenon takes what its cache has, unless --cold is given
  ratio      the peer's median / Tenon's; 'wrong' where outputs differ, so that no time is worth comparing
  cores      processor time by time: about the threads, less where a runtime waits
  roofline   what this machine's peaks would take for the model's flops and bytes / the time that was taken
  memory MB  the most that the process held, with its libraries; jax compiles in the same process

examples
  tenon bench model.onnx                                         Tenon alone
  tenon bench model.onnx --against onnxruntime,iree --threads 2  beside others, two threads each
  tenon bench model.onnx --shape x=1x3x640x640                   with the size of an input that the model leaves open
  tenon bench --suite cpu.json --only 'conv|attention' --against jax --json > rows.json
  tenon bench --suite cpu.json --against onnxruntime --plot ratios.svg
  tenon bench --suite cpu.json --cold --rounds 1                 how long compiling takes, and how much memory

exit status: 0 all is well, 1 Tenon failed or outputs differ (of models named one by one: or a runtime failed), 130 interrupted;
what was measured until then is shown."""


def _peers(text):
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"no runtime {name!r} to compare with; there are: {', '.join(PEERS)}")
    return list(dict.fromkeys(names))


def _seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, but got {text!r}")
    return value


def _picture(text):
    if os.path.splitext(text)[1] not in (".svg", ".png"):
        raise argparse.ArgumentTypeError(f"expected a file named *.svg or *.png, but got {text!r}")
    return text


def add_arguments(parser):
    parser.epilog = EPILOG
    what = parser.add_argument_group("what to measure")
    common.add_model(what, nargs="*")
    what.add_argument("--suite", metavar="FILE.json", help="a list of rows {name, kind, model} and, where needed, {shapes, variants: {runtime: "
                      "model}, inputs: {runtime: file.npz}, note}, with files beside it; tools/dev/suite_models.py writes cpu.json and unseen.json")
    what.add_argument("--only", metavar="REGEX", default="", help="rows of the suite whose name matches")
    what.add_argument("--shape", action="append", default=[], metavar="NAME=1x3x224x224", type=common.parse_shape,
                      help="fix the shape of an input; may be repeated")
    how = parser.add_argument_group("how")
    how.add_argument("--against", type=_peers, default=[], metavar="RUNTIME,...", help=f"peers: {', '.join(PEERS)}")
    how.add_argument("--threads", type=common.positive, default=1, help="threads of every runtime (default 1)")
    common.add_precision(how)
    how.add_argument("--cold", action="store_true", help="Tenon compiles all anew, as if its cache were empty")
    how.add_argument("--rounds", type=common.positive, default=5, help="turns of each runtime (default 5)")
    how.add_argument("--seconds", type=_seconds, default=0.5, help="length of a turn (default 0.5)")
    shown = parser.add_argument_group("what is shown")
    shown.add_argument("--json", action="store_true", help="print rows as JSON, with all that was measured")
    shown.add_argument("--plot", metavar="FILE", type=_picture, help="draw the ratios to FILE (.svg or .png); needs matplotlib")
    shown.add_argument("--plot-memory", action="store_true", help="with --plot: the peak memory of each row beside its ratios")


class Problem(NamedTuple):
    name: str
    kind: str
    model: str
    shapes: dict
    variants: dict
    inputs: dict
    note: str

    @property
    def calls(self):
        return 2 if self.model.endswith(".gguf") else 1


def _problems(options):
    """What is to be measured."""
    import re

    from .. import errors

    problems = [Problem(os.path.basename(model), "model", model, dict(options.shape), {}, {}, "") for model in options.model]
    if options.suite:
        try:
            with open(options.suite) as file:
                entries = json.load(file)
            folder = os.path.dirname(os.path.abspath(options.suite))
            inside = lambda files: {runtime: os.path.join(folder, path) for runtime, path in files.items()}
            problems += [Problem(entry["name"], entry["kind"], os.path.join(folder, entry["model"]), entry.get("shapes", {}),
                                 inside(entry.get("variants", {})), inside(entry.get("inputs", {})), entry.get("note", ""))
                         for entry in entries if re.search(options.only, entry["name"])]
        except OSError as error:
            raise errors.FileError(f"cannot read the suite {options.suite!r}: {error.strerror}") from error
        except re.error as error:
            raise errors.InvalidArgument(f"--only {options.only!r} is no regular expression: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise errors.InvalidArgument(f"the suite {options.suite!r} is no list of rows with name, kind and model: {error!r}") from error
    if not problems:
        raise errors.InvalidArgument("expected a model, or a suite with rows")
    for problem in problems:
        for path in (problem.model, *problem.variants.values(), *problem.inputs.values()):
            if not os.path.isfile(path):
                raise errors.FileError(f"no file {path!r}")
    return problems


def _said(rows):
    """One line about the rows of a problem that is done."""
    parts = []
    for row in rows:
        if row["error"]:
            parts.append(f"{row['runtime']} failed")
        elif row["runtime"] == "tenon":
            parts.append(f"tenon {row['median_s'] * 1e3:.3f} ms")
        else:
            parts.append(f"{row['runtime']} {row['median_s'] * 1e3:.3f} ms ({format(row['ratio'], '.2f') if 'ratio' in row else 'wrong'})")
    return ", ".join(parts)


def _measure(problems, options, rows):
    """Adds the rows of each problem to `rows`, under one bar for all."""
    from ..bench import measure

    total = sum(measure.steps(options.against, options.rounds, problem.calls) for problem in problems)
    with common.progress("bench", remaining=True) as report:
        before = 0
        for number, problem in enumerate(problems):
            title, done = f"{problem.name} ({number + 1} of {len(problems)})", before

            def step(stage):
                nonlocal done
                report(f"{title}: {stage}", done, total)
                done += 1

            made = measure.measure(problem.model, options.against, options.threads, problem.shapes, options.rounds, options.seconds,
                                   step, problem.variants, problem.inputs, options.precision, options.cold)
            before += measure.steps(options.against, options.rounds, problem.calls)
            for row in made:
                row["model"] = row["model"].replace(os.path.basename(problem.model), problem.name)
                row["kind"] = problem.kind
                if problem.note:
                    row["note"] = problem.note
            rows += made
            if len(problems) > 1:
                report.log(f"{number + 1}/{len(problems)} {problem.name}: {_said(made)}")


def _summary(rows, console):
    """Geometric means of the ratios to the best peer of each row, by kind, and the slowest rows."""
    from rich.markup import escape

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
        shown.add_row(escape(kind or "all"), str(len(chosen)), f"{statistics.geometric_mean(entry[0] for entry in chosen.values()):.2f}",
                      f"{chosen[name][0]:.2f}", escape(name), chosen[name][1])
    console.print(shown)
    shown = common.table("each peer", ["peer", ">rows", ">geometric mean", ">wrong", ">failed"])
    for peer in dict.fromkeys(row["runtime"] for row in rows if row["runtime"] != "tenon"):
        own = [row for row in rows if row["runtime"] == peer]
        ratios = [row["ratio"] for row in own if "ratio" in row]
        shown.add_row(peer, str(len(ratios)), f"{statistics.geometric_mean(ratios):.2f}" if ratios else "",
                      str(sum(row.get("same") is False for row in own)), str(sum(bool(row["error"]) for row in own)))
    console.print(shown)


def _compiles(rows, console):
    """The slowest cold compiles, by kind."""
    from rich.markup import escape

    own = [row for row in rows if row["runtime"] == "tenon" and row.get("compile_s")]
    shown = common.table("cold compiles: importing, kernels and packing", ["kind", ">rows", ">median s", ">longest s", "row"])
    for kind in dict.fromkeys(row["kind"] for row in own):
        chosen = [row for row in own if row["kind"] == kind]
        last = max(chosen, key=lambda row: row["compile_s"])
        shown.add_row(escape(kind), str(len(chosen)), f"{statistics.median(row['compile_s'] for row in chosen):.2f}",
                      f"{last['compile_s']:.2f}", escape(last["model"]))
    console.print(shown)


def _show(rows, options):
    from rich.markup import escape

    shown = common.table(f"{options.threads} thread{'s' if options.threads > 1 else ''}, {options.rounds} rounds",
                         ["model", "runtime", ">load s", ">median ms", ">min ms", ">ratio", ">cores", ">tokens/s", ">GFLOP/s",
                          ">roofline", ">memory MB"])
    for row in rows:
        number = lambda key, form, scale=1: form.format(row[key] * scale) if row.get(key) is not None else ""
        cells = [number("load_s", "{:.2f}"), number("median_s", "{:.3f}", 1e3), number("min_s", "{:.3f}", 1e3),
                 number("ratio", "{:.2f}") or ("wrong" if row.get("same") is False else ""), number("cores", "{:.2f}"),
                 number("tokens_per_s", "{:.1f}"), number("gflops", "{:.0f}"), number("roofline", "{:.0%}"), number("peak_bytes", "{:.0f}", 1e-6)]
        if row["error"]:
            cells[1] = "failed"
        shown.add_row(escape(row["model"]), f"{row['runtime']} {row['version'] or ''}", *cells)
    console = common.console()
    console.print(shown)
    peaks = next((row for row in rows if "peak_gflops" in row), None)
    if peaks:
        console.print(f"peaks measured in this run: {peaks['peak_gflops']:.0f} GFLOP/s, {peaks['peak_gbs']:.1f} GB/s; "
                      "ratio above 1: tenon is faster", highlight=False)
    _summary(rows, console)
    if options.cold:
        _compiles(rows, console)
    for name, note in dict.fromkeys((row["model"], row["note"]) for row in rows if "note" in row):
        console.print(f"{name}: {note}", highlight=False, markup=False)
    for row in rows:
        if row["error"]:
            console.print(f"{row['model']} in {row['runtime']}: {row['error']}", highlight=False, markup=False)


def main(options):
    problems, rows, interrupted = _problems(options), [], False
    if options.plot:
        from ..bench import plot

        plot.check(options.plot)
    try:
        _measure(problems, options, rows)
    except KeyboardInterrupt:
        if not rows:
            raise
        interrupted = True
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        _show(rows, options)
    if options.plot:
        plot.draw(rows, options.plot, options.plot_memory)
    if interrupted:
        return 130
    failed = any(row["error"] and (row["runtime"] == "tenon" or not options.suite) for row in rows)
    return 1 if failed or any(row.get("same") is False for row in rows if not row["error"]) else 0
