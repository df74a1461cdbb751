"""tenon.top_k, tenon.sort and tenon.segment_reduce."""
import numpy as np

from program import DTYPES, Program, numpy_type

ELEMENTS = (*DTYPES, "i32", "i64")
SHAPE = {"rank": ("1", "2", "3"), "sizes": ("one", "odd", "vectors", "empty"), "values": ("distinct", "ties", "NaN"), "dims": ("static", "dynamic")}
SELECT_AXES = {"op": ("top_k", "top_k smallest", "sort", "sort descending"), "k": ("none", "one", "few", "all"),
               "line": ("one", "few", "many"), "axis": ("first", "last", "any"), "dtype": ELEMENTS, **SHAPE}
SEGMENT_AXES = {"op": ("sum", "max", "min", "mean"), "segments": ("one", "ragged", "empty", "none", "rows in none"),
                "rows": ("none", "one", "few", "many"), "offsets": ("i32", "i64"), "dtype": ELEMENTS, **SHAPE}
SIZES = {"one": (1,), "odd": (2, 3, 5, 7, 17, 33), "vectors": (8, 16, 64), "empty": (1, 3, 16)}
LINES = {"none": (0,), "one": (1,), "few": (2, 3, 5, 8), "many": (16, 33, 100, 300)}


def order(values, largest=True):
    """Indices from large to small; NaN is the largest, of equals the lower index comes first."""
    key = np.where(np.isnan(values), np.inf, values)
    nan = np.isnan(values).astype(int)
    return np.lexsort((np.arange(len(values)), -key, -nan) if largest else (np.arange(len(values)), key, nan))


class Lines(Program):
    def array(self, shape, axis):
        """An argument `%x`, of which one dim but `axis` is empty where sizes are."""
        c = self.choice
        if c["sizes"] == "empty" and len(shape) > 1:
            shape[self.r.choice([i for i in range(len(shape)) if i != axis])] = 0
        values = self.n.integers(-4, 5, shape) if c["values"] != "distinct" else self.n.normal(size=shape) * 50
        values = values.astype(np.float64)
        if c["values"] == "NaN" and self.dtype[0] != "i":
            values[self.n.random(shape) < 0.1] = np.nan
        return self.argument("x", values, (0,))


class Select(Lines):
    def draw(self):
        r, c = self.r, self.choice
        rank = int(c["rank"])
        axis = {"first": 0, "last": rank - 1}.get(c["axis"], r.randrange(rank))
        shape = [r.choice(SIZES[c["sizes"]]) for _ in range(rank)]
        shape[axis] = line = r.choice(LINES[c["line"]])
        op, *word = c["op"].split()
        k = line if op == "sort" else {"none": 0, "one": 1, "few": min(line, r.randint(2, 8)), "all": line}[c["k"]]
        x, x_type, numbers = self.array(shape, axis)
        places = np.zeros(shape, np.int64)
        if numbers.size:
            places = np.apply_along_axis(lambda line: order(line, c["op"] in ("top_k", "sort descending")), axis, np.asarray(numbers, np.float64))
        places = np.take(places, np.arange(k), axis)
        dims = (0,) if axis or op == "sort" else ()
        v, i = self.type(places.shape, self.dtype, dims), self.type(places.shape, "i64", dims)
        self.lines.append(f"%v, %i = tenon.{' '.join([op, *word])} {x} axis {axis} : {x_type} -> {v}, {i}")
        self.title += f" {c['op']} {list(numbers.shape)} axis {axis} k {k} {c['values']}"
        self.result("%v", v, np.take_along_axis(numbers, places, axis), exact=True)
        self.result("%i", i, places, exact=True)


class Segments(Lines):
    def draw(self):
        r, n, c = self.r, self.n, self.choice
        rows = r.choice(LINES[c["rows"]])
        x, x_type, numbers = self.array([rows] + [r.choice(SIZES[c["sizes"]]) for _ in range(int(c["rank"]) - 1)], 0)
        count = {"one": 1, "none": 0}.get(c["segments"], r.choice((2, 5, 9)))
        cuts = np.sort(n.integers(0, rows + 1, count + 1))
        if c["segments"] in ("one", "ragged"):
            cuts[0], cuts[-1] = 0, rows
        elif c["segments"] == "empty":
            cuts[:-1] = cuts[0]
        o, o_type, _ = self.argument("o", cuts, (0,), c["offsets"])
        y = self.type((count, *numbers.shape[1:]), self.dtype, (0,))
        self.lines.append(f"%y = tenon.segment_reduce {c['op']} {x} offsets {o} : {x_type}, {o_type} -> {y}")
        integer = self.dtype[0] == "i"
        low, high = (np.iinfo(numpy_type(self.dtype)).min, np.iinfo(numpy_type(self.dtype)).max) if integer else (-np.inf, np.inf)
        expected = np.full((count, *numbers.shape[1:]), {"max": low, "min": high}.get(c["op"], 0), numbers.dtype)
        size = 1.0
        for s in range(count):
            part = numbers[cuts[s]:cuts[s + 1]]
            if len(part):
                expected[s] = getattr(np, c["op"])(part, axis=0)
                size = max(size, getattr(np, "mean" if c["op"] == "mean" else "sum")(np.nan_to_num(np.abs(part)), axis=0).max(initial=0))
        self.title += f" {c['op']} {list(numbers.shape)} {cuts.tolist()} {c['values']}"
        exact = integer or c["op"] in ("max", "min")
        self.result("%y", y, expected, exact=exact, size=size)
