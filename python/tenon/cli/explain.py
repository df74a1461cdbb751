"""show what became of a model: kernels, schedules, times, share of the roofline

Runs the model a few times on random inputs, and lists its kernels by time. A kernel's roofline is the longer of
flops / peak and bytes / bandwidth, both measured now on the threads in use; the share says how near it comes. Below it
stands what was not fused, and why.
"""
from . import common

EPILOG = """--html FILE writes one page that needs nothing else: the graph of kernels in the order in which they run, with each one's
time, share of the roofline, schedule, shapes, the model's nodes in it, and what was not fused. A click on a kernel shows all
of it; page.html#kernel-3 opens there. Small kernels fold away, and a field finds kernels by the names of their nodes.

--space lists the schedules that each kernel may have instead, and runs nothing: how many, the estimated cost of the one in use and
of the best. --space KERNEL shows one kernel (by its name or that of a node in it): the axes of its schedules with their values and what
they mean, and the best few beside the one in use. Costs are estimates; `tn.compile(..., schedules={kernel: schedule})` and a
measurement say what is true.

examples
  tenon explain model.onnx                          the twenty longest kernels
  tenon explain model.onnx --dim N=8 --threads 1    with a size that the model leaves open, on one thread
  tenon explain model.onnx --html model.html        as a page
  tenon explain model.onnx --space                  how many schedules each kernel may have
  tenon explain model.onnx --space k3_conv --best 8 the axes of one, and the eight cheapest by estimate
  tenon explain model.so --json                     the manifest: kernels, schedules, graph, remarks; nothing is run"""


def add_arguments(parser):
    parser.epilog = EPILOG
    common.add_model(parser)
    common.add_compile_options(parser)
    common.add_dims(parser)
    parser.add_argument("--top", type=common.positive, default=20, help="kernels and remarks to show (default 20)")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--html", metavar="FILE", help="write a page with the graph of kernels")
    shown.add_argument("--json", action="store_true", help="print the manifest instead")
    shown.add_argument("--space", nargs="?", const="", metavar="KERNEL", help="show the schedules that the kernels, or one kernel, may have")
    parser.add_argument("--best", type=common.positive, default=3, help="with --space: how many of the cheapest schedules (default 3)")


def main(options):
    import json
    import os

    from rich.markup import escape

    from .. import errors
    from ..model import measure_peaks

    if options.space is not None:
        from . import explain_space

        explain_space.main(options)
        return
    model = common.open_model(options)
    manifest = model.explain()
    if options.json:
        print(json.dumps(manifest, indent=2))
        return
    arrays = common.random_inputs(model, options.dim)
    threads = options.threads or len(os.sched_getaffinity(0))
    peaks = measure_peaks(threads)
    rows = sorted(model.profile(*arrays, peaks=peaks), key=lambda row: -row["ms"])
    name = os.path.basename(options.model)
    if options.html:
        from . import explain_page

        shapes = {value.name: "x".join(map(str, array.shape)) or "scalar" for value, array in zip(model.inputs, arrays)}
        try:
            with open(options.html, "w", encoding="utf-8") as file:
                file.write(explain_page.page(name, manifest, rows, threads, peaks, shapes))
        except OSError as error:
            raise errors.FileError(f"cannot write {options.html!r}: {error.strerror}") from error
        print(f"wrote {options.html}")
        return
    kernels = {kernel.get("name"): kernel for kernel in manifest.get("kernels", [])}
    console = common.console()
    total = sum(row["ms"] for row in rows)
    shown = common.table(escape(f"{name}: {total:.2f} ms in {len(rows)} kernels, {threads} threads"),
                         ["kernel", ">calls", ">ms", ">%", ">GFLOP/s", ">GB/s", ">roofline", "schedule"])
    for row in rows[:options.top]:
        seconds = row["ms"] / 1e3
        share = row["roofline"]
        shown.add_row(escape(row["name"]), f"{row['calls']:.0f}", f"{row['ms']:.3f}", f"{100 * row['ms'] / max(total, 1e-9):.0f}",
                      f"{row['gflops']:.1f}", f"{row['bytes'] / seconds / 1e9 if seconds else 0:.1f}", f"{share:.0%}",
                      escape(str(kernels.get(row["name"], {}).get("schedule", ""))))
    console.print(shown)
    bound = sum(row["roofline"] * row["ms"] for row in rows)
    console.print(f"roofline {bound:.2f} ms ({bound / max(total, 1e-9):.0%} reached); peaks measured now: "
                  f"{peaks[0] / 1e9:.0f} GFLOP/s, {peaks[1] / 1e9:.1f} GB/s", highlight=False)
    remarks = manifest.get("remarks", [])
    if remarks:
        shown = common.table("not fused", ["node", "why"])
        for remark in remarks[:options.top]:
            shown.add_row(escape(remark["node"]), escape(remark["message"]))
        console.print(shown)
        if len(remarks) > options.top:
            console.print(f"and {len(remarks) - options.top} more", highlight=False)
