"""compile a model to a shared object that needs no compiler

Writes a shared object (and, for weights that cannot stay in the model's file, OUTPUT.weights). `tn.load`, the C API
(tenon-c/tenon.h) and `tenon run OUTPUT` open it. Without -o the model is only put into the cache. --header writes what a C
program wants to know when it is compiled: the inputs' and outputs' positions, dtypes and shapes.
"""
from . import common


def add_arguments(parser):
    common.add_model(parser)
    common.add_compile_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE.so", help="where to write the shared object")
    parser.add_argument("--header", metavar="FILE.h", help="write the model's interface as a C header")


def _identifiers(names):
    """C identifiers in upper case for names, no two alike."""
    import re

    made = []
    for name in names:
        base = identifier = re.sub(r"\W", "_", name, flags=re.ASCII).upper() or "_"
        count = 1
        while identifier in made:
            count += 1
            identifier = f"{base}_{count}"
        made.append(identifier)
    return made


def _header(model, stem, source):
    """The text of a C header for a compiled model; all names start with that of the file."""
    from ..model import extension, version

    prefix, = _identifiers([f"TENON_{stem}" if stem[:1].isdigit() else stem])
    constants, shapes = [], []
    for kind, values in (("INPUT", model.inputs), ("OUTPUT", model.outputs)):
        constants.append(f"  {prefix}_{kind}_COUNT = {len(values)},")
        names = _identifiers([value.name for value in values])
        for position, (value, name) in enumerate(zip(values, names)):
            name = f"{prefix}_{kind}_{name}"
            text = str(value).replace("*/", "* /")
            constants += [f"  {name} = {position}, /* {text} */",
                          f"  {name}_DTYPE = {extension().dtype_code(value.dtype)}, {name}_RANK = {len(value.shape)},"]
            sizes = ", ".join(str(dim) if isinstance(dim, int) else "-1" for dim in value.shape)
            shapes.append(f"#define {name}_SHAPE {{{sizes or '0'}}}")
    constants[-1] = constants[-1].rstrip(",")
    return "\n".join([f"/* {source.replace('*/', '* /')}, compiled by Tenon {version()}: what goes in and comes out, for"
                      " tenon_model_run_tensors.", " * Dtypes are those of enum tenon_dtype. */",
                      f"#ifndef {prefix}_H", f"#define {prefix}_H", "", "enum {", *constants, "};", "",
                      "/* Initializers of int64_t[]; -1 where each call decides, 0 alone for rank 0. */", *shapes, "",
                      "#endif", ""])


def main(options):
    import os

    from .. import errors

    if options.model.endswith(".so") and not options.header:
        raise errors.InvalidArgument(f"{options.model!r} is compiled already")
    if options.output and not options.output.endswith(".so"):
        raise errors.InvalidArgument(f"expected an output named *.so, but got {options.output!r}")
    if options.header and not options.header.endswith(".h"):
        raise errors.InvalidArgument(f"expected a header named *.h, but got {options.header!r}")
    model = common.open_model(options, output=options.output)
    if options.header:
        stem = os.path.splitext(os.path.basename(options.header))[0]
        with open(options.header, "w", encoding="utf-8") as file:
            file.write(_header(model, stem, os.path.basename(options.model)))
    info = model.info
    console = common.console()
    path = info["path"] or "no file"
    size = f", {os.path.getsize(path) / 1024:.0f} KiB" if info["path"] else ""
    how = "loaded" if options.model.endswith(".so") else "found in the cache" if info["cached"] else "compiled"
    console.print(f"{how}: {info['kernels']} kernels in {info['seconds']:.2f} s -> {path}{size}", highlight=False,
                  soft_wrap=True)
    for kind, values in (("input", model.inputs), ("output", model.outputs)):
        for value in values:
            console.print(f"  {kind:6} {value}", highlight=False, markup=False, soft_wrap=True)
