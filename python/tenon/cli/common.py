"""What the commands share: options of a model, the progress bar, tables."""
import argparse
import os
import sys

from .. import errors


def add_model(parser, nargs=None):
    parser.add_argument("model", nargs=nargs, help="a .onnx or .mlir file, or a .so that `tenon compile` wrote")


def add_compile_options(parser):
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=1x3x224x224", type=parse_shape,
                        help="fix the shape of an input ('?' keeps a dim open); may be repeated")
    parser.add_argument("--target", default="host", help="'host' (default) or a target such as x86-64-v3")
    parser.add_argument("--threads", type=positive, help="threads to run with (default: all that may be used)")
    parser.add_argument("--timing", action="store_true", help="print how long each pass took (implies --no-cache)")
    parser.add_argument("--no-cache", action="store_true", help="compile even what the cache has")
    parser.add_argument("--no-fusion", action="store_true", help="make a kernel of every op, to see what fusion is worth")
    add_precision(parser)


def add_precision(parser):
    parser.add_argument("--precision", choices=("reorder", "fast"), default="reorder",
                        help="reorder (default): the same operations in another order; fast: results within stated error bounds, as of "
                        "Winograd's algorithm for 3x3 convolutions, Fourier transforms for long depthwise ones and shorter exponentials")


def parse_shape(text):
    name, separator, dims = text.rpartition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected NAME=DIMxDIM..., but got {text!r}")
    try:
        shape = [None if dim == "?" else int(dim) for dim in dims.replace(",", "x").split("x") if dim]
    except ValueError:
        shape = [-1]
    if any(dim is not None and dim < 0 for dim in shape):
        raise argparse.ArgumentTypeError(f"expected dims like 1x3x224x224, but got {dims!r}")
    return name, shape


def parse_dim(text):
    name, separator, size = text.rpartition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"expected SYMBOL=N, but got {text!r}")
    return name, positive(size)


def positive(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, but got {text!r}")
    return value


def add_dims(parser):
    parser.add_argument("--dim", action="append", default=[], metavar="SYMBOL=N", type=parse_dim,
                        help="the size of an open dim of random inputs; may be repeated")


def random_inputs(model, dims):
    """Random arrays for a model whose open dims are as the option --dim says, or 1."""
    known = {dim for value in model.inputs for dim in value.shape if isinstance(dim, str)}
    for name, _ in dims:
        if name not in known:
            raise errors.InvalidArgument(f"no dim named {name!r}; the open dims are {', '.join(sorted(known)) or 'none'}")
    return model.random_inputs(**dict(dims))


def open_model(options, output=None, specialize=None):
    """Compiles or loads what the options name, with a progress bar on a terminal."""
    from .. import model as api

    if options.model.endswith(".so"):
        if specialize:
            raise errors.InvalidArgument(f"cannot specialise {options.model!r}: it is compiled already; expected the model that it "
                                         "was compiled from")
        return api.load(options.model, options.threads)
    with progress(f"compiling {os.path.basename(options.model)}") as report:
        model = api.compile(options.model, options.target, options.threads, shapes=dict(options.shape), output=output,
                            cache=not options.no_cache, timing=options.timing, progress=report, fusion=not options.no_fusion,
                            precision=options.precision, specialize=specialize)
    if options.timing:
        print(model.info["timing"], file=sys.stderr)
    return model


class progress:
    """A bar on standard error that follows (stage, done, total); where that is no terminal only what is logged.

    `with progress(title) as report`: report(stage, done, total), and report.log(text), a line above the bar. `remaining`
    also shows the time that is left.
    """

    def __init__(self, title, remaining=False):
        self.title, self.remaining, self.bar, self.task = title, remaining, None, None

    def __enter__(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        console = Console(stderr=True)
        if console.is_terminal:
            columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[count]}"),
                       TimeElapsedColumn(), *([TimeRemainingColumn(), TextColumn("left")] if self.remaining else [])]
            self.bar = Progress(*columns, console=console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=None, count="")
        return self

    def __call__(self, stage, done, total):
        if self.bar is not None:
            self.bar.update(self.task, description=f"{self.title}: {stage}", total=total or None, completed=done,
                            count=f"{done}/{total}" if total else "")

    def log(self, text):
        if self.bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self.bar.console.print(text, markup=False, highlight=False)

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.stop()


def table(title, columns):
    """A rich table; columns that start with '>' are right-aligned."""
    from rich.table import Table

    result = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        result.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left",
                          no_wrap=column.startswith(">"))
    return result


def console():
    from rich.console import Console

    plain = Console()
    return plain if plain.is_terminal else Console(width=140)


def read_inputs(model, given, dims):
    """Arrays for a model: those named in `given` (name -> file), random ones for the rest."""
    import numpy as np

    names = [value.name for value in model.inputs]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise errors.InvalidArgument(f"no input named {unknown[0]!r}; the inputs are "
                                     f"{', '.join(map(str, model.inputs))}")
    arrays = random_inputs(model, dims)
    for position, name in enumerate(names):
        if name not in given:
            continue
        try:
            if given[name].endswith(".pb"):
                import onnx

                tensor = onnx.TensorProto()
                with open(given[name], "rb") as file:
                    tensor.ParseFromString(file.read())
                arrays[position] = onnx.numpy_helper.to_array(tensor)
            else:
                with open(given[name], "rb") as file:
                    arrays[position] = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise errors.FileError(f"cannot read input {name!r} from {given[name]!r}: {error}") from error
    return arrays
