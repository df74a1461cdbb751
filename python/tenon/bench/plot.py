"""The rows of `tenon bench` as a picture: for each model a bar per peer, from 1 to the ratio of times, on a log axis."""
import os

from .. import errors

COLOURS = {"onnxruntime": "#4477aa", "openvino": "#228833", "jax": "#ccbb44", "iree": "#aa3377", "llama.cpp": "#ee6677", "tenon": "#222222"}


def check(path):
    """Says what would keep a picture from being drawn, before anything is measured."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f"--plot needs matplotlib ({error}); pip install matplotlib") from error
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise errors.FileError(f"cannot write {path!r}: the folder {folder!r} is not there or not writeable")


def _order(rows):
    """[(kind, [model])] in the order of the rows."""
    kinds = {}
    for row in rows:
        names = kinds.setdefault(row.get("kind", "model"), [])
        if row["model"] not in names:
            names.append(row["model"])
    return list(kinds.items())


def draw(rows, path, memory=False):
    """Draws `rows`; with `memory` a second column has each process's peak."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def scale(axes):
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())

    peers = list(dict.fromkeys(row["runtime"] for row in rows if row["runtime"] != "tenon"))
    found = {(row["model"], row["runtime"]): row for row in rows}
    height = 0.8 / max(len(peers), 1)
    places, labels, headings, y = {}, [], [], 0.0
    for kind, names in _order(rows):
        headings.append((y, kind))
        y += 0.8
        for name in names:
            places[name] = y
            labels.append((y, name))
            y += 1
    figure = Figure(figsize=(12 if memory else 9, 1.6 + 0.14 * (1 + max(len(peers), 1)) * y), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if memory else 1, sharey=True, width_ratios=[3, 1] if memory else None, squeeze=False)[0]
    left = axes[0]
    ratios = [row["ratio"] for row in rows if "ratio" in row]
    low, high = min([0.8, *ratios]) * 0.8, max([1.25, *ratios]) * 1.4
    for index, peer in enumerate(peers):
        for name, centre in places.items():
            row = found.get((name, peer))
            if row is None:
                continue
            at = centre - 0.4 + height * (index + 0.5)
            if "ratio" in row:
                left.barh(at, row["ratio"] - 1, height * 0.92, left=1, color=COLOURS[peer])
                left.annotate(f"{row['ratio']:.2f}", (row["ratio"], at), (3 if row["ratio"] >= 1 else -3, 0), textcoords="offset points",
                              va="center", ha="left" if row["ratio"] >= 1 else "right", fontsize=6)
            else:
                left.annotate("failed" if row.get("error") else "wrong", (1, at), (3, 0), textcoords="offset points", va="center",
                              fontsize=6, color=COLOURS[peer], style="italic")
        left.barh([0], [0], color=COLOURS[peer], label=peer)  # the legend's entry, whatever was measured
    left.axvline(1, color="#222222", linewidth=0.8)
    left.set_xscale("log")
    left.set_xlim(low, high)
    scale(left)
    left.grid(axis="x", linewidth=0.3)
    left.set_axisbelow(True)
    left.set_ylim(y - 0.4, -0.6)
    left.set_yticks([place for place, _ in labels], [name for _, name in labels], fontsize=7)
    for place, kind in headings:
        left.annotate(kind, (0, place), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=8,
                      weight="bold", parse_math=False)
    for label in left.get_yticklabels():
        label.set_parse_math(False)  # a '$' in a name is a '$'
    threads = rows[0]["threads"] if rows else 1
    left.set_xlabel("peer's time / tenon's time; right of 1 tenon is faster")
    left.set_title(f"{threads} thread{'s' if threads > 1 else ''}", fontsize=9, loc="left")
    if memory:
        left.plot([], [], "o", markersize=3, color=COLOURS["tenon"], label="tenon (memory)")
    if peers or memory:
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(peers) + memory, frameon=False, fontsize=8)
    if memory:
        right = axes[1]
        for index, runtime in enumerate(["tenon", *peers]):
            known = [(found[name, runtime]["peak_bytes"] / 1e6, centre - 0.4 + 0.8 * (index + 0.5) / (1 + len(peers)))
                     for name, centre in places.items() if found.get((name, runtime), {}).get("peak_bytes")]
            right.plot([x for x, _ in known], [at for _, at in known], "o", markersize=3, color=COLOURS[runtime])
        right.set_xscale("log")
        scale(right)
        right.set_xlabel("peak memory of the process, MB")
        right.grid(linewidth=0.3)
        right.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=150, metadata={"Title": "tenon bench"} if path.endswith(".svg") else None)
