"""compile a model to a shared object that needs no compiler

Writes a shared object (and, for weights that cannot stay in the model's file, OUTPUT.weights). `tn.load`, the C API
(tenon-c/tenon.h) and `tenon run OUTPUT` open it. Without -o the model is only put into the cache.
"""
from . import common


def add_arguments(parser):
    common.add_model(parser)
    common.add_compile_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE.so", help="where to write the shared object")


def main(options):
    import os

    from .. import errors

    if options.model.endswith(".so"):
        raise errors.InvalidArgument(f"{options.model!r} is compiled already")
    if options.output and not options.output.endswith(".so"):
        raise errors.InvalidArgument(f"expected an output named *.so, but got {options.output!r}")
    model = common.open_model(options, output=options.output)
    info = model.info
    console = common.console()
    path = options.output or info.get("path", "")
    size = f", {os.path.getsize(path) / 1024:.0f} KiB" if path and os.path.exists(path) else ""
    how = "found in the cache" if info.get("cached") else "compiled"
    console.print(f"{how}: {info.get('kernels', '?')} kernels in {info.get('seconds', 0):.2f} s -> {path}{size}",
                  highlight=False, soft_wrap=True)
    for kind, values in (("input", model.inputs), ("output", model.outputs)):
        for value in values:
            console.print(f"  {kind:6} {value}", highlight=False, markup=False, soft_wrap=True)
