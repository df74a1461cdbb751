"""`tenon explain --space`: the schedules that kernels may have, their axes, and the best by estimated cost."""
from . import common

#: What the axes of all families mean; a value with an entry per dim is a list.
MEANINGS = {
    "vector_dim": "the dim along which vectors run; a reduction dim: lanes hold partial sums",
    "vectors": "vectors of the register tile along it",
    "rows": "rows of the register tile, per dim; of an attention or of groups: rows of a unit",
    "pack": "factors copied to panels at each run (0 left, 1 right)",
    "prepack": "weights whose panels are made once, at load",
    "chunk": "steps of the first reduction dim that all tiles take before any goes on; 0: all",
    "unroll": "reduction dims that are unrolled",
    "parallel": "tile of a unit of parallel work, per dim; 0: not cut; []: as tiling cuts by itself",
    "decode_rows": "rows from which on panels of codes are decoded once; 0: never",
    "heads": "heads of a unit, which read the same keys",
    "keys": "keys of one step",
    "keys_per_unit": "keys of a unit; 0: all",
    "head_tile": "heads of the register tile",
    "row_tile": "rows of the register tile",
    "columns": "columns of a unit",
    "channels": "channels of a unit",
    "tile_rows": "rows of tiles of a unit",
    "vector_width": "elements of a vector",
}


def _value(value):
    return str(value[0]) if len(value) == 1 else str(value)


def _count(space):
    return f"{space['candidates']}" if space["exact"] else f"more than {space['candidates']}"


def _cost(cost):
    return "" if cost is None else f"{cost:.4f}"


def _overview(console, name, spaces, top):
    from rich.markup import escape

    shown = common.table(escape(f"{name}: schedules that the kernels may have"),
                         ["kernel", "nodes", ">candidates", ">cost", ">best", "in use"])
    for kernel, space in list(spaces.items())[:top]:
        best = space["best"][0] if space["best"] else {"cost": None}
        shown.add_row(escape(kernel), escape(", ".join(space["nodes"])), _count(space), _cost(space["used"]["cost"]),
                      _cost(best["cost"]), escape(space["used"]["schedule"]))
    console.print(shown)
    if len(spaces) > top:
        console.print(f"and {len(spaces) - top} more (--top)", highlight=False)
    console.print("--space KERNEL shows the axes of one, by its name or that of a node", highlight=False)


def _details(console, kernel, space):
    from rich.markup import escape

    shown = common.table(escape(f"{kernel} ({', '.join(space['nodes'])}): {_count(space)} candidates"),
                         ["axis", ">of", "in use", "values", "meaning"])
    for axis in space["axes"]:
        values = axis["values"]
        listed = ", ".join(map(_value, values[:8])) + (", ..." if len(values) > 8 else "")
        shown.add_row(axis["name"], str(len(values)), _value(axis["used"]), listed, MEANINGS[axis["name"]])
    console.print(shown)
    used, best = space["used"], space["best"]
    shown = common.table("by estimated cost, cycles per multiply-add" if used["cost"] is not None else "no cost model for this family",
                         ["", ">cost", "schedule"])
    shown.add_row("in use" if used["held"] else "in use, not in the space", _cost(used["cost"]), escape(used["schedule"]))
    for position, candidate in enumerate(best if any(candidate["cost"] is not None for candidate in best) else [], 1):
        shown.add_row(f"best {position}", _cost(candidate["cost"]), escape(candidate["schedule"]))
    console.print(shown)
    console.print("tn.compile(model, schedules={name: schedule}) tries one: docs/guides/schedules.md", highlight=False)


def main(options):
    import os

    from .. import errors
    from .. import model as api

    if options.model.endswith(".so"):
        raise errors.InvalidArgument(f"{options.model!r} is compiled already: --space wants the model it was made of")
    name = os.path.basename(options.model)
    with common.progress(f"compiling {name}") as report:
        spaces = api.schedule_spaces(options.model, options.target, options.precision, dict(options.shape), best=options.best,
                                     fusion=not options.no_fusion, progress=report)
    if options.space:
        spaces = {kernel: space for kernel, space in spaces.items() if options.space in (kernel, *space["nodes"])} or _unknown(options.space, spaces)
        for kernel, space in spaces.items():
            _details(common.console(), kernel, space)
        return
    _overview(common.console(), name, spaces, options.top)


def _unknown(wanted, spaces):
    from .. import errors

    raise errors.InvalidArgument(f"no kernel or node named {wanted!r} has a schedule space; the kernels are {', '.join(spaces) or 'none'}")
