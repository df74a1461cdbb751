"""tenon.recurrence."""
import numpy as np

from program import DTYPES, Program

from .cells import BODIES, CELLS, step

AXES = {
    "cell": tuple(CELLS), "steps": ("none", "one", "few", "many"), "batch": ("none", "one", "several"), "width": ("one", "odd", "vectors"),
    "direction": ("forward", "reverse"), "lengths": ("all", "i32", "i64"), "dtype": DTYPES, "dims": ("static", "dynamic"),
}


class Recurrence(Program):
    def draw(self):
        r, n, c = self.r, self.n, self.choice
        cell, reverse, ragged = c["cell"], c["direction"] == "reverse", c["lengths"] != "all"
        gates, states = CELLS[cell]
        steps = r.choice({"none": (0,), "one": (1,), "few": (2, 3, 7), "many": (16, 25)}[c["steps"]])
        b = r.choice({"none": (0,), "one": (1,), "several": (2, 3, 5, 8)}[c["batch"]])
        h = r.choice({"one": (1,), "odd": (3, 17, 33), "vectors": (8, 16)}[c["width"]])
        element, sums = self.dtype, self.dtype
        self.title += f" {cell} t{steps} b{b} h{h} {c['direction']} lengths {c['lengths']}"
        xs = self.argument("x", n.normal(size=(steps, b, gates * h)), (0, 1))
        w = self.argument("w", n.normal(size=(h, gates * h)) / np.sqrt(h))
        start = []
        for number in range(states):
            value = n.normal(size=(b, h)) * 0.5
            value = np.abs(value) + 0.5 if cell == "slstm" and number == 2 else value
            start.append(self.argument(f"init{number}", value, (0,)))
        lengths = self.argument("lens", n.integers(-1, steps + 2, b), (0,), c["lengths"]) if ragged else None
        # What is expected.
        now, outputs = [s[2] for s in start], np.zeros((steps, b, h))
        for t in range(steps)[::-1] if reverse else range(steps):
            output, after = step(cell, xs[2][t], now, w[2])
            live = (t < lengths[2])[:, None] if ragged else np.ones((b, 1), bool)
            outputs[t] = np.where(live, output, 0)
            now = [np.where(live, new, old) for new, old in zip(after, now)]
        # The program.
        state, row, out = self.type((b, h), element, (0,)), self.type((b, gates * h), element, (0,)), self.type((steps, b, h), element, (0, 1))
        size = "%n1" if self.dynamic else ""
        if self.dynamic:
            self.lines += ["%c0 = arith.constant 0 : index", "%c1 = arith.constant 1 : index", f"%n0 = tensor.dim %x, %c0 : {xs[1]}",
                           f"%n1 = tensor.dim %x, %c1 : {xs[1]}"]
        self.lines += [f"%zero = arith.constant 0.0 : {element}", f"%one = arith.constant 1.0 : {element}",
                       f"%half = arith.constant 0.5 : {element}", f"%e = tensor.empty({'%n0, %n1' if self.dynamic else ''}) : {out}"]
        names = [f"%init{i}" for i in range(states)]
        lines = [f"%r:{1 + states} = tenon.recurrence{' reverse' if reverse else ''} inputs(%x : {xs[1]}) states({', '.join(names)} : "
                 f"{', '.join([state] * states)}){f' lengths(%lens : {lengths[1]})' if ragged else ''} outs(%e : {out}) {{",
                 f"^bb0(%xt: {row}, {', '.join(f'%t{i}: {state}' for i in range(states))}):",
                 f"  %e0 = tensor.empty({size}) : {row}", f"  %e1 = tensor.empty({size}) : {state}",
                 f"  %product = linalg.matmul ins(%t0, %w : {state}, {w[1]}) outs(%filled : {row}) -> {row}"]
        lines.insert(4, f"  %filled = linalg.fill ins(%zero : {element}) outs(%e0 : {row}) -> {row}")
        for g in range(gates):
            for source, name in (("product", "ps"), ("xt", "xs")):
                if b == 0 and not self.dynamic:  # of which MLIR takes no slices
                    lines.append(f"  %{name}{g} = tensor.empty() : {state}")
                    continue
                lines.append(f"  %{name}{g} = tensor.extract_slice %{source}[0, {g * h}] [{size or b}, {h}] [1, 1] : {row} to {state}")
        body, fresh = [], 0
        for line in BODIES[cell].strip().splitlines():
            line = line.strip()
            if "SIGMOID" in line:
                name, operand = line.split(" = SIGMOID ")
                fresh += 1
                a, c, d = (f"%q{fresh}{letter}" for letter in "abc")
                body += [f"{a} = arith.negf {operand} : {sums}", f"{c} = math.exp {a} : {sums}", f"{d} = arith.addf {c}, %one : {sums}",
                         f"{name} = arith.divf %one, {d} : {sums}"]
            elif line.startswith("YIELD"):
                values = line[6:]
                body.append(f"linalg.yield {values} : {', '.join([element] * (1 + states))}")
            else:
                body.append(f"{line} : {sums}")
        identity = "affine_map<(d0, d1) -> (d0, d1)>"
        inputs = [f"%ps{g}" for g in range(gates)] + [f"%xs{g}" for g in range(gates)] + [f"%t{i}" for i in range(states)]
        block = [f"%pe{g}: {element}" for g in range(gates)] + [f"%x{g}: {element}" for g in range(gates)] + [f"%s{i}: {element}" for i in range(states)]
        sums_of = [f"%g{g} = arith.addf %pe{g}, %x{g} : {element}" for g in range(gates)]
        block += [f"%o{i}: {element}" for i in range(1 + states)]
        lines += [f"  %m:{1 + states} = linalg.generic {{indexing_maps = [{', '.join([identity] * (len(inputs) + 1 + states))}], "
                  f'iterator_types = ["parallel", "parallel"]}} ins({", ".join(inputs)} : {", ".join([state] * len(inputs))}) '
                  f"outs({', '.join(['%e1'] * (1 + states))} : {', '.join([state] * (1 + states))}) {{", f"  ^bb0({', '.join(block)}):"]
        lines += ["    " + line for line in sums_of + body]
        lines += [f"  }} -> ({', '.join([state] * (1 + states))})",
                  f"  tenon.yield {', '.join(f'%m#{i}' for i in range(1 + states))} : {', '.join([state] * (1 + states))}",
                  f"}} -> {', '.join([out] + [state] * states)}"]
        self.lines += lines
        self.result("%r#0", out, outputs, 8)
        for number in range(states):
            self.result(f"%r#{number + 1}", state, now[number], 8)
