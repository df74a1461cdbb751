"""show what became of a model: kernels, schedules, times, share of the roofline

Runs the model a few times on random inputs, and lists its kernels by time. A kernel's roofline is the longer of
flops / peak and bytes / bandwidth, both measured now on the threads in use; the share says how near it comes.
"""
from . import common


def add_arguments(parser):
    common.add_model(parser)
    common.add_compile_options(parser)
    common.add_dims(parser)
    parser.add_argument("--top", type=common.positive, default=20, help="kernels to show (default 20)")
    parser.add_argument("--json", action="store_true", help="print the manifest instead")


def main(options):
    import json
    import os

    from ..model import measure_peaks

    model = common.open_model(options)
    if options.json:
        print(json.dumps(model.explain(), indent=2))
        return
    arrays = common.random_inputs(model, options.dim)
    rows = sorted(model.profile(*arrays), key=lambda row: -row["ms"])
    threads = options.threads or len(os.sched_getaffinity(0))
    peaks = measure_peaks(threads)
    kernels = {kernel.get("name"): kernel for kernel in model.explain().get("kernels", [])}
    console = common.console()
    total = sum(row["ms"] for row in rows)
    shown = common.table(f"{os.path.basename(options.model)}: {total:.2f} ms in {len(rows)} kernels, {threads} threads",
                         ["kernel", ">calls", ">ms", ">%", ">GFLOP/s", ">GB/s", ">roofline", "schedule"])
    for row in rows[:options.top]:
        seconds = row["ms"] / 1e3
        share = row["roofline"]
        shown.add_row(row["name"], f"{row['calls']:.0f}", f"{row['ms']:.3f}", f"{100 * row['ms'] / max(total, 1e-9):.0f}",
                      f"{row['gflops']:.1f}", f"{row['bytes'] / seconds / 1e9 if seconds else 0:.1f}", f"{share:.0%}",
                      str(kernels.get(row["name"], {}).get("schedule", "")))
    console.print(shown)
    bound = sum(row["roofline"] * row["ms"] for row in rows)
    console.print(f"roofline {bound:.2f} ms ({bound / max(total, 1e-9):.0%} reached); peaks measured now: "
                  f"{peaks[0] / 1e9:.0f} GFLOP/s, {peaks[1] / 1e9:.1f} GB/s", highlight=False)
