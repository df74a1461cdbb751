"""tenon.grouped_matmul."""
import numpy as np

from program import DTYPES, Program

from .activations import ACTIVATIONS

AXES = {
    "groups": ("one", "ragged", "empty groups", "all empty", "one takes all", "rows in no group"),
    "length": ("none", "one", "few", "tiles", "many"),
    "depth": ("one", "odd", "vectors"), "columns": ("one", "odd", "vectors", "many"),
    "gather": ("in order", "rows"), "scatter": ("none", "sums", "scaled", "from zeros", "scaled from zeros"),
    "biases": ("none", "biases"), "factors": ("none", "factors"), "activation": tuple(ACTIVATIONS),
    "weights": ("arguments", "stored"), "dtype": DTYPES, "dims": ("static", "dynamic"),
}
LENGTHS = {"none": (0,), "one": (1,), "few": (2, 3, 5, 7, 9, 17), "tiles": (16, 32, 64), "many": (100, 130, 300)}
DEPTHS = {"one": (1,), "odd": (3, 7, 17, 33), "vectors": (8, 16, 64)}
COLUMNS = {"one": (1,), "odd": (2, 3, 5, 7, 17, 33, 65), "vectors": (8, 16, 64), "many": (100, 130, 300)}


def cut(r, n, groups, length):
    """How many groups there are, and the offsets of their rows."""
    if groups == "one":
        return np.array([0, length])
    count = r.choice((2, 3, 8, 13))
    if groups == "all empty":
        return np.full(count + 1, r.randint(0, length))
    cuts = np.sort(n.integers(0, length + 1, count + 1))
    if groups == "rows in no group":
        return cuts
    cuts[0], cuts[-1] = 0, length
    if groups == "empty groups":  # all but a few
        cuts[1:-1] = np.sort(n.choice(n.integers(0, length + 1, 2), count - 1))
    if groups == "one takes all":
        at = r.randrange(count)
        cuts[:at + 1], cuts[at + 1:] = 0, length
    return cuts


class Grouped(Program):
    def draw(self):
        r, n, c = self.r, self.n, self.choice
        length, depth, columns = r.choice(LENGTHS[c["length"]]), r.choice(DEPTHS[c["depth"]]), r.choice(COLUMNS[c["columns"]])
        cuts = cut(r, n, c["groups"], length)
        groups, gather, scatter = len(cuts) - 1, c["gather"] == "rows", c["scatter"] != "none"
        rows = r.choice((1, 2, 5, 16, 33)) if gather else length
        targets = r.choice((1, 2, 5, 16, 33)) if scatter else length
        self.title += f" {c['activation']} {rows}x{depth}x{columns} groups {cuts.tolist()} of {length}"
        self.title += "".join(f" {name} {c[name]}" for name in ("gather", "scatter", "biases", "factors") if c[name] not in ("none", "in order"))
        x, x_type, xs = self.argument("x", self.normal(rows, depth), (0,))
        w, w_type, ws = self.weight("w", self.normal(groups, depth, columns))
        o, o_type, _ = self.argument("o", cuts, (), "i64")
        read = n.integers(0, rows, length) if gather else np.arange(length)
        y, inside, text = np.zeros((length, columns)), np.zeros(length, bool), ""
        for e in range(groups):
            part = slice(cuts[e], cuts[e + 1])
            inside[part] = True
            y[part] = xs[read[part]] @ ws[e]
        if gather:
            name, kind, _ = self.argument("r", read, (0,), "i64")
            text += f" rows {name} : {kind}"
        if c["biases"] == "biases":
            name, kind, b = self.argument("b", self.normal(groups, columns))
            text += f" biases {name} : {kind}"
            for e in range(groups):
                y[cuts[e]:cuts[e + 1]] += b[e]
        y = ACTIVATIONS[c["activation"]](y)
        if c["factors"] == "factors":
            name, kind, f = self.argument("f", self.normal(length, columns), (0,))
            text += f" factors {name} : {kind}"
            y *= f
        init, kind, expected = self.argument("i", self.normal(targets, columns), (0,))
        if not scatter:
            expected[inside] = y[inside]
        else:
            to = n.integers(0, targets, length)
            name, to_type, _ = self.argument("s", to, (0,), "i64")
            text += f" scatter {name} : {to_type}"
            if "scaled" in c["scatter"]:
                name, scales_type, scales = self.argument("c", self.normal(length), (0,))
                text += f" scales {name} : {scales_type}"
                y = y * scales[:, None]
            if "zeros" in c["scatter"]:
                expected[:] = 0
                init = self.zeros(init, kind)
            np.add.at(expected, to[inside], y[inside])
        self.lines.append(f"%y = tenon.grouped_matmul {c['activation']} {x}, {w} offsets {o}{text} outs({init} : {kind}) : "
                          f"{x_type}, {w_type}, {o_type} -> {kind}")
        self.result("%y", kind, expected)

    def zeros(self, like, kind):
        self.lines.append(f"%zero = arith.constant 0.0 : {self.dtype}")
        if self.dynamic:
            self.lines += ["%c0 = arith.constant 0 : index", f"%d = tensor.dim {like}, %c0 : {kind}"]
        self.lines += [f"%e = tensor.empty({'%d' if self.dynamic else ''}) : {kind}",
                       f"%z = linalg.fill ins(%zero : {self.dtype}) outs(%e : {kind}) -> {kind}"]
        return "%z"
