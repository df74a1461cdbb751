"""A case: one value of each axis, sizes to fit, the program in MLIR and its meaning in NumPy, in float64."""
import random
from types import SimpleNamespace

import numpy as np

from . import masks
from .iterations import ITERATIONS
from .masks import MASKS
from .normalizers import NORMALIZERS
from .operand import Operand, normal
from .results import RESULTS, Results
from .scores import SCORES
from .storage import LENGTHS, STORAGES, Storage

AXES = {
    "score": tuple(SCORES), "mask": tuple(MASKS), "normalizer": tuple(NORMALIZERS), "heads": ("multi", "grouped", "one", "latent"),
    "storage": STORAGES, "lengths": LENGTHS, "iteration": tuple(ITERATIONS), "dtype": ("f32", "f16", "bf16", "f64"),
    "shape": ("odd", "one query", "empty", "whole tiles", "long"), "dims": ("static", "dynamic"), "sources": ("one", "two"),
    "results": RESULTS,
}
SIZES = (1, 2, 3, 5, 7, 17, 33, 65, 100, 130)


class Source:
    """Number `number` of a case's sources: keys `%k`, values `%v`."""

    def __init__(self, case, r, choice, number, keys):
        self.case, self.number = case, number
        self.storage = Storage(r, choice["storage"], choice["lengths"], keys, number, case.b, case.g)
        self.mask = masks.make(r, choice["mask"], number, case, self.storage.keys)
        self.iteration = ITERATIONS[choice["iteration"]](r, case, self)

    def operands(self):
        made = [self.stored("k", self.case.d)]
        if not self.case.latent:
            made.append(self.stored("v", self.case.e))
        return made + list(self.storage.operands().values()) + self.iteration.operands() + (self.mask.operands if self.mask else [])

    def stored(self, name, depth):
        shape = self.storage.shape(depth)
        return Operand(f"{name}{self.number}", shape, self.case.dtype, normal(shape), (0, 2))

    def lines(self):
        """MLIR of the source, `%s`; of a latent, values are a part of the keys."""
        n, dynamic, made = self.number, self.case.dynamic, []
        k, v = self.stored("k", self.case.d), self.stored("v", self.case.e)
        kt, vt = k.type(dynamic), v.type(dynamic)
        if self.case.latent:
            sizes = list(map(str, v.shape))
            for dim in k.dynamic if dynamic else ():
                made += [f"%kd{n}_{dim} = arith.constant {dim} : index", f"%kn{n}_{dim} = tensor.dim %k{n}, %kd{n}_{dim} : {kt}"]
                sizes[dim] = f"%kn{n}_{dim}"
            made.append(f"%v{n} = tensor.extract_slice %k{n}[0, 0, 0, 0] [{', '.join(sizes)}] [1, 1, 1, 1] : {kt} to {vt}")
        text, lengths, types = "", "", ""
        for keyword, operand in self.storage.operands().items():
            kind = operand.type(dynamic)
            if keyword == "lengths":
                lengths, types = f" lengths %{operand.name}", f", {kind}"
            else:
                text += f" {keyword}(%{operand.name} : {kind})"
        mask, predicate = self.mask.clauses(dynamic) if self.mask else ("", "")
        text += self.iteration.text(dynamic) + lengths + mask
        return made + [f"%s{n} = tenon.kv_source %k{n}, %v{n}{text} : {kt}, {vt}{types}{predicate}"]

    def read(self, values):
        """Keys and values in order, of the query's heads, which pairs are seen, and what is added to their scores: [b, h, s, t]."""
        c, t = self.case, self.storage.keys
        k = self.storage.read(values[f"k{self.number}"], values)
        v = k[..., :c.e] if c.latent else self.storage.read(values[f"v{self.number}"], values)
        count = np.repeat(self.storage.counts(values), c.h // c.g, axis=1)
        i, j = np.arange(c.s)[:, None], np.arange(t)[None, :]
        seen, added = np.zeros((c.b, c.h, c.s, t), bool), np.zeros((c.b, c.h, c.s, t))
        for b, h in np.ndindex(c.b, c.h):
            at = SimpleNamespace(b=b, h=h, i=i, j=j, s=c.s, t=count[b, h], values=values)
            seen[b, h] = ((j < count[b, h]) & (self.mask.sees(at) if self.mask else True)
                          & self.iteration.lists(b, h, i, j, values))
            added[b, h] = self.iteration.added(b, h, i, j, values)
        return np.repeat(k, c.h // c.g, axis=1), np.repeat(v, c.h // c.g, axis=1), seen, added

    def title(self):
        return f"{self.storage.title()} {(self.mask.text or 'predicate') if self.mask else 'all'}{self.iteration.text(False)}"


class Case:
    def __init__(self, choice, seed):
        r = self.random = random.Random(seed)
        self.choice, self.dtype, self.dynamic = choice, choice["dtype"], choice["dims"] == "dynamic"
        self.sums = "f64" if self.dtype == "f64" else "f32"
        self.b = r.choice((1, 1, 2, 3))
        self.latent = choice["heads"] == "latent"
        self.g = {"multi": r.choice((1, 2, 3)), "grouped": r.choice((2, 3))}.get(choice["heads"], 1)
        self.h = self.g * (1 if choice["heads"] == "multi" else r.choice((2, 4)))
        self.d, self.e = r.choice((1, 3, 8, 16, 40, 64)), r.choice((1, 5, 8, 16, 33, 64))
        self.s, keys = r.choice((1,) + SIZES), r.choice(SIZES)
        if choice["shape"] == "one query":
            self.s = 1
        elif choice["shape"] == "whole tiles":
            self.s, keys = r.choice((64, 128)), r.choice((64, 256, 512))
        elif choice["shape"] == "long":
            self.b, self.s, keys = 1, r.choice((1, 97, 200)), r.choice((600, 1030))
        elif choice["shape"] == "empty":
            which = r.choice("se" if self.latent else "bsekk")  # MLIR takes no slice at 0 of nothing
            keys = 0 if which == "k" else keys
            if which != "k":
                setattr(self, which, 0)
        if self.latent:
            self.d = self.e + r.choice((0, 4, 8)) + (1 if self.e == 0 else 0)
        self.score, self.normalizer = SCORES[choice["score"]], NORMALIZERS[choice["normalizer"]]
        self.sources = [Source(self, r, choice, 0, keys)]
        if choice["sources"] == "two":
            other = {axis: r.choice(AXES[axis]) for axis in ("storage", "lengths", "mask", "iteration")}
            # An array over keys is read by both.
            if self.score.extra:
                other["storage"], keys = r.choice(("in order", "ring")), self.sources[0].storage.keys
            elif choice["shape"] in ("odd", "one query"):
                keys = r.choice(SIZES)
            self.sources.append(Source(self, r, other, 1, keys))
        self.results = Results(r, self, choice["results"])

    def title(self):
        c = self.choice
        return (f"{self.dtype} {c['shape']} {c['dims']} b{self.b} {c['heads']} h{self.h}/{self.g} s{self.s} d{self.d} e{self.e} "
                f"{c['score']} {c['normalizer']} {self.results.title()} over {' + '.join(source.title() for source in self.sources)}")

    def operands(self):
        shape = (self.b, self.h, self.s, self.d)
        made = [Operand("q", shape, self.dtype, normal(shape), (0, 2))]
        for source in self.sources:
            made += source.operands()
        extra = self.score.operand(self)
        return made + self.normalizer.operands(self) + ([extra] if extra else [])

    def mlir(self):
        operands, sums = self.operands(), self.sums
        q = operands[0].type(self.dynamic)
        made = [Operand(name, shape, element, None, (0, 2)).type(self.dynamic)
                for name, (shape, element) in zip("ol", self.results.types((self.b, self.h, self.s, self.e)))]
        lines, extra, block = [f"%scale = arith.constant 0.25 : {sums}"], "", ""
        for dim in (0, 2) if self.dynamic else ():
            lines += [f"%i{dim} = arith.constant {dim} : index", f"%n{dim} = tensor.dim %q, %i{dim} : {q}"]
        lines += [f"%e{n} = tensor.empty({'%n0, %n2' if self.dynamic else ''}) : {kind}" for n, kind in enumerate(made)]
        for source in self.sources:
            lines += source.lines()
        lines += self.normalizer.lines(self)
        if self.score.extra:
            kind = operands[-1].type(self.dynamic)
            extra, block = f" extras(%x : {kind}) maps [affine_map<(b, h, q, k) -> {self.score.maps}>]", f", %y: {sums}"
        lse = f" lse(%e1 : {made[1]})" if len(made) > 1 else ""
        partial, results, types = " partial" if self.results.partial else "", f":{len(made)}" if len(made) > 1 else "", ", ".join(made)
        lines.append(f"%r{results} = tenon.attention {self.normalizer.keyword}{partial} %q sources({', '.join(f'%s{s.number}' for s in self.sources)})"
                     f"{self.normalizer.clauses(self)}{extra} outs(%e0 : {made[0]}){lse} : {q} {{")
        block = f"^bb0(%a: {sums}, %b: index, %h: index, %i: index, %j: index{block}):"
        lines.append(block)
        lines += ["  " + line.replace(": T", f": {sums}").replace("to T", f"to {sums}") for line in self.score.lines]
        lines += [f"  tenon.yield {self.score.result} : {sums}"] + self.results.region(block) + [f"}} -> {types}"]
        lines.append(f"return {'%r#0, %r#1' if len(made) > 1 else '%r'} : {types}")
        arguments = ", ".join(f"%{operand.name}: {operand.type(self.dynamic)}" for operand in operands)
        return "\n".join([f"func.func @main({arguments}) -> ({types}) {{"] + ["  " + line for line in lines] + ["}"]) + "\n"

    def arguments(self):
        rng = np.random.default_rng(self.random.randrange(1 << 30))
        return {operand.name: operand.array(rng) for operand in self.operands()}

    def expected(self, arguments):
        values = {name: a.astype(np.int64 if a.dtype.kind == "i" else np.float64) for name, a in arguments.items()}
        joined = {"scores": [], "seen": [], "part": [], "key": [], "extra": []}
        read = []
        for source in self.sources:
            k, v, pairs, added = source.read(values)
            i, j = np.arange(self.s)[:, None], np.arange(k.shape[2])[None, :]
            product = np.einsum("bhsd,bhtd->bhst", values["q"], k)
            each = self.results.each(np.repeat(source.storage.counts(values), self.h // self.g, axis=1))
            made = (self.score.apply(product, values.get("x"), i, j) + added, pairs, j // each[:, :, None, None], j,
                    self.score.read(values.get("x")))
            for name, array in zip(joined, made):
                joined[name].append(np.broadcast_to(array, product.shape))
            read.append(v)
        joined = {name: np.concatenate(arrays, 3) for name, arrays in joined.items()}
        return self.results.apply(lambda seen: self.normalizer.weights(self, joined["scores"], seen, values), joined["seen"],
                                  joined["part"], joined["key"], joined["extra"], np.concatenate(read, 2))

    def tolerance(self, expected):
        step = {"f32": 2e-5, "f64": 1e-12, "f16": 2e-3, "bf16": 1.6e-2}[self.dtype]
        return step * max(1.0, float(np.abs(expected).max(initial=0)))
